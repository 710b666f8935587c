//! `torch2trt doctor`: what engines can run on here, and why not on the rest.

use crate::machine::with_libraries;
use crate::{Done, Failure, Screen};
use clap::Args;
use runtime::{CudaDevice, OnnxRuntime};
use serde_json::{Value, json};
use std::path::PathBuf;
use torch2trt::{Error, Found, Libraries};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    libraries: Libraries,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found on this machine.
struct Machine {
    gpus: Vec<CudaDevice>,
    /// Why there is no further GPU.
    reason: String,
    tensorrt: torch2trt::Result<Found>,
    cpu: torch2trt::Result<OnnxRuntime>,
}

pub(crate) fn run(arguments: &Arguments, site_packages: Vec<PathBuf>, screen: &mut Screen<'_>) -> Done {
    let machine = Machine::find(arguments, site_packages);
    if arguments.json {
        screen.line(serde_json::to_string_pretty(&machine.to_json()).unwrap_or_default())?;
    } else {
        machine.show(screen)?;
    }
    if machine.runs() { Ok(()) } else { Err(Failure::Reported) }
}

impl Machine {
    fn find(arguments: &Arguments, site_packages: Vec<PathBuf>) -> Self {
        let mut gpus = Vec::new();
        let reason = loop {
            match CudaDevice::new(gpus.len() as u32) {
                Ok(gpu) => gpus.push(gpu),
                Err(runtime::Error::NoCuda { reason, .. }) => break reason,
                Err(error) => break error.to_string(),
            }
        };
        let options = with_libraries(&arguments.libraries, site_packages);
        let cpu = OnnxRuntime::load(options.run.libraries.onnxruntime.as_deref(), &options.site_packages);
        Self { gpus, reason, tensorrt: torch2trt::find_tensorrt(&options), cpu: cpu.map_err(Error::from) }
    }

    /// Whether an engine runs here.
    fn runs(&self) -> bool {
        self.cpu.is_ok() || (!self.gpus.is_empty() && self.tensorrt.is_ok())
    }

    fn show(&self, screen: &mut Screen<'_>) -> Done {
        for (index, gpu) in self.gpus.iter().enumerate() {
            screen.line(format!("GPU {index}: {}, compute capability {}", gpu.name(), capability(gpu)))?;
        }
        if self.gpus.is_empty() {
            screen.line(format!("GPU: none\n{}", indented(&self.reason)))?;
        }
        match &self.tensorrt {
            Ok(found) => {
                screen.line(format!("TensorRT: {}, {}", found.version, found.path.display()))?;
                if !found.targets.is_empty() {
                    screen.line(format!("  builds, without a GPU too, for {}", found.targets.join(", ")))?;
                }
            }
            Err(error) => screen.line(format!("TensorRT: none\n{}", indented(error)))?,
        }
        match &self.cpu {
            Ok(found) => {
                let library = found.library();
                screen.line(format!("CPU engine: ONNX Runtime {}, {}", library.version, library.path.display()))
            }
            Err(error) => screen.line(format!("CPU engine: none\n{}", indented(error))),
        }
    }

    fn to_json(&self) -> Value {
        let gpu = |gpu: &CudaDevice| json!({ "name": gpu.name(), "compute_capability": capability(gpu) });
        let missing = |error: &Error| json!({ "error": error.to_string(), "code": error.code().number() });
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "gpus": self.gpus.iter().map(gpu).collect::<Vec<_>>(),
            "no_gpu_because": self.gpus.is_empty().then_some(&self.reason),
            "tensorrt": match &self.tensorrt {
                Ok(found) => json!({
                    "version": found.version.clone(), "path": found.path, "targets": found.targets,
                }),
                Err(error) => missing(error),
            },
            "onnxruntime": match &self.cpu {
                Ok(found) => json!({ "version": found.library().version, "path": found.library().path }),
                Err(error) => missing(error),
            },
            "runs_engines": self.runs(),
        })
    }
}

/// `8.9`.
fn capability(gpu: &CudaDevice) -> String {
    let (major, minor) = gpu.capability();
    format!("{major}.{minor}")
}

fn indented(error: &dyn std::fmt::Display) -> String {
    error.to_string().lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
