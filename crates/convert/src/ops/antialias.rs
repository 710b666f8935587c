//! Interpolation to another size with a filter that is as wide as the elements of the smaller size (`antialias=True`).
//!
//! | schema | layers |
//! |---|---|
//! | `_upsample_{bilinear,bicubic,lanczos}2d_aa(…)`, also as `.vec` | MatrixMultiply with interpolation matrices |
//!
//! Dtypes: float in, the same out. Sizes may be symbolic: the matrices are then computed when the engine runs. An axis
//! whose size stays the same remains as it is even where a scale factor is given, as in PyTorch.

use super::resize::{Target, read};
use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, ReduceOperation, TensorId, UnaryOperation, Weights};

const MATRIX: &str = "MatrixMultiply";

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten._upsample_bilinear2d_aa.default", antialiased, MATRIX, 1e-5),
    operator("aten._upsample_bilinear2d_aa.vec", antialiased, MATRIX, 1e-5),
    operator("aten._upsample_bicubic2d_aa.default", antialiased, MATRIX, 1e-5),
    operator("aten._upsample_bicubic2d_aa.vec", antialiased, MATRIX, 1e-5),
    operator("aten._upsample_lanczos2d_aa.default", antialiased, MATRIX, 1e-5),
    operator("aten._upsample_lanczos2d_aa.vec", antialiased, MATRIX, 1e-5),
];

/// A filter of an antialiased form: its width, and its value at a distance.
#[derive(Clone, Copy)]
struct Filter {
    width: f64,
    weight: fn(f64) -> f64,
    /// The weights as layers, of distances.
    layers: fn(&mut Builder, TensorId) -> Result<TensorId>,
}

fn triangle(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

/// Cubic convolution with a = -0.5.
fn cubic_convolution(x: f64) -> f64 {
    let (a, x) = (-0.5, x.abs());
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * a
    } else {
        0.0
    }
}

