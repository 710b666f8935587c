//! `IRuntime`: from a plan to an engine, and whether a plan suits this machine.

use std::path::Path;
use std::sync::Arc;

use crate::device;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::library::Library;
use crate::raw::engine::runtime as raw;
use crate::raw::{Host, Keep, Owned, Ref};
use crate::sys::enums::engine_invalidity_diagnostics as reasons;
use crate::sys::tables::runtime as table;
use crate::types::EngineValidity;
use crate::version::{Family, Version};
use crate::weights::{c_int, c_text};

/// Deserializes engines. Engines keep it alive.
#[derive(Debug)]
pub struct Runtime {
    object: Arc<Owned>,
    library: Library,
    host: Arc<Host>,
    /// A lean runtime that this one was loaded by.
    _parent: Option<Keep>,
}

// SAFETY: the object may be used from any one thread at a time, and `Runtime` is not Sync. Engines share the Arc only
// to keep it alive.
unsafe impl Send for Runtime {}

/// Whether a plan runs on this machine, and why not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Validity {
    /// The verdict.
    pub verdict: EngineValidity,
    /// What stands against it.
    pub reasons: Vec<InvalidityReason>,
}

/// What makes a plan invalid or slow here (`EngineInvalidityDiagnostics`, TensorRT-RTX).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum InvalidityReason {
    /// Another TensorRT-RTX built it.
    VersionMismatch,
    /// It was not built for this GPU's compute capability.
    UnsupportedComputeCapability,
    /// The CUDA driver is too old.
    OldCudaDriver,
    /// The CUDA runtime is too old.
    OldCudaRuntime,
    /// The GPU has too little memory.
    InsufficientGpuMemory,
    /// It is not a plan, or a damaged one.
    Malformed,
    /// CUDA failed, for instance because there is no GPU.
    CudaError,
}

impl Runtime {
    /// Makes a runtime (`createInferRuntime`).
    ///
    /// # Errors
    /// [`Error::NoGpu`] with TensorRT 8.6, [`Error::Refused`] with later ones. TensorRT-RTX makes one without a GPU.
    pub fn new(library: Library) -> Result<Self> {
        let version = library.version();
        if version.family() == Family::Trt8
            && let Some(reason) = device::missing()
        {
            return Err(Error::NoGpu { call: "createInferRuntime".into(), version, reason });
        }
        let host = Host::new(library.entry());
        let mark = host.mark();
        let Some(made) = library.create_runtime() else {
            let diagnostics = host.diagnostics_since(mark);
            return Err(Error::Refused { call: "createInferRuntime".into(), object: None, diagnostics });
        };
        // SAFETY: a new runtime, ours to delete.
        Self::own(unsafe { Owned::new(made, host.clone()) }, library, None)
    }

    fn own(object: Owned, library: Library, parent: Option<Keep>) -> Result<Self> {
        let host = object.host().clone();
        // SAFETY: the host, and with it the recorder, lives as long as the runtime.
        unsafe { raw::set_error_recorder(object.handle(), host.recorder.as_ptr())? };
        Ok(Self { object: object.shared(), library, host, _parent: parent })
    }

