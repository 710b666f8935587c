//! Operators of torchvision's detection models.
//!
//! | schema | layers |
//! |---|---|
//! | `torchvision::nms(Tensor dets, Tensor scores, float iou_threshold)` | NMS, Slice |
//! | `torchvision::roi_align(Tensor input, Tensor rois, float spatial_scale, …)` | Gather, ElementWise, Reduce |
//! | `torchvision::deform_conv2d(Tensor input, Tensor weight, …)` | Gather, ElementWise, MatrixMultiply |
//!
//! Dtypes: one float type, coordinates are computed in float32; `nms` gives int64. How many boxes `nms` keeps depends
//! on data: its size is a symbol, bound to its output. For `roi_align` without a positive `sampling_ratio` see
//! `region`. Samples between pixels are sums over their four neighbours, gathered by index: exact, whatever the size of
//! the image, where the grid sample layer would round normalized coordinates.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{
    BoundingBoxFormat, DType, ElementWiseOperation as E, Op, ReduceOperation as R, TensorId, UnaryOperation as U,
    Weights,
};

pub(super) const OPERATORS: &[Operator] = &[
    operator("torchvision.nms.default", nms, "NMS, Slice", 0.0),
    operator("torchvision.roi_align.default", roi_align, "Gather, ElementWise, Reduce", 1e-5),
    operator("torchvision.deform_conv2d.default", deform_conv, "Gather, ElementWise, MatrixMultiply", 1e-5),
];

/// The most boxes that TensorRT's layer looks at.
const BOX_LIMIT: i64 = 5000;

fn nms(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (boxes, scores, threshold) = (call.tensor("dets")?, call.tensor("scores")?, call.float("iou_threshold")?);
    let kept = &call.output_dims(0)?[0];
    let symbols = kept.symbols();
    let [symbol] = symbols.as_slice() else {
        return unsupported(format!(
            "tracing fixed the number of boxes that nms keeps at {kept}; where torch.export takes the model it is \
             open, and the warning about tracing names the line that it does not take"
        ));
    };
    let count = b.dims(boxes)[0].clone();
    if count.as_static().is_some_and(|n| n > BOX_LIMIT) {
        return unsupported(format!("nms of {count} boxes, TensorRT takes {BOX_LIMIT}: keep the best of them first"));
    }
    let limit = b.size_scalar(&count)?;
    let limit = b.cast(limit, DType::Int32)?;
    let overlap = b.scalar(DType::Float32, threshold, 0)?;
    // PyTorch has no threshold for scores: every one counts.
    let lowest = b.scalar(DType::Float32, f64::from(f32::MIN), 0)?;
    let (boxes, scores) = (b.cast(boxes, DType::Float32)?, b.cast(scores, DType::Float32)?);
    let (boxes, scores) = (b.unsqueeze(boxes, &[0])?, b.unsqueeze(scores, &[0, 2])?);
    let op = Op::Nms { format: BoundingBoxFormat::CornerPairs, topk_box_limit: BOX_LIMIT, count: symbol.to_string() };
    let found = b.add_all(op, &[Some(boxes), Some(scores), Some(limit), Some(overlap), Some(lowest)])?;
    b.bind_symbol(symbol, found[0], 0);
    // Columns: batch, class, box.
    let index = b.slice_axis(found[0], 1, Dim::Static(2), Dim::Static(1), 1)?;
    let index = b.reshape(index, std::slice::from_ref(kept))?;
    Ok(b.cast(index, DType::Int64)?.into())
}

/// An image as a table with a row of channels for each pixel.
struct Pixels {
    /// `[images · height · width, channels]`.
    table: TensorId,
    height: Dim,
    width: Dim,
}

/// `[images, channels, height, width]` as [`Pixels`].
fn pixels(b: &mut Builder, x: TensorId) -> Result<Pixels> {
    let dims = b.dims(x);
    let [n, c, h, w] = dims.as_slice() else { return unsupported("sampling of other than [N, C, H, W]") };
    let rows = n.clone() * h.clone() * w.clone();
    let x = b.permute(x, &[0, 2, 3, 1])?;
    Ok(Pixels { table: b.reshape(x, &[rows, c.clone()])?, height: h.clone(), width: w.clone() })
}

