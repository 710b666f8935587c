//! Functions of one operand.
//!
//! | schema `(Tensor self)` | layers |
//! |---|---|
//! | `exp`, `log`, `sqrt`, `reciprocal`, `sin`, `cos`, `tan`, `sinh`, `cosh`, `asin`, `acos`, `atan`, `asinh` | Unary |
//! | `acosh`, `atanh`, `erf`, `ceil`, `floor`, `round` | the same |
//! | `abs`, `neg`, `sign`, `sgn` | Unary (integers too) |
//! | `isinf`, `isnan`, `isfinite`, `isposinf`, `isneginf`, `signbit` | Unary, ElementWise |
//! | `rsqrt`, `square`, `exp2`, `log2`, `log10`, `erfc`, `expm1`, `log1p`, `trunc`, `frac` | Unary, ElementWise |
//! | `round.decimals`, `deg2rad`, `rad2deg`, `sinc`, `logit`, `nan_to_num`, `special_entr`, `angle` | the same |
//!
//! Dtypes: where PyTorch's result is a float, integers are cast to it first. Rounding leaves integers alone. Sizes
//! pass through. `expm1` and `log1p` keep their precision near 0.

use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use network::{ActivationType, DType, ElementWiseOperation as E, TensorId, UnaryOperation as U};
use std::f64::consts::{LN_2, LN_10, PI};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.abs.default", exact, "Unary", 0.0),
    operator("aten.absolute.default", exact, "Unary", 0.0),
    operator("aten.neg.default", exact, "Unary", 0.0),
    operator("aten.negative.default", exact, "Unary", 0.0),
    operator("aten.sign.default", exact, "Unary", 0.0),
    operator("aten.sgn.default", exact, "Unary", 0.0),
    operator("aten.ceil.default", round, "Unary", 0.0),
    operator("aten.floor.default", round, "Unary", 0.0),
    operator("aten.round.default", round, "Unary", 0.0),
    operator("aten.round.decimals", round_decimals, "Unary, ElementWise", 1e-6),
    operator("aten.trunc.default", trunc, "Unary, ElementWise", 0.0),
    operator("aten.fix.default", trunc, "Unary, ElementWise", 0.0),
    operator("aten.frac.default", frac, "Unary, ElementWise", 1e-6),
    operator("aten.exp.default", function, "Unary", 1e-6),
    operator("aten.log.default", function, "Unary", 1e-6),
    operator("aten.sqrt.default", function, "Unary", 1e-6),
    operator("aten.reciprocal.default", function, "Unary", 1e-6),
    operator("aten.sin.default", function, "Unary", 1e-6),
    operator("aten.cos.default", function, "Unary", 1e-6),
    operator("aten.tan.default", function, "Unary", 1e-6),
    operator("aten.sinh.default", function, "Unary", 1e-6),
    operator("aten.cosh.default", function, "Unary", 1e-6),
    operator("aten.asin.default", function, "Unary", 1e-6),
    operator("aten.acos.default", function, "Unary", 1e-6),
    operator("aten.atan.default", function, "Unary", 1e-6),
    operator("aten.asinh.default", function, "Unary", 1e-6),
    operator("aten.acosh.default", function, "Unary", 1e-6),
    operator("aten.atanh.default", function, "Unary", 1e-6),
    operator("aten.erf.default", function, "Unary", 1e-6),
    operator("aten.special_erf.default", function, "Unary", 1e-6),
    operator("aten.erfc.default", erfc, "Unary, ElementWise", 1e-6),
    operator("aten.special_erfc.default", erfc, "Unary, ElementWise", 1e-6),
    operator("aten.rsqrt.default", rsqrt, "Unary", 1e-6),
    operator("aten.square.default", square, "ElementWise", 1e-6),
    operator("aten.exp2.default", exp2, "ElementWise", 1e-6),
    operator("aten.special_exp2.default", exp2, "ElementWise", 1e-6),
    operator("aten.log2.default", log2, "Unary, ElementWise", 1e-6),
    operator("aten.log10.default", log10, "Unary, ElementWise", 1e-6),
    operator("aten.expm1.default", expm1, "Unary, ElementWise", 1e-6),
    operator("aten.special_expm1.default", expm1, "Unary, ElementWise", 1e-6),
    operator("aten.log1p.default", log1p, "Unary, ElementWise, Select", 1e-6),
    operator("aten.special_log1p.default", log1p, "Unary, ElementWise, Select", 1e-6),
    operator("aten.sinc.default", sinc, "Unary, ElementWise, Select", 1e-5),
    operator("aten.special_sinc.default", sinc, "Unary, ElementWise, Select", 1e-5),
    operator("aten.logit.default", logit, "Unary, ElementWise", 1e-5),
    operator("aten.special_logit.default", logit, "Unary, ElementWise", 1e-5),
    operator("aten.special_entr.default", entr, "Unary, ElementWise, Select", 1e-6),
    operator("aten.deg2rad.default", deg2rad, "ElementWise", 1e-6),
    operator("aten.rad2deg.default", rad2deg, "ElementWise", 1e-6),
    operator("aten.angle.default", angle, "ElementWise, Select", 1e-6),
    operator("aten.nan_to_num.default", nan_to_num, "Unary, ElementWise, Select", 0.0),
    operator("aten.isnan.default", isnan, "Unary", 0.0),
    operator("aten.isinf.default", isinf, "Unary", 0.0),
    operator("aten.isfinite.default", isfinite, "Unary, ElementWise", 0.0),
    operator("aten.isposinf.default", isposinf, "ElementWise", 0.0),
    operator("aten.isneginf.default", isneginf, "ElementWise", 0.0),
    operator("aten.signbit.default", signbit, "Unary, ElementWise", 0.0),
];

