//! Arithmetic on two operands.
//!
//! | schema | layers |
//! |---|---|
//! | `add`, `sub`, `rsub` `(self, other, *, Scalar alpha=1)` | ElementWise(Sum, Sub) |
//! | `mul(self, other)`, `div(self, other)`, `true_divide` | ElementWise(Prod, Div) |
//! | `div.{Tensor,Scalar}_mode(self, other, *, str? rounding_mode)`, `floor_divide` | ElementWise(Div, `FloorDiv`) |
//! | `fmod(self, other)`, `remainder(self, other)` | ElementWise |
//! | `pow(self, exponent)`, `float_power` | ElementWise(Prod, Pow), Unary |
//! | `addcmul`, `addcdiv` `(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1)`, `lerp` | ElementWise |
//!
//! Operands are cast to the output's type first, then broadcast; sizes may be symbolic. Integers stay exact. A
//! remainder of floats is as exact as the quotient: it may be off by the divisor where that rounds to a whole
//! number. A negative integer exponent of an integer is refused, as in PyTorch.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result, Scalar};
use network::{DType, ElementWiseOperation as E, TensorId, UnaryOperation as U, Weights};
use program::{Argument, ScalarType, Value};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.add.Tensor", add, "ElementWise", 1e-6),
    operator("aten.add.Scalar", add, "ElementWise", 1e-6),
    operator("aten.sub.Tensor", sub, "ElementWise", 1e-6),
    operator("aten.sub.Scalar", sub, "ElementWise", 1e-6),
    operator("aten.rsub.Tensor", rsub, "ElementWise", 1e-6),
    operator("aten.rsub.Scalar", rsub, "ElementWise", 1e-6),
    operator("aten.mul.Tensor", mul, "ElementWise", 1e-6),
    operator("aten.mul.Scalar", mul, "ElementWise", 1e-6),
    operator("aten.div.Tensor", div, "ElementWise", 1e-6),
    operator("aten.div.Scalar", div, "ElementWise", 1e-6),
    operator("aten.true_divide.Tensor", div, "ElementWise", 1e-6),
    operator("aten.true_divide.Scalar", div, "ElementWise", 1e-6),
    operator("aten.div.Tensor_mode", div, "ElementWise", 1e-6),
    operator("aten.div.Scalar_mode", div, "ElementWise", 1e-6),
    operator("aten.floor_divide.default", floor_divide, "ElementWise", 1e-6),
    operator("aten.floor_divide.Scalar", floor_divide, "ElementWise", 1e-6),
    operator("aten.fmod.Tensor", fmod, "ElementWise, Unary", 1e-5),
    operator("aten.fmod.Scalar", fmod, "ElementWise, Unary", 1e-5),
    operator("aten.remainder.Tensor", remainder, "ElementWise", 1e-5),
    operator("aten.remainder.Scalar", remainder, "ElementWise", 1e-5),
    operator("aten.remainder.Scalar_Tensor", remainder, "ElementWise", 1e-5),
    operator("aten.pow.Tensor_Tensor", pow, "ElementWise", 1e-5),
    operator("aten.pow.Tensor_Scalar", pow, "ElementWise, Unary", 1e-5),
    operator("aten.pow.Scalar", pow, "ElementWise", 1e-5),
    operator("aten.addcmul.default", addcmul, "ElementWise", 1e-6),
    operator("aten.addcdiv.default", addcdiv, "ElementWise", 1e-6),
    operator("aten.lerp.Scalar", lerp, "ElementWise", 1e-6),
    operator("aten.lerp.Tensor", lerp, "ElementWise", 1e-6),
];

/// An operand in a type: a tensor is cast, a number becomes a constant. Where tensors of 8 or 16 bits decide the type,
/// it wraps around in theirs.
pub(super) fn operand(b: &mut Builder, call: &Call<'_>, name: &str, dtype: DType) -> Result<TensorId> {
    let is_converted = dtype == DType::Int32 && ["self", "other"].contains(&name);
    let small = if is_converted { small_type(call) } else { None };
    let x = match call.argument(name) {
        Some(Argument::Value(_)) => {
            let x = call.tensor(name)?;
            let x = b.cast(x, dtype)?;
            if small.is_none_or(|small| bits(call.value(name).map_or(small, |v| v.dtype)) <= bits(small)) {
                return Ok(x);
            }
            x
        }
        Some(Argument::Int(n)) if !n.is_static() => {
            let size = b.size_scalar(n)?;
            b.cast(size, dtype)?
        }
        _ => match (call.scalar(name)?, small) {
            (Scalar::Int(n), Some(small)) => {
                return b.constant(Weights::from_i64(dtype, &[], [crate::wrap::wrapped_number(n, small)]));
            }
            (Scalar::Int(n), None) => b.constant(Weights::from_i64(dtype, &[], [n]))?,
            (number, _) => b.scalar(dtype, number.as_f64(), 0)?,
        },
    };
    match small {
        Some(small) => crate::wrap::into_range(b, x, small),
        None => Ok(x),
    }
}

