//! Choosing between operands, element by element.
//!
//! | schema | layers |
//! |---|---|
//! | `maximum(Tensor self, …)`, `minimum`, `max.other`, `min.other`, `fmax`, `fmin` | ElementWise(Max, Min) |
//! | `clamp(Tensor self, Scalar? min, Scalar? max)`, `clip`, `clamp_min` | Activation(Clip); ElementWise(Max, Min) |
//! | `clamp_max` | the same |
//! | `where.{self,ScalarOther,ScalarSelf,Scalar}(Tensor condition, self, other)` | Select |
//! | `masked_fill.{Scalar,Tensor}(Tensor self, Tensor mask, value)` | Select |
//!
//! Operands are cast to the output's type first, then broadcast; sizes may be symbolic.

use super::elementwise::operand;
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use network::{ActivationType, DType, ElementWiseOperation as E, TensorId, UnaryOperation as U};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.maximum.default", maximum, "ElementWise", 0.0),
    operator("aten.max.other", maximum, "ElementWise", 0.0),
    operator("aten.minimum.default", minimum, "ElementWise", 0.0),
    operator("aten.min.other", minimum, "ElementWise", 0.0),
    operator("aten.fmax.default", fmax, "ElementWise, Select", 0.0),
    operator("aten.fmin.default", fmin, "ElementWise, Select", 0.0),
    operator("aten.clamp.default", clamp, "Activation", 0.0),
    operator("aten.clamp.Tensor", clamp, "ElementWise", 0.0),
    operator("aten.clip.default", clamp, "Activation", 0.0),
    operator("aten.clip.Tensor", clamp, "ElementWise", 0.0),
    operator("aten.clamp_min.default", clamp, "ElementWise", 0.0),
    operator("aten.clamp_min.Tensor", clamp, "ElementWise", 0.0),
    operator("aten.clamp_max.default", clamp, "ElementWise", 0.0),
    operator("aten.clamp_max.Tensor", clamp, "ElementWise", 0.0),
    operator("aten.where.self", choose, "Select", 0.0),
    operator("aten.where.ScalarOther", choose, "Select", 0.0),
    operator("aten.where.ScalarSelf", choose, "Select", 0.0),
    operator("aten.where.Scalar", choose, "Select", 0.0),
    operator("aten.masked_fill.Scalar", masked_fill, "Select", 0.0),
    operator("aten.masked_fill.Tensor", masked_fill, "Select", 0.0),
];

fn operands(b: &mut Builder, call: &Call<'_>) -> Result<(TensorId, TensorId)> {
    let dtype = call.output_dtype(0)?;
    Ok((operand(b, call, "self", dtype)?, operand(b, call, "other", dtype)?))
}

/// Of bools, the larger is their "or", the smaller their "and".
fn extreme(b: &mut Builder, x: TensorId, y: TensorId, number: E, truth: E) -> Result<TensorId> {
    let op = if b.dtype(x) == DType::Bool { truth } else { number };
    b.elementwise(op, x, y)
}

fn maximum(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    Ok(extreme(b, x, y, E::Max, E::Or)?.into())
}

fn minimum(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    Ok(extreme(b, x, y, E::Min, E::And)?.into())
}

/// The other operand, where one is NaN.
fn ignoring_nan(b: &mut Builder, call: &Call<'_>, number: E, truth: E) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    let best = extreme(b, x, y, number, truth)?;
    if !b.dtype(x).is_float() {
        return Ok(best.into());
    }
    let (x_nan, y_nan) = (b.unary(U::Isnan, x)?, b.unary(U::Isnan, y)?);
    let best = b.select(y_nan, x, best)?;
    Ok(b.select(x_nan, y, best)?.into())
}

fn fmax(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    ignoring_nan(b, call, E::Max, E::Or)
}

fn fmin(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    ignoring_nan(b, call, E::Min, E::And)
}

/// Not below `min`, then not above `max`, so that the latter wins where they contradict.
fn clamp(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let dtype = call.output_dtype(0)?;
    let mut x = operand(b, call, "self", dtype)?;
    let number = |name: &str| call.float(name).ok();
    if let (Some(low), Some(high)) = (number("min"), number("max"))
        && dtype.is_float()
        && low <= high
    {
        return Ok(b.activation(ActivationType::Clip, low, high, x)?.into());
    }
    for (name, op) in [("min", E::Max), ("max", E::Min)] {
        if !call.is_none(name) {
            let limit = operand(b, call, name, dtype)?;
            let truth = if op == E::Max { E::Or } else { E::And };
            x = extreme(b, x, limit, op, truth)?;
        }
    }
    Ok(x.into())
}

fn choose(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let condition = operand(b, call, "condition", DType::Bool)?;
    let (x, y) = operands(b, call)?;
    let y = b.select(condition, x, y)?;
    Ok(b.expand(y, call.output_dims(0)?)?.into())
}

fn masked_fill(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let dtype = call.output_dtype(0)?;
    let mask = operand(b, call, "mask", DType::Bool)?;
    let (x, value) = (operand(b, call, "self", dtype)?, operand(b, call, "value", dtype)?);
    Ok(b.select(mask, value, x)?.into())
}
