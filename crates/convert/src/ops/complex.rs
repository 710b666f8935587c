//! Complex numbers, which TensorRT does not know: they travel as float32 with an axis of size 2 at the end.
//!
//! | schema | layers |
//! |---|---|
//! | `view_as_complex(Tensor self)`, `view_as_real` | none: this is how they travel |
//! | `complex(Tensor real, Tensor imag)`, `polar(Tensor abs, Tensor angle)` | Unary, Concatenation |
//! | `real`, `imag`, `abs`, `angle`, `_conj`, `neg` `(Tensor self)` | Gather, Reduce, ElementWise |
//! | `add`, `sub`, `mul`, `div` `(self, other)`, `sum.dim_IntList` | Gather, ElementWise, Concatenation; Reduce |
//! | `mean.dim` | the same |
//! | `view`, `permute`, `transpose.int`, `slice.Tensor`, `select.int`, `index.Tensor`, `cat` | as on real numbers |
//! | `stack`, `expand`, … | the same |
//!
//! Operators that exist for real numbers too are in [`ON_COMPLEX`]: a call that touches a complex tensor is converted
//! by these or not at all, so that no converter takes the last axis for one of PyTorch's. complex128 is computed as
//! complex64. Sizes may be symbolic. Functions, products of matrices and writes are in `complex_functions`.

use super::position::{bound, take};
use super::special::angle_of;
use super::{Operator, Outputs, index, operator};
use crate::call::normalize;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, ReduceOperation as R, TensorId, UnaryOperation as U, Weights};
use program::Argument;

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.view_as_complex.default", same, "", 0.0),
    operator("aten.view_as_complex_copy.default", same, "", 0.0),
    operator("aten.view_as_real.default", same, "", 0.0),
    operator("aten.view_as_real_copy.default", same, "", 0.0),
    operator("aten.complex.default", complex, "Shuffle, Concatenation", 0.0),
    operator("aten.polar.default", polar, "Unary, ElementWise, Concatenation", 1e-6),
    operator("aten.imag.default", imag, "Gather", 0.0),
    operator("aten._conj_physical.default", conj, "ElementWise", 0.0),
    operator("aten.conj_physical.default", conj, "ElementWise", 0.0),
];

/// Overloads of operators on real numbers, where a complex tensor comes in or goes out.
pub(super) const ON_COMPLEX: &[Operator] = &[
    operator("aten.clone.default", same, "", 0.0),
    operator("aten.alias.default", same, "", 0.0),
    operator("aten.detach.default", same, "", 0.0),
    operator("aten.contiguous.default", same, "", 0.0),
    operator("aten._to_copy.default", to, "ElementWise", 0.0),
    operator("aten.to.dtype", to, "ElementWise", 0.0),
    operator("aten.lift_fresh_copy.default", same, "", 0.0),
    operator("aten.resolve_neg.default", same, "", 0.0),
    operator("aten.resolve_conj.default", same, "", 0.0),
    operator("aten.real.default", real, "Gather", 0.0),
    operator("aten.conj.default", conj, "ElementWise", 0.0),
    operator("aten._conj.default", conj, "ElementWise", 0.0),
    operator("aten.abs.default", abs, "Reduce, Unary", 1e-6),
    operator("aten.angle.default", angle, "Gather, Unary, ElementWise, Select", 1e-6),
    operator("aten.neg.default", neg, "Unary", 0.0),
    operator("aten.add.Tensor", add, "ElementWise", 1e-6),
    operator("aten.sub.Tensor", sub, "ElementWise", 1e-6),
    operator("aten.mul.Tensor", mul, "Gather, ElementWise, Concatenation", 1e-6),
    operator("aten.mul.Scalar", mul, "ElementWise", 1e-6),
    operator("aten.div.Tensor", div, "Gather, ElementWise, Concatenation", 1e-5),
    operator("aten.div.Scalar", div, "ElementWise", 1e-6),
    operator("aten.sum.dim_IntList", sum, "Reduce", 1e-5),
    operator("aten.mean.dim", mean, "Reduce", 1e-5),
    operator("aten.view.default", reshape, "Shuffle", 0.0),
    operator("aten.reshape.default", reshape, "Shuffle", 0.0),
    operator("aten._unsafe_view.default", reshape, "Shuffle", 0.0),
    operator("aten._reshape_copy.default", reshape, "Shuffle", 0.0),
    operator("aten.flatten.using_ints", reshape, "Shuffle", 0.0),
    operator("aten.unsqueeze.default", reshape, "Shuffle", 0.0),
    operator("aten.squeeze.dim", reshape, "Shuffle", 0.0),
    operator("aten.squeeze.dims", reshape, "Shuffle", 0.0),
    operator("aten.expand.default", expand, "Slice", 0.0),
    operator("aten.permute.default", permute, "Shuffle", 0.0),
    operator("aten.transpose.int", transpose, "Shuffle", 0.0),
    operator("aten.slice.Tensor", slice, "Slice", 0.0),
    operator("aten.select.int", select, "Gather", 0.0),
    operator("aten.index.Tensor", index::index, "Gather", 0.0),
    operator("aten.index_select.default", index_select, "Gather", 0.0),
    operator("aten.cat.default", cat, "Concatenation", 0.0),
    operator("aten.stack.default", stack, "Shuffle, Concatenation", 0.0),
];

