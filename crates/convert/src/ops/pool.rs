//! Pooling over windows.
//!
//! | schema | layers |
//! |---|---|
//! | `max_pool{1,2,3}d(Tensor self, int[] kernel_size, int[] stride, int[] padding, …)` | Pooling; Slice, ElementWise |
//! | `max_pool{1,2,3}d_with_indices(…) -> (Tensor, Tensor)` | the same; Slice, ElementWise, Select for indices |
//! | `max_unpool{2,3}d(Tensor self, Tensor indices, SymInt[] output_size, …)` | Scatter |
//! | `avg_pool{1,2,3}d(Tensor self, int[] kernel_size, int[] stride, int[] padding, …)` | Pooling(Average) |
//!
//! Dtypes: float in, the same out; maxima also of integers. TensorRT pools two or three axes, so a 1-D pooling gets
//! an axis of size 1, and an input without a batch axis gets one. Every size may be symbolic.
//!
//! In ceil mode the last window may hang over the end, but PyTorch drops it where it would start in the padding
//! behind the input, and an average never counts the overhang. Adaptive pooling is in `adaptive_pool`.

use super::reduce::lowest;
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Error, Result};
use dims::Dim;
use network::{
    ElementWiseOperation as E, Op, PaddingMode, PoolingAttributes, PoolingType, SampleMode, ScatterMode, TensorId,
    UnaryOperation,
};

const MAX: &str = "Pooling";
const UNPOOL: &str = "Shuffle, Scatter";

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.max_pool1d.default", max_pool, MAX, 0.0),
    operator("aten.max_pool2d.default", max_pool, MAX, 0.0),
    operator("aten.max_pool3d.default", max_pool, MAX, 0.0),
    operator("aten.max_pool1d_with_indices.default", max_pool, MAX, 0.0),
    operator("aten.max_pool2d_with_indices.default", max_pool, MAX, 0.0),
    operator("aten.max_pool3d_with_indices.default", max_pool, MAX, 0.0),
    operator("aten.max_unpool2d.default", max_unpool, UNPOOL, 0.0),
    operator("aten.max_unpool3d.default", max_unpool, UNPOOL, 0.0),
    operator("aten.avg_pool1d.default", avg_pool, "Pooling", 1e-5),
    operator("aten.avg_pool2d.default", avg_pool, "Pooling", 1e-5),
    operator("aten.avg_pool3d.default", avg_pool, "Pooling", 1e-5),
];

/// A window that slides over spatial axes; an entry an axis.
struct Window {
    size: Vec<i64>,
    stride: Vec<i64>,
    padding: Vec<i64>,
    dilation: Vec<i64>,
    ceil: bool,
}

/// The number of spatial axes, from the operator's name.
pub(super) fn spatial_axes(call: &Call<'_>) -> usize {
    if call.target().contains("1d") {
        1
    } else if call.target().contains("3d") {
        3
    } else {
        2
    }
}

fn window(call: &Call<'_>, spatial: usize) -> Result<Window> {
    let size = call.ints_for("kernel_size", spatial)?;
    let stride = if call.sizes("stride")?.is_empty() { size.clone() } else { call.ints_for("stride", spatial)? };
    let dilation =
        if call.argument("dilation").is_some() { call.ints_for("dilation", spatial)? } else { vec![1; spatial] };
    let mut window =
        Window { size, stride, padding: call.ints_for("padding", spatial)?, dilation, ceil: call.bool("ceil_mode")? };
    if spatial == 1 {
        for (list, neutral) in
            [(&mut window.size, 1), (&mut window.stride, 1), (&mut window.padding, 0), (&mut window.dilation, 1)]
        {
            list.insert(0, neutral);
        }
    }
    Ok(window)
}

/// x as `[N, C, spatial…]` with at least two spatial axes.
pub(super) fn image(b: &mut Builder, x: TensorId, spatial: usize) -> Result<TensorId> {
    let x = match b.rank(x).checked_sub(spatial) {
        Some(1) => b.unsqueeze(x, &[0])?,
        Some(2) => x,
        _ => {
            return Err(Error::Converter { problem: format!("{spatial} spatial axes of {}", b.tensor(x).type_text()) });
        }
    };
    if spatial == 1 { b.unsqueeze(x, &[2]) } else { Ok(x) }
}

/// The sizes of the spatial axes of the result, as PyTorch has them, with the one that a 1-D pooling got.
fn output_sizes(call: &Call<'_>, spatial: usize) -> Result<Vec<Dim>> {
    let dims = call.output_dims(0)?;
    let mut sizes = dims[dims.len().saturating_sub(spatial)..].to_vec();
    if spatial == 1 {
        sizes.insert(0, Dim::Static(1));
    }
    Ok(sizes)
}

