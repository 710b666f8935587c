//! Layers over images: convolution, pooling, resize, padding, sampling.
//!
//! A kernel or bias that is a constant goes to TensorRT as weights, which it may lay out as it likes; only a computed
//! one (such as a dequantized one) is a tensor.

use super::not_constant;
use crate::emitter::{EmitResult, NetworkEmitter};
use crate::enums::ToTensorRt;
use network::{ConvolutionAttributes, InterpolationMode, Layer, PoolingAttributes, ResizeAttributes, SampleMode};
use nvinfer as trt;

pub(super) fn convolution<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    a: &ConvolutionAttributes,
) -> EmitResult<trt::Layer<'n>> {
    let (x, sizes) = (t.input(layer, 0)?, kernel_sizes(t, layer)?);
    let (kernel, bias) = (weights(t, layer, 1)?, weights(t, layer, 2)?);
    let added = t.definition.add_convolution(x, sizes[0], &sizes[2..], kernel, bias)?;
    added.set_stride(&a.stride)?;
    added.set_pre_padding(&a.pre_padding)?;
    added.set_post_padding(&a.post_padding)?;
    added.set_dilation(&a.dilation)?;
    added.set_groups(a.groups)?;
    set_computed(t, layer, &added)?;
    Ok(*added)
}

pub(super) fn deconvolution<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    a: &ConvolutionAttributes,
) -> EmitResult<trt::Layer<'n>> {
    let (x, sizes) = (t.input(layer, 0)?, kernel_sizes(t, layer)?);
    let (kernel, bias) = (weights(t, layer, 1)?, weights(t, layer, 2)?);
    let added = t.definition.add_deconvolution(x, sizes[1] * a.groups, &sizes[2..], kernel, bias)?;
    added.set_stride(&a.stride)?;
    added.set_pre_padding(&a.pre_padding)?;
    added.set_post_padding(&a.post_padding)?;
    added.set_dilation(&a.dilation)?;
    added.set_groups(a.groups)?;
    set_computed(t, layer, &added)?;
    Ok(*added)
}

/// The kernel's sizes, which TensorRT requires even where its elements are computed.
fn kernel_sizes(t: &NetworkEmitter<'_, '_>, layer: &Layer) -> EmitResult<Vec<i64>> {
    let kernel = layer.input(1).map(|id| t.network.tensor(id));
    let sizes = kernel.and_then(|k| k.dims.iter().map(network::Dim::as_static).collect::<Option<Vec<_>>>());
    sizes.filter(|s| s.len() > 2).ok_or_else(|| not_constant("the size of the kernel"))
}

/// An input as weights; none where it is absent or computed.
fn weights<'w>(t: &NetworkEmitter<'_, 'w>, layer: &Layer, index: usize) -> EmitResult<trt::Weights<'w>> {
    match t.constant_input(layer, index) {
        Some(weights) => t.weights(weights),
        None => Ok(trt::Weights::none(t.dtype(layer, 0).to_trt())),
    }
}

/// Gives the layer the kernel and the bias that are computed.
fn set_computed<'n>(t: &mut NetworkEmitter<'n, '_>, layer: &Layer, added: &trt::Layer<'n>) -> EmitResult<()> {
    for index in 1..3 {
        if t.constant_input(layer, index).is_none() {
            t.set_inputs(layer, added, index..index + 1)?;
        }
    }
    Ok(())
}

pub(super) fn pooling<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    a: &PoolingAttributes,
) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    let added = t.definition.add_pooling(x, a.kind.to_trt(), &a.window)?;
    added.set_stride(&a.stride)?;
    added.set_pre_padding(&a.pre_padding)?;
    added.set_post_padding(&a.post_padding)?;
    added.set_padding_mode(a.padding_mode.to_trt())?;
    added.set_average_count_excludes_padding(a.average_count_excludes_padding)?;
    if a.kind == network::PoolingType::MaxAverageBlend {
        added.set_blend_factor(a.blend_factor)?;
    }
    Ok(*added)
}

pub(super) fn lrn<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    window: i64,
    alpha: f32,
    beta: f32,
    k: f32,
) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    Ok(t.definition.add_lrn(x, trt::network::LrnParameters { window, alpha, beta, k })?)
}

pub(super) fn padding<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    pre: &[i64],
    post: &[i64],
) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    Ok(t.definition.add_padding(x, pre, post)?)
}

pub(super) fn grid_sample<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    interpolation: InterpolationMode,
    sample: SampleMode,
    align_corners: bool,
) -> EmitResult<trt::Layer<'n>> {
    let (x, grid) = (t.input(layer, 0)?, t.input(layer, 1)?);
    let added = t.definition.add_grid_sample(x, grid)?;
    added.set_interpolation_mode(interpolation.to_trt())?;
    added.set_sample_mode(sample.to_trt())?;
    added.set_align_corners(align_corners)?;
    Ok(*added)
}

pub(super) fn resize<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    a: &ResizeAttributes,
) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    let added = t.definition.add_resize(x)?;
    added.set_mode(a.mode.to_trt())?;
    // TensorRT takes the size or the scales. Scales also set the ratio for coordinates, and the size follows from
    // them; where it does not, the check of the output's size finds out.
    if !a.scales.is_empty() {
        added.set_scales(&a.scales)?;
    } else if let Some(size) = t.optional(layer, 1)? {
        added.set_input(1, size)?;
    } else {
        added.set_output_dimensions(&a.size)?;
    }
    added.set_coordinate_transformation(a.coordinate_transformation.to_trt())?;
    added.set_selector_for_single_pixel(a.selector.to_trt())?;
    if a.mode == InterpolationMode::Nearest {
        added.set_nearest_rounding(a.nearest_rounding.to_trt())?;
    }
    if a.mode == InterpolationMode::Cubic {
        added.set_cubic_coeff(a.cubic_coeff)?;
        added.set_exclude_outside(a.exclude_outside)?;
    }
    Ok(*added)
}
