//! What a conversion ends in: what an engine is made from, and the engine that runs.
//!
//! What it is made from is kept (shared, not copied) so that it can be written to an engine file. This file must not
//! know how networks are made.

use bytes::Bytes;
use engine::Built;
use runtime::{EngineSpec, Weight};
use std::sync::Arc;

/// What an engine is made from: the content of an engine file.
#[derive(Clone)]
pub struct Artifact {
    /// The interface in the model's own types. An engine's spec has the types of its memory, which differ where
    /// TensorRT has no int64 (8.6): the caller casts.
    pub declared: EngineSpec,
    /// The plan, or the ONNX model.
    pub payload: Payload,
    /// What the plan was built by and for.
    pub built: Option<Built>,
    /// Digest of the network that it was made from, where that is known.
    pub source: Option<String>,
    /// The layers of the network that it was made from, where that is known.
    pub network: Option<Arc<report::Graph>>,
}

/// A plan, or an ONNX model.
#[derive(Clone)]
pub enum Payload {
    /// A plan, as TensorRT serialized it.
    Plan(Bytes),
    /// An ONNX model with its weights.
    Onnx {
        /// The `ModelProto`.
        model: Bytes,
        /// Its external weights, borrowed from the captured model where they are the model's.
        weights: Vec<Weight>,
    },
}

/// An engine, ready to run.
#[derive(Clone)]
pub struct Executable {
    /// What runs.
    pub engine: Arc<dyn runtime::Engine>,
    /// What it was made from.
    pub artifact: Artifact,
}

impl Artifact {
    /// Addresses of the weights that the engine reads where they lie.
    pub fn borrowed(&self) -> Vec<usize> {
        match &self.payload {
            Payload::Onnx { weights, .. } => weights.iter().map(|weight| weight.data.as_ptr().addr()).collect(),
            Payload::Plan(_) => Vec::new(),
        }
    }

    /// Bytes of the plan, or of the ONNX model and its weights.
    pub fn bytes(&self) -> u64 {
        let length = match &self.payload {
            Payload::Plan(plan) => plan.len(),
            Payload::Onnx { model, weights } => {
                weights.iter().fold(model.len(), |sum, weight| sum.saturating_add(weight.data.len()))
            }
        };
        length as u64
    }

    /// The plan's bytes, where there is one.
    pub fn plan(&self) -> Option<&Bytes> {
        match &self.payload {
            Payload::Plan(plan) => Some(plan),
            Payload::Onnx { .. } => None,
        }
    }
}
