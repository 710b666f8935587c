//! Means over the bins of regions, as products with a matrix for each axis.
//!
//! | schema | layers |
//! |---|---|
//! | `torchvision::roi_align` with `sampling_ratio <= 0` | ElementWise, MatrixMultiply |
//! | `torchvision::ps_roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, …)` | the same |
//! | `torchvision::ps_roi_pool(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, …)` | the same |
//!
//! How many elements or samples a bin has depends on data. The mean over a bin is a product with the weights of the
//! rows, and one with the weights of the columns: `[regions, bins, size]` for each axis, of any number of samples. The
//! `ps` operators read channels of their own for each bin.
//!
//! Dtypes: one float type; coordinates and weights are computed in float32. Every size but the number of bins may be
//! symbolic. Only the first output, the elements, is made.

use super::roi_pool::nearest;
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, ReduceOperation as R, TensorId, UnaryOperation as U, Weights};

const LAYERS: &str = "ElementWise, MatrixMultiply";

pub(super) const OPERATORS: &[Operator] = &[
    operator("torchvision.ps_roi_align.default", ps_roi_align, LAYERS, 1e-5),
    operator("torchvision.ps_roi_pool.default", ps_roi_pool, LAYERS, 1e-5),
];

/// Samples of a bin that are within one element of a given one, and one more for rounding: where the operator chooses
/// their number, they are more than half an element apart.
const NEAR: i64 = 6;

/// What the bins of an axis are.
struct Bins {
    /// Column of the regions' first coordinate; the last is two columns on.
    column: i64,
    count: i64,
    size: Dim,
    /// Samples a bin; where it is not positive, one for each element that the bin covers.
    samples: i64,
    /// Whether bins without samples divide by zero.
    divides_by_zero: bool,
}

/// First and last coordinate of regions on the image: `[regions, 1]` each.
fn ends(b: &mut Builder, rois: TensorId, column: i64, scale: f64) -> Result<[TensorId; 2]> {
    let mut end = |column: i64| {
        let end = b.slice_axis(rois, 1, Dim::Static(column), Dim::Static(1), 1)?;
        b.with_scalar(E::Prod, end, scale)
    };
    Ok([end(column)?, end(column + 2)?])
}

/// Numbers `first …` of the bins, `[1, count]`.
fn numbers(b: &mut Builder, first: i64, count: i64) -> Result<TensorId> {
    b.constant(Weights::from_i64(DType::Float32, &[1, count], first..first + count))
}

/// Weights of the elements of an axis in the mean over each bin's samples: `[regions, bins, size]`.
fn sampled(b: &mut Builder, [start, length]: [TensorId; 2], bins: &Bins) -> Result<TensorId> {
    let float = DType::Float32;
    let bin = b.with_scalar(E::Div, length, bins.count as f64)?;
    let (number, adaptive) = (numbers(b, 0, bins.count)?, bins.samples <= 0);
    let offset = b.prod(number, bin)?;
    let first = b.sum(start, offset)?;
    // Axes: regions, bins, elements, samples.
    let first = b.unsqueeze(first, &[2, 3])?;
    let bin = b.unsqueeze(bin, &[2, 3])?;
    let samples = if adaptive { b.unary(U::Ceil, bin)? } else { b.scalar(float, bins.samples as f64, 4)? };
    let some = b.with_scalar(E::Max, samples, 1.0)?;
    let step = b.div(bin, some)?;
    let element = b.iota_along(&bins.size, float, 2, 4)?;
    let candidates = if adaptive { NEAR } else { bins.samples };
    let mut sample = b.iota_along(&Dim::Static(candidates), float, 3, 4)?;
    if adaptive {
        // The first sample that may be within one element of this one.
        let positive = b.with_scalar(E::Max, step, f64::from(f32::MIN_POSITIVE))?;
        let before = b.with_scalar(E::Sub, element, 1.0)?;
        let distance = b.sub(before, first)?;
        let nearest = b.div(distance, positive)?;
        let nearest = b.with_scalar(E::Sub, nearest, 1.0)?;
        let nearest = b.unary(U::Floor, nearest)?;
        let nearest = b.with_scalar(E::Max, nearest, 0.0)?;
        let nearest = b.elementwise(E::Min, nearest, some)?;
        sample = b.sum(nearest, sample)?;
    }
    let center = b.with_scalar(E::Sum, sample, 0.5)?;
    let along = b.prod(center, step)?;
    let point = b.sum(first, along)?;
    let share = shares(b, point, element, &bins.size)?;
    let counts = b.elementwise(E::Less, sample, samples)?;
    let counts = b.number(counts, float)?;
    let share = b.prod(share, counts)?;
    let total = b.reduce(R::Sum, share, &[3], false)?;
    let divisor = if bins.divides_by_zero { samples } else { some };
    let divisor = b.squeeze(divisor, &[3])?;
    b.div(total, divisor)
}

