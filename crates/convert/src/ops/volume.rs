//! Sampling volumes at points between their elements.
//!
//! | schema | layers |
//! |---|---|
//! | `grid_sampler(Tensor input, Tensor grid, int interpolation_mode, …)` on five axes | ElementWise, Gather |
//! | `grid_sampler_3d` | the same |
//!
//! TensorRT's grid sample layer takes images only. A volume becomes a table with a row of channels for each element;
//! the eight neighbours of a point are gathered and weighed, or the nearest one. Elements outside of the volume are 0,
//! or the point is moved to the border or reflected first.
//!
//! Dtypes: one float type; coordinates are computed in float32. Every size may be symbolic.

use super::Outputs;
use super::detection::neighbours;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{ElementWiseOperation as E, TensorId, UnaryOperation as U};

/// A coordinate from -1 to 1 as a position on an axis.
fn position(b: &mut Builder, x: TensorId, size: &Dim, align_corners: bool) -> Result<TensorId> {
    let next = b.with_scalar(E::Sum, x, 1.0)?;
    if align_corners {
        let last = b.size_as(&(size.clone() - Dim::Static(1)), b.dtype(x), 0)?;
        let half = b.with_scalar(E::Prod, next, 0.5)?;
        return b.prod(half, last);
    }
    let size = b.size_as(size, b.dtype(x), 0)?;
    let scaled = b.prod(next, size)?;
    let moved = b.with_scalar(E::Sub, scaled, 1.0)?;
    b.with_scalar(E::Prod, moved, 0.5)
}

/// Moves a position to the nearest element of the axis.
fn clipped(b: &mut Builder, x: TensorId, size: &Dim) -> Result<TensorId> {
    let last = b.size_as(&(size.clone() - Dim::Static(1)), b.dtype(x), 0)?;
    let x = b.with_scalar(E::Max, x, 0.0)?;
    b.elementwise(E::Min, x, last)
}

/// Reflects a position at the borders of the axis until it is inside: at its elements, or half an element outside.
fn reflected(b: &mut Builder, x: TensorId, size: &Dim, align_corners: bool) -> Result<TensorId> {
    let (first, length) = if align_corners { (0.0, size.clone() - Dim::Static(1)) } else { (-0.5, size.clone()) };
    let span = b.size_as(&length, b.dtype(x), 0)?;
    // A single element: the position is clipped afterwards.
    let span = b.with_scalar(E::Max, span, 1.0)?;
    let from_first = b.with_scalar(E::Sub, x, first)?;
    let distance = b.unary(U::Abs, from_first)?;
    let turns = b.div(distance, span)?;
    let turns = b.unary(U::Floor, turns)?;
    let whole = b.prod(turns, span)?;
    let rest = b.sub(distance, whole)?;
    let back = b.sub(span, rest)?;
    let pairs = b.with_scalar(E::Prod, turns, 0.5)?;
    let rounded = b.unary(U::Floor, pairs)?;
    let even = b.elementwise(E::Equal, pairs, rounded)?;
    let inside = b.select(even, rest, back)?;
    b.with_scalar(E::Sum, inside, first)
}

/// The neighbours of positions along an axis, each an index and a weight.
fn along(b: &mut Builder, call: &Call<'_>, x: TensorId, size: &Dim) -> Result<Vec<(TensorId, TensorId)>> {
    let align_corners = call.bool("align_corners")?;
    let mut at = position(b, x, size, align_corners)?;
    let padding = call.int("padding_mode")?;
    if padding == 2 {
        at = reflected(b, at, size, align_corners)?;
    }
    if padding != 0 {
        at = clipped(b, at, size)?;
    }
    if call.int("interpolation_mode")? == 0 {
        return Ok(neighbours(b, at, size)?.to_vec());
    }
    // Whole positions have all the weight on the first of two neighbours.
    let at = b.unary(U::Round, at)?;
    Ok(neighbours(b, at, size)?[..1].to_vec())
}

/// `[N, C, D, H, W]` at points `[N, d, h, w, 3]`, whose coordinates run along width, height and depth.
pub(super) fn grid_sampler(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, grid) = (call.tensor("input")?, call.tensor("grid")?);
    let grid = b.in_float32(grid)?;
    let dims = b.dims(x);
    let rows = b.permute(x, &[0, 2, 3, 4, 1])?;
    let count = dims[0].clone() * Dim::product(&dims[2..]);
    let table = b.reshape(rows, &[count, dims[1].clone()])?;
    let image = b.iota_along(&dims[0], network::DType::Int64, 0, 4)?;
    let one = b.scalar(b.dtype(grid), 1.0, 4)?;
    let mut corners = vec![(image, one)];
    for axis in 0..3 {
        let size = &dims[2 + axis];
        let column = b.slice_axis(grid, 4, Dim::Static(2 - axis as i64), Dim::Static(1), 1)?;
        let column = b.squeeze(column, &[4])?;
        let neighbours = along(b, call, column, size)?;
        let scale = b.size_as(size, network::DType::Int64, 4)?;
        let mut next = Vec::with_capacity(corners.len() * 2);
        for (row, weight) in corners {
            let row = b.prod(row, scale)?;
            for (index, share) in &neighbours {
                next.push((b.sum(row, *index)?, b.prod(weight, *share)?));
            }
        }
        corners = next;
    }
    let mut total: Option<TensorId> = None;
    for (row, weight) in corners {
        let value = b.gather(table, row, 0)?;
        let weight = b.unsqueeze(weight, &[4])?;
        let weight = b.cast(weight, b.dtype(value))?;
        let term = b.prod(value, weight)?;
        total = Some(match total {
            Some(total) => b.sum(total, term)?,
            None => term,
        });
    }
    let total = total.unwrap_or(x);
    Ok(b.permute(total, &[0, 4, 1, 2, 3])?.into())
}
