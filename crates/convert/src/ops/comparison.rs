//! Comparison and logic.
//!
//! | schema | layers |
//! |---|---|
//! | `eq`, `ne`, `lt`, `le`, `gt`, `ge` `(self, other)` | ElementWise, Unary(Not) |
//! | `logical_{and,or,xor,not}(Tensor self, Tensor other)` | Cast, ElementWise, Unary(Not) |
//! | `bitwise_{and,or,xor}(self, other)`, `__and__`, `__or__`, `__xor__` | ElementWise, Unary(Not) |
//! | `bitwise_not(Tensor self)` | the same |
//! | `isclose(Tensor self, Tensor other, float rtol, float atol, bool equal_nan)` | ElementWise, Unary |
//!
//! Operands are compared in PyTorch's promoted type, then broadcast; sizes may be symbolic. TensorRT knows only
//! equality of bools, so their order is decided on int32, and it has no bitwise layers: see `bitwise` for `and`, `or`
//! and `xor` of integers, `integer` for shifts.

use super::elementwise::operand;
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result, Scalar};
use network::{DType, ElementWiseOperation as E, UnaryOperation as U};
use program::{Argument, ScalarType};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.eq.Tensor", eq, "ElementWise", 0.0),
    operator("aten.eq.Scalar", eq, "ElementWise", 0.0),
    operator("aten.ne.Tensor", ne, "ElementWise, Unary", 0.0),
    operator("aten.ne.Scalar", ne, "ElementWise, Unary", 0.0),
    operator("aten.lt.Tensor", lt, "ElementWise", 0.0),
    operator("aten.lt.Scalar", lt, "ElementWise", 0.0),
    operator("aten.le.Tensor", le, "ElementWise, Unary", 0.0),
    operator("aten.le.Scalar", le, "ElementWise, Unary", 0.0),
    operator("aten.gt.Tensor", gt, "ElementWise", 0.0),
    operator("aten.gt.Scalar", gt, "ElementWise", 0.0),
    operator("aten.ge.Tensor", ge, "ElementWise, Unary", 0.0),
    operator("aten.ge.Scalar", ge, "ElementWise, Unary", 0.0),
    operator("aten.logical_and.default", logical_and, "ElementWise", 0.0),
    operator("aten.logical_or.default", logical_or, "ElementWise", 0.0),
    operator("aten.logical_xor.default", logical_xor, "ElementWise", 0.0),
    operator("aten.logical_not.default", logical_not, "Unary", 0.0),
    operator("aten.bitwise_and.Tensor", bitwise_and, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.bitwise_and.Scalar", bitwise_and, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.bitwise_and.Scalar_Tensor", bitwise_and, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.__and__.Tensor", bitwise_and, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.__and__.Scalar", bitwise_and, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.bitwise_or.Tensor", bitwise_or, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.bitwise_or.Scalar", bitwise_or, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.bitwise_or.Scalar_Tensor", bitwise_or, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.__or__.Tensor", bitwise_or, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.__or__.Scalar", bitwise_or, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.bitwise_xor.Tensor", bitwise_xor, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.bitwise_xor.Scalar", bitwise_xor, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.bitwise_xor.Scalar_Tensor", bitwise_xor, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.__xor__.Tensor", bitwise_xor, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.__xor__.Scalar", bitwise_xor, "ElementWise, Gather, Reduce", 0.0),
    operator("aten.bitwise_not.default", bitwise_not, "Unary", 0.0),
    operator("aten.isclose.default", isclose, "ElementWise, Unary", 0.0),
];

/// What kind of number a dtype holds: promotion goes up this ladder.
fn category(dtype: ScalarType) -> u8 {
    match dtype {
        ScalarType::Bool => 0,
        d if d.is_integer() => 1,
        _ => 2,
    }
}

/// The type in which two operands are compared. A number, or a 0-D tensor next to one with axes, counts only
/// where its kind is higher.
pub(super) fn promoted(b: &Builder, call: &Call<'_>, names: [&str; 2]) -> Result<DType> {
    let mut best: Option<(ScalarType, bool, DType)> = None;
    for name in names {
        let (dtype, ranked) = match call.argument(name) {
            Some(Argument::Value(_)) => {
                let value = call.value(name)?;
                (value.dtype, !value.dims.is_empty())
            }
            Some(Argument::Bool(_)) => (ScalarType::Bool, false),
            Some(Argument::Int(_)) => (ScalarType::Int64, false),
            _ => (ScalarType::Float32, false),
        };
        let compute_dtype = match call.argument(name) {
            Some(Argument::Value(_)) => b.dtype(call.tensor(name)?),
            _ => crate::compute_dtype(dtype).unwrap_or(DType::Float32),
        };
        let wins = match best {
            None => true,
            Some((other, other_ranked, other_compute)) => match category(dtype).cmp(&category(other)) {
                std::cmp::Ordering::Greater => true,
                std::cmp::Ordering::Less => false,
                std::cmp::Ordering::Equal if ranked == other_ranked => compute_dtype.size() > other_compute.size(),
                std::cmp::Ordering::Equal => ranked,
            },
        };
        if wins {
            best = Some((dtype, ranked, compute_dtype));
        }
    }
    Ok(best.map_or(DType::Float32, |(_, _, compute_dtype)| compute_dtype))
}

/// Compares; on bool, TensorRT only knows equality, so order is decided on integers.
fn compare(b: &mut Builder, call: &Call<'_>, op: E, swap: bool, negate: bool) -> Result<Outputs> {
    let mut dtype = promoted(b, call, ["self", "other"])?;
    if dtype == DType::Bool && op != E::Equal {
        dtype = DType::Int32;
    }
    let (x, y) = (operand(b, call, "self", dtype)?, operand(b, call, "other", dtype)?);
    let result = if swap { b.elementwise(op, y, x)? } else { b.elementwise(op, x, y)? };
    Ok(if negate { b.unary(U::Not, result)? } else { result }.into())
}

