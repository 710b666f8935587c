//! `torch2trt build`: from a saved model to an engine file, stage by stage.
//!
//! What the stages need to be decided or compared is in the files of the folder.

mod compare;
pub(crate) mod progress;
mod ranges;
mod samples;

use crate::info::megabytes;
use crate::{Done, Failure, Screen, row, tensors};
use clap::Args;
use runtime::Tensor;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;
use torch2trt::{Archive, Artifact, Backend, Code, Description, Error, Executable, Network, Options, cpu_engine};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model that torch.export.save wrote
    file: PathBuf,
    /// Where to write the engine file; a name that ends in .onnx is that of an ONNX model
    #[arg(long, short, value_name = "PATH", required_unless_present = "onnx")]
    output: Option<PathBuf>,
    /// Where to write an ONNX model, too or only
    #[arg(long, value_name = "PATH")]
    onnx: Option<PathBuf>,
    #[command(flatten)]
    samples: samples::Arguments,
    #[command(flatten)]
    ranges: ranges::Arguments,
    #[command(flatten)]
    options: Options,
}

pub(crate) fn run(arguments: &Arguments, site_packages: Vec<PathBuf>, screen: &mut Screen<'_>) -> Done {
    let started = Instant::now();
    let (output, onnx) = arguments.outputs()?;
    let archive = torch2trt::read_archive(&arguments.file)?;
    screen.line(read(&arguments.file, &archive))?;
    for name in &archive.written {
        screen.line(format!("note: the model writes to `{name}` when it runs; the engine leaves it as it is"))?;
    }
    let mut options = arguments.options(&archive, site_packages)?;
    let torch2trt::Chosen { backend, reason } = torch2trt::choose_backend(&options, None);
    options.convert.backend = backend;
    options.profiles = arguments.ranges.profile(&archive.program, &options.convert)?.into_iter().collect();
    let made = Conversion::new(arguments, &archive, options, screen)?;
    if let Some(path) = onnx {
        torch2trt::save_onnx(&made.network, path)?;
        screen.line(format!("{}: ONNX model, {}", path.display(), megabytes(made.network.weight_bytes() as u64)))?;
    }
    let Some(output) = output else { return Ok(()) };
    let name = if backend == Backend::TensorRt { "TensorRT" } else { "the CPU engine" };
    screen.line(format!("using {name}: {reason}"))?;
    let engine = made.engine(screen)?;
    let accuracy = made.compare(&engine, screen)?;
    write(&engine.artifact, arguments, &archive, accuracy, output)?;
    let size = std::fs::metadata(output).map_or(0, |about| about.len());
    let seconds = started.elapsed().as_secs_f64();
    screen.line(format!("{}: {}, made in {seconds:.1} s", output.display(), megabytes(size)))
}

fn read(path: &Path, archive: &Archive) -> String {
    let program = &archive.program;
    let bytes: usize = program.weights().map(|weight| weight.data.len()).sum();
    let (calls, size) = (program.nodes().len(), megabytes(bytes as u64));
    format!("{}: {calls} operator calls, {size} of weights, from PyTorch {}", path.display(), archive.torch_version)
}

impl Arguments {
    /// What it asks of PyTorch, with --fallback.
    pub(crate) fn for_pytorch(&self) -> Result<Option<Value>, Failure> {
        let parts = &self.options.parts;
        if !parts.fallback && parts.run_in_pytorch.is_empty() {
            return Ok(None);
        }
        let (Some(output), None) = self.outputs()? else {
            return Err(wrong(
                "a model with parts in PyTorch has no ONNX model".to_owned(),
                "give --output the name of an engine file, such as net.trt2, and leave out --onnx",
            ));
        };
        if self.samples.calibration.is_some() {
            return Err(wrong(
                "--calibration is for models without parts in PyTorch".to_owned(),
                "convert in Python: torch2trt(model, inputs, fallback=True, int8_mode=True, int8_calib_dataset=samples)",
            ));
        }
        let default = Options::default().to_json();
        let mut arguments = self.options.to_json();
        arguments.retain(|name, value| name == "backend" || default.get(name) != Some(value));
        arguments.retain(|name, _| !["device", "fallback"].contains(&name.as_str()));
        Ok(Some(json!({
            "command": "build --fallback", "file": self.file, "output": output, "inputs": self.samples.inputs,
            "device": self.options.run.device, "ranges": self.ranges.request(), "arguments": arguments,
        })))
    }

