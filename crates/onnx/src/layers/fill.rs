//! Fill: ramps and random numbers. A ramp is `alpha + sum(beta[axis] * index[axis])`; one without steps is an
//! expansion, one of a fixed size is a constant.

use crate::Result;
use crate::graph::Value;
use crate::proto::DataType;
use crate::scope::Scope;
use network::{DType, FillOperation, Weights};

/// Ramps of up to this many elements are made here.
const CONSTANT: i64 = 1 << 16;

pub(super) fn fill(
    s: &mut Scope<'_, '_>,
    op: FillOperation,
    dims: &[i64],
    dtype: DType,
    alpha: f64,
    beta: f64,
) -> Result<Value> {
    let bounds = [alpha, beta];
    match op {
        FillOperation::Linspace => ramp(s, dims, dtype, bounds),
        FillOperation::RandomUniform => random(s, "RandomUniformLike", dims, dtype, bounds),
        FillOperation::RandomNormal => random(s, "RandomNormalLike", dims, dtype, bounds),
    }
}

/// The output's sizes.
fn shape(s: &mut Scope<'_, '_>, dims: &[i64]) -> Result<Value> {
    if let Some(fixed) = fixed_dims(s)? {
        return Ok(s.ints(&fixed));
    }
    if s.optional(0)?.is_some() { s.int64(0) } else { Ok(s.ints(dims)) }
}

fn fixed_dims(s: &Scope<'_, '_>) -> Result<Option<Vec<i64>>> {
    Ok(s.output()?.dims.iter().map(network::Dim::as_static).collect())
}

fn ramp(s: &mut Scope<'_, '_>, dims: &[i64], dtype: DType, [alpha, beta]: [f64; 2]) -> Result<Value> {
    let rank = s.output()?.dims.len();
    let start = s.constant(1).map(network::Weights::to_f64).or(s.optional(1)?.is_none().then(|| vec![alpha]));
    let steps =
        s.constant(2).map(network::Weights::to_f64).or(s.optional(2)?.is_none().then(|| vec![beta; rank.max(1)]));
    if let (Some(start), Some(steps)) = (&start, &steps)
        && let Some(fixed) = fixed_dims(s)?
        && fixed.iter().product::<i64>() <= CONSTANT
    {
        let weights = table(dtype, &fixed, start[0], steps);
        return Ok(s.weights(&weights));
    }
    let shape = shape(s, dims)?;
    let mut value = match start {
        Some(start) => s.scalar(dtype, start[0]),
        None => as_scalar(s, 1, dtype)?,
    };
    let moves = |axis: usize| steps.as_ref().is_none_or(|steps| steps.get(axis).or(steps.first()) != Some(&0.0));
    if !(0..rank).any(moves) {
        return Ok(s.main("Expand", &[value, shape], &[]));
    }
    for axis in (0..rank).filter(|k| moves(*k)) {
        let step = match &steps {
            Some(steps) => s.scalar(dtype, steps.get(axis).or(steps.first()).copied().unwrap_or(0.0)),
            None => step_of(s, axis, rank, dtype)?,
        };
        let positions = positions(s, shape, axis, rank, dtype);
        let risen = s.op("Mul", &[positions, step], &[]);
        value = s.op("Add", &[value, risen], &[]);
    }
    if rank == 1 { Ok(value) } else { Ok(s.main("Expand", &[value, shape], &[])) }
}

/// A ramp's elements, row-major. Integers are computed as integers.
fn table(dtype: DType, dims: &[i64], start: f64, steps: &[f64]) -> Weights {
    let count: i64 = dims.iter().product();
    let at = |mut flat: i64| {
        let mut indices = vec![0; dims.len()];
        for (k, dim) in dims.iter().enumerate().rev() {
            indices[k] = flat % dim;
            flat /= dim;
        }
        indices
    };
    let step = |k: usize| steps.get(k).or(steps.first()).copied().unwrap_or(0.0);
    if dtype.is_float() {
        let value = |flat| at(flat).iter().enumerate().fold(start, |sum, (k, i)| sum + step(k) * *i as f64);
        return Weights::from_f64(dtype, dims, (0..count).map(value));
    }
    let value = |flat| at(flat).iter().enumerate().fold(start as i64, |sum, (k, i)| sum + step(k) as i64 * i);
    Weights::from_i64(dtype, dims, (0..count).map(value))
}

/// 0, 1, 2 … along an axis, shaped to broadcast.
fn positions(s: &mut Scope<'_, '_>, shape: Value, axis: usize, rank: usize, dtype: DType) -> Value {
    let (index, zero, one) = (s.int(axis as i64), s.int(0), s.int(1));
    let size = s.op("Gather", &[shape, index], &[]);
    let counted = s.op("Range", &[zero, size, one], &[]);
    let counted = s.cast(counted, DType::Int64, dtype);
    if axis + 1 == rank {
        return counted;
    }
    let behind: Vec<i64> = (1..(rank - axis) as i64).collect();
    let behind = s.ints(&behind);
    s.op("Unsqueeze", &[counted, behind], &[])
}

fn as_scalar(s: &mut Scope<'_, '_>, index: usize, dtype: DType) -> Result<Value> {
    let (x, tensor) = (s.input(index)?, s.tensor(index)?);
    let x = s.reshape(x, &tensor.dims, &[]).unwrap_or(x);
    Ok(s.cast(x, tensor.dtype, dtype))
}

/// The step of one axis, from the input that holds one an axis.
fn step_of(s: &mut Scope<'_, '_>, axis: usize, rank: usize, dtype: DType) -> Result<Value> {
    let tensor = s.tensor(2)?;
    if rank <= 1 || tensor.dims.is_empty() {
        return as_scalar(s, 2, dtype);
    }
    let (steps, index) = (s.input(2)?, s.int(axis as i64));
    let step = s.op("Gather", &[steps, index], &[]);
    Ok(s.cast(step, tensor.dtype, dtype))
}

fn random(s: &mut Scope<'_, '_>, op: &'static str, dims: &[i64], dtype: DType, bounds: [f64; 2]) -> Result<Value> {
    let shape = shape(s, dims)?;
    let template = s.op("ConstantOfShape", &[shape], &[]);
    let names = if op == "RandomUniformLike" { ["low", "high"] } else { ["mean", "scale"] };
    let computed = s.optional(1)?.is_some() || s.optional(2)?.is_some();
    let [a, b] = if computed { [0.0, 1.0] } else { bounds.map(|b| b as f32) };
    let float = ("dtype", i64::from(DataType::Float as i32).into());
    let mut value = s.main(op, &[template], &[float, (names[0], a.into()), (names[1], b.into())]);
    if computed {
        let mut bound = |index: usize| match s.optional(index)? {
            Some(_) => as_scalar(s, index, DType::Float32),
            None => Ok(s.scalar(DType::Float32, bounds[index - 1])),
        };
        let (low, high): (Value, Value) = (bound(1)?, bound(2)?);
        let width = if op == "RandomUniformLike" { s.op("Sub", &[high, low], &[]) } else { high };
        value = s.op("Mul", &[value, width], &[]);
        value = s.op("Add", &[value, low], &[]);
    }
    Ok(s.cast(value, DType::Float32, dtype))
}
