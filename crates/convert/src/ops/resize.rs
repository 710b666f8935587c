//! Interpolation to another size.
//!
//! | schema | layers |
//! |---|---|
//! | `upsample_nearest{1,2,3}d(Tensor self, SymInt[] output_size, float? scales…)`, `_upsample_nearest_exact{1,2,3}d` | Resize(Nearest), or Gather for ratios that are no whole number |
//! | `upsample_{linear1d,bilinear2d,trilinear3d}(…, bool align_corners, float? scales…)` | Resize(Linear) |
//! | `upsample_bicubic2d(…, bool align_corners, float? scales…)` | Resize(Cubic) |
//! | `_upsample_{bilinear,bicubic,lanczos}2d_aa(…)` | MatrixMultiply with interpolation matrices |
//! | each also as `.vec(Tensor input, SymInt[]? output_size, …, float[]? scale_factors)` | the same |
//!
//! Dtypes: float in, the same out; nearest also integers, by Gather. Sizes may be symbolic.
//!
//! Coordinates follow PyTorch: where a scale factor is given it is the ratio, even if the output's size was rounded
//! down; aligned corners never look at it. Nearest rounds coordinates in float32, so for ratios that are no whole
//! number the indices are computed here, the same way, rather than left to each backend.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Error, Result};
use dims::Dim;
use network::{
    DType, ElementWiseOperation as E, InterpolationMode, Op, ReduceOperation, ResizeAttributes,
    ResizeCoordinateTransformation as C, ResizeRoundMode, ResizeSelector, TensorId, UnaryOperation, Weights,
};

const NEAREST: &str = "Resize or Gather";
const MATRIX: &str = "MatrixMultiply";

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.upsample_nearest1d.default", nearest, NEAREST, 0.0),
    operator("aten.upsample_nearest1d.vec", nearest, NEAREST, 0.0),
    operator("aten.upsample_nearest2d.default", nearest, NEAREST, 0.0),
    operator("aten.upsample_nearest2d.vec", nearest, NEAREST, 0.0),
    operator("aten.upsample_nearest3d.default", nearest, NEAREST, 0.0),
    operator("aten.upsample_nearest3d.vec", nearest, NEAREST, 0.0),
    operator("aten._upsample_nearest_exact1d.default", nearest, NEAREST, 0.0),
    operator("aten._upsample_nearest_exact1d.vec", nearest, NEAREST, 0.0),
    operator("aten._upsample_nearest_exact2d.default", nearest, NEAREST, 0.0),
    operator("aten._upsample_nearest_exact2d.vec", nearest, NEAREST, 0.0),
    operator("aten._upsample_nearest_exact3d.default", nearest, NEAREST, 0.0),
    operator("aten._upsample_nearest_exact3d.vec", nearest, NEAREST, 0.0),
    operator("aten.upsample_linear1d.default", linear, "Resize", 1e-5),
    operator("aten.upsample_linear1d.vec", linear, "Resize", 1e-5),
    operator("aten.upsample_bilinear2d.default", linear, "Resize", 1e-5),
    operator("aten.upsample_bilinear2d.vec", linear, "Resize", 1e-5),
    operator("aten.upsample_trilinear3d.default", linear, "Resize", 1e-5),
    operator("aten.upsample_trilinear3d.vec", linear, "Resize", 1e-5),
    operator("aten.upsample_bicubic2d.default", cubic, "Resize", 1e-5),
    operator("aten.upsample_bicubic2d.vec", cubic, "Resize", 1e-5),
    operator("aten._upsample_bilinear2d_aa.default", antialiased, MATRIX, 1e-5),
    operator("aten._upsample_bilinear2d_aa.vec", antialiased, MATRIX, 1e-5),
    operator("aten._upsample_bicubic2d_aa.default", antialiased, MATRIX, 1e-5),
    operator("aten._upsample_bicubic2d_aa.vec", antialiased, MATRIX, 1e-5),
    operator("aten._upsample_lanczos2d_aa.default", antialiased, MATRIX, 1e-5),
    operator("aten._upsample_lanczos2d_aa.vec", antialiased, MATRIX, 1e-5),
];

/// What the overloads say in different words.
struct Target {
    x: TensorId,
    /// The output's sizes, all axes.
    sizes: Vec<Dim>,
    /// Given scale factors of the spatial axes.
    factors: Vec<Option<f64>>,
    align_corners: bool,
}

