//! The TensorRT engine: a plan, run on a GPU.
//!
//! Calls come from any thread and on any stream. Each borrows a slot from a pool (a block of scratch memory, an
//! execution context, and CUDA graphs for shapes seen before), enqueues on the caller's stream and returns; an
//! event keeps the order where a slot goes from one stream to another. It must not know how the plan was built.
//!
//! | File | What it holds |
//! |---|---|
//! | `captured.rs` | the graphs of one set of shapes: with copies, and of addresses that keep coming |
//! | `interface.rs` | the plan's inputs and outputs against the spec |
//! | `runner.rs` | one execution context and what it is bound to |
//! | `slot.rs` | what one call at a time uses; what is worth a graph |
//! | `tally.rs` | how often shapes and addresses came |
//! | `pool.rs` | who gets which slot |
//! | `outputs.rs` | outputs whose size depends on data |
//! | `refit.rs` | new weights for a plan |
//! | `timing.rs` | times of calls and of layers |

#[allow(unsafe_code)]
mod captured;
mod interface;
#[allow(unsafe_code)]
mod outputs;
mod pool;
#[allow(unsafe_code)]
mod refit;
#[allow(unsafe_code)]
mod runner;
#[allow(unsafe_code)]
mod slot;
mod tally;
#[allow(unsafe_code)]
mod timing;

pub use refit::refit;
pub use timing::CallTimer;

use crate::check::Checked;
use crate::cuda::{self, CudaDevice, OwnedStream, RelaxedCapture, Stream};
use crate::error::Task;
use crate::{Device, Engine, EngineSpec, Error, LayerTimes, Result, RunOptions, Tensor, TensorView, TensorViewMut};
use pool::{Lease, Pool};
use runner::{Addresses, Parts, Shapes};
use slot::Slot;
use smallvec::SmallVec;
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

/// When calls are replayed from a captured CUDA graph instead of enqueued layer by layer.
///
/// A graph saves the launches of the single kernels, which dominate in small models; it costs a copy of inputs and
/// outputs within the GPU, and memory for them. Tensors that come at the same addresses eight times get a graph without
/// copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CudaGraph {
    /// Never.
    Never,
    /// From the third call of the same shapes on, where inputs and outputs are at most 16 MiB and the engine can be
    /// captured.
    #[default]
    Auto,
    /// From the first call; an engine that cannot be captured is an error.
    Always,
}

impl CudaGraph {
    /// The mode of that name: `never`, `auto` or `always`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "never" => Some(Self::Never),
            "auto" => Some(Self::Auto),
            "always" => Some(Self::Always),
            _ => None,
        }
    }
}

/// How a TensorRT engine runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorRtOptions {
    /// Index of the GPU, as CUDA counts them.
    pub device: u32,
    /// When CUDA graphs are used.
    pub cuda_graph: CudaGraph,
    /// Most execution contexts, each with scratch memory of its own: as many calls can be under way on streams that
    /// do not wait for each other. Further ones wait for one of these. Graphs that a caller captures are not counted.
    pub contexts: usize,
    /// Whether a plan may bring host code of its own, as version-compatible plans do. Only for plans that are trusted
    /// as programs are.
    pub host_code: bool,
}

impl Default for TensorRtOptions {
    fn default() -> Self {
        Self { device: 0, cuda_graph: CudaGraph::default(), contexts: 4, host_code: false }
    }
}

/// TensorRT's engine of a plan. The device must be current.
fn deserialize(library: nvinfer::Library, plan: &[u8], options: &TensorRtOptions) -> Result<nvinfer::Engine> {
    let mut runtime = nvinfer::Runtime::new(library).map_err(|e| Error::tensorrt(Task::StartRuntime, e))?;
    if options.host_code {
        runtime.set_engine_host_code_allowed(true).map_err(|e| Error::tensorrt(Task::AllowHostCode, e))?;
    }
    runtime.deserialize(plan).map_err(|e| Error::tensorrt(Task::LoadPlan, e))
}

/// An engine on a GPU.
///
/// Inputs and outputs lie in the memory of its GPU. With a stream in [`RunOptions`] a call enqueues and returns; a
/// stream that is being captured into a CUDA graph captures the call, and the context used is then kept for that
/// graph until the engine is dropped, which must not be before the graph.
pub struct TensorRtEngine {
    // In the order of dropping: contexts before the engine they belong to.
    pool: Pool<Slot>,
    /// Slots that a caller's CUDA graphs use.
    captured: Mutex<Vec<Slot>>,
    own: OwnedStream,
    parts: Parts,
    options: TensorRtOptions,
    description: String,
}