/// Bits of a small integer type; more than those of any of them for every other type.
fn bits(dtype: ScalarType) -> usize {
    match dtype {
        ScalarType::Bool => 0,
        ScalarType::UInt8 | ScalarType::Int8 => 8,
        ScalarType::Int16 => 16,
        _ => 64,
    }
}

/// The type of 8 or 16 bits in which a call with two operands computes: that of its tensors with axes, or of its 0-D
/// tensors where there are no others. `None` where it computes in another type.
fn small_type(call: &Call<'_>) -> Option<ScalarType> {
    let values: Vec<&Value> = ["self", "other"].into_iter().filter_map(|name| call.value(name).ok()).collect();
    let ranked = values.iter().any(|value| !value.dims.is_empty());
    let mut found = None;
    for value in values.into_iter().filter(|value| value.dims.is_empty() != ranked) {
        found = match (found, value.dtype) {
            (_, dtype) if bits(dtype) > 16 => return None,
            (Some(other), dtype) if bits(other) == 8 && bits(dtype) == 8 && other != dtype => Some(ScalarType::Int16),
            (Some(other), dtype) if bits(other) >= bits(dtype) => Some(other),
            (_, dtype) => Some(dtype),
        };
    }
    found.filter(|dtype| *dtype != ScalarType::Bool)
}

/// Both operands in the output's type.
fn operands(b: &mut Builder, call: &Call<'_>) -> Result<(TensorId, TensorId)> {
    let dtype = call.output_dtype(0)?;
    Ok((operand(b, call, "self", dtype)?, operand(b, call, "other", dtype)?))
}

/// `other` times `alpha`, where the overload has one.
fn scaled(b: &mut Builder, call: &Call<'_>, x: TensorId) -> Result<TensorId> {
    match call.argument("alpha") {
        None => Ok(x),
        Some(_) => match call.float("alpha")? {
            1.0 => Ok(x),
            // A bool times a number is a bool: false, unless the number is 1.
            alpha if b.dtype(x) == DType::Bool => {
                let factor = b.scalar(DType::Bool, alpha, b.rank(x))?;
                b.elementwise(E::And, x, factor)
            }
            alpha => b.with_scalar(E::Prod, x, alpha),
        },
    }
}

fn add(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    let y = scaled(b, call, y)?;
    // PyTorch adds bools as "or".
    let op = if b.dtype(x) == DType::Bool { E::Or } else { E::Sum };
    Ok(b.elementwise(op, x, y)?.into())
}

fn sub(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    let y = scaled(b, call, y)?;
    Ok(b.sub(x, y)?.into())
}

fn rsub(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    let x = scaled(b, call, x)?;
    Ok(b.sub(y, x)?.into())
}

fn mul(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    let op = if b.dtype(x) == DType::Bool { E::And } else { E::Prod };
    Ok(b.elementwise(op, x, y)?.into())
}

/// Divides, and rounds as the overload does: not at all, toward zero or down.
fn div(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    let mode = if call.is_none("rounding_mode") { "none" } else { call.string("rounding_mode")? };
    Ok(match mode {
        "floor" => b.elementwise(E::FloorDiv, x, y)?,
        "trunc" => {
            let quotient = b.div(x, y)?;
            b.truncate(quotient)?
        }
        _ => b.div(x, y)?,
    }
    .into())
}

fn floor_divide(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    Ok(b.elementwise(E::FloorDiv, x, y)?.into())
}

/// `x - y * trunc(x / y)`: the sign is that of x.
fn fmod(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    let quotient = b.div(x, y)?;
    let whole = b.truncate(quotient)?;
    let taken = b.prod(whole, y)?;
    Ok(b.sub(x, taken)?.into())
}

/// `x - y * floor(x / y)`: the sign is that of y.
fn remainder(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = operands(b, call)?;
    let whole = b.elementwise(E::FloorDiv, x, y)?;
    let taken = b.prod(whole, y)?;
    Ok(b.sub(x, taken)?.into())
}

