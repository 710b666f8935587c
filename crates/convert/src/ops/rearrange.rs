//! Moving elements around: rotation, reversal, diagonals, windows.
//!
//! | schema | layers |
//! |---|---|
//! | `roll(Tensor self, SymInt[] shifts, int[] dims)` | Slice (wrapping) |
//! | `flip(Tensor self, int[] dims)`, `fliplr`, `flipud` | Slice (stride -1), Shuffle |
//! | `rot90(Tensor self, int k, int[] dims)` | the same |
//! | `diagonal(Tensor self, int offset, int dim1, int dim2)`, `diag` | Shuffle, Slice |
//! | `diag_embed(Tensor self, int offset, int dim1, int dim2)`, `diagonal_scatter` | Select, Slice |
//! | `unfold(Tensor self, int dimension, int size, int step)` | Gather, Shuffle |
//! | `as_strided(Tensor self, SymInt[] size, SymInt[] stride, SymInt? storage_offset)` | Gather |
//! | `resize(Tensor self, SymInt[] size)`, `resize_as(Tensor self, Tensor the_template)` | Shuffle, Slice (filling) |
//! | `block_diag(Tensor[] tensors)` | Slice, Concatenation |
//!
//! Dtypes: any, unchanged. Sizes may be symbolic, but for what walks memory: `as_strided`, and the length of a
//! matrix's rows in `diagonal`.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::call::normalize;
use crate::{Builder, Call, Error, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, SampleMode, TensorId, Weights};
use program::Argument;

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.roll.default", roll, "Slice", 0.0),
    operator("aten.flip.default", flip, "Slice", 0.0),
    operator("aten.fliplr.default", fliplr, "Slice", 0.0),
    operator("aten.flipud.default", flipud, "Slice", 0.0),
    operator("aten.rot90.default", rot90, "Slice, Shuffle", 0.0),
    operator("aten.diagonal.default", diagonal, "Shuffle, Slice", 0.0),
    operator("aten.diagonal_copy.default", diagonal, "Shuffle, Slice", 0.0),
    operator("aten.linalg_diagonal.default", diagonal, "Shuffle, Slice", 0.0),
    operator("aten.diag.default", diag, "Shuffle, Slice; Select", 0.0),
    operator("aten.diag_embed.default", diag_embed, "Select, Slice", 0.0),
    operator("aten.diagonal_scatter.default", diagonal_scatter, "Select, Slice", 0.0),
    operator("aten.unfold.default", unfold, "Gather, Shuffle", 0.0),
    operator("aten.unfold_copy.default", unfold, "Gather, Shuffle", 0.0),
    operator("aten.as_strided.default", as_strided, "Gather", 0.0),
    operator("aten.as_strided_copy.default", as_strided, "Gather", 0.0),
    operator("aten.resize.default", resize, "Shuffle, Slice", 0.0),
    operator("aten.resize_as.default", resize, "Shuffle, Slice", 0.0),
    operator("aten.block_diag.default", block_diag, "Slice, Concatenation", 0.0),
];

/// The first elements under other sizes; those that are new, which PyTorch leaves undefined, are 0.
fn resize(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, to) = (call.tensor("self")?, call.output_dims(0)?);
    let (count, wanted) = (Dim::product(&b.dims(x)), Dim::product(to));
    let mut flat = b.reshape(x, std::slice::from_ref(&count))?;
    if count.is(0) {
        return Ok(b.full(b.dtype(x), to, 0.0)?.into());
    }
    if count != wanted {
        let fill = b.scalar(b.dtype(x), 0.0, 0)?;
        flat = b.sample(flat, [&[Dim::Static(0)], &[wanted]], &[1], SampleMode::Fill, Some(fill))?;
    }
    Ok(b.reshape(flat, to)?.into())
}

