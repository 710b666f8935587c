//! Tensors made from sizes and numbers.
//!
//! | schema | layers |
//! |---|---|
//! | `arange.{start,start_step}(Scalar start, Scalar end, Scalar step, …)` | Constant; Fill for symbolic sizes |
//! | `arange(Scalar end, …)` | the same |
//! | `full`, `zeros`, `ones`, `empty`, `*_like`, `new_*` | Constant; Slice (stride 0) |
//! | `scalar_tensor(Scalar s, …)` | Constant |
//! | `linspace`, `logspace` `(Scalar start, Scalar end, int steps, …)` | Constant |
//! | `eye(SymInt n)`, `eye.m`, `tril(Tensor self, SymInt diagonal)`, `triu`, `tril_indices` | Constant, Select |
//! | `triu_indices` | the same |
//!
//! Dtypes: the output's. What depends on no input is a constant; what depends on input sizes is computed from them
//! when the engine runs. `empty` gives zeros.

use super::elementwise::operand;
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Error, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, TensorId, Weights};
use program::Argument;

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.arange.default", arange, "Constant or Fill", 1e-6),
    operator("aten.arange.start", arange, "Constant or Fill", 1e-6),
    operator("aten.arange.start_step", arange, "Constant or Fill", 1e-6),
    operator("aten.full.default", full, "Constant", 0.0),
    operator("aten.full_like.default", full, "Constant", 0.0),
    operator("aten.new_full.default", full, "Constant", 0.0),
    operator("aten.scalar_tensor.default", scalar_tensor, "Constant", 0.0),
    operator("aten.zeros.default", zeros, "Constant", 0.0),
    operator("aten.zeros_like.default", zeros, "Constant", 0.0),
    operator("aten.new_zeros.default", zeros, "Constant", 0.0),
    operator("aten.empty.memory_format", zeros, "Constant", 0.0),
    operator("aten.empty_like.default", zeros, "Constant", 0.0),
    operator("aten.empty_strided.default", zeros, "Constant", 0.0),
    operator("aten.empty_permuted.default", zeros, "Constant", 0.0),
    operator("aten.new_empty.default", zeros, "Constant", 0.0),
    operator("aten.new_empty_strided.default", zeros, "Constant", 0.0),
    operator("aten.ones.default", ones, "Constant", 0.0),
    operator("aten.ones_like.default", ones, "Constant", 0.0),
    operator("aten.new_ones.default", ones, "Constant", 0.0),
    operator("aten.linspace.default", linspace, "Constant", 1e-6),
    operator("aten.linspace.Tensor_Tensor", linspace_between, "Constant, ElementWise", 1e-6),
    operator("aten.linspace.Tensor_Scalar", linspace_between, "Constant, ElementWise", 1e-6),
    operator("aten.linspace.Scalar_Tensor", linspace_between, "Constant, ElementWise", 1e-6),
    operator("aten.logspace.default", logspace, "Constant", 1e-6),
    operator("aten.logspace.Tensor_Tensor", logspace_between, "Constant, ElementWise", 1e-5),
    operator("aten.logspace.Tensor_Scalar", logspace_between, "Constant, ElementWise", 1e-5),
    operator("aten.logspace.Scalar_Tensor", logspace_between, "Constant, ElementWise", 1e-5),
    operator("aten.eye.default", eye, "Constant", 0.0),
    operator("aten.eye.m", eye, "Constant", 0.0),
    operator("aten.tril.default", tril, "Select", 0.0),
    operator("aten.triu.default", triu, "Select", 0.0),
    operator("aten.tril_indices.default", triangle_indices, "Constant", 0.0),
    operator("aten.triu_indices.default", triangle_indices, "Constant", 0.0),
];

fn filled(b: &mut Builder, call: &Call<'_>, value: f64) -> Result<Outputs> {
    Ok(b.full(call.output_dtype(0)?, call.output_dims(0)?, value)?.into())
}

fn zeros(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    filled(b, call, 0.0)
}

fn ones(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    filled(b, call, 1.0)
}

