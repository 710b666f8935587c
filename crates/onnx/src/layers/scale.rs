//! Scale, `(x * scale + shift) ^ power`, and the same made of a product and a sum.
//!
//! With a factor and a shift a channel it is a batch normalization of mean 0 and variance 1, which ONNX Runtime
//! folds into a convolution before it, or keeps in its blocked image layout where it comes before one.

use crate::Result;
use crate::graph::Value;
use crate::scope::Scope;
use network::{DType, ElementWiseOperation, Op, ScaleMode, Weights};

pub(super) fn scale(s: &mut Scope<'_, '_>, mode: ScaleMode, channel_axis: usize) -> Result<Value> {
    let mut value = s.input(0)?;
    let rank = s.dims(0)?.len();
    let [shift, scale, power] = [1, 2, 3].map(|k| s.constant(k).filter(|w| w.count() > 0));
    if mode == ScaleMode::Channel && channel_axis == 1 && rank == 4 && power.is_none_or(|p| is_all(p, 1.0)) {
        return Ok(batch_normalization(s, value, scale, shift));
    }
    for (op, index, neutral) in [("Mul", 2, 1.0), ("Add", 1, 0.0), ("Pow", 3, 1.0)] {
        let Some(factor) = s.optional(index)? else { continue };
        let weights = s.constant(index);
        if weights.is_some_and(|w| w.count() == 0 || is_all(w, neutral)) {
            continue;
        }
        let factor = match (mode, weights) {
            (ScaleMode::Channel, Some(w)) => {
                let dims: Vec<i64> = (0..rank).map(|k| if k == channel_axis { w.count() as i64 } else { 1 }).collect();
                w.reshaped(&dims).map_or(factor, |w| s.weights_of(index, &w))
            }
            (ScaleMode::Uniform, Some(w)) => w.reshaped(&[]).map_or(factor, |w| s.weights_of(index, &w)),
            _ => factor,
        };
        value = s.main(op, &[value, factor], &[]);
    }
    Ok(value)
}

fn is_all(weights: &Weights, value: f64) -> bool {
    weights.to_f64().iter().all(|v| *v == value)
}

/// `Sum(Prod(x, a), b)` with a and b of shape `[1, C, 1, 1]`, as one operator.
pub(super) fn affine(s: &mut Scope<'_, '_>) -> Result<Option<Value>> {
    for (product, shift) in [(0, 1), (1, 0)] {
        let (Some(layer), Some(shift)) = (s.absorbable(product), s.constant(shift)) else { continue };
        if !matches!(layer.op, Op::ElementWise { op: ElementWiseOperation::Prod }) {
            continue;
        }
        for (x, scale) in [(0, 1), (1, 0)] {
            let (Some(x), Some(scale)) = (layer.input(x), layer.input(scale)) else { continue };
            let (Some(scale), Some(value)) = (s.cx.network.constant(scale), s.cx.get(x)) else { continue };
            let channels = s.cx.network.tensor(x).dims.get(1).and_then(dims::Dim::as_static);
            let fits = |w: &Weights| matches!(w.dims[..], [1, c, 1, 1] if Some(c) == channels);
            if fits(scale) && fits(shift) && scale.dtype.is_float() {
                return Ok(Some(batch_normalization(s, value, Some(scale), Some(shift))));
            }
        }
    }
    Ok(None)
}

/// A factor and a shift a channel (axis 1), in one pass.
pub(super) fn batch_normalization(
    s: &mut Scope<'_, '_>,
    x: Value,
    scale: Option<&Weights>,
    shift: Option<&Weights>,
) -> Value {
    let count = scale.or(shift).map_or(1, Weights::count) as i64;
    let dtype = scale.or(shift).map_or(DType::Float32, |w| w.dtype);
    let mut channel = |weights: Option<&Weights>, neutral: f64| {
        let flat = weights.and_then(|w| w.reshaped(&[count]));
        s.weights(&flat.unwrap_or_else(|| Weights::filled(dtype, &[count], neutral)))
    };
    let (scale, shift) = (channel(scale, 1.0), channel(shift, 0.0));
    let (mean, variance) = (channel(None, 0.0), channel(None, 1.0));
    s.main("BatchNormalization", &[x, scale, shift, mean, variance], &[("epsilon", 0f32.into())])
}
