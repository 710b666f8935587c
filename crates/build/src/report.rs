//! What a build gives: the plan, and what there is to know of it.

use crate::InputRanges;
use nvinfer as trt;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

/// A serialized engine, and how it came about.
#[derive(Debug)]
pub struct Plan {
    pub(crate) bytes: trt::HostMemory,
    /// The timings that this build used and made, for the next one; `None` unless
    /// [`crate::BuildOptions::timing_cache`] was given (it may be given empty).
    pub timing_cache: Option<Vec<u8>>,
    /// What there is to know of it.
    pub report: Report,
}

impl Plan {
    /// The serialized engine.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What there is to know of a build.
#[derive(Clone, Debug)]
pub struct Report {
    /// The TensorRT that built it.
    pub tensorrt: trt::Version,
    /// Where that TensorRT is.
    pub library: PathBuf,
    /// The GPU it was built for, as the caller named it; `None`: that of this machine.
    pub target: Option<String>,
    /// Layers of the network, before TensorRT fused them.
    pub layers: usize,
    /// Size of the plan.
    pub plan_bytes: usize,
    /// Size of the network's constants.
    pub weight_bytes: usize,
    /// Device memory that an execution context takes in addition to the weights, in bytes, where TensorRT reports it.
    pub activation_bytes: Option<usize>,
    /// How long emission and building took.
    pub time: Duration,
    /// What TensorRT warned of, without repetitions, and which options were not met.
    pub warnings: Vec<String>,
    /// The sizes that the plan takes: for each profile, the range of every axis of every input.
    pub profiles: Vec<Vec<InputRanges>>,
}

/// What TensorRT warned of after its first `mark` messages, each once.
pub(crate) fn warnings(library: trt::Library, mark: u64) -> Vec<String> {
    let mut seen = HashSet::new();
    let messages = library.logger().since(mark).into_iter().filter(|m| m.severity == trt::Severity::Warning);
    messages.map(|m| m.text.trim().to_owned()).filter(|text| seen.insert(text.clone())).collect()
}

/// TensorRT's own count of the memory that running takes. It is in a message only; an engine for another GPU cannot be
/// asked.
pub(crate) fn activation_bytes(messages: &[String]) -> Option<usize> {
    let rest = |line: &String| line.trim().strip_prefix("Total Activation Memory: ").map(str::to_owned);
    let digits = |rest: String| rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    messages.iter().rev().find_map(rest).and_then(digits)
}

#[cfg(test)]
mod tests {
    use super::activation_bytes;

    #[test]
    fn the_last_count_of_memory_is_taken() {
        let messages = ["Total Activation Memory: 7", "Total Activation Memory: 12808192 bytes", "Engine generation"];
        assert_eq!(activation_bytes(&messages.map(str::to_owned)), Some(12_808_192));
        assert_eq!(activation_bytes(&["Total Weights Memory: 3 bytes".to_owned()]), None);
    }
}
