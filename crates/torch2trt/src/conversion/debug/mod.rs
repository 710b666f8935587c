//! Which call of a model an engine gets wrong: `torch2trt.debug`, and `torch2trt debug` on the command line.
//!
//! A network notes which tensor stands for which value of the program ([`Network::values`]). The tensors that are left
//! after the passes cut it into parts, mostly of one call each.
//!
//! 1. The engine's outputs are compared with the reference's. Where they agree, nothing is wrong.
//! 2. Each part gets the reference's values as inputs ([`own`]): what its result is off by is its own error, not one
//!    that it was handed. All parts run in one network where memory allows it. Otherwise the network is halved: blocks
//!    whose results agree are left alone.
//! 3. A part whose own error exceeds the tolerance is a suspect. The first whose result alone makes the outputs of the
//!    reference wrong is the fault ([`cause`]): a mask that float16 rounds to infinity is not.
//! 4. A part of several calls, such as a folded batch norm, is looked at call by call before the passes ([`named`]).
//!
//! A model that does not become an engine is reduced to what still fails: [`failure`].
//!
//! What is compared with is a [`ProgramValues`]. This file must not know whose values these are.

mod cause;
mod failure;
mod named;
mod own;
mod part;
mod ranges;
mod reduce;
mod reference;
mod report;
mod reproducer;
mod run;
mod weights;

pub use failure::{Failed, FailedCall};
pub use ranges::ValueRange;
pub use reference::{NetworkValues, ProgramValues};
pub use report::{Culprit, Diagnosis, Kind, NamedRange, OutputError, Stage, Suspect};
pub use reproducer::{Replayed, replay};

use super::Tolerance;
use super::verify::difference;
use crate::{Error, Options, Result};
use convert::Foreign;
use network::{Network, TensorId};
use own::Taps;
use part::{Cutter, Given, Sizes};
use program::{Program, ScalarType};
use run::Runner;
use runtime::{DataType, Tensor};
use std::path::{Path, PathBuf};

/// What is debugged: a network in the precision of an engine, for one call.
#[derive(Clone, Copy)]
pub struct Debugged<'a> {
    /// The network that the engine is made from.
    pub network: &'a Network,
    /// The same as it was converted: before passes, and in the model's own types.
    pub plain: &'a Network,
    /// The options of the engine.
    pub options: &'a Options,
    /// The inputs, in host memory.
    pub inputs: &'a [Tensor],
    /// The differences that the precision explains.
    pub tolerance: Tolerance,
    /// The half-precision types in which the model itself computes.
    pub computed_in: &'a [ScalarType],
}

/// How to look for the fault.
#[derive(Clone, Debug)]
pub struct DebugOptions {
    /// The largest relative error that is accepted. Default: what the precision explains.
    pub max_error: Option<f64>,
    /// Bytes of values that are held at a time.
    pub memory: u64,
    /// The folder for a reproducer.
    pub output: Option<PathBuf>,
}

/// Bytes of values that are held where free memory is not known.
const HELD: u64 = 1 << 30;

impl DebugOptions {
    /// With values of so many MiB at a time. Default: half of the memory that is free.
    pub fn within(mebibytes: Option<u64>) -> Self {
        let memory = mebibytes.map(|count| count.saturating_mul(1 << 20));
        Self {
            max_error: None,
            memory: memory.unwrap_or_else(|| free_memory().map_or(HELD, |free| free / 2)),
            output: None,
        }
    }
}

