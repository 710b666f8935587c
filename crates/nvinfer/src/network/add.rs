//! Adding layers that every version has. Where 10 and 11 ask for a type that 8.6 does not, the caller says it always
//! and the call is chosen here; a type that the older call cannot give is "not in this version".

use std::ffi::c_void;

use super::*;
use crate::dims::Dims;
use crate::sys::tables::network_definition as table;
use crate::types::{
    ActivationType, ElementWiseOperation, FillOperation, GatherMode, MatrixOperation, PoolingType, ReduceOperation,
    ScaleMode, ScatterMode, TopKOperation, UnaryOperation,
};
use crate::weights::Axes;

/// The weights of a scale layer; any of them may be none.
#[derive(Clone, Copy, Debug)]
pub struct ScaleWeights<'w> {
    /// Added after scaling.
    pub shift: Weights<'w>,
    /// Multiplied first.
    pub scale: Weights<'w>,
    /// Exponent, last.
    pub power: Weights<'w>,
}

/// The parameters of local response normalization.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LrnParameters {
    /// Size of the window over channels, odd.
    pub window: i64,
    /// Factor.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// Addend.
    pub k: f32,
}

impl<'w> Network<'w> {
    /// Adds a pointwise function (`addActivation`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for GELU in 8.6; [`Error::Refused`].
    pub fn add_activation(&self, input: Tensor<'_>, kind: ActivationType) -> Result<ActivationLayer<'_>> {
        let (input, kind) = (self.own(input)?, kind.number(self.version())?);
        // SAFETY: the tensor is of this network.
        Ok(ActivationLayer(self.layer(unsafe { raw::add_activation(self.raw(), input, kind) }?)))
    }

    /// Adds local response normalization (`addLRN`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_lrn(&self, input: Tensor<'_>, lrn: LrnParameters) -> Result<Layer<'_>> {
        let input = self.own(input)?;
        // SAFETY: the tensor is of this network.
        let made = unsafe { raw::add_lrn(self.raw(), input, lrn.window, lrn.alpha, lrn.beta, lrn.k) };
        Ok(self.layer(made?))
    }

