//! Layers that compute element by element, and fills.

use super::not_constant;
use crate::emitter::{EmitResult, NetworkEmitter};
use crate::enums::ToTensorRt;
use network::{ActivationType, DType, ElementWiseOperation, FillOperation, Layer, ScaleMode, UnaryOperation};
use nvinfer as trt;

pub(super) fn activation<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    kind: ActivationType,
    alpha: f32,
    beta: f32,
) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    let added = t.definition.add_activation(x, kind.to_trt())?;
    added.set_alpha(alpha)?;
    added.set_beta(beta)?;
    Ok(*added)
}

pub(super) fn cast<'n>(t: &mut NetworkEmitter<'n, '_>, layer: &Layer, to: DType) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    Ok(t.definition.add_cast(x, to.to_trt())?)
}

pub(super) fn elementwise<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    op: ElementWiseOperation,
) -> EmitResult<trt::Layer<'n>> {
    let (a, b) = (t.input(layer, 0)?, t.input(layer, 1)?);
    Ok(t.definition.add_elementwise(a, b, op.to_trt())?)
}

pub(super) fn unary<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    op: UnaryOperation,
) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    Ok(t.definition.add_unary(x, op.to_trt())?)
}

pub(super) fn select<'n>(t: &mut NetworkEmitter<'n, '_>, layer: &Layer) -> EmitResult<trt::Layer<'n>> {
    let (condition, then, otherwise) = (t.input(layer, 0)?, t.input(layer, 1)?, t.input(layer, 2)?);
    Ok(t.definition.add_select(condition, then, otherwise)?)
}

pub(super) fn parametric_relu<'n>(t: &mut NetworkEmitter<'n, '_>, layer: &Layer) -> EmitResult<trt::Layer<'n>> {
    let (x, slope) = (t.input(layer, 0)?, t.input(layer, 1)?);
    Ok(t.definition.add_parametric_relu(x, slope)?)
}

/// The layer takes its shift, scale and power as weights only, never as tensors.
pub(super) fn scale<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    mode: ScaleMode,
    channel_axis: usize,
) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    let none = trt::Weights::none(t.dtype(layer, 0).to_trt());
    let weights = |index: usize, what: &'static str| match (layer.input(index), t.constant_input(layer, index)) {
        (None, _) => Ok(none),
        (Some(_), Some(weights)) => t.weights(weights),
        (Some(_), None) => Err(not_constant(what)),
    };
    let weights = trt::network::ScaleWeights {
        shift: weights(1, "the shift")?,
        scale: weights(2, "the scale")?,
        power: weights(3, "the power")?,
    };
    Ok(*t.definition.add_scale(x, mode.to_trt(), weights, channel_axis)?)
}

/// Shape, alpha and beta come from attributes or from inputs of the same number.
pub(super) fn fill<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    op: FillOperation,
    dims: &[i64],
    dtype: DType,
    alpha: f64,
    beta: f64,
) -> EmitResult<trt::Layer<'n>> {
    let added = t.definition.add_fill(dims, op.to_trt(), dtype.to_trt())?;
    if layer.input(1).is_none() && layer.input(2).is_none() {
        if dtype == DType::Int64 {
            added.set_alpha_i64(alpha as i64)?;
            added.set_beta_i64(beta as i64)?;
        } else if dtype.is_index() && !t.strongly_typed() {
            // 8.6 takes the start and step of integers as tensors only.
            added.set_input(1, t.integers(&[], &[alpha as i64])?)?;
            added.set_input(2, t.integers(&[1], &[beta as i64])?)?;
        } else {
            added.set_alpha(alpha)?;
            added.set_beta(beta)?;
        }
    }
    t.set_inputs(layer, &added, 0..3)?;
    Ok(*added)
}
