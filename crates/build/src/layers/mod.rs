//! The calls that make up each layer, one file a family.
//!
//! [`emit`] calls the function of the layer's kind; `network::each_kind!` lists their names. A function adds one
//! TensorRT layer and sets its attributes. Names, checks and the places of errors are added by the caller of
//! [`emit`]. Nothing here rewrites: what the loaded version lacks was rewritten before, or is refused.

mod elementwise;
mod indexing;
mod layout;
mod plugin;
mod quantize;
mod recurrent;
mod reduce;
mod spatial;

use crate::emitter::{EmitResult, NetworkEmitter};
use crate::error::Fault;
use elementwise::*;
use indexing::*;
use layout::*;
use network::Layer;
use nvinfer as trt;
use plugin::*;
use quantize::*;
use recurrent::*;
use reduce::*;
use spatial::*;

/// Adds the layer to TensorRT's network.
///
/// # Errors
/// The binding's; the layer is not named yet.
pub(crate) fn emit<'n>(t: &mut NetworkEmitter<'n, '_>, layer: &Layer) -> EmitResult<Emitted<'n>> {
    network::dispatch!(&layer.op, (t, layer), emitted)
}

/// The layers that a layer of the network becomes.
pub(crate) enum Emitted<'n> {
    /// One layer with all outputs.
    One(trt::Layer<'n>),
    /// A layer for each output.
    Each(Vec<trt::Layer<'n>>),
}

impl<'n> From<trt::Layer<'n>> for Emitted<'n> {
    fn from(layer: trt::Layer<'n>) -> Self {
        Self::One(layer)
    }
}

impl<'n> From<Vec<trt::Layer<'n>>> for Emitted<'n> {
    fn from(layers: Vec<trt::Layer<'n>>) -> Self {
        Self::Each(layers)
    }
}

fn emitted<'n>(layers: EmitResult<impl Into<Emitted<'n>>>) -> EmitResult<Emitted<'n>> {
    layers.map(Into::into)
}

/// A constant is emitted where it is used: see `NetworkEmitter::tensor`. Alone it is an identity of its weights.
fn constant<'n>(t: &mut NetworkEmitter<'n, '_>, layer: &Layer, _: &network::Weights) -> EmitResult<trt::Layer<'n>> {
    identity(t, layer)
}

/// TensorRT takes something as an attribute that the network computes.
fn not_constant(what: &str) -> Fault {
    Fault::Problem(format!("{what} must be known when the engine is built: TensorRT does not take it as a tensor"))
}
