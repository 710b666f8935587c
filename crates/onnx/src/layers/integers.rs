//! Sums and products of integers along axes, which wrap around as in PyTorch.
//!
//! ONNX Runtime reduces integers as doubles: beyond 2^53 a sum loses bits, and beyond the range it saturates. Its
//! `MatMul`, Mul and Scan compute in the integers' own type. A sum is a product with a vector of ones; a product halves
//! the axis until one element is left, or is a Scan where the size of the axis is dynamic. Where no sum can reach 2^53
//! it stays a `ReduceSum`.

use crate::graph::Value;
use crate::proto::DataType;
use crate::scope::Scope;
use crate::{Result, layers::nan::cast};
use network::{DType, Dim, Op};

/// So many int32 numbers add up to less than 2^53.
const EXACT: i64 = 1 << 21;

/// The sum of an int32 or int64 input over sorted axes.
pub(super) fn sum(s: &mut Scope<'_, '_>, x: Value, axes: &[i64], keep_dims: bool) -> Result<Value> {
    let (dtype, from) = (s.tensor(0)?.dtype, source(s));
    let counts: Option<Vec<i64>> = axes.iter().map(|a| s.dims(0).ok()?.get(*a as usize)?.as_static()).collect();
    let few = counts.is_some_and(|counts| counts.iter().product::<i64>() <= EXACT);
    let keep = [("keepdims", keep_dims.into())];
    if from == DType::Bool || (few && from != DType::Int64) {
        let (x, axes) = (wide(s, x, dtype, from), s.ints(axes));
        let sum = s.main("ReduceSum", &[x, axes], &keep);
        return Ok(if dtype == DType::Int32 && from != DType::Bool { cast(s, sum, DataType::Int32) } else { sum });
    }
    over_each(s, x, axes, keep_dims, |s, x, axis, rank| {
        let axis_last = axis + 1 == rank;
        let x = if axis_last || axis + 2 == rank { x } else { to_last(s, x, axis, rank) };
        let ones = ones(s, x, if axis + 2 == rank { axis } else { rank - 1 }, dtype)?;
        Ok(if axis + 2 == rank { s.op("MatMul", &[ones, x], &[]) } else { s.op("MatMul", &[x, ones], &[]) })
    })
}

/// The product of an int32 or int64 input over sorted axes.
pub(super) fn product(s: &mut Scope<'_, '_>, x: Value, axes: &[i64], keep_dims: bool) -> Result<Value> {
    let (dtype, dims) = (s.tensor(0)?.dtype, s.dims(0)?.clone());
    over_each(s, x, axes, keep_dims, |s, x, axis, rank| match dims.get(axis).and_then(Dim::as_static) {
        Some(0) | None => scanned(s, x, axis, rank, dtype),
        Some(size) => Ok(halved(s, x, axis, size)),
    })
}

/// One axis after the other, the last first, so that the numbers of the others stay.
fn over_each(
    s: &mut Scope<'_, '_>,
    x: Value,
    axes: &[i64],
    keep_dims: bool,
    reduce: impl Fn(&mut Scope<'_, '_>, Value, usize, usize) -> Result<Value>,
) -> Result<Value> {
    let (mut y, mut rank) = (x, s.dims(0)?.len());
    for axis in axes.iter().rev() {
        y = reduce(s, y, *axis as usize, rank)?;
        rank -= 1;
    }
    if !keep_dims {
        return Ok(y);
    }
    let axes = s.ints(axes);
    Ok(s.op("Unsqueeze", &[y, axes], &[]))
}

/// The type that the input's numbers had before they were cast.
fn source(s: &Scope<'_, '_>) -> DType {
    let id = s.layer.input(0);
    let dtype = id.map_or(DType::Int64, |id| s.cx.network.tensor(id).dtype);
    match id.and_then(|id| s.cx.network.producer(id)) {
        Some(layer) if matches!(layer.op, Op::Cast { .. }) => {
            let from = layer.input(0).map_or(dtype, |id| s.cx.network.tensor(id).dtype);
            if from.is_float() { dtype } else { from }
        }
        _ => dtype,
    }
}

/// The input as int64, unless it counts bools.
fn wide(s: &mut Scope<'_, '_>, x: Value, dtype: DType, from: DType) -> Value {
    if dtype == DType::Int32 && from != DType::Bool { s.cast_to(x, DataType::Int64) } else { x }
}

fn to_last(s: &mut Scope<'_, '_>, x: Value, axis: usize, rank: usize) -> Value {
    let order: Vec<i64> = (0..rank).filter(|k| *k != axis).chain([axis]).map(|k| k as i64).collect();
    s.op("Transpose", &[x], &[("perm", order.into())])
}

/// Ones, as many as an axis of a value has elements.
fn ones(s: &mut Scope<'_, '_>, x: Value, axis: usize, dtype: DType) -> Result<Value> {
    let (one, size) = (s.scalar(dtype, 1.0), s.axes_of(x, axis, 1));
    Ok(s.op("Expand", &[one, size], &[]))
}

/// Multiplies the first half of an axis with the second, until one element is left.
fn halved(s: &mut Scope<'_, '_>, x: Value, axis: usize, mut size: i64) -> Value {
    let axes = s.ints(&[axis as i64]);
    let part = |s: &mut Scope<'_, '_>, x: Value, start: i64, end: i64| {
        let (start, end) = (s.ints(&[start]), s.ints(&[end]));
        s.op("Slice", &[x, start, end, axes], &[])
    };
    let (mut y, mut odd) = (x, None);
    while size > 1 {
        if size % 2 == 1 {
            let last = part(s, y, size - 1, size);
            odd = Some(odd.map_or(last, |odd| s.op("Mul", &[odd, last], &[])));
        }
        size /= 2;
        let (first, second) = (part(s, y, 0, size), part(s, y, size, 2 * size));
        y = s.op("Mul", &[first, second], &[]);
    }
    let y = odd.map_or(y, |odd| s.op("Mul", &[y, odd], &[]));
    s.op("Squeeze", &[y, axes], &[])
}

/// Multiplies one slice of an axis after the other.
fn scanned(s: &mut Scope<'_, '_>, x: Value, axis: usize, rank: usize, dtype: DType) -> Result<Value> {
    let (before, behind) = (s.axes_of(x, 0, axis), s.axes_of(x, axis + 1, rank - axis - 1));
    let (one, shape) = (s.scalar(dtype, 1.0), s.op("Concat", &[before, behind], &[("axis", 0i64.into())]));
    let first = s.op("Expand", &[one, shape], &[]);
    Ok(s.scan(first, (x, axis), s.cx.carrier(dtype), |s, product, slice| s.op("Mul", &[product, slice], &[])))
}
