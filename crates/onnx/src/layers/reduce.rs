//! Layers along an axis: reductions, softmax, top-k, running sums.
//!
//! ONNX's indices are int64, TensorRT's int32. Means over the whole image are ONNX Runtime's global pooling.
//!
//! ONNX Runtime's extremes lose a NaN, PyTorch's return it (and its position). One sum over all elements is NaN
//! wherever an element is, and costs a tenth of what it guards: only then the elements are searched for NaN.

use super::{integers, nan};
use crate::Result;
use crate::graph::Value;
use crate::proto::DataType;
use crate::scope::Scope;
use network::{CumulativeOperation, DType, ReduceOperation as R, TopKOperation};

pub(super) fn reduce(s: &mut Scope<'_, '_>, op: R, axes: &[usize], keep_dims: bool) -> Result<Value> {
    let (x, from) = (s.input(0)?, s.tensor(0)?);
    if axes.is_empty() {
        return Ok(x);
    }
    let mut axes: Vec<i64> = axes.iter().map(|a| *a as i64).collect();
    axes.sort_unstable();
    if from.rank() == 4 && axes == [2, 3] && op == R::Avg {
        let pooled = s.main("GlobalAveragePool", &[x], &[]);
        if keep_dims {
            return Ok(pooled);
        }
        let axes = s.ints(&axes);
        return Ok(s.op("Squeeze", &[pooled, axes], &[]));
    }
    let name = match op {
        R::Sum if from.dtype.is_index() => return integers::sum(s, x, &axes, keep_dims),
        R::Prod if from.dtype.is_index() => return integers::product(s, x, &axes, keep_dims),
        R::Sum => "ReduceSum",
        R::Prod => "ReduceProd",
        R::Max | R::Min => return extreme(s, x, op, &axes, keep_dims),
        R::Avg => "ReduceMean",
    };
    let axes = s.ints(&axes);
    Ok(s.main(name, &[x, axes], &[("keepdims", keep_dims.into())]))
}

/// The largest or smallest element over axes; NaN where one is.
fn extreme(s: &mut Scope<'_, '_>, x: Value, op: R, axes: &[i64], keep_dims: bool) -> Result<Value> {
    let dtype = s.tensor(0)?.dtype;
    let name = if op == R::Max { "ReduceMax" } else { "ReduceMin" };
    let axes = s.ints(axes);
    let y = s.op(name, &[x, axes], &[("keepdims", keep_dims.into())]);
    if !dtype.is_float() {
        return Ok(y);
    }
    let (suspected, data_type) = (nan::suspected(s, x), s.cx.carrier(dtype));
    let lost = s.scalar(dtype, f64::NAN);
    Ok(s.choose(
        suspected,
        data_type,
        |s| {
            let marks = nan::marks(s, x);
            let found = s.op("ReduceMax", &[marks, axes], &[("keepdims", keep_dims.into())]);
            let found = nan::cast(s, found, DataType::Bool);
            s.op("Where", &[found, lost, y], &[])
        },
        |s| s.op("Identity", &[y], &[]),
    ))
}

pub(super) fn softmax(s: &mut Scope<'_, '_>, axis: usize) -> Result<Value> {
    let x = s.input(0)?;
    Ok(s.main("Softmax", &[x], &[("axis", axis.into())]))
}

/// Softmax over the first `bounds[row]` elements of each row; the rest is zero.
pub(super) fn ragged_softmax(s: &mut Scope<'_, '_>) -> Result<Value> {
    let (x, bounds, dtype, rank) = (s.input(0)?, s.int64(1)?, s.tensor(0)?.dtype, s.dims(0)?.len());
    let columns = s.axes_of(x, rank - 1, 1);
    let axis = s.ints(&[0]);
    let columns = s.op("Squeeze", &[columns, axis], &[]);
    let (zero, one) = (s.int(0), s.int(1));
    let position = s.op("Range", &[zero, columns, one], &[]);
    let within = s.op("Less", &[position, bounds], &[]);
    let (low, nothing) = (s.scalar(dtype, f64::from(f32::MIN)), s.scalar(dtype, 0.0));
    let kept = s.op("Where", &[within, x, low], &[]);
    let soft = s.main("Softmax", &[kept], &[("axis", (rank - 1).into())]);
    Ok(s.op("Where", &[within, soft, nothing], &[]))
}

pub(super) fn topk(s: &mut Scope<'_, '_>, op: TopKOperation, k: i64, axis: usize) -> Result<Vec<Value>> {
    let x = s.input(0)?;
    if k == 1 && s.optional(1)?.is_none() {
        return top_one(s, x, op, axis);
    }
    let k = match s.optional(1)? {
        None => s.ints(&[k]),
        Some(_) => {
            let (k, one) = (s.int64(1)?, s.ints(&[1]));
            s.op("Reshape", &[k, one], &[])
        }
    };
    let largest = op == TopKOperation::Max;
    let mut outputs = s.multiple("TopK", &[x, k], 2, &[("axis", axis.into()), ("largest", largest.into())]);
    outputs[1] = s.cast_to(outputs[1], DataType::Int32);
    Ok(outputs)
}

/// The first of the extreme elements, or the first NaN: several times faster than a sort where the axis is not the
/// last.
fn top_one(s: &mut Scope<'_, '_>, x: Value, op: TopKOperation, axis: usize) -> Result<Vec<Value>> {
    let reduction = if op == TopKOperation::Max { R::Max } else { R::Min };
    let value = extreme(s, x, reduction, &[axis as i64], true)?;
    let arg = if op == TopKOperation::Max { "ArgMax" } else { "ArgMin" };
    let index = s.main(arg, &[x], &[("axis", axis.into())]);
    if !s.tensor(0)?.dtype.is_float() {
        return Ok(vec![value, s.cast_to(index, DataType::Int32)]);
    }
    let (suspected, axes) = (nan::suspected(s, x), s.ints(&[axis as i64]));
    let index = s.choose(
        suspected,
        DataType::Int64,
        |s| {
            let marks = nan::marks(s, x);
            let first = s.op("ArgMax", &[marks], &[("axis", axis.into())]);
            // Not from the value, which would be computed for this alone where only the index is used.
            let found = s.op("ReduceMax", &[marks, axes], &[("keepdims", true.into())]);
            let found = nan::cast(s, found, DataType::Bool);
            s.op("Where", &[found, first, index], &[])
        },
        |s| s.op("Identity", &[index], &[]),
    );
    Ok(vec![value, s.cast_to(index, DataType::Int32)])
}

/// ONNX has the sum only.
pub(super) fn cumulative(
    s: &mut Scope<'_, '_>,
    CumulativeOperation::Sum: CumulativeOperation,
    axis: usize,
    exclusive: bool,
    reverse: bool,
) -> Result<Value> {
    let (x, axis) = (s.input(0)?, s.weights(&network::Weights::scalar(DType::Int64, axis as f64)));
    Ok(s.main("CumSum", &[x, axis], &[("exclusive", exclusive.into()), ("reverse", reverse.into())]))
}
