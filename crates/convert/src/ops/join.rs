//! Joining and splitting along an axis.
//!
//! | schema | layers |
//! |---|---|
//! | `cat`, `concat`, `concatenate` `(Tensor[] tensors, int dim)`, `hstack`, `vstack`, `dstack` | Concatenation |
//! | `column_stack` | the same |
//! | `stack(Tensor[] tensors, int dim)` | Shuffle, Concatenation |
//! | `split.Tensor(Tensor self, SymInt split_size, int dim)`, `split_with_sizes`, `chunk`, `tensor_split` | Slice |
//! | `{h,v,d}split` | the same |
//! | `unbind.int(Tensor self, int dim)` | Gather |
//!
//! Dtypes: joined tensors are cast to PyTorch's promoted type. Sizes may be symbolic: where each part begins
//! follows from the sizes that PyTorch gives the parts.

use super::position::take;
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use dims::Dim;
use network::TensorId;

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.cat.default", cat, "Concatenation", 0.0),
    operator("aten.concat.default", cat, "Concatenation", 0.0),
    operator("aten.concatenate.default", cat, "Concatenation", 0.0),
    operator("aten.stack.default", stack, "Shuffle, Concatenation", 0.0),
    operator("aten.hstack.default", hstack, "Concatenation", 0.0),
    operator("aten.vstack.default", vstack, "Shuffle, Concatenation", 0.0),
    operator("aten.row_stack.default", vstack, "Shuffle, Concatenation", 0.0),
    operator("aten.dstack.default", dstack, "Shuffle, Concatenation", 0.0),
    operator("aten.column_stack.default", column_stack, "Shuffle, Concatenation", 0.0),
    operator("aten.split.Tensor", split, "Slice", 0.0),
    operator("aten.split.sizes", split, "Slice", 0.0),
    operator("aten.split_with_sizes.default", split, "Slice", 0.0),
    operator("aten.split_copy.Tensor", split, "Slice", 0.0),
    operator("aten.split_with_sizes_copy.default", split, "Slice", 0.0),
    operator("aten.unsafe_split.Tensor", split, "Slice", 0.0),
    operator("aten.unsafe_split_with_sizes.default", split, "Slice", 0.0),
    operator("aten.chunk.default", split, "Slice", 0.0),
    operator("aten.unsafe_chunk.default", split, "Slice", 0.0),
    operator("aten.tensor_split.sections", split, "Slice", 0.0),
    operator("aten.tensor_split.indices", tensor_split, "Slice", 0.0),
    operator("aten.hsplit.int", hsplit, "Slice", 0.0),
    operator("aten.hsplit.array", hsplit, "Slice", 0.0),
    operator("aten.vsplit.int", vsplit, "Slice", 0.0),
    operator("aten.vsplit.array", vsplit, "Slice", 0.0),
    operator("aten.dsplit.int", dsplit, "Slice", 0.0),
    operator("aten.dsplit.array", dsplit, "Slice", 0.0),
    operator("aten.unbind.int", unbind, "Gather", 0.0),
    operator("aten.unbind_copy.int", unbind, "Gather", 0.0),
];

/// The tensors in the output's type. PyTorch lets a 1-D tensor without elements stand next to any other.
fn parts(b: &mut Builder, call: &Call<'_>) -> Result<Vec<TensorId>> {
    let rank = call.output_dims(0)?.len();
    let dtype = call.output_dtype(0)?;
    let mut kept = Vec::new();
    for x in call.tensors("tensors")? {
        let empty = b.rank(x) == 1 && rank != 1 && b.dims(x)[0].is(0);
        if !empty {
            kept.push(b.cast(x, dtype)?);
        }
    }
    Ok(kept)
}

fn cat(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let axis = call.axis("dim", call.output_dims(0)?.len())?;
    let tensors = parts(b, call)?;
    if tensors.is_empty() {
        return Ok(b.full(call.output_dtype(0)?, call.output_dims(0)?, 0.0)?.into());
    }
    Ok(b.concat(&tensors, axis)?.into())
}

