//! A serialized TensorRT engine, and what people want to know of it.

use crate::cache::plans::Place;
use crate::file::Description;
use crate::{Artifact, Payload};
use bytes::Bytes;
use engine::{Built, EngineFile, Kind};
use runtime::EngineSpec;
use std::sync::Arc;
use std::time::Duration;

/// A serialized TensorRT engine.
pub struct Plan {
    artifact: Artifact,
    bytes: Bytes,
    report: build::Report,
    kept: Option<Place>,
}

/// What an engine file of the cache remembers of the build, in addition to what every engine file does.
#[derive(serde::Serialize, serde::Deserialize)]
struct Remembered {
    layers: usize,
    weight_bytes: usize,
    activation_bytes: Option<usize>,
    seconds: f64,
    warnings: Vec<String>,
}

/// TensorRT's own memory, lent as bytes.
struct Memory(build::Plan);

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl Plan {
    pub(crate) fn new(
        plan: build::Plan,
        declared: EngineSpec,
        built: Built,
        source: String,
        network: Arc<report::Graph>,
    ) -> Self {
        let report = plan.report.clone();
        let bytes = Bytes::from_owner(Memory(plan));
        Self {
            artifact: Artifact {
                declared,
                payload: Payload::Plan(bytes.clone()),
                built: Some(built),
                source: Some(source),
                network: Some(network),
            },
            bytes,
            report,
            kept: None,
        }
    }

    /// The engine file that the cache keeps of it.
    pub(crate) fn to_cache(&self) -> EngineFile {
        let report = &self.report;
        let remembered = Remembered {
            layers: report.layers,
            weight_bytes: report.weight_bytes,
            activation_bytes: report.activation_bytes,
            seconds: report.time.as_secs_f64(),
            warnings: report.warnings.clone(),
        };
        let model = serde_json::to_value(remembered).unwrap_or_default();
        // The network is drawn as that of the model whose conversion finds the plan, which may have other names.
        let artifact = Artifact { network: None, ..self.artifact.clone() };
        artifact.to_file(Description { model, ..Description::default() })
    }

    /// The plan in an engine file of the cache, for the TensorRT that built it; `None` for another kind of file. What
    /// the model calls its own is `declared` for the plan's profiles: TensorRT may have built the same for a model
    /// of other types, whose file this is.
    pub(crate) fn from_cache(
        file: EngineFile,
        library: nvinfer::Library,
        declared: impl FnOnce(&[runtime::Profile]) -> EngineSpec,
        network: (String, impl FnOnce(&[runtime::Profile]) -> report::Graph),
        place: &Place,
    ) -> Option<Self> {
        let bytes = file.section(Kind::Plan).ok()?;
        let EngineFile { manifest, .. } = file;
        let Remembered { layers, weight_bytes, activation_bytes, seconds, warnings } =
            serde_json::from_value(manifest.model).ok()?;
        let ranges = |profile: &runtime::Profile| {
            let ranges =
                |(input, axes): (&String, &Vec<_>)| build::InputRanges { input: input.clone(), axes: axes.clone() };
            profile.axes.iter().map(ranges).collect()
        };
        let report = build::Report {
            tensorrt: library.version(),
            library: library.path().to_owned(),
            target: None,
            layers,
            plan_bytes: bytes.len(),
            weight_bytes,
            activation_bytes,
            time: Duration::try_from_secs_f64(seconds).ok()?,
            warnings,
            profiles: manifest.interface.profiles.iter().map(ranges).collect(),
        };
        let (source, drawn) = network;
        let artifact = Artifact {
            declared: declared(&manifest.interface.profiles),
            payload: Payload::Plan(bytes.clone()),
            built: manifest.built,
            source: Some(source),
            network: Some(Arc::new(drawn(&manifest.interface.profiles))),
        };
        Some(Self { artifact, bytes, report, kept: Some(place.clone()) })
    }

    /// Where the cache keeps it, if that is where it comes from.
    pub(crate) fn kept(&self) -> Option<&Place> {
        self.kept.as_ref()
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
        let when = if self.kept.is_some() { ", at an earlier time" } else { "" };
        let mut rows = vec![
            ("TensorRT", report.tensorrt.to_string()),
            ("target", report.target.clone().unwrap_or_else(|| "the GPU of this machine".into())),
            ("TensorRT layers", report.layers.to_string()),
            (
                "plan",
                format!("{}, of which {} are weights", megabytes(report.plan_bytes), megabytes(report.weight_bytes)),
            ),
            ("build", seconds(report.time) + when),
        ];
        rows.extend(report.activation_bytes.map(|bytes| ("memory", format!("{} for each context", megabytes(bytes)))));
        rows.extend(report.warnings.iter().map(|warning| ("warning", warning.clone())));
        rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