/// A slice as long as x that begins `shift` elements before x and wraps around.
fn roll(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let (shifts, axes) = (call.sizes("shifts")?, call.ints("dims")?);
    let from = b.dims(x);
    if from.iter().any(|d| d.is(0)) {
        return Ok(x.into());
    }
    if axes.is_empty() {
        let flat = b.reshape(x, &[Dim::product(&from)])?;
        let rolled = rolled(b, flat, &shifts, &[0])?;
        return Ok(b.reshape(rolled, &from)?.into());
    }
    let axes: Vec<usize> = axes.into_iter().map(|k| normalize(k, from.len())).collect::<Result<_>>()?;
    Ok(rolled(b, x, &shifts, &axes)?.into())
}

/// Rolls axes by shifts, one a shift.
pub(super) fn rolled(b: &mut Builder, x: TensorId, shifts: &[Dim], axes: &[usize]) -> Result<TensorId> {
    let size = b.dims(x);
    if size.is_empty() {
        return Ok(x);
    }
    let mut start = vec![Dim::Static(0); size.len()];
    for (shift, axis) in shifts.iter().zip(axes) {
        // Where an axis is named twice, its shifts add up.
        start[*axis] = (start[*axis].clone() - shift.clone()).modulo(&size[*axis]);
    }
    if start.iter().all(|s| s.is(0)) {
        return Ok(x);
    }
    b.sample(x, [&start, &size], &vec![1; size.len()], SampleMode::Wrap, None)
}

fn flipped(b: &mut Builder, x: TensorId, axes: &[usize]) -> Result<TensorId> {
    let size = b.dims(x);
    if size.is_empty() || axes.is_empty() || size.iter().any(|d| d.is(0)) {
        return Ok(x);
    }
    let (mut start, mut stride) = (vec![Dim::Static(0); size.len()], vec![1; size.len()]);
    for axis in axes {
        start[*axis] = size[*axis].clone() - Dim::Static(1);
        stride[*axis] = -1;
    }
    b.slice(x, &start, &size, &stride)
}

pub(super) fn flip(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let rank = call.value("self")?.dims.len();
    let axes: Vec<usize> = call.ints("dims")?.into_iter().map(|k| normalize(k, rank)).collect::<Result<_>>()?;
    Ok(flipped(b, x, &axes)?.into())
}

fn fliplr(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    Ok(flipped(b, x, &[1])?.into())
}

fn flipud(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    Ok(flipped(b, x, &[0])?.into())
}

/// Quarter turns in the plane of two axes.
fn rot90(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let rank = b.rank(x);
    let axes: Vec<usize> = call.ints("dims")?.into_iter().map(|k| normalize(k, rank)).collect::<Result<_>>()?;
    let &[first, second] = axes.as_slice() else { return unsupported("rot90 turns in the plane of two axes") };
    Ok(match call.int("k")?.rem_euclid(4) {
        1 => {
            let x = flipped(b, x, &[second])?;
            b.transpose(x, first, second)?
        }
        2 => flipped(b, x, &[first, second])?,
        3 => {
            let x = flipped(b, x, &[first])?;
            b.transpose(x, first, second)?
        }
        _ => x,
    }
    .into())
}

/// The two axes of the matrices that have a diagonal.
#[derive(Clone, Copy)]
struct Plane {
    rows: usize,
    columns: usize,
}

/// The named pair of axes, whatever an overload calls them.
fn plane(call: &Call<'_>, rank: usize) -> Result<Plane> {
    let axis = |name: &str, default: i64| match call.argument(name) {
        Some(Argument::Int(_)) => call.axis(name, rank),
        _ => normalize(default, rank),
    };
    match call.argument("dim1") {
        Some(_) => Ok(Plane { rows: axis("dim1", 0)?, columns: axis("dim2", 1)? }),
        None => Ok(Plane { rows: 0, columns: 1 }),
    }
}

/// The order that puts the rows and columns last.
fn last_two(rank: usize, Plane { rows, columns }: Plane) -> Vec<usize> {
    (0..rank).filter(|k| *k != rows && *k != columns).chain([rows, columns]).collect()
}

