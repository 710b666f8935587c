//! Fourier transforms, as products with the transform's matrix.
//!
//! | schema | layers |
//! |---|---|
//! | `fft_rfft(Tensor self, SymInt? n, int dim, str? norm)`, `fft_irfft`, `fft_fft` | MatrixMultiply, Shuffle |
//! | `fft_ifft` | the same |
//! | `fft_{r,ir,,i}fft{2,n}(Tensor self, SymInt[]? s, int[]? dim, str? norm)` | the same, an axis at a time |
//! | `_fft_r2c`, `_fft_c2r`, `_fft_c2c` `(Tensor self, int[] dim, int normalization, …)` | the same |
//! | `stft(Tensor self, int n_fft, int? hop_length, int? win_length, …)` | Gather, ElementWise, MatrixMultiply |
//! | `fft_fftshift(Tensor self, int[]? dim)`, `fft_ifftshift` | Slice (wrapping) |
//!
//! Dtypes: float32, and complex64 as `complex` has it: an axis of size 2 at the end. The transformed sizes must be
//! known, and the matrix has at most [`LIMIT`] elements; other sizes may be symbolic. The number of frames of a
//! `stft` may be, too.

use super::rearrange::rolled;
use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::call::normalize;
use crate::{Builder, Call, Error, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, SampleMode, TensorId, Weights};
use program::Argument;
use std::f64::consts::TAU;

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.fft_fft.default", forward, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten.fft_fft2.default", forward, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten.fft_fftn.default", forward, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten.fft_ifft.default", inverse, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten.fft_ifft2.default", inverse, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten.fft_ifftn.default", inverse, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten.fft_rfft.default", forward, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten.fft_rfft2.default", forward, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten.fft_rfftn.default", forward, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten.fft_irfft.default", to_real, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten.fft_irfft2.default", to_real, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten.fft_irfftn.default", to_real, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten._fft_r2c.default", forward, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten._fft_c2c.default", forward, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten._fft_c2r.default", to_real, "MatrixMultiply, Shuffle", 1e-5),
    operator("aten.stft.default", stft, "Gather, ElementWise, MatrixMultiply", 1e-5),
    operator("aten.fft_fftshift.default", shift, "Slice", 0.0),
    operator("aten.fft_ifftshift.default", unshift, "Slice", 0.0),
];

/// The largest number of elements of a transform's matrix.
const LIMIT: i64 = 1 << 24;

/// Which way a transform goes, and what it divides by.
#[derive(Clone, Copy)]
struct Direction {
    inverse: bool,
    /// The power of the size that it is divided by: 0, 1/2 or 1.
    scale: f64,
}

impl Direction {
    /// Reads `norm`, or the number that stands for it.
    fn read(call: &Call<'_>, inverse: bool) -> Result<Self> {
        if call.argument("normalization").is_some() {
            let inverse = if call.argument("forward").is_some() { !call.bool("forward")? } else { inverse };
            return Ok(Self { inverse, scale: call.int("normalization")? as f64 / 2.0 });
        }
        let norm = if call.is_none("norm") { "backward" } else { call.string("norm")? };
        let scale = match (norm, inverse) {
            ("ortho", _) => 0.5,
            ("backward", true) | ("forward", false) => 1.0,
            _ => 0.0,
        };
        Ok(Self { inverse, scale })
    }

    /// `exp(± 2 pi i j k / n)` over the scale.
    fn root(self, j: i64, k: i64, n: i64) -> (f64, f64) {
        let angle = TAU * ((j * k) % n) as f64 / n as f64;
        let size = (n as f64).powf(-self.scale);
        (angle.cos() * size, if self.inverse { angle.sin() } else { -angle.sin() } * size)
    }
}

fn matrix(b: &mut Builder, rows: i64, columns: i64, entry: impl Fn(i64, i64) -> f64) -> Result<TensorId> {
    if rows.saturating_mul(columns) > LIMIT {
        return unsupported(format!(
            "a Fourier transform by a matrix of {rows} by {columns} elements; shorter ones convert (TensorRT has no \
             layer for it)"
        ));
    }
    let values = (0..rows * columns).map(|at| entry(at / columns, at % columns));
    b.constant(Weights::from_f64(DType::Float32, &[rows, columns], values))
}

/// The axes that are transformed, in PyTorch's order, and how long each is made before (after, for real results).
struct Plan {
    axes: Vec<usize>,
    sizes: Vec<Option<Dim>>,
    rank: usize,
}

fn plan(call: &Call<'_>) -> Result<Plan> {
    let rank = call.value("self")?.dims.len();
    let sizes: Option<Vec<Dim>> =
        ["n", "s"].into_iter().find(|name| !call.is_none(name)).map(|name| call.sizes(name)).transpose()?;
    let axes: Vec<usize> = match (call.is_none("dim"), &sizes) {
        (false, _) => {
            call.sizes("dim")?.iter().map(|d| normalize(d.as_static().unwrap_or(0), rank)).collect::<Result<_>>()?
        }
        (true, Some(sizes)) => (rank - sizes.len()..rank).collect(),
        (true, None) => (0..rank).collect(),
    };
    let sizes = match sizes {
        // A size of -1 is the size the axis has.
        Some(sizes) => sizes.into_iter().map(|s| (!s.is(-1)).then_some(s)).collect(),
        None => vec![None; axes.len()],
    };
    Ok(Plan { axes, sizes, rank })
}

