//! Products of vectors, matrices and batches of matrices.
//!
//! | schema | layers |
//! |---|---|
//! | `linear(Tensor input, Tensor weight, Tensor? bias)` | MatrixMultiply, ElementWise(Sum) |
//! | `matmul(Tensor self, Tensor other)`, `mm`, `bmm`, `mv`, `dot`, `vdot`, `inner` | MatrixMultiply |
//! | `addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta, Scalar alpha)` | MatrixMultiply, ElementWise |
//! | `addmv`, `baddbmm`, `addbmm` | the same |
//! | `addr(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta, Scalar alpha)`, `outer`, `ger` | ElementWise |
//! | `linalg_cross(Tensor self, Tensor other, *, int dim)`, `cross` | Gather, ElementWise |
//! | `bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias)` | MatrixMultiply |
//! | `linalg_multi_dot(Tensor[] tensors)`, `chain_matmul(Tensor[] matrices)` | MatrixMultiply; ElementWise |
//! | `kron(Tensor self, Tensor other)` | the same |
//!
//! Dtypes: one float type for all operands. TensorRT multiplies no integer matrices, so those become products and
//! sums of elements, which stay exact. Every size may be symbolic. Weights stay as they are stored: a transposed
//! operand is an attribute of the layer, never a copy.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Error, Matrix, Result};
use dims::Dim;
use network::{ElementWiseOperation as E, ReduceOperation, TensorId, Weights};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.linear.default", linear, "MatrixMultiply, ElementWise", 1e-5),
    operator("aten.matmul.default", matmul, "MatrixMultiply", 1e-5),
    operator("aten.mm.default", mm, "MatrixMultiply", 1e-5),
    operator("aten.mm.dtype", mm, "Cast, MatrixMultiply", 1e-5),
    operator("aten.bmm.default", mm, "MatrixMultiply", 1e-5),
    operator("aten.bmm.dtype", mm, "Cast, MatrixMultiply", 1e-5),
    operator("aten.mv.default", mv, "MatrixMultiply", 1e-5),
    operator("aten.dot.default", dot, "MatrixMultiply", 1e-5),
    operator("aten.vdot.default", vdot, "MatrixMultiply", 1e-5),
    operator("aten.inner.default", inner, "MatrixMultiply", 1e-5),
    operator("aten.addmm.default", addmm, "MatrixMultiply, ElementWise", 1e-5),
    operator("aten.addmm.dtype", addmm, "Cast, MatrixMultiply, ElementWise", 1e-5),
    operator("aten.addmv.default", addmv, "MatrixMultiply, ElementWise", 1e-5),
    operator("aten.baddbmm.default", baddbmm, "MatrixMultiply, ElementWise", 1e-5),
    operator("aten.baddbmm.dtype", baddbmm, "Cast, MatrixMultiply, ElementWise", 1e-5),
    operator("aten.addbmm.default", addbmm, "MatrixMultiply, Reduce, ElementWise", 1e-5),
    operator("aten.addr.default", addr, "ElementWise", 1e-6),
    operator("aten.outer.default", outer, "ElementWise", 1e-6),
    operator("aten.ger.default", outer, "ElementWise", 1e-6),
    operator("aten.linalg_cross.default", linalg_cross, "Gather, ElementWise", 1e-6),
    operator("aten.cross.default", linalg_cross, "Gather, ElementWise", 1e-6),
    operator("aten.bilinear.default", bilinear, "MatrixMultiply, ElementWise", 1e-5),
    operator("aten.linalg_multi_dot.default", multi_dot, "MatrixMultiply", 1e-5),
    operator("aten.chain_matmul.default", multi_dot, "MatrixMultiply", 1e-5),
    operator("aten.kron.default", kron, "ElementWise, Shuffle", 1e-6),
];

/// `x · wᵀ + bias`, with the weight as stored.
fn linear(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, weight, bias) = (call.tensor("input")?, call.tensor("weight")?, call.optional_tensor("bias")?);
    let y = affine(b, x, weight, bias)?;
    Ok(y.into())
}

/// `x · wᵀ + bias` for x `[…, in]` and a weight `[out, in]`, or `[in]` for a single feature without its axis.
pub(super) fn affine(b: &mut Builder, x: TensorId, weight: TensorId, bias: Option<TensorId>) -> Result<TensorId> {
    let y = if b.rank(weight) == 1 { product(b, x, weight)? } else { times_transposed(b, x, weight)? };
    match bias {
        Some(bias) => b.sum(y, bias),
        None => Ok(y),
    }
}

fn times_transposed(b: &mut Builder, x: TensorId, weight: TensorId) -> Result<TensorId> {
    if b.rank(x) > 1 {
        return multiply(b, x, Matrix::transposed(weight));
    }
    let row = b.unsqueeze(x, &[0])?;
    let y = multiply(b, row, Matrix::transposed(weight))?;
    b.squeeze(y, &[0])
}

