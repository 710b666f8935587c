//! The largest element in each bin of a region.
//!
//! | schema | layers |
//! |---|---|
//! | `torchvision::roi_pool(Tensor input, Tensor rois, float spatial_scale, …)` | Slice, ElementWise, Gather |
//!
//! Where a bin begins and ends depends on data. The image is kept in every size of window that is a power of two, each
//! element holding the largest of the window that begins there; four such windows, one in each corner, cover a bin.
//! Height and width must be known, and image and windows have at most 2²⁸ elements.
//!
//! Dtypes: one float type, coordinates are computed in float32. Only the first output, the elements, is made.

use super::accumulate::LIMIT;
use super::reduce::lowest;
use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, SampleMode, TensorId, UnaryOperation as U, Weights};

pub(super) const OPERATORS: &[Operator] =
    &[operator("torchvision.roi_pool.default", roi_pool, "Slice, ElementWise, Gather", 0.0)];

/// How many powers of two fit into an axis: windows of 1, 2, 4, ….
fn levels(size: i64) -> i64 {
    i64::from(size.ilog2()) + 1
}

/// The image, and what the largest elements of its windows along an axis are: windows of 1, 2, 4, … elements.
fn windows(b: &mut Builder, x: TensorId, axis: usize, size: i64) -> Result<Vec<TensorId>> {
    let (dims, fill) = (b.dims(x), b.constant(Weights::scalar(b.dtype(x), lowest(b.dtype(x))))?);
    let mut found = vec![x];
    for level in 1..levels(size) {
        let half = found[found.len() - 1];
        let mut start = vec![Dim::Static(0); dims.len()];
        start[axis] = Dim::Static(1 << (level - 1));
        let other = b.sample(half, [&start, &dims], &vec![1; dims.len()], SampleMode::Fill, Some(fill))?;
        found.push(b.elementwise(E::Max, half, other)?);
    }
    Ok(found)
}

/// The bins along one axis: `[regions, bins]`.
struct Bins {
    /// Number of the window size that fits in a bin, int64.
    level: TensorId,
    /// Where the two windows of that size begin that cover it, int64.
    starts: [TensorId; 2],
    /// Whether a bin has any elements.
    some: TensorId,
}

/// To the nearest whole number, halves away from zero as C's `round` has it.
pub(super) fn nearest(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let size = b.unary(U::Abs, x)?;
    let whole = b.unary(U::Floor, size)?;
    let rest = b.sub(size, whole)?;
    let half = b.scalar(b.dtype(x), 0.5, b.rank(x))?;
    let down = b.elementwise(E::Less, rest, half)?;
    let next = b.with_scalar(E::Sum, whole, 1.0)?;
    let whole = b.select(down, whole, next)?;
    let sign = b.unary(U::Sign, x)?;
    b.prod(whole, sign)
}

/// `ends` are a region's first and last pixel `[regions, 1]`, whole numbers; both belong to it.
fn bins(b: &mut Builder, ends: [TensorId; 2], count: i64, size: i64) -> Result<Bins> {
    let [start, end] = ends;
    let length = b.sub(end, start)?;
    let length = b.with_scalar(E::Sum, length, 1.0)?;
    let length = b.with_scalar(E::Max, length, 1.0)?;
    let width = b.with_scalar(E::Div, length, count as f64)?;
    let edge = |b: &mut Builder, first: i64, rounding: U| {
        let numbers = b.constant(Weights::from_i64(DType::Float32, &[1, count], first..first + count))?;
        let place = b.prod(numbers, width)?;
        let place = b.unary(rounding, place)?;
        let place = b.sum(place, start)?;
        let place = b.with_scalar(E::Max, place, 0.0)?;
        b.with_scalar(E::Min, place, size as f64)
    };
    let (first, behind) = (edge(b, 0, U::Floor)?, edge(b, 1, U::Ceil)?);
    let some = b.elementwise(E::Less, first, behind)?;
    // An empty bin reads what comes next, which is not used.
    let first = b.with_scalar(E::Min, first, (size - 1) as f64)?;
    let after = b.with_scalar(E::Sum, first, 1.0)?;
    let behind = b.elementwise(E::Max, behind, after)?;
    let (first, behind) = (b.cast(first, DType::Int64)?, b.cast(behind, DType::Int64)?);
    let length = b.sub(behind, first)?;
    let of_length = (0..=size).map(|n| levels(n.max(1)) - 1);
    let table = b.constant(Weights::from_i64(DType::Int64, &[size + 1], of_length.clone()))?;
    let level = b.gather(table, length, 0)?;
    let table = b.constant(Weights::from_i64(DType::Int64, &[size + 1], of_length.map(|level| 1 << level)))?;
    let window = b.gather(table, length, 0)?;
    let second = b.sub(behind, window)?;
    Ok(Bins { level, starts: [first, second], some })
}

