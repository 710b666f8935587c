//! The network of an engine as a report draws it: layers with their types, sizes and source lines, and no weights.
//!
//! It is plain data, and the optional record of a network in engine files (docs/engine-file.md). Numbers in it come
//! from files: whoever reads them checks them.

use serde::{Deserialize, Serialize};

/// A network: its values are numbered, inputs first, then the outputs of the layers in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// The inputs of the network.
    pub inputs: Vec<Value>,
    /// The layers in execution order, without constants and what is computed from constants alone.
    pub layers: Vec<Layer>,
    /// The outputs of the network: name, and the number of the value; none of a constant.
    pub outputs: Vec<(String, Option<usize>)>,
    /// What it needs in memory; none where a size has no upper bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
}

/// A tensor that flows between layers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// Name of an input of the network; empty elsewhere.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Element type, such as `float16`.
    pub dtype: String,
    /// Sizes, such as `[batch,3,224,224]`.
    pub shape: String,
    /// Bytes at the largest sizes; 0 where a size has no upper bound.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
}

/// One layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Unique name.
    pub name: String,
    /// Kind of layer, such as `Convolution`.
    pub kind: String,
    /// The type that it computes in.
    pub precision: String,
    /// Path of the module that it comes from; empty for the model itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub module: String,
    /// The operator that was converted, such as `aten.conv2d.default`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operator: String,
    /// `file.py:line`; empty where unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub position: String,
    /// Numbers of the values that it reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<usize>,
    /// What it computes.
    pub outputs: Vec<Value>,
    /// The constants that it reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<Weight>,
    /// The range of a quantization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scales: Option<Scales>,
    /// Why it stays in float32 although another type was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// A constant that a layer reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// Element type as stored.
    pub dtype: String,
    /// Sizes.
    pub shape: String,
    /// Bytes; 0 where an earlier layer reads the same constant, which counts there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
}

/// The scales of a quantization: codes are values divided by the scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scales {
    /// Number of scales: 1 for a tensor, or one for each channel.
    pub count: usize,
    /// The smallest magnitude that a scale distinguishes at most: scale times the largest code.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

/// What a network needs in memory, at the largest sizes, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The weights.
    pub weights: u64,
    /// The inputs and outputs.
    pub interface: u64,
    /// The activations that are stored at a time, at most.
    pub activations: u64,
    /// Scratch space of kernels.
    pub scratch: u64,
    /// Of each kernel in execution order, its first layer and the bytes of the activations stored while it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stored: Vec<(usize, u64)>,
}

impl Memory {
    /// Weights, inputs and outputs, activations and scratch space together.
    pub fn peak(&self) -> u64 {
        [self.weights, self.interface, self.activations, self.scratch].into_iter().fold(0, u64::saturating_add)
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// An input of the network, by its index.
    Input(usize),
    /// A layer, by its index.
    Layer(usize),
}

impl Graph {
    /// The graph of its JSON text; `None` for another text, and for numbers that refer to nothing.
    pub fn from_json(text: &[u8]) -> Option<Self> {
        let graph: Self = serde_json::from_slice(text).ok()?;
        graph.is_sound().then_some(graph)
    }

    /// Whether every layer reads values of inputs and earlier layers only.
    fn is_sound(&self) -> bool {
        let mut known = self.inputs.len();
        for layer in &self.layers {
            if layer.inputs.iter().any(|value| *value >= known) {
                return false;
            }
            known += layer.outputs.len();
        }
        let kernels = self.memory.iter().flat_map(|memory| &memory.stored);
        self.outputs.iter().filter_map(|(_, value)| *value).all(|value| value < known)
            && kernels.into_iter().all(|(layer, _)| *layer < self.layers.len())
    }

    /// Where each value comes from, by its number.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let made = self.layers.iter().enumerate();
        let inputs = (0..self.inputs.len()).map(Source::Input);
        inputs.chain(made.flat_map(|(index, layer)| layer.outputs.iter().map(move |_| Source::Layer(index)))).collect()
    }

    /// Each value, by its number.
    pub(crate) fn values(&self) -> Vec<&Value> {
        self.inputs.iter().chain(self.layers.iter().flat_map(|layer| &layer.outputs)).collect()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}
