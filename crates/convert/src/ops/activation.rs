//! Activations.
//!
//! | schema | layers |
//! |---|---|
//! | `relu(Tensor self)` | Activation(Relu) |
//! | `sigmoid(Tensor self)`, `tanh(Tensor self)` | Activation |
//! | `gelu(Tensor self, *, str approximate='none')` | Activation(GeluErf or `GeluTanh`) |
//! | `silu(Tensor self)`, `mish(Tensor self)` | Activation, ElementWise |
//! | `hardtanh(Tensor self, Scalar min_val, Scalar max_val)`, `relu6(Tensor self)` | Activation(Clip) |
//! | `hardsigmoid(Tensor self)`, `hardswish(Tensor self)` | Activation(HardSigmoid), ElementWise |
//! | `elu(Tensor self, Scalar alpha, Scalar scale, Scalar input_scale)`, `selu` | Activation(Elu), ElementWise |
//! | `celu` | the same |
//! | `leaky_relu(Tensor self, Scalar negative_slope)` | Activation(LeakyRelu) |
//! | `rrelu(Tensor self, Scalar lower, Scalar upper, bool training, …)` | Activation(LeakyRelu) |
//! | `glu(Tensor self, int dim)` | Slice, Activation, ElementWise |
//! | `prelu(Tensor self, Tensor weight)` | `ParametricRelu` |
//! | `softplus(Tensor self, Scalar beta, Scalar threshold)` | Activation(Softplus), Select |
//! | `log_sigmoid(Tensor self)`, `hardshrink`, `softshrink`, `threshold` | ElementWise, Select |
//!
//! Dtypes: float in, the same out; `relu` and `hardtanh` also take integers. Sizes pass through.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{ActivationType as A, ElementWiseOperation as E, Op, TensorId, UnaryOperation as U};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.relu.default", relu, "Activation", 1e-6),
    operator("aten.relu6.default", relu6, "Activation", 1e-6),
    operator("aten.sigmoid.default", sigmoid, "Activation", 1e-6),
    operator("aten.tanh.default", tanh, "Activation", 1e-6),
    operator("aten.gelu.default", gelu, "Activation", 1e-6),
    operator("aten.silu.default", silu, "Activation, ElementWise", 1e-6),
    operator("aten.mish.default", mish, "Activation, ElementWise", 1e-5),
    operator("aten.hardtanh.default", hardtanh, "Activation", 1e-6),
    operator("aten.hardsigmoid.default", hardsigmoid, "Activation", 1e-6),
    operator("aten.hardswish.default", hardswish, "Activation, ElementWise", 1e-6),
    operator("aten.elu.default", elu, "Activation, ElementWise", 1e-6),
    operator("aten.selu.default", selu, "Activation", 1e-6),
    operator("aten.celu.default", celu, "Activation, ElementWise", 1e-6),
    operator("aten.leaky_relu.default", leaky_relu, "Activation", 1e-6),
    operator("aten.rrelu.default", rrelu, "Activation", 1e-6),
    operator("aten.glu.default", glu, "Slice, Activation, ElementWise", 1e-6),
    operator("aten.prelu.default", prelu, "ParametricRelu", 1e-6),
    operator("aten._prelu_kernel.default", prelu, "ParametricRelu", 1e-6),
    operator("aten.softplus.default", softplus, "Activation, Select", 1e-6),
    operator("aten.log_sigmoid.default", log_sigmoid, "Activation, Unary", 1e-6),
    operator("aten.hardshrink.default", hardshrink, "ElementWise, Select", 1e-6),
    operator("aten.softshrink.default", softshrink, "ElementWise, Activation", 1e-6),
    operator("aten.threshold.default", threshold, "ElementWise, Select", 1e-6),
];

fn plain(b: &mut Builder, call: &Call<'_>, kind: A, alpha: f64, beta: f64) -> Result<Outputs> {
    let x = call.tensor("self")?;
    Ok(b.activation(kind, alpha, beta, x)?.into())
}

