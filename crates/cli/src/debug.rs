//! `torch2trt debug`: which call of a model an engine gets wrong, and faults that it wrote into folders, run again.

use crate::build::{self, ranges, samples};
use crate::{Done, Failure, Screen, tensors};
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;
use torch2trt::{BuildOptions, ConvertOptions, DebugOptions, Debugged, Diagnosis, NetworkValues, Options, RunOptions};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model that torch.export.save wrote, or a folder that this command or torch2trt.debug wrote
    file: PathBuf,
    #[command(flatten)]
    inputs: tensors::Arguments,
    /// The --inputs that the engine was built with, on which the range of float16 was checked [default: none]
    #[arg(long, value_name = "FILE")]
    samples: Option<PathBuf>,
    /// The --calibration that the engine was built with [default: --samples]
    #[arg(long, value_name = "PATH")]
    calibration: Option<PathBuf>,
    /// Largest relative error of a result [default: what the precision explains]
    #[arg(long, value_name = "ERROR", value_parser = crate::compare::positive)]
    max_error: Option<f64>,
    /// Values to compare at a time: where they do not fit, the network is halved [default: half of the free memory]
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    /// Write a reproducer into this folder: the part of the network that is wrong, its inputs, and the right result
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    ranges: ranges::Arguments,
    #[command(flatten)]
    convert: ConvertOptions,
    #[command(flatten)]
    build: BuildOptions,
    #[command(flatten)]
    run: RunOptions,
}

/// What a report is printed from.
struct Found {
    text: String,
    json: Value,
    is_wrong: bool,
}

impl Found {
    fn of(found: &Diagnosis) -> Self {
        Self { text: found.text(), json: found.to_json(), is_wrong: found.is_wrong() }
    }
}

/// Compares; the exit status is 1 where a result differs.
pub(crate) fn run(arguments: &Arguments, site_packages: Vec<PathBuf>, screen: &mut Screen<'_>) -> Done {
    let found = if arguments.file.is_dir() {
        let options = Options { site_packages, ..arguments.options() };
        let found = torch2trt::replay(&arguments.file, &options)?;
        Found { text: found.text, json: found.json, is_wrong: found.diverges }
    } else {
        arguments.model(site_packages)?
    };
    if arguments.json {
        screen.line(serde_json::to_string_pretty(&found.json).unwrap_or_default())?;
    } else {
        screen.line(found.text)?;
    }
    if found.is_wrong { Err(Failure::Reported) } else { Ok(()) }
}

impl Arguments {
    fn options(&self) -> Options {
        let (convert, build, run) = (self.convert.clone(), self.build.clone(), self.run.clone());
        Options { convert, build, run, ..Options::default() }
    }

    /// What the engine of a saved model gets wrong.
    fn model(&self, site_packages: Vec<PathBuf>) -> Result<Found, Failure> {
        let mut options = self.options();
        let archive = torch2trt::read_archive(&self.file)?;
        if let Err(error) = torch2trt::convert(&archive.program, &options, None) {
            let output = self.output.as_deref();
            return Ok(Found::of(&torch2trt::debug_conversion(&archive.program, &options, None, error, output)?));
        }
        let (inputs, calibration) = (self.samples.clone(), self.calibration.clone());
        options.report.progress = false;
        let arguments = build::Arguments {
            file: self.file.clone(),
            output: None,
            onnx: None,
            verbose: 0,
            samples: samples::Arguments { inputs, calibration, ..samples::Arguments::default() },
            ranges: self.ranges.clone(),
            options,
        };
        let build::Stages { program, options, plain, made } = build::stages(&arguments, site_packages)?;
        let inputs = self.inputs.read(&torch2trt::interface(&plain, &options.profiles))?;
        let computed_in: Vec<_> = torch2trt::computed_in(&program).into_iter().flatten().collect();
        let subject = Debugged {
            network: &made.network,
            plain: &plain,
            options: &options,
            inputs: &inputs,
            tolerance: made.tolerance(&options, options.convert.backend == torch2trt::Backend::TensorRt),
            computed_in: &computed_in,
        };
        let mut reference = NetworkValues::new(&plain, &inputs, &options);
        let asked = DebugOptions {
            max_error: self.max_error,
            output: self.output.clone(),
            ..DebugOptions::within(self.memory)
        };
        Ok(Found::of(&torch2trt::debug(subject, &mut reference, &asked)?))
    }
}