fn pow(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let dtype = call.output_dtype(0)?;
    let base = operand(b, call, "self", dtype)?;
    let number = match call.argument("exponent") {
        Some(Argument::Value(_)) => None,
        _ => call.scalar("exponent").ok(),
    };
    let y = match number {
        Some(exponent) => power(b, base, exponent)?,
        None => {
            let exponent = operand(b, call, "exponent", dtype)?;
            if dtype.is_float() { b.elementwise(E::Pow, base, exponent)? } else { integer_power(b, base, exponent)? }
        }
    };
    Ok(b.expand(y, call.output_dims(0)?)?.into())
}

/// The largest exponent that becomes products; beyond, Pow is less work.
const PRODUCTS: u32 = 8;

/// x to a known power: products and roots where these do, which are faster and take negative numbers.
fn power(b: &mut Builder, x: TensorId, exponent: Scalar) -> Result<TensorId> {
    let float = b.dtype(x).is_float();
    let e = exponent.as_f64();
    let whole = e.abs() as u32;
    if f64::from(whole) == e.abs() && (whole <= PRODUCTS || !float) {
        if e < 0.0 && !float {
            return unsupported("an integer to a negative power: PyTorch has no integer result for it");
        }
        let y = product(b, x, whole)?;
        return if e < 0.0 { b.unary(U::Recip, y) } else { Ok(y) };
    }
    if e.abs() == 0.5 {
        let root = b.unary(U::Sqrt, x)?;
        return if e < 0.0 { b.unary(U::Recip, root) } else { Ok(root) };
    }
    b.with_scalar(E::Pow, x, e)
}

/// x times itself, by squares.
fn product(b: &mut Builder, x: TensorId, times: u32) -> Result<TensorId> {
    if times == 0 {
        let dims = b.dims(x);
        return b.full(b.dtype(x), &dims, 1.0);
    }
    let (mut square, mut result, mut left) = (x, None, times);
    loop {
        if left % 2 == 1 {
            result = Some(match result {
                None => square,
                Some(y) => b.prod(y, square)?,
            });
        }
        left /= 2;
        match result {
            Some(y) if left == 0 => return Ok(y),
            _ => square = b.prod(square, square)?,
        }
    }
}

/// Integers to integer powers below 64, exactly: the exponent's bits select the squares that are factors.
fn integer_power(b: &mut Builder, base: TensorId, exponent: TensorId) -> Result<TensorId> {
    let one = b.scalar(b.dtype(base), 1.0, 0)?;
    let (mut square, mut left, mut result) = (base, exponent, one);
    for bit in 0..6 {
        let half = b.with_scalar(E::FloorDiv, left, 2.0)?;
        let even = b.with_scalar(E::Prod, half, 2.0)?;
        let odd = b.sub(left, even)?;
        let odd = b.cast(odd, DType::Bool)?;
        let factor = b.select(odd, square, one)?;
        result = b.prod(result, factor)?;
        left = half;
        if bit < 5 {
            square = b.prod(square, square)?;
        }
    }
    Ok(result)
}

/// `self + value * tensor1 * tensor2`.
fn addcmul(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let dtype = call.output_dtype(0)?;
    let [x, y, z] =
        [operand(b, call, "self", dtype)?, operand(b, call, "tensor1", dtype)?, operand(b, call, "tensor2", dtype)?];
    let product = b.prod(y, z)?;
    let product = b.times(product, call.float("value")?)?;
    Ok(b.sum(x, product)?.into())
}

/// `self + value * tensor1 / tensor2`.
fn addcdiv(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let dtype = call.output_dtype(0)?;
    let [x, y, z] =
        [operand(b, call, "self", dtype)?, operand(b, call, "tensor1", dtype)?, operand(b, call, "tensor2", dtype)?];
    let y = b.times(y, call.float("value")?)?;
    let quotient = b.div(y, z)?;
    Ok(b.sum(x, quotient)?.into())
}

/// `self + weight * (end - self)`.
fn lerp(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let dtype = call.output_dtype(0)?;
    let (x, end) = (operand(b, call, "self", dtype)?, operand(b, call, "end", dtype)?);
    let weight = operand(b, call, "weight", dtype)?;
    let way = b.sub(end, x)?;
    let part = b.elementwise(E::Prod, weight, way)?;
    Ok(b.sum(x, part)?.into())
}
