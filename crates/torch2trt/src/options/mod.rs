//! Every option of a conversion that is no Python object, declared once.
//!
//! A field of a group is the declaration: its name is that of the argument of Python's `torch2trt()`, its doc comment
//! is the help text, its `arg` attribute is the flag of `torch2trt build`. From it come what the Python package passes
//! ([`from_json`](Options::from_json)), what an engine file records ([`recorded`](Options::recorded)), and the table of
//! docs/options.md ([`declared`]).

mod algorithm;
mod precision;
mod table;
mod values;

pub use algorithm::CalibrationAlgorithm;
pub use precision::{Precision, SearchTolerance};
pub use table::{Declared, declared};
pub use values::Backend;

use crate::{Cache, Code, Error, Result};
use clap::{ArgAction, Args};
use nvinfer::TacticSource;
use passes::{Half, Quantization};
use runtime::CudaGraph;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// The options of a conversion: those that a user chooses, in groups, and what the caller knows of the process.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[group(skip)]
pub struct Options {
    /// What the engine computes.
    #[command(flatten)]
    #[serde(flatten)]
    pub convert: ConvertOptions,
    /// What TensorRT builds.
    #[command(flatten)]
    #[serde(flatten)]
    pub build: BuildOptions,
    /// Which operators run in PyTorch. The facade itself makes whole engines only.
    #[command(flatten)]
    #[serde(flatten)]
    pub parts: PartsOptions,
    /// What is checked and shown.
    #[command(flatten)]
    #[serde(flatten)]
    pub report: ReportOptions,
    /// What engines run on.
    #[command(flatten)]
    #[serde(flatten)]
    pub run: RunOptions,
    /// Folders of installed Python packages, searched for both libraries.
    #[arg(skip)]
    #[serde(skip)]
    pub site_packages: Vec<PathBuf>,
    /// Whether an engine file's plan may bring host code of its own, as version-compatible ones do.
    #[arg(skip)]
    #[serde(skip)]
    pub trusted: bool,
    /// TensorRT logs all that it does, to `tracing` at its trace level (target `torch2trt::tensorrt`).
    #[arg(skip)]
    #[serde(skip)]
    pub verbose: bool,
    /// Input ranges of symbolic sizes: for each input, smallest, best and largest shape.
    #[arg(skip)]
    #[serde(skip)]
    pub profiles: Vec<runtime::Profile>,
}

/// What the engine computes: its interface and its precision.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[group(skip)]
#[command(next_help_heading = "The engine")]
#[serde(default)]
pub struct ConvertOptions {
    /// What runs the model; auto: TensorRT where a GPU is available and a TensorRT that builds for it, otherwise the
    /// CPU engine
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = values::backend())]
    pub backend: Backend,
    /// Name of an input of the engine; can be given several times, in order [default: the model's own]
    #[arg(long = "input-name", value_name = "NAME")]
    pub input_names: Vec<String>,
    /// Name of an output of the engine; can be given several times, in order [default: the model's own]
    #[arg(long = "output-name", value_name = "NAME")]
    pub output_names: Vec<String>,
    /// Largest batch: axis 0 of the first input, and of each other input that has the same size there
    #[arg(long, value_name = "SIZE")]
    pub max_batch_size: Option<i64>,
    /// The precision by name: fp16, bf16, int8 or fp32, as the flags; fp8: as int8, in floats of eight bits (E4M3);
    /// auto: float16, with the fewest layers in float32 that keep the outputs within --tolerance of float32 (0.01 by
    /// default)
    #[arg(long, value_name = "NAME", value_parser = values::precision)]
    pub precision: Option<Precision>,
    /// The largest relative error of an output, or the largest drop of a metric: the fewest layers that need a higher
    /// precision are searched for
    #[arg(long, value_name = "ERROR", value_parser = clap::value_parser!(SearchTolerance))]
    pub tolerance: Option<SearchTolerance>,
    /// Compute in float16 where that is safe
    #[arg(long = "fp16", conflicts_with = "bf16_mode")]
    pub fp16_mode: bool,
    /// Compute in bfloat16 where that is safe
    #[arg(long = "bf16")]
    pub bf16_mode: bool,
    /// A module or layer that stays float32 all the same, such as layer4.0 or layer4.0.SoftMax, with * and ?; can be
    /// given several times
    #[arg(long, value_name = "PATTERN")]
    pub keep_fp32: Vec<String>,
    /// Quantize convolutions and matrix multiplications with constant weights to int8, with ranges from samples
    #[arg(long = "int8")]
    pub int8_mode: bool,
    /// A module or layer that is not quantized, and keeps the precision of the other layers, with * and ?; can be given
    /// several times
    #[arg(long, value_name = "PATTERN")]
    pub keep_unquantized: Vec<String>,
    /// How the ranges of int8 and fp8 are computed [default: `ENTROPY_CALIBRATION_2` for int8, `MINMAX_CALIBRATION` for
    /// fp8]
    #[arg(long = "calibration-algorithm", value_name = "NAME", value_parser = values::algorithm())]
    #[serde(with = "values::named_algorithm")]
    pub int8_calib_algorithm: Option<CalibrationAlgorithm>,
}

