//! Reductions over axes.
//!
//! | schema | layers |
//! |---|---|
//! | `sum(Tensor self, …)`, `sum.dim_IntList`, `mean`, `mean.dim`, `prod`, `prod.dim_int` | Reduce |
//! | `nansum` | the same |
//! | `amax(Tensor self, int[] dim, bool keepdim)`, `amin`, `aminmax`, `max`, `min` | Reduce |
//! | `max.dim(Tensor self, int dim, bool keepdim)`, `min.dim`, `argmax`, `argmin` | TopK (k = 1) |
//! | `any`, `all` `(Tensor self, …)`, `count_nonzero` | Cast, Reduce |
//! | `var.correction(Tensor self, int[]? dim, *, Scalar? correction, bool keepdim)`, `std` | Reduce, ElementWise |
//! | `var_mean`, `std_mean` | the same |
//! | `logsumexp(Tensor self, int[] dim, bool keepdim)` | Reduce, Unary |
//! | `trace(Tensor self)` | Select, Reduce |
//!
//! Dtypes: the operand is cast to the output's type first, so integers add up in int64; bools are counted as int32.
//! Every size may be symbolic.

use super::create::triangle;
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Ranked, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, ReduceOperation as R, TensorId, TopKOperation, UnaryOperation as U};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.sum.default", sum, "Reduce", 1e-5),
    operator("aten.sum.dim_IntList", sum, "Reduce", 1e-5),
    operator("aten.mean.default", mean, "Reduce", 1e-5),
    operator("aten.mean.dim", mean, "Reduce", 1e-5),
    operator("aten.prod.default", prod, "Reduce", 1e-5),
    operator("aten.prod.dim_int", prod, "Reduce", 1e-5),
    operator("aten.nansum.default", nansum, "Select, Reduce", 1e-5),
    operator("aten.nanmean.default", nanmean, "Select, Reduce", 1e-5),
    operator("aten.amax.default", amax, "Reduce", 0.0),
    operator("aten.amin.default", amin, "Reduce", 0.0),
    operator("aten.aminmax.default", aminmax, "Reduce", 0.0),
    operator("aten.max.default", amax, "Reduce", 0.0),
    operator("aten.min.default", amin, "Reduce", 0.0),
    operator("aten.max.dim", max_dim, "TopK", 0.0),
    operator("aten.min.dim", min_dim, "TopK", 0.0),
    operator("aten.argmax.default", argmax, "TopK", 0.0),
    operator("aten.argmin.default", argmin, "TopK", 0.0),
    operator("aten.any.default", any, "Cast, Reduce", 0.0),
    operator("aten.any.dim", any, "Cast, Reduce", 0.0),
    operator("aten.any.dims", any, "Cast, Reduce", 0.0),
    operator("aten.all.default", all, "Cast, Reduce", 0.0),
    operator("aten.all.dim", all, "Cast, Reduce", 0.0),
    operator("aten.all.dims", all, "Cast, Reduce", 0.0),
    operator("aten.count_nonzero.default", count_nonzero, "Cast, Reduce", 0.0),
    operator("aten.count_nonzero.dim_IntList", count_nonzero, "Cast, Reduce", 0.0),
    operator("aten.var.default", var, "Reduce, ElementWise", 1e-5),
    operator("aten.var.dim", var, "Reduce, ElementWise", 1e-5),
    operator("aten.var.correction", var, "Reduce, ElementWise", 1e-5),
    operator("aten.std.default", std, "Reduce, ElementWise, Unary", 1e-5),
    operator("aten.std.dim", std, "Reduce, ElementWise, Unary", 1e-5),
    operator("aten.std.correction", std, "Reduce, ElementWise, Unary", 1e-5),
    operator("aten.var_mean.default", var_mean, "Reduce, ElementWise", 1e-5),
    operator("aten.var_mean.dim", var_mean, "Reduce, ElementWise", 1e-5),
    operator("aten.var_mean.correction", var_mean, "Reduce, ElementWise", 1e-5),
    operator("aten.std_mean.default", std_mean, "Reduce, ElementWise, Unary", 1e-5),
    operator("aten.std_mean.dim", std_mean, "Reduce, ElementWise, Unary", 1e-5),
    operator("aten.std_mean.correction", std_mean, "Reduce, ElementWise, Unary", 1e-5),
    operator("aten.logsumexp.default", logsumexp, "Reduce, Unary", 1e-5),
    operator("aten.special_logsumexp.default", logsumexp, "Reduce, Unary", 1e-5),
    operator("aten.trace.default", trace, "Select, Reduce", 1e-5),
];

/// The smallest number of a dtype, which no maximum notices.
pub(super) fn lowest(dtype: DType) -> f64 {
    match dtype {
        DType::Int64 => i64::MIN as f64,
        DType::Int32 => f64::from(i32::MIN),
        _ => f64::NEG_INFINITY,
    }
}

/// The largest number of a dtype, which no minimum notices.
pub(super) fn highest(dtype: DType) -> f64 {
    match dtype {
        DType::Int64 => i64::MAX as f64,
        DType::Int32 => f64::from(i32::MAX),
        _ => f64::INFINITY,
    }
}

