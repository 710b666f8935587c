//! Pooling. A window over the whole image is ONNX Runtime's global pooling, which stays in its blocked layout.
//! Sizes that round up are written as explicit padding wherever the sizes are known: what `ceil_mode` means has
//! changed between operator sets and releases.

use crate::Result;
use crate::graph::{Attr, Value};
use crate::scope::Scope;
use network::{Dim, PaddingMode, PoolingAttributes, PoolingType};

pub(super) fn lower(s: &mut Scope<'_, '_>, a: &PoolingAttributes) -> Result<Value> {
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
        PoolingType::Max => window(s, a, x, spatial, false),
        PoolingType::Average => window(s, a, x, spatial, true),
        PoolingType::MaxAverageBlend => {
            let (max, average) = (window(s, a, x, spatial, false), window(s, a, x, spatial, true));
            let dtype = s.tensor(0)?.dtype;
            let share = s.scalar(dtype, f64::from(a.blend_factor));
            let rest = s.scalar(dtype, 1.0 - f64::from(a.blend_factor));
            let (max, average) = (s.op("Mul", &[max, rest], &[]), s.op("Mul", &[average, share], &[]));
            s.main("Add", &[max, average], &[])
        }
    })
}

fn window(s: &mut Scope<'_, '_>, a: &PoolingAttributes, x: Value, spatial: &[Dim], average: bool) -> Value {
    let unpadded = a.pre_padding.iter().chain(&a.post_padding).all(|p| *p == 0);
    if unpadded && spatial.iter().zip(&a.window).all(|(dim, window)| dim.is(*window)) {
        return s.main(if average { "GlobalAveragePool" } else { "GlobalMaxPool" }, &[x], &[]);
    }
    let mut attributes: Vec<(&'static str, Attr)> =
        vec![("kernel_shape", a.window.clone().into()), ("strides", a.stride.clone().into())];
    if average {
        attributes.push(("count_include_pad", (!a.average_count_excludes_padding).into()));
    }
    attributes.extend(padding(a, spatial, average));
    s.main(if average { "AveragePool" } else { "MaxPool" }, &[x], &attributes)
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
