//! `torch2trt compare`: engines side by side, such as before and after an upgrade of TensorRT.

use crate::build::{self, ranges, samples};
use crate::{Done, Failure, Screen, bench, engine, pytorch, row, tensors};
use clap::Args;
use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use torch2trt::{
    BenchOptions, BuildOptions, Code, CompareOptions, ConvertOptions, Error, Executable, Options, RunOptions, Subject,
    Tolerance,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Engine files of torch2trt, TensorRT plans, models that torch.export.save wrote, or ONNX models, which ONNX
    /// Runtime runs. The first is what the others are compared with
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Also compare the files under this TensorRT, next to the one of --tensorrt; can be given several times
    #[arg(long, value_name = "PATH")]
    other_tensorrt: Vec<PathBuf>,
    #[command(flatten)]
    inputs: tensors::Arguments,
    /// Largest relative error of an output [default: what the precision of both engines explains]
    #[arg(long, value_name = "ERROR", value_parser = positive)]
    max_error: Option<f64>,
    /// How many times the median latency of the first engine is too slow, such as 1.05 [default: no latency is]
    #[arg(long, value_name = "TIMES", value_parser = positive)]
    max_slowdown: Option<f64>,
    /// Calls of each engine that are timed
    #[arg(long, default_value = "200")]
    calls: NonZeroUsize,
    /// Seconds for which calls of each engine are timed, in place of their number
    #[arg(long, value_name = "SECONDS", value_parser = bench::seconds, conflicts_with = "calls")]
    duration: Option<Duration>,
    /// Calls of each engine before them
    #[arg(long = "warmup", value_name = "CALLS", default_value_t = 20)]
    warm_up: usize,
    /// Also the layers that only one of two engines has
    #[arg(long)]
    layers: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also write the comparison as one HTML file, with the layers
    #[arg(long, value_name = "PATH")]
    html: Option<PathBuf>,
    /// Run host code that version-compatible plans bring: they come from people you trust
    #[arg(long)]
    trusted: bool,
    #[command(flatten)]
    ranges: ranges::Arguments,
    #[command(flatten)]
    convert: ConvertOptions,
    #[command(flatten)]
    build: BuildOptions,
    #[command(flatten)]
    run: RunOptions,
}

/// A finite number above 0.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "give a number above 0".to_owned())
}

/// Compares; the exit status is 1 where a limit is exceeded.
pub(crate) fn run(arguments: &Arguments, site_packages: &[PathBuf], screen: &mut Screen<'_>) -> Done {
    let subjects = arguments.subjects(site_packages)?;
    let Some(first) = subjects.first() else { return Ok(()) };
    let inputs = arguments.inputs.read(&first.executable.artifact.declared)?;
    let found = torch2trt::compare(&subjects, &inputs, &arguments.limits())?;
    if let Some(path) = &arguments.html {
        found.save_html(path)?;
    }
    if arguments.json {
        screen.line(serde_json::to_string_pretty(&found.to_json()).unwrap_or_default())?;
    } else {
        screen.columns(&found.engines.iter().map(|engine| row(&engine.name, &engine.engine)).collect::<Vec<_>>())?;
        screen.line("")?;
        screen.columns(&found.rows())?;
        if arguments.layers {
            found.engines.iter().try_for_each(|engine| list(engine, screen))?;
        }
        found.problems().iter().try_for_each(|problem| screen.line(format!("problem: {problem}")))?;
    }
    if found.problems().is_empty() { Ok(()) } else { Err(Failure::Reported) }
}

/// The layers of an engine that the first does not have, and those that only the first has.
fn list(engine: &torch2trt::Compared, screen: &mut Screen<'_>) -> Done {
    let rows = engine.layers.rows();
    if rows.is_empty() {
        return Ok(());
    }
    screen.line(format!("\n{}", engine.name))?;
    screen.columns(&rows)
}

impl Arguments {
    fn limits(&self) -> CompareOptions {
        let (calls, streams) = (self.calls, NonZeroUsize::MIN);
        let bench = BenchOptions { warm_up: self.warm_up, calls, duration: self.duration, streams };
        CompareOptions { bench, tolerance: self.max_error, max_slowdown: self.max_slowdown }
    }

    /// Each file under each TensorRT. A file that runs without TensorRT is there once.
    fn subjects(&self, site_packages: &[PathBuf]) -> Result<Vec<Subject>, Failure> {
        let mut found = Vec::new();
        for file in &self.files {
            let own = self.subject(file, None, site_packages)?;
            let runs_on_gpu = own.executable.engine.device() != torch2trt::Device::Cpu;
            found.push(own);
            for library in self.other_tensorrt.iter().filter(|_| runs_on_gpu) {
                found.push(self.subject(file, Some(library), site_packages)?);
            }
        }
        if self.other_tensorrt.is_empty() || found.len() > self.files.len() {
            return Ok(found);
        }
        let error = Error::new(Code::BadOption, "--other-tensorrt was given, and no engine runs with TensorRT");
        Err(error.with_help("give plans or engine files of plans, or models with --backend tensorrt").into())
    }

    fn subject(&self, file: &Path, library: Option<&PathBuf>, site_packages: &[PathBuf]) -> Result<Subject, Failure> {
        let mut run = self.run.clone();
        run.libraries.tensorrt = library.cloned().or(run.libraries.tensorrt);
        let options = Options {
            convert: self.convert.clone(),
            build: self.build.clone(),
            run,
            site_packages: site_packages.to_vec(),
            trusted: self.trusted,
            ..Options::default()
        };
        let (executable, tolerance) = self.load(file, options)?;
        let name = match library {
            Some(library) => format!("{} ({})", file.display(), library.display()),
            None => file.display().to_string(),
        };
        Ok(Subject { name, executable, tolerance })
    }

    /// The engine of a file of any kind, and its precision.
    fn load(&self, file: &Path, options: Options) -> Result<(Executable, Tolerance), Failure> {
        if pytorch::is_partitioned(file) {
            let message = format!("{} has parts in PyTorch, which cannot be compared here", file.display());
            return Err(Error::new(Code::BadOption, message).with_help("compare it in Python, call by call").into());
        }
        let mut start = [0; 64];
        // A file that cannot be read is reported by what loads it.
        let length = File::open(file).and_then(|mut file| file.read(&mut start)).unwrap_or_default();
        if start.starts_with(b"PK") {
            return self.built(file, options);
        }
        if torch2trt::is_onnx(&start[..length]) {
            let executable = torch2trt::load_onnx(file, &options)?;
            return Ok((executable, Tolerance::default()));
        }
        let (executable, manifest) = engine::load(file, &options)?;
        let recorded = manifest.map(|manifest| manifest.options).unwrap_or_default();
        let tolerance = Tolerance::recorded(&recorded, executable.engine.device());
        Ok((executable, tolerance))
    }

    /// The engine of a saved model, with the options of this command.
    fn built(&self, file: &Path, mut options: Options) -> Result<(Executable, Tolerance), Failure> {
        options.report.progress = false;
        let site_packages = std::mem::take(&mut options.site_packages);
        let samples = samples::Arguments { inputs: self.inputs.inputs.clone(), ..samples::Arguments::default() };
        let arguments = build::Arguments {
            file: file.to_owned(),
            output: None,
            onnx: None,
            verbose: 0,
            samples,
            ranges: self.ranges.clone(),
            options,
        };
        build::in_memory(&arguments, site_packages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_positive_numbers() {
        assert_eq!(positive("1e-3"), Ok(1e-3));
        for text in ["0", "-1", "x", "inf", "nan"] {
            assert!(positive(text).is_err(), "{text}");
        }
    }
}
