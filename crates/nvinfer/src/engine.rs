//! `ICudaEngine`: what an engine takes and gives, and the execution contexts that run it.

use std::sync::Arc;

use crate::context::ExecutionContext;
use crate::dims::Dims;
use crate::error::{Error, Result};
use crate::inspector::EngineInspector;
use crate::library::Library;
use crate::memory::HostMemory;
use crate::raw::engine::{cuda_engine as raw, serialization_config};
use crate::raw::{Keep, Owned, Ref};
use crate::runtime_config::RuntimeConfig;
use crate::sys::tables::cuda_engine as table;
use crate::types::{
    DataType, EngineStat, ExecutionContextAllocationStrategy, HardwareCompatibilityLevel, OptProfileSelector,
    ProfilingVerbosity, SerializationFlag, TensorFormat, TensorIoMode, TensorLocation,
};
use crate::version::Version;
use crate::weights::{c_int, c_text};

/// An engine, ready to be run by execution contexts, which keep it alive.
#[derive(Debug)]
pub struct Engine {
    pub(crate) object: Arc<Owned>,
    pub(crate) library: Library,
    /// The runtime must be deleted after its engines.
    _runtime: Keep,
}

// SAFETY: an ICudaEngine may be used from several threads at once, as TensorRT documents; only refitting may not, which
// takes `&mut Engine`. What it made shares the Arc only to keep it alive.
unsafe impl Send for Engine {}
// SAFETY: as above.
unsafe impl Sync for Engine {}

/// An input or output of an engine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IoTensor {
    /// Name.
    pub name: String,
    /// Input or output.
    pub mode: TensorIoMode,
    /// Element type.
    pub dtype: DataType,
    /// Extents; -1 for one that the input shapes decide.
    pub dims: Dims,
    /// On the GPU, or in host memory as shape tensors are.
    pub location: TensorLocation,
    /// TensorRT needs its values, not only its shape, to infer shapes.
    pub is_shape_inference_io: bool,
    /// Memory layout; `None` for one that this crate does not know.
    pub format: Option<TensorFormat>,
}

impl Engine {
    pub(crate) fn new(object: Owned, library: Library, runtime: Keep) -> Result<Self> {
        let engine = Self { object: object.shared(), library, _runtime: runtime };
        let recorder = engine.object.host().recorder.as_ptr();
        // SAFETY: the host, and with it the recorder, lives as long as the engine.
        unsafe { raw::set_error_recorder(engine.raw(), recorder)? };
        Ok(engine)
    }

