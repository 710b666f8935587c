//! Layers that move, count or find elements by index. Indices that they make are int32, in every version.

use crate::emitter::{EmitResult, NetworkEmitter};
use crate::enums::ToTensorRt;
use crate::error::Fault;
use network::{BoundingBoxFormat, GatherMode, Layer, ScatterMode, TopKOperation};
use nvinfer as trt;
use nvinfer::{Axes, DataType};

pub(super) fn gather<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    mode: GatherMode,
    axis: usize,
    elementwise_dims: usize,
) -> EmitResult<trt::Layer<'n>> {
    let (data, indices) = (t.input(layer, 0)?, t.input(layer, 1)?);
    let added = t.definition.add_gather(data, indices, mode.to_trt())?;
    if mode != GatherMode::Nd {
        added.set_axis(axis)?;
    }
    added.set_num_elementwise_dims(elementwise_dims)?;
    Ok(*added)
}

pub(super) fn scatter<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    mode: ScatterMode,
    axis: usize,
) -> EmitResult<trt::Layer<'n>> {
    let (data, indices, updates) = (t.input(layer, 0)?, t.input(layer, 1)?, t.input(layer, 2)?);
    let added = t.definition.add_scatter(data, indices, updates, mode.to_trt())?;
    if mode == ScatterMode::Element {
        added.set_axis(axis)?;
    }
    Ok(*added)
}

pub(super) fn one_hot<'n>(t: &mut NetworkEmitter<'n, '_>, layer: &Layer, axis: usize) -> EmitResult<trt::Layer<'n>> {
    let (indices, values, depth) = (t.input(layer, 0)?, t.input(layer, 1)?, t.input(layer, 2)?);
    Ok(t.definition.add_one_hot(indices, values, depth, count("the axis", axis as i64)?)?)
}

pub(super) fn non_zero<'n>(t: &mut NetworkEmitter<'n, '_>, layer: &Layer, _count: &str) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    Ok(t.definition.add_non_zero(x, DataType::Int32)?)
}

/// The thresholds are inputs 3 and 4 on both sides.
pub(super) fn nms<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    format: BoundingBoxFormat,
    topk_box_limit: i64,
    _count: &str,
) -> EmitResult<trt::Layer<'n>> {
    let (boxes, scores, most) = (t.input(layer, 0)?, t.input(layer, 1)?, t.input(layer, 2)?);
    let added = t.definition.add_nms(boxes, scores, most, DataType::Int32)?;
    added.set_bounding_box_format(format.to_trt())?;
    added.set_topk_box_limit(count("the box limit", topk_box_limit)?)?;
    t.set_inputs(layer, &added, 3..5)?;
    Ok(*added)
}

/// With k as an input the attribute only has to be a valid k.
pub(super) fn topk<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    op: TopKOperation,
    k: i64,
    axis: usize,
) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    let computed = t.optional(layer, 1)?;
    let k = if computed.is_some() { 1 } else { count("k", k)? };
    let added = t.definition.add_topk(x, op.to_trt(), k, Axes::new(&[axis]), DataType::Int32)?;
    if let Some(k) = computed {
        added.set_input(1, k)?;
    }
    Ok(*added)
}

pub(super) fn reverse_sequence<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    batch_axis: usize,
    sequence_axis: usize,
) -> EmitResult<trt::Layer<'n>> {
    let (x, lengths) = (t.input(layer, 0)?, t.input(layer, 1)?);
    let added = t.definition.add_reverse_sequence(x, lengths)?;
    added.set_batch_axis(batch_axis)?;
    added.set_sequence_axis(sequence_axis)?;
    Ok(*added)
}

/// A number of the network as the binding's type for counts.
fn count<T: TryFrom<i64>>(what: &'static str, value: i64) -> EmitResult<T> {
    T::try_from(value).map_err(|_| Fault::from(trt::Error::OutOfRange { what, value }))
}