    fn raw(&self) -> Ref<'_> {
        self.object.handle()
    }

    /// The loaded version.
    pub fn version(&self) -> Version {
        self.host.version()
    }

    /// The library it comes from.
    pub fn library(&self) -> Library {
        self.library
    }

    fn engine(&self, made: std::ptr::NonNull<std::ffi::c_void>) -> Result<Engine> {
        // SAFETY: a new engine, ours to delete.
        let object = unsafe { Owned::new(made, self.host.clone()) };
        Engine::new(object, self.library, Keep::new(&self.object))
    }

    /// Makes an engine from a plan (`deserializeCudaEngine`). The bytes are not needed afterwards.
    ///
    /// # Errors
    /// [`Error::Refused`] for a plan of another version or GPU, with TensorRT's reasons.
    pub fn deserialize(&self, plan: &[u8]) -> Result<Engine> {
        // SAFETY: the runtime is alive, and TensorRT copies what it needs of the bytes.
        let made = unsafe {
            if self.host.has(&table::DESERIALIZE_CUDA_ENGINE) {
                raw::deserialize_cuda_engine(self.raw(), plan.as_ptr(), plan.len())
            } else {
                // 8.6 still passes the plugin factory of versions before it, which is always null.
                let factory = std::ptr::null_mut();
                raw::deserialize_cuda_engine_with_factory(self.raw(), plan.as_ptr(), plan.len(), factory)
            }
        };
        self.engine(made?)
    }

    /// Lets engines bring host code, as version-compatible ones do (`setEngineHostCodeAllowed`). Only for plans that
    /// you trust as you trust a program.
    ///
    /// # Errors
    /// None in practice; the call is in every version.
    pub fn set_engine_host_code_allowed(&mut self, allowed: bool) -> Result<()> {
        // SAFETY: the runtime is alive.
        unsafe { raw::set_engine_host_code_allowed(self.raw(), allowed) }
    }

    /// Loads the runtime of another version from a library file, for version-compatible plans that leave out their
    /// own (`loadRuntime`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn load_runtime(&self, library: &Path) -> Result<Self> {
        let path = c_text("a path", &library.to_string_lossy())?;
        // SAFETY: the runtime is alive; what it makes is ours to delete, before this one.
        let object = unsafe { Owned::new(raw::load_runtime(self.raw(), path.as_ptr())?, self.host.clone()) };
        Self::own(object, self.library, Some(Keep::new(&self.object)))
    }

    /// Limits the threads of deserializing (`setMaxThreads`).
    ///
    /// # Errors
    /// [`Error::Refused`] for zero.
    pub fn set_max_threads(&mut self, threads: usize) -> Result<()> {
        let threads = c_int("the number of threads", threads)?;
        // SAFETY: the runtime is alive.
        unsafe { raw::set_max_threads(self.raw(), threads) }
    }

    /// Sets the folder for temporary files (`setTemporaryDirectory`).
    ///
    /// # Errors
    /// [`Error::Refused`] for a folder that cannot be written to.
    pub fn set_temporary_directory(&mut self, folder: &Path) -> Result<()> {
        let path = c_text("a path", &folder.to_string_lossy())?;
        // SAFETY: the runtime is alive; TensorRT copies the text.
        unsafe { raw::set_temporary_directory(self.raw(), path.as_ptr()) }
    }

    /// How many of a plan's first bytes [`Self::engine_validity`] needs (`getEngineHeaderSize`, TensorRT-RTX).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] in TensorRT.
    pub fn engine_header_size(&self) -> Result<usize> {
        // SAFETY: the runtime is alive.
        let size = unsafe { raw::engine_header_size(self.raw()) }?;
        Ok(usize::try_from(size).unwrap_or(0))
    }

    /// Whether a plan, of which the header suffices, runs here (`getEngineValidity`, TensorRT-RTX).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] in TensorRT.
    pub fn engine_validity(&self, header: &[u8]) -> Result<Validity> {
        let mut bits = 0u64;
        // A slice's length fits in 63 bits.
        let size = header.len() as i64;
        // SAFETY: the runtime is alive, and reads no more than the bytes.
        let number = unsafe { raw::engine_validity(self.raw(), header.as_ptr(), size, &raw mut bits) }?;
        let verdict = EngineValidity::from_number(self.version(), number).unwrap_or(EngineValidity::Invalid);
        Ok(Validity { verdict, reasons: InvalidityReason::read(self.version(), bits) })
    }
}

impl InvalidityReason {
    fn read(version: Version, bits: u64) -> Vec<Self> {
        let all = [
            (Self::VersionMismatch, &reasons::VERSION_MISMATCH),
            (Self::UnsupportedComputeCapability, &reasons::UNSUPPORTED_CC),
            (Self::OldCudaDriver, &reasons::OLD_CUDA_DRIVER),
            (Self::OldCudaRuntime, &reasons::OLD_CUDA_RUNTIME),
            (Self::InsufficientGpuMemory, &reasons::INSUFFICIENT_GPU_MEMORY),
            (Self::Malformed, &reasons::MALFORMED_ENGINE),
            (Self::CudaError, &reasons::CUDA_ERROR),
        ];
        let set = |number: Option<i32>| number.is_some_and(|n| bits & u64::from(n.cast_unsigned()) != 0);
        all.into_iter().filter(|(_, number)| set(number.of(version))).map(|(reason, _)| reason).collect()
    }
}