/// The operand with an axis last (before the parts), cut or filled with zeros to a length.
fn prepared(b: &mut Builder, x: TensorId, axis: usize, last: usize, length: &Dim) -> Result<TensorId> {
    let x = b.move_axis(x, axis, last)?;
    let mut size = b.dims(x);
    if size[last] == *length {
        return Ok(x);
    }
    size[last] = length.clone();
    let (start, stride) = (vec![Dim::Static(0); size.len()], vec![1; size.len()]);
    let zero = b.constant(Weights::scalar(b.dtype(x), 0.0))?;
    b.sample(x, [&start, &size], &stride, SampleMode::Fill, Some(zero))
}

fn known(length: &Dim) -> Result<i64> {
    length.as_static().filter(|n| *n > 0).ok_or_else(|| {
        Error::unsupported(format!("a Fourier transform over {length} elements: the size must be known and positive"))
    })
}

/// Rows of `from` numbers times a matrix, seen as `to` pairs (or numbers).
fn multiply(b: &mut Builder, x: TensorId, lead: usize, matrix: TensorId, to: &[Dim]) -> Result<TensorId> {
    let lead_dims = b.dims(x)[..lead].to_vec();
    let row = Dim::product(&b.dims(x)[lead..]);
    let flat = b.reshape(x, &[&lead_dims[..], &[row]].concat())?;
    // A single row is a matrix of one row.
    let flat = if lead == 0 { b.unsqueeze(flat, &[0])? } else { flat };
    let y = b.matmul(flat, matrix)?;
    b.reshape(y, &[&lead_dims[..], to].concat())
}

/// Real `[…, n]` to complex `[…, m, 2]` along an axis.
fn real_to_complex(
    b: &mut Builder,
    x: TensorId,
    axis: usize,
    length: &Dim,
    d: Direction,
    half: bool,
) -> Result<TensorId> {
    let (last, n) = (b.rank(x) - 1, known(length)?);
    let x = prepared(b, x, axis, last, length)?;
    let m = if half { n / 2 + 1 } else { n };
    let entry = |k: i64, c: i64| {
        let (real, imaginary) = d.root(c / 2, k, n);
        if c % 2 == 0 { real } else { imaginary }
    };
    let matrix = matrix(b, n, 2 * m, entry)?;
    let y = multiply(b, x, last, matrix, &[Dim::Static(m), Dim::Static(2)])?;
    b.move_axis(y, last, axis)
}

/// Complex to complex along an axis.
fn complex_to_complex(b: &mut Builder, x: TensorId, axis: usize, length: &Dim, d: Direction) -> Result<TensorId> {
    let (last, n) = (b.rank(x) - 2, known(length)?);
    let x = prepared(b, x, axis, last, length)?;
    let entry = |r: i64, c: i64| {
        let (real, imaginary) = d.root(c / 2, r / 2, n);
        match (r % 2, c % 2) {
            (0, 0) | (1, 1) => real,
            (0, _) => imaginary,
            _ => -imaginary,
        }
    };
    let matrix = matrix(b, 2 * n, 2 * n, entry)?;
    let y = multiply(b, x, last, matrix, &[Dim::Static(n), Dim::Static(2)])?;
    b.move_axis(y, last, axis)
}

/// Complex `[…, n/2 + 1, 2]`, whose other half is its mirror image, to real `[…, n]` along an axis.
fn complex_to_real(b: &mut Builder, x: TensorId, axis: usize, length: &Dim, d: Direction) -> Result<TensorId> {
    let (last, n) = (b.rank(x) - 2, known(length)?);
    let m = n / 2 + 1;
    let x = prepared(b, x, axis, last, &Dim::Static(m))?;
    let entry = |r: i64, t: i64| {
        let (real, imaginary) = d.root(r / 2, t, n);
        // What has a mirror image counts twice.
        let weight = if r / 2 == 0 || 2 * (r / 2) == n { 1.0 } else { 2.0 };
        weight * if r % 2 == 0 { real } else { -imaginary }
    };
    let matrix = matrix(b, 2 * m, n, entry)?;
    let y = multiply(b, x, last, matrix, &[Dim::Static(n)])?;
    b.move_axis(y, last, axis)
}

/// To complex: from real where the operand is, along the last of the axes first.
fn spectrum(b: &mut Builder, call: &Call<'_>, inverse: bool) -> Result<Outputs> {
    let (mut x, d, plan) = (call.tensor("self")?, Direction::read(call, inverse)?, plan(call)?);
    let mut real = !call.value("self")?.dtype.is_complex();
    if real {
        x = b.cast(x, DType::Float32)?;
    }
    let onesided = match call.argument("onesided") {
        Some(_) => call.bool("onesided")?,
        None => call.target().contains("rfft"),
    };
    for (axis, size) in plan.axes.iter().zip(&plan.sizes).rev() {
        let length = size.clone().unwrap_or_else(|| b.dims(x)[*axis].clone());
        x = if real {
            real_to_complex(b, x, *axis, &length, d, onesided)?
        } else {
            complex_to_complex(b, x, *axis, &length, d)?
        };
        real = false;
    }
    Ok(x.into())
}