impl Options {
    /// The options with the modes that their precision stands for, and with the tolerance of a search that has none.
    ///
    /// # Errors
    /// E0701 for options that exclude each other: those of [`ConvertOptions::settled`], and a quantized engine whose
    /// weights can be replaced.
    pub fn settled(&self) -> Result<Self> {
        let settled = Self { convert: self.convert.settled()?, ..self.clone() };
        match settled.convert.quantization().filter(|_| settled.build.refittable) {
            Some(quantization) => {
                let message = format!("both {} and `refittable` were asked for", quantization.name());
                Err(Error::new(Code::BadOption, message).with_help("new weights need new ranges: convert again"))
            }
            None => Ok(settled),
        }
    }
}

impl ConvertOptions {
    /// The type to compute in where that is safe; `None`: the types that the model has.
    pub fn half(&self) -> Option<Half> {
        match (self.fp16_mode, self.bf16_mode) {
            (true, _) => Some(Half::Float16),
            (false, true) => Some(Half::BFloat16),
            (false, false) => None,
        }
    }

    /// What convolutions and products with constant weights read; `None`: what the other layers compute in.
    pub fn quantization(&self) -> Option<Quantization> {
        match self.precision {
            Some(Precision::Fp8) => Some(Quantization::Float8),
            _ => self.int8_mode.then_some(Quantization::Int8),
        }
    }
}

/// What TensorRT builds, and how.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[group(skip)]
#[command(next_help_heading = "The build")]
#[serde(default)]
pub struct BuildOptions {
    /// GPU to build a plan for, such as `sm_89`, which this machine need not have [default: the GPU of this machine]
    #[arg(long, value_name = "GPU")]
    pub target: Option<String>,
    /// Most device memory that a layer may use while it runs, in bytes or as 512M or 2G [default: all there is]
    #[arg(long = "workspace", value_name = "SIZE", value_parser = values::memory)]
    pub max_workspace_size: Option<usize>,
    /// How many tactics TensorRT tries, 0 to 5 [default: TensorRT's own, 3]
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(i32).range(0..=5))]
    pub optimization_level: Option<i32>,
    /// How many times TensorRT times each tactic [default: 8]
    #[arg(long, value_name = "COUNT", value_parser = values::positive)]
    pub avg_timing_iterations: Option<usize>,
    /// Threads of a build [default: 1, or all cores where TensorRT 8.6 rejects kernels by name]
    #[arg(long, value_name = "COUNT")]
    pub build_threads: Option<NonZeroUsize>,
    /// Libraries that tactics come from, separated by commas: CUBLAS, `CUBLAS_LT`, CUDNN, `EDGE_MASK_CONVOLUTIONS`,
    /// `JIT_CONVOLUTIONS` [default: TensorRT's own, as far as they are installed]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = values::tactic_source_argument)]
    #[serde(with = "values::named_sources")]
    pub tactic_sources: Option<Vec<TacticSource>>,
    /// The plan runs with later versions of TensorRT too
    #[arg(long)]
    pub version_compatible: bool,
    /// The plan runs on other GPUs too, from Ampere on
    #[arg(long)]
    pub hardware_compatible: bool,
    /// The weights of the plan can be replaced after the build
    #[arg(long)]
    pub refittable: bool,
    /// File of tactic timings, or off [default: one in the user's cache folder]
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true, value_parser = values::cache)]
    pub timing_cache: Cache,
    /// Folder of plans that were built, or off; the least recently used are deleted beyond 8 GiB [default: one in the
    /// user's cache folder]
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true, value_parser = values::cache)]
    pub engine_cache: Cache,
}

