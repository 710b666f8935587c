//! Layers along an axis: reductions, softmax, top-k, running sums.
//!
//! ONNX's indices are int64, TensorRT's int32. Means over the whole image are ONNX Runtime's global pooling.

use crate::Result;
use crate::graph::Value;
use crate::proto::DataType;
use crate::scope::Scope;
use network::{DType, ReduceOperation as R, TopKOperation};

pub(super) fn lower(s: &mut Scope<'_, '_>, op: R, axes: &[usize], keep_dims: bool) -> Result<Value> {
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
        R::Sum => "ReduceSum",
        R::Prod => "ReduceProd",
        R::Max => "ReduceMax",
        R::Min => "ReduceMin",
        R::Avg => "ReduceMean",
    };
    let axes = s.ints(&axes);
    Ok(s.main(name, &[x, axes], &[("keepdims", keep_dims.into())]))
}

pub(super) fn soft_max(s: &mut Scope<'_, '_>, axis: usize) -> Result<Value> {
    let x = s.input(0)?;
    Ok(s.main("Softmax", &[x], &[("axis", axis.into())]))
}

/// Softmax over the first `bounds[row]` elements of each row; the rest is zero.
pub(super) fn ragged_soft_max(s: &mut Scope<'_, '_>) -> Result<Value> {
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

pub(super) fn top_k(s: &mut Scope<'_, '_>, op: TopKOperation, k: i64, axis: usize) -> Result<Vec<Value>> {
    let x = s.input(0)?;
    if k == 1 && s.optional(1)?.is_none() {
        return Ok(top_one(s, x, op, axis));
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

/// The first of the extreme elements: several times faster than a sort where the axis is not the last.
fn top_one(s: &mut Scope<'_, '_>, x: Value, op: TopKOperation, axis: usize) -> Vec<Value> {
    let (reduce, arg) = match op {
        TopKOperation::Max => ("ReduceMax", "ArgMax"),
        TopKOperation::Min => ("ReduceMin", "ArgMin"),
    };
    let axes = s.ints(&[axis as i64]);
    let value = s.op(reduce, &[x, axes], &[]);
    let index = s.main(arg, &[x], &[("axis", axis.into())]);
    vec![value, s.cast_to(index, DataType::Int32)]
}

pub(super) fn cumulative(s: &mut Scope<'_, '_>, axis: usize, exclusive: bool, reverse: bool) -> Result<Value> {
    let (x, axis) = (s.input(0)?, s.weights(&network::Weights::scalar(DType::Int64, axis as f64)));
    Ok(s.main("CumSum", &[x, axis], &[("exclusive", exclusive.into()), ("reverse", reverse.into())]))
}
