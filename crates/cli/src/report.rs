//! `torch2trt report`: an engine as one HTML file. Engine files need neither TensorRT nor a GPU, nor PyTorch, but for
//! the times of layers; plain plans need both.

use crate::bench::PROFILED;
use crate::facts::megabytes;
use crate::{Done, Failure, Screen, engine, pytorch, tensors};
use clap::Args;
use runtime::{Tensor, TensorView};
use std::path::PathBuf;
use torch2trt::{Code, EngineFacts, EngineFile, Error, ReportSource};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    engine: engine::Arguments,
    /// Where to write the HTML file
    #[arg(long, short, value_name = "PATH")]
    output: PathBuf,
    /// Also measure the time of each layer, by TensorRT's or ONNX Runtime's profiler
    #[arg(long)]
    bench: bool,
    #[command(flatten)]
    inputs: tensors::Arguments,
}

pub(crate) fn run(arguments: &Arguments, site_packages: Vec<PathBuf>, screen: &mut Screen<'_>) -> Done {
    let (file, output) = (&arguments.engine.file, &arguments.output);
    let source = if pytorch::is_partitioned(file) {
        of_parts(arguments)?
    } else {
        ReportSource { engines: vec![facts(arguments, site_packages)?], ..ReportSource::default() }
    };
    let title = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ReportSource { title, ..source }.save(output)?;
    let size = std::fs::metadata(output).map_or(0, |about| about.len());
    screen.line(format!("{}: report of {}, {}", output.display(), file.display(), megabytes(size)))
}

fn of_parts(arguments: &Arguments) -> Result<ReportSource, Failure> {
    if arguments.bench {
        let message = "`--bench` was given for a model with parts in PyTorch, which has no single list of layers";
        return Err(Error::new(Code::BadOption, message).with_help("leave out --bench").into());
    }
    Ok(ReportSource::of_parts(&arguments.engine.file)?)
}

/// What is known of the engine. It is loaded for times, and where it is a plain plan.
fn facts(arguments: &Arguments, site_packages: Vec<PathBuf>) -> Result<EngineFacts, Failure> {
    let is_plan = arguments.engine.is_plan()?;
    let executable = if is_plan || arguments.bench { Some(arguments.engine.load(site_packages)?) } else { None };
    let mut facts = EngineFacts::default();
    if let Some(executable) = &executable {
        facts = EngineFacts::of_executable(executable);
    }
    if !is_plan {
        let file = EngineFile::open(&arguments.engine.file).map_err(Error::from)?;
        facts = EngineFacts { runs: facts.runs, ..EngineFacts::of_file(&file) };
    }
    let Some(executable) = executable.filter(|_| arguments.bench) else { return Ok(facts) };
    let inputs = arguments.inputs.read(&executable.artifact.declared)?;
    let views: Vec<TensorView<'_>> = inputs.iter().map(Tensor::view).collect();
    Ok(facts.timed(&executable.layer_times(&views, PROFILED)?))
}
