//! `torch2trt build`: from a saved model to an engine file, stage by stage.
//!
//! `arguments.rs` is what the arguments mean together, `ranges.rs` the sizes, `samples.rs` the tensors that were given,
//! and `reference.rs` what an engine is compared with.

mod arguments;
pub(crate) mod progress;
pub(crate) mod ranges;
mod reference;
pub(crate) mod samples;

use crate::facts::megabytes;
use crate::{Done, Failure, Screen, log, row};
use clap::{ArgAction, Args};
use std::path::{Path, PathBuf};
use std::time::Instant;
use torch2trt::{
    Archive, Artifact, Backend, Code, Description, Error, Executable, Network, Options, Precise, Program, Tolerance,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model that torch.export.save wrote
    pub(crate) file: PathBuf,
    /// Where to write the engine file; a name that ends in .onnx is that of an ONNX model
    #[arg(long, short, value_name = "PATH", required_unless_present = "onnx")]
    pub(crate) output: Option<PathBuf>,
    /// Where to write an ONNX model, too or only
    #[arg(long, value_name = "PATH")]
    pub(crate) onnx: Option<PathBuf>,
    /// Show what the stages and TensorRT log; twice: every tactic too
    #[arg(long, short, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(flatten)]
    pub(crate) samples: samples::Arguments,
    #[command(flatten)]
    pub(crate) ranges: ranges::Arguments,
    #[command(flatten)]
    pub(crate) options: Options,
}

pub(crate) fn run(arguments: &Arguments, site_packages: Vec<PathBuf>, screen: &mut Screen<'_>) -> Done {
    log::shown(arguments.verbose, || build(arguments, site_packages, screen))
}

fn build(arguments: &Arguments, site_packages: Vec<PathBuf>, screen: &mut Screen<'_>) -> Done {
    let started = Instant::now();
    let arguments::Outputs { engine: output, onnx } = arguments.outputs()?;
    let archive = torch2trt::read_archive(&arguments.file)?;
    screen.line(read(&arguments.file, &archive))?;
    for note in notes(&archive) {
        screen.line(format!("note: {note}"))?;
    }
    let Converted { options, network, made, reason } = convert(arguments, &archive, site_packages, screen)?;
    let backend = options.convert.backend;
    if let Some(path) = onnx {
        torch2trt::save_onnx(&made.network, path)?;
        screen.line(format!("{}: ONNX model, {}", path.display(), megabytes(made.network.weight_bytes() as u64)))?;
    }
    let Some(output) = output else { return Ok(()) };
    let name = if backend == Backend::TensorRt { "TensorRT" } else { "the CPU engine" };
    screen.line(format!("using {name}: {reason}"))?;
    let engine = engine(&made.network, &options, screen)?;
    let subject = reference::Subject {
        archive: &archive,
        options: &options,
        network: &network,
        tolerance: made.tolerance(&options, backend == Backend::TensorRt),
        declared: &engine.artifact.declared,
        engine: engine.runs.as_ref(),
    };
    let accuracy = reference::compare(&subject, &arguments.samples, screen)?;
    let mut conversion = vec![("backend".to_owned(), format!("{name} ({reason})"))];
    conversion.push(("program".to_owned(), read(&arguments.file, &archive)));
    conversion.extend(engine.summary);
    conversion.extend(notes(&archive).into_iter().chain(made.notes.clone()).map(|note| ("note".to_owned(), note)));
    conversion.push(("time".to_owned(), format!("{:.1} s", started.elapsed().as_secs_f64())));
    let description = Description {
        model: torch2trt::call_structure(&archive),
        options: arguments.options.recorded(),
        accuracy,
        conversion,
        kept_float32: made.kept_float32(),
    };
    write(&engine.artifact, description, output)?;
    let size = std::fs::metadata(output).map_or(0, |about| about.len());
    let seconds = started.elapsed().as_secs_f64();
    screen.line(format!("{}: {}, made in {seconds:.1} s", output.display(), megabytes(size)))
}

/// The network of a model, and what it was made with.
struct Converted {
    /// With the backend that was chosen, and the sizes.
    options: Options,
    /// In float32.
    network: Network,
    made: Precise,
    /// Why this backend.
    reason: String,
}

/// Archive → network in the precision that the arguments name.
fn convert(
    arguments: &Arguments,
    archive: &Archive,
    site_packages: Vec<PathBuf>,
    screen: &mut Screen<'_>,
) -> Result<Converted, Failure> {
    let mut options = arguments.options(archive, site_packages)?;
    let torch2trt::Chosen { backend, reason } = torch2trt::choose_backend(&options, None);
    options.convert.backend = backend;
    options.profiles = arguments.ranges.profiles(archive, &options.convert)?;
    let network =
        torch2trt::convert(&archive.program, &options, None).map_err(|error| without_python(error, arguments))?;
    let made = arguments.samples.precise(&network, &options, screen)?;
    Ok(Converted { options, network, made, reason })
}

