//! Mathematical functions of two operands.
//!
//! | schema | layers |
//! |---|---|
//! | `atan2(Tensor self, Tensor other)`, `hypot`, `copysign` | Unary, ElementWise, Select |
//! | `logaddexp(Tensor self, Tensor other)`, `logaddexp2` | ElementWise, Activation(Softplus) |
//! | `xlogy(self, other)`, `special_xlog1py` | Unary, ElementWise, Select |
//! | `heaviside(Tensor self, Tensor values)` | ElementWise, Select |
//! | `ldexp(Tensor self, Tensor other)` | ElementWise |
//!
//! Operands are cast to the output's type first, then broadcast; sizes may be symbolic. `hypot` and `logaddexp`
//! overflow only where their result does.

use super::elementwise::operand;
use super::unary::{is_negative, log_of_one_plus};
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use network::{ActivationType, DType, ElementWiseOperation as E, TensorId, UnaryOperation as U};
use std::f64::consts::{LN_2, PI};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.atan2.default", atan2, "Unary, ElementWise, Select", 1e-6),
    operator("aten.arctan2.default", atan2, "Unary, ElementWise, Select", 1e-6),
    operator("aten.hypot.default", hypot, "Unary, ElementWise", 1e-6),
    operator("aten.copysign.Tensor", copysign, "Unary, ElementWise, Select", 0.0),
    operator("aten.copysign.Scalar", copysign, "Unary, ElementWise, Select", 0.0),
    operator("aten.logaddexp.default", logaddexp, "ElementWise, Activation", 1e-6),
    operator("aten.logaddexp2.default", logaddexp2, "ElementWise, Activation", 1e-6),
    operator("aten.xlogy.Tensor", xlogy, "Unary, ElementWise, Select", 1e-6),
    operator("aten.xlogy.Scalar_Other", xlogy, "Unary, ElementWise, Select", 1e-6),
    operator("aten.xlogy.Scalar_Self", xlogy, "Unary, ElementWise, Select", 1e-6),
    operator("aten.special_xlogy.default", xlogy, "Unary, ElementWise, Select", 1e-6),
    operator("aten.special_xlogy.other_scalar", xlogy, "Unary, ElementWise, Select", 1e-6),
    operator("aten.special_xlogy.self_scalar", xlogy, "Unary, ElementWise, Select", 1e-6),
    operator("aten.special_xlog1py.default", xlog1py, "Unary, ElementWise, Select", 1e-6),
    operator("aten.special_xlog1py.other_scalar", xlog1py, "Unary, ElementWise, Select", 1e-6),
    operator("aten.special_xlog1py.self_scalar", xlog1py, "Unary, ElementWise, Select", 1e-6),
    operator("aten.heaviside.default", heaviside, "ElementWise, Select", 0.0),
    operator("aten.ldexp.Tensor", ldexp, "ElementWise", 1e-6),
];

fn operands(b: &mut Builder, call: &Call<'_>) -> Result<(TensorId, TensorId)> {
    let dtype = call.output_dtype(0)?;
    let (x, y) = (operand(b, call, "self", dtype)?, operand(b, call, "other", dtype)?);
    b.align(x, y)
}

/// Numbers of x's type and rank.
fn numbers<const N: usize>(b: &mut Builder, x: TensorId, values: [f64; N]) -> Result<[TensorId; N]> {
    let (dtype, rank) = (b.dtype(x), b.rank(x));
    let mut made = [x; N];
    for (slot, value) in made.iter_mut().zip(values) {
        *slot = b.scalar(dtype, value, rank)?;
    }
    Ok(made)
}

fn atan2(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (y, x) = operands(b, call)?;
    Ok(angle_of(b, x, y)?.into())
}