/// Values between pixels: the four neighbours of each point, weighed by distance; what is outside the image is 0.
/// `base` is the first row of the point's image. All broadcast to one shape `[…]`, the result is `[…, channels]`.
fn sample(b: &mut Builder, pixels: &Pixels, base: TensorId, [y, x]: [TensorId; 2]) -> Result<TensorId> {
    let width = b.size_scalar(&pixels.width)?;
    let (rows, columns) = (neighbours(b, y, &pixels.height)?, neighbours(b, x, &pixels.width)?);
    let mut terms = Vec::with_capacity(4);
    for (row, vertical) in rows {
        let first = b.prod(row, width)?;
        let first = b.sum(first, base)?;
        for (column, horizontal) in columns {
            let index = b.sum(first, column)?;
            let value = b.gather(pixels.table, index, 0)?;
            let weight = b.prod(vertical, horizontal)?;
            let weight = b.unsqueeze(weight, &[b.rank(weight)])?;
            let weight = b.cast(weight, b.dtype(value))?;
            terms.push(b.prod(value, weight)?);
        }
    }
    let (upper, lower) = (b.sum(terms[0], terms[1])?, b.sum(terms[2], terms[3])?);
    b.sum(upper, lower)
}

/// Both neighbours of points along an axis: index inside the image, and weight (0 for one outside).
pub(super) fn neighbours(b: &mut Builder, point: TensorId, size: &Dim) -> Result<[(TensorId, TensorId); 2]> {
    let dtype = b.dtype(point);
    let last = b.size_as(&(size.clone() - Dim::Static(1)), dtype, 0)?;
    let (one, before) = (b.scalar(dtype, 1.0, 0)?, b.unary(U::Floor, point)?);
    let share = b.sub(point, before)?;
    let (after, rest) = (b.sum(before, one)?, b.sub(one, share)?);
    let mut neighbour = |place: TensorId, weight: TensorId| -> Result<(TensorId, TensorId)> {
        let nearest = b.with_scalar(E::Max, place, 0.0)?;
        let nearest = b.elementwise(E::Min, nearest, last)?;
        let on = b.elementwise(E::Equal, nearest, place)?;
        let on = b.number(on, dtype)?;
        Ok((b.cast(nearest, DType::Int64)?, b.prod(weight, on)?))
    };
    Ok([neighbour(before, rest)?, neighbour(after, share)?])
}

/// The mean of `sampling_ratio²` samples in each bin of each region.
fn roi_align(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, rois, ratio) = (call.tensor("input")?, call.tensor("rois")?, call.int("sampling_ratio")?);
    if ratio <= 0 {
        return super::region::adaptive_roi_align(b, call);
    }
    let bins = [call.int("pooled_height")?, call.int("pooled_width")?];
    let offset = if call.bool("aligned")? { 0.5 } else { 0.0 };
    let sampling = Sampling { scale: call.float("spatial_scale")?, offset, ratio };
    let pixels = pixels(b, x)?;
    let rois = b.in_float32(rois)?;
    let column = |b: &mut Builder, k: i64| b.slice_axis(rois, 1, Dim::Static(k), Dim::Static(1), 1);
    let axis = |b: &mut Builder, first: i64, bins: i64| {
        let (start, end) = (column(b, first)?, column(b, first + 2)?);
        region_points(b, [start, end], sampling, bins)
    };
    let (y, x) = (axis(b, 2, bins[0])?, axis(b, 1, bins[1])?);
    // Regions, rows of samples, columns of samples.
    let (y, x) = (b.unsqueeze(y, &[2])?, b.unsqueeze(x, &[1])?);
    let image = column(b, 0)?;
    let image = b.cast(image, DType::Int64)?;
    let size = b.size_scalar(&(pixels.height.clone() * pixels.width.clone()))?;
    let base = b.prod(image, size)?;
    let base = b.unsqueeze(base, &[2])?;
    let (on_y, y) = near(b, y, &pixels.height)?;
    let (on_x, x) = near(b, x, &pixels.width)?;
    let samples = sample(b, &pixels, base, [y, x])?;
    let on = b.prod(on_y, on_x)?;
    let on = b.unsqueeze(on, &[3])?;
    let on = b.cast(on, b.dtype(samples))?;
    let samples = b.prod(samples, on)?;
    let dims = b.dims(samples);
    let split = [bins[0], ratio, bins[1], ratio].map(Dim::Static);
    let samples = b.reshape(samples, &[&dims[..1], &split, &dims[3..]].concat())?;
    let mean = b.reduce(R::Avg, samples, &[2, 4], false)?;
    Ok(b.permute(mean, &[0, 3, 1, 2])?.into())
}