fn max_pool(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let spatial = spatial_axes(call);
    let (window, sizes) = (window(call, spatial)?, output_sizes(call, spatial)?);
    let x = call.tensor("self")?;
    let x = image(b, x, spatial)?;
    if call.output_count() > 1 && call.is_used(1) {
        let places = places(b, x)?;
        let Maxima { values: y, places } = sliced_max_places(b, x, places, &window, &sizes)?;
        let places = b.reshape(places, call.output_dims(1)?)?;
        return Ok(vec![b.reshape(y, call.output_dims(0)?)?, places].into());
    }
    let y = if window.dilation.iter().any(|d| *d != 1) || !b.dtype(x).is_float() {
        sliced_max(b, x, &window, &sizes)?
    } else {
        pooling(b, x, &window, &sizes, PoolingType::Max, true)?
    };
    let y = b.reshape(y, call.output_dims(0)?)?;
    let mut outputs = vec![None; call.output_count().max(1)];
    outputs[0] = Some(y);
    Ok(outputs.into())
}

/// One pooling layer whose output sizes are PyTorch's.
fn pooling(
    b: &mut Builder,
    x: TensorId,
    window: &Window,
    sizes: &[Dim],
    kind: PoolingType,
    exclude_padding: bool,
) -> Result<TensorId> {
    let input = b.dims(x);
    let overhang = |k: usize| Some(overhang(window, k, input[k + 2].as_static()?, sizes[k].as_static()?));
    let fixed: Option<Vec<i64>> = (0..sizes.len()).map(overhang).collect();
    let (post_padding, padding_mode) = match fixed {
        Some(post) if window.ceil => (post, PaddingMode::ExplicitRoundDown),
        _ if window.ceil => (window.padding.clone(), PaddingMode::ExplicitRoundUp),
        _ => (window.padding.clone(), PaddingMode::ExplicitRoundDown),
    };
    let attributes = PoolingAttributes {
        kind,
        window: window.size.clone(),
        stride: window.stride.clone(),
        pre_padding: window.padding.clone(),
        post_padding,
        padding_mode,
        average_count_excludes_padding: exclude_padding,
        blend_factor: 0.0,
    };
    let y = b.add(Op::Pooling(attributes), &[x])?;
    let dropped = |k: usize| window.stride[k] > window.size[k] - window.padding[k];
    if padding_mode == PaddingMode::ExplicitRoundUp && (0..sizes.len()).any(dropped) {
        let dims = [&b.dims(y)[..2], sizes].concat();
        return b.slice(y, &vec![Dim::Static(0); dims.len()], &dims, &vec![1; dims.len()]);
    }
    Ok(y)
}

/// Elements that the last window needs behind the input; less than the padding where that is not used up.
fn overhang(window: &Window, axis: usize, input: i64, output: i64) -> i64 {
    let reach = (output - 1) * window.stride[axis] + window.size[axis];
    (reach - input - window.padding[axis]).max(0)
}

/// An element of a window: its offset along one spatial axis.
#[derive(Clone, Copy)]
struct InWindow {
    axis: usize,
    offset: i64,
}

/// What is found at one place of every window along an axis; `fill` stands for the padding.
fn at_place(
    b: &mut Builder,
    x: TensorId,
    window: &Window,
    place: InWindow,
    output: &Dim,
    fill: f64,
) -> Result<TensorId> {
    let (mut size, k) = (b.dims(x), place.axis);
    let (mut start, mut stride) = (vec![Dim::Static(0); size.len()], vec![1; size.len()]);
    start[k + 2] = Dim::Static(place.offset * window.dilation[k] - window.padding[k]);
    size[k + 2] = output.clone();
    stride[k + 2] = window.stride[k];
    let fill = b.scalar(b.dtype(x), fill, 0)?;
    b.sample(x, [&start, &size], &stride, SampleMode::Fill, Some(fill))
}

/// The maximum of the windows' elements, one axis after the other: a strided slice for each place in the window.
fn sliced_max(b: &mut Builder, x: TensorId, window: &Window, sizes: &[Dim]) -> Result<TensorId> {
    let fill = lowest(b.dtype(x));
    let mut y = x;
    for (k, output) in sizes.iter().enumerate() {
        let mut best: Option<TensorId> = None;
        for offset in 0..window.size[k] {
            let slice = at_place(b, y, window, InWindow { axis: k, offset }, output, fill)?;
            best = Some(match best {
                Some(best) => b.elementwise(E::Max, best, slice)?,
                None => slice,
            });
        }
        y = best.unwrap_or(y);
    }
    Ok(y)
}

/// The place of each element in its image, counted over all spatial axes: int64 `[1, 1, spatial…]`.
fn places(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let mut dims = b.dims(x);
    let ramp = b.ramp(&Dim::product(&dims[2..]))?;
    (dims[0], dims[1]) = (Dim::Static(1), Dim::Static(1));
    b.reshape(ramp, &dims)
}

/// The largest elements so far, and where each was found.
#[derive(Clone, Copy)]
struct Maxima {
    values: TensorId,
    places: TensorId,
}

