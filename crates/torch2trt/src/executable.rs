//! What a conversion ends in: an engine that runs, what the caller passes and gets, and what it was made from.
//!
//! What it was made from is kept (shared, not copied) so that it can be written to an engine file. This file must not
//! know how networks are made.

use bytes::Bytes;
use runtime::{EngineSpec, Weight};
use std::sync::Arc;

/// An engine, ready to run.
#[derive(Clone)]
pub struct Executable {
    /// What runs.
    pub engine: Arc<dyn runtime::Engine>,
    /// The interface in the model's own types. The engine's spec has the types of its memory, which differ where
    /// TensorRT has no int64 (8.6): the caller casts.
    pub declared: EngineSpec,
    /// What the engine was made from.
    pub payload: Payload,
}

/// What an engine is made from.
#[derive(Clone)]
pub enum Payload {
    /// A plan, as TensorRT serialized it.
    Plan(Arc<crate::Plan>),
    /// A plan that was read, with the text of the version that built it.
    PlanBytes(Bytes),
    /// An ONNX model with its weights beside it.
    Onnx {
        /// The `ModelProto`.
        model: Bytes,
        /// Its external weights, borrowed from the captured model where they are the model's.
        weights: Vec<Weight>,
    },
}

impl Executable {
    /// Addresses of the weights that the engine reads where they lie.
    pub fn borrowed(&self) -> Vec<usize> {
        match &self.payload {
            Payload::Onnx { weights, .. } => weights.iter().map(|weight| weight.data.as_ptr().addr()).collect(),
            Payload::Plan(_) | Payload::PlanBytes(_) => Vec::new(),
        }
    }

    /// The plan's bytes, where TensorRT runs.
    pub fn plan(&self) -> Option<&[u8]> {
        match &self.payload {
            Payload::Plan(plan) => Some(plan.bytes()),
            Payload::PlanBytes(bytes) => Some(bytes),
            Payload::Onnx { .. } => None,
        }
    }
}
