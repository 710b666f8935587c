//! Engine files: from an artifact to bytes and back to something that runs.
//!
//! What the file holds is checked before TensorRT sees it; a plan of another version or GPU is refused with both named.
//! This file must not know the bytes of the format (crate `engine`).

use crate::executable::{Artifact, Executable, Payload};
use crate::{Code, Error, Options, Result, pipeline, plugins};
use bytes::Bytes;
use engine::{EngineFile, Kind, Manifest};
use runtime::{CpuEngine, CpuOptions, OnnxRuntime, TensorRtEngine, TensorRtOptions, Weight};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What a caller adds to an engine file's manifest.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Description {
    /// How calls are taken apart and return values put together, in the caller's own terms.
    pub model: serde_json::Value,
    /// Options of the conversion.
    pub options: BTreeMap<String, serde_json::Value>,
    /// Differences to PyTorch that were seen, by output.
    pub accuracy: BTreeMap<String, f64>,
}

impl Artifact {
    /// The engine file with this content. Nothing is copied before it is written.
    pub fn to_file(&self, description: Description) -> EngineFile {
        let Description { model, options, accuracy } = description;
        let mut file = EngineFile::new(Manifest {
            made_by: format!("torch2trt {}", env!("CARGO_PKG_VERSION")),
            built: self.built.clone(),
            interface: self.declared.clone(),
            weights: Vec::new(),
            model,
            source: self.source.clone(),
            options,
            accuracy,
        });
        match &self.payload {
            Payload::Plan(plan) => file.insert(Kind::Plan, vec![plan.clone()]),
            Payload::Onnx { model, weights } => {
                file.insert(Kind::Onnx, vec![model.clone()]);
                file.insert_weights(weights);
            }
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
    let EngineFile { manifest, .. } = file;
    let artifact = Artifact {
        declared: manifest.interface.clone(),
        payload,
        built: manifest.built.clone(),
        source: manifest.source.clone(),
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

/// Makes the engine of a plain plan, with the interface that the plan itself tells.
///
/// # Errors
/// E0605 for an ONNX model, E0604 for a plan that cannot run here, E0301 without TensorRT.
pub fn load_plan(plan: Bytes, options: &Options) -> Result<Executable> {
    if onnx::is_model(&plan) {
        return Err(Error::new(Code::EngineFile, "this is an ONNX model, not an engine file or a TensorRT plan")
            .with_help(
                "run it with ONNX Runtime, or convert the PyTorch model: torch2trt(model, inputs).save(path) in Python, \
                 torch2trt build model.pt2 --output net.trt2 on the command line",
            ));
    }
    let library = pipeline::tensorrt(options, nvinfer::Purpose::Run)?;
    plugins::require(library, &[], options)?;
    let engine = TensorRtEngine::new(library, &plan, None, &run_options(options, options.trusted))?;
    let declared = runtime::Engine::spec(&engine).clone();
    Ok(Executable {
        engine: Arc::new(engine),
        artifact: Artifact { declared, payload: Payload::Plan(plan), built: None, source: None },
    })
}

pub(crate) fn run_options(options: &Options, host_code: bool) -> TensorRtOptions {
    TensorRtOptions {
        device: options.run.device,
        cuda_graph: options.run.use_cuda_graph,
        host_code,
        ..TensorRtOptions::default()
    }
}

impl Artifact {
    fn load(self, options: &Options) -> Result<Executable> {
        match &self.payload {
            Payload::Plan(_) => {
                let library = pipeline::tensorrt(options, nvinfer::Purpose::Run)?;
                self.same_version(library)?;
                self.into_tensorrt(library, options, options.trusted)
            }
            Payload::Onnx { .. } => self.into_cpu(options),
        }
    }

    /// The CPU engine of an ONNX model.
    pub(crate) fn into_cpu(self, options: &Options) -> Result<Executable> {
        let Payload::Onnx { model, weights } = &self.payload else {
            return Err(Error::new(Code::EngineFile, "the engine file holds a plan where an ONNX model is needed"));
        };
        let library = OnnxRuntime::load(options.run.libraries.onnxruntime.as_deref(), &options.site_packages)?;
        let cpu = CpuOptions { threads: options.run.threads, ..CpuOptions::default() };
        let engine = CpuEngine::new(&library, model, weights.clone(), self.declared.clone(), &cpu)?;
        Ok(Executable { engine: Arc::new(engine), artifact: self })
    }

    /// The TensorRT engine of a plan.
    pub(crate) fn into_tensorrt(
        self,
        library: nvinfer::Library,
        options: &Options,
        host_code: bool,
    ) -> Result<Executable> {
        let needed = self.built.as_ref().map_or(&[][..], |built| &built.plugins);
        plugins::require(library, needed, options)?;
        let plan = self.plan().cloned().unwrap_or_default();
        let engine = TensorRtEngine::new(library, &plan, Some(&self.declared), &run_options(options, host_code));
        let engine = engine.map_err(|error| self.elsewhere(error.into(), options))?;
        Ok(Executable { engine: Arc::new(engine), artifact: self })
    }

    /// Refuses a plan of another version before TensorRT does, which says less.
    pub(crate) fn same_version(&self, library: nvinfer::Library) -> Result<()> {
        let Some(built) = self.built.as_ref().filter(|built| !built.version_compatible) else { return Ok(()) };
        let found = library.version().to_string();
        if built.tensorrt == found {
            return Ok(());
        }
        let path = library.path().display();
        let message = format!("the plan was built by {}, and what is installed is {found} ({path})", built.tensorrt);
        Err(Error::new(Code::NotRunnable, message).with_help(format!(
            "install {}, name it with tensorrt=\"/path/to/its/library\", or convert with version_compatible=True",
            built.tensorrt
        )))
    }

    /// Refuses new weights of a network of other layers.
    pub(crate) fn same_structure(&self, found: &str) -> Result<()> {
        let own = self.built.as_ref().and_then(|built| built.structure.as_deref());
        match own {
            Some(own) if own == found => Ok(()),
            Some(_) => Err(Error::new(
                Code::Refit,
                "the model becomes another network than the one the plan was built for",
            )
            .with_help(
                "refit with the model that was converted, with other weights in it, and with the arguments of that \
                     conversion (names, shapes, precision); convert a changed model again",
            )),
            None => Err(runtime::Error::NotRefittable.into()),
        }
    }

    /// Names the GPU of the plan beside TensorRT's refusal, where it is another one.
    fn elsewhere(&self, error: Error, options: &Options) -> Error {
        let Some(built) = &self.built else { return error };
        match runtime::CudaDevice::new(options.run.device) {
            Ok(device) if device.name() != built.gpu => {
                let message =
                    format!("the plan was built for {}; this is {}\n  {}", built.gpu, device.name(), error.message());
                let help = error.help().unwrap_or("convert on this GPU, or with hardware_compatible=True").to_owned();
                Error::new(error.code(), message).with_help(help)
            }
            _ => error,
        }
    }
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
