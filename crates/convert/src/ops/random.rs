//! Random numbers, drawn anew each time the engine runs.
//!
//! | schema | layers |
//! |---|---|
//! | `rand(SymInt[] size, …)`, `rand_like`, `uniform(Tensor self, float from, float to)` | Fill (`RandomUniform`) |
//! | `randn(SymInt[] size, …)`, `randn_like`, `normal.float_float` | Fill (`RandomNormal`) |
//! | `randint(SymInt high, SymInt[] size, …)`, `randint.low`, `randint_like` | Fill, Unary(Floor), Cast |
//! | `randperm(SymInt n, …)` | Fill, TopK |
//! | `bernoulli(Tensor self)`, `bernoulli.p` | Fill, ElementWise |
//!
//! Dtypes: drawn in float32, then cast. Sizes may be symbolic. The numbers follow PyTorch's distribution, not its
//! sequence: no seed gives the same ones.

use super::elementwise::operand;
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, FillOperation, Op, TensorId, TopKOperation, UnaryOperation as U};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.rand.default", rand, "Fill", 0.0),
    operator("aten.rand_like.default", rand, "Fill", 0.0),
    operator("aten.uniform.default", uniform, "Fill", 0.0),
    operator("aten.randn.default", randn, "Fill", 0.0),
    operator("aten.randn_like.default", randn, "Fill", 0.0),
    operator("aten.normal.float_float", normal, "Fill", 0.0),
    operator("aten.randint.default", randint, "Fill, Unary, Cast", 0.0),
    operator("aten.randint.low", randint, "Fill, Unary, Cast", 0.0),
    operator("aten.randint_like.default", randint, "Fill, Unary, Cast", 0.0),
    operator("aten.randint_like.low_dtype", randint, "Fill, Unary, Cast", 0.0),
    operator("aten.randperm.default", randperm, "Fill, TopK", 0.0),
    operator("aten.bernoulli.default", bernoulli, "Fill, ElementWise", 0.0),
    operator("aten.bernoulli.p", bernoulli, "Fill, ElementWise", 0.0),
];

/// Numbers from a distribution: uniform between the two parameters, or normal with mean and deviation.
fn draw(b: &mut Builder, op: FillOperation, [alpha, beta]: [f64; 2], dims: &[Dim]) -> Result<TensorId> {
    let sizes: Option<Vec<i64>> = dims.iter().map(Dim::as_static).collect();
    let fill = |dims: Vec<i64>| Op::Fill { op, dims, dtype: DType::Float32, alpha, beta };
    match sizes {
        Some(sizes) => b.add(fill(sizes), &[]),
        None => {
            let shape = b.size_tensor(dims)?;
            b.add(fill(Vec::new()), &[shape])
        }
    }
}

fn drawn(b: &mut Builder, call: &Call<'_>, op: FillOperation, parameters: [f64; 2]) -> Result<Outputs> {
    let x = draw(b, op, parameters, call.output_dims(0)?)?;
    Ok(b.cast(x, call.output_dtype(0)?)?.into())
}

fn rand(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    drawn(b, call, FillOperation::RandomUniform, [0.0, 1.0])
}

fn uniform(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    drawn(b, call, FillOperation::RandomUniform, [call.float("from")?, call.float("to")?])
}

fn randn(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    drawn(b, call, FillOperation::RandomNormal, [0.0, 1.0])
}

fn normal(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    drawn(b, call, FillOperation::RandomNormal, [call.float("mean")?, call.float("std")?])
}

/// A uniform number rounded down, kept below the end that rounding may reach.
fn randint(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let low = if call.argument("low").is_some() { call.float("low")? } else { 0.0 };
    let high = call.float("high")?;
    let x = draw(b, FillOperation::RandomUniform, [low, high], call.output_dims(0)?)?;
    let x = b.unary(U::Floor, x)?;
    let x = b.with_scalar(E::Min, x, high - 1.0)?;
    Ok(b.cast(x, call.output_dtype(0)?)?.into())
}

/// The order that sorts random numbers.
fn randperm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let to = call.output_dims(0)?;
    let x = draw(b, FillOperation::RandomUniform, [0.0, 1.0], to)?;
    let order = b.top_k(x, TopKOperation::Min, &to[0], 0)?.positions;
    Ok(b.cast(order, call.output_dtype(0)?)?.into())
}

/// 1 where a uniform number is below the probability.
fn bernoulli(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let name = if call.argument("p").is_some() { "p" } else { "self" };
    let probability = operand(b, call, name, DType::Float32)?;
    let x = draw(b, FillOperation::RandomUniform, [0.0, 1.0], call.output_dims(0)?)?;
    let hit = b.elementwise(E::Less, x, probability)?;
    Ok(b.cast(hit, call.output_dtype(0)?)?.into())
}
