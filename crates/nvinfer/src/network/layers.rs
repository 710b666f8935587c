//! The layers that every version has, each with its own setters. All deref to [`Layer`].

use super::setters::{layer, setters};
use crate::dims::Dims;
use crate::error::{Error, Result};
use crate::raw::layers as raw;
use crate::sys::layout::Permutation;
use crate::types::{
    BoundingBoxFormat, DataType, GatherMode, InterpolationMode, MatrixOperation, PaddingMode,
    ResizeCoordinateTransformation, ResizeRoundMode, ResizeSelector, SampleMode,
};
use crate::weights::c_int;

layer! {
    /// A pointwise function (`IActivationLayer`).
    ActivationLayer = activation {
        /// Sets the function's alpha.
        plain(f32) set_alpha = set_alpha;
        /// Sets the function's beta.
        plain(f32) set_beta = set_beta;
    }
}

layer! {
    /// Tensors one after another along an axis (`IConcatenationLayer`).
    ConcatenationLayer = concatenation {
        /// Sets the axis.
        index set_axis = set_axis;
    }
}

layer! {
    /// A convolution with a kernel of any rank (`IConvolutionLayer`).
    ///
    /// The kernel and bias may be inputs 1 and 2 instead of weights (`set_input`).
    ConvolutionLayer = convolution {
        /// Sets the number of groups; the default is 1.
        plain(i64) set_groups = set_nb_groups;
        /// Sets the stride of each kernel dimension; the default is 1.
        dims set_stride = set_stride_nd;
        /// Sets the same padding before and after, for each kernel dimension.
        dims set_padding = set_padding_nd;
        /// Sets the padding before.
        dims set_pre_padding = set_pre_padding;
        /// Sets the padding after.
        dims set_post_padding = set_post_padding;
        /// Sets how padding and rounding are done.
        value(PaddingMode) set_padding_mode = set_padding_mode;
        /// Sets the dilation of each kernel dimension; the default is 1.
        dims set_dilation = set_dilation_nd;
    }
}

impl ConvolutionLayer<'_> {
    /// The stride of each kernel dimension.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when TensorRT has none to give.
    pub fn stride(&self) -> Result<Dims> {
        // SAFETY: the handle borrows the network, and the layer is a convolution.
        self.named(unsafe { raw::convolution::stride_nd(self.raw) })
    }
}

layer! {
    /// A transposed convolution (`IDeconvolutionLayer`).
    DeconvolutionLayer = deconvolution {
        /// Sets the number of groups; the default is 1.
        plain(i64) set_groups = set_nb_groups;
        /// Sets the stride of each kernel dimension; the default is 1.
        dims set_stride = set_stride_nd;
        /// Sets the same padding before and after, for each kernel dimension.
        dims set_padding = set_padding_nd;
        /// Sets the padding before.
        dims set_pre_padding = set_pre_padding;
        /// Sets the padding after.
        dims set_post_padding = set_post_padding;
        /// Sets how padding and rounding are done.
        value(PaddingMode) set_padding_mode = set_padding_mode;
        /// Sets the dilation of each kernel dimension; the default is 1.
        dims set_dilation = set_dilation_nd;
    }
}

layer! {
    /// A reduction over a sliding window (`IPoolingLayer`).
    PoolingLayer = pooling {
        /// Sets the weight of the average in a blend, from 0 to 1.
        plain(f32) set_blend_factor = set_blend_factor;
        /// Sets whether padding counts in an average; it does unless excluded.
        plain(bool) set_average_count_excludes_padding = set_average_count_excludes_padding;
        /// Sets the stride of each window dimension; the default is 1.
        dims set_stride = set_stride_nd;
        /// Sets the same padding before and after, for each window dimension.
        dims set_padding = set_padding_nd;
        /// Sets the padding before.
        dims set_pre_padding = set_pre_padding;
        /// Sets the padding after.
        dims set_post_padding = set_post_padding;
        /// Sets how padding and rounding are done.
        value(PaddingMode) set_padding_mode = set_padding_mode;
    }
}

