//! Other views of the same elements: sizes, order of axes, repetition.
//!
//! | schema | layers |
//! |---|---|
//! | `view`, `reshape`, `_reshape_copy`, `_unsafe_view`, `view_copy` `(Tensor self, SymInt[] size)` | Shuffle |
//! | `flatten.using_ints`, `unflatten.int`, `ravel`, `view_as`, `reshape_as`, `atleast_{1,2,3}d` | Shuffle |
//! | `squeeze`, `squeeze.{dim,dims}`, `unsqueeze` | Shuffle |
//! | `permute(Tensor self, int[] dims)`, `transpose.int`, `t`, `numpy_T`, `mT`, `mH`, `adjoint`, `swapaxes` | Shuffle |
//! | `movedim` | the same |
//! | `expand(Tensor self, SymInt[] size)`, `expand_as`, `broadcast_to`, `broadcast_tensors` | Slice (stride 0) |
//! | `meshgrid` | the same |
//! | `repeat(Tensor self, SymInt[] repeats)`, `tile(Tensor self, SymInt[] dims)` | Slice (wrapping) |
//! | `repeat_interleave.self_int(Tensor self, SymInt repeats, int? dim)` | Shuffle, Slice |
//!
//! Dtypes: any, unchanged. Sizes may be symbolic throughout: the output's sizes are PyTorch's own expressions.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::call::normalize;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{SampleMode, TensorId};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.view.default", reshape, "Shuffle", 0.0),
    operator("aten.view.dtype", view_dtype, "", 0.0),
    operator("aten.view_copy.default", reshape, "Shuffle", 0.0),
    operator("aten.view_as.default", reshape, "Shuffle", 0.0),
    operator("aten.reshape.default", reshape, "Shuffle", 0.0),
    operator("aten.reshape_as.default", reshape, "Shuffle", 0.0),
    operator("aten._reshape_copy.default", reshape, "Shuffle", 0.0),
    operator("aten._unsafe_view.default", reshape, "Shuffle", 0.0),
    operator("aten.flatten.using_ints", reshape, "Shuffle", 0.0),
    operator("aten.unflatten.int", reshape, "Shuffle", 0.0),
    operator("aten.ravel.default", reshape, "Shuffle", 0.0),
    operator("aten.squeeze.default", reshape, "Shuffle", 0.0),
    operator("aten.squeeze.dim", reshape, "Shuffle", 0.0),
    operator("aten.squeeze.dims", reshape, "Shuffle", 0.0),
    operator("aten.squeeze_copy.dim", reshape, "Shuffle", 0.0),
    operator("aten.unsqueeze.default", reshape, "Shuffle", 0.0),
    operator("aten.unsqueeze_copy.default", reshape, "Shuffle", 0.0),
    operator("aten.atleast_1d.default", reshape, "Shuffle", 0.0),
    operator("aten.atleast_2d.default", reshape, "Shuffle", 0.0),
    operator("aten.atleast_3d.default", reshape, "Shuffle", 0.0),
    operator("aten.atleast_1d.Sequence", reshape_each, "Shuffle", 0.0),
    operator("aten.atleast_2d.Sequence", reshape_each, "Shuffle", 0.0),
    operator("aten.atleast_3d.Sequence", reshape_each, "Shuffle", 0.0),
    operator("aten.permute.default", permute, "Shuffle", 0.0),
    operator("aten.permute_copy.default", permute, "Shuffle", 0.0),
    operator("aten.transpose.int", transpose, "Shuffle", 0.0),
    operator("aten.transpose_copy.int", transpose, "Shuffle", 0.0),
    operator("aten.swapdims.default", transpose, "Shuffle", 0.0),
    operator("aten.swapaxes.default", transpose, "Shuffle", 0.0),
    operator("aten.t.default", reverse_axes, "Shuffle", 0.0),
    operator("aten.t_copy.default", reverse_axes, "Shuffle", 0.0),
    operator("aten.numpy_T.default", reverse_axes, "Shuffle", 0.0),
    operator("aten.mT.default", transpose_matrix, "Shuffle", 0.0),
    operator("aten.mH.default", transpose_matrix, "Shuffle", 0.0),
    operator("aten.matrix_H.default", transpose_matrix, "Shuffle", 0.0),
    operator("aten.adjoint.default", transpose_matrix, "Shuffle", 0.0),
    operator("aten.movedim.int", move_axes, "Shuffle", 0.0),
    operator("aten.movedim.intlist", move_axes, "Shuffle", 0.0),
    operator("aten.moveaxis.int", move_axes, "Shuffle", 0.0),
    operator("aten.moveaxis.intlist", move_axes, "Shuffle", 0.0),
    operator("aten.expand.default", expand, "Slice", 0.0),
    operator("aten.expand_copy.default", expand, "Slice", 0.0),
    operator("aten.expand_as.default", expand, "Slice", 0.0),
    operator("aten.broadcast_to.default", expand, "Slice", 0.0),
    operator("aten.broadcast_tensors.default", expand_each, "Slice", 0.0),
    operator("aten.meshgrid.default", meshgrid, "Shuffle, Slice", 0.0),
    operator("aten.meshgrid.indexing", meshgrid, "Shuffle, Slice", 0.0),
    operator("aten.repeat.default", repeat, "Slice", 0.0),
    operator("aten.tile.default", repeat, "Slice", 0.0),
    operator("aten.repeat_interleave.self_int", repeat_interleave, "Shuffle, Slice", 0.0),
];

