//! `IBuilderConfig`: how a plan is to be built.
//!
//! What the versions call differently has one name here; what a version lacks is an error, so a caller learns that a
//! wish was not met. The objects a configuration points to (progress, timing cache) are kept by it.

use std::ffi::c_void;
use std::sync::Arc;

use crate::algorithms::{AlgorithmSelector, Selector};
use crate::error::{Error, Result};
use crate::profile::OptimizationProfile;
use crate::progress::{Monitor, Progress};
use crate::raw::build::config as raw;
use crate::raw::{Keep, Owned, Ref};
use crate::sys::tables::builder_config as table;
use crate::timing_cache::TimingCache;
use crate::types::{
    BuilderFlag, ComputeCapability, EngineCapability, HardwareCompatibilityLevel, MemoryPoolType, PreviewFeature,
    ProfilingVerbosity, RuntimePlatform, TacticSource, TilingOptimizationLevel,
};
use crate::version::Version;
use crate::weights::{c_int, c_text};

/// How to build. Setters take effect at the next build.
#[derive(Debug)]
pub struct BuilderConfig {
    // Dropped first: TensorRT's object points to what follows.
    object: Owned,
    progress: Option<Monitor>,
    timing_cache: Option<TimingCache>,
    selector: Option<Selector>,
    /// The builder must be deleted after what it made.
    _builder: Keep,
}

impl BuilderConfig {
    pub(crate) fn new(object: Owned, builder: Keep) -> Self {
        Self { object, progress: None, timing_cache: None, selector: None, _builder: builder }
    }