fn read(call: &Call<'_>) -> Result<Target> {
    let x = if call.argument("input").is_some() { call.tensor("input")? } else { call.tensor("self")? };
    let sizes = call.output_dims(0)?.to_vec();
    let spatial = sizes.len().saturating_sub(2);
    let align_corners = call.argument("align_corners").is_some() && call.bool("align_corners")?;
    let factors = if call.argument("scale_factors").is_some() {
        match call.is_none("scale_factors") {
            true => vec![None; spatial],
            false => call.floats("scale_factors")?.into_iter().map(Some).collect(),
        }
    } else {
        let names: &[&str] = match spatial {
            1 => &["scales"],
            2 => &["scales_h", "scales_w"],
            _ => &["scales_d", "scales_h", "scales_w"],
        };
        names.iter().map(|name| call.optional_float(name)).collect::<Result<_>>()?
    };
    Ok(Target { x, sizes, factors: factors.into_iter().map(|f| f.filter(|f| *f > 0.0)).collect(), align_corners })
}

/// Whether the ratio of the sizes is the scale factor, so that it need not be said.
fn is_ratio(factor: Option<f64>, input: &Dim, output: &Dim) -> bool {
    match (factor, input.as_static(), output.as_static()) {
        (None, _, _) => true,
        (Some(factor), Some(input), Some(output)) => input as f64 * factor == output as f64,
        (Some(factor), _, _) => factor.fract() == 0.0 && input.clone() * Dim::Static(factor as i64) == *output,
    }
}

/// The resize layer: attributes where everything is static, otherwise factors or a size tensor.
fn resize(
    b: &mut Builder,
    target: &Target,
    mode: InterpolationMode,
    coordinate_transformation: C,
    nearest_rounding: ResizeRoundMode,
) -> Result<TensorId> {
    let dims = b.dims(target.x);
    let axes = || target.factors.iter().zip(&dims[2..]).zip(&target.sizes[2..]);
    let ratios = axes().all(|((factor, input), output)| is_ratio(*factor, input, output));
    if ratios && dims == target.sizes {
        return Ok(target.x);
    }
    let scales = if ratios || target.align_corners { Vec::new() } else { scales(target, &dims)? };
    let size: Option<Vec<i64>> = target.sizes.iter().map(Dim::as_static).collect();
    let mut attributes = ResizeAttributes {
        mode,
        size: size.clone().unwrap_or_default(),
        scales,
        coordinate_transformation,
        selector: if target.align_corners { ResizeSelector::Upper } else { ResizeSelector::Formula },
        nearest_rounding,
        cubic_coeff: -0.75,
        exclude_outside: false,
    };
    if size.is_some() {
        return b.add(Op::Resize(attributes), &[target.x]);
    }
    if ratios && axes().all(|((factor, _), _)| factor.is_some()) {
        attributes.scales = scales_of(&target.factors);
        return b.add(Op::Resize(attributes), &[target.x]);
    }
    let size = b.size_tensor(&target.sizes)?;
    b.add(Op::Resize(attributes), &[target.x, size])
}

fn scales_of(factors: &[Option<f64>]) -> Vec<f32> {
    [1.0, 1.0].into_iter().chain(factors.iter().map(|f| f.unwrap_or(1.0) as f32)).collect()
}

fn scales(target: &Target, dims: &[Dim]) -> Result<Vec<f32>> {
    let factor = |k: usize| match (target.factors[k], dims[k + 2].as_static(), target.sizes[k + 2].as_static()) {
        (Some(factor), _, _) => Ok(Some(factor)),
        (None, Some(input), Some(output)) => Ok(Some(output as f64 / input as f64)),
        _ => unsupported("a scale factor for one axis and a size that depends on the input for another"),
    };
    Ok(scales_of(&(0..target.factors.len()).map(factor).collect::<Result<Vec<_>>>()?))
}

fn linear(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let target = read(call)?;
    let coordinates = if target.align_corners { C::AlignCorners } else { C::HalfPixel };
    Ok(resize(b, &target, InterpolationMode::Linear, coordinates, ResizeRoundMode::Floor)?.into())
}

fn cubic(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let target = read(call)?;
    let coordinates = if target.align_corners { C::AlignCorners } else { C::HalfPixel };
    Ok(resize(b, &target, InterpolationMode::Cubic, coordinates, ResizeRoundMode::Floor)?.into())
}