/// The layer of the same meaning.
fn layer(target: &str) -> Option<U> {
    Some(match target.split('.').nth(1)?.trim_start_matches("special_") {
        "abs" | "absolute" => U::Abs,
        "neg" | "negative" => U::Neg,
        "sign" | "sgn" => U::Sign,
        "ceil" => U::Ceil,
        "floor" => U::Floor,
        "round" => U::Round,
        "exp" => U::Exp,
        "log" => U::Log,
        "sqrt" => U::Sqrt,
        "reciprocal" => U::Recip,
        "sin" => U::Sin,
        "cos" => U::Cos,
        "tan" => U::Tan,
        "sinh" => U::Sinh,
        "cosh" => U::Cosh,
        "asin" => U::Asin,
        "acos" => U::Acos,
        "atan" => U::Atan,
        "asinh" => U::Asinh,
        "acosh" => U::Acosh,
        "atanh" => U::Atanh,
        "erf" => U::Erf,
        _ => return None,
    })
}

fn apply(b: &mut Builder, call: &Call<'_>, x: TensorId) -> Result<Outputs> {
    let Some(op) = layer(call.target()) else {
        return Err(crate::Error::Converter { problem: format!("{} has no layer of its own", call.target()) });
    };
    Ok(b.unary(op, x)?.into())
}

/// The operand in the output's type: a float.
fn float(b: &mut Builder, call: &Call<'_>) -> Result<TensorId> {
    let x = call.tensor("self")?;
    b.cast(x, call.output_dtype(0)?)
}

fn function(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    apply(b, call, x)
}

/// Functions that keep integers; of a bool, the sign is the bool.
fn exact(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    if b.dtype(x) == DType::Bool { Ok(x.into()) } else { apply(b, call, x) }
}

fn round(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    if b.dtype(x).is_float() { apply(b, call, x) } else { Ok(x.into()) }
}

fn round_decimals(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, decimals) = (call.tensor("self")?, call.int("decimals")?);
    if !b.dtype(x).is_float() {
        return Ok(x.into());
    }
    // Powers of ten up to the decimals are exact in a way that their inverses are not.
    let scale = 10f64.powi(i32::try_from(decimals.abs()).unwrap_or(i32::MAX));
    let (before, after) = if decimals < 0 { (E::Div, E::Prod) } else { (E::Prod, E::Div) };
    let scaled = b.with_scalar(before, x, scale)?;
    let whole = b.unary(U::Round, scaled)?;
    Ok(b.with_scalar(after, whole, scale)?.into())
}

fn trunc(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    Ok(b.truncate(x)?.into())
}

fn frac(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let whole = b.truncate(x)?;
    Ok(b.sub(x, whole)?.into())
}