/// 1 where a point is no further than one pixel outside the image, otherwise 0; and the points moved into the image.
fn near(b: &mut Builder, point: TensorId, size: &Dim) -> Result<(TensorId, TensorId)> {
    let dtype = b.dtype(point);
    let (first, end) = (b.scalar(dtype, -1.0, 0)?, b.size_as(size, dtype, 0)?);
    let (low, high) = (b.elementwise(E::Less, point, first)?, b.elementwise(E::Greater, point, end)?);
    let off = b.elementwise(E::Or, low, high)?;
    let on = b.not(off)?;
    let on = b.number(on, dtype)?;
    let last = b.size_as(&(size.clone() - Dim::Static(1)), dtype, 0)?;
    let point = b.with_scalar(E::Max, point, 0.0)?;
    Ok((on, b.elementwise(E::Min, point, last)?))
}

/// How `roi_align` samples a region along an axis.
#[derive(Clone, Copy)]
struct Sampling {
    /// Pixels for each unit of the region's coordinates.
    scale: f64,
    /// What is subtracted from a coordinate in pixels.
    offset: f64,
    /// Samples in each bin.
    ratio: i64,
}

/// Sampling points of each region along an axis: `[regions, bins · ratio]`.
fn region_points(
    b: &mut Builder,
    [start, end]: [TensorId; 2],
    Sampling { scale, offset, ratio }: Sampling,
    bins: i64,
) -> Result<TensorId> {
    let dtype = b.dtype(start);
    let (start, end) = (b.with_scalar(E::Prod, start, scale)?, b.with_scalar(E::Prod, end, scale)?);
    let (start, end) = (b.with_scalar(E::Sub, start, offset)?, b.with_scalar(E::Sub, end, offset)?);
    let mut length = b.sub(end, start)?;
    if offset == 0.0 {
        length = b.with_scalar(E::Max, length, 1.0)?;
    }
    let places: Vec<f64> = (0..bins * ratio).map(|k| (k as f64 + 0.5) / (bins * ratio) as f64).collect();
    let places = b.constant(Weights::from_f64(dtype, &[1, bins * ratio], places))?;
    let along = b.prod(length, places)?;
    b.sum(start, along)
}

/// What `deform_conv2d` is called with; an entry for height and for width.
struct Deformed {
    stride: [i64; 2],
    padding: [i64; 2],
    dilation: [i64; 2],
    groups: i64,
    offset_groups: i64,
    /// Output channels, input channels of a group, and the window.
    kernel: [i64; 4],
}

fn deformed(b: &Builder, call: &Call<'_>, weight: TensorId) -> Result<Deformed> {
    let Some(kernel) = b.static_dims(weight).and_then(|d| <[i64; 4]>::try_from(d).ok()) else {
        return unsupported("a deformable convolution whose weight depends on the input's sizes");
    };
    Ok(Deformed {
        stride: [call.int("stride_h")?, call.int("stride_w")?],
        padding: [call.int("pad_h")?, call.int("pad_w")?],
        dilation: [call.int("dilation_h")?, call.int("dilation_w")?],
        groups: call.int("groups")?,
        offset_groups: call.int("offset_groups")?,
        kernel,
    })
}

