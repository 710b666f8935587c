//! Layers that move or make elements, whatever they are.

use super::*;

adds! {
    /// Adds a transpose, reshape and transpose (`addShuffle`), set on the layer.
    fn add_shuffle(input: Tensor<'_>) -> ShuffleLayer = ADD_SHUFFLE;

    /// Adds the shape of a tensor: int64 from 10 on, int32 in 8.6 (`addShape`).
    fn add_shape(input: Tensor<'_>) -> Layer = ADD_SHAPE;

    /// Adds a removal of extents of 1; `axes` is an int32 or int64 shape tensor (`addSqueeze`, from 10.7).
    fn add_squeeze(input: Tensor<'_>, axes: Tensor<'_>) -> Layer = ADD_SQUEEZE;

    /// Adds extents of 1; `axes` is an int32 or int64 shape tensor (`addUnsqueeze`, from 10.7).
    fn add_unsqueeze(input: Tensor<'_>, axes: Tensor<'_>) -> Layer = ADD_UNSQUEEZE;
}

layers! {
    /// Tensors one after another along an axis (`IConcatenationLayer`).
    ConcatenationLayer = concatenation_layer {
        /// Sets the axis.
        fn set_axis(axis: usize) = SET_AXIS;
    }

    /// A transpose, a reshape, and another transpose (`IShuffleLayer`).
    ///
    /// Input 1 may give the reshape dimensions at run time (`set_input`).
    ShuffleLayer = shuffle_layer {
        /// Sets whether 0 in the shape copies an input extent (it does) or means an empty dimension.
        fn set_zero_is_placeholder(placeholder: bool) = SET_ZERO_IS_PLACEHOLDER;
    }, dims {
        /// Sets the shape; 0 copies an input extent (unless configured otherwise), -1 is inferred.
        set_reshape_dimensions = SET_RESHAPE_DIMENSIONS;
    }

    /// A window of a tensor (`ISliceLayer`). Inputs 1 to 3 may give start, size and stride at run time.
    SliceLayer = slice_layer {
        /// Sets what is read outside.
        fn set_mode(mode: SampleMode) = SET_MODE;
    }, dims {
        /// Sets where the window starts.
        set_start = SET_START;
        /// Sets how many elements to take.
        set_size = SET_SIZE;
        /// Sets the step between elements.
        set_stride = SET_STRIDE;
        /// Sets the axes that start, size and stride are for (from 10.3).
        set_axes = SET_AXES;
    }

    /// A generated tensor (`IFillLayer`).
    ///
    /// Inputs 0, 1 and 2 may give the dimensions, alpha and beta at run time (`set_input`).
    FillLayer = fill_layer {
        /// Sets alpha: the start, the least, or the mean.
        fn set_alpha(alpha: f64) = SET_ALPHA;
        /// Sets beta: the step, the greatest, or the standard deviation.
        fn set_beta(beta: f64) = SET_BETA;
        /// Sets alpha of an int64 fill (from 10).
        fn set_alpha_i64(alpha: i64) = SET_ALPHA_INT64;
        /// Sets beta of an int64 fill (from 10).
        fn set_beta_i64(beta: i64) = SET_BETA_INT64;
    }, dims {
        /// Sets the dimensions.
        set_dimensions = SET_DIMENSIONS;
    }
}

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

    /// Adds a constant (`addConstant`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for a type the version lacks; [`Error::Refused`].
    pub fn add_constant(&self, dims: &[i64], weights: Weights<'w>) -> Result<Layer<'_>> {
        let (dims, weights) = (Dims::new(dims)?, weights.raw(self.version())?);
        // SAFETY: the weights live as long as the network.
        Ok(self.layer(unsafe { raw::add_constant(self.raw(), &dims, weights) }?))
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
}

impl ShuffleLayer<'_> {
    /// Sets the transpose before the reshape: output axis `i` is input axis `order[i]`.
    ///
    /// # Errors
    /// [`Error::TooManyDims`](crate::Error::TooManyDims), or [`Error::Refused`](crate::Error::Refused) when it is not a
    /// permutation.
    pub fn set_first_transpose(&self, order: &[usize]) -> Result<()> {
        let permutation = permutation(order)?;
        // SAFETY: the handle borrows the network; TensorRT copies the permutation.
        self.named(unsafe { raw::shuffle::set_first_transpose(self.raw, &raw const permutation) })
    }

    /// Sets the transpose after the reshape.
    ///
    /// # Errors
    /// [`Error::TooManyDims`](crate::Error::TooManyDims), or [`Error::Refused`](crate::Error::Refused) when it is not a
    /// permutation.
    pub fn set_second_transpose(&self, order: &[usize]) -> Result<()> {
        let permutation = permutation(order)?;
        // SAFETY: the handle borrows the network; TensorRT copies the permutation.
        self.named(unsafe { raw::shuffle::set_second_transpose(self.raw, &raw const permutation) })
    }

    /// The shape as set; empty when none was.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when none was set.
    pub fn reshape_dimensions(&self) -> Result<Dims> {
        // SAFETY: the handle borrows the network, and the layer is a shuffle.
        self.named(unsafe { raw::shuffle::reshape_dimensions(self.raw) })
    }
}

/// The identity on the axes that are not there, as TensorRT's own default is.
fn permutation(order: &[usize]) -> Result<Permutation> {
    let mut all = Permutation { order: [0, 1, 2, 3, 4, 5, 6, 7] };
    if order.len() > all.order.len() {
        return Err(Error::TooManyDims { dims: order.iter().map(|o| *o as i64).collect() });
    }
    for (to, from) in all.order.iter_mut().zip(order) {
        *to = c_int("an axis", *from)?;
    }
    Ok(all)
}

/// The calls that `adds!` and `layers!` cannot declare.
pub(crate) mod raw {
    use crate::raw::arguments::*;

    calls! { network_definition at IMPL {
        fn add_concatenation(inputs: *const Tensor, count: i32) -> Made = ADD_CONCATENATION;
        dims fn add_constant(; dims; weights: RawWeights) -> Made = ADD_CONSTANT;
        dims fn add_slice(input: Tensor; start, size, stride;) -> Made = ADD_SLICE;
        dims fn add_fill(; dims; operation: i32) -> Made = ADD_FILL;
        dims fn add_fill_v2(; dims; operation: i32, dtype: i32) -> Made = ADD_FILL_V2;
        fn add_assertion(condition: Tensor, message: Name) -> Made = ADD_ASSERTION;
    } }

    pub mod shuffle {
        use super::*;

        calls! { shuffle_layer at LAYER_IMPL {
            fn set_first_transpose(permutation: *const Permutation) -> () = SET_FIRST_TRANSPOSE;
            fn set_second_transpose(permutation: *const Permutation) -> () = SET_SECOND_TRANSPOSE;
            shape fn reshape_dimensions() = GET_RESHAPE_DIMENSIONS;
        } }
    }
}
