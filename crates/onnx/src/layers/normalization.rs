//! Normalization over trailing axes, over the image, or over channel groups, and local response normalization.
//!
//! ONNX has an operator for the first two; groups are instances of a reshaped tensor. Anything else is spelled out.

use super::scale;
use crate::Result;
use crate::graph::Value;
use crate::scope::Scope;
use network::{DType, Dim, Weights};

pub(super) fn normalization(s: &mut Scope<'_, '_>, axes: &[usize], epsilon: f32, groups: i64) -> Result<Value> {
    let mut axes = axes.to_vec();
    axes.sort_unstable();
    let (rank, scale, bias) = (s.dims(0)?.len(), s.dims(1)?, s.dims(2)?);
    if groups > 1 {
        return group(s, epsilon, groups);
    }
    let first = rank - axes.len();
    let trailing = axes.iter().copied().eq(first..rank);
    let channel_only = |d: &[Dim]| d.len() == rank && d.iter().enumerate().all(|(k, d)| k == 1 || d.is(1));
    if trailing && first == 2 && channel_only(scale) && channel_only(bias) && scale[1] == s.dims(0)?[1] {
        return instance(s, epsilon);
    }
    if trailing && !axes.is_empty() {
        return layer(s, first, epsilon);
    }
    spelled_out(s, &axes, epsilon)
}

/// `LayerNormalization` takes the scale in the shape of the normalized axes; others multiply afterwards.
fn layer(s: &mut Scope<'_, '_>, first: usize, epsilon: f32) -> Result<Value> {
    let (x, dims) = (s.input(0)?, s.dims(0)?);
    let attributes = [("axis", first.into()), ("epsilon", epsilon.into())];
    let normalized: Option<Vec<i64>> = dims[first..].iter().map(Dim::as_static).collect();
    let fits =
        |w: &'_ Weights| w.dims.len() == dims.len() && normalized.as_ref().is_some_and(|n| w.dims[first..] == n[..]);
    if let (Some(sizes), Some(scale), Some(bias)) = (&normalized, s.constant(1), s.constant(2))
        && fits(scale)
        && fits(bias)
        && let (Some(scale), Some(bias)) = (scale.reshaped(sizes), bias.reshaped(sizes))
    {
        let (scale, bias) = (s.weights_of(1, &scale), s.weights_of(2, &bias));
        return Ok(s.main("LayerNormalization", &[x, scale, bias], &attributes));
    }
    let Some(sizes) = normalized else {
        let axes: Vec<usize> = (first..dims.len()).collect();
        return spelled_out(s, &axes, epsilon);
    };
    let ones = s.weights(&Weights::filled(DType::Float32, &sizes, 1.0));
    let ones = s.cast(ones, DType::Float32, s.tensor(0)?.dtype);
    let value = s.main("LayerNormalization", &[x, ones], &attributes);
    scale_and_shift(s, value)
}

fn scale_and_shift(s: &mut Scope<'_, '_>, value: Value) -> Result<Value> {
    let (scale, bias) = (s.input(1)?, s.input(2)?);
    let scaled = s.op("Mul", &[value, scale], &[]);
    Ok(s.op("Add", &[scaled, bias], &[]))
}

/// The input as a vector.
fn flat(s: &mut Scope<'_, '_>, index: usize) -> Result<Value> {
    if let Some(weights) = s.constant(index).and_then(|w| w.reshaped(&[w.count() as i64])) {
        return Ok(s.weights_of(index, &weights));
    }
    let (x, shape) = (s.input(index)?, s.ints(&[-1]));
    Ok(s.op("Reshape", &[x, shape], &[]))
}

fn instance(s: &mut Scope<'_, '_>, epsilon: f32) -> Result<Value> {
    let inputs = [s.input(0)?, flat(s, 1)?, flat(s, 2)?];
    Ok(s.main("InstanceNormalization", &inputs, &[("epsilon", epsilon.into())]))
}

/// Groups of channels: `[N, G, everything]`, normalized as instances. The scale is an element a group or a channel;
/// a constant one a channel is applied in one pass.
fn group(s: &mut Scope<'_, '_>, epsilon: f32, groups: i64) -> Result<Value> {
    let (x, dims, dtype) = (s.input(0)?, s.dims(0)?, s.tensor(0)?.dtype);
    let shape = s.ints(&[0, groups, -1]);
    let grouped = s.op("Reshape", &[x, shape], &[]);
    let neutral = |s: &mut Scope<'_, '_>, v| {
        let weights = s.weights(&Weights::filled(DType::Float32, &[groups], v));
        s.cast(weights, DType::Float32, dtype)
    };
    let per_group = [s.dims(1)?, s.dims(2)?].iter().all(|d| Dim::product(d.iter()).is(groups));
    let (scale, bias) = if per_group { (flat(s, 1)?, flat(s, 2)?) } else { (neutral(s, 1.0), neutral(s, 0.0)) };
    let normalized = s.main("InstanceNormalization", &[grouped, scale, bias], &[("epsilon", epsilon.into())]);
    let open = dims[1..].iter().filter(|d| !d.is_static()).count();
    let value = if open <= 1 {
        // The batch is copied, and one more size may be left open.
        let entry = |d: &Dim| d.as_static().unwrap_or(-1);
        let entries: Vec<i64> = std::iter::once(0).chain(dims[1..].iter().map(entry)).collect();
        let shape = s.ints(&entries);
        s.op("Reshape", &[normalized, shape], &[])
    } else {
        let sizes = s.entries_of(x, dims);
        s.reshape_to(normalized, &sizes)
    };
    let channels = dims[1].as_static();
    let a_channel = |k: usize| s.constant(k).filter(|w| Some(w.count() as i64) == channels);
    match (a_channel(1), a_channel(2)) {
        _ if per_group => Ok(value),
        (Some(scale), Some(bias)) => Ok(scale::batch_normalization(s, value, Some(scale), Some(bias))),
        _ => scale_and_shift(s, value),
    }
}

/// Mean and variance by reductions.
fn spelled_out(s: &mut Scope<'_, '_>, axes: &[usize], epsilon: f32) -> Result<Value> {
    let (x, dtype) = (s.input(0)?, s.tensor(0)?.dtype);
    let axes: Vec<i64> = axes.iter().map(|a| *a as i64).collect();
    let axes = s.ints(&axes);
    let mean = s.op("ReduceMean", &[x, axes], &[]);
    let centered = s.op("Sub", &[x, mean], &[]);
    let square = s.op("Mul", &[centered, centered], &[]);
    let variance = s.op("ReduceMean", &[square, axes], &[]);
    let epsilon = s.scalar(dtype, f64::from(epsilon));
    let variance = s.op("Add", &[variance, epsilon], &[]);
    let deviation = s.op("Sqrt", &[variance], &[]);
    let normalized = s.main("Div", &[centered, deviation], &[]);
    scale_and_shift(s, normalized)
}

/// Both divide `alpha` by the window.
pub(super) fn lrn(s: &mut Scope<'_, '_>, window: i64, alpha: f32, beta: f32, k: f32) -> Result<Value> {
    let x = s.input(0)?;
    let attributes = [("size", window.into()), ("alpha", alpha.into()), ("beta", beta.into()), ("bias", k.into())];
    Ok(s.main("LRN", &[x], &attributes))
}
