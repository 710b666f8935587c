//! What a report is written from.

use crate::{Graph, Times};
use serde::{Deserialize, Serialize};

/// Everything that a report shows. What is missing is left empty, and the report states so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Title of the page.
    pub title: String,
    /// What was built and where it can run, as (name, value) pairs.
    pub facts: Vec<(String, String)>,
    /// Inputs and outputs.
    pub ports: Vec<Port>,
    /// The ranges of sizes, one line a profile.
    pub sizes: Vec<String>,
    /// How close the outputs are to the reference.
    pub accuracy: Vec<Accuracy>,
    /// The engines: one, or one for each part of a model that PyTorch runs in part.
    pub engines: Vec<EngineReport>,
    /// The parts in the order in which they run; empty where one engine runs everything.
    pub parts: Vec<Part>,
    /// What the build did, as (name, value) pairs.
    pub build: Vec<(String, String)>,
    /// The options of the conversion that differ from their defaults.
    pub options: Vec<(String, String)>,
    /// What is unknown, and how to get it.
    pub missing: Vec<String>,
}

/// An input or output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// `input` or `output`.
    pub side: String,
    /// Its name.
    pub name: String,
    /// Element type.
    pub dtype: String,
    /// Sizes, such as `[batch, 3, 224, 224]`.
    pub shape: String,
}

/// How close an output is to the reference.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Name of the output.
    pub output: String,
    /// Max abs error / max abs reference.
    pub error: f64,
}

/// One engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EngineReport {
    /// What it is called among several; empty for the only one.
    pub name: String,
    /// Its network, where that is recorded.
    pub graph: Option<Graph>,
    /// How long its layers take, where that was measured.
    pub times: Option<Times>,
}

/// A part of a model that PyTorch runs in part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Part {
    /// Whether it is an engine; otherwise PyTorch runs it.
    pub is_engine: bool,
    /// What it is, in a line.
    pub summary: String,
    /// Of a part in PyTorch: each reason, and the calls that it applies to.
    pub reasons: Vec<(String, String)>,
}
