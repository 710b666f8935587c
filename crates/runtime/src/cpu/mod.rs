//! The CPU engine: an ONNX model executed by ONNX Runtime.
//!
//! It is the default on a machine without a GPU, and the referee of every conversion. It takes the graph as ONNX
//! bytes and its weights, as borrowed memory that ONNX Runtime reads in place. It must not know where
//! either came from.

mod failure;
mod library;
mod profile;
mod session;
#[allow(unsafe_code)]
mod sys;

pub use library::{Library, MIN_VERSION, OnnxRuntime};

use crate::error::Stage;
use crate::{
    DataType, Device, Engine, EngineSpec, Error, LayerTimes, Result, RunOptions, Tensor, TensorView, TensorViewMut,
};
use bytes::Bytes;
use session::Session;
use smallvec::SmallVec;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// An initializer of the ONNX model, kept outside it.
#[derive(Clone, Debug)]
pub struct Weight {
    /// The initializer's name. In the model it is declared with the same dtype and sizes, and as external data
    /// (`data_location = EXTERNAL`; the location named there is never opened).
    pub name: String,
    /// Element type.
    pub dtype: DataType,
    /// Sizes, outermost first.
    pub dims: Vec<i64>,
    /// The elements, contiguous, row-major, native byte order, aligned to their size. Borrowed, not copied: the
    /// engine holds this handle, and with it the memory, as long as it lives. Nobody may write to the memory.
    pub data: Bytes,
}

/// How the CPU engine executes. The defaults are the fastest measured; what the others save and cost:
///
/// | Model (weights, float32) | Options | Load | Call | Memory beyond the weights: after loading, peak |
/// |---|---|---|---|---|
/// | VGG-16 (528 MiB) | default | 640 ms | 214 ms | 1.02×, 1.13× |
/// | | `prepack: false` | 104 ms | 210 ms | 0.12×, 0.24× |
/// | | `blocked_layout: false` | 640 ms | 276 ms | 0.91×, 0.91× |
/// | | `low_memory()` | 4 ms | 264 ms | 0.02×, 0.02× |
/// | ResNet-50 (97 MiB) | default | 184 ms | 55 ms | 1.10×, 1.67× |
/// | | `low_memory()` | 6 ms | 81 ms | 0.10×, 0.10× |
/// | 8 blocks 768→3072→768, 128 rows (144 MiB) | default | 171 ms | 69 ms | 1.06×, 1.06× |
/// | | `prepack: false` | 4 ms | 96 ms | 0.06×, 0.06× |
///
/// (ONNX Runtime 1.32, batch 1, one thread of an AVX-512 server. Memory is resident, relative to the weights, which
/// the caller holds anyway; versions before 1.32 copy the weights while loading and peak at 1.2× to 1.9×. The arena
/// is worth up to 4%, the memory pattern nothing.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuOptions {
    /// Threads that share the work of one node. `None`: one for each physical core this process may use.
    pub threads: Option<NonZeroUsize>,
    /// How long an idle thread spins before it sleeps. Spinning keeps the threads at hand from node to node and
    /// from call to call, and burns their cores that long after each call; waking one costs some 0.1 ms. Old
    /// versions (1.23 is one, 1.29 is not) take any time but zero for their own, a long one.
    pub spin: Duration,
    /// Whether matrices are kept a second time in the layout that products want. Without it the engine adds almost
    /// nothing to the weights, and every product packs anew: little for a batch of one, more for long sequences.
    pub prepack: bool,
    /// Whether convolutions run in a blocked layout (NCHWc), with their weights kept a second time in it.
    pub blocked_layout: bool,
    /// Whether freed tensors go to a pool instead of back to the system. The pool keeps the largest size that it
    /// ever had.
    pub arena: bool,
    /// Whether all tensors of a call are laid out in one block, planned on the first call of each set of shapes
    /// and kept for each. No faster where measured, and larger.
    pub memory_pattern: bool,
}

impl Default for CpuOptions {
    fn default() -> Self {
        Self {
            threads: None,
            spin: Duration::from_millis(1),
            prepack: true,
            blocked_layout: true,
            arena: true,
            memory_pattern: false,
        }
    }
}

