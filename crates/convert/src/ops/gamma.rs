//! The gamma function's logarithm and its derivative, and the inverse error function.
//!
//! | schema `(Tensor self)` | layers |
//! |---|---|
//! | `lgamma`, `special_gammaln`, `digamma`, `special_digamma`, `special_psi` | ElementWise, Unary, Select |
//! | `erfinv`, `special_erfinv` | ElementWise, Unary, Select |
//!
//! Dtypes: the output's float type. Sizes pass through. TensorRT has no layer for any of them: they are made of
//! series that hold float32's precision (Stirling's, after six steps up from small arguments and a reflection from
//! negative ones; for `erfinv`, M. Giles' polynomials).

use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use network::{ElementWiseOperation as E, TensorId, UnaryOperation as U};
use std::f64::consts::PI;

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.lgamma.default", lgamma, "ElementWise, Unary, Select", 1e-5),
    operator("aten.special_gammaln.default", lgamma, "ElementWise, Unary, Select", 1e-5),
    operator("aten.digamma.default", digamma, "ElementWise, Unary, Select", 1e-5),
    operator("aten.special_digamma.default", digamma, "ElementWise, Unary, Select", 1e-5),
    operator("aten.special_psi.default", digamma, "ElementWise, Unary, Select", 1e-5),
    operator("aten.erfinv.default", erfinv, "ElementWise, Unary, Select", 1e-5),
    operator("aten.special_erfinv.default", erfinv, "ElementWise, Unary, Select", 1e-5),
];

/// How far small arguments are moved up, to where the series are exact.
const STEPS: u32 = 6;

/// An argument prepared for a series.
struct Reflected {
    /// Whether the original was below one half.
    low: TensorId,
    /// The original, or one minus it: at least one half.
    y: TensorId,
    /// The distance of the original from the nearest integer, which has the same sine and tangent but for the sign.
    fraction: TensorId,
}

fn float(b: &mut Builder, call: &Call<'_>) -> Result<TensorId> {
    let x = call.tensor("self")?;
    b.cast(x, call.output_dtype(0)?)
}

fn number(b: &mut Builder, like: TensorId, value: f64) -> Result<TensorId> {
    b.scalar(b.dtype(like), value, b.rank(like))
}

fn reflect(b: &mut Builder, x: TensorId) -> Result<Reflected> {
    let (half, one) = (number(b, x, 0.5)?, number(b, x, 1.0)?);
    let low = b.elementwise(E::Less, x, half)?;
    let mirrored = b.sub(one, x)?;
    let y = b.select(low, mirrored, x)?;
    let nearest = b.unary(U::Round, x)?;
    let fraction = b.sub(x, nearest)?;
    Ok(Reflected { low, y, fraction })
}

/// The sum of `coefficients[k] * t^k`, by Horner's rule.
pub(super) fn polynomial(b: &mut Builder, t: TensorId, coefficients: &[f64]) -> Result<TensorId> {
    let (first, rest) = match coefficients.split_last() {
        Some((last, rest)) => (*last, rest),
        None => (0.0, coefficients),
    };
    let mut sum = number(b, t, first)?;
    for coefficient in rest.iter().rev() {
        let product = b.prod(sum, t)?;
        sum = b.with_scalar(E::Sum, product, *coefficient)?;
    }
    Ok(sum)
}

/// y moved up by [`STEPS`] where it is small, and where that is.
fn raised(b: &mut Builder, y: TensorId) -> Result<(TensorId, TensorId)> {
    let limit = number(b, y, 8.0)?;
    let small = b.elementwise(E::Less, y, limit)?;
    let above = b.with_scalar(E::Sum, y, f64::from(STEPS))?;
    Ok((b.select(small, above, y)?, small))
}

/// `(ζ(k) - 1) / k` with alternating signs from k = 2 on, and `1 - γ` before: `ln Γ(2 + t) / t` in powers of t.
const AROUND_TWO: [f64; 12] = [
    0.42278433509846713,
    0.6449340668482264 / 2.0,
    -0.2020569031595943 / 3.0,
    0.0823232337111382 / 4.0,
    -0.0369277551433699 / 5.0,
    0.0173430619844491 / 6.0,
    -0.0083492773819228 / 7.0,
    0.0040773561979443 / 8.0,
    -0.0020083928260822 / 9.0,
    0.0009945751278181 / 10.0,
    -0.0004941886041195 / 11.0,
    0.0002460865533080 / 12.0,
];

/// `ln Γ(y)` for y from 0.5 to 2.5: a series around 2, and one step down from there below 1.5. Around the zeros at
/// 1 and 2, differences of larger numbers would lose all digits.
fn log_gamma_near_two(b: &mut Builder, y: TensorId) -> Result<TensorId> {
    let (limit, one, two) = (number(b, y, 1.5)?, number(b, y, 1.0)?, number(b, y, 2.0)?);
    let below = b.elementwise(E::Less, y, limit)?;
    let centre = b.select(below, one, two)?;
    let t = b.sub(y, centre)?;
    let series = polynomial(b, t, &AROUND_TWO)?;
    let series = b.prod(series, t)?;
    let divisor = b.select(below, y, one)?;
    let log = b.unary(U::Log, divisor)?;
    b.sub(series, log)
}

/// `ln Γ(y)` for y of at least one half.
fn log_gamma(b: &mut Builder, y: TensorId) -> Result<TensorId> {
    let (near, far) = (log_gamma_near_two(b, y)?, log_gamma_far(b, y)?);
    let limit = number(b, y, 2.5)?;
    let small = b.elementwise(E::Less, y, limit)?;
    b.select(small, near, far)
}