/// The matrix product in whichever layers the dtype has: integers are multiplied and summed element by element.
pub(super) fn multiply(b: &mut Builder, x: impl Into<Matrix>, y: impl Into<Matrix>) -> Result<TensorId> {
    let (x, y) = (x.into(), y.into());
    if b.dtype(x.tensor).is_float() {
        return b.matmul(x, y);
    }
    let (left, right) = (laid_out(b, x)?, laid_out(b, y)?);
    let rank = b.rank(left).max(b.rank(right));
    let (left, right) = (b.lift(left, rank)?, b.lift(right, rank)?);
    // [M, K, 1] * [1, K, N], summed over K.
    let (left, right) = (b.unsqueeze(left, &[rank])?, b.unsqueeze(right, &[rank - 2])?);
    let terms = b.prod(left, right)?;
    b.reduce(ReduceOperation::Sum, terms, &[rank - 1], false)
}

/// The matrix as a tensor of its own.
fn laid_out(b: &mut Builder, matrix: Matrix) -> Result<TensorId> {
    let rank = b.rank(matrix.tensor);
    if matrix.is_transposed() { b.transpose(matrix.tensor, rank - 2, rank - 1) } else { Ok(matrix.tensor) }
}

/// `torch.matmul`: vectors are rows on the left and columns on the right, and lose that axis again.
pub(super) fn product(b: &mut Builder, x: TensorId, y: TensorId) -> Result<TensorId> {
    let (x_rank, y_rank) = (b.rank(x), b.rank(y));
    if x_rank == 0 || y_rank == 0 {
        return Err(Error::Converter { problem: "a matrix product of a tensor without axes".into() });
    }
    let left = if x_rank == 1 { b.unsqueeze(x, &[0])? } else { x };
    let right = if y_rank == 1 { b.unsqueeze(y, &[1])? } else { y };
    let result = multiply(b, left, right)?;
    let rank = b.rank(result);
    let mut dropped = Vec::new();
    if x_rank == 1 {
        dropped.push(rank - 2);
    }
    if y_rank == 1 {
        dropped.push(rank - 1);
    }
    b.squeeze(result, &dropped)
}

fn matmul(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (call.tensor("self")?, call.tensor("other")?);
    Ok(product(b, x, y)?.into())
}

/// An operand in the output's type, which the `.dtype` overloads choose.
fn operand(b: &mut Builder, call: &Call<'_>, name: &str) -> Result<TensorId> {
    let x = call.tensor(name)?;
    b.cast(x, call.output_dtype(0)?)
}

fn mm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (operand(b, call, "self")?, operand(b, call, "mat2")?);
    Ok(multiply(b, x, y)?.into())
}

fn mv(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (call.tensor("self")?, call.tensor("vec")?);
    Ok(product(b, x, y)?.into())
}

fn dot(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (call.tensor("self")?, call.tensor("tensor")?);
    Ok(product(b, x, y)?.into())
}

fn vdot(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (call.tensor("self")?, call.tensor("other")?);
    Ok(product(b, x, y)?.into())
}

/// Contracts the last axes: `[…x, K] · […y, K]` is `[…x, …y]`.
fn inner(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (call.tensor("self")?, call.tensor("other")?);
    if b.rank(x) == 0 || b.rank(y) == 0 {
        return Ok(b.prod(x, y)?.into());
    }
    let (left, right) = (rows(b, x)?, rows(b, y)?);
    let result = multiply(b, left, Matrix::transposed(right))?;
    Ok(b.reshape(result, call.output_dims(0)?)?.into())
}

/// All axes but the last as one.
fn rows(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let dims = b.dims(x);
    let (last, leading) = match dims.split_last() {
        Some((last, leading)) => (last.clone(), Dim::product(leading)),
        None => (Dim::Static(1), Dim::Static(1)),
    };
    b.reshape(x, &[leading, last])
}

/// `beta * self + alpha * product`; a beta of 0 ignores self, whatever it holds.
fn accumulate(b: &mut Builder, call: &Call<'_>, product: TensorId) -> Result<Outputs> {
    let (beta, alpha) = (call.float("beta")?, call.float("alpha")?);
    let scaled = scale(b, product, alpha)?;
    if beta == 0.0 {
        return Ok(b.expand(scaled, call.output_dims(0)?)?.into());
    }
    let x = operand(b, call, "self")?;
    let x = scale(b, x, beta)?;
    Ok(b.sum(scaled, x)?.into())
}

fn scale(b: &mut Builder, x: TensorId, factor: f64) -> Result<TensorId> {
    if factor == 1.0 { Ok(x) } else { b.with_scalar(E::Prod, x, factor) }
}

fn addmm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (operand(b, call, "mat1")?, operand(b, call, "mat2")?);
    let product = multiply(b, x, y)?;
    accumulate(b, call, product)
}