/// The axes that an overload reduces: those of `dim`, or all.
pub(super) fn axes(b: &Builder, call: &Call<'_>, x: TensorId) -> Result<Vec<usize>> {
    call.axes("dim", b.rank(x))
}

/// Whether reduced axes stay, with size 1.
pub(super) fn keep(call: &Call<'_>) -> Result<bool> {
    Ok(call.argument("keepdim").is_some() && call.bool("keepdim")?)
}

/// Reduces in the output's type.
fn reduce(b: &mut Builder, call: &Call<'_>, op: R) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let x = b.cast(x, call.output_dtype(0)?)?;
    let axes = axes(b, call, x)?;
    Ok(b.reduce(op, x, &axes, keep(call)?)?.into())
}

fn sum(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    reduce(b, call, R::Sum)
}

fn mean(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    reduce(b, call, R::Avg)
}

fn prod(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    reduce(b, call, R::Prod)
}

/// NaN as zero, and where there is one.
fn without_nan(b: &mut Builder, x: TensorId) -> Result<(TensorId, TensorId)> {
    let nan = b.unary(U::Isnan, x)?;
    let zero = b.scalar(b.dtype(x), 0.0, b.rank(x))?;
    Ok((b.select(nan, zero, x)?, nan))
}

fn nansum(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let x = b.cast(x, call.output_dtype(0)?)?;
    let axes = axes(b, call, x)?;
    let x = if b.dtype(x).is_float() { without_nan(b, x)?.0 } else { x };
    Ok(b.reduce(R::Sum, x, &axes, keep(call)?)?.into())
}

fn nanmean(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let x = b.cast(x, call.output_dtype(0)?)?;
    let (axes, keep) = (axes(b, call, x)?, keep(call)?);
    let (x, nan) = without_nan(b, x)?;
    let there = b.not(nan)?;
    let there = b.cast(there, b.dtype(x))?;
    let (sum, count) = (b.reduce(R::Sum, x, &axes, keep)?, b.reduce(R::Sum, there, &axes, keep)?);
    Ok(b.div(sum, count)?.into())
}

/// Bools are compared as integers.
fn extreme(b: &mut Builder, x: TensorId, op: R, axes: &[usize], keep: bool) -> Result<TensorId> {
    let dtype = b.dtype(x);
    let number = if dtype == DType::Bool { b.cast(x, DType::Int32)? } else { x };
    let y = b.reduce(op, number, axes, keep)?;
    b.cast(y, dtype)
}

fn amax(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axes = axes(b, call, x)?;
    Ok(extreme(b, x, R::Max, &axes, keep(call)?)?.into())
}

fn amin(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axes = axes(b, call, x)?;
    Ok(extreme(b, x, R::Min, &axes, keep(call)?)?.into())
}

fn aminmax(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axes = if call.is_none("dim") { (0..b.rank(x)).collect() } else { vec![call.axis("dim", b.rank(x))?] };
    let keep = keep(call)?;
    Ok(vec![extreme(b, x, R::Min, &axes, keep)?, extreme(b, x, R::Max, &axes, keep)?].into())
}

/// The best element along an axis and its position (int64), both with that axis at size 1.
fn best(b: &mut Builder, x: TensorId, op: TopKOperation, axis: usize) -> Result<(TensorId, TensorId)> {
    let dtype = b.dtype(x);
    let number = if dtype == DType::Bool { b.cast(x, DType::Int32)? } else { x };
    let Ranked { values, positions } = b.top_k(number, op, &Dim::Static(1), axis)?;
    Ok((b.cast(values, dtype)?, b.cast(positions, DType::Int64)?))
}

fn extreme_dim(b: &mut Builder, call: &Call<'_>, op: TopKOperation) -> Result<Outputs> {
    let x = call.tensor("self")?;
    if b.rank(x) == 0 {
        return Ok(vec![x, b.scalar(DType::Int64, 0.0, 0)?].into());
    }
    let axis = call.axis("dim", b.rank(x))?;
    let (values, positions) = best(b, x, op, axis)?;
    if call.bool("keepdim")? {
        return Ok(vec![values, positions].into());
    }
    Ok(vec![b.squeeze(values, &[axis])?, b.squeeze(positions, &[axis])?].into())
}

fn max_dim(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    extreme_dim(b, call, TopKOperation::Max)
}

fn min_dim(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    extreme_dim(b, call, TopKOperation::Min)
}

fn position(b: &mut Builder, call: &Call<'_>, op: TopKOperation) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let to = call.output_dims(0)?;
    if b.rank(x) == 0 {
        return Ok(b.full(DType::Int64, to, 0.0)?.into());
    }
    let (x, axis) = if call.is_none("dim") {
        (b.reshape(x, &[Dim::product(&b.dims(x))])?, 0)
    } else {
        (x, call.axis("dim", b.rank(x))?)
    };
    let (_, positions) = best(b, x, op, axis)?;
    Ok(b.reshape(positions, to)?.into())
}