fn erfc(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    let erf = b.unary(U::Erf, x)?;
    let one = b.scalar(b.dtype(x), 1.0, b.rank(x))?;
    Ok(b.sub(one, erf)?.into())
}

fn rsqrt(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    let root = b.unary(U::Sqrt, x)?;
    Ok(b.unary(U::Recip, root)?.into())
}

fn square(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    Ok(b.prod(x, x)?.into())
}

/// 2 to the power x: more exact than `exp(x * ln 2)`.
fn exp2(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    let two = b.scalar(b.dtype(x), 2.0, b.rank(x))?;
    Ok(b.elementwise(E::Pow, two, x)?.into())
}

fn log2(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    let log = b.unary(U::Log, x)?;
    Ok(b.times(log, LN_2.recip())?.into())
}

fn log10(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    let log = b.unary(U::Log, x)?;
    Ok(b.times(log, LN_10.recip())?.into())
}

/// `2 * exp(x/2) * sinh(x/2)`, which cancels nowhere. Below -30 the result is -1 to the last bit, and sinh would
/// only overflow.
fn expm1(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    let x = b.with_scalar(E::Max, x, -30.0)?;
    let half = b.with_scalar(E::Prod, x, 0.5)?;
    let (power, sinh) = (b.unary(U::Exp, half)?, b.unary(U::Sinh, half)?);
    let product = b.prod(power, sinh)?;
    Ok(b.with_scalar(E::Prod, product, 2.0)?.into())
}

fn log1p(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    Ok(log_of_one_plus(b, x)?.into())
}

/// Near 0, `2 * atanh(x / (x + 2))`, elsewhere `log(1 + x)`.
pub(super) fn log_of_one_plus(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let shifted = b.with_scalar(E::Sum, x, 2.0)?;
    let ratio = b.div(x, shifted)?;
    let near = b.unary(U::Atanh, ratio)?;
    let near = b.with_scalar(E::Prod, near, 2.0)?;
    let whole = b.with_scalar(E::Sum, x, 1.0)?;
    let far = b.unary(U::Log, whole)?;
    let size = b.unary(U::Abs, x)?;
    let limit = b.scalar(b.dtype(x), 0.5, b.rank(x))?;
    let small = b.elementwise(E::Less, size, limit)?;
    b.select(small, near, far)
}

/// `sin(pi x) / (pi x)`, 1 at 0.
fn sinc(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    let angle = b.with_scalar(E::Prod, x, PI)?;
    let sine = b.unary(U::Sin, angle)?;
    let ratio = b.div(sine, angle)?;
    let (zero, one) = (b.scalar(b.dtype(x), 0.0, b.rank(x))?, b.scalar(b.dtype(x), 1.0, b.rank(x))?);
    let origin = b.elementwise(E::Equal, x, zero)?;
    Ok(b.select(origin, one, ratio)?.into())
}

/// `log(x / (1 - x))`, with x kept `eps` away from both ends.
fn logit(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let mut x = float(b, call)?;
    match call.optional_float("eps")? {
        Some(eps) if eps <= 0.5 => x = b.activation(ActivationType::Clip, eps, 1.0 - eps, x)?,
        Some(eps) => {
            // The ends have passed each other: nothing stays between them.
            let (low, high) = (b.scalar(b.dtype(x), eps, b.rank(x))?, b.scalar(b.dtype(x), 1.0 - eps, b.rank(x))?);
            let below = b.elementwise(E::Less, x, low)?;
            x = b.select(below, low, high)?;
        }
        None => {}
    }
    let one = b.scalar(b.dtype(x), 1.0, b.rank(x))?;
    let rest = b.sub(one, x)?;
    let odds = b.div(x, rest)?;
    Ok(b.unary(U::Log, odds)?.into())
}

/// `-x * log(x)`; 0 at 0, minus infinity below.
fn entr(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    let (dtype, rank) = (b.dtype(x), b.rank(x));
    let log = b.unary(U::Log, x)?;
    let product = b.prod(x, log)?;
    let inside = b.unary(U::Neg, product)?;
    let (zero, low) = (b.scalar(dtype, 0.0, rank)?, b.scalar(dtype, f64::NEG_INFINITY, rank)?);
    let origin = b.elementwise(E::Equal, x, zero)?;
    let inside = b.select(origin, zero, inside)?;
    let below = b.elementwise(E::Less, x, zero)?;
    Ok(b.select(below, low, inside)?.into())
}