/// Archive → engine that runs here, for other commands; nothing is printed.
///
/// # Errors
/// E0604 for a plan that is for another GPU.
pub(crate) fn in_memory(
    arguments: &Arguments,
    site_packages: Vec<PathBuf>,
) -> Result<(Executable, Tolerance), Failure> {
    let screen = &mut Screen(&mut std::io::sink());
    let archive = torch2trt::read_archive(&arguments.file)?;
    let Converted { options, made, .. } = convert(arguments, &archive, site_packages, screen)?;
    let elsewhere = || {
        Error::new(Code::NotRunnable, format!("{} would be built for another GPU", arguments.file.display()))
            .with_help("leave out --target")
    };
    let runs = engine(&made.network, &options, screen)?.runs.ok_or_else(elsewhere)?;
    Ok((runs, made.tolerance(&options, options.convert.backend == Backend::TensorRt)))
}

/// What the stages of a build make, up to the network.
pub(crate) struct Stages {
    pub(crate) program: Program,
    /// With the backend that was chosen, and the sizes.
    pub(crate) options: Options,
    /// The network as it was converted, before passes.
    pub(crate) plain: Network,
    pub(crate) made: Precise,
}

/// Archive → network, for other commands; nothing is printed.
///
/// # Errors
/// Those of a build.
pub(crate) fn stages(arguments: &Arguments, site_packages: Vec<PathBuf>) -> Result<Stages, Failure> {
    let archive = torch2trt::read_archive(&arguments.file)?;
    let Converted { options, made, .. } =
        convert(arguments, &archive, site_packages, &mut Screen(&mut std::io::sink()))?;
    let plain = torch2trt::convert_plainly(&archive.program, &options, None)?;
    Ok(Stages { program: archive.program, options, plain, made })
}

fn read(path: &Path, archive: &Archive) -> String {
    let program = &archive.program;
    let bytes: usize = program.weights().map(|weight| weight.data.len()).sum();
    let (calls, size) = (program.nodes().len(), megabytes(bytes as u64));
    format!("{}: {calls} operator calls, {size} of weights, from PyTorch {}", path.display(), archive.torch_version)
}

/// How the network differs from the model: the warnings of the capture, or what the graph shows.
fn notes(archive: &Archive) -> Vec<String> {
    let written = |name| format!("the model writes to `{name}` when it runs; the engine leaves it as it is");
    match &archive.captured {
        Some(captured) => captured.notes.clone(),
        None => archive.written.iter().map(written).collect(),
    }
}

/// What an engine file is written from, and what runs it where that can be run here.
struct Engine {
    artifact: Artifact,
    runs: Option<Executable>,
    /// What was built, as (name, value) pairs.
    summary: Vec<(String, String)>,
}

/// Network → engine, or a plan that is for another machine.
fn engine(network: &Network, options: &Options, screen: &mut Screen<'_>) -> Result<Engine, Failure> {
    if options.convert.backend != Backend::TensorRt {
        let engine = torch2trt::cpu_engine(network, options)?;
        let summary = vec![("engine".to_owned(), engine.engine.description())];
        return Ok(Engine { artifact: engine.artifact.clone(), runs: Some(engine), summary });
    }
    let plan = torch2trt::build_plan(network, options, &progress::Bar::new(options.report.progress))?;
    let summary = plan.summary();
    let rows: Vec<Vec<String>> = summary.iter().map(|(name, value)| row(name, value)).collect();
    screen.columns(&rows)?;
    let here = options.build.target.is_none();
    let runs = here.then(|| torch2trt::tensorrt_engine(&plan, options)).transpose()?;
    Ok(Engine { artifact: plan.artifact().clone(), runs, summary })
}

/// An error whose help is about Python, with what helps here.
fn without_python(error: Error, arguments: &Arguments) -> Error {
    if error.code() != Code::NoConverter {
        return error;
    }
    Error::new(error.code(), error.message()).with_help(format!(
        "`torch2trt coverage {}` lists all operators; --fallback runs these calls in PyTorch; or convert in Python, \
         where some are decomposed into others and you may write converters of your own",
        arguments.file.display()
    ))
}

fn write(artifact: &Artifact, description: Description, path: &Path) -> Result<(), Failure> {
    artifact.to_file(description).save(path).map_err(|error| {
        Error::new(Code::EngineFile, error.to_string())
            .with_help("give --output a path in a folder that can be written")
    })?;
    Ok(())
}