fn forward(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    spectrum(b, call, false)
}

fn inverse(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    spectrum(b, call, true)
}

/// To real: along the last of the axes at the end.
fn to_real(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (mut x, d, plan) = (call.tensor("self")?, Direction::read(call, true)?, plan(call)?);
    let d = Direction { inverse: true, ..d };
    let Some((last, others)) = plan.axes.split_last() else { return unsupported("a transform along no axis") };
    if !call.value("self")?.dtype.is_complex() {
        return unsupported("a transform to real numbers of a real tensor");
    }
    for (axis, size) in others.iter().zip(&plan.sizes) {
        let length = size.clone().unwrap_or_else(|| b.dims(x)[*axis].clone());
        x = complex_to_complex(b, x, *axis, &length, d)?;
    }
    let length = call.output_dims(0)?.get(*last).cloned().unwrap_or(Dim::Static(1));
    debug_assert!(*last < plan.rank);
    Ok(complex_to_real(b, x, *last, &length, d)?.into())
}

/// The window, in the middle of a frame.
fn window(b: &mut Builder, call: &Call<'_>, n: i64) -> Result<Option<TensorId>> {
    let length = if call.is_none("win_length") { n } else { call.int("win_length")? };
    let window = match call.optional_tensor("window")? {
        Some(window) => b.cast(window, DType::Float32)?,
        None if length == n => return Ok(None),
        None => b.full(DType::Float32, &[Dim::Static(length)], 1.0)?,
    };
    if length == n {
        return Ok(Some(window));
    }
    let zero = b.constant(Weights::scalar(DType::Float32, 0.0))?;
    let start = [Dim::Static(-((n - length) / 2))];
    Ok(Some(b.sample(window, [&start, &[Dim::Static(n)]], &[1], SampleMode::Fill, Some(zero))?))
}

/// Frames `hop` apart, each times the window and transformed: `[batch, frequencies, frames]` complex.
fn stft(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, n) = (call.tensor("self")?, call.int("n_fft")?);
    if call.value("self")?.dtype.is_complex() {
        return unsupported("stft of a complex signal");
    }
    let hop = if call.is_none("hop_length") { n / 4 } else { call.int("hop_length")? };
    let half = call.is_none("onesided") || call.bool("onesided")?;
    let time = b.rank(x) - 1;
    let frames = (b.dims(x)[time].clone() - Dim::Static(n)).floor_div(&Dim::Static(hop)) + Dim::Static(1);
    let start = b.iota_along(&frames, DType::Int64, 0, 2)?;
    let start = b.with_scalar(E::Prod, start, hop as f64)?;
    let within = b.iota_along(&Dim::Static(n), DType::Int64, 1, 2)?;
    let positions = b.sum(start, within)?;
    let mut rows = b.gather(x, positions, time)?;
    if let Some(window) = window(b, call, n)? {
        rows = b.elementwise(E::Prod, rows, window)?;
    }
    let d = Direction { inverse: false, scale: if call.bool("normalized")? { 0.5 } else { 0.0 } };
    let y = real_to_complex(b, rows, time + 1, &Dim::Static(n), d, half)?;
    Ok(b.transpose(y, time, time + 1)?.into())
}

fn shifted(b: &mut Builder, call: &Call<'_>, amount: fn(&Dim) -> Dim) -> Result<Outputs> {
    let (x, rank) = (call.tensor("self")?, call.value("self")?.dims.len());
    let axes = match call.argument("dim") {
        Some(Argument::None) | None => (0..rank).collect(),
        _ => call.axes("dim", rank)?,
    };
    let shifts: Vec<Dim> = axes.iter().map(|k| amount(&b.dims(x)[*k])).collect();
    Ok(rolled(b, x, &shifts, &axes)?.into())
}

/// The zero frequency to the middle.
fn shift(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    shifted(b, call, |n| n.floor_div(&Dim::Static(2)))
}

/// The zero frequency back to the front.
fn unshift(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    shifted(b, call, |n| n.ceil_div(&Dim::Static(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_of_unity_have_the_sign_and_the_scale_of_their_direction() {
        let forward = Direction { inverse: false, scale: 0.0 };
        let (real, imaginary) = forward.root(3, 5, 4);
        assert!((real - 0.0).abs() < 1e-12 && (imaginary - 1.0).abs() < 1e-12, "exp(-2 pi i 15/4) is i");
        let inverse = Direction { inverse: true, scale: 1.0 };
        let (real, imaginary) = inverse.root(1, 1, 4);
        assert!((real - 0.0).abs() < 1e-12 && (imaginary - 0.25).abs() < 1e-12);
    }
}
