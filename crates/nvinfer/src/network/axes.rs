//! Layers that contract axes or work along them.

use super::*;

adds! {
    /// Adds a reduction over axes (`addReduce`).
    fn add_reduce(input: Tensor<'_>, operation: ReduceOperation, axes: Axes, keep: bool) -> ReduceLayer = ADD_REDUCE;

    /// Adds a product of matrices (`addMatrixMultiply`).
    fn add_matrix_multiply(
        a: Tensor<'_>,
        a_operation: MatrixOperation,
        b: Tensor<'_>,
        b_operation: MatrixOperation
    ) -> MatrixMultiplyLayer = ADD_MATRIX_MULTIPLY;

    /// Adds softmax (`addSoftMax`); the axis is set on the layer.
    fn add_softmax(input: Tensor<'_>) -> SoftMaxLayer = ADD_SOFT_MAX;

    /// Adds softmax over sequences of run-time length (`addRaggedSoftMax`).
    fn add_ragged_softmax(input: Tensor<'_>, bounds: Tensor<'_>) -> Layer = ADD_RAGGED_SOFT_MAX;

    /// Adds a running sum along the axis in the shape tensor `axis` (`addCumulative`, from 10.8).
    fn add_cumulative(
        input: Tensor<'_>,
        axis: Tensor<'_>,
        operation: CumulativeOperation,
        exclusive: bool,
        reverse: bool
    ) -> CumulativeLayer = ADD_CUMULATIVE;

    /// Adds a normalization over `axes` (`addNormalization`). Scale and bias have the input's rank.
    fn add_normalization(
        input: Tensor<'_>,
        scale: Tensor<'_>,
        bias: Tensor<'_>,
        axes: Axes
    ) -> NormalizationLayer = ADD_NORMALIZATION;

    /// Adds a normalization with scale and bias of the normalized extents only (`addNormalizationV2`, from 10.15).
    fn add_normalization_v2(
        input: Tensor<'_>,
        scale: Tensor<'_>,
        bias: Tensor<'_>,
        axes: Axes
    ) -> NormalizationLayer = ADD_NORMALIZATION_V2;
}

layers! {
    /// A reduction over axes (`IReduceLayer`).
    ReduceLayer = reduce_layer {
        /// Sets whether reduced dimensions stay, with extent 1.
        fn set_keep_dimensions(keep: bool) = SET_KEEP_DIMENSIONS;
    }

    /// A product of matrices (`IMatrixMultiplyLayer`).
    MatrixMultiplyLayer = matrix_multiply_layer {
        /// Sets how an operand (0 or 1) is read.
        fn set_operation(index: usize, operation: MatrixOperation) = SET_OPERATION;
    }

    /// Softmax over one axis (`ISoftMaxLayer`).
    SoftMaxLayer = soft_max_layer {
        /// Sets the axis, as a set of one.
        fn set_axes(axes: Axes) = SET_AXES;
    }

    /// The k greatest or least elements, and where they are (`ITopKLayer`). Input 1 may give k at run time.
    TopKLayer

    /// A running sum along an axis (`ICumulativeLayer`).
    CumulativeLayer = cumulative_layer {
        /// Sets whether an element is left out of its own sum.
        fn set_exclusive(exclusive: bool) = SET_EXCLUSIVE;
        /// Sets whether to run from the end.
        fn set_reverse(reverse: bool) = SET_REVERSE;
    }

    /// Layer, instance or group normalization (`INormalizationLayer`).
    NormalizationLayer = normalization_layer {
        /// Sets what is added to the variance.
        fn set_epsilon(epsilon: f32) = SET_EPSILON;
        /// Sets the number of channel groups.
        fn set_groups(groups: i64) = SET_NB_GROUPS;
        /// Sets the type to compute in (8.6 and 10; from 11 on the types of the inputs decide).
        fn set_compute_precision(dtype: DataType) = SET_COMPUTE_PRECISION;
    }
}

impl Network<'_> {
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
}

/// The calls that `adds!` and `layers!` cannot declare.
pub(crate) mod raw {
    use crate::raw::arguments::*;

    calls! { network_definition at IMPL {
        fn add_einsum(inputs: *const Tensor, count: i32, equation: Name) -> Made = ADD_EINSUM;
        fn add_topk(input: Tensor, operation: i32, k: i32, axes: u32) -> Made = ADD_TOPK;
        fn add_topk_v2(input: Tensor, operation: i32, k: i32, axes: u32, indices: i32) -> Made = ADD_TOPK_V2;
    } }
}
