//! Inverses, linear systems, determinants and factors of small square matrices, by Gaussian elimination.
//!
//! | schema | layers |
//! |---|---|
//! | `inverse(Tensor self)`, `linalg_inv(Tensor A)`, `linalg_inv_ex` | TopK, Select, Reduce, ElementWise, Gather |
//! | `linalg_solve(Tensor A, Tensor B, *, bool left)`, `linalg_solve_ex`, `_linalg_solve_ex` | the same |
//! | `det(Tensor self)`, `linalg_det(Tensor A)`, `slogdet`, `linalg_slogdet`, `_linalg_det` | the same |
//! | `_linalg_slogdet` | the same |
//! | `linalg_lu(Tensor A, *, bool pivot)`, `linalg_lu_factor`, `linalg_lu_factor_ex` | the same |
//!
//! The pivot of each column is the largest element that is left, found when the engine runs, so that zeros on the
//! diagonal are no obstacle. Rows stay where they are, and each step changes the whole matrix at once: a dozen layers a
//! row, whatever the batch. Matrices have up to 32 rows, a number that is known; axes in front may be symbolic.
//!
//! Dtypes: float32, also in half precision. Where PyTorch raises an error because a matrix is singular, an engine gives
//! infinities or NaN; `info` is set as in PyTorch. Of several largest elements the first is taken, which may give LU
//! factors in another order than PyTorch's, of the same product.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{
    DType, ElementWiseOperation as E, ReduceOperation as R, TensorId, TopKOperation, UnaryOperation as U, Weights,
};

const LAYERS: &str = "TopK, Select, Reduce, ElementWise";
const SORTED: &str = "TopK, Select, Reduce, ElementWise, Gather";

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.inverse.default", inverse, SORTED, 1e-5),
    operator("aten.linalg_inv.default", inverse, SORTED, 1e-5),
    operator("aten.linalg_inv_ex.default", inverse, SORTED, 1e-5),
    operator("aten.linalg_solve.default", solve, SORTED, 1e-5),
    operator("aten.linalg_solve_ex.default", solve, SORTED, 1e-5),
    operator("aten._linalg_solve_ex.default", solve, SORTED, 1e-5),
    operator("aten.det.default", det, LAYERS, 1e-5),
    operator("aten.linalg_det.default", det, LAYERS, 1e-5),
    operator("aten._linalg_det.default", det, LAYERS, 1e-5),
    operator("aten.slogdet.default", slogdet, LAYERS, 1e-5),
    operator("aten.linalg_slogdet.default", slogdet, LAYERS, 1e-5),
    operator("aten._linalg_slogdet.default", slogdet, LAYERS, 1e-5),
    operator("aten.linalg_lu.default", lu, SORTED, 1e-5),
    operator("aten.linalg_lu_factor.default", lu_factor, SORTED, 1e-5),
    operator("aten.linalg_lu_factor_ex.default", lu_factor, SORTED, 1e-5),
];

/// The most rows: each takes layers of its own.
const MOST_ROWS: i64 = 32;

/// The number of rows of square matrices `[…, n, n]`.
pub(super) fn rows(b: &Builder, x: TensorId) -> Result<i64> {
    let dims = b.dims(x);
    let [.., n, m] = dims.as_slice() else { return unsupported("a matrix of less than two axes") };
    match (n.as_static(), n == m) {
        (Some(n @ 1..=MOST_ROWS), true) => Ok(n),
        (Some(_), true) => unsupported(format!("matrices of {n} rows: 1 to {MOST_ROWS} convert")),
        (None, true) => unsupported(format!("matrices whose number of rows depends on input sizes ({n})")),
        (_, false) => unsupported(format!("factors of matrices that are not square ({n} by {m})")),
    }
}

/// Element `k` along an axis, which stays as one of size 1.
pub(super) fn at(b: &mut Builder, x: TensorId, axis: usize, k: i64) -> Result<TensorId> {
    b.slice_axis(x, axis, Dim::Static(k), Dim::Static(1), 1)
}

/// Matrices as constants: `value(row, column)`, with as many axes as a tensor of this rank.
pub(super) fn table(
    b: &mut Builder,
    dtype: DType,
    n: i64,
    rank: usize,
    value: fn(i64, i64) -> bool,
) -> Result<TensorId> {
    let dims = [vec![1; rank - 2], vec![n, n]].concat();
    let elements = (0..n * n).map(|k| i64::from(value(k / n, k % n)));
    b.constant(Weights::from_i64(dtype, &dims, elements))
}