fn deg2rad(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    Ok(b.with_scalar(E::Prod, x, PI / 180.0)?.into())
}

fn rad2deg(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    Ok(b.with_scalar(E::Prod, x, 180.0 / PI)?.into())
}

/// Of a real number: pi where it is negative, 0 elsewhere, NaN of NaN.
fn angle(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    let (dtype, rank) = (b.dtype(x), b.rank(x));
    let (zero, half_turn) = (b.scalar(dtype, 0.0, rank)?, b.scalar(dtype, PI, rank)?);
    let negative = b.elementwise(E::Less, x, zero)?;
    let angle = b.select(negative, half_turn, zero)?;
    let nan = b.unary(U::Isnan, x)?;
    Ok(b.select(nan, x, angle)?.into())
}

/// The largest finite number of a float type.
fn largest(dtype: DType) -> f64 {
    match dtype {
        DType::Float16 => 65504.0,
        DType::BFloat16 => f64::from(half::bf16::MAX),
        _ => f64::from(f32::MAX),
    }
}

fn nan_to_num(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let mut x = call.tensor("self")?;
    let (dtype, rank) = (b.dtype(x), b.rank(x));
    if !dtype.is_float() {
        return Ok(x.into());
    }
    let cases = [("posinf", f64::INFINITY, largest(dtype)), ("neginf", f64::NEG_INFINITY, -largest(dtype))];
    let nan = b.unary(U::Isnan, x)?;
    let instead = b.scalar(dtype, call.optional_float("nan")?.unwrap_or(0.0), rank)?;
    for (name, special, default) in cases {
        let special = b.scalar(dtype, special, rank)?;
        let hit = b.elementwise(E::Equal, x, special)?;
        let value = b.scalar(dtype, call.optional_float(name)?.unwrap_or(default), rank)?;
        x = b.select(hit, value, x)?;
    }
    Ok(b.select(nan, instead, x)?.into())
}

/// What a float type alone can be, on other types: never.
fn never(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    Ok(b.full(DType::Bool, call.output_dims(0)?, 0.0)?.into())
}

fn isnan(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    if b.dtype(x).is_float() { Ok(b.unary(U::Isnan, x)?.into()) } else { never(b, call) }
}

fn isinf(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    if b.dtype(x).is_float() { Ok(b.unary(U::Isinf, x)?.into()) } else { never(b, call) }
}

fn isfinite(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    if !b.dtype(x).is_float() {
        return Ok(b.full(DType::Bool, call.output_dims(0)?, 1.0)?.into());
    }
    let (infinite, nan) = (b.unary(U::Isinf, x)?, b.unary(U::Isnan, x)?);
    let either = b.elementwise(E::Or, infinite, nan)?;
    Ok(b.not(either)?.into())
}

fn equals(b: &mut Builder, call: &Call<'_>, value: f64) -> Result<Outputs> {
    let x = call.tensor("self")?;
    if !b.dtype(x).is_float() {
        return never(b, call);
    }
    let value = b.scalar(b.dtype(x), value, b.rank(x))?;
    Ok(b.elementwise(E::Equal, x, value)?.into())
}

fn isposinf(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    equals(b, call, f64::INFINITY)
}

fn isneginf(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    equals(b, call, f64::NEG_INFINITY)
}

/// Whether the sign bit is set: of a negative zero, it is its inverse that is below 0.
pub(super) fn is_negative(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let zero = b.scalar(b.dtype(x), 0.0, b.rank(x))?;
    let below = b.elementwise(E::Less, x, zero)?;
    if !b.dtype(x).is_float() {
        return Ok(below);
    }
    let inverse = b.unary(U::Recip, x)?;
    let below_zero = b.elementwise(E::Less, inverse, zero)?;
    b.elementwise(E::Or, below, below_zero)
}

fn signbit(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    if b.dtype(x) == DType::Bool { never(b, call) } else { Ok(is_negative(b, x)?.into()) }
}