/// A number, which may be a size, everywhere.
fn full(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    match call.scalar("fill_value") {
        Ok(value) if value.is_small() => filled(b, call, value.as_f64()),
        _ => {
            let value = operand(b, call, "fill_value", call.output_dtype(0)?)?;
            Ok(b.expand(value, call.output_dims(0)?)?.into())
        }
    }
}

fn scalar_tensor(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    Ok(operand(b, call, "s", call.output_dtype(0)?)?.into())
}

/// `start + k * step`: exact on integers, in float64 otherwise.
fn arange(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (dtype, count) = (call.output_dtype(0)?, &call.output_dims(0)?[0]);
    let fixed = |name: &str| match call.argument(name) {
        None => true,
        Some(Argument::Int(n)) => n.is_static(),
        Some(_) => true,
    };
    if let Some(n) = count.as_static()
        && fixed("start")
        && fixed("step")
    {
        let number =
            |name: &str, default: f64| if call.argument(name).is_some() { call.float(name) } else { Ok(default) };
        let (start, step) = (number("start", 0.0)?, number("step", 1.0)?);
        let (start, step) = (rounded(dtype, start), rounded(dtype, step));
        let values = (0..n).map(|k| start + k as f64 * step);
        return Ok(b.constant(Weights::from_f64(dtype, &[n], values))?.into());
    }
    let integer = |name: &str| matches!(call.argument(name), None | Some(Argument::Int(_)));
    let ramp = if integer("start") && integer("step") { DType::Int64 } else { DType::Float32 };
    let mut x = b.iota(count, ramp)?;
    for (name, op, neutral) in [("step", E::Prod, 1), ("start", E::Sum, 0)] {
        if call.argument(name).is_some_and(|given| *given != Argument::Int(Dim::Static(neutral))) {
            let value = operand(b, call, name, ramp)?;
            x = b.elementwise(op, x, value)?;
        }
    }
    Ok(b.cast(x, dtype)?.into())
}

/// The points of a linspace, from both ends so that the ends are exact.
fn points(start: f64, end: f64, steps: i64) -> impl Iterator<Item = f64> {
    let step = if steps > 1 { (end - start) / (steps - 1) as f64 } else { 0.0 };
    (0..steps).map(move |k| {
        if k < steps / 2 || steps == 1 { start + k as f64 * step } else { end - (steps - 1 - k) as f64 * step }
    })
}

/// Numbers of an integer type are rounded toward zero, before and after counting with them.
fn rounded(dtype: DType, x: f64) -> f64 {
    if dtype.is_float() { x } else { x.trunc() }
}

fn linspace(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (dtype, steps) = (call.output_dtype(0)?, call.int("steps")?);
    let (start, end) = (rounded(dtype, call.float("start")?), rounded(dtype, call.float("end")?));
    let values = points(start, end, steps).map(|x| rounded(dtype, x));
    Ok(b.constant(Weights::from_f64(dtype, &[steps], values))?.into())
}

/// Points between ends that are tensors, in float32: `start + t * (end - start)`.
fn between(b: &mut Builder, call: &Call<'_>) -> Result<TensorId> {
    let (dtype, steps) = (call.output_dtype(0)?, call.int("steps")?);
    let (start, end) = (operand(b, call, "start", dtype)?, operand(b, call, "end", dtype)?);
    let (start, end) = (b.cast(start, DType::Float32)?, b.cast(end, DType::Float32)?);
    let t = b.constant(Weights::from_f64(DType::Float32, &[steps], points(0.0, 1.0, steps)))?;
    let span = b.sub(end, start)?;
    let way = b.elementwise(E::Prod, t, span)?;
    b.sum(start, way)
}

fn linspace_between(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = between(b, call)?;
    Ok(b.cast(x, call.output_dtype(0)?)?.into())
}

fn logspace_between(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = between(b, call)?;
    let base = b.scalar(DType::Float32, call.float("base")?, 1)?;
    let x = b.elementwise(E::Pow, base, x)?;
    Ok(b.cast(x, call.output_dtype(0)?)?.into())
}

