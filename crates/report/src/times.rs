//! How long layers take, and which layers of the network a timed layer of the engine stands for.
//!
//! TensorRT and ONNX Runtime fuse layers and rename them: a timed layer is matched with the layers of the network by
//! the names in its own. What matches none (a reordering, for one) is listed by its own name.

use crate::Graph;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The times of an engine's layers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Times {
    /// Number of calls.
    pub calls: usize,
    /// Mean seconds of a call, layers and what is between them.
    pub seconds: f64,
    /// The layers in the order in which they ran.
    pub layers: Vec<LayerTime>,
    /// What takes the part of a call that is in no layer.
    pub rest: String,
}

/// The time of one layer of the engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LayerTime {
    /// Its name: that of a layer of the network, or the names of those that were fused.
    pub name: String,
    /// Its ONNX operator; empty where the executor does not report one.
    pub kind: String,
    /// Mean seconds of a call.
    pub seconds: f64,
}

impl Times {
    /// Of each timed layer, the indices of the layers of the network that it stands for, in order.
    pub(crate) fn covered(&self, graph: &Graph) -> Vec<Vec<usize>> {
        let by_name: HashMap<&str, usize> =
            graph.layers.iter().enumerate().map(|(index, layer)| (layer.name.as_str(), index)).collect();
        self.layers.iter().map(|layer| covered(&layer.name, &by_name)).collect()
    }

    /// Seconds of all layers in a call.
    pub(crate) fn in_layers(&self) -> f64 {
        self.layers.iter().map(|layer| layer.seconds).sum()
    }
}

/// The layers that a name names. `a + b` are two; `{ForeignNode[a...b]}` is all from one to the other.
fn covered(name: &str, by_name: &HashMap<&str, usize>) -> Vec<usize> {
    let mut found = Vec::new();
    for part in name.split(" + ") {
        let inner = part.trim_matches(|c: char| matches!(c, '{' | '}' | ' ')).trim_start_matches("ForeignNode");
        let inner = inner.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(inner);
        match inner.split_once("...") {
            Some((first, last)) => match (one(first, by_name), one(last, by_name)) {
                (Some(first), Some(last)) => found.extend(first.min(last)..=first.max(last)),
                (one, other) => found.extend(one.or(other)),
            },
            None => found.extend(one(inner, by_name)),
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The layer of a name, with or without what executors append (`/Cast`, `_nchwc`, `_token_7`).
fn one(name: &str, by_name: &HashMap<&str, usize>) -> Option<usize> {
    let mut rest = name.trim();
    loop {
        if let Some(index) = by_name.get(rest) {
            return Some(*index);
        }
        rest = &rest[..rest.rfind(['/', '_', ':', ' '])?];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fused_layers_are_matched() {
        let by_name: HashMap<&str, usize> =
            [("conv1.Convolution", 0), ("relu.Activation", 1), ("relu.Activation_2", 2), ("fc.MatrixMultiply", 3)]
                .into();
        for (name, expected) in [
            ("relu.Activation_nchwc", vec![1]),
            ("relu.Activation_2_nchwc", vec![2]),
            ("conv1.Convolution + relu.Activation", vec![0, 1]),
            ("{ForeignNode[conv1.Convolution...relu.Activation_2]}", vec![0, 1, 2]),
            ("fc.MatrixMultiply/Gemm_token_9", vec![3]),
            ("Reformatting CopyNode", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(covered(name, &by_name), expected, "{name}");
        }
    }
}
