//! Ranges of sizes that an engine is made for: TensorRT's optimization profiles.
//!
//! Plain data, in files as it is. What a range means for an input, and whether it fits, is decided elsewhere.

use std::collections::BTreeMap;

/// One set of size ranges that an engine is made and tuned for (TensorRT `IOptimizationProfile`).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Profile {
    /// Ranges of symbols.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub symbols: BTreeMap<String, SizeRange>,
    /// Ranges of an input's axes, by input name, one range an axis; they win over `symbols`. What a plan of unknown
    /// origin reports.
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

    /// Whether the size is within.
    pub fn contains(&self, size: i64) -> bool {
        (self.min..=self.max).contains(&size)
    }
}

impl std::fmt::Display for SizeRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.min == self.max { write!(f, "{}", self.min) } else { write!(f, "{}..{}", self.min, self.max) }
    }
}
