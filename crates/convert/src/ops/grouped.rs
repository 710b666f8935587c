//! Matrix products of groups of rows or columns, such as the tokens of each expert in a mixture of experts.
//!
//! | schema | layers |
//! |---|---|
//! | `_grouped_mm(Tensor self, Tensor mat2, Tensor? offs, Tensor? bias, …)` | ElementWise, MatrixMultiply |
//! | `transformers::grouped_mm_fallback(Tensor input, Tensor weight, Tensor offs)` | the same |
//!
//! `offs` holds the end of each group along the axis that the groups share. Which group a row belongs to depends on
//! data, so the groups become one product: rows `[T, K]` are repeated once for each group, with zeros outside of it,
//! as `[T, groups · K]`, and multiplied with the stacked matrices `[groups · K, N]`. Rows behind the last group are 0.
//!
//! Dtypes: one float type; `offs` int32 or int64. Every size may be symbolic.

use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, TensorId};

const LAYERS: &str = "ElementWise, MatrixMultiply";

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten._grouped_mm.default", grouped_mm, LAYERS, 1e-5),
    operator("transformers.grouped_mm_fallback.default", grouped_mm, LAYERS, 1e-5),
];

/// Whether an element belongs to a group: `[groups, elements]` bool.
fn membership(b: &mut Builder, ends: TensorId, elements: &Dim) -> Result<TensorId> {
    let ends = b.cast(ends, DType::Int64)?;
    let groups = b.dims(ends)[0].clone();
    let later = b.slice_axis(ends, 0, Dim::Static(0), groups.clone() - Dim::Static(1), 1)?;
    let first = b.full(DType::Int64, &[Dim::Static(1)], 0.0)?;
    let starts = b.concat(&[first, later], 0)?;
    let (starts, ends) = (b.unsqueeze(starts, &[1])?, b.unsqueeze(ends, &[1])?);
    let position = b.iota_along(elements, DType::Int64, 1, 2)?;
    let before = b.elementwise(E::Less, position, starts)?;
    let from_start = b.not(before)?;
    let to_end = b.elementwise(E::Less, position, ends)?;
    b.elementwise(E::And, from_start, to_end)
}

/// Repeats a matrix for each group, with zeros outside of it: `[groups, rows, columns]`. The groups divide `axis`.
fn by_group(b: &mut Builder, x: TensorId, ends: TensorId, axis: usize) -> Result<TensorId> {
    let inside = membership(b, ends, &b.dims(x)[axis].clone())?;
    let inside = b.unsqueeze(inside, &[2 - axis])?;
    let x = b.unsqueeze(x, &[0])?;
    // Selected, not multiplied: rows behind the last group may hold infinities.
    let zero = b.scalar(b.dtype(x), 0.0, 3)?;
    b.select(inside, x, zero)
}

/// `[groups, a, b]` as `[a, groups · b]`.
fn side_by_side(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let x = b.transpose(x, 0, 1)?;
    b.flatten(x, 1, 2)
}

fn grouped_mm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let own = call.argument("mat2").is_some();
    let (x, y) = if own { ("self", "mat2") } else { ("input", "weight") };
    let (x, y) = (call.tensor(x)?, call.tensor(y)?);
    let z = match (call.optional_tensor("offs")?, b.rank(x), b.rank(y)) {
        (Some(ends), 2, 3) => {
            let x = by_group(b, x, ends, 0)?;
            let (x, y) = (side_by_side(b, x)?, b.flatten(y, 0, 1)?);
            b.matmul(x, y)?
        }
        (Some(ends), 3, 2) => {
            let y = by_group(b, y, ends, 1)?;
            let (x, y) = (side_by_side(b, x)?, b.flatten(y, 0, 1)?);
            b.matmul(x, y)?
        }
        (Some(ends), 2, 2) => {
            let x = by_group(b, x, ends, 1)?;
            let y = b.unsqueeze(y, &[0])?;
            b.matmul(x, y)?
        }
        _ => b.matmul(x, y)?,
    };
    let z = match call.optional_tensor("bias")? {
        Some(bias) => b.sum(z, bias)?,
        None => z,
    };
    Ok(b.cast(z, call.output_dtype(0)?)?.into())
}
