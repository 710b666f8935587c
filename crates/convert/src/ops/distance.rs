//! Distances and similarities between vectors.
//!
//! | schema | layers |
//! |---|---|
//! | `cdist(Tensor x1, Tensor x2, float p, int? compute_mode)`, `_cdist_forward` | MatrixMultiply, ElementWise, Reduce |
//! | `pdist(Tensor self, float p)`, `_pdist_forward` | Gather, ElementWise, Reduce |
//! | `pairwise_distance(Tensor x1, Tensor x2, float p, float eps, bool keepdim)` | ElementWise, Reduce |
//! | `cosine_similarity(Tensor x1, Tensor x2, int dim, float eps)` | ElementWise, Reduce |
//!
//! Dtypes: one float type. Every size may be symbolic, but `pdist` needs a static number of vectors.

use super::vector_norm::p_norm;
use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use network::{ElementWiseOperation as E, ReduceOperation, TensorId, UnaryOperation as U, Weights};

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
    let product = b.matmul((x, false), (y, true))?;
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
    let Some(count) = b.dims(x)[0].as_static() else {
        return unsupported("pdist of a number of vectors that depends on the input");
    };
    let pairs = || (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j)));
    let (first, second): (Vec<i64>, Vec<i64>) = pairs().unzip();
    let mut rows = |list: &[i64]| {
        let rows = b.constant(Weights::int64(&[list.len() as i64], list))?;
        b.gather(x, rows, 0)
    };
    let (first, second) = (rows(&first)?, rows(&second)?);
    let difference = b.sub(first, second)?;
    Ok(p_norm(b, difference, p, &[1], false)?.into())
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
