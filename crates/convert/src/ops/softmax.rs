//! Softmax and its logarithm.
//!
//! | schema | layers |
//! |---|---|
//! | `softmax.int(Tensor self, int dim, ScalarType? dtype)` | SoftMax |
//! | `_softmax(Tensor self, int dim, bool half_to_float)` | the same |
//! | `_safe_softmax(Tensor self, int dim, ScalarType? dtype)` | SoftMax, Select |
//! | `log_softmax.int(Tensor self, int dim, ScalarType? dtype)`, `_log_softmax` | Reduce, ElementWise, Unary |
//!
//! Dtypes: computed in the output's float type. Every size may be symbolic.

use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{ReduceOperation as R, TensorId, UnaryOperation as U};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.softmax.int", softmax, "SoftMax", 1e-6),
    operator("aten._softmax.default", softmax, "SoftMax", 1e-6),
    operator("aten.special_softmax.default", softmax, "SoftMax", 1e-6),
    operator("aten._safe_softmax.default", safe_softmax, "SoftMax, Select", 1e-6),
    operator("aten.log_softmax.int", log_softmax, "Reduce, ElementWise, Unary", 1e-5),
    operator("aten._log_softmax.default", log_softmax, "Reduce, ElementWise, Unary", 1e-5),
    operator("aten.special_log_softmax.default", log_softmax, "Reduce, ElementWise, Unary", 1e-5),
];

/// The operand in the output's type, and the axis. A 0-D tensor counts as one of a single element.
fn read(b: &mut Builder, call: &Call<'_>) -> Result<(TensorId, usize)> {
    let x = call.tensor("self")?;
    let axis = call.axis("dim", b.rank(x))?;
    let x = b.cast(x, call.output_dtype(0)?)?;
    let x = if b.rank(x) == 0 { b.reshape(x, &[Dim::Static(1)])? } else { x };
    Ok((x, axis))
}

fn softmax(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, axis) = read(b, call)?;
    let y = b.softmax(x, axis)?;
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}

/// A row of nothing but minus infinity gives zeros instead of NaN.
fn safe_softmax(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, axis) = read(b, call)?;
    let y = b.softmax(x, axis)?;
    let highest = b.reduce(R::Max, x, &[axis], true)?;
    let low = b.scalar(b.dtype(x), f64::NEG_INFINITY, b.rank(x))?;
    let masked = b.elementwise(network::ElementWiseOperation::Equal, highest, low)?;
    let zero = b.scalar(b.dtype(x), 0.0, b.rank(x))?;
    let y = b.select(masked, zero, y)?;
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}

/// `d - log(sum(exp(d)))` with `d = x - max(x)`: the logarithm of a softmax would lose what is far below 1.
fn log_softmax(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, axis) = read(b, call)?;
    let highest = b.reduce(R::Max, x, &[axis], true)?;
    let below = b.sub(x, highest)?;
    let powers = b.unary(U::Exp, below)?;
    let sum = b.reduce(R::Sum, powers, &[axis], true)?;
    let log = b.unary(U::Log, sum)?;
    let y = b.sub(below, log)?;
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}
