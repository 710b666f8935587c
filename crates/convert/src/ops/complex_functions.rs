//! Complex numbers, continued: functions, products of matrices, comparisons, constants and writes.
//!
//! | schema | layers |
//! |---|---|
//! | `exp`, `log`, `reciprocal`, `square`, `pow.Tensor_Scalar` (whole exponents) `(Tensor self)` | Unary, ElementWise |
//! | `matmul`, `mm`, `bmm`, `mv`, `dot`, `linear`, `einsum` | MatrixMultiply, Einsum: four real products |
//! | `sum(Tensor self)`, `mean`, `where.self`, `eq`, `ne` | Reduce, Select, ElementWise |
//! | `zeros`, `ones`, `full`, `zeros_like`, … with a complex dtype | Constant |
//! | `slice_scatter`, `select_scatter`, `index_put`, `copy`, `split`, `unbind`, `flip` | as on real numbers |
//!
//! They travel as `complex` has it. Sizes may be symbolic.

use super::complex::{Operand, join, operand, parts, product, rank, travelling, widened};
use super::einsum::einsum_of;
use super::special::angle_of;
use super::{Operator, Outputs, join as joining, operator, rearrange, scatter};
use crate::builder::unsupported;
use crate::{Builder, Call, Matrix, Result, Scalar};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, ReduceOperation as R, TensorId, UnaryOperation as U, Weights};
use program::Argument;

const MATRICES: &str = "MatrixMultiply, ElementWise";

/// Overloads of operators on real numbers, where a complex tensor comes in or goes out.
pub(super) const ON_COMPLEX: &[Operator] = &[
    operator("aten.exp.default", exp, "Unary, ElementWise", 1e-5),
    operator("aten.log.default", log, "Unary, ElementWise", 1e-5),
    operator("aten.reciprocal.default", reciprocal, "ElementWise", 1e-5),
    operator("aten.square.default", square, "ElementWise", 1e-6),
    operator("aten.pow.Tensor_Scalar", pow, "ElementWise", 1e-5),
    operator("aten.sum.default", sum, "Reduce", 1e-5),
    operator("aten.mean.default", mean, "Reduce", 1e-5),
    operator("aten.matmul.default", matmul, MATRICES, 1e-5),
    operator("aten.mm.default", matmul, MATRICES, 1e-5),
    operator("aten.bmm.default", matmul, MATRICES, 1e-5),
    operator("aten.mv.default", matmul, MATRICES, 1e-5),
    operator("aten.dot.default", matmul, MATRICES, 1e-5),
    operator("aten.linear.default", linear, MATRICES, 1e-5),
    operator("aten.einsum.default", einsum, "Einsum, ElementWise", 1e-5),
    operator("aten.eq.Tensor", eq, "ElementWise, Reduce", 0.0),
    operator("aten.eq.Scalar", eq, "ElementWise, Reduce", 0.0),
    operator("aten.ne.Tensor", ne, "ElementWise, Reduce", 0.0),
    operator("aten.ne.Scalar", ne, "ElementWise, Reduce", 0.0),
    operator("aten.where.self", choose, "Select", 0.0),
    operator("aten.zeros.default", zeros, "Constant, Slice", 0.0),
    operator("aten.zeros_like.default", zeros, "Constant, Slice", 0.0),
    operator("aten.new_zeros.default", zeros, "Constant, Slice", 0.0),
    operator("aten.empty.memory_format", zeros, "Constant, Slice", 0.0),
    operator("aten.empty_like.default", zeros, "Constant, Slice", 0.0),
    operator("aten.ones.default", ones, "Constant, Slice", 0.0),
    operator("aten.ones_like.default", ones, "Constant, Slice", 0.0),
    operator("aten.full.default", full, "Constant, Slice", 0.0),
    operator("aten.full_like.default", full, "Constant, Slice", 0.0),
    operator("aten.copy.default", copy, "Slice", 0.0),
    operator("aten.slice_scatter.default", slice_scatter, "Slice, Concatenation", 0.0),
    operator("aten.select_scatter.default", select_scatter, "Slice, Concatenation", 0.0),
    operator("aten.index_put.default", index_put, "Scatter", 0.0),
    operator("aten.split.Tensor", joining::split, "Slice", 0.0),
    operator("aten.split_with_sizes.default", joining::split, "Slice", 0.0),
    operator("aten.unbind.int", joining::unbind, "Gather", 0.0),
    operator("aten.flip.default", rearrange::flip, "Slice", 0.0),
];

