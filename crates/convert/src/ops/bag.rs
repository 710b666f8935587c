//! Bags of embeddings: rows of a table, summed up a bag.
//!
//! | schema | layers |
//! |---|---|
//! | `embedding_bag(Tensor weight, Tensor indices, Tensor offsets, …)` | Gather, MatrixMultiply; Select, Reduce |
//! | `_embedding_bag`, `_embedding_bag_forward_only`, `embedding_bag.padding_idx` | the same |
//!
//! Dtypes: the table's float type. Which index is in which bag is a matrix of zeros and ones, so offsets may depend
//! on data and sizes may be symbolic. Only the first output, the bags, is made; modes are 0 sum, 1 mean, 2 maximum.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, ReduceOperation as R, TensorId};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.embedding_bag.default", embedding_bag, "Gather, MatrixMultiply", 1e-5),
    operator("aten.embedding_bag.padding_idx", embedding_bag, "Gather, MatrixMultiply", 1e-5),
    operator("aten._embedding_bag.default", embedding_bag, "Gather, MatrixMultiply", 1e-5),
    operator("aten._embedding_bag_forward_only.default", embedding_bag, "Gather, MatrixMultiply", 1e-5),
];

/// Whether index n is in bag m: `[bags, indices]` bool. `whole`: the last bag ends with the indices, wherever the last
/// offset is; maxima and the divisors of means are over that one in PyTorch.
fn membership(b: &mut Builder, call: &Call<'_>, indices: TensorId, whole: bool) -> Result<TensorId> {
    let offsets = call.tensor("offsets")?;
    let offsets = b.cast(offsets, DType::Int64)?;
    let count = b.dims(indices)[0].clone();
    let bags = call.output_dims(0)?[0].clone();
    let ends = if call.bool("include_last_offset")? && !whole {
        b.slice_axis(offsets, 0, Dim::Static(1), bags.clone(), 1)?
    } else {
        let later = b.slice_axis(offsets, 0, Dim::Static(1), bags.clone() - Dim::Static(1), 1)?;
        let end = b.size_as(&count, DType::Int64, 1)?;
        b.concat(&[later, end], 0)?
    };
    let starts = b.slice_axis(offsets, 0, Dim::Static(0), bags, 1)?;
    let (starts, ends) = (b.unsqueeze(starts, &[1])?, b.unsqueeze(ends, &[1])?);
    let position = b.iota_along(&count, DType::Int64, 1, 2)?;
    let before = b.elementwise(E::Less, position, starts)?;
    let begun = b.not(before)?;
    let going = b.elementwise(E::Less, position, ends)?;
    let inside = b.elementwise(E::And, begun, going)?;
    let padding = if call.is_none("padding_idx") { -1 } else { call.int("padding_idx")? };
    if padding < 0 {
        return Ok(inside);
    }
    let padding = b.scalar(b.dtype(indices), padding as f64, 1)?;
    let padded = b.elementwise(E::Equal, indices, padding)?;
    let there = b.not(padded)?;
    b.elementwise(E::And, inside, there)
}

fn embedding_bag(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (weight, indices) = (call.tensor("weight")?, call.tensor("indices")?);
    let dtype = b.dtype(weight);
    let (mode, ends_given) = (call.int("mode")?, call.bool("include_last_offset")?);
    let inside = membership(b, call, indices, mode == 2)?;
    let rows = b.gather(weight, indices, 0)?;
    let bags = match mode {
        0 | 1 => {
            let mut share = b.cast(inside, dtype)?;
            if let Some(weights) = call.optional_tensor("per_sample_weights")? {
                share = b.elementwise(E::Prod, share, weights)?;
            }
            let sums = b.matmul(share, rows)?;
            let counted = if mode == 1 && ends_given { membership(b, call, indices, true)? } else { inside };
            if mode == 0 { sums } else { mean(b, counted, sums)? }
        }
        2 => maximum(b, inside, rows)?,
        mode => return unsupported(format!("embedding_bag has no mode {mode} (0 sum, 1 mean, 2 maximum)")),
    };
    let mut outputs = vec![Some(bags)];
    outputs.resize(call.output_count(), None);
    Ok(outputs.into())
}

/// Sums over the number of indices a bag; an empty bag stays zero.
fn mean(b: &mut Builder, inside: TensorId, sums: TensorId) -> Result<TensorId> {
    let ones = b.cast(inside, b.dtype(sums))?;
    let count = b.reduce(R::Sum, ones, &[1], true)?;
    let count = b.with_scalar(E::Max, count, 1.0)?;
    b.div(sums, count)
}

fn maximum(b: &mut Builder, inside: TensorId, rows: TensorId) -> Result<TensorId> {
    let inside = b.unsqueeze(inside, &[2])?;
    let (low, zero) = (b.scalar(b.dtype(rows), f64::NEG_INFINITY, 3)?, b.scalar(b.dtype(rows), 0.0, 2)?);
    let sent = b.select(inside, rows, low)?;
    let best = b.reduce(R::Max, sent, &[1], false)?;
    let ones = b.cast(inside, DType::Int32)?;
    let count = b.reduce(R::Sum, ones, &[1], false)?;
    let any = b.cast(count, DType::Bool)?;
    b.select(any, best, zero)
}
