//! The manifest: what there is to know of an engine without running it.

use runtime::{DataType, EngineSpec};
use std::collections::BTreeMap;
use std::fmt;

/// The description of an engine, as JSON in the file. Fields may be added in later versions: unknown ones are ignored.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Manifest {
    /// Program and version that wrote the file, such as `torch2trt 0.1.0`.
    pub made_by: String,
    /// What the plan was built by and for; none where there is no plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built: Option<Built>,
    /// Names, types, sizes and profiles, in the model's own types.
    pub interface: EngineSpec,
    /// Where each weight is in the weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<WeightEntry>,
    /// How a call of the model is decomposed and its return value assembled, in the caller's own terms: the writer
    /// and the reader of this part are the same language's front.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub model: serde_json::Value,
    /// XXH3 of the text of the network that it was made from, in hexadecimal: equal for equal networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The options of the build.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, serde_json::Value>,
    /// Largest difference to PyTorch that was seen, relative to the largest output, by output name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accuracy: BTreeMap<String, f64>,
    /// What the conversion did, as (name, value) pairs for people: stages with their seconds, precision, warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conversion: Vec<(String, String)>,
}

/// What a plan was built by and for.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Built {
    /// The TensorRT, such as `TensorRT 8.6.0`.
    pub tensorrt: String,
    /// The GPU: its name, or what the caller named (`sm_89`).
    pub gpu: String,
    /// The plan runs with later versions of TensorRT too.
    #[serde(default)]
    pub version_compatible: bool,
    /// The plan runs on other GPUs too.
    #[serde(default)]
    pub hardware_compatible: bool,
    /// XXH3 of the emitted network, without the values of its weights, in hexadecimal; only where the
    /// plan takes new ones. A refit is with a network of the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structure: Option<String>,
    /// The plugins in the plan, whose libraries must be loaded before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<PluginName>,
}

/// What a plugin's creator is found by.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct PluginName {
    /// Name of the plugin.
    pub name: String,
    /// Version of the plugin.
    pub version: String,
    /// Namespace that its creator is registered in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.namespace.is_empty() { "" } else { "::" };
        write!(f, "{}{separator}{} {}", self.namespace, self.name, self.version)
    }
}

/// One weight of an ONNX model.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WeightEntry {
    /// Name of the initializer.
    pub name: String,
    /// Element type.
    pub dtype: DataType,
    /// Sizes.
    pub dims: Vec<i64>,
    /// Where it starts, from the beginning of the weights; a multiple of 64.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}
