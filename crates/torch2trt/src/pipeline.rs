//! The stages, in the order the data flows: archive → program → network → engine. This file reads as the architecture.

use crate::drawn::graph_of;
use crate::engines::run_options;
use crate::plan_cache::PlanCache;
use crate::{Artifact, Error, Executable, Options, Payload, Plan, Progress, Result, discovery, interface, plugins};
use archive::Archive;
use convert::{Coverage, Foreign};
use engine::Built;
use network::Network;
use program::Program;
use runtime::CudaDevice;
use std::path::Path;
use std::sync::Arc;

/// File → Program: what `torch.export.save` wrote, for who has no Python. The other way to a program is the capture of
/// the Python half.
///
/// # Errors
/// E0608 for a file that is damaged or no archive, E0609 for a version that is not read, E0610 and E0601 for a program
/// that has no form here.
///
/// ```no_run
/// # fn main() -> torch2trt::Result<()> {
/// let archive = torch2trt::read_archive("model.pt2".as_ref())?;
/// let options = torch2trt::Options::default();
/// let network = torch2trt::convert(&archive.program, &options, None)?;
/// let engine = torch2trt::cpu_engine(&network, &options)?;
/// # Ok(())
/// # }
/// ```
pub fn read_archive(path: &Path) -> Result<Archive> {
    Ok(archive::open(path)?)
}

/// Program → Network: PyTorch's program becomes the TensorRT-level network, simplified. A user's converters come in
/// as `foreign`.
///
/// # Errors
/// Codes E01xx, naming the operator and its source line, and E02xx.
pub fn convert(program: &Program, options: &Options, foreign: Option<&dyn Foreign>) -> Result<Network> {
    let network = convert_plainly(program, options, foreign)?;
    let (network, reports) = passes::run(&network, &passes::STANDARD)?;
    log(&reports);
    Ok(network)
}

/// Program → Network as the converters make it, before any pass.
///
/// # Errors
/// As [`convert`].
pub fn convert_plainly(program: &Program, options: &Options, foreign: Option<&dyn Foreign>) -> Result<Network> {
    let names = convert::Options {
        input_names: options.convert.input_names.clone(),
        output_names: options.convert.output_names.clone(),
    };
    Ok(convert::convert(program, &names, foreign)?)
}

/// Network → CPU engine: ONNX bytes with the weights separately, executed by ONNX Runtime. The weights are read
/// where they lie.
///
/// # Errors
/// E0203 for a layer without an ONNX form, E05xx where ONNX Runtime is missing or refuses the model.
pub fn cpu_engine(network: &Network, options: &Options) -> Result<Executable> {
    let model = onnx::lower(network, &onnx::LowerOptions::default())?;
    let declared = interface::spec(network, &options.profiles);
    let weights = model.weights.into_iter().map(interface::weight).collect();
    let payload = Payload::Onnx { model: model.proto.into(), weights };
    let drawn = Some(Arc::new(graph_of(network, &options.profiles)));
    Artifact { declared, payload, built: None, source: Some(interface::source(network)), network: drawn }
        .into_cpu(options)
}

/// Network → TensorRT plan, by whichever TensorRT is installed; a plan that was built before comes from the engine
/// cache.
///
/// # Errors
/// Codes E03xx: no TensorRT (with every place looked at), a target it cannot build for, a layer it refuses (with its
/// own words and the layer's place in the model), or a cancelled build.
pub fn build_plan(network: &Network, options: &Options, progress: &dyn Progress) -> Result<Plan> {
    let library = discovery::tensorrt(options, nvinfer::Purpose::Build)?;
    let plugins = plugins::needed(network);
    // The builder reports what is missing, with the layer.
    plugins::provide(library, &plugins, options)?;
    let mut build = interface::build_options(options);
    // A named target is not this machine's GPU, whose timings would be of no use to it.
    let device = options.build.target.is_none().then(|| CudaDevice::new(options.run.device)).transpose()?;
    let gpu = device.as_ref().filter(|_| !options.build.hardware_compatible);
    let legal = legalize(network, library.version(), options, gpu)?;
    let _here = device.as_ref().map(CudaDevice::enter).transpose()?;
    let cache = PlanCache::new(library, device.as_ref(), &legal, options, &build);
    if let Some(plan) = cache.find(network) {
        return Ok(plan);
    }
    build.timing_cache = cache.timings();
    let plan = build::build(&legal, library, &build, progress)?;
    cache.store_timings(plan.timing_cache.as_deref());
    let declared = interface::spec(network, &interface::profiles(&plan.report));
    let gpu = device.as_ref().map(|device| device.name().to_owned());
    let built = Built {
        tensorrt: library.version().to_string(),
        gpu: options.build.target.clone().or(gpu).unwrap_or_default(),
        version_compatible: options.build.version_compatible,
        hardware_compatible: options.build.hardware_compatible,
        structure: options.build.refittable.then(|| interface::structure(&legal)),
        plugins,
    };
    let drawn = Arc::new(graph_of(network, &declared.profiles));
    let plan = Plan::new(plan, declared, built, interface::source(network), drawn);
    cache.store(&plan);
    Ok(plan)
}

