//! Reading elements by position: slices, selections, tensors of indices.
//!
//! | schema | layers |
//! |---|---|
//! | `slice.Tensor(Tensor self, int dim, SymInt? start, SymInt? end, SymInt step)`, `narrow` | Slice |
//! | `select.int(Tensor self, int dim, SymInt index)` | Gather |
//! | `index.Tensor(Tensor self, Tensor?[] indices)` | Gather; ElementWise for several indices; NonZero for masks |
//! | `gather(Tensor self, int dim, Tensor index)`, `take_along_dim` | Gather (Element) |
//! | `index_select(Tensor self, int dim, Tensor index)`, `take(Tensor self, Tensor index)` | Gather |
//! | `embedding(Tensor weight, Tensor indices, …)` | Gather |
//! | `one_hot(Tensor self, int num_classes)` | ElementWise(Equal), Cast |
//!
//! Dtypes: data of any type, indices int32 or int64. Negative indices count from the end where PyTorch lets them:
//! constants are rewritten in place, others are selected when the engine runs. Sizes may be symbolic; a mask makes
//! a size that depends on data, under the symbol that PyTorch gave it.

use super::elementwise::operand;
use super::position::{Bounds, bound, take, take_between};
use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, TensorId};
use program::ScalarType;

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.slice.Tensor", slice, "Slice", 0.0),
    operator("aten.slice_copy.Tensor", slice, "Slice", 0.0),
    operator("aten.narrow.default", narrow, "Slice", 0.0),
    operator("aten.narrow_copy.default", narrow, "Slice", 0.0),
    operator("aten.select.int", select, "Gather", 0.0),
    operator("aten.select_copy.int", select, "Gather", 0.0),
    operator("aten.index.Tensor", index, "Gather", 0.0),
    operator("aten._unsafe_index.Tensor", index, "Gather", 0.0),
    operator("aten.index.Tensor_hacked_twin", index, "Gather", 0.0),
    operator("aten.gather.default", gather, "Gather", 0.0),
    operator("aten.take_along_dim.default", take_along_dim, "Gather", 0.0),
    operator("aten.index_select.default", index_select, "Gather", 0.0),
    operator("aten.take.default", take_flat, "Gather", 0.0),
    operator("aten.embedding.default", embedding, "Gather", 0.0),
    operator("aten.one_hot.default", one_hot, "ElementWise, Cast", 0.0),
];

fn slice(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axis = call.axis("dim", b.rank(x))?;
    let (whole, size, step) = (b.dims(x)[axis].clone(), call.output_dims(0)?[axis].clone(), call.int("step")?);
    if step == 1 && size == whole {
        return Ok(x.into());
    }
    if size.is(0) {
        return Ok(b.slice_axis(x, axis, Dim::Static(0), size, step)?.into());
    }
    let (bounds, symbol) = (Bounds::read(b, call, &whole)?, b.unbound_symbol(std::slice::from_ref(&size)));
    if symbol.is_some() || bounds.are_read(b) {
        return Ok(take_between(b, x, axis, &bounds, &size, symbol.as_deref())?.into());
    }
    Ok(b.slice_axis(x, axis, bounds.start, size, step)?.into())
}

fn narrow(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axis = call.axis("dim", b.rank(x))?;
    let (whole, length) = (b.dims(x)[axis].clone(), call.size("length")?);
    let start = if length.is(0) { Dim::Static(0) } else { bound(b, &call.size("start")?, &whole, true) };
    if b.is_read(&start) {
        let bounds = Bounds { end: start.clone() + length.clone(), start, step: 1 };
        return Ok(take_between(b, x, axis, &bounds, &length, None)?.into());
    }
    Ok(b.slice_axis(x, axis, start, length, 1)?.into())
}

fn select(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axis = call.axis("dim", b.rank(x))?;
    Ok(take(b, x, axis, &call.size("index")?)?.into())
}

/// The index tensors by axis; a mask stands for one index a masked axis.
pub(super) fn indices(b: &mut Builder, call: &Call<'_>, count: Option<&str>) -> Result<Vec<Option<TensorId>>> {
    let mut all = Vec::new();
    for (tensor, value) in call.optional_tensors("indices")?.into_iter().zip(call.values("indices")?) {
        match (tensor, value.map(|v| v.dtype)) {
            (Some(mask), Some(ScalarType::Bool)) => {
                let found = b.positions(mask, count)?;
                for k in 0..b.rank(mask) {
                    all.push(Some(take(b, found, 0, &Dim::Static(k as i64))?));
                }
            }
            (Some(_), Some(ScalarType::UInt8)) => return unsupported("a uint8 mask as an index: use a bool mask"),
            (index, _) => all.push(index),
        }
    }
    Ok(all)
}

/// A tensor whose indexed axes are one axis, and the index into it.
pub(super) struct Indexed {
    pub data: TensorId,
    pub axis: usize,
    pub index: TensorId,
    /// Order of axes that brought the indexed ones together.
    pub order: Vec<usize>,
}

