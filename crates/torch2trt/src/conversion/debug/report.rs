//! What was found: for people, as JSON, and for a reproducer.

use super::ValueRange;
use super::failure::Failed;
use network::Network;
use runtime::Tensor;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::PathBuf;

/// An output of the engine against the reference's.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputError {
    /// Its name.
    pub output: String,
    /// max |expected - got| / max |expected|; infinite where sizes, NaNs or infinities differ.
    pub error: f64,
    /// The largest error that is accepted.
    pub allowed: f64,
}

impl OutputError {
    /// Whether the precision explains the error.
    pub fn is_accepted(&self) -> bool {
        self.error <= self.allowed
    }

    fn to_json(&self) -> Value {
        json!({ "name": self.output, "error": finite(self.error), "tolerance": self.allowed })
    }
}

/// How a call makes the outputs wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// From right inputs, it computes a result that is off by more than the tolerance.
    Own,
    /// Its result is off by less than the tolerance, which the rest of the model amplifies.
    Amplified,
    /// No call alone makes the outputs wrong: it is the first whose result is off by more than the tolerance.
    Accumulated,
}

/// What makes the result of a call wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Its converter: the network is wrong before any pass, in the types of the model.
    Conversion,
    /// A pass, or the engine.
    Passes,
    /// The precision: in the types of the model the network is right.
    Precision,
}

/// A call whose own error is larger than the tolerance.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// Name of the layer.
    pub layer: String,
    /// The operator.
    pub operator: String,
    /// File and line.
    pub source: String,
    /// The error of its result where its inputs are the reference's values.
    pub error: f64,
}

/// The values of a tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NamedRange {
    /// Its name: that of the layer that computes it, or of the network's input.
    pub name: String,
    /// `float32[1, 3]`.
    pub kind: String,
    /// Its values.
    pub range: ValueRange,
}

/// The call that makes the outputs wrong.
#[derive(Debug)]
pub struct Culprit {
    /// Name of the layer.
    pub layer: String,
    /// The operator of the model.
    pub operator: String,
    /// Path of the module.
    pub module: String,
    /// File and line.
    pub source: String,
    /// How it makes the outputs wrong.
    pub kind: Kind,
    /// What makes it wrong; `None` where it is not wrong by itself.
    pub stage: Option<Stage>,
    /// The error of its result.
    pub error: f64,
    /// The largest error that is accepted.
    pub allowed: f64,
    /// Other calls that are one with it in the engine, such as the convolution of a folded batch norm.
    pub merged: Vec<String>,
    /// The reference's result.
    pub reference: NamedRange,
    /// The engine's result.
    pub engine: NamedRange,
    /// What it reads.
    pub inputs: Vec<NamedRange>,
    pub(super) part: Network,
    pub(super) part_inputs: Vec<Tensor>,
    pub(super) expected: Tensor,
}

/// What the comparison of an engine with a reference found.
#[derive(Debug)]
pub struct Diagnosis {
    /// What the engine was compared with.
    pub reference: String,
    /// The outputs.
    pub outputs: Vec<OutputError>,
    /// The call that makes them wrong; `None` where they are right, or where no call is found.
    pub culprit: Option<Culprit>,
    /// All calls whose own error is larger than the tolerance, in the order of execution.
    pub suspects: Vec<Suspect>,
    /// Where no engine can be made: why, and what is left of the model that fails alone.
    pub failed: Option<Failed>,
    /// Number of values that were compared.
    pub values: usize,
    /// Number of networks that were run.
    pub runs: usize,
    /// The folder of the reproducer.
    pub reproducer: Option<PathBuf>,
}

/// A number for JSON, which has no infinity.
fn finite(error: f64) -> Option<f64> {
    error.is_finite().then_some(error)
}

/// `3.1e-1`, or what an infinite error means.
pub(super) fn error_text(error: f64) -> String {
    if error.is_finite() { format!("{error:.1e}") } else { "other sizes, infinities or NaNs".to_owned() }
}

impl Diagnosis {
    pub(super) fn new(reference: &str, outputs: Vec<OutputError>) -> Self {
        let reference = reference.to_owned();
        Self {
            reference,
            outputs,
            culprit: None,
            suspects: Vec::new(),
            failed: None,
            values: 0,
            runs: 0,
            reproducer: None,
        }
    }

    /// Whether something is wrong: an output, or that there is no engine.
    pub fn is_wrong(&self) -> bool {
        self.diverges() || self.failed.is_some()
    }

    /// Whether an output differs by more than the tolerance.
    pub fn diverges(&self) -> bool {
        self.outputs.iter().any(|output| !output.is_accepted())
    }

