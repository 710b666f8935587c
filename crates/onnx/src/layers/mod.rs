//! The functions that lower the kinds of layers, one for each; `network::each_kind!` lists their names.
//!
//! A function takes the layer's scope and attributes, emits nodes and returns the value of the output, or the values of
//! several. Each file is a family; its head states what differs between TensorRT's layer and ONNX's operator.

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
use activation::*;
use convolution::*;
use elementwise::*;
use fill::*;
use gather::*;
use matrix::*;
use network::Op;
use nms::*;
use normalization::*;
use pooling::*;
use quantize::*;
use recurrent::*;
use reduce::*;
use resize::*;
use scale::*;
use scatter::*;
use shuffle::*;
use slice::*;

/// Lowers one layer: a value for each of its outputs.
pub(crate) fn lower(s: &mut Scope<'_, '_>, op: &Op) -> Result<Vec<Value>> {
    network::dispatch!(op, (s), values)
}

/// What a function returns, one value or several, as several.
fn values(made: Result<impl Into<Vec<Value>>>) -> Result<Vec<Value>> {
    made.map(Into::into)
}

fn constant(s: &mut Scope<'_, '_>, weights: &network::Weights) -> Result<Value> {
    Ok(s.weights(weights))
}

fn identity(s: &mut Scope<'_, '_>) -> Result<Value> {
    s.input(0)
}

/// ONNX cannot stop a run: an assertion's condition is left to whoever calls.
fn assertion(_: &mut Scope<'_, '_>, _message: &str) -> Result<Vec<Value>> {
    Ok(Vec::new())
}

fn plugin(s: &mut Scope<'_, '_>, plugin: &network::PluginAttributes) -> Result<Vec<Value>> {
    Err(s.unsupported(
        format!("plugin `{}` is code for TensorRT", plugin.title()),
        "build for TensorRT; in Python, the CPU engine runs the operator of a plugin in PyTorch",
    ))
}
