//! Layers that rearrange: shuffle, slice, concatenation, squeeze, and shapes as tensors.

use crate::emitter::{EmitResult, NetworkEmitter};
use crate::enums::ToTensorRt;
use network::{Layer, ReshapeDim, SampleMode};
use nvinfer as trt;

pub(super) fn identity<'n>(t: &mut NetworkEmitter<'n, '_>, layer: &Layer) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    Ok(t.definition.add_identity(x)?)
}

pub(super) fn assertion<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    message: &str,
) -> EmitResult<trt::Layer<'n>> {
    let condition = t.input(layer, 0)?;
    Ok(t.definition.add_assertion(condition, message)?)
}

pub(super) fn shape<'n>(t: &mut NetworkEmitter<'n, '_>, layer: &Layer) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    Ok(t.definition.add_shape(x)?)
}

pub(super) fn concatenation<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    axis: usize,
) -> EmitResult<trt::Layer<'n>> {
    let inputs = t.all(layer)?;
    let added = t.definition.add_concatenation(&inputs)?;
    added.set_axis(axis)?;
    Ok(*added)
}

pub(super) fn squeeze<'n>(t: &mut NetworkEmitter<'n, '_>, layer: &Layer, axes: &[usize]) -> EmitResult<trt::Layer<'n>> {
    let (x, axes) = (t.input(layer, 0)?, axes_tensor(t, axes)?);
    Ok(t.definition.add_squeeze(x, axes)?)
}

pub(super) fn unsqueeze<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    axes: &[usize],
) -> EmitResult<trt::Layer<'n>> {
    let (x, axes) = (t.input(layer, 0)?, axes_tensor(t, axes)?);
    Ok(t.definition.add_unsqueeze(x, axes)?)
}

fn axes_tensor<'n>(t: &NetworkEmitter<'n, '_>, axes: &[usize]) -> EmitResult<trt::Tensor<'n>> {
    let axes: Vec<i64> = axes.iter().map(|axis| *axis as i64).collect();
    t.integers(&[axes.len() as i64], &axes)
}

pub(super) fn shuffle<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    first: Option<&[usize]>,
    reshape: Option<&[ReshapeDim]>,
    second: Option<&[usize]>,
) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    let added = t.definition.add_shuffle(x)?;
    if let Some(order) = first {
        added.set_first_transpose(order)?;
    }
    if let Some(to) = t.optional(layer, 1)? {
        added.set_input(1, to)?;
        // A computed shape holds sizes; none of them means "copy".
        added.set_zero_is_placeholder(false)?;
    } else if let Some(to) = reshape {
        // Where a size of 0 is meant, "copy" cannot be used: with no elements, copied sizes are known numbers.
        let empty = to.contains(&ReshapeDim::Is(0));
        added.set_zero_is_placeholder(!empty)?;
        let sizes = to.iter().map(|dim| match dim {
            ReshapeDim::Is(n) => *n,
            ReshapeDim::Copy => 0,
            ReshapeDim::Infer => -1,
        });
        added.set_reshape_dimensions(&sizes.collect::<Vec<_>>())?;
    }
    if let Some(order) = second {
        added.set_second_transpose(order)?;
    }
    Ok(*added)
}

pub(super) fn slice<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    start: &[i64],
    size: &[i64],
    stride: &[i64],
    mode: SampleMode,
) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    let rank = t.rank(layer, 0);
    // An input replaces the attribute, which TensorRT still requires with an entry for each axis.
    let full = |list: &[i64], filler: i64| if list.len() == rank { list.to_vec() } else { vec![filler; rank] };
    let added = t.definition.add_slice(x, &full(start, 0), &full(size, 0), &full(stride, 1))?;
    added.set_mode(mode.to_trt())?;
    t.set_inputs(layer, &added, 1..5)?;
    Ok(*added)
}
