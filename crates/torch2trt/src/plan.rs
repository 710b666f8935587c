//! A serialized TensorRT engine, and what people want to know of it.

use crate::{Artifact, Payload};
use bytes::Bytes;
use engine::Built;
use runtime::EngineSpec;
use std::time::Duration;

/// A serialized TensorRT engine.
pub struct Plan {
    artifact: Artifact,
    bytes: Bytes,
    report: build::Report,
}

/// TensorRT's own memory, lent as bytes.
struct Memory(build::Plan);

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl Plan {
    pub(crate) fn new(plan: build::Plan, declared: EngineSpec, built: Built, source: String) -> Self {
        let report = plan.report.clone();
        let bytes = Bytes::from_owner(Memory(plan));
        Self {
            artifact: Artifact {
                declared,
                payload: Payload::Plan(bytes.clone()),
                built: Some(built),
                source: Some(source),
            },
            bytes,
            report,
        }
    }

    /// What an engine is made from.
    pub fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// The engine as TensorRT serialized it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the build reports.
    pub fn report(&self) -> &build::Report {
        &self.report
    }

    /// What was built, as (name, value) pairs for people.
    pub fn summary(&self) -> Vec<(String, String)> {
        let report = self.report();
        let megabytes = |bytes: usize| format!("{:.1} MB", bytes as f64 / 1e6);
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        let mut rows = vec![
            ("TensorRT", report.tensorrt.to_string()),
            ("target", report.target.clone().unwrap_or_else(|| "the GPU of this machine".into())),
            ("layers told", report.layers.to_string()),
            ("plan", format!("{}, {} of it weights", megabytes(report.plan_bytes), megabytes(report.weight_bytes))),
            ("build", seconds(report.time)),
        ];
        rows.extend(report.activation_bytes.map(|bytes| ("memory", format!("{} for each context", megabytes(bytes)))));
        rows.extend(report.warnings.iter().map(|warning| ("warning", warning.clone())));
        rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