/// `sinc(x) · sinc(x / 3)` within three elements.
fn lanczos(x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
    if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

fn antialiased(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let target = read(call)?;
    let filter = match call.target() {
        name if name.contains("bilinear") => Filter { width: 2.0, weight: triangle, layers: triangle_layers },
        name if name.contains("bicubic") => Filter { width: 4.0, weight: cubic_convolution, layers: cubic_layers },
        _ => Filter { width: 6.0, weight: lanczos, layers: lanczos_layers },
    };
    let dtype = b.dtype(target.x);
    if !dtype.is_float() {
        return unsupported("antialiased interpolation of integers; convert the image to float first");
    }
    let mut y = target.x;
    // The last axis first: PyTorch's order.
    for k in (0..target.factors.len()).rev() {
        let (Some(input), Some(output)) = (b.dims(y)[k + 2].as_static(), target.sizes[k + 2].as_static()) else {
            y = antialiased_at_run_time(b, &target, filter, y, k)?;
            continue;
        };
        if input == output {
            continue; // as it is, whatever the factor
        }
        let ratio = match (target.align_corners, target.factors[k]) {
            (true, _) if output > 1 => (input - 1) as f64 / (output - 1) as f64,
            (true, _) => 0.0,
            (false, Some(factor)) => 1.0 / factor,
            (false, None) => input as f64 / output as f64,
        };
        let entries = interpolation_matrix(filter, [input, output], ratio);
        let matrix = b.constant(Weights::from_f64(dtype, &[output, input], entries))?;
        y = b.contract_axis(y, k + 2, matrix)?;
    }
    Ok(y.into())
}

/// One axis of an antialiased form with sizes that depend on the input: [`interpolation_matrix`] computed in float32
/// when the engine runs. Elements outside of the support have a weight of 0.
fn antialiased_at_run_time(
    b: &mut Builder,
    target: &Target,
    filter: Filter,
    x: TensorId,
    k: usize,
) -> Result<TensorId> {
    let dtype = b.dtype(x);
    let (input, output) = (b.dims(x)[k + 2].clone(), target.sizes[k + 2].clone());
    let ratio = match (target.align_corners, target.factors[k]) {
        (false, Some(factor)) => {
            // An axis whose size stays the same remains as it is, whatever the factor.
            let given = b.scalar(DType::Float32, 1.0 / factor, 2)?;
            let [before, after] = [&input, &output].map(|size| b.size_as(size, DType::Int64, 2));
            let same = b.elementwise(E::Equal, before?, after?)?;
            let one = b.scalar(DType::Float32, 1.0, 2)?;
            b.select(same, one, given)?
        }
        (false, None) => ratio_of(b, &input, &output)?,
        (true, _) => {
            let one = Dim::Static(1);
            let last = (output.clone() - one.clone()).larger(&one);
            let ratio = ratio_of(b, &(input.clone() - one.clone()), &last)?;
            // Of one output element the ratio is 0.
            let several = (output.clone() - one.clone()).smaller(&one);
            let several = b.size_as(&several, DType::Float32, 2)?;
            b.prod(ratio, several)?
        }
    };
    let stretch = b.with_scalar(E::Max, ratio, 1.0)?;
    let centers = b.iota_along(&output, DType::Float32, 0, 2)?;
    let centers = b.with_scalar(E::Sum, centers, 0.5)?;
    let centers = b.prod(centers, ratio)?;
    let positions = b.iota_along(&input, DType::Float32, 1, 2)?;
    let positions = b.with_scalar(E::Sum, positions, 0.5)?;
    let distances = b.sub(positions, centers)?;
    let distances = b.div(distances, stretch)?;
    let distances = b.unary(UnaryOperation::Abs, distances)?;
    let weights = (filter.layers)(b, distances)?;
    let total = b.reduce(ReduceOperation::Sum, weights, &[1], true)?;
    let matrix = b.div(weights, total)?;
    let matrix = b.cast(matrix, dtype)?;
    b.contract_axis(x, k + 2, matrix)
}

fn ratio_of(b: &mut Builder, input: &Dim, output: &Dim) -> Result<TensorId> {
    let [input, output] = [input, output].map(|size| b.size_as(size, DType::Float32, 2));
    b.div(input?, output?)
}

/// [`triangle`] of distances that are not negative.
fn triangle_layers(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let x = b.with_scalar(E::Prod, x, -1.0)?;
    let x = b.with_scalar(E::Sum, x, 1.0)?;
    b.with_scalar(E::Max, x, 0.0)
}

/// [`cubic_convolution`] of distances that are not negative.
fn cubic_layers(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let a = -0.5;
    let near = polynomial(b, x, &[a + 2.0, -(a + 3.0), 0.0, 1.0])?;
    let far = polynomial(b, x, &[a, -5.0 * a, 8.0 * a, -4.0 * a])?;
    let [one, two, zero] = [1.0, 2.0, 0.0].map(|value| b.scalar(DType::Float32, value, 2));
    let (one, two, zero) = (one?, two?, zero?);
    let (is_near, is_far) = (b.elementwise(E::Less, x, one)?, b.elementwise(E::Less, x, two)?);
    let far = b.select(is_far, far, zero)?;
    b.select(is_near, near, far)
}

/// By Horner's rule, the highest power first.
fn polynomial(b: &mut Builder, x: TensorId, coefficients: &[f64]) -> Result<TensorId> {
    let Some((first, rest)) = coefficients.split_first() else { return Ok(x) };
    let mut value = b.scalar(DType::Float32, *first, 2)?;
    for coefficient in rest {
        value = b.prod(value, x)?;
        value = b.with_scalar(E::Sum, value, *coefficient)?;
    }
    Ok(value)
}

/// [`lanczos`] of distances that are not negative.
fn lanczos_layers(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let wide = b.with_scalar(E::Prod, x, 1.0 / 3.0)?;
    let (narrow, wide) = (sinc_layers(b, x)?, sinc_layers(b, wide)?);
    let weights = b.prod(narrow, wide)?;
    let (three, zero) = (b.scalar(DType::Float32, 3.0, 2)?, b.scalar(DType::Float32, 0.0, 2)?);
    let inside = b.elementwise(E::Less, x, three)?;
    b.select(inside, weights, zero)
}

/// `sin(πx) / πx`, and 1 at 0.
fn sinc_layers(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let angle = b.with_scalar(E::Prod, x, std::f64::consts::PI)?;
    let angle = b.with_scalar(E::Max, angle, 1e-6)?;
    b.unary(UnaryOperation::Sin, angle).and_then(|sine| b.div(sine, angle))
}

/// Row i holds the weights that output element i gives to the input's elements. Aligned corners change the ratio and
/// nothing else, as in PyTorch.
fn interpolation_matrix(filter: Filter, [input, output]: [i64; 2], ratio: f64) -> Vec<f64> {
    let stretch = ratio.max(1.0);
    let support = filter.width / 2.0 * stretch;
    let mut matrix = vec![0.0; usize::try_from(input * output).unwrap_or(0)];
    for (i, row) in matrix.chunks_mut(usize::try_from(input).unwrap_or(1).max(1)).enumerate() {
        let center = ratio * (i as f64 + 0.5);
        let first = ((center - support + 0.5) as i64).max(0);
        let end = ((center + support + 0.5) as i64).min(input);
        let weight = |j: i64| (filter.weight)((j as f64 - center + 0.5) / stretch);
        let total: f64 = (first..end).map(weight).sum();
        for j in first..end {
            row[j as usize] = if total == 0.0 { 0.0 } else { weight(j) / total };
        }
    }
    matrix
}
