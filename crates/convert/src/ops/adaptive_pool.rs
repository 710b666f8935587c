//! Adaptive pooling: windows that divide an axis into a given number of parts.
//!
//! | schema | layers |
//! |---|---|
//! | `adaptive_avg_pool{1,2,3}d(Tensor self, SymInt[] output_size)` | Reduce(Avg); Pooling; MatrixMultiply |
//! | `_adaptive_avg_pool{2,3}d` | the same |
//! | `adaptive_max_pool{1,2,3}d(Tensor self, int[] output_size) -> (Tensor, …)` | Reduce, Pooling, Gather, Select |
//!
//! Part i of n covers elements `floor(i·size / n)` up to `ceil((i + 1)·size / n)`; neighbours may share one.
//! Dtypes: float in, the same out. Every size may be symbolic: windows that only the input decides are computed from
//! its sizes when the engine runs.

use super::pool::spatial_axes;
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{
    DType, ElementWiseOperation as E, Op, PaddingMode, PoolingAttributes, PoolingType, ReduceOperation, TensorId,
    UnaryOperation, Weights,
};

const AVERAGE: &str = "Reduce, Pooling or MatrixMultiply";
const MAXIMUM: &str = "Reduce, Pooling or Gather";

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.adaptive_avg_pool1d.default", average, AVERAGE, 1e-5),
    operator("aten.adaptive_avg_pool2d.default", average, AVERAGE, 1e-5),
    operator("aten.adaptive_avg_pool3d.default", average, AVERAGE, 1e-5),
    operator("aten._adaptive_avg_pool2d.default", average, AVERAGE, 1e-5),
    operator("aten._adaptive_avg_pool3d.default", average, AVERAGE, 1e-5),
    operator("aten.adaptive_max_pool1d.default", maximum, MAXIMUM, 0.0),
    operator("aten.adaptive_max_pool2d.default", maximum, MAXIMUM, 0.0),
    operator("aten.adaptive_max_pool3d.default", maximum, MAXIMUM, 0.0),
];

fn average(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    Ok(adaptive(b, call, PoolingType::Average)?.into())
}

fn maximum(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    if call.output_count() > 1 && call.is_used(1) {
        return Ok(with_places(b, call)?.to_vec().into());
    }
    let y = adaptive(b, call, PoolingType::Max)?;
    let mut outputs = vec![None; call.output_count().max(1)];
    outputs[0] = Some(y);
    Ok(outputs.into())
}

/// What an axis needs.
enum Axis {
    /// As many parts as elements.
    Keep,
    /// One part.
    Reduce,
    /// Parts of this many elements each.
    Even(i64),
    /// Parts of different lengths, or of a length that only the input decides.
    Uneven,
}

fn classify(input: &Dim, output: &Dim) -> Axis {
    if input == output {
        return Axis::Keep;
    }
    if output.is(1) {
        return Axis::Reduce;
    }
    if output.is(0) {
        return Axis::Uneven;
    }
    match input.floor_div(output).as_static() {
        Some(length) if output.clone() * Dim::Static(length) == *input => Axis::Even(length),
        _ => Axis::Uneven,
    }
}

fn adaptive(b: &mut Builder, call: &Call<'_>, kind: PoolingType) -> Result<TensorId> {
    let (x, outputs) = (call.tensor("self")?, call.output_dims(0)?);
    let first = outputs.len().saturating_sub(spatial_axes(call));
    let (mut reduced, mut even, mut uneven) = (Vec::new(), vec![1; outputs.len() - first], Vec::new());
    for (axis, (input, output)) in b.dims(x).iter().zip(outputs).enumerate().skip(first) {
        match classify(input, output) {
            Axis::Keep => {}
            Axis::Reduce => reduced.push(axis),
            Axis::Even(length) => even[axis - first] = length,
            Axis::Uneven => uneven.push(axis),
        }
    }
    let fold = if kind == PoolingType::Max { ReduceOperation::Max } else { ReduceOperation::Avg };
    let mut y = b.reduce(fold, x, &reduced, true)?;
    if even.iter().any(|length| *length != 1) {
        y = parts_of(b, y, even, kind)?;
    }
    for axis in uneven {
        y = match kind {
            PoolingType::Max => gathered_max(b, y, axis, &outputs[axis])?,
            _ => averaged(b, y, axis, &outputs[axis])?,
        };
    }
    Ok(y)
}

/// Pools windows that lie side by side on the last axes.
fn parts_of(b: &mut Builder, x: TensorId, mut window: Vec<i64>, kind: PoolingType) -> Result<TensorId> {
    let dims = b.dims(x);
    let mut outputs = dims.clone();
    let first = dims.len() - window.len();
    for (dim, length) in outputs[first..].iter_mut().zip(&window) {
        *dim = dim.floor_div(&Dim::Static(*length));
    }
    if window.len() == 1 {
        window.insert(0, 1);
    }
    let image = super::pool::image(b, x, dims.len() - first)?;
    let none = vec![0; window.len()];
    let attributes = PoolingAttributes {
        kind,
        stride: window.clone(),
        window,
        pre_padding: none.clone(),
        post_padding: none,
        padding_mode: PaddingMode::ExplicitRoundDown,
        average_count_excludes_padding: true,
        blend_factor: 0.0,
    };
    let y = b.add(Op::Pooling(attributes), &[image])?;
    b.reshape(y, &outputs)
}