fn stack(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let axis = call.axis("dim", call.output_dims(0)?.len())?;
    let dtype = call.output_dtype(0)?;
    let mut tensors = Vec::new();
    for x in call.tensors("tensors")? {
        let x = b.cast(x, dtype)?;
        tensors.push(b.unsqueeze(x, &[axis])?);
    }
    Ok(b.concat(&tensors, axis)?.into())
}

/// Joins along an axis after axes of size 1 brought each tensor to a smallest rank: `positions` is where they go.
fn stacked(b: &mut Builder, call: &Call<'_>, axis: usize, positions: &dyn Fn(usize) -> Vec<usize>) -> Result<Outputs> {
    let dtype = call.output_dtype(0)?;
    let mut tensors = Vec::new();
    for x in call.tensors("tensors")? {
        let x = b.cast(x, dtype)?;
        tensors.push(b.unsqueeze(x, &positions(b.rank(x)))?);
    }
    Ok(b.concat(&tensors, axis)?.into())
}

fn hstack(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let axis = usize::from(call.output_dims(0)?.len() > 1);
    stacked(b, call, axis, &|rank| if rank == 0 { vec![0] } else { Vec::new() })
}

fn vstack(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    stacked(b, call, 0, &|rank| (0..2usize.saturating_sub(rank)).collect())
}

fn dstack(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    stacked(b, call, 2, &|rank| match rank {
        0 => vec![0, 1, 2],
        1 => vec![0, 2],
        2 => vec![2],
        _ => Vec::new(),
    })
}

fn column_stack(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    stacked(b, call, 1, &|rank| (rank..2).collect())
}

/// Parts one after another, of the sizes that PyTorch has.
fn split_along(b: &mut Builder, call: &Call<'_>, axis: usize) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let mut start = Dim::Static(0);
    let mut made = Vec::with_capacity(call.output_count());
    for k in 0..call.output_count() {
        let size = call.output_dims(k)?[axis].clone();
        made.push(part(b, x, axis, start.clone(), size.clone())?);
        start = start + size;
    }
    Ok(made.into())
}

fn part(b: &mut Builder, x: TensorId, axis: usize, start: Dim, size: Dim) -> Result<TensorId> {
    if start.is(0) && size == b.dims(x)[axis] {
        return Ok(x);
    }
    let start = if size.is(0) { Dim::Static(0) } else { start };
    b.slice_axis(x, axis, start, size, 1)
}

pub(super) fn split(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let axis = call.axis("dim", call.value("self")?.dims.len())?;
    split_along(b, call, axis)
}

fn hsplit(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let axis = usize::from(b.rank(call.tensor("self")?) > 1);
    split_at(b, call, axis)
}

fn vsplit(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    split_at(b, call, 0)
}

fn dsplit(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    split_at(b, call, 2)
}

fn tensor_split(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let axis = call.axis("dim", b.rank(call.tensor("self")?))?;
    split_at(b, call, axis)
}

/// Parts that begin at given positions, which need not be in order.
fn split_at(b: &mut Builder, call: &Call<'_>, axis: usize) -> Result<Outputs> {
    if call.argument("indices").is_none() {
        return split_along(b, call, axis);
    }
    let x = call.tensor("self")?;
    let whole = b.dims(x)[axis].clone();
    let mut starts = vec![Dim::Static(0)];
    for start in call.sizes("indices")? {
        starts.push(super::position::bound(b, &start, &whole, true));
    }
    let parts = starts.into_iter().enumerate().map(|(k, start)| {
        let size = call.output_dims(k)?[axis].clone();
        part(b, x, axis, start, size)
    });
    Ok(parts.collect::<Result<Vec<_>>>()?.into())
}

pub(super) fn unbind(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axis = call.axis("dim", call.value("self")?.dims.len())?;
    let each = (0..call.output_count()).map(|k| take(b, x, axis, &Dim::Static(k as i64)));
    Ok(each.collect::<Result<Vec<_>>>()?.into())
}
