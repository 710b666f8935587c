//! Pooling. A window over the whole image is ONNX Runtime's global pooling, which stays in its blocked layout.
//! Sizes that round up are written as explicit padding wherever the sizes are known: what `ceil_mode` means has
//! changed between operator sets and releases.

use super::nan;
use crate::Result;
use crate::graph::{Attr, Value};
use crate::proto::DataType;
use crate::scope::Scope;
use network::{DType, Dim, Op, PaddingMode, PoolingAttributes, PoolingType};

pub(super) fn pooling(s: &mut Scope<'_, '_>, a: &PoolingAttributes) -> Result<Value> {
    let (x, dims, to) = (s.input(0)?, s.dims(0)?, &s.output()?.dims);
    let first = dims.len() - a.window.len().min(dims.len());
    // ONNX wants [N, C, spatial…]: further leading axes are joined into N.
    if first <= 2 {
        return kinds(s, a, x, &dims[first..]);
    }
    let joined = [&[Dim::product(&dims[..first - 1])], &dims[first - 1..]].concat();
    let flat = match s.reshape(x, dims, &joined) {
        Some(flat) => flat,
        None => {
            let sizes = s.entries_of(x, dims);
            let rest = s.sizes(&sizes[first - 1..]);
            let open = s.ints(&[-1]);
            let shape = s.op("Concat", &[open, rest], &[("axis", 0i64.into())]);
            s.op("Reshape", &[x, shape], &[])
        }
    };
    let pooled = kinds(s, a, flat, &dims[first..])?;
    let pooled_dims = [&joined[..2], &to[first..]].concat();
    if let Some(value) = s.reshape(pooled, &pooled_dims, to) {
        return Ok(value);
    }
    let leading = s.entries_of(x, &dims[..first]);
    let behind = s.entries_of(pooled, &pooled_dims);
    let sizes = [&leading, &behind[2..]].concat();
    Ok(s.reshape_to(pooled, &sizes))
}

fn kinds(s: &mut Scope<'_, '_>, a: &PoolingAttributes, x: Value, spatial: &[Dim]) -> Result<Value> {
    Ok(match a.kind {
        PoolingType::Max => window(s, a, x, spatial, false)?,
        PoolingType::Average => window(s, a, x, spatial, true)?,
        PoolingType::MaxAverageBlend => {
            let (max, average) = (window(s, a, x, spatial, false)?, window(s, a, x, spatial, true)?);
            let dtype = s.tensor(0)?.dtype;
            let share = s.scalar(dtype, f64::from(a.blend_factor));
            let rest = s.scalar(dtype, 1.0 - f64::from(a.blend_factor));
            let (max, average) = (s.op("Mul", &[max, rest], &[]), s.op("Mul", &[average, share], &[]));
            s.main("Add", &[max, average], &[])
        }
    })
}

fn window(s: &mut Scope<'_, '_>, a: &PoolingAttributes, x: Value, spatial: &[Dim], average: bool) -> Result<Value> {
    let unpadded = a.pre_padding.iter().chain(&a.post_padding).all(|p| *p == 0);
    if unpadded && spatial.iter().zip(&a.window).all(|(dim, window)| dim.is(*window)) {
        return if average {
            Ok(s.main("GlobalAveragePool", &[x], &[]))
        } else {
            maximum(s, x, &|s, x| s.main("GlobalMaxPool", &[x], &[]))
        };
    }
    let mut attributes: Vec<(&'static str, Attr)> =
        vec![("kernel_shape", a.window.clone().into()), ("strides", a.stride.clone().into())];
    if average {
        attributes.push(("count_include_pad", (!a.average_count_excludes_padding).into()));
    }
    attributes.extend(padding(a, spatial, average));
    if average {
        return Ok(s.main("AveragePool", &[x], &attributes));
    }
    maximum(s, x, &|s, x| s.main("MaxPool", &[x], &attributes))
}

/// The largest element of each window. ONNX Runtime's maxima lose NaN, and minus infinity next to padding: an image
/// that may contain them is searched for both, by pooling 2 for NaN, 0 for minus infinity and 1 for any other number.
fn maximum(s: &mut Scope<'_, '_>, x: Value, pool: &dyn Fn(&mut Scope<'_, '_>, Value) -> Value) -> Result<Value> {
    let dtype = s.tensor(0)?.dtype;
    if !dtype.is_float() || is_dequantized(s) {
        return Ok(pool(s, x));
    }
    let (y, suspected, data_type) = (pool(s, x), nan::suspected_in_image(s, x), s.cx.carrier(dtype));
    let (lowest, lost) = (s.scalar(dtype, f64::NEG_INFINITY), s.scalar(dtype, f64::NAN));
    let (one, half) = (s.scalar(DType::Float32, 1.0), s.scalar(DType::Float32, 0.5));
    let guarded = s.choose(
        suspected,
        data_type,
        |s| {
            let marks = nan::marks(s, x);
            let least = s.op("Equal", &[x, lowest], &[]);
            let least = nan::cast(s, least, DataType::Float);
            let marks = s.op("Add", &[marks, one], &[]);
            let marks = s.op("Sub", &[marks, least], &[]);
            let marks = pool(s, marks);
            let is_least = s.op("Less", &[marks, half], &[]);
            let y = s.op("Where", &[is_least, lowest, y], &[]);
            let is_nan = s.op("Greater", &[marks, one], &[]);
            s.op("Where", &[is_nan, lost, y], &[])
        },
        |s| s.op("Identity", &[y], &[]),
    );
    nan::same_elements(s, x, guarded);
    Ok(guarded)
}

/// Whether the input comes from integers, which are finite: a guard would keep ONNX Runtime from pooling the integers.
fn is_dequantized(s: &Scope<'_, '_>) -> bool {
    let producer = s.layer.input(0).and_then(|id| s.cx.network.producer(id));
    producer.is_some_and(|layer| matches!(layer.op, Op::Dequantize { .. }))
}

fn padding(a: &PoolingAttributes, spatial: &[Dim], average: bool) -> Vec<(&'static str, Attr)> {
    let pads = |post: &[i64]| ("pads", [&a.pre_padding, post].concat().into());
    match a.padding_mode {
        PaddingMode::SameUpper => vec![("auto_pad", "SAME_UPPER".into())],
        PaddingMode::SameLower => vec![("auto_pad", "SAME_LOWER".into())],
        PaddingMode::ExplicitRoundDown => vec![pads(&a.post_padding)],
        PaddingMode::ExplicitRoundUp => match rounded_up(a, spatial) {
            // Padding that only rounds up is never part of an average.
            Some(post) if post == a.post_padding || !average || a.average_count_excludes_padding => vec![pads(&post)],
            _ => vec![pads(&a.post_padding), ("ceil_mode", true.into())],
        },
    }
}

/// The padding that makes the windows of the rounded-up size fit; `None` where a size is not known, or where a
/// window would hold nothing but padding, which ONNX forbids.
fn rounded_up(a: &PoolingAttributes, spatial: &[Dim]) -> Option<Vec<i64>> {
    let post = |k: usize| {
        let (size, window, stride) = (spatial[k].as_static()?, a.window[k], a.stride[k]);
        let room = size + a.pre_padding[k] + a.post_padding[k] - window;
        let missing = (room + stride - 1).div_euclid(stride) * stride - room;
        let post = a.post_padding[k] + missing;
        (post < window).then_some(post)
    };
    (0..spatial.len()).map(post).collect()
}
