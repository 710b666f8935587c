//! What the caller may decide about a build. Everything has a default: TensorRT's own, unless stated otherwise.

use dims::Profile;
use nvinfer::TacticSource;

/// The options of one build.
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// GPU to build for, such as `sm_89`; `None`: the one of this machine. Only TensorRT-RTX builds for another one.
    pub target: Option<String>,
    /// Most device memory that a layer's tactic may use while it runs, in bytes; `None`: all there is.
    pub max_workspace_size: Option<usize>,
    /// How hard TensorRT searches for fast tactics, 0 to 5; `None`: TensorRT's default (3).
    pub optimization_level: Option<i32>,
    /// How often a tactic is timed; `None`: 8.
    pub avg_timing_iterations: Option<usize>,
    /// Threads of the build; `None`: TensorRT's default (one), or all cores for a build that refuses kernels.
    pub threads: Option<usize>,
    /// Where tactics come from; `None`: TensorRT's default, but cuDNN and cuBLAS only where they are there.
    pub tactic_sources: Option<Vec<TacticSource>>,
    /// Ranges of the symbolic sizes, one engine profile each. Empty: one profile, of the ranges the network declares.
    pub profiles: Vec<Profile>,
    /// The timings of an earlier build ([`crate::Plan::timing_cache`]); a stale one is left aside.
    pub timing_cache: Option<Vec<u8>>,
    /// The plan runs with later versions of TensorRT too.
    pub version_compatible: bool,
    /// The plan runs on other GPUs too, from Ampere on.
    pub hardware_compatible: bool,
    /// The weights can be replaced after the build.
    pub refittable: bool,
    /// Streams that TensorRT may use in addition to the caller's; `None`: TensorRT's own choice.
    pub max_aux_streams: Option<usize>,
    /// float32 products keep all their bits: no TF32.
    pub strict_float32: bool,
    /// The engine remembers its layers with all their attributes, for the inspector and profilers.
    pub detailed: bool,
}
