//! Fake quantization: floats rounded to the steps of an integer type, as models trained for it carry.
//!
//! | schema | layers |
//! |---|---|
//! | `fake_quantize_per_tensor_affine(Tensor self, float scale, int zero_point, …)` | Quantize, Dequantize |
//! | `fake_quantize_per_tensor_affine.tensor_qparams(Tensor self, Tensor scale, …)` | Quantize, Dequantize |
//! | `fake_quantize_per_channel_affine(Tensor self, Tensor scale, Tensor zero_point, …)` | Quantize, Dequantize |
//! | `_fused_moving_avg_obs_fq_helper_functional(Tensor self, Tensor observer_on, …)` | Quantize, Dequantize |
//!
//! Dtypes: float. Sizes may be symbolic. With constant scales, a zero point of 0 and the range of int8 (-128 or -127 to
//! 127) it is TensorRT's Quantize and Dequantize, by which convolutions and products between them run in int8.
//! Everything else is computed in float: the same numbers, without the speed. A module that still observes ranges is
//! refused.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, Op, TensorId, UnaryOperation as U, Weights};

const LAYERS: &str = "Quantize, Dequantize";

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.fake_quantize_per_tensor_affine.default", per_tensor, LAYERS, 1e-5),
    operator("aten.fake_quantize_per_tensor_affine.tensor_qparams", per_tensor_of_tensors, LAYERS, 1e-5),
    operator("aten.fake_quantize_per_channel_affine.default", per_channel, LAYERS, 1e-5),
    operator("aten._fused_moving_avg_obs_fq_helper_functional.default", observed, LAYERS, 1e-5),
];

/// The steps of a quantization: `scale` apart, with `zero` at 0.0.
pub(super) struct Steps {
    pub(super) scale: TensorId,
    pub(super) zero: TensorId,
    /// The axis that scales and zero points go along.
    pub(super) axis: Option<usize>,
}

impl Steps {
    /// Whether zero points are 0.
    pub(super) fn is_symmetric(&self, b: &Builder) -> bool {
        b.weights(self.zero).is_some_and(|zero| zero.to_f64().iter().all(|z| *z == 0.0))
    }

    /// Scales and zero points, to be broadcast along x.
    pub(super) fn along(&self, b: &mut Builder, x: TensorId) -> Result<(TensorId, TensorId)> {
        Ok((broadcast_along(b, self.scale, x, self.axis)?, broadcast_along(b, self.zero, x, self.axis)?))
    }

    /// Whether TensorRT's layers have these steps between two codes, in int8.
    pub(super) fn is_of_int8(&self, b: &Builder, least: i64, most: i64) -> bool {
        self.is_symmetric(b) && b.weights(self.scale).is_some() && matches!((least, most), (-128 | -127, 127))
    }
}

fn per_tensor(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    // PyTorch holds the scale as a double and computes with a float.
    let scale = b.constant(Weights::scalar(b.dtype(x), call.float("scale")?))?;
    let zero = b.constant(Weights::scalar(b.dtype(x), call.int("zero_point")? as f64))?;
    of_call(b, call, x, &Steps { scale, zero, axis: None })
}

fn per_tensor_of_tensors(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let (scale, zero) = (like(b, call.tensor("scale")?, x, &[])?, like(b, call.tensor("zero_point")?, x, &[])?);
    of_call(b, call, x, &Steps { scale, zero, axis: None })
}

fn per_channel(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    along(b, call, x, "axis")
}

/// With a scale for each index of the axis that an argument names.
fn along(b: &mut Builder, call: &Call<'_>, x: TensorId, axis: &str) -> Result<Outputs> {
    let axis = call.axis(axis, b.rank(x))?;
    let channels = &b.dims(x)[axis..=axis];
    let (scale, zero) =
        (like(b, call.tensor("scale")?, x, channels)?, like(b, call.tensor("zero_point")?, x, channels)?);
    of_call(b, call, x, &Steps { scale, zero, axis: Some(axis) })
}

/// What `torch.ao.quantization` puts into a model: an observer and fake quantization, each of which may be off.
fn observed(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let is_on = |b: &Builder, name: &str| -> Result<bool> {
        let weights = b.weights(call.tensor(name)?).map(Weights::to_f64);
        Ok(weights.is_none_or(|values| values.iter().any(|v| *v != 0.0)))
    };
    if is_on(b, "observer_on")? {
        return unsupported(
            "it still observes the ranges of its input: call model.apply(torch.ao.quantization.disable_observer) \
             before",
        );
    }
    let made = if !is_on(b, "fake_quant_on")? {
        x.into()
    } else if call.bool("per_row_fake_quant")? {
        along(b, call, x, "ch_axis")?
    } else {
        per_tensor_of_tensors(b, call)?
    };
    // The statistics that come out too are those that went in.
    let mut outputs = made.into_vec();
    outputs.resize(call.output_count(), None);
    Ok(outputs.into())
}

/// Scales or zero points in the type of `x` and with these sizes; constants stay constants.
pub(super) fn like(b: &mut Builder, tensor: TensorId, x: TensorId, dims: &[Dim]) -> Result<TensorId> {
    let dtype = b.dtype(x);
    let sizes: Option<Vec<i64>> = dims.iter().map(Dim::as_static).collect();
    if let (Some(weights), Some(sizes)) = (b.weights(tensor), sizes) {
        let weights = Weights::from_f64(dtype, &sizes, weights.to_f64());
        return b.constant(weights);
    }
    let tensor = b.cast(tensor, dtype)?;
    b.reshape(tensor, dims)
}

fn of_call(b: &mut Builder, call: &Call<'_>, x: TensorId, steps: &Steps) -> Result<Outputs> {
    Ok(quantized(b, x, steps, call.int("quant_min")?, call.int("quant_max")?)?.into())
}

/// Fake quantization to the codes of a range.
pub(super) fn quantized(b: &mut Builder, x: TensorId, steps: &Steps, least: i64, most: i64) -> Result<TensorId> {
    let (is_zero, dtype) = (steps.is_symmetric(b), b.dtype(x));
    if steps.is_of_int8(b, least, most) {
        let codes = in_codes(b, x, steps, least)?;
        return b.add(Op::Dequantize { axis: steps.axis, to: dtype }, &[codes, steps.scale]);
    }
    let (scale, zero) = steps.along(b, x)?;
    let scaled = b.div(x, scale)?;
    let moved = if is_zero { scaled } else { b.sum(scaled, zero)? };
    let whole = b.unary(U::Round, moved)?;
    let low = b.with_scalar(E::Max, whole, least as f64)?;
    let code = b.with_scalar(E::Min, low, most as f64)?;
    let back = if is_zero { code } else { b.sub(code, zero)? };
    b.prod(back, scale)
}

/// The codes of int8, by the layer that TensorRT has for it.
pub(super) fn in_codes(b: &mut Builder, x: TensorId, steps: &Steps, least: i64) -> Result<TensorId> {
    let x = if least == -127 {
        // The layer would go down to -128.
        let scale = broadcast_along(b, steps.scale, x, steps.axis)?;
        let end = b.with_scalar(E::Prod, scale, -127.0)?;
        b.elementwise(E::Max, x, end)?
    } else {
        x
    };
    b.add(Op::Quantize { axis: steps.axis, to: DType::Int8 }, &[x, steps.scale])
}

/// Scales or zero points, to be broadcast along x.
fn broadcast_along(b: &mut Builder, values: TensorId, x: TensorId, axis: Option<usize>) -> Result<TensorId> {
    match axis {
        Some(axis) => b.along(values, axis, b.rank(x)),
        None => b.lift(values, b.rank(x)),
    }
}
