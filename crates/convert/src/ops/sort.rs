//! Sorting and searching.
//!
//! | schema | layers |
//! |---|---|
//! | `topk(Tensor self, SymInt k, int dim, bool largest, bool sorted)` | TopK |
//! | `sort(Tensor self, int dim, bool descending)`, `sort.stable`, `argsort`, `msort` | TopK (k = size) |
//! | `kthvalue(Tensor self, SymInt k, int dim, bool keepdim)`, `median`, `median.dim` | TopK, Slice |
//! | `searchsorted.Tensor(Tensor sorted_sequence, Tensor self, …)`, `bucketize` | ElementWise, Reduce |
//!
//! Dtypes: float, int32, int64; bools are sorted as int32. Positions are int64. Among equal elements the earlier
//! comes first, as in PyTorch's stable sort. Sizes may be symbolic. TensorRT sorts at most 3840 elements an axis.

use super::elementwise::operand;
use super::{Operator, Outputs, comparison, operator};
use crate::{Builder, Call, Ranked, Result};
use dims::Dim;
use network::{
    DType, ElementWiseOperation as E, ReduceOperation as R, TensorId, TopKOperation as T, UnaryOperation as U,
};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.topk.default", topk, "TopK", 0.0),
    operator("aten.sort.default", sort, "TopK", 0.0),
    operator("aten.sort.stable", sort, "TopK", 0.0),
    operator("aten.argsort.default", argsort, "TopK", 0.0),
    operator("aten.argsort.stable", argsort, "TopK", 0.0),
    operator("aten.msort.default", msort, "TopK", 0.0),
    operator("aten.kthvalue.default", kthvalue, "TopK, Slice", 0.0),
    operator("aten.median.default", median, "TopK, Slice", 0.0),
    operator("aten.median.dim", median_dim, "TopK, Slice", 0.0),
    operator("aten.searchsorted.Tensor", searchsorted, "ElementWise, Reduce", 0.0),
    operator("aten.searchsorted.Scalar", searchsorted, "ElementWise, Reduce", 0.0),
    operator("aten.bucketize.Tensor", bucketize, "ElementWise, Reduce", 0.0),
    operator("aten.bucketize.Scalar", bucketize, "ElementWise, Reduce", 0.0),
];

/// The first k in order along an axis: values and int64 positions. A 0-D tensor is in order as it is.
pub(super) fn first(b: &mut Builder, x: TensorId, op: T, k: &Dim, axis: usize) -> Result<Ranked> {
    if b.rank(x) == 0 {
        return Ok(Ranked { values: x, positions: b.scalar(DType::Int64, 0.0, 0)? });
    }
    let dtype = b.dtype(x);
    let number = if dtype == DType::Bool { b.cast(x, DType::Int32)? } else { x };
    let ranked = if op == T::Min && k.is(1) && dtype.is_float() {
        least(b, number, axis)?
    } else {
        b.top_k(number, op, k, axis)?
    };
    Ok(Ranked { values: b.cast(ranked.values, dtype)?, positions: b.cast(ranked.positions, DType::Int64)? })
}

/// The first in ascending order, where NaN comes last. TopK with k = 1 is a minimum, which propagates NaN: the first of
/// two is taken instead.
fn least(b: &mut Builder, x: TensorId, axis: usize) -> Result<Ranked> {
    let (one, two) = (Dim::Static(1), Dim::Static(2));
    let mut dims = b.dims(x);
    if dims[axis].is(1) {
        return b.top_k(x, T::Min, &one, axis);
    }
    let mut padded = x;
    if !dims[axis].is_static() {
        // There may be only one element.
        dims[axis] = one.clone();
        let last = b.scalar(b.dtype(x), f64::NAN, b.rank(x))?;
        let last = b.expand(last, &dims)?;
        padded = b.concat(&[x, last], axis)?;
    }
    let two = b.top_k(padded, T::Min, &two, axis)?;
    let values = b.slice_axis(two.values, axis, Dim::Static(0), one.clone(), 1)?;
    Ok(Ranked { values, positions: b.slice_axis(two.positions, axis, Dim::Static(0), one, 1)? })
}

fn topk(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axis = call.axis("dim", b.rank(x))?;
    let op = if call.bool("largest")? { T::Max } else { T::Min };
    Ok(first(b, x, op, &call.size("k")?, axis)?.into())
}

fn sorted(b: &mut Builder, call: &Call<'_>) -> Result<Ranked> {
    let x = call.tensor("self")?;
    let axis = call.axis("dim", b.rank(x))?;
    let size = b.dims(x).get(axis).cloned().unwrap_or(Dim::Static(1));
    let op = if call.bool("descending")? { T::Max } else { T::Min };
    first(b, x, op, &size, axis)
}

fn sort(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    Ok(sorted(b, call)?.into())
}

fn argsort(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    Ok(sorted(b, call)?.positions.into())
}