/// The identity as often as x has matrices.
pub(super) fn identities(b: &mut Builder, x: TensorId, n: i64) -> Result<TensorId> {
    let identity = table(b, b.dtype(x), n, b.rank(x), |row, column| row == column)?;
    b.expand(identity, &b.dims(x))
}

/// What is done to a matrix.
#[derive(Clone, Copy, PartialEq)]
enum Goal {
    /// The rows that are left become zero in the pivot's column: the pivots' rows are U, the factors L.
    Triangle,
    /// All other rows do: what is left are the pivots.
    Diagonal,
}

/// What elimination leaves. Rows stand where they stood.
struct Eliminated {
    /// The matrix, `[…, n, width]`.
    matrix: TensorId,
    /// The row of each pivot, int32 `[…, n, 1]`.
    order: TensorId,
    /// The pivots, `[…, n, 1]`.
    pivots: TensorId,
    /// The rows of the pivots when they were chosen, in their order: `[…, n, width]`.
    chosen: TensorId,
    /// How often each pivot's row was taken from every row: `[…, n, n]`.
    factors: TensorId,
}

/// Which rows have been no pivot yet: bool `[…, n, 1]`; and the number of each, int32.
struct Rows {
    free: TensorId,
    numbers: TensorId,
}

impl Rows {
    fn new(b: &mut Builder, n: i64, rank: usize) -> Result<Self> {
        let dims = [vec![1; rank - 2], vec![n, 1]].concat();
        let free = b.constant(Weights::from_i64(DType::Bool, &dims, (0..n).map(|_| 1)))?;
        Ok(Self { free, numbers: b.iota_along(&Dim::Static(n), DType::Int32, rank - 2, rank)? })
    }

    /// Takes the free row with the largest element of a column: its number, and where it is.
    fn take(&mut self, b: &mut Builder, column: TensorId) -> Result<(TensorId, TensorId)> {
        let rank = b.rank(column);
        let size = b.unary(U::Abs, column)?;
        let taken = b.scalar(b.dtype(column), -1.0, rank)?;
        let size = b.select(self.free, size, taken)?;
        let number = b.top_k(size, TopKOperation::Max, &Dim::Static(1), rank - 2)?.positions;
        let here = b.elementwise(E::Equal, self.numbers, number)?;
        self.free = b.elementwise(E::Xor, self.free, here)?;
        Ok((number, here))
    }
}

/// Eliminates the first n columns of `[…, n, width]`.
fn eliminate(b: &mut Builder, mut x: TensorId, n: i64, goal: Goal) -> Result<Eliminated> {
    let (dtype, rank) = (b.dtype(x), b.rank(x));
    let (down, across) = (rank - 2, rank - 1);
    let (zero, one) = (b.scalar(dtype, 0.0, rank)?, b.scalar(dtype, 1.0, rank)?);
    let mut rows = Rows::new(b, n, rank)?;
    let (mut order, mut pivots, mut chosen, mut factors) = (vec![], vec![], vec![], vec![]);
    for k in 0..n {
        let column = at(b, x, across, k)?;
        let (number, here) = rows.take(b, column)?;
        let row = b.select(here, x, zero)?;
        let row = b.reduce(R::Sum, row, &[down], true)?;
        let pivot = at(b, row, across, k)?;
        let factor = match goal {
            Goal::Diagonal => {
                let factor = b.div(column, pivot)?;
                b.select(here, zero, factor)?
            }
            // A column of zeros has nothing to eliminate.
            Goal::Triangle => {
                let nothing = b.elementwise(E::Equal, pivot, zero)?;
                let divisor = b.select(nothing, one, pivot)?;
                b.div(column, divisor)?
            }
        };
        let explained = b.prod(factor, row)?;
        x = b.sub(x, explained)?;
        order.push(number);
        pivots.push(pivot);
        chosen.push(row);
        factors.push(factor);
    }
    let [order, pivots, chosen] = [order, pivots, chosen].map(|parts| b.concat(&parts, down));
    Ok(Eliminated { matrix: x, order: order?, pivots: pivots?, chosen: chosen?, factors: b.concat(&factors, across)? })
}

/// Rows in the order of the pivots.
fn sorted(b: &mut Builder, x: TensorId, order: TensorId) -> Result<TensorId> {
    let index = b.expand(order, &b.dims(x))?;
    b.gather_elements(x, index, b.rank(x) - 2)
}

