//! `torch2trt build`: from a saved model to an engine file, stage by stage.
//!
//! What the stages need to be decided or compared is in the files of the folder.

mod backend;
mod compare;
pub(crate) mod progress;
mod ranges;
mod samples;

use crate::info::megabytes;
use crate::machine::Machine;
use crate::{Done, Failure, Screen, row, tensors};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use runtime::Tensor;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use torch2trt::{
    Archive, Artifact, Backend, CalibrationAlgorithm, Code, Description, Error, Executable, Half, Network, Options,
    cpu_engine,
};

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
    /// What runs the model; auto: TensorRT where a GPU is there and a TensorRT that builds for it, otherwise the CPU engine
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = ["auto", "cpu", "tensorrt"])]
    backend: String,
    /// GPU to build a plan for, such as sm_89; none needs to be there [default: the GPU of this machine]
    #[arg(long, value_name = "GPU")]
    target: Option<String>,
    #[command(flatten)]
    samples: samples::Arguments,
    #[command(flatten)]
    ranges: ranges::Arguments,
    /// Compute in float16 where that is safe
    #[arg(long, conflicts_with = "bf16")]
    fp16: bool,
    /// Compute in bfloat16 where that is safe
    #[arg(long)]
    bf16: bool,
    /// Quantize convolutions and matrix multiplications with constant weights to int8, with ranges from samples
    #[arg(long)]
    int8: bool,
    /// How the ranges of int8 are computed
    #[arg(long, value_name = "NAME", default_value = "ENTROPY_CALIBRATION_2", value_parser = algorithms())]
    calibration_algorithm: CalibrationAlgorithm,
    /// A module that stays float32 all the same, such as layer4.0, with * and ?; may be given several times
    #[arg(long, value_name = "PATTERN")]
    keep_fp32: Vec<String>,
    /// Most device memory that a layer may use while it runs, in bytes or as 512M or 2G [default: all there is]
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    workspace: Option<usize>,
    /// How hard TensorRT searches for fast kernels, 0 to 5 [default: TensorRT's own]
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(i32).range(0..=5))]
    optimization_level: Option<i32>,
    /// The plan runs with later versions of TensorRT too
    #[arg(long)]
    version_compatible: bool,
    /// The plan runs on other GPUs too, from Ampere on
    #[arg(long)]
    hardware_compatible: bool,
    /// The weights of the plan can be replaced after the build
    #[arg(long)]
    refittable: bool,
    /// Run in PyTorch what does not convert, and the rest in engines (needs PyTorch)
    #[arg(long)]
    fallback: bool,
    /// A module that runs in PyTorch, such as layers.*.router; may be given several times. Implies --fallback
    #[arg(long, value_name = "PATTERN")]
    run_in_pytorch: Vec<String>,
    #[command(flatten)]
    machine: Machine,
}

fn algorithms() -> impl TypedValueParser<Value = CalibrationAlgorithm> {
    let names = CalibrationAlgorithm::ALL.map(|(_, name)| name);
    PossibleValuesParser::new(names).map(|name| CalibrationAlgorithm::from_name(&name).unwrap_or_default())
}

/// Bytes, or a number of KiB, MiB or GiB.
fn memory(text: &str) -> Result<usize, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1usize),
    };
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
    bytes.ok_or_else(|| "write a number of bytes, or one with K, M or G after it".to_owned())
}

