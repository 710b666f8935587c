//! Layers that compute element by element, and fills.

use super::not_constant;
use crate::enums::ToTensorRt;
use crate::tell::{Teller, Told};
use network::{ActivationType, DType, ElementWiseOperation, FillOperation, Layer, ScaleMode, UnaryOperation};
use nvinfer as trt;

pub(super) fn activation<'n>(
    t: &mut Teller<'n, '_>,
    layer: &Layer,
    kind: ActivationType,
    alpha: f32,
    beta: f32,
) -> Told<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    let told = t.definition.add_activation(x, kind.to_trt())?;
    told.set_alpha(alpha)?;
    told.set_beta(beta)?;
    Ok(*told)
}

pub(super) fn cast<'n>(t: &mut Teller<'n, '_>, layer: &Layer, to: DType) -> Told<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    Ok(t.definition.add_cast(x, to.to_trt())?)
}

pub(super) fn elementwise<'n>(t: &mut Teller<'n, '_>, layer: &Layer, op: ElementWiseOperation) -> Told<trt::Layer<'n>> {
    let (a, b) = (t.input(layer, 0)?, t.input(layer, 1)?);
    Ok(t.definition.add_elementwise(a, b, op.to_trt())?)
}

pub(super) fn unary<'n>(t: &mut Teller<'n, '_>, layer: &Layer, op: UnaryOperation) -> Told<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    Ok(t.definition.add_unary(x, op.to_trt())?)
}

pub(super) fn select<'n>(t: &mut Teller<'n, '_>, layer: &Layer) -> Told<trt::Layer<'n>> {
    let (condition, then, otherwise) = (t.input(layer, 0)?, t.input(layer, 1)?, t.input(layer, 2)?);
    Ok(t.definition.add_select(condition, then, otherwise)?)
}

pub(super) fn parametric_relu<'n>(t: &mut Teller<'n, '_>, layer: &Layer) -> Told<trt::Layer<'n>> {
    let (x, slope) = (t.input(layer, 0)?, t.input(layer, 1)?);
    Ok(t.definition.add_parametric_relu(x, slope)?)
}

/// The layer takes its shift, scale and power as weights only, never as tensors.
pub(super) fn scale<'n>(
    t: &mut Teller<'n, '_>,
    layer: &Layer,
    mode: ScaleMode,
    channel_axis: usize,
) -> Told<trt::Layer<'n>> {
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
    t: &mut Teller<'n, '_>,
    layer: &Layer,
    op: FillOperation,
    dims: &[i64],
    dtype: DType,
    alpha: f64,
    beta: f64,
) -> Told<trt::Layer<'n>> {
    let told = t.definition.add_fill(dims, op.to_trt(), dtype.to_trt())?;
    if layer.input(1).is_none() && layer.input(2).is_none() {
        if dtype == DType::Int64 {
            told.set_alpha_i64(alpha as i64)?;
            told.set_beta_i64(beta as i64)?;
        } else if dtype.is_index() && !t.strongly_typed() {
            // 8.6 takes the start and step of integers as tensors only.
            told.set_input(1, t.integers(&[], &[alpha as i64])?)?;
            told.set_input(2, t.integers(&[1], &[beta as i64])?)?;
        } else {
            told.set_alpha(alpha)?;
            told.set_beta(beta)?;
        }
    }
    t.set_inputs(layer, &told, 0..3)?;
    Ok(*told)
}
