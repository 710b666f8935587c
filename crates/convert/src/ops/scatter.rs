//! Writing elements by position, each position at most once.
//!
//! | schema | layers |
//! |---|---|
//! | `slice_scatter(Tensor self, Tensor src, int dim, SymInt? start, SymInt? end, …)` | Slice, Concatenation; Scatter |
//! | `select_scatter(Tensor self, Tensor src, int dim, SymInt index)` | Slice, Concatenation; Select |
//! | `diagonal_scatter` | the same |
//! | `scatter.{src,value}(Tensor self, int dim, Tensor index, src or value)` | Scatter (Element) |
//! | `index_put(Tensor self, Tensor?[] indices, Tensor values, …)` | Scatter (Nd); Select for masks |
//! | `index_copy(Tensor self, int dim, Tensor index, Tensor source)`, `index_fill` | Scatter (Nd) |
//!
//! Dtypes: what is written takes the type of what it is written to. Sizes may be symbolic; for the steps of
//! `slice_scatter` see there. Where positions repeat, which write wins is not defined, as in PyTorch; sums over
//! repeated positions are in `accumulate`.

use super::elementwise::operand;
use super::index::{indices, linearize, only_mask, writes};
use super::position::{Bounds, bound};
use super::{Operator, Outputs, accumulate, operator};
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, Op, ScatterMode, TensorId};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.slice_scatter.default", slice_scatter, "Slice, Concatenation", 0.0),
    operator("aten.select_scatter.default", select_scatter, "Slice, Concatenation", 0.0),
    operator("aten.scatter.src", scatter, "Scatter", 0.0),
    operator("aten.scatter.value", scatter, "Scatter", 0.0),
    operator("aten.index_put.default", index_put, "Scatter", 0.0),
    operator("aten.index_put.hacked_twin", index_put, "Scatter", 0.0),
    operator("aten._unsafe_index_put.default", index_put, "Scatter", 0.0),
    operator("aten._index_put_impl.default", index_put, "Scatter", 0.0),
    operator("aten.index_copy.default", index_copy, "Scatter", 0.0),
    operator("aten.index_fill.int_Scalar", index_copy, "Scatter", 0.0),
    operator("aten.index_fill.int_Tensor", index_copy, "Scatter", 0.0),
];

/// Replaces `size` elements of an axis from `start` by what is written: the rest before and after stays.
fn overwrite(b: &mut Builder, x: TensorId, src: TensorId, axis: usize, start: Dim, size: Dim) -> Result<TensorId> {
    let whole = b.dims(x)[axis].clone();
    let after = start.clone() + size;
    let rest = whole - after.clone();
    let mut parts = Vec::with_capacity(3);
    if !start.is(0) {
        parts.push(b.slice_axis(x, axis, Dim::Static(0), start, 1)?);
    }
    parts.push(src);
    if !rest.is(0) {
        parts.push(b.slice_axis(x, axis, after, rest, 1)?);
    }
    b.concat(&parts, axis)
}

/// Replaces the elements between bounds that numbers read out of a tensor decide.
fn write_between(b: &mut Builder, x: TensorId, src: TensorId, axis: usize, bounds: &Bounds) -> Result<TensorId> {
    let (whole, rank) = (b.dims(x)[axis].clone(), b.rank(x));
    let src = b.lift(src, rank)?;
    let (distance, hit) = bounds.hits(b, &whole, axis, rank)?;
    let length = b.dims(src)[axis].clone();
    if length.is(1) {
        return b.select(hit, src, x);
    }
    // Positions that are not written read any element.
    let src = if b.range(&length).min > 0 { src } else { extended(b, src, axis)? };
    let inside = b.cast(hit, DType::Int64)?;
    let at = if bounds.step == 1 { distance } else { b.with_scalar(E::FloorDiv, distance, bounds.step as f64)? };
    let at = b.elementwise(E::Prod, at, inside)?;
    let at = b.reshape(at, &[whole])?;
    let written = b.gather(src, at, axis)?;
    b.select(hit, written, x)
}

