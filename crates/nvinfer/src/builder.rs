//! `IBuilder`: from a network and a configuration to a plan.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::config::BuilderConfig;
use crate::error::{Error, Result};
use crate::library::Library;
use crate::memory::HostMemory;
use crate::network::Network;
use crate::profile::OptimizationProfile;
use crate::raw::build::builder as raw;
use crate::raw::{Host, Keep, Owned, Ref};
use crate::types::NetworkDefinitionCreationFlag;
use crate::version::Version;

/// Whether the types of a network are set by it or chosen by the builder.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Typing {
    /// Types flow from inputs and constants; from 10 on, and always from 11 on.
    #[default]
    Strong,
    /// The builder chooses among the types that flags and layers allow; 8.6 and 10.
    Weak,
}

/// Makes plans. Networks and configurations made by it keep it alive.
#[derive(Debug)]
pub struct Builder {
    object: Arc<Owned>,
    host: Arc<Host>,
}

// SAFETY: the object may be used from any one thread at a time, and `Builder` is not Sync. What it made shares the Arc
// only to keep it alive.
unsafe impl Send for Builder {}

impl Builder {
    /// Makes a builder (`createInferBuilder`). On a GPU this starts CUDA.
    ///
    /// # Errors
    /// [`Error::NoBuilder`] for a lean runtime; [`Error::Refused`], for instance without a GPU where one is needed or
    /// when the builder's resource library is missing.
    pub fn new(library: Library) -> Result<Self> {
        if !library.can_build() {
            return Err(Error::NoBuilder { path: library.path().to_owned(), version: library.version() });
        }
        let host = Host::new(library.entry());
        let mark = host.mark();
        let Some(made) = library.create_builder() else {
            let diagnostics = host.diagnostics_since(mark);
            return Err(Error::Refused { call: "createInferBuilder".into(), object: None, diagnostics });
        };
        // SAFETY: a new builder, ours to delete.
        let object = unsafe { Owned::new(made, host.clone()) };
        // SAFETY: the host, and with it the recorder, lives as long as the builder.
        unsafe { raw::set_error_recorder(object.handle(), host.recorder.as_ptr())? };
        Ok(Self { object: object.shared(), host })
    }

    fn raw(&self) -> Ref<'_> {
        self.object.handle()
    }

    /// The loaded version.
    pub fn version(&self) -> Version {
        self.host.version()
    }

    fn own(&self, made: NonNull<c_void>) -> Owned {
        // SAFETY: the callers pass what the builder just made and leaves to them to delete.
        unsafe { Owned::new(made, self.host.clone()) }
    }

    /// Starts a network (`createNetworkV2`), with the batch as a dimension like any other.
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for strong typing in 8.6 and for weak typing from 11 on; [`Error::Refused`].
    pub fn create_network<'w>(&self, typing: Typing) -> Result<Network<'w>> {
        self.create_network_with(typing, &[])
    }

    /// Starts a network with further creation flags.
    ///
    /// # Errors
    /// As for [`Self::create_network`], and [`Error::NotInThisVersion`] for a flag that the version lacks.
    pub fn create_network_with<'w>(
        &self,
        typing: Typing,
        flags: &[NetworkDefinitionCreationFlag],
    ) -> Result<Network<'w>> {
        use NetworkDefinitionCreationFlag::{ExplicitBatch, StronglyTyped};
        let version = self.version();
        let mut mask = 0u32;
        let mut add = |flag: NetworkDefinitionCreationFlag| -> Result<()> {
            mask |= 1 << flag.number(version)?;
            Ok(())
        };
        match typing {
            Typing::Strong => add(StronglyTyped)?,
            Typing::Weak if version.family().is_always_strongly_typed() => {
                let call = "a network without strong typing".into();
                let since = "TensorRT 8.6 to 10, TensorRT-RTX 1.3 to 1.4".into();
                return Err(Error::NotInThisVersion { call, version, since });
            }
            Typing::Weak => {}
        }
        if ExplicitBatch.is_in(version) {
            add(ExplicitBatch)?;
        }
        for flag in flags {
            add(*flag)?;
        }
        // SAFETY: the builder is alive.
        let made = unsafe { raw::create_network_v2(self.raw(), mask) }?;
        Network::new(self.own(made), Keep::new(&self.object))
    }

    /// Starts a configuration (`createBuilderConfig`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn create_config(&self) -> Result<BuilderConfig> {
        // SAFETY: the builder is alive.
        let made = unsafe { raw::create_builder_config(self.raw()) }?;
        Ok(BuilderConfig::new(self.own(made), Keep::new(&self.object)))
    }

    /// Starts an optimization profile (`createOptimizationProfile`), which the builder owns.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn create_profile(&self) -> Result<OptimizationProfile<'_>> {
        // SAFETY: the builder is alive, and keeps its profiles for life.
        let raw = unsafe { Ref::new(raw::create_optimization_profile(self.raw())?, &self.host) };
        Ok(OptimizationProfile { raw })
    }

    /// Builds a plan (`buildSerializedNetwork`).
    ///
    /// # Errors
    /// [`Error::Cancelled`] when the progress monitor stopped it, else [`Error::Refused`] with TensorRT's reasons.
    pub fn build(&self, network: &Network<'_>, config: &BuilderConfig) -> Result<HostMemory> {
        config.start();
        // SAFETY: the builder, the network and the configuration are alive, and so are the weights they point to.
        let made = unsafe { raw::build_serialized_network(self.raw(), network.object().as_ptr(), config.as_ptr()) };
        let made = made.map_err(|e| config.finish(e))?;
        HostMemory::new(self.own(made))
    }

    /// Whether TensorRT takes the network with this configuration, without building it (`isNetworkSupported`).
    ///
    /// # Errors
    /// None in practice; the call is in every version.
    pub fn is_network_supported(&self, network: &Network<'_>, config: &BuilderConfig) -> Result<bool> {
        // SAFETY: all three are alive.
        unsafe { raw::is_network_supported(self.raw(), network.object().as_ptr(), config.as_ptr()) }
    }

    /// Limits the threads of a build (`setMaxThreads`).
    ///
    /// # Errors
    /// [`Error::Refused`] for zero.
    pub fn set_max_threads(&self, threads: usize) -> Result<()> {
        let threads = crate::weights::c_int("the number of threads", threads)?;
        // SAFETY: the builder is alive.
        unsafe { raw::set_max_threads(self.raw(), threads) }
    }

    /// Whether the GPU at hand is fast at float16 (8.6 and 10).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] from 11 on.
    pub fn platform_has_fast_fp16(&self) -> Result<bool> {
        // SAFETY: the builder is alive.
        unsafe { raw::platform_has_fast_fp16(self.raw()) }
    }
}
