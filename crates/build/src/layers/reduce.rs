//! Layers that contract or normalize axes: reductions, products of matrices, softmax, normalization.

use crate::emitter::{EmitResult, NetworkEmitter};
use crate::enums::ToTensorRt;
use network::{CumulativeOperation, Layer, MatrixOperation, ReduceOperation};
use nvinfer as trt;
use nvinfer::Axes;

pub(super) fn reduce<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    op: ReduceOperation,
    axes: &[usize],
    keep_dims: bool,
) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    Ok(*t.definition.add_reduce(x, op.to_trt(), Axes::new(axes), keep_dims)?)
}

/// The axis is a tensor in TensorRT: a constant of rank 0.
pub(super) fn cumulative<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    op: CumulativeOperation,
    axis: usize,
    exclusive: bool,
    reverse: bool,
) -> EmitResult<trt::Layer<'n>> {
    let (x, axis) = (t.input(layer, 0)?, t.integers(&[], &[axis as i64])?);
    Ok(*t.definition.add_cumulative(x, axis, op.to_trt(), exclusive, reverse)?)
}

pub(super) fn einsum<'n>(t: &mut NetworkEmitter<'n, '_>, layer: &Layer, equation: &str) -> EmitResult<trt::Layer<'n>> {
    let inputs = t.all(layer)?;
    Ok(t.definition.add_einsum(&inputs, equation)?)
}

pub(super) fn matrix_multiply<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    op0: MatrixOperation,
    op1: MatrixOperation,
) -> EmitResult<trt::Layer<'n>> {
    let (a, b) = (t.input(layer, 0)?, t.input(layer, 1)?);
    Ok(*t.definition.add_matrix_multiply(a, op0.to_trt(), b, op1.to_trt())?)
}

pub(super) fn softmax<'n>(t: &mut NetworkEmitter<'n, '_>, layer: &Layer, axis: usize) -> EmitResult<trt::Layer<'n>> {
    let x = t.input(layer, 0)?;
    let added = t.definition.add_softmax(x)?;
    added.set_axes(Axes::new(&[axis]))?;
    Ok(*added)
}

pub(super) fn ragged_softmax<'n>(t: &mut NetworkEmitter<'n, '_>, layer: &Layer) -> EmitResult<trt::Layer<'n>> {
    let (x, bounds) = (t.input(layer, 0)?, t.input(layer, 1)?);
    Ok(t.definition.add_ragged_softmax(x, bounds)?)
}

/// With groups, only the newer layer has a scale and bias for each channel; the older has them for each group.
pub(super) fn normalization<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    axes: &[usize],
    epsilon: f32,
    groups: i64,
) -> EmitResult<trt::Layer<'n>> {
    let (x, scale, bias) = (t.input(layer, 0)?, t.input(layer, 1)?, t.input(layer, 2)?);
    let added = match groups {
        1 => t.definition.add_normalization(x, scale, bias, Axes::new(axes))?,
        _ => t.definition.add_normalization_v2(x, scale, bias, Axes::new(axes))?,
    };
    added.set_epsilon(epsilon)?;
    if groups != 1 {
        added.set_groups(groups)?;
    }
    Ok(*added)
}
