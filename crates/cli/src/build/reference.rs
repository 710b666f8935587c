//! What an engine is compared with: expected outputs in a file, or the CPU engine in float32.

use super::samples::Arguments;
use crate::{Failure, Screen, tensors};
use runtime::{EngineSpec, Tensor};
use std::collections::BTreeMap;
use std::path::Path;
use torch2trt::{Archive, Backend, Code, Error, Executable, Float32, Network, Options, Reference, Tolerance};

/// The outputs of the model for the inputs that were given, as PyTorch computed them.
struct Expected<'a> {
    path: &'a Path,
    spec: &'a EngineSpec,
    name: String,
}

impl Reference for Expected<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn outputs(&mut self, _: &[Tensor]) -> torch2trt::Result<Vec<Tensor>> {
        torch2trt::read_tensors(self.path, &self.spec.outputs, "output")
    }
}

/// What a conversion made, for the comparison.
pub(super) struct Subject<'a> {
    pub(super) archive: &'a Archive,
    pub(super) options: &'a Options,
    /// In the types that the model has.
    pub(super) network: &'a Network,
    pub(super) tolerance: Tolerance,
    /// The interface of the engine in the model's own types.
    pub(super) declared: &'a EngineSpec,
    /// `None` for a plan that is for another GPU.
    pub(super) engine: Option<&'a Executable>,
}

/// Compares an engine with the reference that the arguments name: the difference of each output, by name.
///
/// # Errors
/// E0702 for a difference that the precision does not explain; those of the files and of the engines.
pub(super) fn compare(
    subject: &Subject<'_>,
    arguments: &Arguments,
    screen: &mut Screen<'_>,
) -> Result<BTreeMap<String, f64>, Failure> {
    let none = |screen: &mut Screen<'_>, note: &str| screen.line(format!("note: {note}")).map(|()| BTreeMap::new());
    if !subject.options.report.verify {
        return Ok(BTreeMap::new());
    }
    let Some(path) = &arguments.inputs else {
        return none(screen, "without --inputs the engine was compared with nothing");
    };
    let Some(engine) = subject.engine else {
        return none(screen, "the plan is for another GPU, so that it was compared with nothing");
    };
    let inputs = tensors::from_file(path, subject.declared)?;
    let on_gpu = subject.options.convert.backend == Backend::TensorRt;
    let is_float32 = subject.tolerance == Tolerance { on_gpu: subject.tolerance.on_gpu, ..Tolerance::default() };
    let (mut reference, suffix): (Box<dyn Reference + '_>, &str) = match &arguments.expected {
        Some(path) => {
            let name = path.display().to_string();
            (Box::new(Expected { path, spec: subject.declared, name }), "")
        }
        None if is_float32 && !on_gpu => {
            // It would be compared with itself; that it runs on them is worth knowing.
            engine.call(&inputs.iter().map(Tensor::view).collect::<Vec<_>>())?;
            return none(
                screen,
                "the CPU engine runs on the inputs; in float32 only --expected can be compared with it",
            );
        }
        None => (Box::new(Float32::new(subject.network, subject.options)?), " (float32 on the CPU)"),
    };
    let computed_in = torch2trt::computed_in(&subject.archive.program);
    let found = torch2trt::verify(engine, &inputs, &mut *reference, subject.tolerance, &computed_in);
    let found = found.map_err(|error| match &arguments.expected {
        Some(_) if is_float32 && error.code() == Code::Accuracy => Error::new(error.code(), error.message()).with_help(
            "give --expected the outputs of the same model and weights for the tensors of --inputs, or pass \
             --no-verify",
        ),
        _ => error,
    })?;
    for (output, difference) in &found {
        screen.line(format!("{output}: max relative error {difference:.1e} (reference: {})", reference.name()))?;
    }
    Ok(found.into_iter().map(|(output, difference)| (output + suffix, difference)).collect())
}
