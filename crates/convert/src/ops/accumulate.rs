//! Writing by position where several writes meet: sums, products, extremes.
//!
//! | schema | layers |
//! |---|---|
//! | `scatter_add(Tensor self, int dim, Tensor index, Tensor src)` | ElementWise(Equal), Select, Reduce |
//! | `scatter.{reduce,value_reduce}` | the same |
//! | `scatter_reduce.two(Tensor self, int dim, Tensor index, Tensor src, str reduce, …)` | the same |
//! | `index_reduce` | the same |
//! | `index_add(Tensor self, int dim, Tensor index, Tensor source, …)` | ElementWise(Equal), MatrixMultiply |
//! | `index_put(…, bool accumulate=True)` | ElementWise(Equal), MatrixMultiply |
//!
//! TensorRT's Scatter overwrites and never adds, so a write is sent to every position and kept where its index matches.
//! That takes memory in proportion to writes times positions: beyond 2²⁸ elements it is refused.
//!
//! Dtypes: float, int32, int64. Sizes may be symbolic.

use super::elementwise::operand;
use super::index::writes;
use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Error, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, ReduceOperation as R, SampleMode, TensorId};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.scatter_add.default", scatter_add, "ElementWise, Select, Reduce", 1e-5),
    operator("aten.scatter.reduce", scatter_reduce, "ElementWise, Select, Reduce", 1e-5),
    operator("aten.scatter.value_reduce", scatter_reduce, "ElementWise, Select, Reduce", 1e-5),
    operator("aten.scatter_reduce.two", scatter_reduce, "ElementWise, Select, Reduce", 1e-5),
    operator("aten.index_add.default", index_add, "ElementWise, MatrixMultiply", 1e-5),
    operator("aten.index_reduce.default", index_reduce, "ElementWise, Select, Reduce", 1e-5),
];

/// The largest number of elements that a write to every position may take.
pub(super) const LIMIT: i64 = 1 << 28;

/// How writes to one position meet.
#[derive(Clone, Copy, PartialEq)]
enum Meeting {
    Sum,
    Product,
    Mean,
    Max,
    Min,
}

impl Meeting {
    fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "sum" | "add" => Self::Sum,
            "prod" | "multiply" => Self::Product,
            "mean" => Self::Mean,
            "amax" => Self::Max,
            "amin" => Self::Min,
            other => return unsupported(format!("there is no reduction `{other}` (sum, prod, mean, amax, amin)")),
        })
    }

    fn reduce(self) -> R {
        match self {
            Self::Sum | Self::Mean => R::Sum,
            Self::Product => R::Prod,
            Self::Max => R::Max,
            Self::Min => R::Min,
        }
    }

    fn combine(self) -> E {
        match self {
            Self::Sum | Self::Mean => E::Sum,
            Self::Product => E::Prod,
            Self::Max => E::Max,
            Self::Min => E::Min,
        }
    }

    /// What changes nothing.
    fn neutral(self, dtype: DType) -> f64 {
        match self {
            Self::Sum | Self::Mean => 0.0,
            Self::Product => 1.0,
            Self::Max => super::reduce::lowest(dtype),
            Self::Min => super::reduce::highest(dtype),
        }
    }
}

pub(super) fn check_size(sizes: &[Dim]) -> Result<()> {
    match Dim::product(sizes).as_static() {
        Some(n) if n > LIMIT => Err(Error::unsupported(format!(
            "TensorRT cannot add up writes to one position; comparing every write with every position would take {n} \
             elements. Use fewer indices at a time, or a matrix product"
        ))),
        _ => Ok(()),
    }
}

/// A scatter's pieces: where it writes along which axis, and how writes meet.
struct Writes {
    axis: usize,
    index: TensorId,
    src: TensorId,
    meeting: Meeting,
    include_self: bool,
}

/// For every position along the axis, what is written there: `[…, writes, …]` becomes `[…, positions, …]`.
fn collect(b: &mut Builder, w: &Writes, positions: &Dim) -> Result<(TensorId, TensorId)> {
    let rank = b.rank(w.index);
    let (index, src) = (b.unsqueeze(w.index, &[w.axis])?, b.unsqueeze(w.src, &[w.axis])?);
    let mut sizes = b.dims(src);
    sizes[w.axis] = positions.clone();
    check_size(&sizes)?;
    let each = b.iota_along(positions, b.dtype(index), w.axis, rank + 1)?;
    let hit = b.elementwise(E::Equal, index, each)?;
    let dtype = b.dtype(src);
    let neutral = b.scalar(dtype, w.meeting.neutral(dtype), rank + 1)?;
    let sent = b.select(hit, src, neutral)?;
    let met = b.reduce(w.meeting.reduce(), sent, &[w.axis + 1], false)?;
    let hits = b.cast(hit, DType::Int32)?;
    Ok((met, b.reduce(R::Sum, hits, &[w.axis + 1], false)?))
}