layer! {
    /// A float tensor from a quantized one (`IDequantizeLayer`).
    DequantizeLayer = dequantize {
        /// Sets the axis of the scales, when there is one for each channel.
        index set_axis = set_axis;
        /// Sets the block that shares a scale (from 10.16).
        dims set_block_shape = set_block_shape;
    }
}

layer! {
    /// A quantized tensor from a float one (`IQuantizeLayer`).
    QuantizeLayer = quantize {
        /// Sets the axis of the scales, when there is one for each channel.
        index set_axis = set_axis;
        /// Sets the block that shares a scale (from 10.16).
        dims set_block_shape = set_block_shape;
    }
}

layer! {
    /// A generated tensor (`IFillLayer`).
    ///
    /// Inputs 0, 1 and 2 may give the dimensions, alpha and beta at run time (`set_input`).
    FillLayer = fill {
        /// Sets the dimensions.
        dims set_dimensions = set_dimensions;
        /// Sets alpha: the start, the least, or the mean.
        plain(f64) set_alpha = set_alpha;
        /// Sets beta: the step, the greatest, or the standard deviation.
        plain(f64) set_beta = set_beta;
        /// Sets alpha of an int64 fill (from 10).
        plain(i64) set_alpha_i64 = set_alpha_int64;
        /// Sets beta of an int64 fill (from 10).
        plain(i64) set_beta_i64 = set_beta_int64;
    }
}

layer! {
    /// Elements by index (`IGatherLayer`).
    GatherLayer = gather {
        /// Sets the axis to index.
        index set_axis = set_gather_axis;
        /// Sets how many leading dimensions are batch dimensions.
        index set_num_elementwise_dims = set_nb_element_wise_dims;
        /// Sets how indices are read.
        value(GatherMode) set_mode = set_mode;
    }
}

layer! {
    /// Elements at normalized coordinates (`IGridSampleLayer`).
    GridSampleLayer = grid_sample {
        /// Sets how to interpolate; the default is linear.
        value(InterpolationMode) set_interpolation_mode = set_interpolation_mode;
        /// Sets whether -1 and 1 are the centers of the corner pixels.
        plain(bool) set_align_corners = set_align_corners;
        /// Sets what is read outside.
        value(SampleMode) set_sample_mode = set_sample_mode;
    }
}

layer! {
    /// A product of matrices (`IMatrixMultiplyLayer`).
    MatrixMultiplyLayer
}

impl MatrixMultiplyLayer<'_> {
    /// Sets how an operand (0 or 1) is read.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when TensorRT records an error.
    pub fn set_operation(&self, index: usize, operation: MatrixOperation) -> Result<()> {
        let index = c_int("an operand index", index)?;
        let operation = operation.number(self.version())?;
        // SAFETY: the handle borrows the network, and the layer is a matrix multiply.
        self.named(unsafe { raw::matrix_multiply::set_operation(self.raw, index, operation) })
    }
}

layer! {
    /// Non-maximum suppression (`INMSLayer`). Inputs 3 and 4 are the IoU and score thresholds.
    NmsLayer = nms {
        /// Sets the form of the boxes.
        value(BoundingBoxFormat) set_bounding_box_format = set_bounding_box_format;
        /// Sets how many boxes of each class are looked at.
        index set_topk_box_limit = set_topk_box_limit;
    }
}

layer! {
    /// Layer, instance or group normalization (`INormalizationLayer`).
    NormalizationLayer = normalization {
        /// Sets what is added to the variance.
        plain(f32) set_epsilon = set_epsilon;
        /// Sets the number of channel groups.
        plain(i64) set_groups = set_nb_groups;
        /// Sets the type to compute in (8.6 and 10; from 11 on the types of the inputs say it).
        value(DataType) set_compute_precision = set_compute_precision;
    }
}