/// The first of `[…, n, 1]` that fails, counted from 1, or 0: int32 `[…]`.
pub(super) fn first_failure(b: &mut Builder, fails: TensorId, n: i64) -> Result<TensorId> {
    let rank = b.rank(fails);
    let dims = [vec![1; rank - 2], vec![n, 1]].concat();
    let counted = b.constant(Weights::from_i64(DType::Int32, &dims, 1..=n))?;
    let (none, zero) = (b.scalar(DType::Int32, (n + 1) as f64, rank)?, b.scalar(DType::Int32, 0.0, rank)?);
    let failed = b.select(fails, counted, none)?;
    let first = b.reduce(R::Min, failed, &[rank - 2], true)?;
    let fine = b.elementwise(E::Equal, first, none)?;
    let first = b.select(fine, zero, first)?;
    b.squeeze(first, &[rank - 2, rank - 1])
}

/// Which pivot is the first that is zero, counted from 1; 0 where none is.
fn info(b: &mut Builder, pivots: TensorId, n: i64) -> Result<TensorId> {
    let zero = b.scalar(b.dtype(pivots), 0.0, b.rank(pivots))?;
    let singular = b.elementwise(E::Equal, pivots, zero)?;
    first_failure(b, singular, n)
}

/// The solution of `A X = B` for `[…, n, n]` and `[…, n, m]` of the same batch, and `info`.
fn solution(b: &mut Builder, a: TensorId, right: TensorId, n: i64) -> Result<(TensorId, TensorId)> {
    let across = b.rank(a) - 1;
    let width = b.dims(right)[across].clone();
    let (a, right) = (b.in_float32(a)?, b.in_float32(right)?);
    let both = b.concat(&[a, right], across)?;
    let done = eliminate(b, both, n, Goal::Diagonal)?;
    let right = b.slice_axis(done.matrix, across, Dim::Static(n), width, 1)?;
    let right = sorted(b, right, done.order)?;
    Ok((b.div(right, done.pivots)?, info(b, done.pivots, n)?))
}

fn inverse(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor(if call.argument("A").is_some() { "A" } else { "self" })?;
    let n = rows(b, x)?;
    let identities = identities(b, x, n)?;
    let (inverse, info) = solution(b, x, identities, n)?;
    Ok(vec![inverse, info].into())
}

/// Matrices and right sides of the batch that the result has.
pub(super) fn batched(b: &mut Builder, tensors: [TensorId; 2], batch: &[Dim]) -> Result<[TensorId; 2]> {
    let mut expanded = tensors;
    for x in &mut expanded {
        let dims = b.dims(*x);
        *x = b.expand(*x, &[batch, &dims[dims.len() - 2..]].concat())?;
    }
    Ok(expanded)
}

/// A matrix transposed.
pub(super) fn transposed(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let rank = b.rank(x);
    b.transpose(x, rank - 2, rank - 1)
}

fn solve(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (a, right, to) = (call.tensor("A")?, call.tensor("B")?, call.output_dims(0)?);
    let n = rows(b, a)?;
    // A right side that is a vector for each matrix gives one.
    let vector = to.len() < b.rank(a);
    let right = if vector { b.unsqueeze(right, &[b.rank(right)])? } else { right };
    let batch = &to[..to.len() - if vector { 1 } else { 2 }];
    let [a, right] = batched(b, [a, right], batch)?;
    let (solution, info) = if call.bool("left")? {
        solution(b, a, right, n)?
    } else {
        let (a, right) = (transposed(b, a)?, transposed(b, right)?);
        let (found, info) = solution(b, a, right, n)?;
        (transposed(b, found)?, info)
    };
    let solution = b.reshape(solution, to)?;
    Ok(match call.output_count() {
        4 => vec![Some(solution), None, None, Some(info)].into(),
        _ => vec![solution, info].into(),
    })
}

/// 1 for an even order of `[…, n, 1]`, -1 for an odd one, which has an odd number of pairs the wrong way round: `[…]`.
fn parity(b: &mut Builder, order: TensorId, n: i64, dtype: DType) -> Result<TensorId> {
    let rank = b.rank(order);
    let across = transposed(b, order)?;
    let swapped = b.elementwise(E::Greater, order, across)?;
    let before = table(b, DType::Bool, n, rank, |row, column| row < column)?;
    let swapped = b.elementwise(E::And, swapped, before)?;
    let (odd, even) = (b.scalar(dtype, -1.0, rank)?, b.scalar(dtype, 1.0, rank)?);
    let signs = b.select(swapped, odd, even)?;
    let signs = b.in_float32(signs)?;
    b.reduce(R::Prod, signs, &[rank - 2, rank - 1], false)
}