    /// Adds (x * scale + shift) to a power (`addScaleNd`), with the channels at `channel_axis`.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_scale(
        &self,
        input: Tensor<'_>,
        mode: ScaleMode,
        weights: ScaleWeights<'w>,
        channel_axis: usize,
    ) -> Result<ScaleLayer<'_>> {
        let (input, version) = (self.own(input)?, self.version());
        let (shift, scale) = (weights.shift.raw(version)?, weights.scale.raw(version)?);
        let power = weights.power.raw(version)?;
        let (mode, axis) = (mode.number(version)?, c_int("the channel axis", channel_axis)?);
        // SAFETY: the tensor is of this network, and the weights live as long as it.
        let made = unsafe { raw::add_scale_nd(self.raw(), input, mode, shift, scale, power, axis) };
        Ok(ScaleLayer(self.layer(made?)))
    }

    /// Adds softmax (`addSoftMax`); the axis is set on the layer.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_softmax(&self, input: Tensor<'_>) -> Result<SoftMaxLayer<'_>> {
        let input = self.own(input)?;
        // SAFETY: the tensor is of this network.
        Ok(SoftMaxLayer(self.layer(unsafe { raw::add_soft_max(self.raw(), input) }?)))
    }

    /// Adds softmax over sequences of run-time length (`addRaggedSoftMax`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_ragged_softmax(&self, input: Tensor<'_>, bounds: Tensor<'_>) -> Result<Layer<'_>> {
        let (input, bounds) = (self.own(input)?, self.own(bounds)?);
        // SAFETY: the tensors are of this network.
        Ok(self.layer(unsafe { raw::add_ragged_soft_max(self.raw(), input, bounds) }?))
    }

    fn own_all(&self, tensors: &[Tensor<'_>]) -> Result<(Vec<*mut c_void>, i32)> {
        let all = tensors.iter().map(|t| self.own(*t)).collect::<Result<Vec<_>>>()?;
        let count = c_int("the number of inputs", all.len())?;
        Ok((all, count))
    }

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

    /// Adds a function of two tensors, with broadcasting over extents of 1 (`addElementWise`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_elementwise(&self, a: Tensor<'_>, b: Tensor<'_>, operation: ElementWiseOperation) -> Result<Layer<'_>> {
        let (a, b, operation) = (self.own(a)?, self.own(b)?, operation.number(self.version())?);
        // SAFETY: the tensors are of this network.
        Ok(self.layer(unsafe { raw::add_element_wise(self.raw(), a, b, operation) }?))
    }

    /// Adds a function of one tensor (`addUnary`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for `IsNan` before 10.3; [`Error::Refused`].
    pub fn add_unary(&self, input: Tensor<'_>, operation: UnaryOperation) -> Result<Layer<'_>> {
        let (input, operation) = (self.own(input)?, operation.number(self.version())?);
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { raw::add_unary(self.raw(), input, operation) }?))
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

    /// Adds a reduction over axes (`addReduce`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_reduce(
        &self,
        input: Tensor<'_>,
        operation: ReduceOperation,
        axes: Axes,
        keep: bool,
    ) -> Result<ReduceLayer<'_>> {
        let (input, operation) = (self.own(input)?, operation.number(self.version())?);
        // SAFETY: the tensor is of this network.
        let made = unsafe { raw::add_reduce(self.raw(), input, operation, axes.mask(), keep) };
        Ok(ReduceLayer(self.layer(made?)))
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

    /// Adds a product of matrices (`addMatrixMultiply`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_matrix_multiply(
        &self,
        a: Tensor<'_>,
        a_operation: MatrixOperation,
        b: Tensor<'_>,
        b_operation: MatrixOperation,
    ) -> Result<MatrixMultiplyLayer<'_>> {
        let (a, b, version) = (self.own(a)?, self.own(b)?, self.version());
        let (a_operation, b_operation) = (a_operation.number(version)?, b_operation.number(version)?);
        // SAFETY: the tensors are of this network.
        let made = unsafe { raw::add_matrix_multiply(self.raw(), a, a_operation, b, b_operation) };
        Ok(MatrixMultiplyLayer(self.layer(made?)))
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

    /// Adds x, or slope * x below 0 (`addParametricReLU`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_parametric_relu(&self, input: Tensor<'_>, slope: Tensor<'_>) -> Result<Layer<'_>> {
        let (input, slope) = (self.own(input)?, self.own(slope)?);
        // SAFETY: the tensors are of this network.
        Ok(self.layer(unsafe { raw::add_parametric_relu(self.raw(), input, slope) }?))
    }

    /// Adds a convolution (`addConvolutionNd`). The kernel's weights are `maps` × input channels / groups × kernel.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_convolution(
        &self,
        input: Tensor<'_>,
        maps: i64,
        kernel: &[i64],
        weights: Weights<'w>,
        bias: Weights<'w>,
    ) -> Result<ConvolutionLayer<'_>> {
        let (input, kernel) = (self.own(input)?, Dims::new(kernel)?);
        let (weights, bias) = (weights.raw(self.version())?, bias.raw(self.version())?);
        // SAFETY: the tensor is of this network, and the weights live as long as it.
        let made = unsafe { raw::add_convolution_nd(self.raw(), input, maps, &kernel, weights, bias) };
        Ok(ConvolutionLayer(self.layer(made?)))
    }

    /// Adds a transposed convolution (`addDeconvolutionNd`). The kernel's weights are input channels × `maps` / groups ×
    /// kernel.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_deconvolution(
        &self,
        input: Tensor<'_>,
        maps: i64,
        kernel: &[i64],
        weights: Weights<'w>,
        bias: Weights<'w>,
    ) -> Result<DeconvolutionLayer<'_>> {
        let (input, kernel) = (self.own(input)?, Dims::new(kernel)?);
        let (weights, bias) = (weights.raw(self.version())?, bias.raw(self.version())?);
        // SAFETY: the tensor is of this network, and the weights live as long as it.
        let made = unsafe { raw::add_deconvolution_nd(self.raw(), input, maps, &kernel, weights, bias) };
        Ok(DeconvolutionLayer(self.layer(made?)))
    }

    /// Adds a reduction over a sliding window (`addPoolingNd`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_pooling(&self, input: Tensor<'_>, kind: PoolingType, window: &[i64]) -> Result<PoolingLayer<'_>> {
        let (input, kind, window) = (self.own(input)?, kind.number(self.version())?, Dims::new(window)?);
        // SAFETY: the tensor is of this network.
        Ok(PoolingLayer(self.layer(unsafe { raw::add_pooling_nd(self.raw(), input, kind, &window) }?)))
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

    /// Adds quantization to a type (`addQuantizeV2`, or `addQuantize` for int8 in 8.6).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for other than int8 in 8.6; [`Error::Refused`].
    pub fn add_quantize(&self, input: Tensor<'_>, scale: Tensor<'_>, dtype: DataType) -> Result<QuantizeLayer<'_>> {
        let (input, scale) = (self.own(input)?, self.own(scale)?);
        let old = dtype == DataType::Int8 && !self.object.host().has(&table::ADD_QUANTIZE_V2);
        // SAFETY: the tensors are of this network.
        let made = unsafe {
            if old {
                raw::add_quantize(self.raw(), input, scale)
            } else {
                raw::add_quantize_v2(self.raw(), input, scale, dtype.number(self.version())?)
            }
        };
        Ok(QuantizeLayer(self.layer(made?)))
    }

    /// Adds dequantization to a float type (`addDequantizeV2`, or `addDequantize` for float32 in 8.6).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for other than float32 in 8.6; [`Error::Refused`].
    pub fn add_dequantize(&self, input: Tensor<'_>, scale: Tensor<'_>, dtype: DataType) -> Result<DequantizeLayer<'_>> {
        let (input, scale) = (self.own(input)?, self.own(scale)?);
        let old = dtype == DataType::Float && !self.object.host().has(&table::ADD_DEQUANTIZE_V2);
        // SAFETY: the tensors are of this network.
        let made = unsafe {
            if old {
                raw::add_dequantize(self.raw(), input, scale)
            } else {
                raw::add_dequantize_v2(self.raw(), input, scale, dtype.number(self.version())?)
            }
        };
        Ok(DequantizeLayer(self.layer(made?)))
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

    /// Adds an Einstein sum, such as `"bij,bjk->bik"` (`addEinsum`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_einsum(&self, inputs: &[Tensor<'_>], equation: &str) -> Result<Layer<'_>> {
        let (inputs, count) = self.own_all(inputs)?;
        let equation = c_text("an equation", equation)?;
        // SAFETY: the tensors are of this network; TensorRT copies the list and the text.
        Ok(self.layer(unsafe { raw::add_einsum(self.raw(), inputs.as_ptr(), count, equation.as_ptr()) }?))
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

    /// Adds a normalization over `axes` (`addNormalization`). Scale and bias have the input's rank.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_normalization(
        &self,
        input: Tensor<'_>,
        scale: Tensor<'_>,
        bias: Tensor<'_>,
        axes: Axes,
    ) -> Result<NormalizationLayer<'_>> {
        let (input, scale, bias) = (self.own(input)?, self.own(scale)?, self.own(bias)?);
        // SAFETY: the tensors are of this network.
        let made = unsafe { raw::add_normalization(self.raw(), input, scale, bias, axes.mask()) };
        Ok(NormalizationLayer(self.layer(made?)))
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