    /// Where the engine file and the ONNX model are written to: the name of a file decides its format.
    fn outputs(&self) -> Result<(Option<&Path>, Option<&Path>), Failure> {
        let (output, onnx) = (self.output.as_deref(), self.onnx.as_deref());
        for path in [output, onnx].into_iter().flatten() {
            if std::fs::canonicalize(path).is_ok_and(|path| std::fs::canonicalize(&self.file).is_ok_and(|f| f == path))
            {
                let message = format!("{} is the model itself, which the output would replace", path.display());
                return Err(wrong(message, "give the output another name, such as net.trt2"));
            }
        }
        let named_onnx = |path: &Path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("onnx"));
        match (output, onnx) {
            (Some(output), Some(onnx)) if named_onnx(output) => {
                let message = format!("{} and {} are both ONNX models", output.display(), onnx.display());
                Err(wrong(
                    message,
                    "give --output the name of an engine file, such as net.trt2, or leave one of them out",
                ))
            }
            (Some(output), None) if named_onnx(output) => Ok((None, Some(output))),
            other => Ok(other),
        }
    }

    /// The options for this archive; the outputs are those that the model computes.
    fn options(&self, archive: &Archive, site_packages: Vec<PathBuf>) -> Result<Options, Failure> {
        let mut options = Options { site_packages, ..self.options.clone() };
        if let (Backend::Cpu, Some(target)) = (options.convert.backend, &options.build.target) {
            // In Python the network may be built for the target later; here it would be forgotten.
            let message = format!("the CPU engine builds for no GPU, and {target} was asked for");
            return Err(wrong(message, "leave out --target, or ask for --backend tensorrt"));
        }
        let computed = archive.outputs.iter().filter(|leaf| leaf.constant.is_none());
        let own: Vec<String> = computed.map(|leaf| leaf.name.clone()).collect();
        let inputs = archive.program.inputs().iter().map(|id| archive.program.value(*id).name.clone()).collect();
        let convert = &mut options.convert;
        convert.input_names = completed("--input-name", &convert.input_names, inputs)?;
        convert.output_names = completed("--output-name", &convert.output_names, own)?;
        if self.options.convert.input_names.is_empty() && self.options.convert.output_names.is_empty() {
            return Ok(options);
        }
        let mut all = convert.input_names.iter().chain(&convert.output_names);
        let mut seen = HashSet::new();
        match all.find(|name| !seen.insert(*name)) {
            Some(twice) => Err(wrong(
                format!("two tensors would be named `{twice}`"),
                "give each input and output a name of its own",
            )),
            None => Ok(options),
        }
    }
}

/// The names that were given, then the model's own.
fn completed(option: &str, given: &[String], own: Vec<String>) -> Result<Vec<String>, Failure> {
    if given.len() > own.len() {
        let message =
            format!("{option} is given {} times, the model has {}: {}", given.len(), own.len(), own.join(", "));
        return Err(wrong(message, "give one for each"));
    }
    Ok(given.iter().cloned().chain(own.into_iter().skip(given.len())).collect())
}

fn wrong(message: String, help: &str) -> Failure {
    Failure::Error(Error::new(Code::BadOption, message).with_help(help))
}

/// A network, and what it is compared with.
struct Conversion {
    network: Network,
    /// The same in the types that the model has, where another was asked for.
    exact: Option<Network>,
    options: Options,
    inputs: Option<PathBuf>,
    /// Whether the model itself computes in half precision.
    rounds: bool,
}

impl Conversion {
    /// Program → network, in half precision where that is asked for.
    fn new(
        arguments: &Arguments,
        archive: &Archive,
        options: Options,
        screen: &mut Screen<'_>,
    ) -> Result<Self, Failure> {
        let network =
            torch2trt::convert(&archive.program, &options, None).map_err(|error| without_python(error, arguments))?;
        let rounds = archive.program.values().iter().any(|value| matches!(value.dtype.name(), "float16" | "bfloat16"));
        let inputs = arguments.samples.inputs.clone();
        if options.convert.half().is_none() && !options.convert.int8_mode {
            if !options.convert.keep_fp32.is_empty() {
                screen.line("note: --keep-fp32 changes nothing without --fp16, --bf16 or --int8")?;
            }
            return Ok(Self { network, exact: None, options, inputs, rounds });
        }
        if options.convert.int8_mode && !arguments.samples.can_calibrate() {
            let help = "give --calibration FILE, or --inputs FILE, with typical inputs";
            return Err(wrong("--int8 needs samples to calibrate on".to_owned(), help));
        }
        let mut samples = arguments.samples.of(torch2trt::interface(&network, &options.profiles))?;
        let made = torch2trt::precision(&network, &options, &mut samples).map_err(samples::in_our_words)?;
        samples::show(&made, options.convert.half(), screen)?;
        Ok(Self { network: made.network, exact: Some(network), options, inputs, rounds })
    }