/// With a zero after the last element of an axis, so that there is an element to read where the axis is empty.
fn extended(b: &mut Builder, x: TensorId, axis: usize) -> Result<TensorId> {
    let mut dims = b.dims(x);
    dims[axis] = Dim::Static(1);
    let last = b.full(b.dtype(x), &dims, 0.0)?;
    b.concat(&[x, last], axis)
}

pub(super) fn slice_scatter(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, src) = (call.tensor("self")?, call.tensor("src")?);
    let src = b.cast(src, b.dtype(x))?;
    let axis = call.axis("dim", call.value("self")?.dims.len())?;
    let whole = b.dims(x)[axis].clone();
    let bounds = Bounds::read(b, call, &whole)?;
    if bounds.are_read(b) {
        return Ok(write_between(b, x, src, axis, &bounds)?.into());
    }
    let (step, mut to) = (bounds.step, b.dims(x));
    to[axis] = bounds.count();
    let start = bounds.start;
    let size = b.dims(src).get(axis).filter(|d| !d.is(1)).cloned().unwrap_or_else(|| to[axis].clone());
    to[axis] = size.clone();
    let src = b.expand(src, &to)?;
    if size.is(0) {
        return Ok(x.into());
    }
    if step == 1 {
        return Ok(overwrite(b, x, src, axis, start, size)?.into());
    }
    let positions = b.iota_along(&size, DType::Int64, axis, to.len())?;
    let positions = b.with_scalar(E::Prod, positions, step as f64)?;
    let start = b.size_as(&start, DType::Int64, to.len())?;
    let positions = b.sum(positions, start)?;
    let positions = b.expand(positions, &to)?;
    Ok(b.add(Op::Scatter { mode: ScatterMode::Element, axis }, &[x, positions, src])?.into())
}

pub(super) fn select_scatter(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, src) = (call.tensor("self")?, call.tensor("src")?);
    let src = b.cast(src, b.dtype(x))?;
    let axis = call.axis("dim", call.value("self")?.dims.len())?;
    let mut to = b.dims(x);
    let (position, size) = (call.size("index")?, to[axis].clone());
    to[axis] = Dim::Static(1);
    let src = b.reshape(src, &to)?;
    if b.is_read(&position) {
        let at = b.size_as(&position, DType::Int64, to.len())?;
        let at = b.wrap_indices(at, &size)?;
        let each = b.iota_along(&size, DType::Int64, axis, to.len())?;
        let hit = b.elementwise(E::Equal, each, at)?;
        return Ok(b.select(hit, src, x)?.into());
    }
    let start = bound(b, &position, &size, true);
    Ok(overwrite(b, x, src, axis, start, Dim::Static(1))?.into())
}

fn scatter(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let data = b.with_axis(x)?;
    let axis = call.axis("dim", b.rank(data))?;
    let (index, src) = writes(b, call)?;
    if b.dims(index).iter().any(|d| d.is(0)) {
        return Ok(x.into());
    }
    let y = b.add(Op::Scatter { mode: ScatterMode::Element, axis }, &[data, index, src])?;
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}

/// Writes whole rows: row `index[k…]` of the data's first axis becomes `rows[k…]`.
fn scatter_rows(b: &mut Builder, data: TensorId, index: TensorId, rows: TensorId) -> Result<TensorId> {
    let index = b.unsqueeze(index, &[b.rank(index)])?;
    b.add(Op::Scatter { mode: ScatterMode::Nd, axis: 0 }, &[data, index, rows])
}

/// The mask that is the only index and stands in front, where one value goes everywhere it holds.
fn masked(b: &Builder, call: &Call<'_>, values: TensorId) -> Result<Option<TensorId>> {
    let given = call.optional_tensors("indices")?;
    Ok(match given.as_slice() {
        [Some(mask)] if b.dtype(*mask) == DType::Bool => {
            let rest = b.rank(call.tensor("self")?) - b.rank(*mask);
            let dims = b.dims(values);
            let one_row = dims.len() <= rest || (dims.len() == rest + 1 && dims[0].is(1));
            one_row.then_some(*mask)
        }
        _ => None,
    })
}

