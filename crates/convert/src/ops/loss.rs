//! Losses.
//!
//! | schema `(Tensor self, Tensor target, int reduction, …)` | layers |
//! |---|---|
//! | `mse_loss`, `l1_loss` | ElementWise, Unary, Reduce |
//! | `smooth_l1_loss(…, float beta)`, `huber_loss(…, float delta)` | ElementWise, Select, Reduce |
//! | `soft_margin_loss` | ElementWise, Activation(Softplus), Reduce |
//!
//! Dtypes: the output's float type. `reduction` is 0 for none, 1 for the mean, 2 for the sum. Sizes may be symbolic.

use super::activation::stable_softplus;
use super::elementwise::operand;
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use network::{ElementWiseOperation as E, ReduceOperation as R, TensorId, UnaryOperation as U};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.mse_loss.default", mse_loss, "ElementWise, Reduce", 1e-5),
    operator("aten.l1_loss.default", l1_loss, "ElementWise, Unary, Reduce", 1e-5),
    operator("aten.smooth_l1_loss.default", smooth_l1_loss, "ElementWise, Select, Reduce", 1e-5),
    operator("aten.huber_loss.default", huber_loss, "ElementWise, Select, Reduce", 1e-5),
    operator("aten.soft_margin_loss.default", soft_margin_loss, "ElementWise, Activation, Reduce", 1e-5),
];

/// Input and target, broadcast to each other.
fn operands(b: &mut Builder, call: &Call<'_>) -> Result<(TensorId, TensorId)> {
    let dtype = call.output_dtype(0)?;
    Ok((operand(b, call, "self", dtype)?, operand(b, call, "target", dtype)?))
}

fn reduced(b: &mut Builder, call: &Call<'_>, losses: TensorId) -> Result<Outputs> {
    let axes: Vec<usize> = (0..b.rank(losses)).collect();
    Ok(match call.int("reduction")? {
        0 => losses,
        1 => b.reduce(R::Avg, losses, &axes, false)?,
        _ => b.reduce(R::Sum, losses, &axes, false)?,
    }
    .into())
}

fn mse_loss(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, target) = operands(b, call)?;
    let apart = b.sub(x, target)?;
    let losses = b.prod(apart, apart)?;
    reduced(b, call, losses)
}

fn distance(b: &mut Builder, call: &Call<'_>) -> Result<TensorId> {
    let (x, target) = operands(b, call)?;
    let apart = b.sub(x, target)?;
    b.unary(U::Abs, apart)
}

fn l1_loss(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let losses = distance(b, call)?;
    reduced(b, call, losses)
}

/// `d^2 / 2` up to the limit, `limit * (d - limit/2)` beyond.
fn huber(b: &mut Builder, d: TensorId, limit: f64) -> Result<TensorId> {
    let square = b.prod(d, d)?;
    let near = b.with_scalar(E::Prod, square, 0.5)?;
    let less = b.with_scalar(E::Sub, d, limit / 2.0)?;
    let far = b.times(less, limit)?;
    let end = b.scalar(b.dtype(d), limit, b.rank(d))?;
    let inside = b.elementwise(E::Less, d, end)?;
    b.select(inside, near, far)
}

fn huber_loss(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let d = distance(b, call)?;
    let losses = huber(b, d, call.float("delta")?)?;
    reduced(b, call, losses)
}

/// The Huber loss over its limit; without one, the distance.
fn smooth_l1_loss(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (d, beta) = (distance(b, call)?, call.float("beta")?);
    if beta == 0.0 {
        return reduced(b, call, d);
    }
    let losses = huber(b, d, beta)?;
    let losses = b.times(losses, beta.recip())?;
    reduced(b, call, losses)
}

/// `log(1 + exp(-target * x))`.
fn soft_margin_loss(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, target) = operands(b, call)?;
    let product = b.prod(x, target)?;
    let opposite = b.unary(U::Neg, product)?;
    let losses = stable_softplus(b, opposite)?;
    reduced(b, call, losses)
}