fn nearest(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (target, exact) = (read(call)?, call.target().contains("exact"));
    let dims = b.dims(target.x);
    let whole = |(input, output): (&Dim, &Dim)| match (input.as_static(), output.as_static()) {
        (Some(input), Some(output)) => input > 0 && output % input == 0,
        _ => output.modulo(input).is(0),
    };
    let ratios = target.factors.iter().zip(dims[2..].iter().zip(&target.sizes[2..]));
    let simple = ratios.clone().all(|(f, (i, o))| is_ratio(*f, i, o)) && ratios.map(|(_, sizes)| sizes).all(whole);
    let fixed = dims[2..].iter().chain(&target.sizes[2..]).all(Dim::is_static);
    if !simple || !b.dtype(target.x).is_float() {
        let y = if fixed { gathered(b, &target, exact)? } else { gathered_at_run_time(b, &target, exact)? };
        return Ok(y.into());
    }
    let (coordinates, rounding) =
        if exact { (C::HalfPixel, ResizeRoundMode::HalfUp) } else { (C::Asymmetric, ResizeRoundMode::Floor) };
    Ok(resize(b, &target, InterpolationMode::Nearest, coordinates, rounding)?.into())
}

/// Nearest elements by index, each rounded as PyTorch rounds it: in float32.
fn gathered(b: &mut Builder, target: &Target, exact: bool) -> Result<TensorId> {
    let mut y = target.x;
    for (k, factor) in target.factors.iter().enumerate() {
        let (Some(input), Some(output)) = (b.dims(y)[k + 2].as_static(), target.sizes[k + 2].as_static()) else {
            return Err(Error::Converter { problem: "nearest indices of symbolic sizes".into() });
        };
        if input == output && is_ratio(*factor, &Dim::Static(input), &Dim::Static(output)) {
            continue;
        }
        let scale = factor.map_or(input as f32 / output as f32, |f| (1.0 / f) as f32);
        let offset = if exact { 0.5 } else { 0.0 };
        let index = |i: i64| (((i as f32 + offset) * scale).floor() as i64).min(input - 1) as i32;
        let indices: Vec<i32> = (0..output).map(index).collect();
        let indices = b.constant(Weights::int32(&[output], &indices))?;
        y = b.gather(y, indices, k + 2)?;
    }
    Ok(y)
}

/// [`gathered`] for sizes that depend on the input: the indices are computed when the engine runs.
fn gathered_at_run_time(b: &mut Builder, target: &Target, exact: bool) -> Result<TensorId> {
    let mut y = target.x;
    for (k, factor) in target.factors.iter().enumerate() {
        let (input, output) = (b.dims(y)[k + 2].clone(), target.sizes[k + 2].clone());
        if input == output && is_ratio(*factor, &input, &output) {
            continue;
        }
        let scale = match factor {
            Some(factor) => b.scalar(DType::Float32, f64::from((1.0 / factor) as f32), 1)?,
            None => {
                let [input, output] = [&input, &output].map(|size| b.size_as(size, DType::Float32, 1));
                b.div(input?, output?)?
            }
        };
        let positions = b.iota(&output, DType::Float32)?;
        let positions = if exact { b.with_scalar(E::Sum, positions, 0.5)? } else { positions };
        let scaled = b.prod(positions, scale)?;
        let indices = b.unary(UnaryOperation::Floor, scaled)?;
        let last = b.size_as(&(input - Dim::Static(1)), DType::Float32, 1)?;
        let indices = b.elementwise(E::Min, indices, last)?;
        let indices = b.cast(indices, DType::Int32)?;
        y = b.gather(y, indices, k + 2)?;
    }
    Ok(y)
}

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
        let ratio = match (target.align_corners, target.factors[k]) {
            (true, _) if output > 1 => (input - 1) as f64 / (output - 1) as f64,
            (true, _) => 0.0,
            (false, Some(factor)) => 1.0 / factor,
            (false, None) => input as f64 / output as f64,
        };
        if input == output && ratio == 1.0 {
            continue;
        }
        let entries = interpolation_matrix(filter, [input, output], ratio);
        let matrix = b.constant(Weights::from_f64(dtype, &[output, input], entries))?;
        y = b.contract_axis(y, k + 2, matrix)?;
    }
    Ok(y.into())
}

/// One axis of an antialiased form with sizes that depend on the input: [`interpolation_matrix`] computed in float32 when
/// the engine runs. Elements outside of the support have a weight of 0.
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
        (false, Some(factor)) => b.scalar(DType::Float32, 1.0 / factor, 2)?,
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
