//! Normalization with learned scale and shift.
//!
//! | schema | layers |
//! |---|---|
//! | `batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, …)` | Scale; Reduce, ElementWise |
//! | `_native_batch_norm_legit…`, `native_batch_norm`, `cudnn_batch_norm` | the same |
//! | `layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias, …)` | Normalization |
//! | `native_layer_norm` | the same |
//! | `group_norm(Tensor input, int num_groups, Tensor? weight, Tensor? bias, float eps, …)` | Normalization |
//! | `native_group_norm` | the same |
//! | `instance_norm(Tensor input, …, bool use_input_stats, float momentum, float eps, …)` | Normalization, Scale |
//! | `rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, float? eps)` | ElementWise, Reduce, Unary |
//! | `_fused_rms_norm` | the same |
//!
//! Dtypes: float in, the same out; statistics and weights may have another float type and are cast. Channels must be
//! static, every other size may be symbolic. Scale and shift of a batch norm with constant statistics are computed
//! in float64 and rounded once, so that they can be folded into a convolution. The saved statistics that the native
//! forms also return belong to training: they are not made.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Error, Result};
use dims::Dim;
use network::{
    DType, ElementWiseOperation as E, Op, ReduceOperation, ScaleMode, TensorId, UnaryOperation as U, Weights,
};

const BATCH: &str = "Scale";

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.batch_norm.default", batch_norm, BATCH, 1e-5),
    operator("aten._native_batch_norm_legit_no_training.default", batch_norm, BATCH, 1e-5),
    operator("aten._native_batch_norm_legit.default", batch_norm, BATCH, 1e-5),
    operator("aten._native_batch_norm_legit.no_stats", batch_norm, "Reduce, ElementWise", 1e-5),
    operator("aten._native_batch_norm_legit_functional.default", batch_norm, BATCH, 1e-5),
    operator("aten.native_batch_norm.default", batch_norm, BATCH, 1e-5),
    operator("aten.cudnn_batch_norm.default", batch_norm, BATCH, 1e-5),
    operator("aten._batch_norm_no_update.default", batch_norm, BATCH, 1e-5),
    operator("aten.layer_norm.default", layer_norm, "Normalization", 1e-5),
    operator("aten.native_layer_norm.default", layer_norm, "Normalization", 1e-5),
    operator("aten.group_norm.default", group_norm, "Normalization", 1e-5),
    operator("aten.native_group_norm.default", group_norm, "Normalization", 1e-5),
    operator("aten.instance_norm.default", instance_norm, "Normalization", 1e-5),
    operator("aten.rms_norm.default", rms_norm, "ElementWise, Reduce, Unary", 1e-5),
    operator("aten._fused_rms_norm.default", rms_norm, "ElementWise, Reduce, Unary", 1e-5),
];

/// The normalized tensor, and nothing for the saved statistics.
fn first_of(call: &Call<'_>, y: TensorId) -> Result<Outputs> {
    let count = call.output_count().max(1);
    if (1..count).any(|k| call.is_used(k)) {
        return unsupported(
            "the statistics that a normalization saves for training are used; compute them with mean and var",
        );
    }
    let mut outputs = vec![None; count];
    outputs[0] = Some(y);
    Ok(outputs.into())
}

/// The affine parameters of a channel-wise normalization, all optional.
#[derive(Clone, Copy)]
struct Channels {
    mean: Option<TensorId>,
    variance: Option<TensorId>,
    weight: Option<TensorId>,
    bias: Option<TensorId>,
    epsilon: f64,
}

fn channels(call: &Call<'_>) -> Result<Channels> {
    let epsilon = if call.argument("epsilon").is_some() { call.float("epsilon")? } else { call.float("eps")? };
    Ok(Channels {
        mean: call.optional_tensor("running_mean")?,
        variance: call.optional_tensor("running_var")?,
        weight: call.optional_tensor("weight")?,
        bias: call.optional_tensor("bias")?,
        epsilon,
    })
}

fn batch_norm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, parameters) = (call.tensor("input")?, channels(call)?);
    let training = call.argument("training").is_some() && call.bool("training")?;
    let y = match (training, parameters.mean, parameters.variance) {
        (false, Some(mean), Some(variance)) => running(b, x, parameters, mean, variance)?,
        (true, Some(_), _) => {
            return unsupported(
                "batch norm in training mode updates its running statistics; call model.eval() before converting",
            );
        }
        _ => batch_statistics(b, x, parameters)?,
    };
    first_of(call, y)
}

/// `(x - mean) / sqrt(variance + epsilon) * weight + bias` with known statistics.
fn running(b: &mut Builder, x: TensorId, p: Channels, mean: TensorId, variance: TensorId) -> Result<TensorId> {
    if let Some(ScaleShift { scale, shift }) = constant_scale(b, p, mean, variance) {
        let (dtype, count) = (b.dtype(x), scale.len() as i64);
        let shift = b.constant(Weights::from_f64(dtype, &[count], shift))?;
        let scale = b.constant(Weights::from_f64(dtype, &[count], scale))?;
        return b.add(Op::Scale { mode: ScaleMode::Channel, channel_axis: 1 }, &[x, shift, scale]);
    }
    let rank = b.rank(x);
    let (mean, variance) =
        (per_channel(b, mean, rank, DType::Float32)?, per_channel(b, variance, rank, DType::Float32)?);
    standardize(b, x, p, mean, variance)
}