impl TensorRtEngine {
    /// Makes an engine from a plan. Without a spec, names, types, sizes and profiles are those of the plan.
    ///
    /// The types of [`Engine::spec`] are the plan's: where TensorRT has no int64 (8.6), the plan takes int32 for it.
    ///
    /// # Errors
    /// [`Error::NoCuda`] without the GPU, [`Error::TensorRt`] with TensorRT's words for a plan it refuses (another
    /// version, another GPU, damage), [`Error::PlanInterface`] for a spec that is not the plan's.
    pub fn new(
        library: nvinfer::Library,
        plan: &[u8],
        spec: Option<&EngineSpec>,
        options: &TensorRtOptions,
    ) -> Result<Self> {
        let device = CudaDevice::new(options.device)?;
        let _here = device.enter()?;
        let engine = deserialize(library, plan, options)?;
        let read = |e| Error::tensorrt(Task::ReadInterface, e);
        let spec = match spec {
            Some(spec) => interface::agree(spec, &engine.io_tensors().map_err(read)?)?,
            None => interface::read(&engine)?,
        };
        let scratch = engine.device_memory_size().map_err(read)?;
        let description = format!("{} on {} (cuda:{})", library.version(), device.name(), device.index());
        let (nowhere, own) = (device.allocate(256)?, device.stream()?);
        Ok(Self {
            pool: Pool::new(options.contexts),
            captured: Mutex::default(),
            own,
            parts: Parts { engine, spec, device, nowhere, scratch },
            options: options.clone(),
            description,
        })
    }

    /// The GPU.
    pub fn cuda_device(&self) -> &CudaDevice {
        &self.parts.device
    }

    /// Bytes of scratch memory that each execution context takes.
    pub fn scratch_bytes(&self) -> usize {
        self.parts.scratch
    }

    /// TensorRT's own account of the engine's layers, as JSON.
    ///
    /// # Errors
    /// [`Error::TensorRt`].
    pub fn layers(&self) -> Result<String> {
        let failure = |e| Error::tensorrt(Task::Inspect, e);
        let inspector = self.parts.engine.create_inspector().map_err(failure)?;
        inspector.engine_information(nvinfer::LayerInformationFormat::Json).map_err(failure)
    }

