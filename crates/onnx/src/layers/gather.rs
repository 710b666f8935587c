//! Layers that pick by index: gather in its three modes, one-hot, non-zero.
//!
//! `Default` with elementwise axes has no operator: the indexed axis is moved behind those axes, where `GatherND`
//! takes it. `GatherND` and `OneHot` want int64 indices.

use crate::Result;
use crate::graph::Value;
use crate::proto::DataType;
use crate::scope::Scope;
use network::{DType, GatherMode};

pub(super) fn gather(s: &mut Scope<'_, '_>, mode: GatherMode, axis: usize, batch: usize) -> Result<Value> {
    let (data, indices) = (s.input(0)?, s.input(1)?);
    Ok(match mode {
        GatherMode::Default if batch == 0 => s.main("Gather", &[data, indices], &[("axis", axis.into())]),
        GatherMode::Default => batched(s, data, axis, batch)?,
        GatherMode::Element => s.main("GatherElements", &[data, indices], &[("axis", axis.into())]),
        GatherMode::Nd => {
            let indices = s.int64(1)?;
            s.main("GatherND", &[data, indices], &[("batch_dims", batch.into())])
        }
    })
}

fn batched(s: &mut Scope<'_, '_>, data: Value, axis: usize, batch: usize) -> Result<Value> {
    let (rank, picked) = (s.dims(0)?.len(), s.dims(1)?.len() - batch);
    let move_axis = |s: &mut Scope<'_, '_>, value, rank: usize, from: std::ops::Range<usize>, to: usize| {
        let mut order: Vec<i64> = (0..rank as i64).collect();
        let moved: Vec<i64> = order.drain(from).collect();
        order.splice(to..to, moved);
        if order.is_sorted() { value } else { s.op("Transpose", &[value], &[("perm", order.into())]) }
    };
    let data = move_axis(s, data, rank, axis..axis + 1, batch);
    let (indices, last) = (s.int64(1)?, s.ints(&[-1]));
    let indices = s.op("Unsqueeze", &[indices, last], &[]);
    let value = s.main("GatherND", &[data, indices], &[("batch_dims", batch.into())]);
    // [batch, picked, between, behind] to [batch, between, picked, behind].
    Ok(move_axis(s, value, rank - 1 + picked, batch..batch + picked, axis))
}

pub(super) fn non_zero(s: &mut Scope<'_, '_>, _count: &str) -> Result<Value> {
    let x = s.input(0)?;
    let found = s.main("NonZero", &[x], &[]);
    Ok(s.cast_to(found, DataType::Int32))
}

/// ONNX Runtime has kernels for float and int64 values.
pub(super) fn one_hot(s: &mut Scope<'_, '_>, axis: usize) -> Result<Value> {
    let (indices, values, depth, dtype) = (s.int64(0)?, s.input(1)?, s.int64(2)?, s.tensor(1)?.dtype);
    let exact = if dtype.is_float() { DType::Float32 } else { DType::Int64 };
    let values = s.cast(values, dtype, exact);
    let hot = s.main("OneHot", &[indices, depth, values], &[("axis", axis.into())]);
    Ok(s.cast(hot, exact, dtype))
}
