//! Layers that contract axes or work along them: products, reductions, softmax, normalization.

use super::arithmetic::known;
use super::{Inferred, Inputs, Result, TensorInfo, broadcast, broadcast_dim, check_axis, fail, one, same_dtype};
use crate::{DType, Dim, Dims, MatrixOperation, ReduceOperation, TopKOperation};
use std::collections::BTreeMap;

pub(super) fn normalization(i: Inputs<'_>, axes: &[usize], _epsilon: f32, groups: i64) -> Result<Vec<Inferred>> {
    let (x, scale, bias) = (i.float(0, "x")?, i.float(1, "scale")?, i.float(2, "bias")?);
    axes.iter().try_for_each(|a| check_axis(*a, x))?;
    same_dtype(x, scale, "x and scale")?;
    same_dtype(x, bias, "x and bias")?;
    if groups == 1 {
        broadcast(&[x, scale])?;
    }
    one(x.dtype, x.dims.to_vec())
}

pub(super) fn reduce(i: Inputs<'_>, op: ReduceOperation, axes: &[usize], keep_dims: bool) -> Result<Vec<Inferred>> {
    let x = i.get(0, "x")?;
    axes.iter().try_for_each(|a| check_axis(*a, x))?;
    if !x.dtype.is_float() && (!x.dtype.is_index() || op == ReduceOperation::Avg) {
        return fail(format!("{op:?} is not defined for {}", x.dtype));
    }
    let keep = |(k, d): (usize, &Dim)| match (axes.contains(&k), keep_dims) {
        (false, _) => Some(d.clone()),
        (true, true) => Some(Dim::Static(1)),
        (true, false) => None,
    };
    one(x.dtype, x.dims.iter().enumerate().filter_map(keep).collect())
}

pub(super) fn softmax(i: Inputs<'_>, axis: usize) -> Result<Vec<Inferred>> {
    let x = i.float(0, "x")?;
    check_axis(axis, x)?;
    one(x.dtype, x.dims.to_vec())
}

pub(super) fn ragged_softmax(i: Inputs<'_>) -> Result<Vec<Inferred>> {
    i.float(0, "x").and_then(|x| one(x.dtype, x.dims.to_vec()))
}

pub(super) fn topk(i: Inputs<'_>, _: TopKOperation, k: i64, axis: usize) -> Result<Vec<Inferred>> {
    let x = i.get(0, "x")?;
    check_axis(axis, x)?;
    if !x.dtype.is_float() && !x.dtype.is_index() {
        return fail(format!("x must be a float, int32 or int64 tensor, got {}", x.text()));
    }
    let mut dims = x.dims.to_vec();
    dims[axis] = match i.optional(1) {
        None => Dim::Static(k),
        Some(k) => known(k, "k")?.first().cloned().unwrap_or(Dim::Static(1)),
    };
    Ok(vec![
        Inferred { dtype: x.dtype, dims: dims.clone(), value: None },
        Inferred { dtype: DType::Int32, dims, value: None },
    ])
}

pub(super) fn matrix_multiply(i: Inputs<'_>, op0: MatrixOperation, op1: MatrixOperation) -> Result<Vec<Inferred>> {
    let (a, b) = ((op0, i.float(0, "a")?), (op1, i.float(1, "b")?));
    same_dtype(a.1, b.1, "both operands")?;
    let text = || format!("{:?} {} and {:?} {}", a.0, a.1.text(), b.0, b.1.text());
    // Batch axes, then the matrix: rows and columns, of which a vector has only what is contracted.
    let split = |(op, x): (MatrixOperation, TensorInfo<'_>), left: bool| -> Result<(Dims, Option<Dim>, Dim)> {
        let tail = if op == MatrixOperation::Vector { 1 } else { 2 };
        if x.rank() < tail {
            return fail(format!("the rank is too small: {}", text()));
        }
        let (batch, matrix) = x.dims.split_at(x.rank() - tail);
        Ok(match (matrix, (op == MatrixOperation::Transpose) == left) {
            ([k], _) => (batch.to_vec(), None, k.clone()),
            ([k, free], true) | ([free, k], false) => (batch.to_vec(), Some(free.clone()), k.clone()),
            _ => return fail("the rank is too small"),
        })
    };
    let ((batch_a, rows, ka), (batch_b, columns, kb)) = (split(a, true)?, split(b, false)?);
    if ka.is_static() && kb.is_static() && ka != kb {
        return fail(format!("the contracted sizes differ ({ka} and {kb}): {}", text()));
    }
    if batch_a.len() != batch_b.len() {
        return fail(format!("the numbers of batch axes differ: {}", text()));
    }
    let batch: Option<Dims> = batch_a.iter().zip(&batch_b).map(|(x, y)| broadcast_dim(x, y)).collect();
    match batch {
        None => fail(format!("the batch axes do not broadcast: {}", text())),
        Some(batch) => one(a.1.dtype, batch.into_iter().chain(rows).chain(columns).collect()),
    }
}

pub(super) fn einsum(i: Inputs<'_>, equation: &str) -> Result<Vec<Inferred>> {
    let Some((terms, output)) = equation.split_once("->") else {
        return fail(format!("the equation `{equation}` names no output (`->` is missing)"));
    };
    let terms: Vec<&str> = terms.split(',').map(str::trim).collect();
    if terms.len() != i.0.len() {
        return fail(format!("the equation `{equation}` is for {} tensors, got {}", terms.len(), i.0.len()));
    }
    let (first, mut sizes) = (i.float(0, "a")?, BTreeMap::new());
    for (k, term) in terms.iter().enumerate() {
        let x = i.float(k, "operand")?;
        same_dtype(first, x, "the operands")?;
        if term.chars().count() != x.rank() {
            return fail(format!("`{term}` in `{equation}` does not fit {}", x.text()));
        }
        for (letter, dim) in term.chars().zip(x.dims) {
            let known = sizes.entry(letter).or_insert_with(|| dim.clone());
            match broadcast_dim(known, dim) {
                Some(both) => *known = both,
                None => return fail(format!("`{letter}` in `{equation}` is both {known} and {dim}")),
            }
        }
    }
    let dims: Option<Dims> = output.trim().chars().map(|letter| sizes.get(&letter).cloned()).collect();
    match dims {
        Some(dims) => one(first.dtype, dims),
        None => fail(format!("the output of `{equation}` has a letter that no operand has")),
    }
}