    fn raw(&self) -> Ref<'_> {
        self.object.handle()
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr()
    }

    /// Before a build: forgets an earlier cancellation.
    pub(crate) fn start(&self) {
        if let Some(monitor) = &self.progress {
            monitor.take_cancelled();
        }
    }

    /// After a failed build: distinguishes a cancellation from a failure.
    pub(crate) fn finish(&self, error: Error) -> Error {
        match &self.progress {
            Some(monitor) if monitor.take_cancelled() => Error::Cancelled,
            _ => error,
        }
    }

    /// The loaded version.
    pub fn version(&self) -> Version {
        self.object.host().version()
    }

    /// Sets a flag (`setFlag`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], such as for float16 from 11 on; [`Error::Refused`].
    pub fn set_flag(&mut self, flag: BuilderFlag) -> Result<()> {
        let number = flag.number(self.version())?;
        // SAFETY: the configuration is alive.
        unsafe { raw::set_flag(self.raw(), number) }
    }

    /// Clears a flag (`clearFlag`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`].
    pub fn clear_flag(&mut self, flag: BuilderFlag) -> Result<()> {
        let number = flag.number(self.version())?;
        // SAFETY: the configuration is alive.
        unsafe { raw::clear_flag(self.raw(), number) }
    }

    /// Whether a flag is set; never, for one that the version lacks.
    pub fn has_flag(&self, flag: BuilderFlag) -> bool {
        let number = flag.number(self.version());
        // SAFETY: the configuration is alive.
        number.and_then(|n| unsafe { raw::flag(self.raw(), n) }).unwrap_or_default()
    }

    /// Limits a memory pool, in bytes (`setMemoryPoolLimit`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn set_memory_pool_limit(&mut self, pool: MemoryPoolType, bytes: usize) -> Result<()> {
        let pool = pool.number(self.version())?;
        // SAFETY: the configuration is alive.
        unsafe { raw::set_memory_pool_limit(self.raw(), pool, bytes) }
    }

    /// The limit of a memory pool, in bytes.
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`].
    pub fn memory_pool_limit(&self, pool: MemoryPoolType) -> Result<usize> {
        let pool = pool.number(self.version())?;
        // SAFETY: the configuration is alive. The limit is a size_t.
        Ok(unsafe { raw::memory_pool_limit(self.raw(), pool) }?.cast_unsigned() as usize)
    }

    /// Sets how long the builder may look for faster kernels, 0 to 5 (`setBuilderOptimizationLevel`).
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; TensorRT itself takes any number and goes on with another.
    pub fn set_optimization_level(&mut self, level: i32) -> Result<()> {
        if !(0..=5).contains(&level) {
            return Err(Error::OutOfRange { what: "the builder optimization level (0 to 5)", value: level.into() });
        }
        // SAFETY: the configuration is alive.
        unsafe { raw::set_builder_optimization_level(self.raw(), level) }
    }

    /// The optimization level.
    ///
    /// # Errors
    /// None in practice; the call is in every version.
    pub fn optimization_level(&self) -> Result<i32> {
        // SAFETY: the configuration is alive.
        unsafe { raw::builder_optimization_level(self.raw()) }
    }

    /// Sets how often a kernel is timed, for the average (`setAvgTimingIterations`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn set_avg_timing_iterations(&mut self, count: usize) -> Result<()> {
        let count = c_int("the number of timing iterations", count)?;
        // SAFETY: the configuration is alive.
        unsafe { raw::set_avg_timing_iterations(self.raw(), count) }
    }

    /// Sets how much of the network the engine remembers (`setProfilingVerbosity`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn set_profiling_verbosity(&mut self, verbosity: ProfilingVerbosity) -> Result<()> {
        let verbosity = verbosity.number(self.version())?;
        // SAFETY: the configuration is alive.
        unsafe { raw::set_profiling_verbosity(self.raw(), verbosity) }
    }

    /// Sets where kernels come from (`setTacticSources`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for cuBLAS and cuDNN from 11 on; [`Error::Refused`].
    pub fn set_tactic_sources(&mut self, sources: &[TacticSource]) -> Result<()> {
        let mut mask = 0u32;
        for source in sources {
            mask |= 1 << source.number(self.version())?;
        }
        // SAFETY: the configuration is alive.
        unsafe { raw::set_tactic_sources(self.raw(), mask) }
    }

    /// Turns a preview feature on or off (`setPreviewFeature`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn set_preview_feature(&mut self, feature: PreviewFeature, enable: bool) -> Result<()> {
        let feature = feature.number(self.version())?;
        // SAFETY: the configuration is alive.
        unsafe { raw::set_preview_feature(self.raw(), feature, enable) }
    }

    /// Sets on which other GPUs the engine runs (`setHardwareCompatibilityLevel`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn set_hardware_compatibility_level(&mut self, level: HardwareCompatibilityLevel) -> Result<()> {
        let level = level.number(self.version())?;
        // SAFETY: the configuration is alive.
        unsafe { raw::set_hardware_compatibility_level(self.raw(), level) }
    }

    /// Sets the set of layers the engine is for (`setEngineCapability`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn set_engine_capability(&mut self, capability: EngineCapability) -> Result<()> {
        let capability = capability.number(self.version())?;
        // SAFETY: the configuration is alive.
        unsafe { raw::set_engine_capability(self.raw(), capability) }
    }

    /// Limits the streams that an execution may use in addition to its own (`setMaxAuxStreams`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn set_max_aux_streams(&mut self, count: usize) -> Result<()> {
        let count = c_int("the number of streams", count)?;
        // SAFETY: the configuration is alive.
        unsafe {
            if self.object.host().has(&table::SET_MAX_AUX_STREAMS) {
                raw::set_max_aux_streams(self.raw(), count)
            } else {
                raw::set_max_aux_streams_unchecked(self.raw(), count)
            }
        }
    }

    /// Limits the kernels that are tried for each layer (`setMaxNbTactics`, from 10.7).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn set_max_tactics(&mut self, count: usize) -> Result<()> {
        let count = c_int("the number of tactics", count)?;
        // SAFETY: the configuration is alive.
        unsafe { raw::set_max_nb_tactics(self.raw(), count) }
    }

    /// Sets how hard the builder looks for tilings (`setTilingOptimizationLevel`, from 10.8).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn set_tiling_optimization_level(&mut self, level: TilingOptimizationLevel) -> Result<()> {
        let level = level.number(self.version())?;
        // SAFETY: the configuration is alive.
        unsafe { raw::set_tiling_optimization_level(self.raw(), level) }
    }

    /// Sets the platform the engine is for (`setRuntimePlatform`, from 10.3).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn set_runtime_platform(&mut self, platform: RuntimePlatform) -> Result<()> {
        let platform = platform.number(self.version())?;
        // SAFETY: the configuration is alive.
        unsafe { raw::set_runtime_platform(self.raw(), platform) }
    }

    /// Sets the GPU generations to build for (`setComputeCapability`, TensorRT-RTX), so that none need be present.
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] in TensorRT; [`Error::Refused`].
    pub fn set_compute_capabilities(&mut self, capabilities: &[ComputeCapability]) -> Result<()> {
        let count = c_int("the number of compute capabilities", capabilities.len())?;
        // SAFETY: the configuration is alive.
        unsafe { raw::set_nb_compute_capabilities(self.raw(), count)? };
        for (index, capability) in (0..).zip(capabilities) {
            let capability = capability.number(self.version())?;
            // SAFETY: the configuration is alive, and the index is below the count.
            unsafe { raw::set_compute_capability(self.raw(), capability, index)? };
        }
        Ok(())
    }

    /// Sets the CUDA stream on which kernels are timed (`setProfileStream`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    ///
    /// # Safety
    /// `stream` is null or a CUDA stream that lives until the last build with this configuration.
    pub unsafe fn set_profile_stream(&mut self, stream: *mut c_void) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { raw::set_profile_stream(self.raw(), stream) }
    }

    /// Adds a profile and gives its index (`addOptimizationProfile`).
    ///
    /// # Errors
    /// [`Error::Refused`] when the profile does not hold together.
    pub fn add_profile(&mut self, profile: &OptimizationProfile<'_>) -> Result<usize> {
        let mark = self.object.host().mark();
        // SAFETY: the profile lives as long as the builder, which outlives the configuration.
        let index = unsafe { raw::add_optimization_profile(self.raw(), profile.as_ptr()) }?;
        usize::try_from(index).map_err(|_| self.object.host().refused(&table::ADD_OPTIMIZATION_PROFILE, mark))
    }

    /// Sets the selector of the kernels that are tried (`setAlgorithmSelector`, 8.6 and 10).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] from 11 on and in TensorRT-RTX.
    pub fn set_algorithm_selector(&mut self, selector: Box<dyn AlgorithmSelector>) -> Result<()> {
        let selector = Selector::new(self.object.host().clone(), selector);
        // SAFETY: the selector lives as long as the configuration, or until another takes its place.
        unsafe { raw::set_algorithm_selector(self.raw(), selector.as_ptr())? };
        self.selector = Some(selector);
        Ok(())
    }

    /// Sets the monitor that receives a build's progress and may cancel it (`setProgressMonitor`, from 10).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] in 8.6.
    pub fn set_progress(&mut self, progress: Arc<dyn Progress>) -> Result<()> {
        self.object.host().slot(&table::SET_PROGRESS_MONITOR)?;
        let monitor = Monitor::new(self.version(), progress);
        // SAFETY: the monitor lives as long as the configuration, or until another takes its place.
        unsafe { raw::set_progress_monitor(self.raw(), monitor.as_ptr())? };
        self.progress = Some(monitor);
        Ok(())
    }

    /// Makes a timing cache from bytes of an earlier one, or an empty one from none (`createTimingCache`).
    ///
    /// # Errors
    /// [`Error::Refused`] when the bytes are not a cache of this version.
    pub fn create_timing_cache(&self, bytes: &[u8]) -> Result<TimingCache> {
        // SAFETY: the configuration is alive; TensorRT copies the bytes.
        let made = unsafe { raw::create_timing_cache(self.raw(), bytes.as_ptr(), bytes.len()) }?;
        // SAFETY: a new cache, ours to delete.
        Ok(TimingCache::new(unsafe { Owned::new(made, self.object.host().clone()) }))
    }

    /// Uses a timing cache, and adds to it (`setTimingCache`).
    ///
    /// # Errors
    /// [`Error::Refused`] for a cache of another device, unless `ignore_mismatch`.
    pub fn set_timing_cache(&mut self, cache: TimingCache, ignore_mismatch: bool) -> Result<()> {
        // SAFETY: the cache lives as long as the configuration, or until another takes its place.
        unsafe { raw::set_timing_cache(self.raw(), cache.as_ptr(), ignore_mismatch)? };
        self.timing_cache = Some(cache);
        Ok(())
    }

    /// The timing cache in use, to be saved after a build.
    pub fn timing_cache(&self) -> Option<&TimingCache> {
        self.timing_cache.as_ref()
    }

    /// Chooses among the ways to build that [`Self::build_routes`] lists (`setBuildRoute`, from 11.1 and RTX 1.6).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn set_build_route(&mut self, route: &str) -> Result<()> {
        let route = c_text("a build route", route)?;
        // SAFETY: the configuration is alive; TensorRT copies the text.
        unsafe { raw::set_build_route(self.raw(), route.as_ptr()) }
    }

    /// The ways to build, in TensorRT's words (`getAllBuildRoutes`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`].
    pub fn build_routes(&self) -> Result<String> {
        // SAFETY: the configuration is alive.
        unsafe { raw::all_build_routes(self.raw()) }
    }
}