/// Brings what was collected to the data's sizes: the index may cover less than the data on other axes.
fn cover(b: &mut Builder, x: TensorId, to: &[Dim], outside: f64) -> Result<TensorId> {
    if b.dims(x) == to {
        return Ok(x);
    }
    let fill = b.constant(network::Weights::scalar(b.dtype(x), outside))?;
    b.sample(x, [&vec![Dim::Static(0); to.len()], to], &vec![1; to.len()], SampleMode::Fill, Some(fill))
}

fn meet(b: &mut Builder, data: TensorId, w: &Writes) -> Result<TensorId> {
    let (to, dtype) = (b.dims(data), b.dtype(data));
    if b.dims(w.index).iter().any(|d| d.is(0)) {
        return Ok(data);
    }
    let (met, hits) = collect(b, w, &to[w.axis])?;
    let met = cover(b, met, &to, w.meeting.neutral(dtype))?;
    let simple = w.include_self && w.meeting != Meeting::Mean;
    if simple {
        return b.elementwise(w.meeting.combine(), data, met);
    }
    let hits = cover(b, hits, &to, 0.0)?;
    let zero = b.scalar(DType::Int32, 0.0, to.len())?;
    let any = b.elementwise(E::Greater, hits, zero)?;
    let mut written = if w.include_self { b.elementwise(w.meeting.combine(), data, met)? } else { met };
    if w.meeting == Meeting::Mean {
        let one = b.scalar(DType::Int32, 1.0, to.len())?;
        let count = if w.include_self { b.sum(hits, one)? } else { b.elementwise(E::Max, hits, one)? };
        let count = b.cast(count, dtype)?;
        let op = if dtype.is_float() { E::Div } else { E::FloorDiv };
        written = b.elementwise(op, written, count)?;
    }
    b.select(any, written, data)
}

fn scattered(b: &mut Builder, call: &Call<'_>, meeting: Meeting, include_self: bool) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let data = b.with_axis(x)?;
    let axis = call.axis("dim", b.rank(data))?;
    let (index, src) = writes(b, call)?;
    let y = meet(b, data, &Writes { axis, index, src, meeting, include_self })?;
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}

fn scatter_add(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    scattered(b, call, Meeting::Sum, true)
}

fn scatter_reduce(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let include_self = call.argument("include_self").is_none() || call.bool("include_self")?;
    scattered(b, call, Meeting::named(call.string("reduce")?)?, include_self)
}

/// Adds rows: row `index[k…]` of the data's first axis grows by `rows[k…]`.
pub(super) fn add_rows(b: &mut Builder, data: TensorId, index: TensorId, rows: TensorId) -> Result<TensorId> {
    let (to, writes) = (b.dims(data), Dim::product(&b.dims(index)));
    if writes.is(0) {
        return Ok(data);
    }
    let row = Dim::product(&to[1..]);
    check_size(&[to[0].clone(), writes.clone()])?;
    let index = b.reshape(index, std::slice::from_ref(&writes))?;
    let rows = b.reshape(rows, &[writes, row.clone()])?;
    if !b.dtype(data).is_float() {
        let flat = b.reshape(data, &[to[0].clone(), row])?;
        let index = b.unsqueeze(index, &[1])?;
        let w = Writes { axis: 0, index, src: rows, meeting: Meeting::Sum, include_self: true };
        let y = meet(b, flat, &w)?;
        return b.reshape(y, &to);
    }
    let each = b.iota_along(&to[0], b.dtype(index), 0, 2)?;
    let index = b.unsqueeze(index, &[0])?;
    let hit = b.elementwise(E::Equal, each, index)?;
    let hit = b.cast(hit, b.dtype(data))?;
    let sums = b.matmul(hit, rows)?;
    let sums = b.reshape(sums, &to)?;
    b.sum(data, sums)
}

fn index_add(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, index) = (call.tensor("self")?, call.tensor("index")?);
    let source = operand(b, call, "source", b.dtype(x))?;
    let (data, index, source) = (b.with_axis(x)?, b.with_axis(index)?, b.with_axis(source)?);
    let axis = call.axis("dim", b.rank(data))?;
    let alpha = call.float("alpha")?;
    let source = if alpha == 1.0 { source } else { b.with_scalar(E::Prod, source, alpha)? };
    let (data, rows) = (b.move_axis(data, axis, 0)?, b.move_axis(source, axis, 0)?);
    let y = add_rows(b, data, index, rows)?;
    let y = b.move_axis(y, 0, axis)?;
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}

fn index_reduce(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, index) = (call.tensor("self")?, call.tensor("index")?);
    let source = operand(b, call, "source", b.dtype(x))?;
    let (data, index, src) = (b.with_axis(x)?, b.with_axis(index)?, b.with_axis(source)?);
    let axis = call.axis("dim", b.rank(data))?;
    let index = b.along(index, axis, b.rank(data))?;
    let index = b.expand(index, &b.dims(src))?;
    let (meeting, include_self) = (Meeting::named(call.string("reduce")?)?, call.bool("include_self")?);
    let y = meet(b, data, &Writes { axis, index, src, meeting, include_self })?;
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}