    /// Network → engine, or a plan that is for another machine.
    fn engine(&self, screen: &mut Screen<'_>) -> Result<Engine, Failure> {
        if self.options.convert.backend != Backend::TensorRt {
            let engine = cpu_engine(&self.network, &self.options)?;
            return Ok(Engine { artifact: engine.artifact.clone(), runs: Some(engine) });
        }
        let plan =
            torch2trt::build_plan(&self.network, &self.options, &progress::Bar::new(self.options.report.progress))?;
        let rows: Vec<Vec<String>> = plan.summary().into_iter().map(|(name, value)| row(&name, value)).collect();
        screen.columns(&rows)?;
        let here = self.options.build.target.is_none();
        let runs = here.then(|| torch2trt::tensorrt_engine(&plan, &self.options)).transpose()?;
        Ok(Engine { artifact: plan.artifact().clone(), runs })
    }

    /// Engine against the CPU engine in float32 on the inputs that were given: the differences, by output.
    fn compare(&self, engine: &Engine, screen: &mut Screen<'_>) -> Result<BTreeMap<String, f64>, Failure> {
        if !self.options.report.verify {
            return Ok(BTreeMap::new());
        }
        let Some(path) = &self.inputs else {
            screen.line("note: without --inputs the engine was compared with nothing")?;
            return Ok(BTreeMap::new());
        };
        let Some(runs) = &engine.runs else {
            screen.line("note: the plan is for another GPU, so that it was compared with nothing")?;
            return Ok(BTreeMap::new());
        };
        if self.exact.is_none() && self.options.convert.backend != Backend::TensorRt {
            // It would be compared with itself; that it runs on them is worth knowing.
            call(runs, path)?;
            screen.line("note: the CPU engine runs on the inputs; in float32 there is nothing to compare it with")?;
            return Ok(BTreeMap::new());
        }
        let exact = cpu_engine(self.exact.as_ref().unwrap_or(&self.network), &self.options)?;
        let allowed = compare::Allowed {
            half: self.options.convert.half(),
            int8: self.options.convert.int8_mode,
            rounds: self.rounds,
            on_gpu: self.options.convert.backend == Backend::TensorRt,
        };
        let declared = &engine.artifact.declared;
        compare::differences(declared, &call(&exact, path)?, &call(runs, path)?, allowed, screen)
    }
}

/// An error whose help is about Python, with what helps here.
fn without_python(error: Error, arguments: &Arguments) -> Error {
    if error.code() != Code::NoConverter {
        return error;
    }
    Error::new(error.code(), error.message()).with_help(format!(
        "`torch2trt coverage {}` lists all operators; --fallback runs these calls in PyTorch; or convert in Python, where \
         some are decomposed into others and you may write converters of your own",
        arguments.file.display()
    ))
}

/// What an engine file is written from, and what runs it where that can be run here.
struct Engine {
    artifact: Artifact,
    runs: Option<Executable>,
}

/// The outputs on the tensors of a file.
fn call(engine: &Executable, path: &Path) -> Result<Vec<Tensor>, Failure> {
    let inputs = tensors::from_file(path, &engine.artifact.declared)?;
    let views: Vec<_> = inputs.iter().map(Tensor::view).collect();
    Ok(engine.call(&views)?)
}

fn write(
    artifact: &Artifact,
    arguments: &Arguments,
    archive: &Archive,
    accuracy: BTreeMap<String, f64>,
    path: &Path,
) -> Result<(), Failure> {
    let model = torch2trt::call_structure(archive);
    let file = artifact.to_file(Description { model, options: arguments.options.recorded(), accuracy });
    file.save(path).map_err(|error| {
        Error::new(Code::EngineFile, error.to_string())
            .with_help("give --output a path in a folder that can be written")
    })?;
    Ok(())
}