    fn check_inputs(&self, inputs: &[TensorView<'_>], dims: &[&[i64]], options: &RunOptions) -> Result<Checked<'_>> {
        let checked = self.parts.spec.check(dims, options.profile)?;
        checked.check_inputs(inputs, self.device())?;
        Ok(checked)
    }

    fn lend(&self, shapes: Shapes<'_>, stream: Stream) -> Result<Lease<'_, Slot>> {
        self.pool.lend(|slot| slot.fit(shapes, stream), || Slot::new(&self.parts))
    }

    /// The caller's stream, or our own.
    #[allow(unsafe_code)]
    fn stream(&self, options: &RunOptions) -> Stream {
        // SAFETY: whoever made a `CallerStream` promised that it is a live stream of the engine's device.
        options.stream.map_or(self.own.get(), |stream| unsafe { Stream::from_address(stream.address()) })
    }

    /// Enqueues a call on a stream that a caller captures: the context used belongs to that graph from then on.
    #[allow(unsafe_code)]
    fn run_captured(&self, shapes: Shapes<'_>, addresses: Addresses<'_>, stream: Stream) -> Result<()> {
        let _relaxed = RelaxedCapture::begin()?;
        let warm = self.pool.take(|slot| slot.is_done() && slot.plain.is_warm_for(shapes));
        // Making a context while a stream is captured is allowed, but what exists already is safer.
        let idle = warm.or_else(|| self.pool.take(Slot::is_done));
        let mut slot = idle.map_or_else(|| Slot::new(&self.parts), Ok)?;
        if !slot.plain.is_warm_for(shapes) {
            slot.warm_up(&self.parts, shapes)?;
        }
        // SAFETY: the views vouch for the addresses, which the caller keeps as long as the graph, as for every kernel
        // it captures. The slot is used by nothing else any more.
        unsafe { slot.plain.enqueue(&self.parts, shapes, addresses, stream) }?;
        self.captured.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
        Ok(())
    }

    /// Runs into memory that is allocated here, on a stream that is not captured.
    #[allow(unsafe_code)]
    fn run_grown(
        &self,
        checked: &Checked<'_>,
        shapes: Shapes<'_>,
        inputs: &[*mut c_void],
        stream: Stream,
    ) -> Result<Vec<Tensor>> {
        let mut slot = self.lend(shapes, stream)?;
        let (mut memory, mut grown, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
        for (index, io) in self.parts.spec.outputs.iter().enumerate() {
            let dims = checked.output_dims(index)?.map(|dims| dims.to_vec());
            let length = |dims: &Vec<i64>| {
                let bad = || Error::OutputDims { output: io.name.clone(), dims: dims.clone() };
                crate::tensor::byte_len(io.dtype, dims).ok_or_else(bad)
            };
            let bytes = dims.as_ref().map(length).transpose()?;
            let block = bytes.map(|bytes| self.parts.device.allocate(bytes)).transpose()?;
            addresses.push(block.as_ref().map_or(std::ptr::null_mut(), cuda::DeviceMemory::as_ptr));
            grown.push(if dims.is_none() { Some(slot.plain.grow(&self.parts, index)?) } else { None });
            memory.push(dims.map(|dims| (dims, block)));
        }
        slot.take_turn(stream)?;
        // SAFETY: the views vouch for the inputs, the outputs were just allocated, and all live until the stream
        // passed them: it is synchronized before they go.
        let done = unsafe { slot.enqueue(&self.parts, shapes, Addresses { inputs, outputs: &addresses }, stream) };
        let ended = slot.end_turn(stream).and_then(|()| stream.synchronize());
        if let Err(error) = done.and(ended) {
            // A context that failed may be in any state.
            slot.discard();
            return Err(error);
        }
        let outputs = self.parts.spec.outputs.iter().zip(memory).zip(grown);
        let made = outputs.map(|((io, memory), grown)| match (memory, grown) {
            (Some((dims, block)), _) => Tensor::in_device_memory(io.dtype, dims, block, self.device()),
            (None, Some(grown)) => grown.take(io.dtype, self.device()),
            (None, None) => Err(Error::OutputDependsOnData { output: io.name.clone() }),
        });
        made.collect()
    }
}

impl Engine for TensorRtEngine {
    fn spec(&self) -> &EngineSpec {
        &self.parts.spec
    }

    fn device(&self) -> Device {
        Device::Cuda(self.parts.device.index())
    }

    #[allow(unsafe_code)]
    fn run(&self, inputs: &[TensorView<'_>], outputs: &mut [TensorViewMut<'_>], options: &RunOptions) -> Result<()> {
        let dims: SmallVec<[&[i64]; 8]> = inputs.iter().map(TensorView::dims).collect();
        let checked = self.check_inputs(inputs, &dims, options)?;
        checked.check_outputs(inputs, outputs, self.device())?;
        let shapes = Shapes { inputs: &dims, profile: checked.profile() };
        let read: SmallVec<[*mut c_void; 8]> = inputs.iter().map(|view| view.as_ptr().cast_mut().cast()).collect();
        let written: SmallVec<[*mut c_void; 8]> = outputs.iter_mut().map(|view| view.as_mut_ptr().cast()).collect();
        let addresses = Addresses { inputs: &read, outputs: &written };
        let _here = self.parts.device.enter()?;
        let stream = self.stream(options);
        if options.stream.is_some() && stream.is_capturing()? {
            return self.run_captured(shapes, addresses, stream);
        }
        let mut slot = self.lend(shapes, stream)?;
        // SAFETY: the views vouch for the memory, and the caller keeps it until the stream passed the call, as whoever
        // made a `CallerStream` promised.
        let done = unsafe { slot.run(&self.parts, shapes, addresses, stream, self.options.cuda_graph) };
        if let Err(error) = done {
            // A context that failed may be in any state.
            slot.discard();
            return Err(error);
        }
        drop(slot);
        if options.stream.is_none() { stream.synchronize() } else { Ok(()) }
    }

    fn run_alloc(&self, inputs: &[TensorView<'_>], options: &RunOptions) -> Result<Vec<Tensor>> {
        let dims: SmallVec<[&[i64]; 8]> = inputs.iter().map(TensorView::dims).collect();
        let checked = self.check_inputs(inputs, &dims, options)?;
        let shapes = Shapes { inputs: &dims, profile: checked.profile() };
        let read: SmallVec<[*mut c_void; 8]> = inputs.iter().map(|view| view.as_ptr().cast_mut().cast()).collect();
        let _here = self.parts.device.enter()?;
        let stream = self.stream(options);
        if options.stream.is_some() && stream.is_capturing()? {
            return Err(Error::CaptureDependsOnData);
        }
        self.run_grown(&checked, shapes, &read, stream)
    }

    fn inspect(&self) -> Result<Option<String>> {
        let failure = |e| Error::tensorrt(Task::Inspect, e);
        let inspector = self.parts.engine.create_inspector().map_err(failure)?;
        inspector.engine_information(nvinfer::LayerInformationFormat::Json).map_err(failure).map(Some)
    }

    fn activation_bytes(&self) -> Option<usize> {
        self.parts.engine.device_memory_size().ok()
    }

    fn layer_times(&self, inputs: &[TensorView<'_>], calls: usize) -> Result<LayerTimes> {
        timing::layer_times(self, inputs, calls)
    }

    fn description(&self) -> String {
        self.description.clone()
    }
}
