//! `torch2trt doctor`: what engines can run on here, and why not on the rest.

use crate::machine::with_libraries;
use crate::{Done, Failure, Screen};
use clap::Args;
use runtime::{CudaDevice, OnnxRuntime};
use std::path::PathBuf;
use torch2trt::{Error, Libraries};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    libraries: Libraries,
}

pub(crate) fn run(arguments: &Arguments, site_packages: Vec<PathBuf>, screen: &mut Screen<'_>) -> Done {
    let mut gpus = 0;
    let reason = loop {
        match CudaDevice::new(gpus) {
            Ok(gpu) => {
                let (major, minor) = gpu.capability();
                screen.line(format!("GPU {gpus}: {}, compute capability {major}.{minor}", gpu.name()))?;
                gpus += 1;
            }
            Err(runtime::Error::NoCuda { reason, .. }) => break reason,
            Err(error) => break error.to_string(),
        }
    };
    if gpus == 0 {
        screen.line(format!("GPU: none\n{}", indented(&reason)))?;
    }
    let options = with_libraries(&arguments.libraries, site_packages);
    let tensorrt = torch2trt::find_tensorrt(&options);
    match &tensorrt {
        Ok(found) => {
            screen.line(format!("TensorRT: {}, {}", found.version, found.path.display()))?;
            if !found.targets.is_empty() {
                screen.line(format!("  builds, without a GPU too, for {}", found.targets.join(", ")))?;
            }
        }
        Err(error) => screen.line(format!("TensorRT: none\n{}", indented(error)))?,
    }
    let cpu =
        OnnxRuntime::load(options.run.libraries.onnxruntime.as_deref(), &options.site_packages).map_err(Error::from);
    match &cpu {
        Ok(found) => {
            let library = found.library();
            screen.line(format!("CPU engine: ONNX Runtime {}, {}", library.version, library.path.display()))?;
        }
        Err(error) => screen.line(format!("CPU engine: none\n{}", indented(error)))?,
    }
    if cpu.is_err() && (gpus == 0 || tensorrt.is_err()) { Err(Failure::Reported) } else { Ok(()) }
}

fn indented(error: &dyn std::fmt::Display) -> String {
    error.to_string().lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