/// What an element is worth in the interpolation at a point: nothing where the point is more than one element outside.
fn shares(b: &mut Builder, point: TensorId, element: TensorId, size: &Dim) -> Result<TensorId> {
    let float = b.dtype(point);
    let (first, end) = (b.scalar(float, -1.0, 0)?, b.size_as(size, float, 0)?);
    let (low, high) = (b.elementwise(E::Less, point, first)?, b.elementwise(E::Greater, point, end)?);
    let off = b.elementwise(E::Or, low, high)?;
    let last = b.with_scalar(E::Sub, end, 1.0)?;
    let inside = b.with_scalar(E::Max, point, 0.0)?;
    let inside = b.elementwise(E::Min, inside, last)?;
    let distance = b.sub(inside, element)?;
    let distance = b.unary(U::Abs, distance)?;
    let one = b.scalar(float, 1.0, 4)?;
    let share = b.sub(one, distance)?;
    let share = b.with_scalar(E::Max, share, 0.0)?;
    let nothing = b.scalar(float, 0.0, 4)?;
    b.select(off, nothing, share)
}

/// Weights of whole elements in the mean over each bin of a region with rounded corners: `[regions, bins, size]`.
fn whole(b: &mut Builder, rois: TensorId, scale: f64, bins: &Bins) -> Result<TensorId> {
    let [start, end] = ends(b, rois, bins.column, scale)?;
    let (start, end) = (nearest(b, start)?, nearest(b, end)?);
    let length = b.sub(end, start)?;
    let length = b.with_scalar(E::Max, length, 1.0)?;
    let bin = b.with_scalar(E::Div, length, bins.count as f64)?;
    let last = b.size_as(&(bins.size.clone() - Dim::Static(1)), DType::Float32, 0)?;
    let edge = |b: &mut Builder, first: i64, rounding: U| {
        let numbers = numbers(b, first, bins.count)?;
        let place = b.prod(numbers, bin)?;
        let place = b.unary(rounding, place)?;
        let place = b.sum(place, start)?;
        let place = b.with_scalar(E::Max, place, 0.0)?;
        let place = b.elementwise(E::Min, place, last)?;
        b.unsqueeze(place, &[2])
    };
    let (first, behind) = (edge(b, 0, U::Floor)?, edge(b, 1, U::Ceil)?);
    let element = b.iota_along(&bins.size, DType::Float32, 2, 3)?;
    let before = b.elementwise(E::Less, element, first)?;
    let from_first = b.not(before)?;
    let inside = b.elementwise(E::Less, element, behind)?;
    let inside = b.elementwise(E::And, from_first, inside)?;
    let inside = b.number(inside, DType::Float32)?;
    let length = b.sub(behind, first)?;
    let length = b.with_scalar(E::Max, length, 1.0)?;
    b.div(inside, length)
}

/// Weights of rows, with the regions' images side by side: `[regions, bins, images · rows]`.
fn of_image(b: &mut Builder, rois: TensorId, rows: TensorId, images: &Dim) -> Result<TensorId> {
    let dims = b.dims(rows);
    let number = b.slice_axis(rois, 1, Dim::Static(0), Dim::Static(1), 1)?;
    let number = b.cast(number, DType::Int64)?;
    let number = b.unsqueeze(number, &[1, 3])?;
    let image = b.iota_along(images, DType::Int64, 2, 4)?;
    let own = b.elementwise(E::Equal, image, number)?;
    let rows = b.unsqueeze(rows, &[2])?;
    let nothing = b.scalar(DType::Float32, 0.0, 4)?;
    let rows = b.select(own, rows, nothing)?;
    b.reshape(rows, &[dims[0].clone(), dims[1].clone(), images.clone() * dims[2].clone()])
}

/// Weights `rows` and `columns` in the mean over the bins of all channels: `[regions, channels, bins, bins]`.
fn means(b: &mut Builder, x: TensorId, rois: TensorId, [rows, columns]: [TensorId; 2]) -> Result<TensorId> {
    let dims = b.dims(x);
    let [images, channels, height, width] = [0, 1, 2, 3].map(|axis| dims[axis].clone());
    let rows = of_image(b, rois, rows, &images)?;
    let (rows, columns) = (b.cast(rows, b.dtype(x))?, b.cast(columns, b.dtype(x))?);
    let count = b.dims(rows)[1].clone();
    let rows = b.flatten(rows, 0, 1)?;
    let table = b.permute(x, &[0, 2, 3, 1])?;
    let table = b.reshape(table, &[images * height, width.clone() * channels.clone()])?;
    let y = b.matmul(rows, table)?;
    let y = b.reshape(y, &[b.dims(rois)[0].clone(), count, width, channels])?;
    let columns = b.unsqueeze(columns, &[1])?;
    let y = b.matmul(columns, y)?;
    b.permute(y, &[0, 3, 1, 2])
}