fn relu(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    plain(b, call, A::Relu, 0.0, 0.0)
}

fn relu6(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    clipped(b, call, 0.0, 6.0)
}

fn sigmoid(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let x = b.cast(x, call.output_dtype(0)?)?;
    Ok(b.activation(A::Sigmoid, 0.0, 0.0, x)?.into())
}

fn tanh(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let x = b.cast(x, call.output_dtype(0)?)?;
    Ok(b.activation(A::Tanh, 0.0, 0.0, x)?.into())
}

fn gelu(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let kind = match call.string("approximate")? {
        "none" => A::GeluErf,
        "tanh" => A::GeluTanh,
        other => return unsupported(format!("gelu has no approximation `{other}` (none, tanh)")),
    };
    plain(b, call, kind, 0.0, 0.0)
}

fn silu(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let gate = b.activation(A::Sigmoid, 0.0, 0.0, x)?;
    Ok(b.prod(x, gate)?.into())
}

fn mish(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let soft = stable_softplus(b, x)?;
    let gate = b.activation(A::Tanh, 0.0, 0.0, soft)?;
    Ok(b.prod(x, gate)?.into())
}

fn hardtanh(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    clipped(b, call, call.float("min_val")?, call.float("max_val")?)
}

/// Between two bounds; TensorRT's activation takes floats only.
fn clipped(b: &mut Builder, call: &Call<'_>, low: f64, high: f64) -> Result<Outputs> {
    let x = call.tensor("self")?;
    if b.dtype(x).is_float() {
        return Ok(b.activation(A::Clip, low, high, x)?.into());
    }
    let above = b.with_scalar(E::Max, x, low)?;
    Ok(b.with_scalar(E::Min, above, high)?.into())
}

fn hardsigmoid(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    plain(b, call, A::HardSigmoid, 1.0 / 6.0, 0.5)
}

fn hardswish(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let gate = b.activation(A::HardSigmoid, 1.0 / 6.0, 0.5, x)?;
    Ok(b.prod(x, gate)?.into())
}

/// `scale * (x > 0 ? x : alpha * (exp(x * input_scale) - 1))`.
fn elu(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (alpha, scale, input_scale) = (call.float("alpha")?, call.float("scale")?, call.float("input_scale")?);
    let x = call.tensor("self")?;
    let y = if input_scale == 1.0 {
        b.activation(A::Elu, alpha, 0.0, x)?
    } else {
        let scaled = b.with_scalar(E::Prod, x, input_scale)?;
        let negative = b.activation(A::Elu, alpha, 0.0, scaled)?;
        let zero = b.scalar(b.dtype(x), 0.0, b.rank(x))?;
        let positive = b.elementwise(E::Greater, x, zero)?;
        b.select(positive, x, negative)?
    };
    Ok(if scale == 1.0 { y } else { b.with_scalar(E::Prod, y, scale)? }.into())
}

fn selu(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    plain(b, call, A::Selu, 1.673_263_242_354_377_2, 1.050_700_987_355_480_5)
}

/// `x > 0 ? x : alpha * (exp(x / alpha) - 1)`, which is `alpha * elu(x / alpha)`.
fn celu(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, alpha) = (call.tensor("self")?, call.float("alpha")?);
    let scaled = b.with_scalar(E::Prod, x, 1.0 / alpha)?;
    let y = b.activation(A::Elu, 1.0, 0.0, scaled)?;
    Ok(b.with_scalar(E::Prod, y, alpha)?.into())
}

fn leaky_relu(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    plain(b, call, A::LeakyRelu, call.float("negative_slope")?, 0.0)
}

/// In evaluation the slope is the middle of its range.
fn rrelu(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    if call.bool("training")? {
        return unsupported("rrelu in training mode draws its slopes at random; call model.eval() before converting");
    }
    plain(b, call, A::LeakyRelu, f64::midpoint(call.float("lower")?, call.float("upper")?), 0.0)
}

