//! Reports of engines: from a file or an engine in memory to one HTML file.
//!
//! This file must not know how a report looks (crate `report`).

use crate::{Artifact, Code, Description, Error, Executable, Result, drawn, facts};
use ::report::{Accuracy, EngineReport, Graph, Part, Port, Report, Times};
use engine::{EngineFile, Kind, Manifest, PartEntry, PartsManifest};
use runtime::{IoSpec, LayerTimes};
use serde_json::Value;
use std::path::Path;

/// What a report is written from.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct ReportSource {
    /// Title of the page.
    pub title: String,
    /// What the conversion recorded, where the engines are not from a file that has it.
    pub description: Description,
    /// The engines.
    pub engines: Vec<EngineFacts>,
    /// The parts of a model that PyTorch runs in part.
    pub parts: Vec<PartEntry>,
    /// What is unknown.
    pub missing: Vec<String>,
}

/// What is known of one engine without running it, and how long its layers take, where that was measured.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct EngineFacts {
    /// What it is called among several.
    pub name: String,
    /// Its manifest.
    pub manifest: Manifest,
    /// Bytes of the plan, or of the ONNX model with its weights.
    pub bytes: u64,
    /// What runs it; empty where it is not loaded.
    pub runs: String,
    /// Its network.
    pub graph: Option<Graph>,
    /// How long its layers take.
    pub times: Option<Times>,
}

impl EngineFacts {
    /// The facts in an engine file.
    pub fn of_file(file: &EngineFile) -> Self {
        let sections = [Kind::Plan, Kind::Onnx, Kind::Weights].into_iter().filter_map(|kind| file.section(kind).ok());
        let bytes = sections.map(|section| section.len() as u64).sum();
        Self { manifest: file.manifest.clone(), bytes, graph: drawn::recorded(file), ..Self::default() }
    }

    /// The facts of what an engine is made from.
    pub fn of_artifact(artifact: &Artifact) -> Self {
        let manifest = Manifest {
            built: artifact.built.clone(),
            interface: artifact.declared.clone(),
            source: artifact.source.clone(),
            ..Manifest::default()
        };
        Self { manifest, bytes: artifact.bytes(), graph: artifact.network.as_deref().cloned(), ..Self::default() }
    }

    /// The facts of an engine that is loaded.
    pub fn of_executable(executable: &Executable) -> Self {
        Self { runs: executable.engine.description(), ..Self::of_artifact(&executable.artifact) }
    }

    /// With the times of its layers.
    #[must_use]
    pub fn timed(self, times: &LayerTimes) -> Self {
        let layer = |layer: &runtime::LayerTime| ::report::LayerTime {
            name: layer.name.clone(),
            kind: layer.kind.clone(),
            seconds: layer.seconds,
        };
        let layers = times.layers.iter().map(layer).collect();
        let times = Times { calls: times.calls, seconds: times.seconds, layers, rest: times.rest.to_owned() };
        Self { times: Some(times), ..self }
    }
}

impl ReportSource {
    /// The facts in the file of a model with parts in PyTorch.
    ///
    /// # Errors
    /// E0605 for a damaged file.
    pub fn of_parts(path: &Path) -> Result<Self> {
        let manifest = PartsManifest::from_json(&PartsManifest::open_json(path)?)?;
        let engines = PartsManifest::open_engines(path)?;
        let engines = engines.into_iter().map(|(name, file)| EngineFacts { name, ..EngineFacts::of_file(&file) });
        let about = &manifest.description;
        Ok(Self {
            title: String::new(),
            description: Description {
                options: about.options.clone(),
                accuracy: about.accuracy.clone(),
                conversion: about.conversion.clone(),
                ..Description::default()
            },
            engines: engines.collect(),
            missing: Vec::new(),
            parts: manifest.partitions,
        })
    }

    /// Writes the report to a path, atomically.
    ///
    /// # Errors
    /// E0605 where it cannot be written.
    pub fn save(self, path: &Path) -> Result<()> {
        write_page(path, &self.to_html())
    }