/// Sizes as they travel: those of PyTorch and the axis of parts.
pub(super) fn travelling(dims: &[Dim]) -> Vec<Dim> {
    [dims, &[Dim::Static(2)]].concat()
}

/// PyTorch's number of axes of the operand.
pub(super) fn rank(call: &Call<'_>) -> Result<usize> {
    Ok(call.value("self")?.dims.len())
}

/// Real and imaginary parts.
pub(super) fn parts(b: &mut Builder, x: TensorId) -> Result<(TensorId, TensorId)> {
    let last = b.rank(x) - 1;
    Ok((take(b, x, last, &Dim::Static(0))?, take(b, x, last, &Dim::Static(1))?))
}

/// A complex tensor of its parts.
pub(super) fn join(b: &mut Builder, real: TensorId, imaginary: TensorId) -> Result<TensorId> {
    let axis = b.rank(real);
    let (real, imaginary) = (b.unsqueeze(real, &[axis])?, b.unsqueeze(imaginary, &[axis])?);
    b.concat(&[real, imaginary], axis)
}

/// A factor or summand a part: `[1, …, 2]` with as many axes as x.
fn pair(b: &mut Builder, x: TensorId, [real, imaginary]: [f64; 2]) -> Result<TensorId> {
    let dims = [vec![1; b.rank(x) - 1], vec![2]].concat();
    b.constant(Weights::from_f64(b.dtype(x), &dims, [real, imaginary]))
}

fn same(_: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    Ok(call.tensor("self")?.into())
}

/// A complex tensor as it is, a real one with an imaginary part of zero.
fn to(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    if !call.output(0)?.dtype.is_complex() {
        let x = parts(b, call.tensor("self")?)?.0;
        return Ok(b.cast(x, call.output_dtype(0)?)?.into());
    }
    let x = operand(b, call, "self")?;
    Ok(widened(b, x)?.into())
}

fn complex(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (real, imaginary) = (call.tensor("real")?, call.tensor("imag")?);
    let to = call.output_dims(0)?;
    let (real, imaginary) = (b.expand(real, to)?, b.expand(imaginary, to)?);
    Ok(join(b, real, imaginary)?.into())
}

fn polar(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (size, angle) = (call.tensor("abs")?, call.tensor("angle")?);
    let (cosine, sine) = (b.unary(U::Cos, angle)?, b.unary(U::Sin, angle)?);
    let (real, imaginary) = (b.prod(size, cosine)?, b.prod(size, sine)?);
    Ok(join(b, real, imaginary)?.into())
}

fn real(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    Ok(parts(b, call.tensor("self")?)?.0.into())
}

fn imag(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    Ok(parts(b, call.tensor("self")?)?.1.into())
}

fn conj(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let signs = pair(b, x, [1.0, -1.0])?;
    Ok(b.prod(x, signs)?.into())
}

/// The sum of both parts' squares.
fn norm(b: &mut Builder, x: TensorId, keep: bool) -> Result<TensorId> {
    let square = b.prod(x, x)?;
    b.reduce(R::Sum, square, &[b.rank(x) - 1], keep)
}

fn abs(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let norm = norm(b, call.tensor("self")?, false)?;
    Ok(b.unary(U::Sqrt, norm)?.into())
}

fn angle(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (real, imaginary) = parts(b, call.tensor("self")?)?;
    Ok(angle_of(b, real, imaginary)?.into())
}

fn neg(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    Ok(b.unary(U::Neg, x)?.into())
}

/// An operand of complex arithmetic.
pub(super) enum Operand {
    /// A complex tensor.
    Complex(TensorId),
    /// A real tensor, with an axis of size 1 where the parts are.
    Real(TensorId),
}

pub(super) fn operand(b: &mut Builder, call: &Call<'_>, name: &str) -> Result<Operand> {
    match call.argument(name) {
        Some(Argument::Value(_)) => {
            let x = call.tensor(name)?;
            if call.value(name)?.dtype.is_complex() {
                return Ok(Operand::Complex(x));
            }
            Ok(Operand::Real(spread(b, x)?))
        }
        Some(Argument::Complex(real, imaginary)) => {
            Ok(Operand::Complex(b.constant(Weights::from_f64(DType::Float32, &[2], [*real, *imaginary]))?))
        }
        _ => {
            let value = call.float(name)?;
            Ok(Operand::Real(b.scalar(DType::Float32, value, 1)?))
        }
    }
}

/// A real tensor in float32, with an axis of size 1 where the parts of complex ones are.
fn spread(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let x = b.cast(x, DType::Float32)?;
    b.unsqueeze(x, &[b.rank(x)])
}

/// A real tensor as a complex one.
fn widened_real(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let x = spread(b, x)?;
    widened(b, Operand::Real(x))
}