/// The first half of an axis times the sigmoid of the second.
fn glu(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let axis = call.axis("dim", b.rank(x))?;
    let half = call.output_dims(0)?[axis].clone();
    let value = b.slice_axis(x, axis, Dim::Static(0), half.clone(), 1)?;
    let gate = b.slice_axis(x, axis, half.clone(), half, 1)?;
    let gate = b.activation(A::Sigmoid, 0.0, 0.0, gate)?;
    Ok(b.prod(value, gate)?.into())
}

/// The slope belongs to axis 1, or to all elements.
fn prelu(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, slope) = (call.tensor("self")?, call.tensor("weight")?);
    let rank = b.rank(x);
    let slope = if b.rank(slope) <= 1 {
        let mut dims = vec![Dim::Static(1); rank];
        if rank > 1 {
            dims[1] = Dim::product(&b.dims(slope));
        }
        b.reshape(slope, &dims)?
    } else {
        slope
    };
    Ok(b.add(Op::ParametricRelu, &[x, slope])?.into())
}

/// `log(1 + exp(x))` as `max(x, 0) + log(1 + exp(-|x|))`, which overflows nowhere.
pub(super) fn stable_softplus(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let size = b.unary(U::Abs, x)?;
    let negative = b.unary(U::Neg, size)?;
    let tail = b.activation(A::Softplus, 1.0, 1.0, negative)?;
    let positive = b.activation(A::Relu, 0.0, 0.0, x)?;
    b.sum(positive, tail)
}

fn softplus(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, beta, threshold) = (call.tensor("self")?, call.float("beta")?, call.float("threshold")?);
    let scaled = b.with_scalar(E::Prod, x, beta)?;
    let soft = stable_softplus(b, scaled)?;
    let soft = b.with_scalar(E::Prod, soft, 1.0 / beta)?;
    let limit = b.scalar(b.dtype(x), threshold, b.rank(x))?;
    let linear = b.elementwise(E::Greater, scaled, limit)?;
    Ok(b.select(linear, x, soft)?.into())
}

/// `-softplus(-x)`.
fn log_sigmoid(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let negative = b.unary(U::Neg, x)?;
    let soft = stable_softplus(b, negative)?;
    Ok(b.unary(U::Neg, soft)?.into())
}

/// `|x| <= lambd ? 0 : x`, which keeps NaN.
fn hardshrink(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, lambd) = (call.tensor("self")?, call.float("lambd")?);
    let size = b.unary(U::Abs, x)?;
    let limit = b.scalar(b.dtype(x), lambd, b.rank(x))?;
    let is_small = at_most(b, size, limit)?;
    let zero = b.scalar(b.dtype(x), 0.0, b.rank(x))?;
    Ok(b.select(is_small, zero, x)?.into())
}

/// `x <= limit`, which is false for NaN.
fn at_most(b: &mut Builder, x: TensorId, limit: TensorId) -> Result<TensorId> {
    let (less, equal) = (b.elementwise(E::Less, x, limit)?, b.elementwise(E::Equal, x, limit)?);
    b.elementwise(E::Or, less, equal)
}

/// `x - clip(x, -lambd, lambd)`.
fn softshrink(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, lambd) = (call.tensor("self")?, call.float("lambd")?);
    let inner = b.activation(A::Clip, -lambd, lambd, x)?;
    Ok(b.sub(x, inner)?.into())
}

/// `x <= threshold ? value : x`, which keeps NaN.
fn threshold(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, limit, value) = (call.tensor("self")?, call.float("threshold")?, call.float("value")?);
    let limit = b.scalar(b.dtype(x), limit, b.rank(x))?;
    let replaced = at_most(b, x, limit)?;
    let value = b.scalar(b.dtype(x), value, b.rank(x))?;
    Ok(b.select(replaced, value, x)?.into())
}