/// What a normalization with constant statistics multiplies each channel with, and adds to it.
struct ScaleShift {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

/// Scale and shift of each channel in float64, where everything that makes them is constant.
fn constant_scale(b: &Builder, p: Channels, mean: TensorId, variance: TensorId) -> Option<ScaleShift> {
    let read = |id: TensorId| b.weights(id).map(Weights::to_f64);
    let (mean, variance) = (read(mean)?, read(variance)?);
    let optional = |id: Option<TensorId>, default: f64| match id {
        Some(id) => read(id),
        None => Some(vec![default; mean.len()]),
    };
    let (weight, bias) = (optional(p.weight, 1.0)?, optional(p.bias, 0.0)?);
    let scale: Vec<f64> = variance.iter().zip(&weight).map(|(v, w)| w / (v + p.epsilon).sqrt()).collect();
    let shift = mean.iter().zip(&bias).zip(&scale).map(|((m, b), s)| b - m * s).collect();
    Some(ScaleShift { scale, shift })
}

/// A vector over the channels, with axes of size 1 around it: `[1, C, 1, …]`.
fn per_channel(b: &mut Builder, x: TensorId, rank: usize, dtype: DType) -> Result<TensorId> {
    let x = b.cast(x, dtype)?;
    let mut dims = vec![Dim::Static(1); rank];
    dims[1] = Dim::product(&b.dims(x));
    b.reshape(x, &dims)
}

/// Normalizes with statistics in float32 that broadcast to x, then scales and shifts the channels.
fn standardize(b: &mut Builder, x: TensorId, p: Channels, mean: TensorId, variance: TensorId) -> Result<TensorId> {
    let dtype = b.dtype(x);
    let wide = b.cast(x, DType::Float32)?;
    let centered = b.sub(wide, mean)?;
    let variance = b.with_scalar(E::Sum, variance, p.epsilon)?;
    let deviation = b.unary(U::Sqrt, variance)?;
    let y = b.div(centered, deviation)?;
    let y = affine_channels(b, y, [p.weight, p.bias])?;
    b.cast(y, dtype)
}

/// `x * weight + bias`, channel by channel.
fn affine_channels(b: &mut Builder, x: TensorId, [weight, bias]: [Option<TensorId>; 2]) -> Result<TensorId> {
    let (dtype, rank) = (b.dtype(x), b.rank(x));
    let mut y = x;
    if let Some(weight) = weight {
        let weight = per_channel(b, weight, rank, dtype)?;
        y = b.prod(y, weight)?;
    }
    if let Some(bias) = bias {
        let bias = per_channel(b, bias, rank, dtype)?;
        y = b.sum(y, bias)?;
    }
    Ok(y)
}

/// Statistics of this very batch: over every axis but the channels.
fn batch_statistics(b: &mut Builder, x: TensorId, p: Channels) -> Result<TensorId> {
    let axes: Vec<usize> = (0..b.rank(x)).filter(|axis| *axis != 1).collect();
    let wide = b.cast(x, DType::Float32)?;
    let mean = b.reduce(ReduceOperation::Avg, wide, &axes, true)?;
    let centered = b.sub(wide, mean)?;
    let squares = b.prod(centered, centered)?;
    let variance = b.reduce(ReduceOperation::Avg, squares, &axes, true)?;
    standardize(b, x, p, mean, variance)
}

/// The normalization layer with scale and bias of these sizes; constants where the call gives none.
fn normalize(b: &mut Builder, x: TensorId, affine: [Option<TensorId>; 2], sizes: &[i64], op: Op) -> Result<TensorId> {
    let dtype = b.dtype(x);
    let dims: Vec<Dim> = sizes.iter().map(|n| Dim::Static(*n)).collect();
    let mut inputs = vec![x];
    for (parameter, neutral) in affine.into_iter().zip([1.0, 0.0]) {
        inputs.push(match parameter {
            Some(parameter) => {
                let parameter = b.cast(parameter, dtype)?;
                b.reshape(parameter, &dims)?
            }
            None => b.constant(Weights::filled(dtype, sizes, neutral))?,
        });
    }
    b.add(op, &inputs)
}

/// The axes of a layer normalization, and the sizes of its weight for the normalization layer.
struct NormalizedAxes {
    axes: Vec<usize>,
    sizes: Vec<i64>,
}

/// The last axes, as many as `normalized_shape` has entries, and the sizes with ones in front.
fn normalized_axes(b: &Builder, call: &Call<'_>, x: TensorId) -> Result<NormalizedAxes> {
    let (rank, shape) = (b.rank(x), call.ints("normalized_shape")?);
    let Some(leading) = rank.checked_sub(shape.len()) else {
        return Err(Error::Converter { problem: format!("normalized_shape has more axes than the input's {rank}") });
    };
    Ok(NormalizedAxes { axes: (leading..rank).collect(), sizes: [vec![1; leading], shape].concat() })
}

fn layer_norm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("input")?;
    let NormalizedAxes { axes, sizes } = normalized_axes(b, call, x)?;
    let op = Op::Normalization { axes, epsilon: call.float("eps")? as f32, groups: 1 };
    let affine = [call.optional_tensor("weight")?, call.optional_tensor("bias")?];
    let y = normalize(b, x, affine, &sizes, op)?;
    first_of(call, y)
}