fn addmv(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (operand(b, call, "mat")?, operand(b, call, "vec")?);
    let product = product(b, x, y)?;
    accumulate(b, call, product)
}

fn baddbmm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (operand(b, call, "batch1")?, operand(b, call, "batch2")?);
    let product = multiply(b, x, y)?;
    accumulate(b, call, product)
}

fn addbmm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (operand(b, call, "batch1")?, operand(b, call, "batch2")?);
    let products = multiply(b, x, y)?;
    let product = b.reduce(ReduceOperation::Sum, products, &[0], false)?;
    accumulate(b, call, product)
}

fn column_times_row(b: &mut Builder, x: TensorId, y: TensorId) -> Result<TensorId> {
    let (column, row) = (b.unsqueeze(x, &[1])?, b.unsqueeze(y, &[0])?);
    b.prod(column, row)
}

fn addr(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (operand(b, call, "vec1")?, operand(b, call, "vec2")?);
    let product = column_times_row(b, x, y)?;
    accumulate(b, call, product)
}

fn outer(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (operand(b, call, "self")?, operand(b, call, "vec2")?);
    Ok(column_times_row(b, x, y)?.into())
}

/// `x[1,2,0] * y[2,0,1] - x[2,0,1] * y[1,2,0]` along the axis of size 3.
fn linalg_cross(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let dims = call.output_dims(0)?;
    let axis = if call.is_none("dim") {
        dims.iter().position(|d| d.is(3)).ok_or_else(|| Error::unsupported("cross without an axis of size 3"))?
    } else {
        call.axis("dim", dims.len())?
    };
    let (x, y) = (operand(b, call, "self")?, operand(b, call, "other")?);
    let (x, y) = b.align(x, y)?;
    let mut rotated = |t: TensorId, order: &[i32; 3]| {
        let order = b.constant(Weights::int32(&[3], order))?;
        b.gather(t, order, axis)
    };
    let (forward, backward) = (&[1, 2, 0], &[2, 0, 1]);
    let (x1, y2) = (rotated(x, forward)?, rotated(y, backward)?);
    let (x2, y1) = (rotated(x, backward)?, rotated(y, forward)?);
    let (plus, minus) = (b.prod(x1, y2)?, b.prod(x2, y1)?);
    Ok(b.sub(plus, minus)?.into())
}

/// `y[o] = x1ᵀ · W[o] · x2 + bias[o]`: first x2 with all rows of W, as stored, then x1 with what that gives.
fn bilinear(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x1, x2, weight) = (call.tensor("input1")?, call.tensor("input2")?, call.tensor("weight")?);
    let Some([out, in1, in2]) = b.static_dims(weight).and_then(|d| <[i64; 3]>::try_from(d).ok()) else {
        return unsupported("a bilinear weight whose sizes depend on input sizes");
    };
    let [out, in1, in2] = [out, in1, in2].map(Dim::Static);
    let batch = Dim::product(&b.dims(x1)[..b.rank(x1) - 1]);
    let x1 = b.reshape(x1, &[batch.clone(), in1.clone(), Dim::Static(1)])?;
    let x2 = b.reshape(x2, &[batch.clone(), in2.clone()])?;
    let weight = b.reshape(weight, &[out.clone() * in1.clone(), in2])?;
    let halves = multiply(b, x2, Matrix::transposed(weight))?;
    let halves = b.reshape(halves, &[batch, out, in1])?;
    let y = multiply(b, halves, x1)?;
    let y = b.reshape(y, call.output_dims(0)?)?;
    Ok(match call.optional_tensor("bias")? {
        Some(bias) => b.sum(y, bias)?,
        None => y,
    }
    .into())
}

/// Left to right: the result does not depend on the order, only its rounding does.
fn multi_dot(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let name = if call.argument("matrices").is_some() { "matrices" } else { "tensors" };
    let tensors = call.tensors(name)?;
    let Some((first, rest)) = tensors.split_first() else {
        return unsupported("a product of no matrices");
    };
    let result = rest.iter().try_fold(*first, |left, right| product(b, left, *right))?;
    Ok(result.into())
}

/// `[a, b] ⊗ [c, d]` is `[a, 1, b, 1] * [1, c, 1, d]` with the pairs of axes joined.
fn kron(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (operand(b, call, "self")?, operand(b, call, "other")?);
    let (x, y) = b.align(x, y)?;
    let rank = b.rank(x);
    let (even, odd): (Vec<usize>, Vec<usize>) =
        ((0..rank).map(|k| 2 * k).collect(), (0..rank).map(|k| 2 * k + 1).collect());
    let (x, y) = (b.unsqueeze(x, &odd)?, b.unsqueeze(y, &even)?);
    let product = b.prod(x, y)?;
    Ok(b.reshape(product, call.output_dims(0)?)?.into())
}