/// The bins of regions `[regions, 5]` along an axis: their first pixel is in column `first`, the last two columns on.
fn bins_of(b: &mut Builder, rois: TensorId, scale: f64, first: i64, count: i64, size: i64) -> Result<Bins> {
    let mut end = |column: i64| {
        let end = b.slice_axis(rois, 1, Dim::Static(column), Dim::Static(1), 1)?;
        let end = b.with_scalar(E::Prod, end, scale)?;
        nearest(b, end)
    };
    let ends = [end(first)?, end(first + 2)?];
    bins(b, ends, count, size)
}

/// `x * size + y`, where all are counts.
fn within(b: &mut Builder, x: TensorId, size: &Dim, y: TensorId) -> Result<TensorId> {
    let size = b.size_as(size, DType::Int64, b.rank(x))?;
    let x = b.prod(x, size)?;
    b.sum(x, y)
}

/// All windows of an image `[N, H, W, C]`: a row of channels for each size of rows, of columns, image and pixel.
fn table(b: &mut Builder, image: TensorId, [h, w]: [i64; 2]) -> Result<TensorId> {
    let dims = b.dims(image);
    let count = Dim::product(&dims) * Dim::Static(levels(h) * levels(w));
    if let Some(n) = count.as_static().filter(|n| *n > LIMIT) {
        return unsupported(format!("roi_pool of an image whose windows have {n} elements; roi_align needs none"));
    }
    let mut all = Vec::new();
    for rows in windows(b, image, 1, h)? {
        all.extend(windows(b, rows, 2, w)?);
    }
    let all = b.concat(&all, 0)?;
    let rows = Dim::product(&b.dims(all)[..3]);
    b.reshape(all, &[rows, dims[3].clone()])
}

fn roi_pool(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, rois, scale) = (call.tensor("input")?, call.tensor("rois")?, call.float("spatial_scale")?);
    let [images, height, width] = [0, 2, 3].map(|axis| b.dims(x)[axis].clone());
    let (Some(h), Some(w)) = (height.as_static(), width.as_static()) else {
        return unsupported("roi_pool of images whose height or width depends on input sizes; roi_align takes them");
    };
    let image = b.permute(x, &[0, 2, 3, 1])?;
    let table = table(b, image, [h, w])?;
    let rois = b.in_float32(rois)?;
    let rows = bins_of(b, rois, scale, 2, call.int("pooled_height")?, h)?;
    let columns = bins_of(b, rois, scale, 1, call.int("pooled_width")?, w)?;
    let number = b.slice_axis(rois, 1, Dim::Static(0), Dim::Static(1), 1)?;
    let number = b.cast(number, DType::Int64)?;
    // Regions, rows of bins, columns of bins.
    let mut across = |x: TensorId| b.unsqueeze(x, &[1]);
    let (column_level, number) = (across(columns.level)?, across(number)?);
    let (starts, some) = ([across(columns.starts[0])?, across(columns.starts[1])?], across(columns.some)?);
    let row_level = b.unsqueeze(rows.level, &[2])?;
    let level = within(b, row_level, &Dim::Static(levels(w)), column_level)?;
    let window = within(b, level, &images, number)?;
    let mut corners = Vec::with_capacity(4);
    for y in rows.starts {
        let y = b.unsqueeze(y, &[2])?;
        let row = within(b, window, &height, y)?;
        for x in starts {
            let place = within(b, row, &width, x)?;
            corners.push(b.gather(table, place, 0)?);
        }
    }
    let (upper, lower) =
        (b.elementwise(E::Max, corners[0], corners[1])?, b.elementwise(E::Max, corners[2], corners[3])?);
    let largest = b.elementwise(E::Max, upper, lower)?;
    let some_rows = b.unsqueeze(rows.some, &[2])?;
    let some = b.elementwise(E::And, some_rows, some)?;
    let some = b.unsqueeze(some, &[3])?;
    let nothing = b.scalar(b.dtype(x), 0.0, 4)?;
    let largest = b.select(some, largest, nothing)?;
    Ok(vec![Some(b.permute(largest, &[0, 3, 1, 2])?), None].into())
}