/// Number of channels, which decides the sizes of the affine parameters.
fn channel_count(b: &Builder, x: TensorId) -> Result<i64> {
    match b.dims(x).get(1).and_then(Dim::as_static) {
        Some(count) => Ok(count),
        None => unsupported("the number of channels (axis 1) must not depend on input sizes"),
    }
}

fn group_norm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("input")?;
    let groups = call.int(if call.argument("num_groups").is_some() { "num_groups" } else { "group" })?;
    let affine = [call.optional_tensor("weight")?, call.optional_tensor("bias")?];
    let y = grouped(b, x, affine, groups, call.float("eps")?)?;
    first_of(call, y)
}

/// Normalizes each group of channels over its channels and all spatial axes.
///
/// Written as an instance normalization of `[N, G, C/G · …]`: the layer's own groups mean one scale a group in some
/// versions of TensorRT and one a channel in others.
fn grouped(b: &mut Builder, x: TensorId, affine: [Option<TensorId>; 2], groups: i64, epsilon: f64) -> Result<TensorId> {
    let (channels, dims) = (channel_count(b, x)?, b.dims(x));
    let op = |rank: usize| Op::Normalization { axes: (2..rank).collect(), epsilon: epsilon as f32, groups: 1 };
    if groups == channels && dims.len() > 2 {
        let mut sizes = vec![1; dims.len()];
        sizes[1] = channels;
        return normalize(b, x, affine, &sizes, op(dims.len()));
    }
    let members = Dim::Static(channels / groups.max(1)) * Dim::product(&dims[2..]);
    let joined = b.reshape(x, &[dims[0].clone(), Dim::Static(groups), members])?;
    let y = normalize(b, joined, [None, None], &[1, groups, 1], op(3))?;
    let y = b.reshape(y, &dims)?;
    scale_channels(b, y, affine)
}

/// `x * weight + bias`, channel by channel: one layer where both are constants.
fn scale_channels(b: &mut Builder, x: TensorId, [weight, bias]: [Option<TensorId>; 2]) -> Result<TensorId> {
    let (dtype, count) = (b.dtype(x), usize::try_from(channel_count(b, x)?).unwrap_or(0));
    let read = |id: Option<TensorId>, neutral: f64| match id {
        Some(id) => b.weights(id).map(Weights::to_f64),
        None => Some(vec![neutral; count]),
    };
    match (weight.or(bias), read(weight, 1.0), read(bias, 0.0)) {
        (None, _, _) => Ok(x),
        (_, Some(scale), Some(shift)) => {
            let shift = b.constant(Weights::from_f64(dtype, &[count as i64], shift))?;
            let scale = b.constant(Weights::from_f64(dtype, &[count as i64], scale))?;
            b.add(Op::Scale { mode: ScaleMode::Channel, channel_axis: 1 }, &[x, shift, scale])
        }
        _ => affine_channels(b, x, [weight, bias]),
    }
}

fn instance_norm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, parameters) = (call.tensor("input")?, channels(call)?);
    let y = match (call.bool("use_input_stats")?, parameters.mean, parameters.variance) {
        (false, Some(mean), Some(variance)) => running(b, x, parameters, mean, variance)?,
        _ => {
            let channels = channel_count(b, x)?;
            grouped(b, x, [parameters.weight, parameters.bias], channels, parameters.epsilon)?
        }
    };
    Ok(y.into())
}

/// `x / sqrt(mean(x²) + eps) * weight`; eps is float32's resolution where none is given.
fn rms_norm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("input")?;
    let dtype = b.dtype(x);
    let NormalizedAxes { axes, sizes } = normalized_axes(b, call, x)?;
    // PyTorch takes the resolution of the type it computes in, which is float32 for half precision too.
    let epsilon = call.optional_float("eps")?.unwrap_or(f64::from(f32::EPSILON));
    let wide = b.cast(x, DType::Float32)?;
    let squares = b.prod(wide, wide)?;
    let mean = b.reduce(ReduceOperation::Avg, squares, &axes, true)?;
    let mean = b.with_scalar(E::Sum, mean, epsilon)?;
    let root = b.unary(U::Sqrt, mean)?;
    let mut y = b.div(wide, root)?;
    if let Some(weight) = call.optional_tensor("weight")? {
        let weight = b.cast(weight, DType::Float32)?;
        let dims: Vec<Dim> = sizes.iter().map(|n| Dim::Static(*n)).collect();
        let weight = b.reshape(weight, &dims)?;
        y = b.prod(y, weight)?;
    }
    let y = b.cast(y, dtype)?;
    first_of(call, y)
}