/// A convolution whose window's places are moved by `offset`: samples as columns, times the weight.
fn deform_conv(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, weight, offset) = (call.tensor("input")?, call.tensor("weight")?, call.tensor("offset")?);
    let (d, output) = (deformed(b, call, weight)?, call.output_dims(0)?);
    let (dims, groups) = (b.dims(x), Dim::Static(d.offset_groups));
    // Each offset group is an image of its own.
    let images = dims[0].clone() * groups.clone();
    let channels = dims[1].floor_div(&groups);
    let split = b.reshape(x, &[images.clone(), channels.clone(), dims[2].clone(), dims[3].clone()])?;
    let pixels = pixels(b, split)?;
    let [_, _, kh, kw] = d.kernel;
    let places = Dim::Static(kh * kw);
    let shape = [images.clone(), places.clone(), output[2].clone(), output[3].clone()];
    let points = deformed_points(b, offset, &d, &shape)?;
    let base = first_rows(b, &pixels, &images)?;
    let mut columns = sample(b, &pixels, base, points)?;
    if call.bool("use_mask")? {
        let mask = call.tensor("mask")?;
        let mask = b.reshape(mask, &[&shape[..], &[Dim::Static(1)]].concat())?;
        columns = b.prod(columns, mask)?;
    }
    let y = times_weight(b, columns, weight, &d, output)?;
    let bias = call.tensor("bias")?;
    let bias = b.reshape(bias, &[Dim::Static(1), output[1].clone(), Dim::Static(1), Dim::Static(1)])?;
    Ok(b.sum(y, bias)?.into())
}

/// Sampling points `[images, places, height, width]` along both axes.
fn deformed_points(b: &mut Builder, offset: TensorId, d: &Deformed, shape: &[Dim; 4]) -> Result<[TensorId; 2]> {
    let [images, places, height, width] = shape.clone();
    let offset = b.in_float32(offset)?;
    let offset = b.reshape(offset, &[images, places, Dim::Static(2), height.clone(), width.clone()])?;
    let [_, _, kh, kw] = d.kernel;
    let mut points = Vec::with_capacity(2);
    for (axis, size) in [height, width].iter().enumerate() {
        let moved = b.slice_axis(offset, 2, Dim::Static(axis as i64), Dim::Static(1), 1)?;
        let moved = b.squeeze(moved, &[2])?;
        let dtype = b.dtype(moved);
        let place = |k: i64| if axis == 0 { k / kw } else { k % kw };
        let places = (0..kh * kw).map(|k| (place(k) * d.dilation[axis] - d.padding[axis]) as f64);
        let places = b.constant(Weights::from_f64(dtype, &[1, kh * kw, 1, 1], places))?;
        let start = b.ramp(size)?;
        let start = b.cast(start, dtype)?;
        let start = b.with_scalar(E::Prod, start, d.stride[axis] as f64)?;
        let mut dims = vec![Dim::Static(1); 4];
        dims[axis + 2] = size.clone();
        let start = b.reshape(start, &dims)?;
        let grid = b.sum(start, places)?;
        points.push(b.sum(moved, grid)?);
    }
    Ok([points[0], points[1]])
}

/// The first row of each image: int64 `[images, 1, 1, 1]`.
fn first_rows(b: &mut Builder, pixels: &Pixels, images: &Dim) -> Result<TensorId> {
    let image = b.ramp(images)?;
    let size = b.size_scalar(&(pixels.height.clone() * pixels.width.clone()))?;
    let base = b.prod(image, size)?;
    b.reshape(base, &[images.clone(), Dim::Static(1), Dim::Static(1), Dim::Static(1)])
}

/// Columns `[images, places, H, W, channels]` times the weight, group by group.
fn times_weight(
    b: &mut Builder,
    columns: TensorId,
    weight: TensorId,
    d: &Deformed,
    output: &[Dim],
) -> Result<TensorId> {
    let [out, in_group, kh, kw] = d.kernel;
    let pixels = output[2].clone() * output[3].clone();
    let channels = in_group * d.groups;
    let split = [d.offset_groups, kh * kw].map(Dim::Static);
    let columns = b.reshape(
        columns,
        &[&output[..1], &split, &[pixels.clone(), Dim::Static(channels / d.offset_groups)]].concat(),
    )?;
    // [N, offset groups, channels, places, pixels]: channels in order, then the window.
    let columns = b.permute(columns, &[0, 1, 4, 2, 3])?;
    let rows = [d.groups, in_group * kh * kw].map(Dim::Static);
    let columns = b.reshape(columns, &[&output[..1], &rows, &[pixels]].concat())?;
    let weight = b.reshape(weight, &[1, d.groups, out / d.groups, in_group * kh * kw].map(Dim::Static))?;
    let y = b.matmul(weight, columns)?;
    b.reshape(y, output)
}