    /// The report as one HTML file.
    pub fn to_html(self) -> String {
        let first = self.engines.first().map(|engine| engine.manifest.clone()).unwrap_or_default();
        let given = &self.description;
        let options = if given.options.is_empty() { &first.options } else { &given.options };
        let accuracy = if given.accuracy.is_empty() { &first.accuracy } else { &given.accuracy };
        let conversion = if given.conversion.is_empty() { &first.conversion } else { &given.conversion };
        let is_whole = self.engines.len() == 1 && self.parts.is_empty();
        let side = |side: &str, io: &IoSpec| Port {
            side: side.to_owned(),
            name: io.name.clone(),
            dtype: io.dtype.name().to_owned(),
            shape: facts::dims_text(io),
        };
        let inputs = first.interface.inputs.iter().map(|io| side("input", io));
        let ports = inputs.chain(first.interface.outputs.iter().map(|io| side("output", io))).collect();
        let sizes = first.interface.profiles.iter().map(facts::profile_text).filter(|text| !text.is_empty()).collect();
        Report {
            title: self.title.clone(),
            facts: self.facts(&first),
            ports: if is_whole { ports } else { Vec::new() },
            sizes: if is_whole { sizes } else { Vec::new() },
            accuracy: accuracy
                .iter()
                .map(|(output, error)| Accuracy { output: output.clone(), error: *error })
                .collect(),
            parts: self.parts.iter().map(part).collect(),
            build: facts::without_folders(conversion.clone()),
            options: facts::without_folders(options.iter().map(|(name, value)| (name.clone(), text(value))).collect()),
            missing: self.missing.clone(),
            engines: self.engines.into_iter().map(|facts| engine(facts, &self.description.kept_float32)).collect(),
        }
        .to_html()
    }

    /// What was built, by what, and where it can run.
    fn facts(&self, first: &Manifest) -> Vec<(String, String)> {
        let engines = match self.engines.as_slice() {
            [] => String::new(),
            [_] => facts::engine_text(first),
            [..] => format!("{} engines: {}", self.engines.len(), facts::engine_text(first)),
        };
        let bytes = self.engines.iter().fold(0u64, |sum, engine| sum.saturating_add(engine.bytes));
        let runs = self.engines.first().map_or("", |engine| engine.runs.as_str());
        let size = if bytes > 0 { ::report::bytes_text(bytes) } else { String::new() };
        let rows = [
            ("engine", engines),
            ("runs on", runs.to_owned()),
            ("size", size),
            ("made by", first.made_by.clone()),
            ("network", first.source.clone().unwrap_or_default()),
        ];
        let mut rows: Vec<(String, String)> = rows
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let plugins = first.built.iter().flat_map(|built| &built.plugins);
        rows.extend(plugins.map(|plugin| ("plugin".to_owned(), plugin.to_string())));
        rows
    }
}

/// Writes an HTML file, atomically.
pub(crate) fn write_page(path: &Path, html: &str) -> Result<()> {
    files::write(path, |file| file.write_all(html.as_bytes())).map_err(|source: std::io::Error| {
        Error::new(Code::EngineFile, format!("{} cannot be written: {source}", path.display()))
            .with_help("give a path in a folder that can be written")
    })
}

fn engine(facts: EngineFacts, kept: &[(String, String, String)]) -> EngineReport {
    let graph = facts.graph.map(|graph| if kept.is_empty() { graph } else { drawn::with_reasons(&graph, kept) });
    EngineReport { name: facts.name, graph, times: facts.times }
}

fn part(part: &PartEntry) -> Part {
    let reasons = part.reasons.iter().map(|(reason, calls)| (reason.clone(), facts::calls_text(calls)));
    Part { is_engine: part.kind == "engine", summary: facts::part_text(part), reasons: reasons.collect() }
}

/// A value of JSON as text; text without quotes.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