pub(crate) fn run(arguments: &Arguments, site_packages: Vec<PathBuf>, screen: &mut Screen<'_>) -> Done {
    let started = Instant::now();
    let (output, onnx) = arguments.outputs()?;
    let archive = torch2trt::read_archive(&arguments.file)?;
    screen.line(read(&arguments.file, &archive))?;
    for name in &archive.written {
        screen.line(format!("note: the model writes to `{name}` when it runs; the engine leaves it as it is"))?;
    }
    let mut options = arguments.options(&archive, site_packages);
    let (backend, reason) = backend::choose(&arguments.backend, &options)?;
    options.backend = backend;
    options.profiles = arguments.ranges.profile(&archive.program, backend)?.into_iter().collect();
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
        if !self.fallback && self.run_in_pytorch.is_empty() {
            return Ok(None);
        }
        let (Some(output), None) = self.outputs()? else {
            return Err(wrong(
                "a model with parts in PyTorch has no ONNX model".to_owned(),
                "give --output the name of an engine file, such as net.trt2, and leave out --onnx",
            ));
        };
        let mut arguments = self.machine.request();
        if let Value::Object(members) = &mut arguments {
            members.extend(self.given());
        }
        Ok(Some(json!({
            "command": "build --fallback", "file": self.file, "output": output, "inputs": self.samples.inputs,
            "device": self.machine.device(), "ranges": self.ranges.request(), "arguments": arguments,
        })))
    }

    /// The arguments of the conversion under Python's names.
    fn given(&self) -> [(String, Value); 11] {
        [
            ("backend", json!(self.backend)),
            ("target", json!(self.target)),
            ("fp16_mode", json!(self.fp16)),
            ("bf16_mode", json!(self.bf16)),
            ("keep_fp32", json!(self.keep_fp32)),
            ("max_workspace_size", json!(self.workspace)),
            ("optimization_level", json!(self.optimization_level)),
            ("version_compatible", json!(self.version_compatible)),
            ("hardware_compatible", json!(self.hardware_compatible)),
            ("refittable", json!(self.refittable)),
            ("run_in_pytorch", json!(self.run_in_pytorch)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
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

    fn options(&self, archive: &Archive, site_packages: Vec<PathBuf>) -> Options {
        let half = match (self.fp16, self.bf16) {
            (true, _) => Some(Half::Float16),
            (_, true) => Some(Half::BFloat16),
            _ => None,
        };
        let computed = archive.outputs.iter().filter(|leaf| leaf.constant.is_none());
        Options {
            output_names: computed.map(|leaf| leaf.name.clone()).collect(),
            half,
            int8: self.int8,
            int8_calib_algorithm: self.calibration_algorithm,
            keep_fp32: self.keep_fp32.clone(),
            target: self.target.clone(),
            max_workspace_size: self.workspace,
            optimization_level: self.optimization_level,
            version_compatible: self.version_compatible,
            hardware_compatible: self.hardware_compatible,
            refittable: self.refittable,
            ..self.machine.options(site_packages)
        }
    }

    /// The options that an engine file tells of: those that are not at their default, under Python's names.
    fn recorded(&self) -> BTreeMap<String, Value> {
        let half = if self.fp16 { json!("float16") } else { json!(self.bf16.then_some("bfloat16")) };
        let all = [
            ("half", half),
            ("int8", json!(self.int8.then_some(true))),
            ("keep_fp32", if self.keep_fp32.is_empty() { Value::Null } else { json!(self.keep_fp32) }),
            ("target", json!(self.target)),
            ("max_workspace_size", json!(self.workspace)),
            ("optimization_level", json!(self.optimization_level)),
            ("version_compatible", json!(self.version_compatible.then_some(true))),
            ("hardware_compatible", json!(self.hardware_compatible.then_some(true))),
            ("refittable", json!(self.refittable.then_some(true))),
        ];
        all.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
    }
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
        if options.half.is_none() && !options.int8 {
            if !options.keep_fp32.is_empty() {
                screen.line("note: --keep-fp32 changes nothing without --fp16, --bf16 or --int8")?;
            }
            return Ok(Self { network, exact: None, options, inputs, rounds });
        }
        if options.int8 && !arguments.samples.can_calibrate() {
            let help = "give --calibration FILE, or --inputs FILE, with typical inputs";
            return Err(wrong("--int8 needs samples to calibrate on".to_owned(), help));
        }
        let mut samples = arguments.samples.of(torch2trt::interface(&network, &options.profiles))?;
        let made = torch2trt::precision(&network, &options, &mut samples).map_err(samples::in_our_words)?;
        samples::show(&made, options.half, screen)?;
        Ok(Self { network: made.network, exact: Some(network), options, inputs, rounds })
    }

    /// Network → engine, or a plan that is for another machine.
    fn engine(&self, screen: &mut Screen<'_>) -> Result<Engine, Failure> {
        if self.options.backend != Backend::TensorRt {
            let engine = cpu_engine(&self.network, &self.options)?;
            return Ok(Engine { artifact: engine.artifact.clone(), runs: Some(engine) });
        }
        let plan = torch2trt::build_plan(&self.network, &self.options, &progress::Bar::default())?;
        let rows: Vec<Vec<String>> = plan.summary().into_iter().map(|(name, value)| row(&name, value)).collect();
        screen.columns(&rows)?;
        let here = self.options.target.is_none();
        let runs = here.then(|| torch2trt::tensorrt_engine(&plan, &self.options)).transpose()?;
        Ok(Engine { artifact: plan.artifact().clone(), runs })
    }

    /// Engine against the CPU engine in float32 on the inputs that were given: the differences, by output.
    fn compare(&self, engine: &Engine, screen: &mut Screen<'_>) -> Result<BTreeMap<String, f64>, Failure> {
        let Some(path) = &self.inputs else {
            screen.line("note: without --inputs the engine was compared with nothing")?;
            return Ok(BTreeMap::new());
        };
        let Some(runs) = &engine.runs else {
            screen.line("note: the plan is for another GPU, so that it was compared with nothing")?;
            return Ok(BTreeMap::new());
        };
        if self.exact.is_none() && self.options.backend != Backend::TensorRt {
            // It would be compared with itself; that it runs on them is worth knowing.
            call(runs, path)?;
            screen.line("note: the CPU engine runs on the inputs; in float32 there is nothing to compare it with")?;
            return Ok(BTreeMap::new());
        }
        let exact = cpu_engine(self.exact.as_ref().unwrap_or(&self.network), &self.options)?;
        let allowed = compare::Allowed {
            half: self.options.half,
            int8: self.options.int8,
            rounds: self.rounds,
            on_gpu: self.options.backend == Backend::TensorRt,
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
    let file = artifact.to_file(Description { model, options: arguments.recorded(), accuracy });
    file.save(path).map_err(|error| {
        Error::new(Code::EngineFile, error.to_string())
            .with_help("give --output a path in a folder that can be written")
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bytes_or_has_a_unit() {
        assert_eq!(memory("1000"), Ok(1000));
        assert_eq!(memory("512M"), Ok(512 << 20));
        assert_eq!(memory("2g"), Ok(2 << 30));
        for wrong in ["", "M", "1.5G", "-1", "99999999999999999999G", "1T"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }
}