fn argmax(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    position(b, call, TopKOperation::Max)
}

fn argmin(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    position(b, call, TopKOperation::Min)
}

/// How many elements are true, as int32. A count, unlike an extreme, is right where there are no elements.
fn count_true(b: &mut Builder, mask: TensorId, axes: &[usize], keep: bool) -> Result<TensorId> {
    let ones = b.cast(mask, DType::Int32)?;
    b.reduce(R::Sum, ones, axes, keep)
}

fn any(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axes = axes(b, call, x)?;
    let mask = b.cast(x, DType::Bool)?;
    let count = count_true(b, mask, &axes, keep(call)?)?;
    let any = b.cast(count, DType::Bool)?;
    Ok(b.cast(any, call.output_dtype(0)?)?.into())
}

/// No element is false.
fn all(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axes = axes(b, call, x)?;
    let mask = b.cast(x, DType::Bool)?;
    let mask = b.not(mask)?;
    let count = count_true(b, mask, &axes, keep(call)?)?;
    let any = b.cast(count, DType::Bool)?;
    let all = b.not(any)?;
    Ok(b.cast(all, call.output_dtype(0)?)?.into())
}

fn count_nonzero(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axes = axes(b, call, x)?;
    let mask = b.cast(x, DType::Bool)?;
    let count = count_true(b, mask, &axes, false)?;
    Ok(b.cast(count, call.output_dtype(0)?)?.into())
}

/// What is taken off the number of elements before dividing by it.
fn correction(call: &Call<'_>) -> Result<f64> {
    match (call.argument("unbiased"), call.is_none("correction")) {
        (Some(_), _) => Ok(f64::from(u8::from(call.bool("unbiased")?))),
        (None, true) => Ok(1.0),
        (None, false) => call.float("correction"),
    }
}

/// Variance and mean.
fn moments(b: &mut Builder, call: &Call<'_>) -> Result<(TensorId, TensorId)> {
    let x = call.tensor("self")?;
    let (axes, keep, correction) = (axes(b, call, x)?, keep(call)?, correction(call)?);
    let dims = b.dims(x);
    let centre = b.reduce(R::Avg, x, &axes, true)?;
    let distance = b.sub(x, centre)?;
    let square = b.prod(distance, distance)?;
    let mean = if keep { centre } else { b.squeeze(centre, &axes)? };
    if correction == 0.0 {
        return Ok((b.reduce(R::Avg, square, &axes, keep)?, mean));
    }
    let sum = b.reduce(R::Sum, square, &axes, keep)?;
    let count = Dim::product(axes.iter().filter_map(|k| dims.get(*k)));
    let (dtype, rank) = (b.dtype(x), b.rank(sum));
    let divisor = match count.as_static() {
        Some(n) => b.scalar(dtype, (n as f64 - correction).max(0.0), rank)?,
        None => {
            let count = b.size_as(&count, dtype, rank)?;
            let less = b.with_scalar(E::Sub, count, correction)?;
            b.with_scalar(E::Max, less, 0.0)?
        }
    };
    Ok((b.div(sum, divisor)?, mean))
}

fn var(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    Ok(moments(b, call)?.0.into())
}

fn std(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (variance, _) = moments(b, call)?;
    Ok(b.unary(U::Sqrt, variance)?.into())
}

fn var_mean(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (variance, mean) = moments(b, call)?;
    Ok(vec![variance, mean].into())
}

fn std_mean(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (variance, mean) = moments(b, call)?;
    Ok(vec![b.unary(U::Sqrt, variance)?, mean].into())
}

/// `log(sum(exp(x - m))) + m`, where m is the maximum, or 0 where that is infinite.
fn logsumexp(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let x = b.cast(x, call.output_dtype(0)?)?;
    let axes = axes(b, call, x)?;
    let m = b.reduce(R::Max, x, &axes, true)?;
    let infinite = b.unary(U::Isinf, m)?;
    let zero = b.scalar(b.dtype(x), 0.0, b.rank(m))?;
    let m = b.select(infinite, zero, m)?;
    let below = b.sub(x, m)?;
    let powers = b.unary(U::Exp, below)?;
    let sum = b.reduce(R::Sum, powers, &axes, true)?;
    let log = b.unary(U::Log, sum)?;
    let y = b.sum(log, m)?;
    Ok(if keep(call)? { y } else { b.squeeze(y, &axes)? }.into())
}

/// The sum of the diagonal.
fn trace(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let x = b.cast(x, call.output_dtype(0)?)?;
    let (dims, zero) = (b.dims(x), b.scalar(b.dtype(x), 0.0, 2)?);
    let below = triangle(b, [&dims[0], &dims[1]], &Dim::Static(0), true, 2)?;
    let above = triangle(b, [&dims[0], &dims[1]], &Dim::Static(0), false, 2)?;
    let on = b.elementwise(E::And, below, above)?;
    let diagonal = b.select(on, x, zero)?;
    Ok(b.reduce(R::Sum, diagonal, &[0, 1], false)?.into())
}