/// The operand as a complex tensor.
fn read(b: &mut Builder, call: &Call<'_>, name: &str) -> Result<TensorId> {
    let x = operand(b, call, name)?;
    widened(b, x)
}

/// `exp(a) (cos b + i sin b)`.
fn exp(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (real, imaginary) = parts(b, call.tensor("self")?)?;
    let size = b.unary(U::Exp, real)?;
    let (cosine, sine) = (b.unary(U::Cos, imaginary)?, b.unary(U::Sin, imaginary)?);
    let (real, imaginary) = (b.prod(size, cosine)?, b.prod(size, sine)?);
    Ok(join(b, real, imaginary)?.into())
}

/// `log |x| + i angle(x)`.
fn log(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (real, imaginary) = parts(b, call.tensor("self")?)?;
    let (rr, ii) = (b.prod(real, real)?, b.prod(imaginary, imaginary)?);
    let norm = b.sum(rr, ii)?;
    let log = b.unary(U::Log, norm)?;
    let log = b.with_scalar(E::Prod, log, 0.5)?;
    let angle = angle_of(b, real, imaginary)?;
    Ok(join(b, log, angle)?.into())
}

/// `conj(x) / |x|^2`.
fn inverse(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let (real, imaginary) = parts(b, x)?;
    let (rr, ii) = (b.prod(real, real)?, b.prod(imaginary, imaginary)?);
    let norm = b.sum(rr, ii)?;
    let opposite = b.unary(U::Neg, imaginary)?;
    let (real, imaginary) = (b.div(real, norm)?, b.div(opposite, norm)?);
    join(b, real, imaginary)
}

fn reciprocal(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    Ok(inverse(b, call.tensor("self")?)?.into())
}

fn square(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    Ok(product(b, x, x)?.into())
}

fn pow(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let exponent = match call.scalar("exponent")? {
        Scalar::Int(n) => n,
        Scalar::Float(x) if x.fract() == 0.0 && x.abs() <= 8.0 => x as i64,
        _ => 0,
    };
    if !(1..=8).contains(&exponent.abs()) {
        return unsupported("a complex number to a power that is no whole number of at most 8: use exp and log");
    }
    let mut y = x;
    for _ in 1..exponent.abs() {
        y = product(b, y, x)?;
    }
    Ok(if exponent < 0 { inverse(b, y)? } else { y }.into())
}

fn reduced(b: &mut Builder, call: &Call<'_>, op: R) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axes: Vec<usize> = (0..rank(call)?).collect();
    Ok(b.reduce(op, x, &axes, false)?.into())
}

fn sum(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    reduced(b, call, R::Sum)
}

fn mean(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    reduced(b, call, R::Avg)
}

/// A bilinear operation on real tensors, on complex ones: `(a + ib)(c + id) = (ac - bd) + i(ad + bc)`.
fn bilinear(
    b: &mut Builder,
    (x, y): (TensorId, TensorId),
    of: impl Fn(&mut Builder, TensorId, TensorId) -> Result<TensorId>,
) -> Result<TensorId> {
    let ((xr, xi), (yr, yi)) = (parts(b, x)?, parts(b, y)?);
    let (rr, ii, ri, ir) = (of(b, xr, yr)?, of(b, xi, yi)?, of(b, xr, yi)?, of(b, xi, yr)?);
    let (real, imaginary) = (b.sub(rr, ii)?, b.sum(ri, ir)?);
    join(b, real, imaginary)
}

/// `torch.matmul` of real tensors: a vector is a row on the left and a column on the right.
fn real_matmul(b: &mut Builder, x: TensorId, y: TensorId) -> Result<TensorId> {
    let (row, column) = (b.rank(x) == 1, b.rank(y) == 1);
    let x = if row { b.unsqueeze(x, &[0])? } else { x };
    let y = if column { b.unsqueeze(y, &[1])? } else { y };
    let made = b.matmul(x, y)?;
    let rank = b.rank(made);
    let axes: Vec<usize> = [(row, rank - 2), (column, rank - 1)].into_iter().filter(|a| a.0).map(|a| a.1).collect();
    if axes.is_empty() { Ok(made) } else { b.squeeze(made, &axes) }
}