/// Pivots and the sign of their order.
fn diagonal(b: &mut Builder, call: &Call<'_>) -> Result<(TensorId, TensorId)> {
    let x = call.tensor(if call.argument("A").is_some() { "A" } else { "self" })?;
    let (n, x) = (rows(b, x)?, b.in_float32(x)?);
    let done = eliminate(b, x, n, Goal::Triangle)?;
    Ok((done.pivots, parity(b, done.order, n, b.dtype(x))?))
}

/// Reduces `[…, n, 1]` to `[…]`.
fn over_pivots(b: &mut Builder, op: R, x: TensorId) -> Result<TensorId> {
    b.reduce(op, x, &[b.rank(x) - 2, b.rank(x) - 1], false)
}

fn det(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (pivots, sign) = diagonal(b, call)?;
    let product = over_pivots(b, R::Prod, pivots)?;
    let det = b.prod(product, sign)?;
    Ok(vec![Some(det), None, None].into())
}

fn slogdet(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (pivots, sign) = diagonal(b, call)?;
    let signs = b.unary(U::Sign, pivots)?;
    let signs = over_pivots(b, R::Prod, signs)?;
    let sizes = b.unary(U::Abs, pivots)?;
    let logs = b.unary(U::Log, sizes)?;
    let (sign, log) = (b.prod(signs, sign)?, over_pivots(b, R::Sum, logs)?);
    Ok(vec![Some(sign), Some(log), None, None].into())
}

/// The factors of a matrix.
struct Factors {
    n: i64,
    /// L below its diagonal of ones; the rest means nothing.
    lower: TensorId,
    /// U from its diagonal on; the rest means nothing.
    upper: TensorId,
    /// Where L's factors count.
    below: TensorId,
    order: TensorId,
    pivots: TensorId,
}

fn factors(b: &mut Builder, call: &Call<'_>) -> Result<Factors> {
    let x = call.tensor("A")?;
    if !call.bool("pivot")? {
        return unsupported("LU factors without pivots: set pivot=True");
    }
    let (n, x) = (rows(b, x)?, b.in_float32(x)?);
    let done = eliminate(b, x, n, Goal::Triangle)?;
    let lower = sorted(b, done.factors, done.order)?;
    let below = table(b, DType::Bool, n, b.rank(x), |row, column| row > column)?;
    Ok(Factors { n, lower, upper: done.chosen, below, order: done.order, pivots: done.pivots })
}

/// `A = P L U`.
fn lu(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let Factors { n, lower, upper, below, order, .. } = factors(b, call)?;
    let (dtype, rank) = (b.dtype(lower), b.rank(lower));
    let identity = table(b, dtype, n, rank, |row, column| row == column)?;
    let zero = b.scalar(dtype, 0.0, rank)?;
    let (lower, upper) = (b.select(below, lower, identity)?, b.select(below, zero, upper)?);
    let places = b.iota_along(&Dim::Static(n), DType::Int32, rank - 2, rank)?;
    let order = transposed(b, order)?;
    let moved = b.elementwise(E::Equal, places, order)?;
    Ok(vec![b.number(moved, dtype)?, lower, upper].into())
}

/// The order of pivots as LAPACK returns it: with which row, counted from 1, each row changes places in turn.
fn swaps(b: &mut Builder, order: TensorId, n: i64) -> Result<TensorId> {
    let rank = b.rank(order);
    let down = rank - 2;
    let rows = b.iota_along(&Dim::Static(n), DType::Int32, down, rank)?;
    let zero = b.scalar(DType::Int32, 0.0, rank)?;
    let (mut places, mut swaps) = (rows, Vec::new());
    for k in 0..n {
        let row = at(b, order, down, k)?;
        let here = b.elementwise(E::Equal, rows, row)?;
        let place = b.select(here, places, zero)?;
        let place = b.reduce(R::Sum, place, &[down], true)?;
        let gives_way = b.scalar(DType::Int32, k as f64, rank)?;
        let gives_way = b.elementwise(E::Equal, places, gives_way)?;
        places = b.select(gives_way, place, places)?;
        swaps.push(place);
    }
    let swaps = b.concat(&swaps, down)?;
    let swaps = b.with_scalar(E::Sum, swaps, 1.0)?;
    b.squeeze(swaps, &[rank - 1])
}

fn lu_factor(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let Factors { n, lower, upper, below, order, pivots } = factors(b, call)?;
    let joined = b.select(below, lower, upper)?;
    Ok(vec![joined, swaps(b, order, n)?, info(b, pivots, n)?].into())
}
