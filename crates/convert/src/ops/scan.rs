//! Running sums, products, extremes along an axis, and their inverse, differences.
//!
//! | schema | layers |
//! |---|---|
//! | `cumsum(Tensor self, int dim, *, ScalarType? dtype)` | Cumulative |
//! | `cumprod(Tensor self, int dim, *, ScalarType? dtype)`, `logcumsumexp(Tensor self, int dim)` | Slice, ElementWise |
//! | `cummax(Tensor self, int dim)`, `cummin` | Slice, ElementWise, Select |
//! | `diff(Tensor self, int n, int dim, Tensor? prepend, Tensor? append)` | Slice, ElementWise |
//!
//! Dtypes: the operand is cast to the output's type first, so integers add up in int64. TensorRT accumulates sums
//! only; the others combine each element with the one 1, 2, 4, … before it, which takes as many steps as the
//! length has bits and needs the length to be known. `cumsum` takes symbolic sizes.

use super::reduce::{highest, lowest};
use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{
    ActivationType, CumulativeOperation, DType, ElementWiseOperation as E, Op, SampleMode, TensorId,
    UnaryOperation as U, Weights,
};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.cumsum.default", cumsum, "Cumulative", 1e-5),
    operator("aten.cumprod.default", cumprod, "Slice, ElementWise", 1e-5),
    operator("aten.logcumsumexp.default", logcumsumexp, "Slice, ElementWise, Activation", 1e-5),
    operator("aten.cummax.default", cummax, "Slice, ElementWise, Select", 0.0),
    operator("aten.cummin.default", cummin, "Slice, ElementWise, Select", 0.0),
    operator("aten.diff.default", diff, "Slice, ElementWise", 1e-6),
];

/// Each element minus the one before it, `n` times; of bools, whether they differ.
fn diff(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axis = call.axis("dim", b.rank(x))?;
    let times = call.int("n")?;
    if times == 0 {
        return Ok(x.into());
    }
    let ends = [call.optional_tensor("prepend")?, Some(x), call.optional_tensor("append")?];
    let parts: Vec<TensorId> = ends.into_iter().flatten().collect();
    let mut x = b.concat(&parts, axis)?;
    for _ in 0..times {
        let one = Dim::Static(1);
        let size = b.dims(x)[axis].clone();
        let left = if size.is(0) { size } else { size - one.clone() };
        let skip = if left.is(0) { Dim::Static(0) } else { one };
        let next = b.slice_axis(x, axis, skip, left.clone(), 1)?;
        let previous = b.slice_axis(x, axis, Dim::Static(0), left, 1)?;
        let op = if b.dtype(x) == DType::Bool { E::Xor } else { E::Sub };
        x = b.elementwise(op, next, previous)?;
    }
    Ok(x.into())
}

/// The operand in the output's type, and the axis; `None` where there is nothing to accumulate.
fn read(b: &mut Builder, call: &Call<'_>) -> Result<(TensorId, Option<usize>)> {
    let x = call.tensor("self")?;
    let x = b.cast(x, call.output_dtype(0)?)?;
    let axis = call.axis("dim", b.rank(x))?;
    let nothing = b.rank(x) == 0 || b.dims(x).iter().any(|d| d.is(0));
    Ok((x, (!nothing).then_some(axis)))
}

fn cumsum(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, Some(axis)) = read(b, call)? else { return Ok(read(b, call)?.0.into()) };
    let sum = Op::Cumulative { op: CumulativeOperation::Sum, axis, exclusive: false, reverse: false };
    Ok(b.add(sum, &[x])?.into())
}

/// The element `by` places before each, `outside` where there is none.
fn before(b: &mut Builder, x: TensorId, axis: usize, by: i64, outside: f64) -> Result<TensorId> {
    let (size, rank) = (b.dims(x), b.rank(x));
    let mut start = vec![Dim::Static(0); rank];
    start[axis] = Dim::Static(-by);
    let fill = b.constant(Weights::scalar(b.dtype(x), outside))?;
    b.sample(x, [&start, &size], &vec![1; rank], SampleMode::Fill, Some(fill))
}

/// The distances 1, 2, 4, … that an element has to look back.
fn distances(b: &Builder, x: TensorId, axis: usize) -> Result<Vec<i64>> {
    match b.dims(x)[axis].as_static() {
        Some(n) => Ok(std::iter::successors(Some(1), |d| Some(d * 2)).take_while(|d| *d < n).collect()),
        None => unsupported("a running product or extreme along an axis whose size depends on input sizes"),
    }
}

fn cumprod(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (mut x, Some(axis)) = read(b, call)? else { return Ok(read(b, call)?.0.into()) };
    for by in distances(b, x, axis)? {
        let earlier = before(b, x, axis, by, 1.0)?;
        x = b.prod(x, earlier)?;
    }
    Ok(x.into())
}

/// `log(exp(x) + exp(y))`, with minus infinity for nothing.
fn log_sum(b: &mut Builder, x: TensorId, y: TensorId) -> Result<TensorId> {
    let largest = b.elementwise(E::Max, x, y)?;
    let equal = b.elementwise(E::Equal, x, y)?;
    let apart = b.sub(x, y)?;
    let zero = b.scalar(b.dtype(x), 0.0, b.rank(x))?;
    let apart = b.select(equal, zero, apart)?;
    let apart = b.unary(U::Abs, apart)?;
    let below = b.unary(U::Neg, apart)?;
    let soft = b.activation(ActivationType::Softplus, 1.0, 1.0, below)?;
    b.sum(largest, soft)
}

fn logcumsumexp(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (mut x, Some(axis)) = read(b, call)? else { return Ok(read(b, call)?.0.into()) };
    for by in distances(b, x, axis)? {
        let earlier = before(b, x, axis, by, f64::NEG_INFINITY)?;
        x = log_sum(b, x, earlier)?;
    }
    Ok(x.into())
}

/// The extreme so far and its position; of equal elements the last. From the first NaN on it is NaN.
fn extreme(b: &mut Builder, call: &Call<'_>, better: E, outside: fn(DType) -> f64) -> Result<Outputs> {
    let (x, axis) = read(b, call)?;
    let dims = b.dims(x);
    let Some(axis) = axis else {
        return Ok(vec![x, b.full(DType::Int64, &dims, 0.0)?].into());
    };
    let dtype = b.dtype(x);
    let mut value = if dtype == DType::Bool { b.cast(x, DType::Int32)? } else { x };
    let position = b.iota_along(&dims[axis], DType::Int64, axis, dims.len())?;
    let mut position = b.expand(position, &dims)?;
    for by in distances(b, x, axis)? {
        let earlier = before(b, value, axis, by, outside(b.dtype(value)))?;
        let earlier_position = before(b, position, axis, by, 0.0)?;
        let mut keep = b.elementwise(better, earlier, value)?;
        if b.dtype(value).is_float() {
            // A NaN stays, until the next one.
            let (lost, nan) = (b.unary(U::Isnan, earlier)?, b.unary(U::Isnan, value)?);
            let number = b.not(nan)?;
            let lost = b.elementwise(E::And, lost, number)?;
            keep = b.elementwise(E::Or, keep, lost)?;
        }
        value = b.select(keep, earlier, value)?;
        position = b.select(keep, earlier_position, position)?;
    }
    Ok(vec![b.cast(value, dtype)?, position].into())
}

fn cummax(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    extreme(b, call, E::Greater, lowest)
}

fn cummin(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    extreme(b, call, E::Less, highest)
}
