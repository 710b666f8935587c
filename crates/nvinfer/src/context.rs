//! `IExecutionContext`: one run at a time of an engine, at shapes and addresses that the caller sets.
//!
//! Addresses and streams are CUDA's and mean nothing here, so what hands them over is unsafe.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_void};

use crate::allocator::{Allocator, OutputAllocator};
use crate::dims::Dims;
use crate::error::Result;
use crate::profiler::{LayerTimer, Profiler};
use crate::raw::engine::context as raw;
use crate::raw::{Keep, Owned, Ref};
use crate::runtime_config::RuntimeConfig;
use crate::sys::tables::execution_context as table;
use crate::types::ProfilingVerbosity;
use crate::version::Version;
use crate::weights::{c_int, c_text};

/// Runs an engine. For concurrent runs, make several.
#[derive(Debug)]
pub struct ExecutionContext {
    // Dropped first: TensorRT's object points to what follows.
    object: Owned,
    allocators: BTreeMap<String, Allocator>,
    profiler: Option<LayerTimer>,
    config: Option<RuntimeConfig>,
    /// The engine must be deleted after its contexts.
    _engine: Keep,
}

// SAFETY: a context may be used from any one thread at a time, and `ExecutionContext` is not Sync.
unsafe impl Send for ExecutionContext {}

impl ExecutionContext {
    pub(crate) fn new(object: Owned, engine: Keep, config: Option<RuntimeConfig>) -> Result<Self> {
        let context = Self { object, allocators: BTreeMap::new(), profiler: None, config, _engine: engine };
        let recorder = context.object.host().recorder.as_ptr();
        // SAFETY: the host, and with it the recorder, lives as long as the context.
        unsafe { raw::set_error_recorder(context.raw(), recorder)? };
        Ok(context)
    }

