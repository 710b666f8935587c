//! Emits a network to TensorRT and builds a plan.
//!
//! The network is one that [`network`] accepts and that was rewritten for the loaded version; here each layer becomes
//! the calls of that version's builder, each constant is lent by pointer, each range of sizes becomes a profile. Layers
//! keep their names, so that TensorRT's messages can be traced to the module and source line it is about.
//!
//! The crate knows nothing of PyTorch, of how the network came about, or of who runs the plan. It rewrites nothing:
//! what TensorRT does not take is an error that names the layer.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let network = network::Network::new();
//! let library = nvinfer::Library::find(&nvinfer::Discovery::default())?;
//! let options = build::BuildOptions { target: Some("sm_89".into()), ..Default::default() };
//! let plan = build::build(&network, library, &options, &build::Silent)?;
//! std::fs::write("model.plan", plan.bytes())?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod config;
mod emit;
mod emitter;
mod enums;
mod error;
mod inspect;
mod kernels;
mod layers;
mod options;
mod profile;
mod progress;
mod refusal;
mod report;
mod target;
mod watch;

pub use dims::{Profile, SizeRange};
pub use error::{Error, Place, Refusal, Result};
pub use inspect::{Inspection, inspect};
pub use options::BuildOptions;
pub use profile::InputRanges;
pub use progress::{Progress, Silent};
pub use report::{Plan, Report};
pub use target::{capability, targets};

use network::Network;
use nvinfer as trt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use watch::Relay;

/// Has TensorRT build a plan for a network.
///
/// The build runs on the calling thread and for its current CUDA device; `progress` is reported on another thread.
///
/// # Errors
/// [`Error::Refused`] with TensorRT's words and the layers they are about, [`Error::NotInThisVersion`],
/// [`Error::BadTarget`], [`Error::Unbounded`] and [`Error::BadProfile`] for sizes, [`Error::Cancelled`].
pub fn build(
    network: &Network,
    library: trt::Library,
    options: &BuildOptions,
    progress: &dyn Progress,
) -> Result<Plan> {
    let profiles = profile::resolve(network, &options.profiles)?;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    watch::watched(progress, options.refittable, |relay| Build { network, library, options, profiles, relay }.run())
}

/// Builds of a process take turns: TensorRT-RTX keeps the target of a build in a global (two at once fail with "target
/// is not found"), and a timed tactic has the GPU to itself.
static ALONE: Mutex<()> = Mutex::new(());

/// One build.
struct Build<'a> {
    network: &'a Network,
    library: trt::Library,
    options: &'a BuildOptions,
    profiles: Vec<Vec<InputRanges>>,
    relay: &'a Arc<Relay>,
}

impl Build<'_> {
    fn run(self) -> Result<Plan> {
        let (started, version) = (Instant::now(), self.library.version());
        let logger = self.library.logger();
        let (mark, info_mark) = (logger.count(), logger.info_count());
        let other = |e| Error::from_trt(e, version, Vec::new());
        let builder = trt::Builder::new(self.library).map_err(other)?;
        let (mut config, mut warnings) = self.config(&builder)?;
        let store = bumpalo::Bump::new();
        let typing = if version.family().can_be_strongly_typed() { trt::Typing::Strong } else { trt::Typing::Weak };
        let definition = builder.create_network(typing).map_err(other)?;
        emit::emit(self.network, self.library, &definition, &store, self.options.refittable)?;
        profile::add(&builder, &mut config, &self.profiles).map_err(other)?;
        if self.relay.cancelled() {
            return Err(Error::Cancelled);
        }
        let watched = kernels::watch(self.library, self.network, &mut config).map_err(other)?;
        // Such builds lay out large weights anew for every kernel, which threads share; others gain nothing from them.
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        if let Some(count) = self.options.threads.or_else(|| watched.is_some().then(cores)) {
            builder.set_max_threads(count).map_err(other)?;
        }
        let mut built = builder.build(&definition, &config);
        if let Err(error) = &built
            && self.options.tactic_sources.is_none()
            && let Some(warning) = config::without_cuda_libraries(&mut config, error)
        {
            warnings.push(warning);
            built = builder.build(&definition, &config);
        }
        let bytes = built.map_err(|e| refusal::explain(e, version, self.network))?;
        warnings.extend(report::warnings(self.library, mark));
        let report = Report {
            tensorrt: version,
            library: self.library.path().to_owned(),
            target: self.options.target.clone(),
            layers: definition.num_layers().map_err(other)?,
            plan_bytes: bytes.len(),
            weight_bytes: self.network.weight_bytes(),
            activation_bytes: report::activation_bytes(&logger.info_since(info_mark)),
            time: started.elapsed(),
            warnings,
            profiles: self.profiles,
        };
        let timings = config.timing_cache().map(trt::TimingCache::serialize).transpose().map_err(other)?;
        Ok(Plan { bytes, timing_cache: timings.map(|timings| timings.to_vec()), report })
    }

    /// The configuration, and what of the options was not met.
    fn config(&self, builder: &trt::Builder) -> Result<(trt::BuilderConfig, Vec<String>)> {
        let created = builder.create_config();
        let mut config = created.map_err(|e| Error::from_trt(e, builder.version(), Vec::new()))?;
        config::configure(&mut config, self.network, self.options, self.relay)?;
        let timings = self.options.timing_cache.as_deref();
        let unused = timings.and_then(|timings| config::use_timings(&mut config, timings));
        Ok((config, unused.into_iter().collect()))
    }
}
