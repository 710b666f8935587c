//! The calls that make up each layer, one file a family.
//!
//! [`tell`] is the table: every layer of the network has its line. A function makes one TensorRT layer and sets its
//! attributes; names, checks and errors' places are added by who calls [`tell`]. Nothing here rewrites: what the loaded
//! version lacks was rewritten before, or is refused.

mod elementwise;
mod indexing;
mod layout;
mod plugin;
mod quantize;
pub(crate) mod recurrent;
mod reduce;
mod spatial;

use crate::error::Fault;
use crate::tell::{Teller, Told};
use network::{Layer, Op};
use nvinfer as trt;

/// Adds the layer to TensorRT's network.
///
/// # Errors
/// What the binding says; the layer is not named yet.
pub(crate) fn tell<'n>(t: &mut Teller<'n, '_>, layer: &Layer) -> Told<trt::Layer<'n>> {
    match &layer.op {
        // A constant is told where it is used: see `Teller::tensor`.
        Op::Constant(_) => layout::identity(t, layer),
        Op::Activation { kind, alpha, beta } => elementwise::activation(t, layer, *kind, [*alpha, *beta]),
        Op::Assertion { message } => layout::assertion(t, layer, message),
        Op::Cast { to } => elementwise::cast(t, layer, *to),
        Op::Concatenation { axis } => layout::concatenation(t, layer, *axis),
        Op::Convolution(attributes) => spatial::convolution(t, layer, attributes),
        Op::Cumulative { op, axis, exclusive, reverse } => {
            reduce::cumulative(t, layer, *op, *axis, [*exclusive, *reverse])
        }
        Op::Deconvolution(attributes) => spatial::deconvolution(t, layer, attributes),
        Op::Dequantize { axis, to } => quantize::dequantize(t, layer, *axis, *to),
        Op::DynamicQuantize { axis, block_size, to, scale_type } => {
            quantize::dynamic(t, layer, (*axis, *block_size), (*to, *scale_type))
        }
        Op::Einsum { equation } => reduce::einsum(t, layer, equation),
        Op::ElementWise { op } => elementwise::elementwise(t, layer, *op),
        Op::Fill { op, dims, dtype, alpha, beta } => elementwise::fill(t, layer, (*op, *dtype), dims, [*alpha, *beta]),
        Op::Gather { mode, axis, elementwise_dims } => indexing::gather(t, layer, *mode, [*axis, *elementwise_dims]),
        Op::GridSample { interpolation, sample, align_corners } => {
            spatial::grid_sample(t, layer, *interpolation, *sample, *align_corners)
        }
        Op::Identity => layout::identity(t, layer),
        Op::Lrn { window, alpha, beta, k } => {
            spatial::lrn(t, layer, trt::network::LrnParameters { window: *window, alpha: *alpha, beta: *beta, k: *k })
        }
        Op::MatrixMultiply { op0, op1 } => reduce::matrix_multiply(t, layer, *op0, *op1),
        Op::Nms { format, topk_box_limit, .. } => indexing::nms(t, layer, *format, *topk_box_limit),
        Op::NonZero { .. } => indexing::non_zero(t, layer),
        Op::Normalization { axes, epsilon, groups } => reduce::normalization(t, layer, axes, *epsilon, *groups),
        Op::OneHot { axis } => indexing::one_hot(t, layer, *axis),
        Op::Padding { pre, post } => spatial::padding(t, layer, pre, post),
        Op::ParametricRelu => elementwise::parametric_relu(t, layer),
        Op::Plugin(attributes) => plugin::plugin(t, layer, attributes),
        Op::Pooling(attributes) => spatial::pooling(t, layer, attributes),
        Op::Quantize { axis, to } => quantize::quantize(t, layer, *axis, *to),
        Op::RaggedSoftMax => reduce::ragged_softmax(t, layer),
        // Several layers, one for each output: see `Teller::layer`.
        Op::Recurrent { .. } => Err(Fault::Problem("a recurrent layer is emitted as a loop".to_owned())),
        Op::Reduce { op, axes, keep_dims } => reduce::reduce(t, layer, *op, axes, *keep_dims),
        Op::Resize(attributes) => spatial::resize(t, layer, attributes),
        Op::ReverseSequence { batch_axis, sequence_axis } => {
            indexing::reverse_sequence(t, layer, *batch_axis, *sequence_axis)
        }
        Op::Scale { mode, channel_axis } => elementwise::scale(t, layer, *mode, *channel_axis),
        Op::Scatter { mode, axis } => indexing::scatter(t, layer, *mode, *axis),
        Op::Select => elementwise::select(t, layer),
        Op::Shape => layout::shape(t, layer),
        Op::Shuffle { first_transpose, reshape, second_transpose } => {
            let transposes = [first_transpose.as_deref(), second_transpose.as_deref()];
            layout::shuffle(t, layer, transposes, reshape.as_deref())
        }
        Op::Slice { start, size, stride, mode } => layout::slice(t, layer, [start, size, stride], *mode),
        Op::SoftMax { axis } => reduce::softmax(t, layer, *axis),
        Op::Squeeze { axes } => layout::squeeze(t, layer, axes),
        Op::TopK { op, k, axis } => indexing::topk(t, layer, *op, *k, *axis),
        Op::Unary { op } => elementwise::unary(t, layer, *op),
        Op::Unsqueeze { axes } => layout::unsqueeze(t, layer, axes),
    }
}

/// TensorRT takes something as an attribute that the network computes.
fn not_constant(what: &str) -> Fault {
    Fault::Problem(format!("{what} must be known when the engine is built: TensorRT does not take it as a tensor"))
}
