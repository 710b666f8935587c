//! Layers that a library outside TensorRT implements: what a plugin is created with, and what it is declared to make.
//!
//! TensorRT finds a plugin's outputs by asking its library. Without the library nobody can infer them, so the layer
//! declares them; whoever emits the layer compares the declaration with TensorRT's answer.

use crate::{DType, Dims};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// The interface that a plugin implements, and the call that adds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PluginApi {
    /// `addPluginV2`.
    V2,
    /// `addPluginV3`.
    V3,
}

/// TensorRT `PluginFieldType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are TensorRT's enumerators of the same names")]
pub enum PluginFieldType {
    Float16,
    Float32,
    Float64,
    Int8,
    Int16,
    Int32,
    Char,
    /// Each element is nine int64: the rank, then eight sizes.
    Dims,
    Unknown,
    Bf16,
    Int64,
    Fp8,
    Int4,
    Fp4,
}

impl PluginFieldType {
    /// Bytes of an element; none where that is between the plugin and whoever creates it.
    fn bytes(self) -> Option<usize> {
        match self {
            Self::Float64 | Self::Int64 => Some(8),
            Self::Float32 | Self::Int32 => Some(4),
            Self::Float16 | Self::Bf16 | Self::Int16 => Some(2),
            Self::Int8 | Self::Char | Self::Fp8 => Some(1),
            Self::Dims => Some(9 * 8),
            Self::Unknown | Self::Int4 | Self::Fp4 => None,
        }
    }
}

/// Bytes, hexadecimal in text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

/// An attribute that a plugin is created with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginField {
    /// Its name.
    pub name: String,
    /// Type of its elements.
    pub kind: PluginFieldType,
    /// Number of elements.
    pub length: usize,
    /// The elements, little-endian.
    pub data: Hex,
}

/// An output that a plugin is declared to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginOutput {
    /// Element type.
    pub dtype: DType,
    /// Sizes.
    pub dims: Dims,
}

/// Attributes of a plugin layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginAttributes {
    /// Name of the plugin, by which its creator is found.
    pub name: String,
    /// Version of the plugin.
    pub version: String,
    /// Namespace that its creator is registered in.
    pub namespace: String,
    /// Its interface.
    pub api: PluginApi,
    /// What it is created with.
    pub fields: Vec<PluginField>,
    /// What a plugin serialized (`V2` only), of which it is made in place of fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serialized: Option<Hex>,
    /// Number of shape tensors, at the end of the inputs (`V3` only).
    pub shape_inputs: usize,
    /// What it makes.
    pub outputs: Vec<PluginOutput>,
}

impl PluginAttributes {
    /// `name version`, or `namespace::name version`.
    pub fn title(&self) -> String {
        let separator = if self.namespace.is_empty() { "" } else { "::" };
        format!("{}{separator}{} {}", self.namespace, self.name, self.version)
    }

    /// What contradicts itself.
    pub(crate) fn problem(&self, inputs: usize) -> Option<String> {
        let is_wrong = |field: &&PluginField| {
            field.kind.bytes().is_some_and(|bytes| field.length.checked_mul(bytes) != Some(field.data.0.len()))
        };
        if let Some(field) = self.fields.iter().find(is_wrong) {
            let PluginField { name, kind, length, data } = field;
            return Some(format!("field `{name}` of {length} {kind:?} has {} bytes", data.0.len()));
        }
        if self.serialized.is_some() && (self.api == PluginApi::V3 || !self.fields.is_empty()) {
            return Some(format!(
                "plugin `{}` is serialized, which those of version 2 without fields can be",
                self.title()
            ));
        }
        if self.outputs.is_empty() {
            return Some(format!("plugin `{}` is declared without outputs", self.title()));
        }
        let most = if self.api == PluginApi::V3 { inputs } else { 0 };
        (self.shape_inputs > most).then(|| format!("{} of {most} inputs are shape tensors", self.shape_inputs))
    }
}

impl Serialize for Hex {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(2 * self.0.len());
        for byte in &self.0 {
            let _ = write!(text, "{byte:02x}");
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let digit = |byte: u8| (byte as char).to_digit(16);
        let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok();
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        let bytes = bytes.filter(|_| rest.is_empty());
        bytes.map(Self).ok_or_else(|| serde::de::Error::custom("the data of a plugin is not hexadecimal"))
    }
}
