//! The interface of an engine: what it takes, what it gives, and for which sizes it was made.
//!
//! It is plain data and goes into the engine file as it is. The check of a call against it is in `check.rs`.

use crate::{DataType, Dim};
use dims::Profile;

/// Inputs, outputs and profiles of an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EngineSpec {
    /// What a call passes, in order.
    pub inputs: Vec<IoSpec>,
    /// What a call gets, in order.
    pub outputs: Vec<IoSpec>,
    /// The ranges of sizes the engine was made for (TensorRT's optimization profiles). Empty: sizes are bound by
    /// `inputs` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Profile>,
}

/// One input or output.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IoSpec {
    /// Its name in the executable (TensorRT's I/O tensor name, ONNX's value name).
    pub name: String,
    /// Element type.
    pub dtype: DataType,
    /// One size an axis. A symbol that no input axis decides (the count that `nonzero` finds) makes the shape of
    /// an output depend on data. In files: a number, or the text of the expression.
    pub dims: Vec<Dim>,
}

impl IoSpec {
    /// An input or output of these sizes.
    pub fn new(name: impl Into<String>, dtype: DataType, dims: impl IntoIterator<Item = Dim>) -> Self {
        Self { name: name.into(), dtype, dims: dims.into_iter().collect() }
    }
}