fn inverse(order: &[usize]) -> Vec<usize> {
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(k, axis)| back[*axis] = k);
    back
}

/// Read row by row, a diagonal's elements stand one row and one column apart.
fn read_diagonal(b: &mut Builder, x: TensorId, offset: i64, count: &Dim) -> Result<TensorId> {
    let rank = b.rank(x);
    let sizes = b.dims(x);
    let Some(columns) = sizes[rank - 1].as_static() else {
        return unsupported("a diagonal of a matrix whose number of columns depends on input sizes");
    };
    let start = if offset >= 0 { offset } else { -offset * columns };
    let flat = b.flatten(x, rank - 2, rank - 1)?;
    let start = if count.is(0) { 0 } else { start };
    b.slice_axis(flat, rank - 2, Dim::Static(start), count.clone(), columns + 1)
}

fn diagonal(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = if call.argument("A").is_some() { call.tensor("A")? } else { call.tensor("self")? };
    let rank = b.rank(x);
    let order = last_two(rank, plane(call, rank)?);
    let x = b.permute(x, &order)?;
    let to = call.output_dims(0)?;
    Ok(read_diagonal(b, x, call.int("offset")?, &to[rank - 2])?.into())
}

/// Where a matrix has its diagonal: `column - row == offset`, in the last two of `rank` axes.
fn on_diagonal(b: &mut Builder, [rows, columns]: [&Dim; 2], offset: i64, rank: usize) -> Result<TensorId> {
    if let (Some(n), Some(m)) = (rows.as_static(), columns.as_static()) {
        let values: Vec<bool> = (0..n * m).map(|k| k % m - k / m == offset).collect();
        return b.constant(Weights::bool(&[vec![1; rank - 2], vec![n, m]].concat(), &values));
    }
    let row = b.iota_along(rows, DType::Int64, rank - 2, rank)?;
    let column = b.iota_along(columns, DType::Int64, rank - 1, rank)?;
    let apart = b.sub(column, row)?;
    let offset = b.scalar(DType::Int64, offset as f64, rank)?;
    b.elementwise(E::Equal, apart, offset)
}

/// Vectors `[…, count]` laid along the diagonal of what `[…, rows, columns]` holds.
fn write_diagonal(b: &mut Builder, vectors: TensorId, into: TensorId, offset: i64) -> Result<TensorId> {
    let (rank, to) = (b.rank(into), b.dims(into));
    let on = on_diagonal(b, [&to[rank - 2], &to[rank - 1]], offset, rank)?;
    // Element k stands in row k, or in column k where the diagonal begins further down.
    let laid = b.unsqueeze(vectors, &[if offset >= 0 { rank - 1 } else { rank - 2 }])?;
    let along = if offset >= 0 { rank - 2 } else { rank - 1 };
    let mut size = b.dims(laid);
    if size[along] != to[along] {
        size[along] = to[along].clone();
        let fill = b.constant(Weights::scalar(b.dtype(laid), 0.0))?;
        let laid =
            b.sample(laid, [&vec![Dim::Static(0); rank], &size], &vec![1; rank], SampleMode::Fill, Some(fill))?;
        return b.select(on, laid, into);
    }
    b.select(on, laid, into)
}

fn embed(b: &mut Builder, x: TensorId, offset: i64, plane: Plane, to: &[Dim]) -> Result<TensorId> {
    let order = last_two(to.len(), plane);
    let matrix: Vec<Dim> = order.iter().map(|k| to[*k].clone()).collect();
    let zeros = b.full(b.dtype(x), &matrix, 0.0)?;
    let y = write_diagonal(b, x, zeros, offset)?;
    b.permute(y, &inverse(&order))
}

fn diag_embed(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, to) = (call.tensor("self")?, call.output_dims(0)?);
    Ok(embed(b, x, call.int("offset")?, plane(call, to.len())?, to)?.into())
}