/// As [`means`], where each bin has channels of its own.
fn means_by_bin(b: &mut Builder, x: TensorId, rois: TensorId, [rows, columns]: [TensorId; 2]) -> Result<TensorId> {
    let dims = b.dims(x);
    let [images, channels, height, width] = [0, 1, 2, 3].map(|axis| dims[axis].clone());
    let rows = of_image(b, rois, rows, &images)?;
    let (rows, columns) = (b.cast(rows, b.dtype(x))?, b.cast(columns, b.dtype(x))?);
    let (down, across) = (b.dims(rows)[1].clone(), b.dims(columns)[1].clone());
    let kept = channels.floor_div(&(down.clone() * across.clone()));
    let table =
        b.reshape(x, &[images.clone(), kept.clone(), down.clone(), across.clone(), height.clone(), width.clone()])?;
    // Rows of bins in front; columns of bins next to the selected channels.
    let table = b.permute(table, &[2, 0, 4, 3, 5, 1])?;
    let table = b.reshape(table, &[down.clone(), images * height, across.clone() * width.clone() * kept.clone()])?;
    let rows = b.transpose(rows, 0, 1)?;
    let y = b.matmul(rows, table)?;
    let regions = b.dims(rois)[0].clone();
    let y = b.reshape(y, &[down, regions, across, width, kept])?;
    let columns = b.unsqueeze(columns, &[0, 3])?;
    let y = b.matmul(columns, y)?;
    let y = b.squeeze(y, &[3])?;
    b.permute(y, &[1, 3, 0, 2])
}

/// The bins of both axes of a call: rows, then columns.
fn bins(b: &Builder, call: &Call<'_>, samples: i64, divides_by_zero: bool) -> Result<[Bins; 2]> {
    let dims = b.dims(call.tensor("input")?);
    let axis = |column, name, axis: usize| -> Result<Bins> {
        Ok(Bins { column, count: call.int(name)?, size: dims[axis].clone(), samples, divides_by_zero })
    };
    Ok([axis(2, "pooled_height", 2)?, axis(1, "pooled_width", 3)?])
}

/// The mean of as many samples in each bin of each region as the bin has elements.
pub(super) fn adaptive_roi_align(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, rois, scale) = (call.tensor("input")?, call.tensor("rois")?, call.float("spatial_scale")?);
    let (rois, aligned) = (b.in_float32(rois)?, call.bool("aligned")?);
    let weights = |b: &mut Builder, bins: &Bins| {
        let [start, end] = ends(b, rois, bins.column, scale)?;
        let mut length = b.sub(end, start)?;
        if !aligned {
            length = b.with_scalar(E::Max, length, 1.0)?;
        }
        let start = if aligned { b.with_scalar(E::Sub, start, 0.5)? } else { start };
        sampled(b, [start, length], bins)
    };
    let [rows, columns] = bins(b, call, 0, false)?;
    let weights = [weights(b, &rows)?, weights(b, &columns)?];
    Ok(means(b, x, rois, weights)?.into())
}

fn ps_roi_align(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, rois, scale) = (call.tensor("input")?, call.tensor("rois")?, call.float("spatial_scale")?);
    let rois = b.in_float32(rois)?;
    let weights = |b: &mut Builder, bins: &Bins| {
        let [start, end] = ends(b, rois, bins.column, scale)?;
        let length = b.sub(end, start)?;
        let start = b.with_scalar(E::Sub, start, 0.5)?;
        sampled(b, [start, length], bins)
    };
    let [rows, columns] = bins(b, call, call.int("sampling_ratio")?, true)?;
    let weights = [weights(b, &rows)?, weights(b, &columns)?];
    Ok(vec![Some(means_by_bin(b, x, rois, weights)?), None].into())
}

fn ps_roi_pool(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, rois, scale) = (call.tensor("input")?, call.tensor("rois")?, call.float("spatial_scale")?);
    let rois = b.in_float32(rois)?;
    let [rows, columns] = bins(b, call, 0, false)?;
    let weights = [whole(b, rois, scale, &rows)?, whole(b, rois, scale, &columns)?];
    Ok(vec![Some(means_by_bin(b, x, rois, weights)?), None].into())
}