/// Brings the indexed axes together (in front, unless they are neighbours), makes them one, and the indices too.
pub(super) fn linearize(b: &mut Builder, x: TensorId, indices: &[Option<TensorId>]) -> Result<Option<Indexed>> {
    let rank = b.rank(x);
    let indexed: Vec<usize> = (0..indices.len().min(rank)).filter(|k| indices[*k].is_some()).collect();
    let (Some(first), Some(last)) = (indexed.first().copied(), indexed.last().copied()) else { return Ok(None) };
    let adjacent = last - first + 1 == indexed.len();
    let rest = (0..rank).filter(|k| !indexed.contains(k));
    let order: Vec<usize> = if adjacent { (0..rank).collect() } else { indexed.iter().copied().chain(rest).collect() };
    let axis = if adjacent { first } else { 0 };
    let sizes = b.dims(x);
    let data = b.permute(x, &order)?;
    let data = b.flatten(data, axis, axis + indexed.len() - 1)?;
    let given: Vec<(usize, TensorId)> = indexed.iter().filter_map(|k| Some((*k, indices[*k]?))).collect();
    let dtype = if given.iter().all(|(_, i)| b.dtype(*i) == DType::Int32) { DType::Int32 } else { DType::Int64 };
    let mut linear = None;
    for (k, index) in given {
        let index = b.cast(index, dtype)?;
        let index = b.wrap_indices(index, &sizes[k])?;
        linear = Some(match linear {
            None => index,
            Some(outer) => {
                let size = b.size_as(&sizes[k], dtype, b.rank(outer))?;
                let outer = b.elementwise(E::Prod, outer, size)?;
                b.sum(outer, index)?
            }
        });
    }
    Ok(linear.map(|index| Indexed { data, axis, index, order }))
}

/// The index of a scatter, and what it writes: as many elements as the index has.
pub(super) fn writes(b: &mut Builder, call: &Call<'_>) -> Result<(TensorId, TensorId)> {
    let index = call.tensor("index")?;
    let index = b.with_axis(index)?;
    let to = b.dims(index);
    let name = if call.argument("src").is_some() { "src" } else { "value" };
    let src = operand(b, call, name, call.output_dtype(0)?)?;
    if b.rank(src) == 0 {
        return Ok((index, b.expand(src, &to)?));
    }
    let fits = b.dims(src) == to;
    let src = if fits { src } else { b.slice(src, &vec![Dim::Static(0); to.len()], &to, &vec![1; to.len()])? };
    Ok((index, src))
}

pub(super) fn index(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let count = b.unbound_symbol(call.output_dims(0)?);
    let only_mask = only_mask(b, call)?;
    let indices = indices(b, call, count.as_deref())?;
    let Some(indexed) = linearize(b, x, &indices)? else { return Ok(x.into()) };
    let y = b.gather(indexed.data, indexed.index, indexed.axis)?;
    if let Some((axis, mask)) = only_mask {
        b.chosen_by(y, indexed.data, mask, axis);
    }
    Ok(y.into())
}

/// The bool mask that is the only index, and the first axis it stands for.
pub(super) fn only_mask(b: &Builder, call: &Call<'_>) -> Result<Option<(usize, TensorId)>> {
    let indices = call.optional_tensors("indices")?;
    let mut given = indices.iter().enumerate().filter_map(|(axis, index)| Some((axis, (*index)?)));
    let (first, second) = (given.next(), given.next());
    Ok(first.filter(|(_, mask)| second.is_none() && b.dtype(*mask) == DType::Bool && b.rank(*mask) > 0))
}

fn gather(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, index) = (call.tensor("self")?, call.tensor("index")?);
    let (x, index) = (b.with_axis(x)?, b.with_axis(index)?);
    let axis = call.axis("dim", b.rank(x))?;
    // Other axes may be longer in the data than in the index.
    let (mut size, index_dims) = (b.dims(x), b.dims(index));
    for (k, dim) in size.iter_mut().enumerate().filter(|(k, _)| *k != axis) {
        *dim = index_dims[k].clone();
    }
    let x =
        if size == b.dims(x) { x } else { b.slice(x, &vec![Dim::Static(0); size.len()], &size, &vec![1; size.len()])? };
    let y = b.gather_elements(x, index, axis)?;
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}

/// `gather` with broadcasting; without an axis, over all elements.
fn take_along_dim(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, index) = (call.tensor("self")?, call.tensor("indices")?);
    if call.is_none("dim") {
        return take_from(b, x, index, call.output_dims(0)?);
    }
    let axis = call.axis("dim", b.rank(x))?;
    let mut to = call.output_dims(0)?.to_vec();
    let index = b.expand(index, &to)?;
    let index = b.wrap_indices(index, &b.dims(x)[axis])?;
    to[axis] = b.dims(x)[axis].clone();
    let x = b.expand(x, &to)?;
    Ok(b.gather_elements(x, index, axis)?.into())
}

fn index_select(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, index) = (call.tensor("self")?, call.tensor("index")?);
    let (x, index) = (b.with_axis(x)?, b.with_axis(index)?);
    let axis = call.axis("dim", b.rank(x))?;
    let y = b.gather(x, index, axis)?;
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}

fn take_flat(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    take_from(b, call.tensor("self")?, call.tensor("index")?, call.output_dims(0)?)
}

/// Elements by their position in the flattened tensor.
fn take_from(b: &mut Builder, x: TensorId, index: TensorId, to: &[Dim]) -> Result<Outputs> {
    let count = Dim::product(&b.dims(x));
    let flat = b.reshape(x, std::slice::from_ref(&count))?;
    let index = b.wrap_indices(index, &count)?;
    let y = b.gather(flat, index, 0)?;
    Ok(b.reshape(y, to)?.into())
}

fn embedding(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (weight, indices) = (call.tensor("weight")?, call.tensor("indices")?);
    Ok(b.gather(weight, indices, 0)?.into())
}

fn one_hot(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, to) = (call.tensor("self")?, call.output_dims(0)?);
    let Some(classes @ Dim::Static(_)) = to.last() else {
        return unsupported(
            "one_hot without num_classes: the number of classes would depend on data; pass num_classes",
        );
    };
    let rank = to.len();
    let x = b.unsqueeze(x, &[rank - 1])?;
    let classes = b.iota_along(classes, b.dtype(x), rank - 1, rank)?;
    let hit = b.elementwise(E::Equal, x, classes)?;
    Ok(b.cast(hit, call.output_dtype(0)?)?.into())
}