/// Which operators run in PyTorch.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[group(skip)]
#[command(next_help_heading = "Parts in PyTorch")]
#[serde(default)]
pub struct PartsOptions {
    /// Run unsupported operators in PyTorch, and the rest in engines (needs PyTorch)
    #[arg(long)]
    pub fallback: bool,
    /// A module that runs in PyTorch, such as layers.*.router; can be given several times. Implies --fallback
    #[arg(long, value_name = "PATTERN")]
    pub run_in_pytorch: Vec<String>,
    /// With --fallback: the least number of operator calls of an engine
    #[arg(long, value_name = "COUNT", default_value = "5")]
    pub min_layers: NonZeroUsize,
}

impl Default for PartsOptions {
    fn default() -> Self {
        Self { fallback: false, run_in_pytorch: Vec::new(), min_layers: const { NonZeroUsize::MIN.saturating_add(4) } }
    }
}

/// What is checked and shown.
#[derive(Args, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[group(skip)]
#[command(next_help_heading = "Verification and output")]
#[serde(default)]
pub struct ReportOptions {
    /// Do not compare the engine with the model
    #[arg(long = "no-verify", action = ArgAction::SetFalse)]
    pub verify: bool,
    /// Do not show a progress bar
    #[arg(long = "no-progress", action = ArgAction::SetFalse)]
    pub progress: bool,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self { verify: true, progress: true }
    }
}

/// What engines run on.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[group(skip)]
#[command(next_help_heading = "The machine")]
#[serde(default)]
pub struct RunOptions {
    /// GPU to build and run plans on, as CUDA counts them
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    pub device: u32,
    /// Threads of the CPU engine [default: one for each physical core]
    #[arg(long, value_name = "COUNT")]
    pub threads: Option<NonZeroUsize>,
    /// Replay calls from CUDA graphs; auto: from the third call of a shape on, where it is faster
    #[arg(long = "cuda-graph", value_name = "WHEN", default_value = "auto", value_parser = values::cuda_graph())]
    #[serde(with = "values::graph")]
    pub use_cuda_graph: CudaGraph,
    /// A plugin library to load before networks are built and plans are loaded; can be given several times
    #[arg(long = "plugin", value_name = "LIBRARY")]
    #[serde(with = "values::paths")]
    pub plugins: Vec<PathBuf>,
    /// Where TensorRT and ONNX Runtime are.
    #[command(flatten)]
    #[serde(flatten)]
    pub libraries: Libraries,
}

/// Where TensorRT and ONNX Runtime are.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[group(skip)]
#[command(next_help_heading = "The machine")]
#[serde(default)]
pub struct Libraries {
    /// TensorRT's library, or the folder with it [default: installed ones are searched]
    #[arg(long, value_name = "PATH")]
    #[serde(with = "values::path")]
    pub tensorrt: Option<PathBuf>,
    /// ONNX Runtime's library, or the folder with it [default: installed ones are searched]
    #[arg(long, value_name = "PATH")]
    #[serde(with = "values::path")]
    pub onnxruntime: Option<PathBuf>,
}