/// First element and end of each part: int64 `[n]`.
fn bounds(b: &mut Builder, input: &Dim, output: &Dim) -> Result<(TensorId, TensorId)> {
    if let (Some(size), Some(parts)) = (input.as_static(), output.as_static()) {
        let start: Vec<i64> = (0..parts).map(|i| i * size / parts).collect();
        let end: Vec<i64> = (0..parts).map(|i| ((i + 1) * size + parts - 1) / parts).collect();
        return Ok((b.constant(Weights::int64(&[parts], &start))?, b.constant(Weights::int64(&[parts], &end))?));
    }
    let part = b.ramp(output)?;
    let (size, parts) = (b.size_scalar(input)?, b.size_scalar(output)?);
    let first = b.prod(part, size)?;
    let start = b.elementwise(E::FloorDiv, first, parts)?;
    // ceil((i + 1)·size / n), with the rounding up as an addition.
    let next = b.sum(first, size)?;
    let rounding = b.size_scalar(&(output.clone() - Dim::Static(1)))?;
    let next = b.sum(next, rounding)?;
    Ok((start, b.elementwise(E::FloorDiv, next, parts)?))
}

/// Multiplies an axis with a matrix whose rows average the parts.
fn averaged(b: &mut Builder, x: TensorId, axis: usize, output: &Dim) -> Result<TensorId> {
    let input = b.dims(x)[axis].clone();
    let matrix = match (input.as_static(), output.as_static()) {
        (Some(size), Some(parts)) => b.constant(averaging_matrix(b.dtype(x), size, parts))?,
        _ => computed_matrix(b, &input, output, b.dtype(x))?,
    };
    b.contract_axis(x, axis, matrix)
}

fn averaging_matrix(dtype: DType, size: i64, parts: i64) -> Weights {
    let entry = |i: i64, j: i64| {
        let (start, end) = (i * size / parts, ((i + 1) * size + parts - 1) / parts);
        if (start..end).contains(&j) { 1.0 / (end - start) as f64 } else { 0.0 }
    };
    let entries = (0..parts).flat_map(|i| (0..size).map(move |j| (i, j))).map(|(i, j)| entry(i, j));
    Weights::from_f64(dtype, &[parts, size], entries)
}

fn computed_matrix(b: &mut Builder, input: &Dim, output: &Dim, dtype: DType) -> Result<TensorId> {
    let (start, end) = bounds(b, input, output)?;
    let (start, end) = (b.unsqueeze(start, &[1])?, b.unsqueeze(end, &[1])?);
    let element = b.ramp(input)?;
    let element = b.unsqueeze(element, &[0])?;
    let (before, inside) = (b.elementwise(E::Less, element, start)?, b.elementwise(E::Less, element, end)?);
    let from_start = b.not(before)?;
    let inside = b.elementwise(E::And, from_start, inside)?;
    let (inside, length) = (b.number(inside, DType::Float32)?, b.sub(end, start)?);
    let length = b.cast(length, DType::Float32)?;
    let matrix = b.div(inside, length)?;
    b.cast(matrix, dtype)
}

/// The elements of each part, the last one repeated in shorter parts: the axis becomes (part, element).
fn gathered(b: &mut Builder, x: TensorId, axis: usize, output: &Dim) -> Result<TensorId> {
    let input = b.dims(x)[axis].clone();
    let (start, end) = bounds(b, &input, output)?;
    let longest = input.ceil_div(output) + Dim::Static(1);
    let place = b.ramp(&longest)?;
    let (start, place) = (b.unsqueeze(start, &[1])?, b.unsqueeze(place, &[0])?);
    let element = b.sum(start, place)?;
    let last = b.with_scalar(E::Sub, end, 1.0)?;
    let last = b.unsqueeze(last, &[1])?;
    let element = b.elementwise(E::Min, element, last)?;
    b.gather(x, element, axis)
}

fn gathered_max(b: &mut Builder, x: TensorId, axis: usize, output: &Dim) -> Result<TensorId> {
    let parts = gathered(b, x, axis, output)?;
    b.reduce(ReduceOperation::Max, parts, &[axis + 1], false)
}

/// Maxima, and the place of each in its image, as in PyTorch: the last NaN, otherwise the first of equals.
fn with_places(b: &mut Builder, call: &Call<'_>) -> Result<[TensorId; 2]> {
    let (mut x, outputs) = (call.tensor("self")?, call.output_dims(0)?);
    let (dims, first) = (b.dims(x), outputs.len().saturating_sub(spatial_axes(call)));
    let ramp = b.ramp(&Dim::product(&dims[first..]))?;
    let ramp = b.cast(ramp, DType::Int32)?;
    let image = [vec![Dim::Static(1); first], dims[first..].to_vec()].concat();
    let places = b.reshape(ramp, &image)?;
    let mut places = b.expand(places, &dims)?;
    let (before, behind) = (b.scalar(DType::Int32, -1.0, 0)?, b.scalar(DType::Int32, f64::from(i32::MAX), 0)?);
    for axis in (first..outputs.len()).filter(|axis| dims[*axis] != outputs[*axis]) {
        let (values, at) = (gathered(b, x, axis, &outputs[axis])?, gathered(b, places, axis, &outputs[axis])?);
        let largest = b.reduce(ReduceOperation::Max, values, &[axis + 1], true)?;
        let hit = b.elementwise(E::Equal, values, largest)?;
        let first = b.select(hit, at, behind)?;
        let first = b.reduce(ReduceOperation::Min, first, &[axis + 1], false)?;
        let nan = b.unary(UnaryOperation::Isnan, values)?;
        let last = b.select(nan, at, before)?;
        let last = b.reduce(ReduceOperation::Max, last, &[axis + 1], false)?;
        x = b.squeeze(largest, &[axis + 1])?;
        let nan = b.unary(UnaryOperation::Isnan, x)?;
        places = b.select(nan, last, first)?;
    }
    Ok([x, b.cast(places, DType::Int64)?])
}
