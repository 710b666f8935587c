//! Resize and grid sampling: the same formulas under other names.

use crate::Result;
use crate::graph::Value;
use crate::scope::Scope;
use network::{
    Dim, InterpolationMode as I, ResizeAttributes, ResizeCoordinateTransformation as T, ResizeRoundMode,
    ResizeSelector, SampleMode, Weights,
};

pub(super) fn resize(s: &mut Scope<'_, '_>, a: &ResizeAttributes) -> Result<Value> {
    let mode = match a.mode {
        I::Nearest => "nearest",
        I::Linear => "linear",
        I::Cubic => "cubic",
    };
    let transformation = match (a.coordinate_transformation, a.selector) {
        (T::AlignCorners, _) => "align_corners",
        (T::Asymmetric, _) => "asymmetric",
        (T::HalfPixel, ResizeSelector::Formula) => "half_pixel",
        // An output of one element takes the first of the input.
        (T::HalfPixel, ResizeSelector::Upper) => "pytorch_half_pixel",
    };
    let nearest = match a.nearest_rounding {
        ResizeRoundMode::HalfUp => "round_prefer_ceil",
        ResizeRoundMode::HalfDown => "round_prefer_floor",
        ResizeRoundMode::Floor => "floor",
        ResizeRoundMode::Ceil => "ceil",
    };
    let mut attributes = vec![("mode", mode.into()), ("coordinate_transformation_mode", transformation.into())];
    match a.mode {
        I::Nearest => attributes.push(("nearest_mode", nearest.into())),
        I::Linear => {}
        I::Cubic => attributes.push(("cubic_coeff_a", a.cubic_coeff.into())),
    }
    if a.exclude_outside && a.mode != I::Nearest {
        attributes.push(("exclude_outside", true.into()));
    }
    let mut inputs = vec![s.input(0)?, Value::ABSENT];
    inputs.extend(target(s, a)?);
    Ok(s.main("Resize", &inputs, &attributes))
}

/// Scales, or sizes behind absent scales.
fn target(s: &mut Scope<'_, '_>, a: &ResizeAttributes) -> Result<Vec<Value>> {
    let (from, to) = (s.dims(0)?, &s.output()?.dims);
    if !a.scales.is_empty() {
        let fits = |k: usize| match (from[k].as_static(), to[k].as_static()) {
            (Some(from), Some(to)) => (from as f32 * a.scales[k]).floor() as i64 == to,
            _ => true,
        };
        if (0..from.len()).all(fits) {
            let scales = Weights::float32(&[a.scales.len() as i64], &a.scales);
            return Ok(vec![s.weights(&scales)]);
        }
        let reason = format!("the scales {:?} do not give the size {}", a.scales, network::format_dims(to));
        return Err(s.unsupported(reason, "give the scales or the size, not both"));
    }
    let fixed: Option<Vec<i64>> = to.iter().map(Dim::as_static).collect();
    let sizes = match (fixed, s.optional(1)?) {
        (Some(fixed), _) => s.ints(&fixed),
        (None, Some(_)) => s.int64(1)?,
        (None, None) => s.ints(&a.size),
    };
    Ok(vec![Value::ABSENT, sizes])
}

pub(super) fn grid_sample(s: &mut Scope<'_, '_>, interpolation: I, sample: SampleMode, align: bool) -> Result<Value> {
    let mode = match interpolation {
        I::Nearest => "nearest",
        I::Linear => "linear",
        I::Cubic => "cubic",
    };
    let padding = match sample {
        SampleMode::Fill => "zeros",
        SampleMode::Clamp => "border",
        SampleMode::Reflect => "reflection",
        SampleMode::StrictBounds | SampleMode::Wrap => {
            return Err(s.unsupported(format!("it samples with {sample:?}"), "sample with Fill, Clamp or Reflect"));
        }
    };
    let inputs = [s.input(0)?, s.input(1)?];
    let attributes = [("mode", mode.into()), ("padding_mode", padding.into()), ("align_corners", align.into())];
    Ok(s.main("GridSample", &inputs, &attributes))
}
