//! From an artifact to an engine that runs: by TensorRT for a plan, by ONNX Runtime for an ONNX model.
//!
//! A plan of another version or GPU is rejected with both named. This file must not know how artifacts are made.

use crate::executable::{Artifact, Executable, Payload};
use crate::{Code, Error, Options, Result, discovery, plugins};
use runtime::{CpuEngine, CpuOptions, OnnxRuntime, TensorRtEngine, TensorRtOptions};
use std::sync::Arc;

pub(crate) fn run_options(options: &Options, host_code: bool) -> TensorRtOptions {
    TensorRtOptions {
        device: options.run.device,
        cuda_graph: options.run.use_cuda_graph,
        host_code,
        ..TensorRtOptions::default()
    }
}

impl Artifact {
    /// The engine of an artifact, by the libraries that the options name or the machine has.
    pub(crate) fn load(self, options: &Options) -> Result<Executable> {
        match &self.payload {
            Payload::Plan(_) => {
                let library = discovery::tensorrt(options, nvinfer::Purpose::Run)?;
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
        let engine = CpuEngine::new(&library, model.clone(), weights.clone(), self.declared.clone(), &cpu)?;
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

    /// Refuses a plan of another version before TensorRT does, whose error is less clear.
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

    /// Adds the GPU of the plan to TensorRT's refusal, where it is another one.
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
