//! `IRuntimeConfig` and `IRuntimeCache`: how execution contexts are made, and what TensorRT-RTX compiled for them.

use std::ffi::c_void;

use crate::error::Result;
use crate::memory::HostMemory;
use crate::raw::engine::{runtime_cache as raw_cache, runtime_config as raw};
use crate::raw::{Keep, Owned};
use crate::types::{CudaGraphStrategy, DynamicShapesKernelSpecializationStrategy, ExecutionContextAllocationStrategy};
use crate::version::Version;

/// How an execution context is to be made.
#[derive(Debug)]
pub struct RuntimeConfig {
    // Dropped first: it points to the cache.
    object: Owned,
    cache: Option<RuntimeCache>,
    /// The engine must be deleted after what it made.
    _engine: Keep,
}

// SAFETY: the object is used from one thread at a time, since `RuntimeConfig` is not Sync by its `Owned`.
unsafe impl Send for RuntimeConfig {}

/// Kernels that TensorRT-RTX compiled on this machine, to be saved and given to the next process (`IRuntimeCache`).
#[derive(Debug)]
pub struct RuntimeCache {
    object: Owned,
}

impl RuntimeConfig {
    pub(crate) fn new(object: Owned, engine: Keep) -> Self {
        Self { object, cache: None, _engine: engine }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr()
    }

    fn version(&self) -> Version {
        self.object.host().version()
    }

    /// Sets when the context takes its device memory.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused).
    pub fn set_allocation_strategy(&mut self, strategy: ExecutionContextAllocationStrategy) -> Result<()> {
        let number = strategy.number(self.version())?;
        // SAFETY: the configuration is alive.
        unsafe { raw::set_execution_context_allocation_strategy(self.object.handle(), number) }
    }

    /// Sets how CUDA graphs are captured (TensorRT-RTX).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`](crate::Error::NotInThisVersion) in TensorRT.
    pub fn set_cuda_graph_strategy(&mut self, strategy: CudaGraphStrategy) -> Result<()> {
        let number = strategy.number(self.version())?;
        // SAFETY: the configuration is alive.
        unsafe { raw::set_cuda_graph_strategy(self.object.handle(), number) }
    }

    /// Sets when kernels are compiled for a shape (TensorRT-RTX).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`](crate::Error::NotInThisVersion) in TensorRT.
    pub fn set_kernel_specialization(&mut self, strategy: DynamicShapesKernelSpecializationStrategy) -> Result<()> {
        let number = strategy.number(self.version())?;
        // SAFETY: the configuration is alive.
        unsafe { raw::set_dynamic_shapes_kernel_specialization_strategy(self.object.handle(), number) }
    }

    /// Uses a cache of compiled kernels, from the bytes of an earlier one or empty, and adds to it (TensorRT-RTX).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`](crate::Error::NotInThisVersion) in TensorRT;
    /// [`Error::Refused`](crate::Error::Refused) for bytes of another version or GPU.
    pub fn use_cache(&mut self, bytes: &[u8]) -> Result<()> {
        // SAFETY: the configuration is alive, and the cache is ours to delete, after the configuration.
        unsafe {
            let made = raw::create_runtime_cache(self.object.handle())?;
            let cache = RuntimeCache { object: Owned::new(made, self.object.host().clone()) };
            if !bytes.is_empty() {
                raw_cache::deserialize(cache.object.handle(), bytes.as_ptr(), bytes.len())?;
            }
            raw::set_runtime_cache(self.object.handle(), cache.object.as_ptr())?;
            self.cache = Some(cache);
        }
        Ok(())
    }

    /// The cache in use, to be saved after running.
    pub fn cache(&self) -> Option<&RuntimeCache> {
        self.cache.as_ref()
    }
}

impl RuntimeCache {
    /// Its bytes.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused).
    pub fn serialize(&self) -> Result<HostMemory> {
        // SAFETY: the cache is alive; what it makes is ours to delete.
        let object = unsafe { Owned::new(raw_cache::serialize(self.object.handle())?, self.object.host().clone()) };
        HostMemory::new(object)
    }
}