/// The same elements in the same order, under the output's sizes.
fn reshape(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    Ok(b.reshape(x, call.output_dims(0)?)?.into())
}

fn reshape_each(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let tensors = call.tensors("tensors")?;
    let each = |(k, x): (usize, TensorId)| b.reshape(x, call.output_dims(k)?);
    Ok(tensors.into_iter().enumerate().map(each).collect::<Result<Vec<_>>>()?.into())
}

/// The same bits under another type: only where that is the type they have.
fn view_dtype(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    if b.dtype(x) == call.output_dtype(0)? && call.value("self")?.dtype == call.output(0)?.dtype {
        return Ok(x.into());
    }
    unsupported(format!(
        "reading the bits of {} as {}: TensorRT has no layer for it",
        call.value("self")?.dtype,
        call.output(0)?.dtype
    ))
}

fn permute(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let rank = b.rank(x);
    let order: Vec<usize> = call.ints("dims")?.into_iter().map(|k| normalize(k, rank)).collect::<Result<_>>()?;
    Ok(b.permute(x, &order)?.into())
}

fn transpose(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let rank = b.rank(x);
    let [first, second] = if call.argument("axis0").is_some() { ["axis0", "axis1"] } else { ["dim0", "dim1"] };
    Ok(b.transpose(x, call.axis(first, rank)?, call.axis(second, rank)?)?.into())
}

fn reverse_axes(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let order: Vec<usize> = (0..b.rank(x)).rev().collect();
    Ok(b.permute(x, &order)?.into())
}

fn transpose_matrix(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let rank = b.rank(x);
    Ok(if rank < 2 { x } else { b.transpose(x, rank - 2, rank - 1)? }.into())
}

fn move_axes(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let rank = b.rank(x);
    let axes = |name: &str| call.ints(name)?.into_iter().map(|k| normalize(k, rank)).collect::<Result<Vec<_>>>();
    let (source, destination) = (axes("source")?, axes("destination")?);
    let mut rest = (0..rank).filter(|k| !source.contains(k));
    let from = |k: usize| match destination.iter().position(|d| *d == k) {
        Some(moved) => Some(source[moved]),
        None => rest.next(),
    };
    let order: Vec<usize> = (0..rank).filter_map(from).collect();
    Ok(b.permute(x, &order)?.into())
}

fn expand(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    Ok(b.expand(x, call.output_dims(0)?)?.into())
}

fn expand_each(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let tensors = call.tensors("tensors")?;
    let each = |(k, x): (usize, TensorId)| b.expand(x, call.output_dims(k)?);
    Ok(tensors.into_iter().enumerate().map(each).collect::<Result<Vec<_>>>()?.into())
}

/// Tensor k varies along axis k; with `xy`, the first two axes are swapped.
fn meshgrid(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let swapped = call.argument("indexing").is_some() && call.string("indexing")? == "xy";
    let tensors = call.tensors("tensors")?;
    let rank = tensors.len();
    let mut grids = Vec::with_capacity(rank);
    for (k, x) in tensors.into_iter().enumerate() {
        let axis = if swapped && k < 2 && rank > 1 { 1 - k } else { k };
        let x = if b.rank(x) == 0 { b.reshape(x, &[Dim::Static(1)])? } else { x };
        let line = b.along(x, axis, rank)?;
        grids.push(b.expand(line, call.output_dims(k)?)?);
    }
    Ok(grids.into())
}

/// Whole copies of x, side by side: a slice that wraps around at x's ends.
fn repeat(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, to) = (call.tensor("self")?, call.output_dims(0)?);
    let x = b.lift(x, to.len())?;
    let from = b.dims(x);
    if from.iter().zip(to).all(|(a, b)| a == b || a.is(1)) {
        return Ok(b.expand(x, to)?.into());
    }
    if to.iter().any(|d| d.is(0)) {
        return Ok(b.full(b.dtype(x), to, 0.0)?.into());
    }
    let start = vec![Dim::Static(0); to.len()];
    Ok(b.sample(x, [&start, to], &vec![1; to.len()], SampleMode::Wrap, None)?.into())
}

/// Each element several times in a row.
fn repeat_interleave(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (mut x, repeats) = (call.tensor("self")?, call.size("repeats")?);
    let axis = if call.is_none("dim") {
        x = b.reshape(x, &[Dim::product(&b.dims(x))])?;
        0
    } else {
        call.axis("dim", b.rank(x))?
    };
    let x = b.unsqueeze(x, &[axis + 1])?;
    let mut dims = b.dims(x);
    dims[axis + 1] = repeats;
    let x = b.expand(x, &dims)?;
    Ok(b.reshape(x, call.output_dims(0)?)?.into())
}