fn eq(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    compare(b, call, E::Equal, false, false)
}

fn ne(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    compare(b, call, E::Equal, false, true)
}

fn lt(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    compare(b, call, E::Less, false, false)
}

fn gt(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    compare(b, call, E::Greater, false, false)
}

/// `x <= y` as "less or equal", which is false for NaN as PyTorch has it.
fn le(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    or_equal(b, call, E::Less)
}

fn ge(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    or_equal(b, call, E::Greater)
}

fn or_equal(b: &mut Builder, call: &Call<'_>, op: E) -> Result<Outputs> {
    let mut dtype = promoted(b, call, ["self", "other"])?;
    if dtype == DType::Bool {
        dtype = DType::Int32;
    }
    let (x, y) = (operand(b, call, "self", dtype)?, operand(b, call, "other", dtype)?);
    if !dtype.is_float() {
        // Integers have no NaN: "not greater" is the same with one layer less.
        let opposite = if op == E::Less { E::Greater } else { E::Less };
        let result = b.elementwise(opposite, x, y)?;
        return Ok(b.unary(U::Not, result)?.into());
    }
    let (strict, equal) = (b.elementwise(op, x, y)?, b.elementwise(E::Equal, x, y)?);
    Ok(b.elementwise(E::Or, strict, equal)?.into())
}

/// Both operands as bools: whether they are not zero.
fn truths(b: &mut Builder, call: &Call<'_>, op: E) -> Result<Outputs> {
    let (x, y) = (operand(b, call, "self", DType::Bool)?, operand(b, call, "other", DType::Bool)?);
    Ok(b.elementwise(op, x, y)?.into())
}

fn logical_and(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    truths(b, call, E::And)
}

fn logical_or(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    truths(b, call, E::Or)
}

fn logical_xor(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    truths(b, call, E::Xor)
}

fn logical_not(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = operand(b, call, "self", DType::Bool)?;
    Ok(b.not(x)?.into())
}

/// Bools are combined by a layer, integers digit by digit.
fn bitwise(b: &mut Builder, call: &Call<'_>, op: E, digits: fn(i64, i64) -> i64) -> Result<Outputs> {
    if call.output_dtype(0)? == DType::Bool {
        return truths(b, call, op);
    }
    Ok(super::bitwise::bitwise(b, call, digits)?.into())
}

/// On integers, a mask of low bits leaves the remainder of a division by a power of two.
fn bitwise_and(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let dtype = call.output_dtype(0)?;
    // The divisor has to be a number of the type.
    let largest = if dtype == DType::Int32 { 1 << 30 } else { 1 << 52 };
    let mask = |name: &str| match call.scalar(name) {
        Ok(Scalar::Int(n)) if (0..largest).contains(&n) && (n + 1) & n == 0 => Some(n),
        _ => None,
    };
    let (name, mask) = match (mask("other"), mask("self")) {
        (Some(mask), _) if dtype.is_index() => ("self", mask),
        (None, Some(mask)) if dtype.is_index() => ("other", mask),
        _ => return bitwise(b, call, E::And, |x, y| x & y),
    };
    let x = operand(b, call, name, dtype)?;
    let modulus = (mask + 1) as f64;
    let whole = b.with_scalar(E::FloorDiv, x, modulus)?;
    let taken = b.with_scalar(E::Prod, whole, modulus)?;
    Ok(b.sub(x, taken)?.into())
}

fn bitwise_or(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    bitwise(b, call, E::Or, |x, y| x | y)
}

fn bitwise_xor(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    bitwise(b, call, E::Xor, |x, y| x ^ y)
}

/// `-1 - x` flips every bit of an integer, `255 - x` those of an unsigned byte.
fn bitwise_not(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    if b.dtype(x) == DType::Bool {
        return Ok(b.not(x)?.into());
    }
    let all = if call.value("self")?.dtype == ScalarType::UInt8 { 255.0 } else { -1.0 };
    let all = b.scalar(b.dtype(x), all, b.rank(x))?;
    Ok(b.sub(all, x)?.into())
}

/// Equal, or no further apart than `atol + rtol * |other|`, which infinities never are.
fn isclose(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let mut dtype = promoted(b, call, ["self", "other"])?;
    if !dtype.is_float() {
        dtype = DType::Float32;
    }
    let (x, y) = (operand(b, call, "self", dtype)?, operand(b, call, "other", dtype)?);
    let (rtol, atol) = (call.float("rtol")?, call.float("atol")?);
    let equal = b.elementwise(E::Equal, x, y)?;
    let apart = b.sub(x, y)?;
    let apart = b.unary(U::Abs, apart)?;
    let size = b.unary(U::Abs, y)?;
    let relative = b.with_scalar(E::Prod, size, rtol)?;
    let allowed = b.with_scalar(E::Sum, relative, atol)?;
    let beyond = b.elementwise(E::Greater, apart, allowed)?;
    let endless = b.unary(U::Isinf, apart)?;
    let nan = b.unary(U::Isnan, apart)?;
    let far = b.elementwise(E::Or, beyond, endless)?;
    let far = b.elementwise(E::Or, far, nan)?;
    let near = b.not(far)?;
    let mut close = b.elementwise(E::Or, equal, near)?;
    if call.bool("equal_nan")? {
        let (x, y) = (b.unary(U::Isnan, x)?, b.unary(U::Isnan, y)?);
        let both = b.elementwise(E::And, x, y)?;
        close = b.elementwise(E::Or, close, both)?;
    }
    Ok(close.into())
}