    fn raw(&self) -> Ref<'_> {
        self.object.handle()
    }

    pub(crate) fn object(&self) -> &Owned {
        &self.object
    }

    /// The loaded version.
    pub fn version(&self) -> Version {
        self.object.host().version()
    }

    /// The configuration it was made with, if any; its cache can be saved after running.
    pub fn runtime_config(&self) -> Option<&RuntimeConfig> {
        self.config.as_ref()
    }

    /// Names it; profilers show the name (`setName`).
    ///
    /// # Errors
    /// [`Error::NulInText`](crate::Error::NulInText).
    pub fn set_name(&mut self, name: &str) -> Result<()> {
        let name = c_text("a context name", name)?;
        // SAFETY: the context is alive; TensorRT copies the name.
        unsafe { raw::set_name(self.raw(), name.as_ptr()) }
    }

    /// Chooses an optimization profile (`setOptimizationProfileAsync`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when there is no such profile, or another context has it.
    ///
    /// # Safety
    /// `stream` is a live CUDA stream; executions that follow are enqueued on it or wait for it.
    pub unsafe fn set_optimization_profile(&mut self, profile: usize, stream: *mut c_void) -> Result<()> {
        let profile = c_int("a profile index", profile)?;
        // SAFETY: the context is alive, and the stream is the caller's promise.
        unsafe { raw::set_optimization_profile_async(self.raw(), profile, stream) }
    }

    /// The profile in use; `None` before one is chosen.
    pub fn optimization_profile(&self) -> Option<usize> {
        // SAFETY: the context is alive.
        usize::try_from(unsafe { raw::optimization_profile(self.raw()) }.ok()?).ok()
    }

    /// Sets the shape of an input (`setInputShape`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) for a shape that the profile does not allow.
    pub fn set_input_shape(&mut self, input: &str, dims: &[i64]) -> Result<()> {
        let name = c_text("an input name", input)?;
        let dims = Dims::new(dims)?;
        // SAFETY: the context is alive, and TensorRT does not keep the name.
        unsafe { raw::set_input_shape(self.raw(), name.as_ptr(), &dims) }.map_err(|e| e.on(input))
    }

    /// The shape of an input as set, or of an output as it follows; -1 for what depends on data (`getTensorShape`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when there is no such tensor.
    pub fn tensor_shape(&self, tensor: &str) -> Result<Dims> {
        let name = c_text("a tensor name", tensor)?;
        // SAFETY: the context is alive, and TensorRT does not keep the name.
        unsafe { raw::tensor_shape(self.raw(), name.as_ptr()) }.map_err(|e| e.on(tensor))
    }

    /// Infers shapes, and names the inputs whose shape or values are still missing (`inferShapes`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when the inputs do not go together.
    pub fn infer_shapes(&self) -> Result<Vec<String>> {
        const MOST: usize = 64;
        let mut names: [*const c_char; MOST] = [std::ptr::null(); MOST];
        let mark = self.object.host().mark();
        // SAFETY: the context is alive, and there is room for the number of names that is passed.
        let count = unsafe { raw::infer_shapes(self.raw(), MOST as i32, names.as_mut_ptr()) }?;
        let Ok(count) = usize::try_from(count) else {
            return Err(self.object.host().refused(&table::INFER_SHAPES, mark));
        };
        let given = names.iter().take(count).filter(|n| !n.is_null());
        // SAFETY: TensorRT fills in names that the engine keeps.
        Ok(given.map(|n| unsafe { CStr::from_ptr(*n) }.to_string_lossy().into_owned()).collect())
    }

    /// Sets where an input is read or an output written (`setTensorAddress`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when there is no such tensor or the address is not aligned.
    ///
    /// # Safety
    /// `address` is memory on the tensor's side (device, or host for shape tensors), large enough for it at the shapes
    /// of every execution that follows, until another address is set.
    pub unsafe fn set_tensor_address(&mut self, tensor: &str, address: *mut c_void) -> Result<()> {
        let name = c_text("a tensor name", tensor)?;
        // SAFETY: the context is alive; the address is the caller's promise.
        unsafe { raw::set_tensor_address(self.raw(), name.as_ptr(), address) }.map_err(|e| e.on(tensor))
    }

    /// Sets where an input is read, without the right to write there (`setInputTensorAddress`).
    ///
    /// # Errors
    /// As for [`Self::set_tensor_address`].
    ///
    /// # Safety
    /// As for [`Self::set_tensor_address`].
    pub unsafe fn set_input_tensor_address(&mut self, tensor: &str, address: *const c_void) -> Result<()> {
        let name = c_text("a tensor name", tensor)?;
        // SAFETY: the context is alive; the address is the caller's promise.
        unsafe { raw::set_input_tensor_address(self.raw(), name.as_ptr(), address) }.map_err(|e| e.on(tensor))
    }

    /// Sets who gives memory for an output whose size depends on data (`setOutputAllocator`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when there is no such output.
    pub fn set_output_allocator(&mut self, output: &str, allocator: Box<dyn OutputAllocator>) -> Result<()> {
        let name = c_text("an output name", output)?;
        let allocator = Allocator::new(self.version(), allocator);
        // SAFETY: the allocator lives as long as the context, or until another takes its place.
        unsafe { raw::set_output_allocator(self.raw(), name.as_ptr(), allocator.as_ptr()) }
            .map_err(|e| e.on(output))?;
        self.allocators.insert(output.to_owned(), allocator);
        Ok(())
    }

    /// An upper bound of an output's size in bytes, at the shapes set (`getMaxOutputSize`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when there is none.
    pub fn max_output_size(&self, output: &str) -> Result<usize> {
        let name = c_text("an output name", output)?;
        let mark = self.object.host().mark();
        // SAFETY: the context is alive, and TensorRT does not keep the name.
        let size = unsafe { raw::max_output_size(self.raw(), name.as_ptr()) }?;
        usize::try_from(size).map_err(|_| self.object.host().refused(&table::GET_MAX_OUTPUT_SIZE, mark).on(output))
    }

    /// Gives the device memory of a context that was made without (`setDeviceMemoryV2`, or `setDeviceMemory`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when there is too little.
    ///
    /// # Safety
    /// `memory` is `size` bytes of device memory that only this context uses while it runs.
    pub unsafe fn set_device_memory(&mut self, memory: *mut c_void, size: usize) -> Result<()> {
        let host = self.object.host();
        let (newer, older) = (host.has(&table::SET_DEVICE_MEMORY_V2), host.has(&table::SET_DEVICE_MEMORY));
        // SAFETY: the context is alive; the memory is the caller's promise. A size of memory fits in 63 bits.
        unsafe {
            match newer.then(|| raw::set_device_memory_v2(self.raw(), memory, size as i64)) {
                Some(Ok(())) => Ok(()),
                // A version-compatible plan brings a runtime of its own, older than the table: 8.6's under 10 refuses.
                Some(Err(error)) if !older => Err(error),
                _ => raw::set_device_memory(self.raw(), memory),
            }
        }
    }

    /// Device memory needed at the shapes set (`updateDeviceMemorySizeForShapes`, from 10).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`](crate::Error::NotInThisVersion) in 8.6.
    pub fn device_memory_size_for_shapes(&mut self) -> Result<usize> {
        // SAFETY: the context is alive.
        Ok(usize::try_from(unsafe { raw::update_device_memory_size_for_shapes(self.raw()) }?).unwrap_or(0))
    }

    /// Limits the L2 cache that stays with this context, in bytes (`setPersistentCacheLimit`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) above what the GPU has.
    pub fn set_persistent_cache_limit(&mut self, bytes: usize) -> Result<()> {
        // SAFETY: the context is alive.
        unsafe { raw::set_persistent_cache_limit(self.raw(), bytes) }
    }

    /// Sets the detail of NVTX ranges (`setNvtxVerbosity`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) above the verbosity that the engine was built with.
    pub fn set_nvtx_verbosity(&mut self, verbosity: ProfilingVerbosity) -> Result<()> {
        let verbosity = verbosity.number(self.version())?;
        // SAFETY: the context is alive.
        unsafe { raw::set_nvtx_verbosity(self.raw(), verbosity) }
    }

    /// Synchronizes after every layer, to find the one that fails (`setDebugSync`).
    ///
    /// # Errors
    /// None in practice; the call is in every version.
    pub fn set_debug_sync(&mut self, sync: bool) -> Result<()> {
        // SAFETY: the context is alive.
        unsafe { raw::set_debug_sync(self.raw(), sync) }
    }

    /// Sets the profiler that receives the times of layers (`setProfiler`). With `emit_while_enqueueing`, each
    /// execution reports and synchronizes; else [`Self::report_to_profiler`] does.
    ///
    /// # Errors
    /// None in practice; the calls are in every version.
    pub fn set_profiler(&mut self, profiler: Box<dyn Profiler>, emit_while_enqueueing: bool) -> Result<()> {
        let timer = LayerTimer::new(self.version(), profiler);
        // SAFETY: the timer lives as long as the context, or until another takes its place.
        unsafe { raw::set_profiler(self.raw(), timer.as_ptr()) }?;
        // Kept before anything else can fail: TensorRT has its address now.
        self.profiler = Some(timer);
        // SAFETY: the context is alive.
        unsafe { raw::set_enqueue_emits_profile(self.raw(), emit_while_enqueueing) }
    }

    /// Reports the layer times of the last execution, which must be over (`reportToProfiler`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when nothing was run.
    pub fn report_to_profiler(&mut self) -> Result<()> {
        // SAFETY: the context is alive.
        unsafe { raw::report_to_profiler(self.raw()) }
    }

    /// Whether the shape of every input is set (`allInputDimensionsSpecified`).
    pub fn all_input_dimensions_specified(&self) -> bool {
        // SAFETY: the context is alive.
        unsafe { raw::all_input_dimensions_specified(self.raw()) }.unwrap_or_default()
    }

    /// Sets a CUDA event that is recorded when the inputs may be overwritten (`setInputConsumedEvent`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused).
    ///
    /// # Safety
    /// `event` is null or a CUDA event that lives until another is set.
    pub unsafe fn set_input_consumed_event(&mut self, event: *mut c_void) -> Result<()> {
        // SAFETY: the context is alive; the event is the caller's promise.
        unsafe { raw::set_input_consumed_event(self.raw(), event) }
    }

    /// Enqueues an execution on a CUDA stream and returns at once (`enqueueV3`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when a shape or an address is missing, or CUDA failed.
    ///
    /// # Safety
    /// `stream` is a live CUDA stream of the engine's device. The addresses set stay valid, and neither they nor the
    /// context are otherwise used, until the stream has passed this execution.
    pub unsafe fn enqueue(&mut self, stream: *mut c_void) -> Result<()> {
        // SAFETY: the context is alive; the rest is the caller's promise.
        unsafe { raw::enqueue_v3(self.raw(), stream) }
    }

    /// Whether executions on `stream` can be captured in a CUDA graph (`isStreamCapturable`, RTX from 1.5).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`](crate::Error::NotInThisVersion).
    ///
    /// # Safety
    /// `stream` is a live CUDA stream.
    pub unsafe fn is_stream_capturable(&self, stream: *mut c_void) -> Result<bool> {
        // SAFETY: the context is alive; the stream is the caller's promise.
        unsafe { raw::is_stream_capturable(self.raw(), stream) }
    }
}