fn matmul(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let second = ["other", "mat2", "vec", "tensor"].into_iter().find(|name| call.argument(name).is_some());
    let (x, y) = (read(b, call, "self")?, read(b, call, second.unwrap_or("other"))?);
    Ok(bilinear(b, (x, y), real_matmul)?.into())
}

fn linear(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, weight) = (read(b, call, "input")?, read(b, call, "weight")?);
    let y = bilinear(b, (x, weight), |b, x, w| {
        let vector = b.rank(x) == 1;
        let x = if vector { b.unsqueeze(x, &[0])? } else { x };
        let y = b.matmul(x, Matrix::transposed(w))?;
        if vector { b.squeeze(y, &[0]) } else { Ok(y) }
    })?;
    if call.is_none("bias") {
        return Ok(y.into());
    }
    let bias = read(b, call, "bias")?;
    Ok(b.sum(y, bias)?.into())
}

fn einsum(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let equation = call.string("equation")?;
    if call.values("tensors")?.iter().flatten().any(|v| !v.dtype.is_complex()) {
        return unsupported("an einsum of complex and real tensors: make all of them complex");
    }
    match *call.tensors("tensors")?.as_slice() {
        [x] => {
            let (real, imaginary) = parts(b, x)?;
            let (real, imaginary) = (einsum_of(b, vec![real], equation)?, einsum_of(b, vec![imaginary], equation)?);
            Ok(join(b, real, imaginary)?.into())
        }
        [x, y] => Ok(bilinear(b, (x, y), |b, x, y| einsum_of(b, vec![x, y], equation))?.into()),
        _ => unsupported("an einsum of more than two complex tensors: contract two at a time"),
    }
}

/// Whether both parts are the same.
fn equal(b: &mut Builder, call: &Call<'_>) -> Result<TensorId> {
    let (x, y) = (read(b, call, "self")?, read(b, call, "other")?);
    let same = b.elementwise(E::Equal, x, y)?;
    let (real, imaginary) = parts(b, same)?;
    b.elementwise(E::And, real, imaginary)
}

fn eq(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    Ok(equal(b, call)?.into())
}

fn ne(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let equal = equal(b, call)?;
    Ok(b.not(equal)?.into())
}

fn choose(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let condition = call.tensor("condition")?;
    let condition = b.unsqueeze(condition, &[b.rank(condition)])?;
    let (x, y) = (read(b, call, "self")?, read(b, call, "other")?);
    Ok(b.select(condition, x, y)?.into())
}

/// One number everywhere.
fn filled(b: &mut Builder, call: &Call<'_>, parts: [f64; 2]) -> Result<Outputs> {
    let number = b.constant(Weights::from_f64(DType::Float32, &[2], parts))?;
    everywhere(b, call, number)
}

fn everywhere(b: &mut Builder, call: &Call<'_>, x: TensorId) -> Result<Outputs> {
    let to: Vec<Dim> = travelling(call.output_dims(0)?);
    Ok(b.expand(x, &to)?.into())
}

fn zeros(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    filled(b, call, [0.0, 0.0])
}

fn ones(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    filled(b, call, [1.0, 0.0])
}

fn full(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    match call.argument("fill_value") {
        Some(Argument::Complex(real, imaginary)) => filled(b, call, [*real, *imaginary]),
        _ => {
            let value = call.float("fill_value")?;
            filled(b, call, [value, 0.0])
        }
    }
}

fn copy(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let source = operand(b, call, "src")?;
    let source = match source {
        Operand::Complex(x) if !call.output(0)?.dtype.is_complex() => {
            let real = parts(b, x)?.0;
            return Ok(b.expand(real, call.output_dims(0)?)?.into());
        }
        source => widened(b, source)?,
    };
    everywhere(b, call, source)
}

/// Both the tensor and what is written to it must be complex: the converters of real numbers then serve.
fn complex_only(call: &Call<'_>, source: &str) -> Result<()> {
    if call.value("self")?.dtype.is_complex() && call.value(source)?.dtype.is_complex() {
        return Ok(());
    }
    unsupported("writing real numbers into a complex tensor: make them complex first")
}

fn slice_scatter(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    complex_only(call, "src")?;
    scatter::slice_scatter(b, call)
}

fn select_scatter(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    complex_only(call, "src")?;
    scatter::select_scatter(b, call)
}

fn index_put(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    complex_only(call, "values")?;
    scatter::index_put(b, call)
}
