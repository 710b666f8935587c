//! What is wrong, in a folder of its own.
//!
//! | file | content |
//! |---|---|
//! | `network.txt` | the text form of the part that is wrong, or of the smallest one that cannot be built |
//! | `program.txt` | in its place: the text form of the call that cannot be converted |
//! | `weights.safetensors` | constants that the text names by digest |
//! | `inputs.safetensors` | the inputs of a part, under their names |
//! | `expected.safetensors` | the reference's result, as `expected` |
//! | `fault.json` | the layer, its source line and the tolerance, or the code of the error |

use super::failure::{Failed, FailedKind};
use super::part::Part;
use super::report::error_text;
use super::run::Runner;
use super::weights::{digest_name, weights_of};
use super::{Culprit, Kind, ValueRange};
use crate::conversion::verify::difference;
use crate::tensor_file::read_all;
use crate::{Code, Error, Options, Result, pipeline, read_tensors, write_tensors};
use bytes::Bytes;
use network::Network;
use program::Program;
use runtime::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const NETWORK: &str = "network.txt";
const PROGRAM: &str = "program.txt";
const WEIGHTS: &str = "weights.safetensors";
const INPUTS: &str = "inputs.safetensors";
const EXPECTED: &str = "expected.safetensors";
const FAULT: &str = "fault.json";
const RESULT: &str = "expected";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Fault {
    /// A wrong result.
    Result { layer: String, source: String, operator: String, tolerance: f64 },
    /// A network that cannot be built: the code of the error.
    Build(String),
    /// A program that cannot be converted.
    Conversion(String),
}

/// What a reproducer shows when it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// Whether it is still wrong.
    pub diverges: bool,
    /// A few lines.
    pub text: String,
    /// The same; an infinite error is null.
    pub json: Value,
}

/// Writes a wrong result. The folder is created where it is missing.
///
/// # Errors
/// E0605 for a folder or a text that cannot be written, E0607 for tensors.
pub(super) fn write(folder: &Path, culprit: &Culprit) -> Result<()> {
    let network = &culprit.part;
    let fault = Fault::Result {
        layer: culprit.layer.clone(),
        source: culprit.source.clone(),
        operator: culprit.operator.clone(),
        // An error that the rest of the model amplifies is small where it is made.
        tolerance: if culprit.kind == Kind::Amplified { culprit.error / 2.0 } else { culprit.allowed },
    };
    write_texts(folder, NETWORK, &network.to_string(), &fault, &weights_of(network)?)?;
    let names = network.inputs().iter().map(|port| port.name.as_str());
    write_tensors(&folder.join(INPUTS), names.zip(&culprit.part_inputs))?;
    write_tensors(&folder.join(EXPECTED), [(RESULT, &culprit.expected)])
}

/// Writes a network that cannot be built, or a program that cannot be converted.
///
/// # Errors
/// As [`write`].
pub(super) fn write_failed(folder: &Path, failed: &Failed) -> Result<()> {
    let code = failed.error.code().number().to_owned();
    let (name, fault) = match failed.kind {
        FailedKind::Network => (NETWORK, Fault::Build(code)),
        FailedKind::Program => (PROGRAM, Fault::Conversion(code)),
    };
    write_texts(folder, name, &failed.text, &fault, &failed.weights)
}

fn write_texts(
    folder: &Path,
    name: &str,
    content: &str,
    fault: &Fault,
    weights: &BTreeMap<String, Tensor>,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| not_written(folder, &error))?;
    text(&folder.join(name), content)?;
    write_tensors(&folder.join(WEIGHTS), weights.iter().map(|(name, data)| (name.as_str(), data)))?;
    text(&folder.join(FAULT), &serde_json::to_string_pretty(fault).unwrap_or_default())
}

fn text(path: &Path, text: &str) -> Result<()> {
    let written = files::write(path, |file| file.write_all(text.as_bytes()));
    written.map_err(|error: std::io::Error| not_written(path, &error))
}

