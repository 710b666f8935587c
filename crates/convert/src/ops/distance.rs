//! Distances and similarities between vectors.
//!
//! | schema | layers |
//! |---|---|
//! | `cdist(Tensor x1, Tensor x2, float p, int? compute_mode)` | MatrixMultiply, ElementWise, Reduce |
//! | `_cdist_forward` | the same |
//! | `pdist(Tensor self, float p)`, `_pdist_forward` | Gather, ElementWise, Reduce |
//! | `pairwise_distance(Tensor x1, Tensor x2, float p, float eps, bool keepdim)` | ElementWise, Reduce |
//! | `cosine_similarity(Tensor x1, Tensor x2, int dim, float eps)` | ElementWise, Reduce |
//!
//! Dtypes: one float type. Every size may be symbolic.

use super::vector_norm::p_norm;
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Matrix, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, ReduceOperation, TensorId, UnaryOperation as U, Weights};

/// PyTorch's own limit above which Euclidean distances are made of a matrix product.
const MANY: i64 = 25;

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.cdist.default", cdist, "MatrixMultiply, ElementWise, Reduce", 1e-5),
    operator("aten._cdist_forward.default", cdist, "MatrixMultiply, ElementWise, Reduce", 1e-5),
    operator("aten.pdist.default", pdist, "Gather, ElementWise, Reduce", 1e-5),
    operator("aten._pdist_forward.default", pdist, "Gather, ElementWise, Reduce", 1e-5),
    operator("aten.pairwise_distance.default", pairwise_distance, "ElementWise, Reduce", 1e-5),
    operator("aten.cosine_similarity.default", cosine_similarity, "ElementWise, Reduce", 1e-5),
];

/// Distances of all pairs: `[…, P, M]` and `[…, R, M]` give `[…, P, R]`.
fn cdist(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y, p) = (call.tensor("x1")?, call.tensor("x2")?, call.float("p")?);
    let (x, y) = b.align(x, y)?;
    let rank = b.rank(x);
    let many = |t: TensorId| b.dims(t)[rank - 2].as_static().is_none_or(|n| n > MANY);
    // 1: always by product, 2: never, otherwise by the number of vectors.
    let by_product = match call.optional_size("compute_mode")?.and_then(|mode| mode.as_static()) {
        Some(1) => true,
        Some(2) => false,
        _ => many(x) || many(y),
    };
    if p == 2.0 && by_product {
        return Ok(euclidean(b, x, y)?.into());
    }
    let (x, y) = (b.unsqueeze(x, &[rank - 1])?, b.unsqueeze(y, &[rank - 2])?);
    let difference = b.sub(x, y)?;
    Ok(p_norm(b, difference, p, &[rank], false)?.into())
}

/// `sqrt(|x|² + |y|² - 2 x·y)`.
fn euclidean(b: &mut Builder, x: TensorId, y: TensorId) -> Result<TensorId> {
    let rank = b.rank(x);
    let mut squared = |t: TensorId| {
        let squares = b.prod(t, t)?;
        b.reduce(ReduceOperation::Sum, squares, &[rank - 1], true)
    };
    let (x_size, y_size) = (squared(x)?, squared(y)?);
    let y_size = b.transpose(y_size, rank - 2, rank - 1)?;
    let product = b.matmul(x, Matrix::transposed(y))?;
    let twice = b.with_scalar(E::Prod, product, 2.0)?;
    let sizes = b.sum(x_size, y_size)?;
    let square = b.sub(sizes, twice)?;
    // Rounding may leave less than nothing.
    let square = b.with_scalar(E::Max, square, 0.0)?;
    b.unary(U::Sqrt, square)
}

/// Distances of each pair `i < j` of rows.
fn pdist(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, p) = (call.tensor("self")?, call.float("p")?);
    let (first, second) = match b.dims(x)[0].clone() {
        Dim::Static(count) => pairs(b, count)?,
        count @ Dim::Symbolic(_) => pairs_of_any(b, &count, &call.output_dims(0)?[0])?,
    };
    let (first, second) = (b.gather(x, first, 0)?, b.gather(x, second, 0)?);
    let difference = b.sub(first, second)?;
    Ok(p_norm(b, difference, p, &[1], false)?.into())
}

