//! The caches of a build: the plan of the same network, built before, and the tactic timings of this GPU.
//!
//! Where they are on disk is `cache/`. Plans for another machine's GPU and for TensorRT-RTX are not cached: the first
//! have no timings here, the second are built in seconds.

use crate::cache::plans::{self, Place};
use crate::cache::timings;
use crate::{Options, Plan, interface, plugins};
use build::BuildOptions;
use network::Network;
use nvinfer::Library;
use runtime::CudaDevice;
use std::path::PathBuf;

/// The caches of one build.
pub(crate) struct PlanCache {
    library: Library,
    place: Option<Place>,
    timings: Option<PathBuf>,
}

impl PlanCache {
    /// The caches for a build of a legalized network on a GPU of this machine.
    pub(crate) fn new(
        library: Library,
        gpu: Option<&CudaDevice>,
        legal: &Network,
        options: &Options,
        build: &BuildOptions,
    ) -> Self {
        let Some(gpu) = gpu.filter(|_| !library.version().family().is_rtx()) else {
            return Self { library, place: None, timings: None };
        };
        let place = plans::place(&options.build.engine_cache, digest(legal, library, gpu, build, options));
        let timings = timings::file(&options.build.timing_cache, &library.version().to_string(), gpu.name());
        Self { library, place, timings }
    }

    /// The cached plan, as one of this network.
    pub(crate) fn find(&self, network: &Network) -> Option<Plan> {
        let place = self.place.as_ref()?;
        let declared = |profiles: &[runtime::Profile]| interface::spec(network, profiles);
        Plan::from_cache(place.read()?, self.library, declared, interface::source(network), place)
    }

    /// Adds the plan of a build.
    pub(crate) fn store(&self, plan: &Plan) {
        if let Some(place) = &self.place {
            place.write(&plan.to_cache());
        }
    }

    /// The timings of earlier builds; empty before the first.
    pub(crate) fn timings(&self) -> Option<Vec<u8>> {
        self.timings.as_deref().map(timings::read)
    }

    /// Replaces the timings with those of a build, which hold the earlier ones too.
    pub(crate) fn store_timings(&self, timings: Option<&[u8]>) {
        if let (Some(path), Some(bytes)) = (&self.timings, timings) {
            timings::write(path, bytes);
        }
    }
}

/// A digest of all that a plan depends on.
#[expect(clippy::unnecessary_debug_formatting, reason = "paths that are not Unicode stay distinct")]
fn digest(legal: &Network, library: Library, gpu: &CudaDevice, build: &BuildOptions, options: &Options) -> u128 {
    let (version, path, gpu) = (library.version(), library.path(), (gpu.name(), gpu.capability()));
    let plugins = plugins::state(options);
    let options = (build, plugins.as_str());
    let made_by = env!("CARGO_PKG_VERSION");
    let text = format!("{made_by} {version} {path:?} {gpu:?} {options:?} {:032x}", legal.content_digest());
    xxhash_rust::xxh3::xxh3_128(text.as_bytes())
}
