//! Arithmetic of integers: shifts, and what two numbers divide or are divided by.
//!
//! | schema | layers |
//! |---|---|
//! | `bitwise_left_shift(self, other)`, `__lshift__` | ElementWise(Prod); Gather where a tensor has the distance |
//! | `bitwise_right_shift(self, other)`, `__rshift__` | ElementWise(FloorDiv); Gather |
//! | `gcd(Tensor self, Tensor other)`, `lcm` | ElementWise, Unary |
//!
//! Operands are cast to the output's type, int32 or int64, then broadcast; sizes may be symbolic. What is shifted by
//! less than nothing or by all its bits is 0, to the right -1 where it is negative, as in PyTorch. Euclid's algorithm
//! takes as many steps as the largest numbers of the type need, four layers each.

use super::elementwise::operand;
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result, Scalar};
use network::{DType, ElementWiseOperation as E, TensorId, UnaryOperation as U, Weights};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.bitwise_left_shift.Tensor", left_shift, "Gather, ElementWise", 0.0),
    operator("aten.bitwise_left_shift.Tensor_Scalar", left_shift, "ElementWise", 0.0),
    operator("aten.bitwise_left_shift.Scalar_Tensor", left_shift, "Gather, ElementWise", 0.0),
    operator("aten.__lshift__.Tensor", left_shift, "Gather, ElementWise", 0.0),
    operator("aten.__lshift__.Scalar", left_shift, "ElementWise", 0.0),
    operator("aten.bitwise_right_shift.Tensor", right_shift, "Gather, ElementWise", 0.0),
    operator("aten.bitwise_right_shift.Tensor_Scalar", right_shift, "ElementWise", 0.0),
    operator("aten.bitwise_right_shift.Scalar_Tensor", right_shift, "Gather, ElementWise", 0.0),
    operator("aten.__rshift__.Tensor", right_shift, "Gather, ElementWise", 0.0),
    operator("aten.__rshift__.Scalar", right_shift, "ElementWise", 0.0),
    operator("aten.gcd.default", gcd, "ElementWise, Unary", 0.0),
    operator("aten.lcm.default", lcm, "ElementWise, Unary", 0.0),
];

/// Bits of the type in which an integer travels.
fn bits(dtype: DType) -> i64 {
    if dtype == DType::Int64 { 64 } else { 32 }
}

/// A number that depends on how far an overload shifts: looked up, for -1 and less up to all bits and more.
fn by_places(b: &mut Builder, call: &Call<'_>, dtype: DType, number: impl Fn(i64) -> i64) -> Result<TensorId> {
    if let Ok(Scalar::Int(places)) = call.scalar("other") {
        return b.constant(Weights::from_i64(dtype, &[], [number(places)]));
    }
    let bits = bits(dtype);
    let table = b.constant(Weights::from_i64(dtype, &[bits + 2], (-1..=bits).map(number)))?;
    let places = operand(b, call, "other", DType::Int64)?;
    let places = b.with_scalar(E::Max, places, -1.0)?;
    let places = b.with_scalar(E::Min, places, bits as f64)?;
    let index = b.with_scalar(E::Sum, places, 1.0)?;
    b.gather(table, index, 0)
}

/// Times a power of two; the last, which only a negative number reaches, leaves the lowest bit.
fn left_shift(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let dtype = call.output_dtype(0)?;
    let x = operand(b, call, "self", dtype)?;
    let bits = bits(dtype);
    let factor = by_places(b, call, dtype, |places| match places {
        _ if places == bits - 1 => -1 << places,
        _ if (0..bits).contains(&places) => 1 << places,
        _ => 0,
    })?;
    Ok(b.prod(x, factor)?.into())
}

/// Divided by a power of two and rounded down. The largest power leaves one bit besides the sign: what goes further is
/// halved once more.
fn right_shift(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let dtype = call.output_dtype(0)?;
    let x = operand(b, call, "self", dtype)?;
    let largest = bits(dtype) - 2;
    let within = |places: i64| (0..=largest).contains(&places);
    let divisor = by_places(b, call, dtype, |places| 1 << if within(places) { places } else { largest })?;
    let y = b.elementwise(E::FloorDiv, x, divisor)?;
    if matches!(call.scalar("other"), Ok(Scalar::Int(places)) if within(places)) {
        return Ok(y.into());
    }
    let rest = by_places(b, call, dtype, |places| if within(places) { 1 } else { 2 })?;
    Ok(b.elementwise(E::FloorDiv, y, rest)?.into())
}

/// Both operands without their signs.
fn sizes(b: &mut Builder, call: &Call<'_>) -> Result<(TensorId, TensorId)> {
    let dtype = call.output_dtype(0)?;
    let (x, y) = (operand(b, call, "self", dtype)?, operand(b, call, "other", dtype)?);
    let (x, y) = b.align(x, y)?;
    Ok((b.unary(U::Abs, x)?, b.unary(U::Abs, y)?))
}

/// Euclid's algorithm: each pair becomes the second and what it leaves of the first. Once one is 0 they only change
/// places, so that the larger is the result.
fn common(b: &mut Builder, x: TensorId, y: TensorId) -> Result<TensorId> {
    let (mut x, mut y) = (x, y);
    // Neighbours in Fibonacci's sequence take the most steps.
    let steps = if b.dtype(x) == DType::Int64 { 92 } else { 46 };
    for _ in 0..steps {
        let divisor = b.with_scalar(E::Max, y, 1.0)?;
        let quotient = b.div(x, divisor)?;
        let whole = b.prod(quotient, y)?;
        (x, y) = (y, b.sub(x, whole)?);
    }
    b.elementwise(E::Max, x, y)
}

fn gcd(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = sizes(b, call)?;
    Ok(common(b, x, y)?.into())
}

fn lcm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = sizes(b, call)?;
    let common = common(b, x, y)?;
    let divisor = b.with_scalar(E::Max, common, 1.0)?;
    let rest = b.div(x, divisor)?;
    Ok(b.prod(rest, y)?.into())
}
