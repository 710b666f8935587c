//! Adding layers that make, move or choose elements rather than compute with them; every version has them. As in `add`,
//! the caller says every type, and the call is chosen here.

use super::*;
use crate::dims::Dims;
use crate::sys::tables::network_definition as table;
use crate::types::{FillOperation, GatherMode, ScatterMode, TopKOperation};
use crate::weights::Axes;

impl<'w> Network<'w> {
    /// Adds tensors one after another (`addConcatenation`); the axis is set on the layer.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_concatenation(&self, inputs: &[Tensor<'_>]) -> Result<ConcatenationLayer<'_>> {
        let (inputs, count) = self.own_all(inputs)?;
        // SAFETY: the tensors are of this network; TensorRT copies the list.
        let made = unsafe { raw::add_concatenation(self.raw(), inputs.as_ptr(), count) };
        Ok(ConcatenationLayer(self.layer(made?)))
    }

    /// Adds a transpose, reshape and transpose (`addShuffle`), set on the layer.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_shuffle(&self, input: Tensor<'_>) -> Result<ShuffleLayer<'_>> {
        let input = self.own(input)?;
        // SAFETY: the tensor is of this network.
        Ok(ShuffleLayer(self.layer(unsafe { raw::add_shuffle(self.raw(), input) }?)))
    }

    /// Adds the k greatest or least along an axis (`addTopK`, or `addTopKV2` for int64 indices).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for other than int32 `indices` where only `addTopK` is; [`Error::Refused`].
    pub fn add_topk(
        &self,
        input: Tensor<'_>,
        operation: TopKOperation,
        k: usize,
        axes: Axes,
        indices: DataType,
    ) -> Result<TopKLayer<'_>> {
        let (input, operation) = (self.own(input)?, operation.number(self.version())?);
        let k = c_int("k", k)?;
        // SAFETY: the tensor is of this network.
        let made = unsafe {
            if indices == DataType::Int32 {
                raw::add_topk(self.raw(), input, operation, k, axes.mask())
            } else {
                raw::add_topk_v2(self.raw(), input, operation, k, axes.mask(), indices.number(self.version())?)
            }
        };
        Ok(TopKLayer(self.layer(made?)))
    }

    /// Adds elements by index (`addGatherV2`); the axis is set on the layer.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_gather(&self, data: Tensor<'_>, indices: Tensor<'_>, mode: GatherMode) -> Result<GatherLayer<'_>> {
        let (data, indices, mode) = (self.own(data)?, self.own(indices)?, mode.number(self.version())?);
        // SAFETY: the tensors are of this network.
        Ok(GatherLayer(self.layer(unsafe { raw::add_gather_v2(self.raw(), data, indices, mode) }?)))
    }

    /// Adds a constant (`addConstant`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for a type the version lacks; [`Error::Refused`].
    pub fn add_constant(&self, dims: &[i64], weights: Weights<'w>) -> Result<Layer<'_>> {
        let (dims, weights) = (Dims::new(dims)?, weights.raw(self.version())?);
        // SAFETY: the weights live as long as the network.
        Ok(self.layer(unsafe { raw::add_constant(self.raw(), &dims, weights) }?))
    }

    /// Adds a copy (`addIdentity`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_identity(&self, input: Tensor<'_>) -> Result<Layer<'_>> {
        let input = self.own(input)?;
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { raw::add_identity(self.raw(), input) }?))
    }

    /// Adds a window of a tensor (`addSlice`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_slice(&self, input: Tensor<'_>, start: &[i64], size: &[i64], stride: &[i64]) -> Result<SliceLayer<'_>> {
        let input = self.own(input)?;
        let (start, size, stride) = (Dims::new(start)?, Dims::new(size)?, Dims::new(stride)?);
        // SAFETY: the tensor is of this network.
        Ok(SliceLayer(self.layer(unsafe { raw::add_slice(self.raw(), input, &start, &size, &stride) }?)))
    }

    /// Adds the shape of a tensor: int64 from 10 on, int32 in 8.6 (`addShape`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_shape(&self, input: Tensor<'_>) -> Result<Layer<'_>> {
        let input = self.own(input)?;
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { raw::add_shape(self.raw(), input) }?))
    }

    /// Adds an interpolation to other extents (`addResize`), set on the layer.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_resize(&self, input: Tensor<'_>) -> Result<ResizeLayer<'_>> {
        let input = self.own(input)?;
        // SAFETY: the tensor is of this network.
        Ok(ResizeLayer(self.layer(unsafe { raw::add_resize(self.raw(), input) }?)))
    }

    /// Adds a choice between two tensors, element by element (`addSelect`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_select(&self, condition: Tensor<'_>, then: Tensor<'_>, otherwise: Tensor<'_>) -> Result<Layer<'_>> {
        let (condition, then, otherwise) = (self.own(condition)?, self.own(then)?, self.own(otherwise)?);
        // SAFETY: the tensors are of this network.
        Ok(self.layer(unsafe { raw::add_select(self.raw(), condition, then, otherwise) }?))
    }

    /// Adds a generated tensor of a type (`addFillV2`, or `addFill` with an output type in 8.6).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_fill(&self, dims: &[i64], operation: FillOperation, dtype: DataType) -> Result<FillLayer<'_>> {
        let (dims, operation) = (Dims::new(dims)?, operation.number(self.version())?);
        let number = dtype.number(self.version())?;
        if self.object.host().has(&table::ADD_FILL_V2) {
            // SAFETY: the network is alive.
            let made = unsafe { raw::add_fill_v2(self.raw(), &dims, operation, number) };
            return Ok(FillLayer(self.layer(made?)));
        }
        // SAFETY: the network is alive.
        let made = unsafe { raw::add_fill(self.raw(), &dims, operation) };
        let fill = FillLayer(self.layer(made?));
        if dtype != DataType::Float {
            fill.set_output_type(0, dtype)?;
        }
        Ok(fill)
    }

    /// Adds zeros around the last two dimensions, or cuts them off with negative padding (`addPaddingNd`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_padding(&self, input: Tensor<'_>, before: &[i64], after: &[i64]) -> Result<Layer<'_>> {
        let (input, before, after) = (self.own(input)?, Dims::new(before)?, Dims::new(after)?);
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { raw::add_padding_nd(self.raw(), input, &before, &after) }?))
    }

    /// Adds elements replaced by index (`addScatter`); the axis is set on the layer.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_scatter(
        &self,
        data: Tensor<'_>,
        indices: Tensor<'_>,
        updates: Tensor<'_>,
        mode: ScatterMode,
    ) -> Result<ScatterLayer<'_>> {
        let (data, indices, updates) = (self.own(data)?, self.own(indices)?, self.own(updates)?);
        let mode = mode.number(self.version())?;
        // SAFETY: the tensors are of this network.
        Ok(ScatterLayer(self.layer(unsafe { raw::add_scatter(self.raw(), data, indices, updates, mode) }?)))
    }

    /// Adds a condition that must hold while building or running (`addAssertion`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_assertion(&self, condition: Tensor<'_>, message: &str) -> Result<Layer<'_>> {
        let condition = self.own(condition)?;
        let message = c_text("a message", message)?;
        // SAFETY: the tensor is of this network; TensorRT copies the text.
        Ok(self.layer(unsafe { raw::add_assertion(self.raw(), condition, message.as_ptr()) }?))
    }

    /// Adds a one-hot encoding; `values` holds off and on (`addOneHot`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_one_hot(
        &self,
        indices: Tensor<'_>,
        values: Tensor<'_>,
        depth: Tensor<'_>,
        axis: i32,
    ) -> Result<Layer<'_>> {
        let (indices, values, depth) = (self.own(indices)?, self.own(values)?, self.own(depth)?);
        // SAFETY: the tensors are of this network.
        Ok(self.layer(unsafe { raw::add_one_hot(self.raw(), indices, values, depth, axis) }?))
    }

    /// Adds the indices of non-zero elements (`addNonZero`, or `addNonZeroV2` for int64 indices).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for other than int32 `indices` where only `addNonZero` is; [`Error::Refused`].
    pub fn add_non_zero(&self, input: Tensor<'_>, indices: DataType) -> Result<Layer<'_>> {
        let input = self.own(input)?;
        // SAFETY: the tensor is of this network.
        let made = unsafe {
            if indices == DataType::Int32 {
                raw::add_non_zero(self.raw(), input)
            } else {
                raw::add_non_zero_v2(self.raw(), input, indices.number(self.version())?)
            }
        };
        Ok(self.layer(made?))
    }

    /// Adds elements at normalized coordinates (`addGridSample`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_grid_sample(&self, input: Tensor<'_>, grid: Tensor<'_>) -> Result<GridSampleLayer<'_>> {
        let (input, grid) = (self.own(input)?, self.own(grid)?);
        // SAFETY: the tensors are of this network.
        Ok(GridSampleLayer(self.layer(unsafe { raw::add_grid_sample(self.raw(), input, grid) }?)))
    }

    /// Adds non-maximum suppression (`addNMS`, or `addNMSV2` for int64 indices).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for other than int32 `indices` where only `addNMS` is; [`Error::Refused`].
    pub fn add_nms(
        &self,
        boxes: Tensor<'_>,
        scores: Tensor<'_>,
        most: Tensor<'_>,
        indices: DataType,
    ) -> Result<NmsLayer<'_>> {
        let (boxes, scores, most) = (self.own(boxes)?, self.own(scores)?, self.own(most)?);
        // SAFETY: the tensors are of this network.
        let made = unsafe {
            if indices == DataType::Int32 {
                raw::add_nms(self.raw(), boxes, scores, most)
            } else {
                raw::add_nms_v2(self.raw(), boxes, scores, most, indices.number(self.version())?)
            }
        };
        Ok(NmsLayer(self.layer(made?)))
    }

    /// Adds reversed subsequences (`addReverseSequence`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_reverse_sequence(&self, input: Tensor<'_>, lengths: Tensor<'_>) -> Result<ReverseSequenceLayer<'_>> {
        let (input, lengths) = (self.own(input)?, self.own(lengths)?);
        // SAFETY: the tensors are of this network.
        Ok(ReverseSequenceLayer(self.layer(unsafe { raw::add_reverse_sequence(self.raw(), input, lengths) }?)))
    }

    /// Adds a conversion to another type (`addCast`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for a type the version lacks; [`Error::Refused`].
    pub fn add_cast(&self, input: Tensor<'_>, dtype: DataType) -> Result<Layer<'_>> {
        let (input, dtype) = (self.own(input)?, dtype.number(self.version())?);
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { raw::add_cast(self.raw(), input, dtype) }?))
    }

    /// Adds a loop (`addLoop`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_loop(&self) -> Result<Loop<'_>> {
        // SAFETY: the network is alive, and keeps its loops for life.
        let raw = unsafe { Ref::new(raw::add_loop(self.raw())?, self.object.host()) };
        Ok(Loop { raw, network: self.object.as_ptr() })
    }

    /// Adds an if-conditional (`addIfConditional`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_if_conditional(&self) -> Result<Conditional<'_>> {
        // SAFETY: the network is alive, and keeps its conditionals for life.
        let raw = unsafe { Ref::new(raw::add_if_conditional(self.raw())?, self.object.host()) };
        Ok(Conditional { raw, network: self.object.as_ptr() })
    }
}
