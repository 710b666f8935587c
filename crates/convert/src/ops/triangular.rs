//! Cholesky factors of small matrices, and systems whose matrix is a triangle.
//!
//! | schema | layers |
//! |---|---|
//! | `linalg_cholesky(Tensor self, *, bool upper)` | Slice, Unary, ElementWise, Select, Concatenation |
//! | `linalg_cholesky_ex` | the same |
//! | `linalg_solve_triangular(Tensor self, Tensor B, *, bool upper, …)` | Slice, ElementWise, Concatenation |
//! | `triangular_solve` | the same |
//! | `cholesky_solve(Tensor self, Tensor input2, bool upper)`, `cholesky_inverse(Tensor self, bool upper)` | the same |
//!
//! Each row takes a few layers, whatever the batch. Matrices have up to 32 rows, a number that is known; axes in front
//! may be symbolic. As in PyTorch, the other triangle is not read.
//!
//! Dtypes: float32, also in half precision. Where PyTorch raises an error because a matrix is not positive definite, an
//! engine gives NaN; `info` is set as in PyTorch.

use super::elimination::{at, batched, first_failure, identities, rows, table, transposed};
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use network::{DType, ElementWiseOperation as E, TensorId, UnaryOperation as U};

const SOLVES: &str = "Slice, ElementWise, Concatenation";

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.linalg_cholesky.default", cholesky, "Slice, Unary, ElementWise, Select, Concatenation", 1e-5),
    operator("aten.linalg_cholesky_ex.default", cholesky, "Slice, Unary, ElementWise, Select, Concatenation", 1e-5),
    operator("aten.linalg_solve_triangular.default", solve_triangular, SOLVES, 1e-5),
    operator("aten.triangular_solve.default", triangular_solve, SOLVES, 1e-5),
    operator("aten.cholesky_solve.default", cholesky_solve, SOLVES, 1e-5),
    operator("aten.cholesky_inverse.default", cholesky_inverse, SOLVES, 1e-5),
];

/// The lower factor, column by column: what each explains is taken off the rest.
fn cholesky(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, upper) = (call.tensor("self")?, call.bool("upper")?);
    let (n, rank) = (rows(b, x)?, b.rank(x));
    let (down, across) = (rank - 2, rank - 1);
    let x = b.in_float32(x)?;
    let mut x = if upper { transposed(b, x)? } else { x };
    let (mut columns, mut pivots) = (Vec::new(), Vec::new());
    for k in 0..n {
        let column = at(b, x, across, k)?;
        let pivot = at(b, column, down, k)?;
        let root = b.unary(U::Sqrt, pivot)?;
        let column = b.div(column, root)?;
        let row = transposed(b, column)?;
        let explained = b.prod(column, row)?;
        x = b.sub(x, explained)?;
        columns.push(column);
        pivots.push(pivot);
    }
    let factor = b.concat(&columns, across)?;
    let above = table(b, DType::Bool, n, rank, |row, column| row < column)?;
    let zero = b.scalar(b.dtype(x), 0.0, rank)?;
    let factor = b.select(above, zero, factor)?;
    let factor = if upper { transposed(b, factor)? } else { factor };
    let pivots = b.concat(&pivots, down)?;
    let positive = b.elementwise(E::Greater, pivots, zero)?;
    let fails = b.not(positive)?;
    Ok(vec![factor, first_failure(b, fails, n)?].into())
}

/// A triangle `[…, n, n]`.
#[derive(Clone, Copy)]
struct Triangle {
    matrix: TensorId,
    upper: bool,
    /// Whether its diagonal counts as ones.
    unit: bool,
}

impl Triangle {
    fn transposed(self, b: &mut Builder) -> Result<Self> {
        Ok(Self { matrix: transposed(b, self.matrix)?, upper: !self.upper, ..self })
    }

    /// The solution of `A X = B` for B of the same batch: row by row, each taken off what is left.
    fn solve(self, b: &mut Builder, right: TensorId) -> Result<TensorId> {
        let (n, rank) = (rows(b, self.matrix)?, b.rank(right));
        let (down, across) = (rank - 2, rank - 1);
        let (matrix, mut right) = (b.in_float32(self.matrix)?, b.in_float32(right)?);
        let mut found = Vec::new();
        for step in 0..n {
            let k = if self.upper { n - 1 - step } else { step };
            let (column, mut row) = (at(b, matrix, across, k)?, at(b, right, down, k)?);
            if !self.unit {
                let pivot = at(b, column, down, k)?;
                row = b.div(row, pivot)?;
            }
            let explained = b.prod(column, row)?;
            right = b.sub(right, explained)?;
            found.push(row);
        }
        if self.upper {
            found.reverse();
        }
        b.concat(&found, down)
    }
}

fn solve_triangular(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (a, right, to) = (call.tensor("self")?, call.tensor("B")?, call.output_dims(0)?);
    let [matrix, right] = batched(b, [a, right], &to[..to.len() - 2])?;
    let triangle = Triangle { matrix, upper: call.bool("upper")?, unit: call.bool("unitriangular")? };
    if call.bool("left")? {
        return Ok(triangle.solve(b, right)?.into());
    }
    let (triangle, right) = (triangle.transposed(b)?, transposed(b, right)?);
    let found = triangle.solve(b, right)?;
    Ok(transposed(b, found)?.into())
}

/// The older form: its second output is the matrix.
fn triangular_solve(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (right, a, to) = (call.tensor("self")?, call.tensor("A")?, call.output_dims(0)?);
    let [matrix, right] = batched(b, [a, right], &to[..to.len() - 2])?;
    let triangle = Triangle { matrix, upper: call.bool("upper")?, unit: call.bool("unitriangular")? };
    let triangle = if call.bool("transpose")? { triangle.transposed(b)? } else { triangle };
    Ok(vec![triangle.solve(b, right)?, matrix].into())
}

/// The solution of `A X = B` by the factor of A.
fn by_factor(b: &mut Builder, factor: TensorId, right: TensorId, upper: bool) -> Result<TensorId> {
    let given = Triangle { matrix: factor, upper, unit: false };
    let other = given.transposed(b)?;
    let (first, second) = if upper { (other, given) } else { (given, other) };
    let half = first.solve(b, right)?;
    second.solve(b, half)
}

fn cholesky_solve(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (right, factor, to) = (call.tensor("self")?, call.tensor("input2")?, call.output_dims(0)?);
    let [factor, right] = batched(b, [factor, right], &to[..to.len() - 2])?;
    Ok(by_factor(b, factor, right, call.bool("upper")?)?.into())
}

fn cholesky_inverse(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let factor = call.tensor("self")?;
    let identities = identities(b, factor, rows(b, factor)?)?;
    Ok(by_factor(b, factor, identities, call.bool("upper")?)?.into())
}
