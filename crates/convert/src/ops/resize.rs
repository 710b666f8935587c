//! Interpolation to another size.
//!
//! | schema | layers |
//! |---|---|
//! | `upsample_nearest{1,2,3}d(Tensor self, SymInt[] output_size, float? scales…)` | Resize(Nearest), or Gather |
//! | `_upsample_nearest_exact{1,2,3}d` | the same |
//! | `upsample_{linear1d,bilinear2d,trilinear3d}(…, bool align_corners, float? scales…)` | Resize(Linear) |
//! | `upsample_bicubic2d(…, bool align_corners, float? scales…)` | Resize(Cubic) |
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
    DType, ElementWiseOperation as E, InterpolationMode, Op, ResizeAttributes, ResizeCoordinateTransformation as C,
    ResizeRoundMode, ResizeSelector, TensorId, UnaryOperation, Weights,
};

const NEAREST: &str = "Resize or Gather";

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
];

/// The arguments that the overloads share.
pub(super) struct Target {
    pub x: TensorId,
    /// The output's sizes, all axes.
    pub sizes: Vec<Dim>,
    /// Given scale factors of the spatial axes.
    pub factors: Vec<Option<f64>>,
    pub align_corners: bool,
}

pub(super) fn read(call: &Call<'_>) -> Result<Target> {
    let x = if call.argument("input").is_some() { call.tensor("input")? } else { call.tensor("self")? };
    let sizes = call.output_dims(0)?.to_vec();
    let spatial = sizes.len().saturating_sub(2);
    let align_corners = call.argument("align_corners").is_some() && call.bool("align_corners")?;
    let factors = if call.argument("scale_factors").is_some() {
        if call.is_none("scale_factors") {
            vec![None; spatial]
        } else {
            call.floats("scale_factors")?.into_iter().map(Some).collect()
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

/// Whether the ratio of the sizes is the scale factor, so that it need not be stated.
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