layer! {
    /// A reduction over axes (`IReduceLayer`).
    ReduceLayer = reduce {
        /// Sets whether reduced dimensions stay, with extent 1.
        plain(bool) set_keep_dimensions = set_keep_dimensions;
    }
}

layer! {
    /// An interpolated tensor of other extents (`IResizeLayer`). Input 1 may give the extents at run time.
    ResizeLayer = resize {
        /// Sets the output extents.
        dims set_output_dimensions = set_output_dimensions;
        /// Sets how to interpolate; the default is nearest.
        value(InterpolationMode) set_mode = set_resize_mode;
        /// Sets which input coordinate an output coordinate means.
        value(ResizeCoordinateTransformation) set_coordinate_transformation = set_coordinate_transformation;
        /// Sets what happens when the output has a single pixel.
        value(ResizeSelector) set_selector_for_single_pixel = set_selector_for_single_pixel;
        /// Sets how nearest rounds.
        value(ResizeRoundMode) set_nearest_rounding = set_nearest_rounding;
        /// Sets the coefficient of cubic interpolation; the default is -0.75.
        plain(f32) set_cubic_coeff = set_cubic_coeff;
        /// Sets whether pixels outside are left out of cubic interpolation.
        plain(bool) set_exclude_outside = set_exclude_outside;
    }
}

impl ResizeLayer<'_> {
    /// Sets the factor of each dimension, instead of the output extents.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when TensorRT records an error.
    pub fn set_scales(&self, scales: &[f32]) -> Result<()> {
        let count = c_int("the number of scales", scales.len())?;
        // SAFETY: the handle borrows the network; TensorRT copies the scales.
        self.named(unsafe { raw::resize::set_scales(self.raw, scales.as_ptr(), count) })
    }
}

layer! {
    /// Reversed subsequences (`IReverseSequenceLayer`).
    ReverseSequenceLayer = reverse_sequence {
        /// Sets the batch axis; the default is 1.
        index set_batch_axis = set_batch_axis;
        /// Sets the sequence axis; the default is 0.
        index set_sequence_axis = set_sequence_axis;
    }
}

layer! {
    /// (x * scale + shift) to a power (`IScaleLayer`).
    ScaleLayer = scale {
        /// Sets the axis of the channels; the default is 1.
        index set_channel_axis = set_channel_axis;
    }
}

layer! {
    /// Elements replaced by index (`IScatterLayer`).
    ScatterLayer = scatter {
        /// Sets the axis to index.
        index set_axis = set_axis;
    }
}

layer! {
    /// A transpose, a reshape, and another transpose (`IShuffleLayer`).
    ///
    /// Input 1 may give the reshape dimensions at run time (`set_input`).
    ShuffleLayer = shuffle {
        /// Sets the shape; 0 copies an input extent (unless told otherwise), -1 is inferred.
        dims set_reshape_dimensions = set_reshape_dimensions;
        /// Sets whether 0 in the shape copies an input extent (it does) or means an empty dimension.
        plain(bool) set_zero_is_placeholder = set_zero_is_placeholder;
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

layer! {
    /// A window of a tensor (`ISliceLayer`). Inputs 1 to 3 may give start, size and stride at run time.
    SliceLayer = slice {
        /// Sets where the window starts.
        dims set_start = set_start;
        /// Sets how many elements to take.
        dims set_size = set_size;
        /// Sets the step between elements.
        dims set_stride = set_stride;
        /// Sets what is read outside.
        value(SampleMode) set_mode = set_mode;
        /// Sets the axes that start, size and stride are for (from 10.3).
        dims set_axes = set_axes;
    }
}

layer! {
    /// Softmax over one axis (`ISoftMaxLayer`).
    SoftMaxLayer = soft_max {
        /// Sets the axis, as a set of one.
        axes set_axes = set_axes;
    }
}

layer! {
    /// The k greatest or least elements, and where they are (`ITopKLayer`). Input 1 may give k at run time.
    TopKLayer
}