impl CpuOptions {
    /// The options that need the least memory: no weight is kept twice.
    pub fn low_memory() -> Self {
        Self { prepack: false, blocked_layout: false, arena: false, ..Self::default() }
    }

    /// The number of threads these options come to on this machine.
    pub fn thread_count(&self) -> usize {
        let usable = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.map_or_else(|| num_cpus::get_physical().min(usable()).max(1), NonZeroUsize::get)
    }
}

/// An engine on ONNX Runtime.
///
/// Calls may come from several threads at once; they run truly concurrently and share one pool of threads.
pub struct CpuEngine {
    spec: EngineSpec,
    session: Arc<Session>,
    source: Source,
    description: String,
}

/// What sessions are made from.
struct Source {
    runtime: OnnxRuntime,
    model: Bytes,
    weights: Vec<Weight>,
    options: CpuOptions,
}

impl Source {
    /// A session, whose calls are profiled into a file that begins with this path.
    fn session(&self, spec: &EngineSpec, profile: Option<&Path>) -> Result<Session> {
        Session::new(&self.runtime, &self.model, self.weights.clone(), spec, &self.options, profile)
    }
}

/// Calls before those that are profiled.
const WARM_UP: usize = 3;

impl CpuEngine {
    /// Makes an engine from an ONNX model (`ModelProto` bytes) and the weights that it declares external.
    ///
    /// The inputs and outputs of `spec` name those of the model, in any order.
    ///
    /// # Errors
    /// [`Error::WeightLength`] for a damaged weight, [`Error::OnnxRuntime`] with the library's own words for a
    /// model it refuses, [`Error::Interface`] for a spec that is not the model's.
    pub fn new(
        runtime: &OnnxRuntime,
        model: Bytes,
        weights: Vec<Weight>,
        spec: EngineSpec,
        options: &CpuOptions,
    ) -> Result<Self> {
        let source = Source { runtime: runtime.clone(), model, weights, options: options.clone() };
        let session = source.session(&spec, None)?;
        let threads = options.thread_count();
        let plural = if threads == 1 { "" } else { "s" };
        let description = format!("ONNX Runtime {} on the CPU, {threads} thread{plural}", runtime.library().version);
        Ok(Self { spec, session: Arc::new(session), source, description })
    }

    fn check_inputs(&self, inputs: &[TensorView<'_>], options: &RunOptions) -> Result<crate::Checked<'_>> {
        if options.stream.is_some() {
            return Err(Error::Stream);
        }
        let dims: SmallVec<[&[i64]; 8]> = inputs.iter().map(TensorView::dims).collect();
        let checked = self.spec.check(&dims, options.profile)?;
        checked.check_inputs(inputs, Device::Cpu)?;
        Ok(checked)
    }
}

impl Engine for CpuEngine {
    fn spec(&self) -> &EngineSpec {
        &self.spec
    }

    fn device(&self) -> Device {
        Device::Cpu
    }

    fn run(&self, inputs: &[TensorView<'_>], outputs: &mut [TensorViewMut<'_>], options: &RunOptions) -> Result<()> {
        let checked = self.check_inputs(inputs, options)?;
        checked.check_outputs(inputs, outputs, Device::Cpu)?;
        self.session.run(inputs, outputs)
    }

    fn run_alloc(&self, inputs: &[TensorView<'_>], options: &RunOptions) -> Result<Vec<Tensor>> {
        self.check_inputs(inputs, options)?;
        self.session.run_alloc(inputs)
    }

    fn layer_times(&self, inputs: &[TensorView<'_>], calls: usize) -> Result<LayerTimes> {
        self.check_inputs(inputs, &RunOptions::default())?;
        let failed = |message: String| Error::OnnxRuntime { stage: Stage::Load, node: None, message };
        let folder = tempfile::tempdir().map_err(|error| failed(format!("its profile cannot be written: {error}")))?;
        let session = Arc::new(self.source.session(&self.spec, Some(&folder.path().join("profile")))?);
        for _ in 0..WARM_UP + calls {
            session.run_alloc(inputs)?;
        }
        let session = Arc::into_inner(session).ok_or_else(|| failed("its session is still in use".to_owned()))?;
        profile::read(&session.end_profiling()?, calls)
    }

    fn description(&self) -> String {
        self.description.clone()
    }
}