/// The rows `i < j` of each pair, in PyTorch's order.
fn pairs(b: &mut Builder, count: i64) -> Result<(TensorId, TensorId)> {
    let pairs = || (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j)));
    let (first, second): (Vec<i64>, Vec<i64>) = pairs().unzip();
    let mut rows = |list: &[i64]| b.constant(Weights::int64(&[list.len() as i64], list));
    Ok((rows(&first)?, rows(&second)?))
}

/// The same for a number of rows that depends on the input: pair k is in row i of a triangle, where row i begins at
/// pair
/// `i * (2n - i - 1) / 2`. The row is the solution of a quadratic equation, whose root is off by one at most.
fn pairs_of_any(b: &mut Builder, count: &Dim, pairs: &Dim) -> Result<(TensorId, TensorId)> {
    let whole = |n: i64| Dim::Static(n);
    let pair = b.iota(pairs, DType::Int64)?;
    let all = b.size_as(&(whole(4) * count.clone() * (count.clone() - whole(1)) - whole(7)), DType::Int64, 1)?;
    let before = b.with_scalar(E::Prod, pair, 8.0)?;
    let after = b.sub(all, before)?;
    let after = b.cast(after, DType::Float32)?;
    let root = b.unary(U::Sqrt, after)?;
    let root = b.with_scalar(E::Sub, root, 1.0)?;
    let root = b.with_scalar(E::Prod, root, 0.5)?;
    let root = b.unary(U::Floor, root)?;
    let back = b.cast(root, DType::Int64)?;
    let last = b.size_as(&(count.clone() - whole(2)), DType::Int64, 1)?;
    let mut row = b.sub(last, back)?;

    let twice = b.with_scalar(E::Prod, pair, 2.0)?;
    let late = twice_start(b, row, count)?;
    let late = b.elementwise(E::Greater, late, twice)?;
    let late = b.cast(late, DType::Int64)?;
    row = b.sub(row, late)?;
    let next = b.with_scalar(E::Sum, row, 1.0)?;
    let early = twice_start(b, next, count)?;
    let early = b.elementwise(E::Greater, early, twice)?;
    let early = b.not(early)?;
    let early = b.cast(early, DType::Int64)?;
    row = b.sum(row, early)?;

    let start = twice_start(b, row, count)?;
    let inside = b.sub(twice, start)?;
    let inside = b.with_scalar(E::FloorDiv, inside, 2.0)?;
    let other = b.sum(row, inside)?;
    Ok((row, b.with_scalar(E::Sum, other, 1.0)?))
}

/// Twice the first pair of a row: `i * (2n - i - 1)`.
fn twice_start(b: &mut Builder, row: TensorId, count: &Dim) -> Result<TensorId> {
    let width = b.size_as(&(Dim::Static(2) * count.clone() - Dim::Static(1)), DType::Int64, 1)?;
    let width = b.sub(width, row)?;
    b.prod(row, width)
}

/// The norm of `x1 - x2 + eps` over the last axis.
fn pairwise_distance(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (call.tensor("x1")?, call.tensor("x2")?);
    let dtype = call.output_dtype(0)?;
    let (x, y) = (b.cast(x, dtype)?, b.cast(y, dtype)?);
    let difference = b.sub(x, y)?;
    let difference = b.with_scalar(E::Sum, difference, call.float("eps")?)?;
    let axis = b.rank(difference) - 1;
    Ok(p_norm(b, difference, call.float("p")?, &[axis], call.bool("keepdim")?)?.into())
}

/// `x1 · x2 / (max(|x1|, eps) · max(|x2|, eps))` along an axis.
fn cosine_similarity(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y, epsilon) = (call.tensor("x1")?, call.tensor("x2")?, call.float("eps")?);
    let (x, y) = b.align(x, y)?;
    let axis = call.axis("dim", b.rank(x))?;
    let mut unit = |t: TensorId, other: TensorId| {
        // A size of 1 stands for as many elements as the other has, in the norm too.
        let mut dims = b.dims(t);
        if dims[axis].is(1) {
            dims[axis] = b.dims(other)[axis].clone();
        }
        let t = b.expand(t, &dims)?;
        let norm = p_norm(b, t, 2.0, &[axis], true)?;
        let norm = b.with_scalar(E::Max, norm, epsilon)?;
        b.div(t, norm)
    };
    let (x, y) = (unit(x, y)?, unit(y, x)?);
    let product = b.prod(x, y)?;
    Ok(b.reduce(ReduceOperation::Sum, product, &[axis], false)?.into())
}
