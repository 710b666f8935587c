//! Quantization: explicit scales, per tensor, per channel, or per block.

use crate::emitter::{EmitResult, NetworkEmitter};
use crate::enums::ToTensorRt;
use network::{DType, Layer};
use nvinfer as trt;

pub(super) fn quantize<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    axis: Option<usize>,
    to: DType,
) -> EmitResult<trt::Layer<'n>> {
    let (x, scale) = (t.input(layer, 0)?, t.input(layer, 1)?);
    let added = t.definition.add_quantize(x, scale, to.to_trt())?;
    if let Some(axis) = axis {
        added.set_axis(axis)?;
    }
    t.set_inputs(layer, &added, 2..3)?;
    Ok(*added)
}

pub(super) fn dequantize<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    axis: Option<usize>,
    to: DType,
) -> EmitResult<trt::Layer<'n>> {
    let (x, scale) = (t.input(layer, 0)?, t.input(layer, 1)?);
    let added = t.definition.add_dequantize(x, scale, to.to_trt())?;
    if let Some(axis) = axis {
        added.set_axis(axis)?;
    }
    t.set_inputs(layer, &added, 2..3)?;
    Ok(*added)
}

pub(super) fn dynamic_quantize<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    axis: usize,
    block_size: i64,
    to: DType,
    scale_type: DType,
) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    let out_of_range = |_| trt::Error::OutOfRange { what: "the block size", value: block_size };
    let block = usize::try_from(block_size).map_err(out_of_range)?;
    Ok(t.definition.add_dynamic_quantize(x, axis, block, to.to_trt(), scale_type.to_trt())?)
}