/// Writes where the only index, a mask, holds what was computed element by element of what it chose elsewhere.
fn written_by_mask(b: &mut Builder, call: &Call<'_>, x: TensorId, values: TensorId) -> Result<Option<TensorId>> {
    let Some((axis, mask)) = only_mask(b, call)? else { return Ok(None) };
    let (data, flat) = b.flat_mask(x, mask, axis)?;
    if b.rank(values) > b.rank(data) {
        return Ok(None);
    }
    let values = b.lift(values, b.rank(data))?;
    let Some(all) = b.of_all(values, mask, axis)? else { return Ok(None) };
    let written = if call.bool("accumulate")? { b.sum(data, all)? } else { all };
    let y = b.select(flat, written, data)?;
    Ok(Some(b.reshape(y, &b.dims(x))?))
}

pub(super) fn index_put(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, values) = (call.tensor("self")?, call.tensor("values")?);
    let values = b.cast(values, b.dtype(x))?;
    let add = call.bool("accumulate")?;
    let rank = b.rank(x);
    if let Some(mask) = masked(b, call, values)? {
        let tail: Vec<usize> = (b.rank(mask)..rank).collect();
        let mask = b.unsqueeze(mask, &tail)?;
        let values = if b.rank(values) > tail.len() { b.squeeze(values, &[0])? } else { values };
        let written = if add { b.sum(x, values)? } else { values };
        return Ok(b.select(mask, written, x)?.into());
    }
    if let Some(y) = written_by_mask(b, call, x, values)? {
        return Ok(y.into());
    }
    let count = b.unbound_symbol(&b.dims(values));
    let indices = indices(b, call, count.as_deref())?;
    let Some(indexed) = linearize(b, x, &indices)? else {
        return Ok(b.expand(values, &b.dims(x))?.into());
    };
    // Values are laid out like the elements that the same indices would read.
    let (data_dims, index_dims) = (b.dims(indexed.data), b.dims(indexed.index));
    let (before, after) = (&data_dims[..indexed.axis], &data_dims[indexed.axis + 1..]);
    let read = [before, &index_dims, after].concat();
    let values = b.expand(values, &read)?;
    let front: Vec<usize> = (indexed.axis..indexed.axis + index_dims.len()).collect();
    let rest = (0..read.len()).filter(|k| !front.contains(k));
    let rows = b.permute(values, &front.iter().copied().chain(rest).collect::<Vec<_>>())?;
    let data = b.move_axis(indexed.data, indexed.axis, 0)?;
    let y = if add {
        accumulate::add_rows(b, data, indexed.index, rows)?
    } else {
        scatter_rows(b, data, indexed.index, rows)?
    };
    let y = b.move_axis(y, 0, indexed.axis)?;
    let permuted: Vec<Dim> = indexed.order.iter().map(|k| b.dims(x)[*k].clone()).collect();
    let y = b.reshape(y, &permuted)?;
    let mut back = vec![0; rank];
    indexed.order.iter().enumerate().for_each(|(k, axis)| back[*axis] = k);
    Ok(b.permute(y, &back)?.into())
}

/// `index_copy` and `index_fill`: whole slices of an axis, from a tensor or of one value.
fn index_copy(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, index) = (call.tensor("self")?, call.tensor("index")?);
    let (x, index) = (b.with_axis(x)?, b.with_axis(index)?);
    if b.dims(index)[0].is(0) {
        return Ok(b.reshape(x, call.output_dims(0)?)?.into());
    }
    let axis = call.axis("dim", b.rank(x))?;
    let index = b.wrap_indices(index, &b.dims(x)[axis])?;
    let name = if call.argument("source").is_some() { "source" } else { "value" };
    let source = operand(b, call, name, b.dtype(x))?;
    let mut to = b.dims(x);
    to[axis] = b.dims(index)[0].clone();
    let source = if name == "value" { b.expand(source, &to)? } else { b.reshape(source, &to)? };
    let (data, rows) = (b.move_axis(x, axis, 0)?, b.move_axis(source, axis, 0)?);
    let y = scatter_rows(b, data, index, rows)?;
    let y = b.move_axis(y, 0, axis)?;
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}