/// The angle of (x, y) from `atan(y / x)`, half a turn further where x is negative; 0 at the origin.
pub(super) fn angle_of(b: &mut Builder, x: TensorId, y: TensorId) -> Result<TensorId> {
    let [zero, left, right] = numbers(b, x, [0.0, -PI, PI])?;
    let slope = b.div(y, x)?;
    let angle = b.unary(U::Atan, slope)?;
    let (x_negative, y_negative) = (b.elementwise(E::Less, x, zero)?, b.elementwise(E::Less, y, zero)?);
    let turn = b.select(y_negative, left, right)?;
    let turn = b.select(x_negative, turn, zero)?;
    // 0/0 has no slope; its angle is 0, or half a turn for a negative zero that nobody asks about.
    let (x_zero, y_zero) = (b.elementwise(E::Equal, x, zero)?, b.elementwise(E::Equal, y, zero)?);
    let origin = b.elementwise(E::And, x_zero, y_zero)?;
    let angle = b.select(origin, zero, angle)?;
    b.sum(angle, turn)
}

/// `m * sqrt(1 + (n/m)^2)` with m the larger size and n the smaller.
fn hypot(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    let (x, y) = (b.unary(U::Abs, x)?, b.unary(U::Abs, y)?);
    let (large, small) = (b.elementwise(E::Max, x, y)?, b.elementwise(E::Min, x, y)?);
    let tiny = if b.dtype(x) == DType::Float16 { 6.2e-5 } else { f64::from(f32::MIN_POSITIVE) };
    let divisor = b.with_scalar(E::Max, large, tiny)?;
    let ratio = b.div(small, divisor)?;
    let square = b.prod(ratio, ratio)?;
    let sum = b.with_scalar(E::Sum, square, 1.0)?;
    let root = b.unary(U::Sqrt, sum)?;
    Ok(b.prod(large, root)?.into())
}

/// The size of x with the sign of y.
fn copysign(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    let size = b.unary(U::Abs, x)?;
    let opposite = b.unary(U::Neg, size)?;
    let negative = is_negative(b, y)?;
    Ok(b.select(negative, opposite, size)?.into())
}

/// `max + softplus(-|x - y| * rate) / rate`. Equal infinities have no distance, yet are 0 apart.
fn log_add(b: &mut Builder, call: &Call<'_>, rate: f64) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    let [zero] = numbers(b, x, [0.0])?;
    let largest = b.elementwise(E::Max, x, y)?;
    let equal = b.elementwise(E::Equal, x, y)?;
    let apart = b.sub(x, y)?;
    let apart = b.select(equal, zero, apart)?;
    let apart = b.unary(U::Abs, apart)?;
    let below = b.times(apart, -rate)?;
    let soft = b.activation(ActivationType::Softplus, 1.0, 1.0, below)?;
    let soft = b.times(soft, rate.recip())?;
    Ok(b.sum(largest, soft)?.into())
}

fn logaddexp(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    log_add(b, call, 1.0)
}

fn logaddexp2(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    log_add(b, call, LN_2)
}

/// `x * log`, which is 0 where x is 0, unless y is NaN.
fn times_log(b: &mut Builder, x: TensorId, y: TensorId, log: TensorId) -> Result<Outputs> {
    let [zero] = numbers(b, x, [0.0])?;
    let product = b.prod(x, log)?;
    let origin = b.elementwise(E::Equal, x, zero)?;
    let nan = b.unary(U::Isnan, y)?;
    let there = b.not(nan)?;
    let origin = b.elementwise(E::And, origin, there)?;
    Ok(b.select(origin, zero, product)?.into())
}

fn xlogy(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    let log = b.unary(U::Log, y)?;
    times_log(b, x, y, log)
}

fn xlog1py(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    let log = log_of_one_plus(b, y)?;
    times_log(b, x, y, log)
}

/// 0 below 0, 1 above, and `values` at 0.
fn heaviside(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let dtype = call.output_dtype(0)?;
    let (x, values) = (operand(b, call, "self", dtype)?, operand(b, call, "values", dtype)?);
    let (x, values) = b.align(x, values)?;
    let [zero] = numbers(b, x, [0.0])?;
    let above = b.elementwise(E::Greater, x, zero)?;
    let step = b.cast(above, dtype)?;
    let origin = b.elementwise(E::Equal, x, zero)?;
    Ok(b.select(origin, values, step)?.into())
}

/// `x * 2^y`.
fn ldexp(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    let [two] = numbers(b, x, [2.0])?;
    let factor = b.elementwise(E::Pow, two, y)?;
    Ok(b.prod(x, factor)?.into())
}
