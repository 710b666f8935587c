//! The interface of an engine: what it takes, what it gives, and for which sizes it was made.
//!
//! It is plain data and goes into the engine file as it is. The check of a call against it is in `check.rs`.

use crate::{DataType, Dim};
use std::collections::BTreeMap;

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

/// One set of size ranges that an engine was optimized for (TensorRT `IOptimizationProfile`).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Profile {
    /// Ranges of symbols.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub symbols: BTreeMap<String, SizeRange>,
    /// Ranges of single axes, by input name, one range an axis: what a plan of unknown origin reports.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub axes: BTreeMap<String, Vec<SizeRange>>,
}

/// Sizes from `min` to `max`, both included, best at `opt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SizeRange {
    /// Smallest size.
    pub min: i64,
    /// The size that kernels are tuned for.
    pub opt: i64,
    /// Largest size.
    pub max: i64,
}

impl SizeRange {
    /// One size only.
    pub fn exactly(size: i64) -> Self {
        Self { min: size, opt: size, max: size }
    }

    /// Whether the size lies within.
    pub fn contains(&self, size: i64) -> bool {
        (self.min..=self.max).contains(&size)
    }
}

impl std::fmt::Display for SizeRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.min == self.max { write!(f, "{}", self.min) } else { write!(f, "{}..{}", self.min, self.max) }
    }
}
