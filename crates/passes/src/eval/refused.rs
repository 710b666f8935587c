//! The kinds of layers that have no value here: no pass would fold them, or only a backend defines what they compute.

use super::{Call, EvalError, Result};
use network::{
    BoundingBoxFormat, DType, InterpolationMode, PluginAttributes, PoolingAttributes, RecurrentCell, ResizeAttributes,
    SampleMode, Weights,
};

fn refuse(kind: &'static str) -> Result<Weights> {
    Err(EvalError::Unsupported(kind))
}

pub(super) fn dequantize(_: &Call<'_>, _axis: Option<usize>, _to: DType) -> Result<Weights> {
    refuse("Dequantize")
}

pub(super) fn dynamic_quantize(_: &Call<'_>, _axis: usize, _block: i64, _to: DType, _scale: DType) -> Result<Weights> {
    refuse("DynamicQuantize")
}

pub(super) fn einsum(_: &Call<'_>, _equation: &str) -> Result<Weights> {
    refuse("Einsum")
}

pub(super) fn grid_sample(_: &Call<'_>, _: InterpolationMode, _: SampleMode, _align_corners: bool) -> Result<Weights> {
    refuse("GridSample")
}

pub(super) fn lrn(_: &Call<'_>, _window: i64, _alpha: f32, _beta: f32, _k: f32) -> Result<Weights> {
    refuse("Lrn")
}

pub(super) fn nms(_: &Call<'_>, _: BoundingBoxFormat, _topk_box_limit: i64, _count: &str) -> Result<Weights> {
    refuse("Nms")
}

/// Its sizes are a result, so that it is evaluated before any others are inferred; without x it has no value.
pub(super) fn non_zero(_: &Call<'_>, _count: &str) -> Result<Weights> {
    refuse("NonZero")
}

pub(super) fn plugin(_: &Call<'_>, _: &PluginAttributes) -> Result<Weights> {
    refuse("Plugin")
}

pub(super) fn pooling(_: &Call<'_>, _: &PoolingAttributes) -> Result<Weights> {
    refuse("Pooling")
}

pub(super) fn quantize(_: &Call<'_>, _axis: Option<usize>, _to: DType) -> Result<Weights> {
    refuse("Quantize")
}

pub(super) fn ragged_softmax(_: &Call<'_>) -> Result<Weights> {
    refuse("RaggedSoftMax")
}

pub(super) fn recurrent(_: &Call<'_>, _: RecurrentCell, _reverse: bool) -> Result<Weights> {
    refuse("Recurrent")
}

pub(super) fn resize(_: &Call<'_>, _: &ResizeAttributes) -> Result<Weights> {
    refuse("Resize")
}

pub(super) fn reverse_sequence(_: &Call<'_>, _batch_axis: usize, _sequence_axis: usize) -> Result<Weights> {
    refuse("ReverseSequence")
}