    /// All of it; an infinite error is null.
    pub fn to_json(&self) -> Value {
        let suspect = |suspect: &Suspect| {
            json!({
                "layer": suspect.layer,
                "operator": suspect.operator,
                "source": suspect.source,
                "error": finite(suspect.error),
            })
        };
        json!({
            "diverges": self.diverges(),
            "reference": self.reference,
            "outputs": self.outputs.iter().map(OutputError::to_json).collect::<Vec<_>>(),
            "fault": self.culprit.as_ref().map(Culprit::to_json),
            "suspects": self.suspects.iter().map(suspect).collect::<Vec<_>>(),
            "failure": self.failed.as_ref().map(Failed::to_json),
            "values": self.values,
            "runs": self.runs,
            "reproducer": self.reproducer,
        })
    }

    /// A report of at most 100 columns, as far as names allow.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        for output in &self.outputs {
            let relation = if output.is_accepted() { "agrees with" } else { "differs from" };
            let (error, allowed) = (error_text(output.error), output.allowed);
            lines.push(format!(
                "output `{}` {relation} {}: {error}, {allowed:.0e} is allowed",
                output.output, self.reference
            ));
        }
        match &self.culprit {
            Some(culprit) => lines.extend(culprit.lines()),
            None if self.failed.is_some() => lines.extend(self.failed.iter().flat_map(Failed::lines)),
            None if self.diverges() => lines.push(format!(
                "no call is to blame: the {} values inside the model agree with {}",
                self.values, self.reference
            )),
            None => lines.push("nothing diverges".to_owned()),
        }
        let others = self.others();
        if !others.is_empty() {
            lines.push(format!("other results with large errors of their own: {}", others.len()));
            lines.extend(others.iter().take(8).map(|suspect| {
                format!("  {} {} ({}): {}", suspect.source, suspect.layer, suspect.operator, error_text(suspect.error))
            }));
        }
        if let Some(folder) = &self.reproducer {
            lines.push(format!("reproducer: torch2trt debug {}", folder.display()));
        }
        lines.join("\n")
    }

    /// The suspects but for the call that is named.
    fn others(&self) -> Vec<&Suspect> {
        let named = self.culprit.as_ref().map(Culprit::as_suspect);
        self.suspects.iter().filter(|suspect| Some(*suspect) != named.as_ref()).collect()
    }
}

impl Culprit {
    pub(super) fn as_suspect(&self) -> Suspect {
        let (layer, operator, source) = (self.layer.clone(), self.operator.clone(), self.source.clone());
        Suspect { layer, operator, source, error: self.error }
    }

    fn to_json(&self) -> Value {
        json!({
            "layer": self.layer,
            "operator": self.operator,
            "module": self.module,
            "source": self.source,
            "kind": self.kind,
            "stage": self.stage,
            "help": self.help(),
            "error": finite(self.error),
            "tolerance": self.allowed,
            "merged": self.merged,
            "expected": self.reference,
            "engine": self.engine,
            "inputs": self.inputs,
        })
    }

    fn lines(&self) -> Vec<String> {
        let first = match self.kind {
            Kind::Own => "its own, from right inputs",
            Kind::Amplified => "the rest of the model amplifies it",
            Kind::Accumulated => "the first that differs; no call alone does",
        };
        let mut lines = vec![String::new(), format!("layer    {}", self.layer)];
        lines.push(format!("source   {}", if self.source.is_empty() { "unknown" } else { &self.source }));
        lines.push(format!("operator {}", self.operator));
        if !self.module.is_empty() {
            lines.push(format!("module   {}", self.module));
        }
        lines.extend(self.merged.iter().enumerate().map(|(k, call)| {
            let what = if k == 0 { "one with" } else { "" };
            format!("{what:8} {call}")
        }));
        lines.push(format!("error    {}, {:.0e} is allowed: {first}", error_text(self.error), self.allowed));
        let stage = self.stage.map(|stage| match stage {
            Stage::Conversion => "conversion: the network is wrong before passes, too",
            Stage::Passes => "passes, or the engine: the network is right before passes",
            Stage::Precision => "precision: the network is right in the types of the model",
        });
        lines.extend(stage.map(|stage| format!("stage    {stage}")));
        lines.push(format!("expected {} {}", self.reference.kind, self.reference.range.text()));
        lines.push(format!("engine   {} {}", self.engine.kind, self.engine.range.text()));
        lines.extend(
            self.inputs.iter().map(|input| format!("input    {} {} ({})", input.kind, input.range.text(), input.name)),
        );
        lines.extend(self.help().map(|help| format!("help: {help}")));
        lines.push(String::new());
        lines
    }

    /// What to do about it, where that follows.
    fn help(&self) -> Option<String> {
        (self.stage == Some(Stage::Precision)).then(|| format!("keep it in float32: keep_fp32=[\"{}\"]", self.layer))
    }
}