/// Stirling's series, less the logarithm of what the steps multiplied.
fn log_gamma_far(b: &mut Builder, y: TensorId) -> Result<TensorId> {
    let (z, small) = raised(b, y)?;
    let (log, inverse) = (b.unary(U::Log, z)?, b.unary(U::Recip, z)?);
    let exponent = b.with_scalar(E::Sub, z, 0.5)?;
    let main = b.prod(exponent, log)?;
    let main = b.sub(main, z)?;
    let square = b.prod(inverse, inverse)?;
    let series = polynomial(b, square, &[1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0])?;
    let series = b.prod(series, inverse)?;
    let series = b.with_scalar(E::Sum, series, (2.0 * PI).ln() / 2.0)?;
    let stirling = b.sum(main, series)?;
    // Beyond the limit nothing is stepped over, and the product must not overflow.
    let one = number(b, y, 1.0)?;
    let base = b.select(small, y, one)?;
    let mut product = base;
    for k in 1..STEPS {
        let factor = b.with_scalar(E::Sum, base, f64::from(k))?;
        product = b.prod(product, factor)?;
    }
    let stepped = b.unary(U::Log, product)?;
    let lowered = b.sub(stirling, stepped)?;
    b.select(small, lowered, stirling)
}

/// Below one half, `ln(pi / |sin(pi x)|) - ln Γ(1 - x)`.
fn lgamma(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    let Reflected { low, y, fraction } = reflect(b, x)?;
    let direct = log_gamma(b, y)?;
    let angle = b.with_scalar(E::Prod, fraction, PI)?;
    let sine = b.unary(U::Sin, angle)?;
    let sine = b.unary(U::Abs, sine)?;
    let log = b.unary(U::Log, sine)?;
    let ceiling = number(b, x, PI.ln())?;
    let mirrored = b.sub(ceiling, log)?;
    let mirrored = b.sub(mirrored, direct)?;
    let value = b.select(low, mirrored, direct)?;
    // At infinity both parts are infinite; the value is, too.
    let infinite = b.unary(U::Isinf, x)?;
    let size = b.unary(U::Abs, x)?;
    Ok(b.select(infinite, size, value)?.into())
}

/// The derivative of `ln Γ`; below one half, `ψ(1 - x) - pi / tan(pi x)`.
fn digamma(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    let Reflected { low, y, fraction } = reflect(b, x)?;
    let (z, small) = raised(b, y)?;
    let (log, inverse) = (b.unary(U::Log, z)?, b.unary(U::Recip, z)?);
    let square = b.prod(inverse, inverse)?;
    let series = polynomial(b, square, &[-1.0 / 12.0, 1.0 / 120.0, -1.0 / 252.0])?;
    let series = b.prod(series, square)?;
    let half = b.with_scalar(E::Prod, inverse, 0.5)?;
    let main = b.sub(log, half)?;
    let asymptotic = b.sum(main, series)?;
    let mut steps = b.unary(U::Recip, y)?;
    for k in 1..STEPS {
        let at = b.with_scalar(E::Sum, y, f64::from(k))?;
        let step = b.unary(U::Recip, at)?;
        steps = b.sum(steps, step)?;
    }
    let lowered = b.sub(asymptotic, steps)?;
    let direct = b.select(small, lowered, asymptotic)?;
    let angle = b.with_scalar(E::Prod, fraction, PI)?;
    let tangent = b.unary(U::Tan, angle)?;
    let pi = number(b, x, PI)?;
    let turn = b.div(pi, tangent)?;
    let mirrored = b.sub(direct, turn)?;
    let value = b.select(low, mirrored, direct)?;
    Ok(without_poles(b, x, fraction, value)?.into())
}

/// NaN at the negative integers, where the function has no value.
fn without_poles(b: &mut Builder, x: TensorId, fraction: TensorId, value: TensorId) -> Result<TensorId> {
    let (zero, nan) = (number(b, x, 0.0)?, number(b, x, f64::NAN)?);
    let whole = b.elementwise(E::Equal, fraction, zero)?;
    let negative = b.elementwise(E::Less, x, zero)?;
    let pole = b.elementwise(E::And, whole, negative)?;
    b.select(pole, nan, value)
}

/// Around the middle, in powers of `w - 2.5`.
const CENTRE: [f64; 9] = [
    1.50140941,
    0.246640727,
    -0.00417768164,
    -0.00125372503,
    0.00021858087,
    -4.39150654e-06,
    -3.5233877e-06,
    3.43273939e-07,
    2.81022636e-08,
];

/// Towards the ends, in powers of `sqrt(w) - 3`.
const ENDS: [f64; 9] = [
    2.83297682,
    1.00167406,
    0.00943887047,
    -0.0076224613,
    0.00573950773,
    -0.00367342844,
    0.00134934322,
    0.000100950558,
    -0.000200214257,
];

/// x times a polynomial of `w = -ln(1 - x^2)`; infinite at both ends.
fn erfinv(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = float(b, call)?;
    let one = number(b, x, 1.0)?;
    let (below, above) = (b.sub(one, x)?, b.sum(one, x)?);
    let product = b.prod(below, above)?;
    let log = b.unary(U::Log, product)?;
    let w = b.unary(U::Neg, log)?;
    let t = b.with_scalar(E::Sub, w, 2.5)?;
    let centre = polynomial(b, t, &CENTRE)?;
    let root = b.unary(U::Sqrt, w)?;
    let t = b.with_scalar(E::Sub, root, 3.0)?;
    let ends = polynomial(b, t, &ENDS)?;
    let limit = number(b, x, 5.0)?;
    let central = b.elementwise(E::Less, w, limit)?;
    let factor = b.select(central, centre, ends)?;
    let endless = b.unary(U::Isinf, w)?;
    let infinity = number(b, x, f64::INFINITY)?;
    let factor = b.select(endless, infinity, factor)?;
    Ok(b.prod(x, factor)?.into())
}
