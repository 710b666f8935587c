//! The different elements of a tensor.
//!
//! | schema | layers |
//! |---|---|
//! | `_unique2(Tensor self, bool sorted, bool return_inverse, …)` | TopK, NonZero, Gather, Cumulative, Scatter |
//! | `unique_consecutive(Tensor self, bool return_inverse, bool return_counts, …)` | NonZero, Gather, Cumulative |
//!
//! Dtypes: float, int32, int64. The number of different elements is a symbol that data decides. Elements come
//! sorted, asked for or not, as PyTorch has it. Uniqueness along an axis (`dim`) is refused.

use super::position::take;
use super::sort::first;
use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Ranked, Result};
use dims::Dim;
use network::{
    CumulativeOperation, DType, ElementWiseOperation as E, Op, ScatterMode, TensorId, TopKOperation, Weights,
};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten._unique2.default", unique, "TopK, NonZero, Gather, Cumulative, Scatter", 0.0),
    operator("aten.unique_consecutive.default", unique_consecutive, "NonZero, Gather, Cumulative", 0.0),
];

/// What begins a run of equal elements, and how many came before.
struct Runs {
    /// Where each run begins: `[count]` int64.
    starts: TensorId,
    /// For each element, the number of its run: `[n]` int64.
    run: TensorId,
}

/// Finds the runs of equal neighbours in a 1-D tensor.
fn runs(b: &mut Builder, x: TensorId, count: Option<&str>) -> Result<Runs> {
    let n = b.dims(x)[0].clone();
    let rest = n - Dim::Static(1);
    let later = b.slice_axis(x, 0, Dim::Static(1), rest.clone(), 1)?;
    let earlier = b.slice_axis(x, 0, Dim::Static(0), rest, 1)?;
    let same = b.elementwise(E::Equal, later, earlier)?;
    let differs = b.not(same)?;
    let first = b.constant(Weights::bool(&[1], &[true]))?;
    let begins = b.concat(&[first, differs], 0)?;
    let found = b.positions(begins, count)?;
    let found = b.cast(found, DType::Int64)?;
    let starts = take(b, found, 0, &Dim::Static(0))?;
    let ones = b.cast(begins, DType::Int64)?;
    let sum = Op::Cumulative { op: CumulativeOperation::Sum, axis: 0, exclusive: false, reverse: false };
    let run = b.add(sum, &[ones])?;
    let run = b.with_scalar(E::Sub, run, 1.0)?;
    Ok(Runs { starts, run })
}

/// How long each run is: from its beginning to the next one's.
fn lengths(b: &mut Builder, starts: TensorId, n: &Dim) -> Result<TensorId> {
    let rest = b.dims(starts)[0].clone() - Dim::Static(1);
    let later = b.slice_axis(starts, 0, Dim::Static(1), rest, 1)?;
    let end = b.size_as(n, DType::Int64, 1)?;
    let ends = b.concat(&[later, end], 0)?;
    b.sub(ends, starts)
}

/// The operand as a 1-D tensor that compares.
fn flat(b: &mut Builder, call: &Call<'_>) -> Result<TensorId> {
    let x = call.tensor("self")?;
    let x = if b.dtype(x) == DType::Bool { b.cast(x, DType::Int32)? } else { x };
    b.reshape(x, &[Dim::product(&b.dims(x))])
}

fn unique(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = flat(b, call)?;
    let n = b.dims(x)[0].clone();
    let Ranked { values: sorted, positions: order } = first(b, x, TopKOperation::Min, &n, 0)?;
    let count = b.unbound_symbol(call.output_dims(0)?);
    let Runs { starts, run } = runs(b, sorted, count.as_deref())?;
    let values = b.gather(sorted, starts, 0)?;
    let values = b.cast(values, call.output_dtype(0)?)?;
    // Element k of the sorted tensor stood at `order[k]`.
    let inverse = if call.bool("return_inverse")? {
        let zeros = b.full(DType::Int64, std::slice::from_ref(&n), 0.0)?;
        let back = b.add(Op::Scatter { mode: ScatterMode::Element, axis: 0 }, &[zeros, order, run])?;
        Some(b.reshape(back, call.output_dims(1)?)?)
    } else {
        None
    };
    let counts = if call.bool("return_counts")? { Some(lengths(b, starts, &n)?) } else { None };
    Ok(vec![Some(values), inverse, counts].into())
}

fn unique_consecutive(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    if !call.is_none("dim") && call.value("self")?.dims.len() != 1 {
        return unsupported("unique_consecutive along an axis: TensorRT finds equal elements, not equal slices");
    }
    let x = flat(b, call)?;
    let n = b.dims(x)[0].clone();
    let count = b.unbound_symbol(call.output_dims(0)?);
    let Runs { starts, run } = runs(b, x, count.as_deref())?;
    let values = b.gather(x, starts, 0)?;
    let values = b.cast(values, call.output_dtype(0)?)?;
    let inverse = if call.bool("return_inverse")? { Some(b.reshape(run, call.output_dims(1)?)?) } else { None };
    let counts = if call.bool("return_counts")? { Some(lengths(b, starts, &n)?) } else { None };
    Ok(vec![Some(values), inverse, counts].into())
}