/// As a complex tensor: a real number has an imaginary part of zero.
pub(super) fn widened(b: &mut Builder, x: Operand) -> Result<TensorId> {
    match x {
        Operand::Complex(x) => Ok(x),
        Operand::Real(x) => {
            let unit = pair(b, x, [1.0, 0.0])?;
            b.prod(x, unit)
        }
    }
}

fn combined(b: &mut Builder, call: &Call<'_>, op: E) -> Result<Outputs> {
    let (x, y) = (operand(b, call, "self")?, operand(b, call, "other")?);
    let (x, y) = (widened(b, x)?, widened(b, y)?);
    let alpha = call.float("alpha")?;
    let y = b.times(y, alpha)?;
    Ok(b.elementwise(op, x, y)?.into())
}

fn add(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    combined(b, call, E::Sum)
}

fn sub(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    combined(b, call, E::Sub)
}

/// `(a + ib)(c + id) = (ac - bd) + i(ad + bc)`.
pub(super) fn product(b: &mut Builder, x: TensorId, y: TensorId) -> Result<TensorId> {
    let ((xr, xi), (yr, yi)) = (parts(b, x)?, parts(b, y)?);
    let (rr, ii) = (b.prod(xr, yr)?, b.prod(xi, yi)?);
    let (ri, ir) = (b.prod(xr, yi)?, b.prod(xi, yr)?);
    let (real, imaginary) = (b.sub(rr, ii)?, b.sum(ri, ir)?);
    join(b, real, imaginary)
}

fn mul(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (operand(b, call, "self")?, operand(b, call, "other")?);
    Ok(match (x, y) {
        (Operand::Complex(x), Operand::Complex(y)) => product(b, x, y)?,
        (Operand::Complex(x) | Operand::Real(x), Operand::Real(y) | Operand::Complex(y)) => b.prod(x, y)?,
    }
    .into())
}

/// `x / y = x * conj(y) / |y|^2`.
fn div(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (operand(b, call, "self")?, operand(b, call, "other")?);
    let (x, y) = match (x, y) {
        (Operand::Complex(x), Operand::Real(y)) => return Ok(b.div(x, y)?.into()),
        (x, y) => (widened(b, x)?, widened(b, y)?),
    };
    let signs = pair(b, y, [1.0, -1.0])?;
    let opposite = b.prod(y, signs)?;
    let product = product(b, x, opposite)?;
    let norm = norm(b, y, true)?;
    Ok(b.div(product, norm)?.into())
}

fn reduced(b: &mut Builder, call: &Call<'_>, op: R) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axes = call.axes("dim", rank(call)?)?;
    Ok(b.reduce(op, x, &axes, call.bool("keepdim")?)?.into())
}

fn sum(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    reduced(b, call, R::Sum)
}

fn mean(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    reduced(b, call, R::Avg)
}

fn reshape(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    Ok(b.reshape(x, &travelling(call.output_dims(0)?))?.into())
}

fn expand(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    Ok(b.expand(x, &travelling(call.output_dims(0)?))?.into())
}

fn permute(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, rank) = (call.tensor("self")?, rank(call)?);
    let mut order: Vec<usize> = call.ints("dims")?.into_iter().map(|k| normalize(k, rank)).collect::<Result<_>>()?;
    order.push(rank);
    Ok(b.permute(x, &order)?.into())
}

fn transpose(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, rank) = (call.tensor("self")?, rank(call)?);
    Ok(b.transpose(x, call.axis("dim0", rank)?, call.axis("dim1", rank)?)?.into())
}

fn slice(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axis = call.axis("dim", rank(call)?)?;
    let (whole, size) = (b.dims(x)[axis].clone(), call.output_dims(0)?[axis].clone());
    let start =
        if call.is_none("start") || size.is(0) { Dim::Static(0) } else { bound(b, &call.size("start")?, &whole, true) };
    Ok(b.slice_axis(x, axis, start, size, call.int("step")?)?.into())
}

fn select(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axis = call.axis("dim", rank(call)?)?;
    Ok(take(b, x, axis, &call.size("index")?)?.into())
}

fn index_select(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, index) = (call.tensor("self")?, call.tensor("index")?);
    let axis = call.axis("dim", rank(call)?)?;
    Ok(b.gather(x, index, axis)?.into())
}

/// The tensors to join, real ones with an imaginary part of zero.
fn all(b: &mut Builder, call: &Call<'_>) -> Result<Vec<TensorId>> {
    let mut made = Vec::new();
    for (x, value) in call.tensors("tensors")?.into_iter().zip(call.values("tensors")?) {
        made.push(if value.is_some_and(|v| v.dtype.is_complex()) { x } else { widened_real(b, x)? });
    }
    Ok(made)
}

fn cat(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let axis = call.axis("dim", call.output_dims(0)?.len())?;
    let all = all(b, call)?;
    Ok(b.concat(&all, axis)?.into())
}

fn stack(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let axis = call.axis("dim", call.output_dims(0)?.len())?;
    let tensors = all(b, call)?.into_iter().map(|x| b.unsqueeze(x, &[axis])).collect::<Result<Vec<_>>>()?;
    Ok(b.concat(&tensors, axis)?.into())
}
