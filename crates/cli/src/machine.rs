//! What a command uses of the machine: libraries, GPU, cores.

use clap::Args;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use torch2trt::Options;

/// Where TensorRT and ONNX Runtime are.
#[derive(Args)]
#[group(skip)]
pub(crate) struct Libraries {
    /// TensorRT's library, or the folder with it [default: installed ones are looked for]
    #[arg(long, value_name = "PATH")]
    tensorrt: Option<PathBuf>,
    /// ONNX Runtime's library, or the folder with it [default: installed ones are looked for]
    #[arg(long, value_name = "PATH")]
    onnxruntime: Option<PathBuf>,
}

impl Libraries {
    /// Options that say so, and are at their defaults otherwise.
    pub(crate) fn options(&self, site_packages: Vec<PathBuf>) -> Options {
        let (tensorrt, onnxruntime) = (self.tensorrt.clone(), self.onnxruntime.clone());
        Options { tensorrt, onnxruntime, site_packages, ..Options::default() }
    }
}

/// The libraries, and what engines run on.
#[derive(Args)]
#[group(skip)]
pub(crate) struct Machine {
    /// GPU to build and run plans on, as CUDA counts them
    #[arg(long, default_value_t = 0)]
    device: u32,
    /// Threads of the CPU engine [default: one for each physical core]
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    libraries: Libraries,
}

impl Machine {
    /// The arguments under Python's names.
    pub(crate) fn request(&self) -> serde_json::Value {
        let Libraries { tensorrt, onnxruntime } = &self.libraries;
        serde_json::json!({ "threads": self.threads, "tensorrt": tensorrt, "onnxruntime": onnxruntime })
    }

    /// The GPU, as CUDA counts them.
    pub(crate) fn device(&self) -> u32 {
        self.device
    }

    /// Options that say so, and are at their defaults otherwise.
    pub(crate) fn options(&self, site_packages: Vec<PathBuf>) -> Options {
        Options { device: self.device, threads: self.threads, ..self.libraries.options(site_packages) }
    }
}