/// As [`sliced_max`], and where each maximum was found, as in PyTorch: the last NaN, otherwise the first of equals. -1
/// stands for the padding.
fn sliced_max_places(b: &mut Builder, x: TensorId, places: TensorId, window: &Window, sizes: &[Dim]) -> Result<Maxima> {
    let fill = lowest(b.dtype(x));
    let mut best = Maxima { values: x, places };
    // The last axis first: of equal maxima the first row wins, and in it the first column.
    for (k, output) in sizes.iter().enumerate().rev() {
        let slices = |b: &mut Builder, offset: i64| {
            let place = InWindow { axis: k, offset };
            let values = at_place(b, best.values, window, place, output, fill)?;
            Ok::<_, Error>(Maxima { values, places: at_place(b, best.places, window, place, output, -1.0)? })
        };
        let mut found = slices(b, 0)?;
        for offset in 1..window.size[k] {
            let next = slices(b, offset)?;
            let larger = replaces(b, next, found, window.padding[k] > 0)?;
            let values = b.select(larger, next.values, found.values)?;
            found = Maxima { values, places: b.select(larger, next.places, found.places)? };
        }
        best = found;
    }
    let dims = b.dims(best.values);
    Ok(Maxima { values: best.values, places: b.expand(best.places, &dims)? })
}

/// Whether an element takes the place of the maximum so far: it is larger or NaN, or the maximum is padding.
fn replaces(b: &mut Builder, next: Maxima, best: Maxima, padded: bool) -> Result<TensorId> {
    let (value, at) = (next.values, next.places);
    let mut replaces = b.elementwise(E::Greater, value, best.values)?;
    if b.dtype(value).is_float() {
        let nan = b.unary(UnaryOperation::Isnan, value)?;
        replaces = b.elementwise(E::Or, replaces, nan)?;
    }
    if padded {
        let zero = b.scalar(b.dtype(at), 0.0, b.rank(at))?;
        let (nowhere, somewhere) = (b.elementwise(E::Less, best.places, zero)?, b.elementwise(E::Less, at, zero)?);
        let somewhere = b.not(somewhere)?;
        let first = b.elementwise(E::And, nowhere, somewhere)?;
        replaces = b.elementwise(E::Or, replaces, first)?;
    }
    Ok(replaces)
}

/// Puts each element where its maximum was found, zeros elsewhere.
fn max_unpool(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, places, output) = (call.tensor("self")?, call.tensor("indices")?, call.output_dims(0)?);
    let spatial = spatial_axes(call);
    let flat = |dims: &[Dim]| {
        let (planes, pixels) = dims.split_at(dims.len() - spatial);
        vec![Dim::product(planes), Dim::product(pixels)]
    };
    let (from, to) = (flat(&b.dims(x)), flat(output));
    let (x, places) = (b.reshape(x, &from)?, b.reshape(places, &from)?);
    let zeros = b.full(b.dtype(x), &to, 0.0)?;
    let y = b.add(Op::Scatter { mode: ScatterMode::Element, axis: 1 }, &[zeros, places, x])?;
    Ok(b.reshape(y, output)?.into())
}

fn avg_pool(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let spatial = spatial_axes(call);
    let (mut window, sizes) = (window(call, spatial)?, output_sizes(call, spatial)?);
    let divisor = match call.argument("divisor_override") {
        Some(_) => call.optional_float("divisor_override")?,
        None => None,
    };
    let include_padding = call.bool("count_include_pad")? || divisor.is_some();
    let x = call.tensor("self")?;
    let mut x = image(b, x, spatial)?;
    let mut exclude = !include_padding;
    if window.ceil && divisor.is_none() && include_padding {
        // The divisor counts the padding but not the overhang: padding becomes data, and only data is counted.
        x = zeros_around(b, x, &window.padding)?;
        window.padding = vec![0; sizes.len()];
        exclude = true;
    }
    let mut y = pooling(b, x, &window, &sizes, PoolingType::Average, exclude)?;
    if let Some(divisor) = divisor {
        let count: i64 = window.size.iter().product();
        y = b.with_scalar(E::Prod, y, count as f64 / divisor)?;
    }
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}

/// Zeros before and after the spatial axes.
fn zeros_around(b: &mut Builder, x: TensorId, padding: &[i64]) -> Result<TensorId> {
    if padding.iter().all(|p| *p == 0) {
        return Ok(x);
    }
    let mut size = b.dims(x);
    let mut start = vec![Dim::Static(0); size.len()];
    for (k, pad) in padding.iter().enumerate() {
        start[k + 2] = Dim::Static(-pad);
        size[k + 2] = size[k + 2].clone() + Dim::Static(2 * pad);
    }
    let fill = b.scalar(b.dtype(x), 0.0, 0)?;
    let stride = vec![1; size.len()];
    b.sample(x, [&start, &size], &stride, SampleMode::Fill, Some(fill))
}