/// Bytes of memory that processes can have without swapping, where Linux reports it.
fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Compares an engine with a reference on one call, and names the call of the model where it goes wrong.
///
/// # Errors
/// Those of the engine and of the reference; E0605 and E0607 for a reproducer that cannot be written.
pub fn debug(subject: Debugged<'_>, reference: &mut dyn ProgramValues, asked: &DebugOptions) -> Result<Diagnosis> {
    let cutter = Cutter { network: subject.network, inputs: subject.inputs };
    let mut work = Debugging { subject, cutter, reference, asked, runner: Runner::new(subject.options) };
    let expected = work.reference.outputs()?;
    let outputs: Vec<TensorId> = subject.network.outputs().iter().map(|port| port.tensor).collect();
    let got = match work.runner.run(&cutter.part(&Given::new(), &outputs, Sizes::Symbolic)?) {
        Ok(got) => got,
        Err(error) => {
            let failed = failure::of_build(subject.network, &mut work.runner, error)?;
            return Diagnosis::of_failure(work.reference.name(), failed, asked.output.as_deref());
        }
    };
    let mut found = Diagnosis::new(work.reference.name(), work.compared(&expected, &got));
    if !found.outputs.is_empty() && found.diverges() {
        let wrong = found.outputs.iter().zip(&outputs).filter(|(output, _)| !output.is_accepted());
        let taps = Taps::of(&work, &wrong.map(|(_, id)| *id).collect::<Vec<_>>());
        found.values = taps.len();
        let (suspects, culprit) = work.cause(&taps, &expected)?;
        found.suspects = suspects.iter().map(|own| work.suspect(&taps, own)).collect();
        if let Some((own, kind)) = culprit {
            let culprit = work.named(&taps, &own, kind)?;
            for (suspect, _) in found.suspects.iter_mut().zip(&suspects).filter(|(_, other)| other.tap == own.tap) {
                *suspect = culprit.as_suspect();
            }
            found.culprit = Some(culprit);
        }
        if let (Some(folder), Some(culprit)) = (&asked.output, &mut found.culprit) {
            reproducer::write(folder, culprit)?;
            found.reproducer = Some(folder.clone());
        }
    }
    found.runs = work.runner.runs;
    Ok(found)
}

/// Reduces a program that does not convert to the call that does not.
///
/// # Errors
/// The error itself, where it names no call, or the call converts alone; E0605 and E0607 for a reproducer that cannot
/// be written.
pub fn debug_conversion(
    program: &Program,
    options: &Options,
    foreign: Option<&dyn Foreign>,
    error: Error,
    output: Option<&Path>,
) -> Result<Diagnosis> {
    let failed = failure::of_conversion(program, options, foreign, error)?;
    Diagnosis::of_failure("", failed, output)
}

/// A search for a fault.
struct Debugging<'a, 'r> {
    subject: Debugged<'a>,
    cutter: Cutter<'a>,
    reference: &'r mut dyn ProgramValues,
    asked: &'r DebugOptions,
    runner: Runner<'a>,
}

impl Diagnosis {
    /// What is left of a model without an engine, with its reproducer.
    fn of_failure(reference: &str, failed: Failed, output: Option<&Path>) -> Result<Self> {
        if let Some(folder) = output {
            reproducer::write_failed(folder, &failed)?;
        }
        let reproducer = output.map(Path::to_owned);
        Ok(Self { failed: Some(failed), reproducer, ..Self::new(reference, Vec::new()) })
    }
}

impl Debugging<'_, '_> {
    /// The largest difference that is accepted of values of a type.
    fn allowed(&self, dtype: DataType) -> f64 {
        match self.asked.max_error {
            Some(error) if dtype.is_float() => error,
            _ => self.subject.tolerance.of(dtype, self.subject.computed_in),
        }
    }

    fn compared(&self, expected: &[Tensor], got: &[Tensor]) -> Vec<OutputError> {
        let ports = self.subject.network.outputs().iter().zip(expected.iter().zip(got));
        let compare = |(port, (expected, got)): (&network::Port, (&Tensor, &Tensor))| OutputError {
            output: port.name.clone(),
            error: difference(&expected.view(), &got.view()),
            allowed: self.allowed(expected.dtype()),
        };
        ports.map(compare).collect()
    }
}

#[cfg(test)]
mod tests;