fn msort(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let size = b.dims(x).first().cloned().unwrap_or(Dim::Static(1));
    Ok(first(b, x, T::Min, &size, 0)?.values.into())
}

/// The k-th smallest along an axis, k counted from 1: value and position.
fn kth(b: &mut Builder, x: TensorId, k: &Dim, axis: usize, keep: bool) -> Result<Ranked> {
    let smallest = first(b, x, T::Min, k, axis)?;
    if b.rank(x) == 0 {
        return Ok(smallest);
    }
    let last = k.clone() - Dim::Static(1);
    let values = b.slice_axis(smallest.values, axis, last.clone(), Dim::Static(1), 1)?;
    let positions = b.slice_axis(smallest.positions, axis, last, Dim::Static(1), 1)?;
    let kth = Ranked { values, positions };
    if keep { Ok(kth) } else { squeezed(b, kth, axis) }
}

fn squeezed(b: &mut Builder, x: Ranked, axis: usize) -> Result<Ranked> {
    Ok(Ranked { values: b.squeeze(x.values, &[axis])?, positions: b.squeeze(x.positions, &[axis])? })
}

fn kthvalue(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axis = call.axis("dim", b.rank(x))?;
    Ok(kth(b, x, &call.size("k")?, axis, call.bool("keepdim")?)?.into())
}

/// Of an even number of elements, the median is the lower of the two in the middle.
fn middle(count: &Dim) -> Dim {
    (count.clone() + Dim::Static(1)).floor_div(&Dim::Static(2))
}

/// The median and its position; NaN and the position of the first one where an element is NaN.
fn median_of(b: &mut Builder, x: TensorId, size: &Dim, axis: usize, keep: bool) -> Result<Ranked> {
    let median = kth(b, x, &middle(size), axis, keep)?;
    if !b.dtype(x).is_float() || b.rank(x) == 0 {
        return Ok(median);
    }
    let mut largest = first(b, x, T::Max, &Dim::Static(1), axis)?;
    if !keep {
        largest = squeezed(b, largest, axis)?;
    }
    let nan = b.unary(U::Isnan, largest.values)?;
    let values = b.select(nan, largest.values, median.values)?;
    Ok(Ranked { values, positions: b.select(nan, largest.positions, median.positions)? })
}

fn median(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let count = Dim::product(&b.dims(x));
    let flat = b.reshape(x, std::slice::from_ref(&count))?;
    Ok(median_of(b, flat, &count, 0, false)?.values.into())
}

fn median_dim(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axis = call.axis("dim", b.rank(x))?;
    let size = b.dims(x).get(axis).cloned().unwrap_or(Dim::Static(1));
    Ok(median_of(b, x, &size, axis, call.bool("keepdim")?)?.into())
}

/// How many boundaries lie before each value: all that are less, or with `right` those that are not greater.
/// Boundaries `[…, count]`, values `[…, n]`, leading axes broadcast.
pub(super) fn count_before(b: &mut Builder, boundaries: TensorId, values: TensorId, right: bool) -> Result<TensorId> {
    let rank = b.rank(values);
    let values = b.unsqueeze(values, &[rank])?;
    let boundaries = b.unsqueeze(boundaries, &[b.rank(boundaries) - 1])?;
    let (boundaries, values) = b.align(boundaries, values)?;
    let before = if right {
        let after = b.elementwise(E::Greater, boundaries, values)?;
        b.not(after)?
    } else {
        b.elementwise(E::Less, boundaries, values)?
    };
    let ones = b.cast(before, DType::Int32)?;
    b.reduce(R::Sum, ones, &[rank], false)
}

/// Whether equal boundaries count as before the value.
fn to_the_right(call: &Call<'_>) -> Result<bool> {
    let side = call.argument("side").is_some() && !call.is_none("side") && call.string("side")? == "right";
    Ok(side || call.bool("right")?)
}

fn search(b: &mut Builder, call: &Call<'_>, boundaries: &str) -> Result<Outputs> {
    let dtype = comparison::promoted(b, call, [boundaries, "self"])?;
    let dtype = if dtype == DType::Bool { DType::Int32 } else { dtype };
    let (mut edges, mut values) = (operand(b, call, boundaries, dtype)?, operand(b, call, "self", dtype)?);
    if call.argument("sorter").is_some() && !call.is_none("sorter") {
        let order = call.tensor("sorter")?;
        edges = b.gather_elements(edges, order, b.rank(edges) - 1)?;
    }
    let to = call.output_dims(0)?;
    if b.rank(edges) == 1 {
        // One row of boundaries serves values of any shape.
        values = b.reshape(values, &[Dim::product(&b.dims(values))])?;
    }
    let count = count_before(b, edges, values, to_the_right(call)?)?;
    let count = b.reshape(count, to)?;
    Ok(b.cast(count, call.output_dtype(0)?)?.into())
}

fn searchsorted(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    search(b, call, "sorted_sequence")
}

fn bucketize(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    search(b, call, "boundaries")
}