/// Network → (): whether the TensorRT that the options name has every layer of a network, without a build.
///
/// # Errors
/// E0301 without TensorRT; E0302 with the nodes of the program that it cannot run.
pub fn check_target(network: &Network, options: &Options) -> Result<()> {
    let library = discovery::tensorrt(options, nvinfer::Purpose::Build)?;
    legalize(network, library.version(), options, None).map(drop)
}

/// Plan → TensorRT engine on a GPU of this machine, by the TensorRT that built the plan.
///
/// # Errors
/// E0604 where the plan cannot run here, with TensorRT's words.
pub fn tensorrt_engine(plan: &Plan, options: &Options) -> Result<Executable> {
    let library = nvinfer::Library::open(&plan.report().library)?;
    // A plan of this process, or of the user's own cache, is as trusted as the process.
    let made = plan.artifact().clone().into_tensorrt(library, options, options.build.version_compatible);
    let Some(place) = plan.kept().filter(|_| made.is_err()) else { return made };
    // What ran when it was built does not now: a driver, or a library of TensorRT, is another one.
    place.remove();
    made.map_err(|error| {
        let message = format!("{}\n  it came from the engine cache, which keeps it no longer", error.message());
        Error::new(error.code(), message).with_help("convert again: it is then built anew")
    })
}

/// Engine → engine with the weights of another network of the same layers, without a rebuild.
///
/// # Errors
/// E0606 where the engine takes no new weights, or others than these; E0604 where its plan cannot run here.
pub fn refit(artifact: &Artifact, network: &Network, options: &Options) -> Result<Executable> {
    let library = discovery::tensorrt(options, nvinfer::Purpose::Build)?;
    artifact.same_version(library)?;
    let device = CudaDevice::new(options.run.device)?;
    let anywhere = artifact.built.as_ref().is_some_and(|built| built.hardware_compatible);
    let legal = legalize(network, library.version(), options, Some(&device).filter(|_| !anywhere))?;
    artifact.same_structure(&interface::structure(&legal))?;
    let run = run_options(options, options.build.version_compatible);
    let plan = artifact.plan().map_or(&[][..], |plan| plan);
    let plan = runtime::refit(library, plan, &interface::weights(&legal), &run)?;
    let source = Some(interface::source(network));
    let artifact = Artifact { payload: Payload::Plan(plan.into()), source, ..artifact.clone() };
    artifact.into_tensorrt(library, options, options.build.version_compatible)
}

/// Network → Network: what this TensorRT lacks is rewritten with what it has; for a plan of one GPU, in the way that is
/// fastest there.
fn legalize(
    network: &Network,
    version: nvinfer::Version,
    options: &Options,
    gpu: Option<&CudaDevice>,
) -> Result<Network> {
    let target = discovery::target(version);
    let capability = match &options.build.target {
        Some(named) => Some(build::capability(named, version)?),
        None => gpu.map(CudaDevice::capability),
    };
    if let Some(capability) = capability {
        passes::check_gpu(network, target, capability)?;
    }
    let wanted = gpu.map_or_else(|| passes::for_target(target), |gpu| passes::for_gpu(target, gpu.capability()));
    let (network, reports) = passes::run(network, &wanted)?;
    log(&reports);
    Ok(network)
}

fn log(reports: &[passes::PassReport]) {
    for report in reports {
        let (before, after) = (report.layers_before, report.layers_after);
        tracing::debug!(pass = report.name, before, after, time = ?report.time);
    }
}

/// Network → ONNX file. Weights beyond protobuf's limit go to a file next to it.
///
/// # Errors
/// E0203 for a layer without an ONNX form, E0204 where the file cannot be written.
pub fn save_onnx(network: &Network, path: &Path) -> Result<()> {
    let native = onnx::LowerOptions { half: onnx::Half::Native, ..onnx::LowerOptions::default() };
    onnx::export(network, path, &native)?;
    Ok(())
}

/// Every operator of a program: overload, number of calls, and whether it converts.
pub fn coverage(program: &Program, foreign: Option<&dyn Foreign>) -> Vec<Coverage> {
    convert::coverage(program, foreign)
}

/// An operator that converts.
#[derive(Clone, Copy, Debug)]
pub struct SupportedOperator {
    /// The family that its converter belongs to.
    pub family: &'static str,
    /// The overload, such as `aten.relu.default`.
    pub overload: &'static str,
    /// The TensorRT layers that it becomes.
    pub layers: &'static str,
    /// The largest relative error that its tests accept.
    pub tolerance: f64,
}

/// Every operator that converts, family by family.
pub fn operators() -> Vec<SupportedOperator> {
    let family = |(family, operators): &(&'static str, &'static [convert::Operator])| {
        let family = *family;
        operators.iter().map(move |op| SupportedOperator {
            family,
            overload: op.target,
            layers: op.layers,
            tolerance: op.tolerance,
        })
    };
    convert::ops::FAMILIES.iter().flat_map(family).collect()
}
