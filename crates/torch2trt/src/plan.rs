//! A serialized TensorRT engine, and what people want to know of it.

use runtime::EngineSpec;
use std::time::Duration;

/// A serialized TensorRT engine.
pub struct Plan {
    plan: build::Plan,
    declared: EngineSpec,
}

impl Plan {
    pub(crate) fn new(plan: build::Plan, declared: EngineSpec) -> Self {
        Self { plan, declared }
    }

    /// What the model takes and gives, in its own types, and the sizes that the plan is for.
    pub fn declared(&self) -> &EngineSpec {
        &self.declared
    }

    /// The engine as TensorRT serialized it.
    pub fn bytes(&self) -> &[u8] {
        self.plan.bytes()
    }

    /// What the build reports.
    pub fn report(&self) -> &build::Report {
        &self.plan.report
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
        rows.extend(report.warnings.iter().map(|warning| ("warning", warning.clone())));
        rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
