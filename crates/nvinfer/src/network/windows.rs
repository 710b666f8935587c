//! Layers over images: convolution, pooling, resize, padding, sampling.

use super::*;

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

adds! {
    /// Adds an interpolation to other extents (`addResize`), set on the layer.
    fn add_resize(input: Tensor<'_>) -> ResizeLayer = ADD_RESIZE;

    /// Adds elements at normalized coordinates (`addGridSample`).
    fn add_grid_sample(input: Tensor<'_>, grid: Tensor<'_>) -> GridSampleLayer = ADD_GRID_SAMPLE;
}

layers! {
    /// A convolution with a kernel of any rank (`IConvolutionLayer`).
    ///
    /// The kernel and bias may be inputs 1 and 2 instead of weights (`set_input`).
    ConvolutionLayer = convolution_layer {
        /// Sets the number of groups; the default is 1.
        fn set_groups(groups: i64) = SET_NB_GROUPS;
        /// Sets how padding and rounding are done.
        fn set_padding_mode(mode: PaddingMode) = SET_PADDING_MODE;
    }, dims {
        /// Sets the stride of each kernel dimension; the default is 1.
        set_stride = SET_STRIDE_ND;
        /// Sets the same padding before and after, for each kernel dimension.
        set_padding = SET_PADDING_ND;
        /// Sets the padding before.
        set_pre_padding = SET_PRE_PADDING;
        /// Sets the padding after.
        set_post_padding = SET_POST_PADDING;
        /// Sets the dilation of each kernel dimension; the default is 1.
        set_dilation = SET_DILATION_ND;
    }

    /// A transposed convolution (`IDeconvolutionLayer`).
    DeconvolutionLayer = deconvolution_layer {
        /// Sets the number of groups; the default is 1.
        fn set_groups(groups: i64) = SET_NB_GROUPS;
        /// Sets how padding and rounding are done.
        fn set_padding_mode(mode: PaddingMode) = SET_PADDING_MODE;
    }, dims {
        /// Sets the stride of each kernel dimension; the default is 1.
        set_stride = SET_STRIDE_ND;
        /// Sets the same padding before and after, for each kernel dimension.
        set_padding = SET_PADDING_ND;
        /// Sets the padding before.
        set_pre_padding = SET_PRE_PADDING;
        /// Sets the padding after.
        set_post_padding = SET_POST_PADDING;
        /// Sets the dilation of each kernel dimension; the default is 1.
        set_dilation = SET_DILATION_ND;
    }

    /// A reduction over a sliding window (`IPoolingLayer`).
    PoolingLayer = pooling_layer {
        /// Sets the weight of the average in a blend, from 0 to 1.
        fn set_blend_factor(factor: f32) = SET_BLEND_FACTOR;
        /// Sets whether padding counts in an average; it does unless excluded.
        fn set_average_count_excludes_padding(exclusive: bool) = SET_AVERAGE_COUNT_EXCLUDES_PADDING;
        /// Sets how padding and rounding are done.
        fn set_padding_mode(mode: PaddingMode) = SET_PADDING_MODE;
    }, dims {
        /// Sets the stride of each window dimension; the default is 1.
        set_stride = SET_STRIDE_ND;
        /// Sets the same padding before and after, for each window dimension.
        set_padding = SET_PADDING_ND;
        /// Sets the padding before.
        set_pre_padding = SET_PRE_PADDING;
        /// Sets the padding after.
        set_post_padding = SET_POST_PADDING;
    }

    /// An interpolated tensor of other extents (`IResizeLayer`). Input 1 may give the extents at run time.
    ResizeLayer = resize_layer {
        /// Sets how to interpolate; the default is nearest.
        fn set_mode(mode: InterpolationMode) = SET_RESIZE_MODE;
        /// Sets which input coordinate an output coordinate means.
        fn set_coordinate_transformation(
            transformation: ResizeCoordinateTransformation
        ) = SET_COORDINATE_TRANSFORMATION;
        /// Sets what happens when the output has a single pixel.
        fn set_selector_for_single_pixel(selector: ResizeSelector) = SET_SELECTOR_FOR_SINGLE_PIXEL;
        /// Sets how nearest rounds.
        fn set_nearest_rounding(mode: ResizeRoundMode) = SET_NEAREST_ROUNDING;
        /// Sets the coefficient of cubic interpolation; the default is -0.75.
        fn set_cubic_coeff(coefficient: f32) = SET_CUBIC_COEFF;
        /// Sets whether pixels outside are left out of cubic interpolation.
        fn set_exclude_outside(exclude: bool) = SET_EXCLUDE_OUTSIDE;
    }, dims {
        /// Sets the output extents.
        set_output_dimensions = SET_OUTPUT_DIMENSIONS;
    }

    /// Elements at normalized coordinates (`IGridSampleLayer`).
    GridSampleLayer = grid_sample_layer {
        /// Sets how to interpolate; the default is linear.
        fn set_interpolation_mode(mode: InterpolationMode) = SET_INTERPOLATION_MODE;
        /// Sets whether -1 and 1 are the centers of the corner pixels.
        fn set_align_corners(align: bool) = SET_ALIGN_CORNERS;
        /// Sets what is read outside.
        fn set_sample_mode(mode: SampleMode) -> Done = SET_SAMPLE_MODE;
    }
}

impl<'w> Network<'w> {
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

    /// Adds a transposed convolution (`addDeconvolutionNd`). The kernel's weights are input channels × `maps` / groups
    /// × kernel.
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

    /// Adds zeros around the last two dimensions, or cuts them off with negative padding (`addPaddingNd`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_padding(&self, input: Tensor<'_>, before: &[i64], after: &[i64]) -> Result<Layer<'_>> {
        let (input, before, after) = (self.own(input)?, Dims::new(before)?, Dims::new(after)?);
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { raw::add_padding_nd(self.raw(), input, &before, &after) }?))
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

/// The calls that `adds!` and `layers!` cannot declare.
pub(crate) mod raw {
    use crate::raw::arguments::*;

    calls! { network_definition at IMPL {
        dims fn add_convolution_nd(input: Tensor, maps: i64; kernel; weights: RawWeights, bias: RawWeights)
            -> Made = ADD_CONVOLUTION_ND;
        dims fn add_deconvolution_nd(input: Tensor, maps: i64; kernel; weights: RawWeights, bias: RawWeights)
            -> Made = ADD_DECONVOLUTION_ND;
        dims fn add_pooling_nd(input: Tensor, kind: i32; window;) -> Made = ADD_POOLING_ND;
        fn add_lrn(input: Tensor, window: i64, alpha: f32, beta: f32, k: f32) -> Made = ADD_LRN;
        dims fn add_padding_nd(input: Tensor; before, after;) -> Made = ADD_PADDING_ND;
    } }

    pub mod convolution {
        use crate::raw::calls;

        calls! { convolution_layer at LAYER_IMPL {
            shape fn stride_nd() = GET_STRIDE_ND;
        } }
    }

    pub mod resize {
        use super::*;

        calls! { resize_layer at LAYER_IMPL {
            fn set_scales(scales: *const f32, count: i32) -> () = SET_SCALES;
        } }
    }
}