    fn raw(&self) -> Ref<'_> {
        self.object.handle()
    }

    /// The loaded version.
    pub fn version(&self) -> Version {
        self.object.host().version()
    }

    fn own(&self, made: std::ptr::NonNull<std::ffi::c_void>) -> Owned {
        // SAFETY: the callers pass what the engine just made and leaves to them to delete.
        unsafe { Owned::new(made, self.object.host().clone()) }
    }

    fn known<T>(&self, what: &'static str, value: i32, read: fn(Version, i32) -> Option<T>) -> Result<T> {
        read(self.version(), value).ok_or(Error::OutOfRange { what, value: value.into() })
    }

    /// Its name, which is the network's.
    pub fn name(&self) -> String {
        // SAFETY: the engine is alive.
        unsafe { raw::name(self.raw()) }.unwrap_or_default()
    }

    /// Number of layers after fusion.
    ///
    /// # Errors
    /// None in practice; the call is in every version.
    pub fn num_layers(&self) -> Result<usize> {
        // SAFETY: the engine is alive.
        Ok(usize::try_from(unsafe { raw::nb_layers(self.raw()) }?).unwrap_or(0))
    }

    /// Number of optimization profiles.
    ///
    /// # Errors
    /// None in practice; the call is in every version.
    pub fn num_profiles(&self) -> Result<usize> {
        // SAFETY: the engine is alive.
        Ok(usize::try_from(unsafe { raw::nb_optimization_profiles(self.raw()) }?).unwrap_or(0))
    }

    /// Device memory that an execution context takes, in bytes (`getDeviceMemorySizeV2`, or `getDeviceMemorySize`).
    ///
    /// # Errors
    /// None in practice; one of the calls is in every version.
    pub fn device_memory_size(&self) -> Result<usize> {
        let host = self.object.host();
        let newer = host.has(&table::GET_DEVICE_MEMORY_SIZE_V2);
        let older = host.has(&table::GET_DEVICE_MEMORY_SIZE);
        // SAFETY: the engine is alive.
        let size = newer.then(|| unsafe { raw::device_memory_size_v2(self.raw()) }).transpose()?;
        // A version-compatible plan brings a runtime of its own, older than the table, which may not know the newer
        // call.
        let size = match size {
            Some(size) if size > 0 || !older => size,
            // SAFETY: as above.
            _ => unsafe { raw::device_memory_size(self.raw()) }?,
        };
        Ok(usize::try_from(size).unwrap_or(0))
    }

    /// Whether its weights can be replaced.
    pub fn is_refittable(&self) -> bool {
        // SAFETY: the engine is alive.
        unsafe { raw::is_refittable(self.raw()) }.unwrap_or_default()
    }

    /// On which other GPUs it runs.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a level that this crate does not know.
    pub fn hardware_compatibility_level(&self) -> Result<HardwareCompatibilityLevel> {
        // SAFETY: the engine is alive.
        let number = unsafe { raw::hardware_compatibility_level(self.raw()) }?;
        self.known("a hardware compatibility level", number, HardwareCompatibilityLevel::from_number)
    }

    /// How much of the network it remembers.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a verbosity that this crate does not know.
    pub fn profiling_verbosity(&self) -> Result<ProfilingVerbosity> {
        // SAFETY: the engine is alive.
        let number = unsafe { raw::profiling_verbosity(self.raw()) }?;
        self.known("a profiling verbosity", number, ProfilingVerbosity::from_number)
    }

    /// Streams it uses in addition to the one it is enqueued on.
    ///
    /// # Errors
    /// None in practice; the call is in every version.
    pub fn num_aux_streams(&self) -> Result<usize> {
        // SAFETY: the engine is alive.
        Ok(usize::try_from(unsafe { raw::nb_aux_streams(self.raw()) }?).unwrap_or(0))
    }

    /// Bytes of its weights (`getEngineStat`, from 10.16 and RTX 1.3).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`].
    pub fn stat(&self, stat: EngineStat) -> Result<i64> {
        let number = stat.number(self.version())?;
        // SAFETY: the engine is alive.
        unsafe { raw::engine_stat(self.raw(), number) }
    }

    /// Its inputs and outputs, in order.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a data type that this crate does not know.
    pub fn io_tensors(&self) -> Result<Vec<IoTensor>> {
        // SAFETY: the engine is alive.
        let count = unsafe { raw::nb_io_tensors(self.raw()) }?;
        // SAFETY: the engine is alive, and the index is below the count.
        (0..count).map(|i| self.io_tensor(unsafe { raw::io_tensor_name(self.raw(), i) }?)).collect()
    }

    fn io_tensor(&self, name: String) -> Result<IoTensor> {
        let text = c_text("a tensor name", &name)?;
        let (raw, at) = (self.raw(), text.as_ptr());
        // SAFETY: the engine is alive, and TensorRT does not keep the name.
        let (mode, dtype, dims, location, is_shape_inference_io, format) = unsafe {
            (
                raw::tensor_io_mode(raw, at)?,
                raw::tensor_data_type(raw, at)?,
                raw::tensor_shape(raw, at).map_err(|e| e.on(&name))?,
                raw::tensor_location(raw, at)?,
                raw::is_shape_inference_io(raw, at)?,
                raw::tensor_format(raw, at)?,
            )
        };
        Ok(IoTensor {
            mode: self.known("a tensor's mode", mode, TensorIoMode::from_number)?,
            dtype: self.known("a tensor's data type", dtype, DataType::from_number)?,
            location: self.known("a tensor's location", location, TensorLocation::from_number)?,
            format: TensorFormat::from_number(self.version(), format),
            name,
            dims,
            is_shape_inference_io,
        })
    }

    /// One of the three shapes of an input in a profile.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such input or profile.
    pub fn profile_shape(&self, input: &str, profile: usize, which: OptProfileSelector) -> Result<Dims> {
        let name = c_text("an input name", input)?;
        let profile = c_int("a profile index", profile)?;
        let which = which.number(self.version())?;
        // SAFETY: the engine is alive, and TensorRT does not keep the name.
        unsafe { raw::profile_shape(self.raw(), name.as_ptr(), profile, which) }.map_err(|e| e.on(input))
    }

    /// Makes a context that takes its device memory at once (`createExecutionContext`).
    ///
    /// # Errors
    /// [`Error::Refused`], for instance when there is not enough memory.
    pub fn create_context(&self) -> Result<ExecutionContext> {
        // SAFETY: the engine is alive.
        let made = unsafe {
            if self.object.host().has(&table::CREATE_EXECUTION_CONTEXT) {
                raw::create_execution_context(self.raw())
            } else {
                let fixed = ExecutionContextAllocationStrategy::Static.number(self.version())?;
                raw::create_execution_context_with_strategy(self.raw(), fixed)
            }
        };
        ExecutionContext::new(self.own(made?), Keep::new(&self.object), None)
    }

    /// Makes a context that takes its device memory by `strategy`. In 8.6 only `Static` and `UserManaged` exist.
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn create_context_with_strategy(
        &self,
        strategy: ExecutionContextAllocationStrategy,
    ) -> Result<ExecutionContext> {
        let old = self.object.host().has(&table::CREATE_EXECUTION_CONTEXT);
        // SAFETY: the engine is alive.
        let made = unsafe {
            match strategy {
                ExecutionContextAllocationStrategy::Static if old => raw::create_execution_context(self.raw()),
                ExecutionContextAllocationStrategy::UserManaged if old => {
                    raw::create_execution_context_without_device_memory(self.raw())
                }
                _ => raw::create_execution_context_with_strategy(self.raw(), strategy.number(self.version())?),
            }
        };
        ExecutionContext::new(self.own(made?), Keep::new(&self.object), None)
    }

    /// Starts a configuration for contexts (`createRuntimeConfig`, from 10.13 and RTX 1.3).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn create_runtime_config(&self) -> Result<RuntimeConfig> {
        // SAFETY: the engine is alive.
        let made = unsafe { raw::create_runtime_config(self.raw()) }?;
        Ok(RuntimeConfig::new(self.own(made), Keep::new(&self.object)))
    }

    /// Makes a context from a configuration; the context keeps it.
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn create_context_with(&self, config: RuntimeConfig) -> Result<ExecutionContext> {
        // SAFETY: the engine and the configuration are alive.
        let made = unsafe { raw::create_execution_context_with_runtime_config(self.raw(), config.as_ptr()) }?;
        ExecutionContext::new(self.own(made), Keep::new(&self.object), Some(config))
    }

    /// Makes an inspector (`createEngineInspector`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn create_inspector(&self) -> Result<EngineInspector> {
        // SAFETY: the engine is alive.
        let made = unsafe { raw::create_engine_inspector(self.raw()) }?;
        EngineInspector::new(self.own(made), Keep::new(&self.object), self.num_layers()?)
    }

    /// Its plan (`serialize`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn serialize(&self) -> Result<HostMemory> {
        // SAFETY: the engine is alive.
        HostMemory::new(self.own(unsafe { raw::serialize(self.raw()) }?))
    }

    /// Its plan, with parts left out or added (`serializeWithConfig`, from 10).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn serialize_with(&self, flags: &[SerializationFlag]) -> Result<HostMemory> {
        // SAFETY: the engine is alive, and so is the configuration, which is ours to delete.
        unsafe {
            let config = self.own(raw::create_serialization_config(self.raw())?);
            for flag in flags {
                serialization_config::set_flag(config.handle(), flag.number(self.version())?)?;
            }
            HostMemory::new(self.own(raw::serialize_with_config(self.raw(), config.as_ptr())?))
        }
    }
}
