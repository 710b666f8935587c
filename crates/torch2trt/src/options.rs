//! Every option of a conversion, in one place. Python's call has them under the same names, but for `half`
//! (`fp16_mode`, `bf16_mode`) and `cuda_graph` (`use_cuda_graph`).

use crate::{Cache, CalibrationAlgorithm};
use nvinfer::TacticSource;
use passes::Half;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// What runs the converted model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// Not decided. Python's call decides before it converts: TensorRT where the model or its inputs are on a GPU and
    /// TensorRT is there, otherwise the CPU engine.
    #[default]
    Auto,
    /// The CPU engine (ONNX Runtime).
    Cpu,
    /// TensorRT.
    TensorRt,
}

impl Backend {
    /// The backend of that name: `auto`, `cpu` or `tensorrt`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "cpu" => Some(Self::Cpu),
            "tensorrt" => Some(Self::TensorRt),
            _ => None,
        }
    }
}

/// The options of a conversion.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What is to run the converted model. [`precision`](crate::precision) depends on it, and takes `Auto` for the CPU
    /// engine; the rest is up to which function makes the engine.
    pub backend: Backend,
    /// Names of the inputs, in order; the model's own where shorter.
    pub input_names: Vec<String>,
    /// Names of the outputs, in order; the model's own where shorter.
    pub output_names: Vec<String>,
    /// The type to compute in where that is safe; `None`: the types that the model has.
    pub half: Option<Half>,
    /// Whether the network is to be [quantized](passes::quantize()), after mixed precision.
    pub int8: bool,
    /// How the ranges of int8 are computed from samples.
    pub int8_calib_algorithm: CalibrationAlgorithm,
    /// Modules that stay float32 where `half` or `int8` is given: paths, with `*` and `?`.
    pub keep_fp32: Vec<String>,
    /// GPU to build for, such as `sm_89`; `None`: the GPU of this machine.
    pub target: Option<String>,
    /// Most device memory that a layer's tactic may use while it runs, in bytes; `None`: all there is.
    pub max_workspace_size: Option<usize>,
    /// How hard TensorRT searches for fast tactics, 0 to 5; `None`: TensorRT's default (3).
    pub optimization_level: Option<i32>,
    /// How often a tactic is timed; `None`: 8.
    pub avg_timing_iterations: Option<usize>,
    /// Threads of a TensorRT build; `None`: TensorRT's default (one), or all cores for a build that refuses kernels.
    pub build_threads: Option<NonZeroUsize>,
    /// Where TensorRT takes tactics from; `None`: all of its default sources whose libraries are there.
    pub tactic_sources: Option<Vec<TacticSource>>,
    /// TensorRT to load: the library, or a folder with it; `None`: see `nvinfer::Library`.
    pub tensorrt: Option<PathBuf>,
    /// Plugin libraries to load before networks are built and plans are loaded.
    pub plugins: Vec<PathBuf>,
    /// ONNX Runtime to load: the library, or a folder with it; `None`: see `runtime::OnnxRuntime`.
    pub onnxruntime: Option<PathBuf>,
    /// Folders of installed Python packages, searched for both libraries.
    pub site_packages: Vec<PathBuf>,
    /// Threads of the CPU engine; `None`: one a physical core.
    pub threads: Option<NonZeroUsize>,
    /// Index of the GPU to build on and to run on, as CUDA counts them.
    pub device: u32,
    /// When calls of the TensorRT engine are replayed from CUDA graphs.
    pub cuda_graph: runtime::CudaGraph,
    /// The plan runs with later versions of TensorRT too.
    pub version_compatible: bool,
    /// The plan runs on other GPUs too, from Ampere on.
    pub hardware_compatible: bool,
    /// The weights can be replaced after the build.
    pub refittable: bool,
    /// The file where TensorRT's timings are kept from build to build; the user's is named after TensorRT and the GPU.
    pub timing_cache: Cache,
    /// The folder where plans are kept, so that the same network is not built again. By TensorRT-RTX they are not: it builds in
    /// seconds, and times nothing.
    pub engine_cache: Cache,
    /// Whether an engine file's plan may bring host code of its own, as version-compatible ones do.
    pub trusted: bool,
    /// TensorRT says all that it does, to `tracing` at its trace level (target `torch2trt::tensorrt`).
    pub verbose: bool,
    /// Input ranges of symbolic sizes: for each input, least, best and largest shape.
    pub profiles: Vec<runtime::Profile>,
}
