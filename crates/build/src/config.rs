//! From the caller's options to TensorRT's builder configuration.

use crate::watch::Relay;
use crate::{BuildOptions, Result, target};
use network::{DType, Network, Op};
use nvinfer as trt;
use nvinfer::{BuilderFlag, HardwareCompatibilityLevel, MemoryPoolType, ProfilingVerbosity, TacticSource};
use std::sync::Arc;

/// Sets what the options ask for, and what the network needs.
///
/// # Errors
/// [`crate::Error::BadTarget`], and [`crate::Error::NotInThisVersion`] for an option that the version lacks.
pub(crate) fn configure(
    config: &mut trt::BuilderConfig,
    network: &Network,
    options: &BuildOptions,
    relay: &Arc<Relay>,
) -> Result<()> {
    let version = config.version();
    if let Some(target) = &options.target {
        let capability = target::parse(target, version)?;
        placed(version, config.set_compute_capabilities(&[capability]))?;
    }
    placed(version, limits(config, options))?;
    placed(version, compatibility(config, options))?;
    placed(version, typing(config, network))?;
    placed(version, watch(config, relay))
}

/// An option's error is about no layer.
fn placed<T>(version: trt::Version, done: trt::Result<T>) -> Result<T> {
    done.map_err(|e| crate::Error::from_trt(e, version, Vec::new()))
}

/// How often a tactic is timed by default: as often as by NVIDIA's trtexec. TensorRT itself times each
/// once, and a moment of another load on the machine then chooses a slow one.
const TIMING_ITERATIONS: usize = 8;

fn limits(config: &mut trt::BuilderConfig, options: &BuildOptions) -> trt::Result<()> {
    if let Some(bytes) = options.max_workspace_size {
        config.set_memory_pool_limit(MemoryPoolType::Workspace, bytes)?;
    }
    if let Some(level) = options.optimization_level {
        config.set_optimization_level(level)?;
    }
    // TensorRT-RTX times nothing.
    let iterations = options.avg_timing_iterations;
    if let Some(count) = iterations.or((!config.version().family().is_rtx()).then_some(TIMING_ITERATIONS)) {
        config.set_avg_timing_iterations(count)?;
    }
    if let Some(sources) = &options.tactic_sources {
        config.set_tactic_sources(sources)?;
    }
    if let Some(count) = options.max_aux_streams {
        config.set_max_aux_streams(count)?;
    }
    if options.detailed {
        config.set_profiling_verbosity(ProfilingVerbosity::Detailed)?;
    }
    if options.strict_float32 {
        config.clear_flag(BuilderFlag::Tf32)?;
    }
    Ok(())
}

fn compatibility(config: &mut trt::BuilderConfig, options: &BuildOptions) -> trt::Result<()> {
    if options.version_compatible {
        let version = config.version();
        if version.family().is_rtx() {
            // It has the flag, but not the runtime that such a plan needs.
            let (call, since) = ("a version-compatible plan".into(), "TensorRT 8.6, 10 or 11".into());
            return Err(trt::Error::NotInThisVersion { call, version, since });
        }
        config.set_flag(BuilderFlag::VersionCompatible)?;
    }
    // TensorRT-RTX plans run on every GPU from Ampere on without being asked to.
    if options.hardware_compatible && !config.version().family().is_rtx() {
        config.set_hardware_compatibility_level(HardwareCompatibilityLevel::AmperePlus)?;
    }
    if options.refittable {
        config.set_flag(BuilderFlag::Refit)?;
    }
    // From 10 on several contexts may run under one profile anyway.
    if config.version().family() == trt::Family::Trt8 {
        config.set_preview_feature(trt::PreviewFeature::ProfileSharing0806, true)?;
    }
    Ok(())
}

/// Without strong typing, TensorRT uses a type only where a flag allows it, and keeps to a layer's type only on
/// request.
fn typing(config: &mut trt::BuilderConfig, network: &Network) -> trt::Result<()> {
    if config.version().family().can_be_strongly_typed() {
        return Ok(());
    }
    if uses(network, DType::Float16) {
        config.set_flag(BuilderFlag::Fp16)?;
    }
    if network.layers().iter().any(|layer| matches!(layer.op, Op::Quantize { .. } | Op::Dequantize { .. })) {
        config.set_flag(BuilderFlag::Int8)?;
    }
    config.set_flag(BuilderFlag::ObeyPrecisionConstraints)
}

fn uses(network: &Network, dtype: DType) -> bool {
    let outputs = network.layers().iter().flat_map(|layer| &layer.outputs);
    outputs.chain(network.inputs().iter().map(|port| &port.tensor)).any(|id| network.tensor(*id).dtype == dtype)
}

/// 8.6 has no progress monitor: it is then not watched, and not cancelled once it builds.
fn watch(config: &mut trt::BuilderConfig, relay: &Arc<Relay>) -> trt::Result<()> {
    match config.set_progress(relay.clone()) {
        Err(error) if error.is_not_in_this_version() => Ok(()),
        done => done,
    }
}

/// Starts from the timings of an earlier build. A cache that does not fit (another GPU, another version, damage) costs
/// time, not correctness, so the build goes on without it; the reason is returned.
pub(crate) fn use_timings(config: &mut trt::BuilderConfig, bytes: &[u8]) -> Option<String> {
    let used = config.create_timing_cache(bytes).and_then(|cache| config.set_timing_cache(cache, false));
    let error = used.err()?;
    let fresh = config.create_timing_cache(&[]).and_then(|cache| config.set_timing_cache(cache, false));
    let started = if fresh.is_ok() { "a new one was started" } else { "the build went on without one" };
    Some(format!("the timing cache was not used, {started}: {error}"))
}

/// Where a build failed for want of cuDNN or cuBLAS, which TensorRT 8.6 and 10 use when they are there, sets the
/// configuration to do without. Returns a warning, where it did.
pub(crate) fn without_cuda_libraries(config: &mut trt::BuilderConfig, error: &trt::Error) -> Option<String> {
    let missing = error.diagnostics()?.messages.iter().find(|message| {
        let library = message.text.contains("libcudnn") || message.text.contains("libcublas");
        library && message.text.contains("load library")
    })?;
    let own = [TacticSource::EdgeMaskConvolutions, TacticSource::JitConvolutions];
    config.set_tactic_sources(&own).ok()?;
    Some(format!("built without cuDNN and cuBLAS kernels: {}", missing.text.trim_end()))
}
