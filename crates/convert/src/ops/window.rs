//! Windows that fade a signal in and out.
//!
//! | schema | layers |
//! |---|---|
//! | `{hann,hamming,blackman,bartlett,kaiser}_window(int window_length, …)` and their `.periodic` | Constant |
//!
//! Dtypes: the output's float type. The length must be known.

use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use network::Weights;
use std::f64::consts::TAU;

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.hann_window.default", cosine, "Constant", 1e-6),
    operator("aten.hann_window.periodic", cosine, "Constant", 1e-6),
    operator("aten.hamming_window.default", cosine, "Constant", 1e-6),
    operator("aten.hamming_window.periodic", cosine, "Constant", 1e-6),
    operator("aten.hamming_window.periodic_alpha", cosine, "Constant", 1e-6),
    operator("aten.hamming_window.periodic_alpha_beta", cosine, "Constant", 1e-6),
    operator("aten.blackman_window.default", cosine, "Constant", 1e-6),
    operator("aten.blackman_window.periodic", cosine, "Constant", 1e-6),
    operator("aten.bartlett_window.default", triangle, "Constant", 1e-6),
    operator("aten.bartlett_window.periodic", triangle, "Constant", 1e-6),
    operator("aten.kaiser_window.default", kaiser, "Constant", 1e-6),
    operator("aten.kaiser_window.periodic", kaiser, "Constant", 1e-6),
    operator("aten.kaiser_window.beta", kaiser, "Constant", 1e-6),
];

/// A window from its shape over one period, `shape(t)` for t from 0 to 1.
fn sampled(b: &mut Builder, call: &Call<'_>, shape: impl Fn(f64) -> f64) -> Result<Outputs> {
    let n = call.int("window_length")?;
    let periodic = call.argument("periodic").is_none() || call.bool("periodic")?;
    let period = if periodic { n } else { n - 1 };
    let value = |k: i64| if n == 1 { 1.0 } else { shape(k as f64 / period as f64) };
    let weights = Weights::from_f64(call.output_dtype(0)?, &[n], (0..n).map(value));
    Ok(b.constant(weights)?.into())
}

/// A number that some overloads have.
fn given(call: &Call<'_>, name: &str, default: f64) -> Result<f64> {
    if call.argument(name).is_some() { call.float(name) } else { Ok(default) }
}

/// `a - b cos(2 pi t) + c cos(4 pi t)`.
fn cosine(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let target = call.target();
    let (mean, first, second) = if target.contains("hann") {
        (0.5, 0.5, 0.0)
    } else if target.contains("hamming") {
        (given(call, "alpha", 0.54)?, given(call, "beta", 0.46)?, 0.0)
    } else {
        (0.42, 0.5, 0.08)
    };
    sampled(b, call, |t| mean - first * (TAU * t).cos() + second * (2.0 * TAU * t).cos())
}

/// Up from 0 in the first half, down to 0 in the second.
fn triangle(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    sampled(b, call, |t| 1.0 - (2.0 * t - 1.0).abs())
}

/// The modified Bessel function of order 0, by its power series: of all x whose result a float holds.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..1000 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

/// `I0(beta sqrt(1 - (2 t - 1)^2)) / I0(beta)`.
fn kaiser(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let beta = given(call, "beta", 12.0)?;
    sampled(b, call, |t| bessel(beta * (1.0 - (2.0 * t - 1.0).powi(2)).max(0.0).sqrt()) / bessel(beta))
}