fn logspace(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (dtype, steps, base) = (call.output_dtype(0)?, call.int("steps")?, call.float("base")?);
    let (start, end) = (rounded(dtype, call.float("start")?), rounded(dtype, call.float("end")?));
    let exponents = points(start, end, steps);
    let values = exponents.map(|x| rounded(dtype, base.powf(x)));
    Ok(b.constant(Weights::from_f64(dtype, &[steps], values))?.into())
}

/// `column - row` compared with a diagonal, as a bool matrix in the last two of `rank` axes. With `less`, it holds on
/// and below the diagonal, otherwise on and above it.
pub(super) fn triangle(
    b: &mut Builder,
    [rows, columns]: [&Dim; 2],
    diagonal: &Dim,
    less: bool,
    rank: usize,
) -> Result<TensorId> {
    if let (Some(n), Some(m), Some(d)) = (rows.as_static(), columns.as_static(), diagonal.as_static()) {
        let inside = |k: i64| if less { k % m - k / m <= d } else { k % m - k / m >= d };
        let values: Vec<bool> = (0..n * m).map(inside).collect();
        let sizes = [vec![1; rank - 2], vec![n, m]].concat();
        return b.constant(Weights::bool(&sizes, &values));
    }
    let row = b.iota_along(rows, DType::Int64, rank - 2, rank)?;
    let column = b.iota_along(columns, DType::Int64, rank - 1, rank)?;
    let offset = b.sub(column, row)?;
    let diagonal = b.size_as(diagonal, DType::Int64, rank)?;
    let outside = b.elementwise(if less { E::Greater } else { E::Less }, offset, diagonal)?;
    b.not(outside)
}

fn keep_triangle(b: &mut Builder, call: &Call<'_>, less: bool) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let (dims, rank) = (b.dims(x), b.rank(x));
    let mask = triangle(b, [&dims[rank - 2], &dims[rank - 1]], &call.size("diagonal")?, less, rank)?;
    if b.dtype(x) == DType::Bool {
        return Ok(b.elementwise(E::And, x, mask)?.into());
    }
    let zero = b.scalar(b.dtype(x), 0.0, rank)?;
    Ok(b.select(mask, x, zero)?.into())
}

fn tril(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    keep_triangle(b, call, true)
}

fn triu(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    keep_triangle(b, call, false)
}

fn eye(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (dtype, to) = (call.output_dtype(0)?, call.output_dims(0)?);
    if let (Some(n), Some(m)) = (to[0].as_static(), to[1].as_static()) {
        let values = (0..n * m).map(|k| i64::from(k % m == k / m));
        return Ok(b.constant(Weights::from_i64(dtype, &[n, m], values))?.into());
    }
    let row = b.iota_along(&to[0], DType::Int64, 0, 2)?;
    let column = b.iota_along(&to[1], DType::Int64, 1, 2)?;
    let diagonal = b.elementwise(E::Equal, row, column)?;
    Ok(b.cast(diagonal, dtype)?.into())
}

fn triangle_indices(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (rows, columns, offset) = (call.int("row")?, call.int("col")?, call.int("offset")?);
    let lower = call.target().contains("tril");
    let inside = |r: i64, c: i64| if lower { c - r <= offset } else { c - r >= offset };
    let pairs = (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c)));
    let (row, column): (Vec<i64>, Vec<i64>) = pairs.filter(|(r, c)| inside(*r, *c)).unzip();
    let count = i64::try_from(row.len()).map_err(|_| Error::unsupported("the triangle has too many elements"))?;
    let weights = Weights::from_i64(call.output_dtype(0)?, &[2, count], row.into_iter().chain(column));
    Ok(b.constant(weights)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_reach_both_ends_exactly() {
        let points: Vec<f64> = points(0.1, 0.7, 7).collect();
        assert_eq!((points[0], points[6]), (0.1, 0.7));
        assert!(points.windows(2).all(|w| (w[1] - w[0] - 0.1).abs() < 1e-15));
        assert_eq!(super::points(3.0, 9.0, 1).collect::<Vec<_>>(), [3.0]);
    }
}
