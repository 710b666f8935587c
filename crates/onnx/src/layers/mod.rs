//! The table of layers: which function lowers which.
//!
//! A function takes the layer's scope and attributes, emits nodes and returns the value of the output. Each file is
//! a family and says in its head what differs between TensorRT's layer and ONNX's operator.

mod activation;
mod convolution;
mod elementwise;
mod fill;
mod gather;
mod integers;
mod matrix;
mod nan;
mod nms;
mod normalization;
mod pooling;
mod quantize;
mod recurrent;
mod reduce;
mod resize;
mod scale;
mod scatter;
mod shuffle;
mod slice;

use crate::Result;
use crate::graph::Value;
use crate::scope::Scope;
use network::Op;

/// Lowers one layer: a value for each of its outputs.
#[rustfmt::skip]
pub(crate) fn lower(s: &mut Scope<'_, '_>, op: &Op) -> Result<Vec<Value>> {
    let value = match op {
        // Several outputs, or none. ONNX cannot stop a run: an assertion's condition is left to whoever calls.
        Op::Assertion { .. } => return Ok(Vec::new()),
        Op::DynamicQuantize { axis, block_size, to, scale_type } => return quantize::dynamic(s, *axis, *block_size, *to, *scale_type),
        Op::Nms { format, topk_box_limit, .. } => return nms::lower(s, *format, *topk_box_limit),
        Op::Recurrent { cell, reverse } => return recurrent::lower(s, *cell, *reverse),
        Op::Plugin(plugin) => return Err(s.unsupported(
            format!("plugin `{}` is code for TensorRT", plugin.title()),
            "build for TensorRT; in Python, the CPU engine runs the operator of a plugin in PyTorch",
        )),
        Op::TopK { op, k, axis } => return reduce::top_k(s, *op, *k, *axis),
        // One output.
        Op::Constant(weights) => s.weights(weights),
        Op::Identity => s.input(0)?,
        Op::Activation { kind, alpha, beta } => activation::lower(s, *kind, *alpha, *beta)?,
        Op::Cast { to } => elementwise::cast(s, *to)?,
        Op::ElementWise { op } => elementwise::binary(s, *op)?,
        Op::ParametricRelu => elementwise::parametric_relu(s)?,
        Op::Select => elementwise::select(s)?,
        Op::Unary { op } => elementwise::unary(s, *op)?,
        Op::Scale { mode, channel_axis } => scale::lower(s, *mode, *channel_axis)?,
        Op::Convolution(a) => convolution::convolution(s, a)?,
        Op::Deconvolution(a) => convolution::deconvolution(s, a)?,
        Op::Pooling(a) => pooling::lower(s, a)?,
        Op::MatrixMultiply { op0, op1 } => matrix::lower(s, *op0, *op1)?,
        Op::Einsum { equation } => matrix::einsum(s, equation)?,
        Op::Lrn { window, alpha, beta, k } => normalization::lrn(s, *window, [*alpha, *beta, *k])?,
        Op::Normalization { axes, epsilon, groups } => normalization::lower(s, axes, *epsilon, *groups)?,
        Op::SoftMax { axis } => reduce::soft_max(s, *axis)?,
        Op::RaggedSoftMax => reduce::ragged_soft_max(s)?,
        Op::Reduce { op, axes, keep_dims } => reduce::lower(s, *op, axes, *keep_dims)?,
        Op::Cumulative { axis, exclusive, reverse, .. } => reduce::cumulative(s, *axis, *exclusive, *reverse)?,
        Op::Concatenation { axis } => shuffle::concatenation(s, *axis)?,
        Op::Shape => shuffle::shape(s)?,
        Op::Shuffle { first_transpose, reshape, second_transpose } => shuffle::lower(s, first_transpose.as_deref(), reshape.as_deref(), second_transpose.as_deref())?,
        Op::Squeeze { axes } => shuffle::squeeze(s, axes)?,
        Op::Unsqueeze { axes } => shuffle::unsqueeze(s, axes)?,
        Op::Padding { pre, post } => slice::padding(s, pre, post)?,
        Op::Slice { start, size, stride, mode } => slice::lower(s, [start, size, stride], *mode)?,
        Op::ReverseSequence { batch_axis, sequence_axis } => slice::reverse_sequence(s, *batch_axis, *sequence_axis)?,
        Op::Fill { op, dims, dtype, alpha, beta } => fill::lower(s, *op, dims, *dtype, [*alpha, *beta])?,
        Op::Gather { mode, axis, elementwise_dims } => gather::lower(s, *mode, *axis, *elementwise_dims)?,
        Op::NonZero { .. } => gather::non_zero(s)?,
        Op::OneHot { axis } => gather::one_hot(s, *axis)?,
        Op::Scatter { mode, axis } => scatter::lower(s, *mode, *axis)?,
        Op::GridSample { interpolation, sample, align_corners } => resize::grid_sample(s, *interpolation, *sample, *align_corners)?,
        Op::Resize(a) => resize::lower(s, a)?,
        Op::Quantize { axis, to } => quantize::quantize(s, *axis, *to)?,
        Op::Dequantize { axis, to } => quantize::dequantize(s, *axis, *to)?,
    };
    Ok(vec![value])
}