/// Of a vector the matrix, of a matrix the vector.
fn diag(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, offset, to) = (call.tensor("self")?, call.int("diagonal")?, call.output_dims(0)?);
    Ok(if b.rank(x) == 1 {
        embed(b, x, offset, Plane { rows: 0, columns: 1 }, to)?
    } else {
        read_diagonal(b, x, offset, &to[0])?
    }
    .into())
}

fn diagonal_scatter(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, src) = (call.tensor("self")?, call.tensor("src")?);
    let src = b.cast(src, b.dtype(x))?;
    let rank = b.rank(x);
    let order = last_two(rank, plane(call, rank)?);
    let into = b.permute(x, &order)?;
    let y = write_diagonal(b, src, into, call.int("offset")?)?;
    Ok(b.permute(y, &inverse(&order))?.into())
}

/// Windows along an axis: window w holds positions `w * step …`. Their elements become the last axis.
fn unfold(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, size, step) = (call.tensor("self")?, call.int("size")?, call.int("step")?);
    let x = if b.rank(x) == 0 { b.reshape(x, &[Dim::Static(1)])? } else { x };
    let rank = b.rank(x);
    let axis = call.axis("dimension", rank)?;
    let to = call.output_dims(0)?;
    if to.len() == 1 {
        return Ok(b.reshape(x, to)?.into());
    }
    let positions = match to[axis].as_static() {
        Some(windows) => {
            let all = (0..windows).flat_map(|w| (0..size).map(move |k| w * step + k));
            b.constant(Weights::from_i64(DType::Int64, &[windows, size], all))?
        }
        None => {
            let start = b.iota_along(&to[axis], DType::Int64, 0, 2)?;
            let start = b.with_scalar(E::Prod, start, step as f64)?;
            let within = b.iota_along(&Dim::Static(size), DType::Int64, 1, 2)?;
            b.sum(start, within)?
        }
    };
    let windows = b.gather(x, positions, axis)?;
    Ok(b.move_axis(windows, axis + 1, rank)?.into())
}

/// Reads memory. The tensor is stored in order there, from the beginning: capture writes other reads as
/// `take`.
fn as_strided(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let (size, stride) = (call.ints("size")?, call.ints("stride")?);
    let offset = if call.is_none("storage_offset") { 0 } else { call.int("storage_offset")? };
    let count = size.iter().product::<i64>();
    let position = |k: i64| {
        let step = |(at, left): (i64, i64), (n, s): (&i64, &i64)| (at + (left % n) * s, left / n);
        size.iter().zip(&stride).rev().fold((offset, k), step).0
    };
    let positions = b.constant(Weights::from_i64(DType::Int64, &size, (0..count).map(position)))?;
    let all = Dim::product(&b.dims(x));
    if !all.is_static() {
        return Err(Error::unsupported("as_strided of a tensor whose sizes depend on input sizes"));
    }
    let flat = b.reshape(x, &[all])?;
    Ok(b.gather(flat, positions, 0)?.into())
}

/// Each matrix next to zeros, one below the other.
fn block_diag(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (dtype, width) = (call.output_dtype(0)?, call.output_dims(0)?[1].clone());
    let fill = b.constant(Weights::scalar(dtype, 0.0))?;
    let (mut rows, mut before) = (Vec::new(), Dim::Static(0));
    for x in call.tensors("tensors")? {
        let x = b.cast(x, dtype)?;
        let x = b.lift(x, 2)?;
        let [height, columns] = [b.dims(x)[0].clone(), b.dims(x)[1].clone()];
        let start = [Dim::Static(0), Dim::Static(0) - before.clone()];
        rows.push(b.sample(x, [&start, &[height, width.clone()]], &[1, 1], SampleMode::Fill, Some(fill))?);
        before = before + columns;
    }
    Ok(b.concat(&rows, 0)?.into())
}