fn not_written(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Code::EngineFile, format!("{} cannot be written: {error}", path.display()))
        .with_help("name a folder in one that exists")
}

/// Runs a reproducer with the options of an engine.
///
/// # Errors
/// E0605 for a folder that is no reproducer, E0607 for a file of tensors, E0106 and E0201 for a text; those of the
/// engine, where it is not these that the reproducer is about.
pub fn replay(folder: &Path, options: &Options) -> Result<Replayed> {
    let fault: Fault =
        serde_json::from_str(&read(folder, FAULT)?).map_err(|error| no_reproducer(folder, FAULT, &error))?;
    let weights: BTreeMap<String, Tensor> = read_all(&folder.join(WEIGHTS))?.into_iter().collect();
    let bytes = |digest: u64| Some(Bytes::copy_from_slice(weights.get(&digest_name(digest))?.bytes()?));
    match fault {
        Fault::Result { layer, source, operator, tolerance } => {
            let network = Network::parse(&read(folder, NETWORK)?, &bytes)?;
            replay_result(folder, network, options, (&layer, &source, &operator), tolerance)
        }
        Fault::Build(code) => {
            let network = Network::parse(&read(folder, NETWORK)?, &bytes)?;
            still_fails(Runner::new(options).try_build(&network), &code)
        }
        Fault::Conversion(code) => {
            let program = Program::parse(&read(folder, PROGRAM)?, &bytes)?;
            still_fails(pipeline::convert(&program, options, None).map(drop), &code)
        }
    }
}

/// Whether an error of this code came again; another one is an error here.
fn still_fails(result: Result<()>, code: &str) -> Result<Replayed> {
    match result {
        Ok(()) => {
            let json = json!({ "diverges": false, "code": null });
            Ok(Replayed { diverges: false, text: format!("no longer fails with {code}"), json })
        }
        Err(error) if error.code().number() == code => {
            let json = json!({ "diverges": true, "code": code, "message": error.message() });
            Ok(Replayed { diverges: true, text: error.to_string(), json })
        }
        Err(error) => Err(error),
    }
}

fn replay_result(
    folder: &Path,
    network: Network,
    options: &Options,
    (layer, source, operator): (&str, &str, &str),
    tolerance: f64,
) -> Result<Replayed> {
    let inputs = read_tensors(&folder.join(INPUTS), &crate::interface(&network, &[]).inputs, "input")?;
    let got = Runner::new(options).run(&Part { network, inputs: inputs.iter().collect() })?;
    let expected = read_all(&folder.join(EXPECTED))?;
    let (Some((_, expected)), Some(got)) = (expected.first(), got.first()) else {
        return Err(no_reproducer(folder, EXPECTED, &"it has no result"));
    };
    let error = difference(&expected.view(), &got.view());
    let (expected, engine) = (ValueRange::of(expected), ValueRange::of(got));
    let diverges = error > tolerance;
    let state = if diverges { "differs" } else { "agrees" };
    let text = format!(
        "{source} {layer}: the result {state}: {}, {tolerance:.0e} is allowed\nexpected {}\nengine   {}",
        error_text(error),
        expected.text(),
        engine.text()
    );
    let json = json!({
        "diverges": diverges,
        "layer": layer,
        "source": source,
        "operator": operator,
        "error": error.is_finite().then_some(error),
        "tolerance": tolerance,
        "expected": expected,
        "engine": engine,
    });
    Ok(Replayed { diverges, text, json })
}

fn read(folder: &Path, name: &str) -> Result<String> {
    std::fs::read_to_string(folder.join(name)).map_err(|error| no_reproducer(folder, name, &error))
}

fn no_reproducer(folder: &Path, name: &str, problem: &dyn std::fmt::Display) -> Error {
    Error::new(Code::EngineFile, format!("{} is no reproducer: {name}: {problem}", folder.display()))
        .with_help("give a folder that `torch2trt debug` wrote, or a model of torch.export.save")
}
