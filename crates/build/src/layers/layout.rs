//! Layers that rearrange: shuffle, slice, concatenation, squeeze, and what tells of shapes.

use crate::enums::ToTensorRt;
use crate::tell::{Teller, Told};
use network::{Layer, ReshapeDim, SampleMode};
use nvinfer as trt;

pub(super) fn identity<'n>(t: &mut Teller<'n, '_>, layer: &Layer) -> Told<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    Ok(t.definition.add_identity(x)?)
}

pub(super) fn assertion<'n>(t: &mut Teller<'n, '_>, layer: &Layer, message: &str) -> Told<trt::Layer<'n>> {
    let condition = t.input(layer, 0)?;
    Ok(t.definition.add_assertion(condition, message)?)
}

pub(super) fn shape<'n>(t: &mut Teller<'n, '_>, layer: &Layer) -> Told<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    Ok(t.definition.add_shape(x)?)
}

pub(super) fn concatenation<'n>(t: &mut Teller<'n, '_>, layer: &Layer, axis: usize) -> Told<trt::Layer<'n>> {
    let inputs = t.all(layer)?;
    let told = t.definition.add_concatenation(&inputs)?;
    told.set_axis(axis)?;
    Ok(*told)
}

pub(super) fn squeeze<'n>(t: &mut Teller<'n, '_>, layer: &Layer, axes: &[usize]) -> Told<trt::Layer<'n>> {
    let (x, axes) = (t.input(layer, 0)?, axes_tensor(t, axes)?);
    Ok(t.definition.add_squeeze(x, axes)?)
}

pub(super) fn unsqueeze<'n>(t: &mut Teller<'n, '_>, layer: &Layer, axes: &[usize]) -> Told<trt::Layer<'n>> {
    let (x, axes) = (t.input(layer, 0)?, axes_tensor(t, axes)?);
    Ok(t.definition.add_unsqueeze(x, axes)?)
}

fn axes_tensor<'n>(t: &Teller<'n, '_>, axes: &[usize]) -> Told<trt::Tensor<'n>> {
    let axes: Vec<i64> = axes.iter().map(|axis| *axis as i64).collect();
    t.integers(&[axes.len() as i64], &axes)
}

pub(super) fn shuffle<'n>(
    t: &mut Teller<'n, '_>,
    layer: &Layer,
    first: Option<&[usize]>,
    reshape: Option<&[ReshapeDim]>,
    second: Option<&[usize]>,
) -> Told<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    let told = t.definition.add_shuffle(x)?;
    if let Some(order) = first {
        told.set_first_transpose(order)?;
    }
    if let Some(to) = t.optional(layer, 1)? {
        told.set_input(1, to)?;
        // A computed shape holds sizes; none of them means "copy".
        told.set_zero_is_placeholder(false)?;
    } else if let Some(to) = reshape {
        // Where a size of 0 is meant, "copy" cannot be told: with no elements, copied sizes are known numbers.
        let empty = to.contains(&ReshapeDim::Is(0));
        told.set_zero_is_placeholder(!empty)?;
        let sizes = to.iter().map(|dim| match dim {
            ReshapeDim::Is(n) => *n,
            ReshapeDim::Copy => 0,
            ReshapeDim::Infer => -1,
        });
        told.set_reshape_dimensions(&sizes.collect::<Vec<_>>())?;
    }
    if let Some(order) = second {
        told.set_second_transpose(order)?;
    }
    Ok(*told)
}

pub(super) fn slice<'n>(
    t: &mut Teller<'n, '_>,
    layer: &Layer,
    start: &[i64],
    size: &[i64],
    stride: &[i64],
    mode: SampleMode,
) -> Told<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    let rank = t.rank(layer, 0);
    // An input replaces the attribute, which TensorRT still wants to see with an entry for each axis.
    let full = |list: &[i64], filler: i64| if list.len() == rank { list.to_vec() } else { vec![filler; rank] };
    let told = t.definition.add_slice(x, &full(start, 0), &full(size, 0), &full(stride, 1))?;
    told.set_mode(mode.to_trt())?;
    t.set_inputs(layer, &told, 1..5)?;
    Ok(*told)
}
