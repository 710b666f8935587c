//! Engine files: from an artifact to bytes and back to something that runs.
//!
//! What the file holds is checked before TensorRT sees it; a plan of another version or GPU is refused with both named.
//! This file must not know the bytes of the format (crate `engine`).

use crate::engines::run_options;
use crate::executable::{Artifact, Executable, Payload};
use crate::{Code, Error, Options, Result, discovery, drawn, facts, plugins};
use bytes::Bytes;
use engine::{EngineFile, Kind, Manifest};
use runtime::{TensorRtEngine, Weight};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What a caller adds to an engine file's manifest.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Description {
    /// How calls are decomposed and return values assembled, in the caller's own terms.
    pub model: serde_json::Value,
    /// Options of the conversion.
    pub options: BTreeMap<String, serde_json::Value>,
    /// Differences to PyTorch that were seen, by output.
    pub accuracy: BTreeMap<String, f64>,
    /// What the conversion did, as (name, value) pairs.
    pub conversion: Vec<(String, String)>,
    /// Layers that stay float32 although another type was asked for: (layer, module, reason).
    pub kept_float32: Vec<(String, String, String)>,
}

impl Artifact {
    /// The engine file with this content. Nothing is copied before it is written.
    pub fn to_file(&self, description: Description) -> EngineFile {
        let network = self.network.as_deref().map(|network| drawn::with_reasons(network, &description.kept_float32));
        let Description { model, options, accuracy, conversion, .. } = description;
        let mut file = EngineFile::new(Manifest {
            made_by: format!("torch2trt {}", env!("CARGO_PKG_VERSION")),
            built: self.built.clone(),
            interface: self.declared.clone(),
            weights: Vec::new(),
            model,
            source: self.source.clone(),
            options,
            accuracy,
            conversion: facts::without_folders(conversion),
        });
        match &self.payload {
            Payload::Plan(plan) => file.insert(Kind::Plan, vec![plan.clone()]),
            Payload::Onnx { model, weights } => {
                file.insert(Kind::Onnx, vec![model.clone()]);
                file.insert_weights(weights);
            }
        }
        if let Some(record) = network.and_then(|network| drawn::record(&network, self.bytes())) {
            file.insert(Kind::Network, vec![record]);
        }
        file
    }
}

/// Makes the engine of an engine file: by TensorRT for a plan, by ONNX Runtime for an ONNX model.
///
/// # Errors
/// E0605 for a damaged file, E0604 for a plan that cannot run here, E0301 and E0501 where the library is missing.
pub fn load(file: EngineFile, options: &Options) -> Result<(Executable, Manifest)> {
    let payload = if file.has(Kind::Plan) {
        Payload::Plan(file.section(Kind::Plan)?)
    } else {
        let (model, weights) = (file.section(Kind::Onnx)?, file.weights()?);
        check_external(&model, &weights)?;
        Payload::Onnx { model, weights }
    };
    let network = drawn::recorded(&file).map(Arc::new);
    let EngineFile { manifest, .. } = file;
    let artifact = Artifact {
        declared: manifest.interface.clone(),
        payload,
        built: manifest.built.clone(),
        source: manifest.source.clone(),
        network,
    };
    Ok((artifact.load(options)?, manifest))
}

/// Rejects a model that would make ONNX Runtime open files other than the engine file.
fn check_external(model: &[u8], weights: &[Weight]) -> Result<()> {
    let names: HashSet<&str> = weights.iter().map(|weight| weight.name.as_str()).collect();
    onnx::check_external(model, |name| names.contains(name)).map_err(|problem| {
        Error::new(Code::EngineFile, format!("the engine file is not self-contained: {problem}"))
            .with_help("it was not written by this version of torch2trt: convert the model again")
    })
}

/// Makes the engine of a plain plan, with the interface of the plan itself.
///
/// # Errors
/// E0605 for an ONNX model, E0604 for a plan that cannot run here, E0301 without TensorRT.
pub fn load_plan(plan: Bytes, options: &Options) -> Result<Executable> {
    if onnx::is_model(&plan) {
        return Err(Error::new(Code::EngineFile, "this is an ONNX model, not an engine file or a TensorRT plan")
            .with_help(
                "run it with ONNX Runtime, or convert the PyTorch model: torch2trt(model, inputs).save(path) in \
                 Python, torch2trt build model.pt2 --output net.trt2 on the command line",
            ));
    }
    let library = discovery::tensorrt(options, nvinfer::Purpose::Run)?;
    plugins::require(library, &[], options)?;
    let engine = TensorRtEngine::new(library, &plan, None, &run_options(options, options.trusted))?;
    let declared = runtime::Engine::spec(&engine).clone();
    Ok(Executable {
        engine: Arc::new(engine),
        artifact: Artifact { declared, payload: Payload::Plan(plan), built: None, source: None, network: None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_with_external_data_of_another_file_is_rejected() {
        // ModelProto { graph: { initializer: { name: "w", external_data: { "location": "secret" }, data_location: 1 } }
        // }
        let model = b"\x3a\x1b\x2a\x19\x42\x01w\x6a\x12\x0a\x08location\x12\x06secret\x70\x01";
        let mut file = EngineFile::new(Manifest::default());
        file.insert(Kind::Onnx, vec![Bytes::from_static(model)]);
        let error = load(file, &Options::default()).err();
        let message = error.as_ref().map_or("", Error::message);
        assert!(message.contains("initializer `w` refers to external data `secret`"), "{error:?}");
    }
}
