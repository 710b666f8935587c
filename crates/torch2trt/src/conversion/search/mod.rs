//! The precision search: the fewest layers that keep a higher precision, with which the outputs of a network in mixed
//! precision, int8 or float8 stay within a tolerance.
//!
//! 1. Layers that the rules of mixed precision keep in float32 stay there: these protect against values that the
//!    samples do not have.
//! 2. The other layers are ranked by how much the error grows in them, from one layer-by-layer comparison.
//! 3. From the network with all of them in their own precision, layers are lowered again: all, then in halves from the
//!    least sensitive on, as long as the outputs stay within the tolerance.
//!
//! In int8 and float8 with mixed precision, the layers that need float32 are found first, then those that are not
//! quantized.
//!
//! Each step runs a network on the CPU engine, which rounds as these types do. Every accepted network was
//! measured, and so was the loss without each layer that is kept. The number of networks is limited; layers that were
//! not reached keep their precision. What is lowered is a [`Space`]; what the outputs are compared with is a
//! [`Reference`].

mod judge;
mod patterns;
mod reduce;
mod space;

pub use judge::Metric;

use super::batches::Calls;
use super::calibration::Calibration;
use super::precision::{half_options, observed, unquantized_note};
use super::search_report::{SearchReport, SensitiveLayer};
use super::{Precise, Reference, Samples, divergence};
use crate::{Code, Error, Options, Result, pipeline};
use judge::Judge;
use network::Network;
use passes::{Half, Quantization};
use reduce::Reduction;
use runtime::{Tensor, TensorView};
use space::{Made, Space};
use std::collections::{HashMap, HashSet};

/// Networks that a search measures at most, in each precision.
const EVALUATIONS: usize = 100;

/// Samples that relative errors are measured on. A metric is measured on all.
const SAMPLES: usize = 16;

/// Network → network in the lower precision of the options, in which the layers keep their own that the tolerance
/// needs. With a metric, the tolerance is the drop that is accepted.
///
/// # Errors
/// E0701 where the float32 network is not within the tolerance, or for a metric that is not a number; E0602 without
/// samples; E05xx and E0203 where the CPU engine does not run the network; those of samples, reference and metric.
pub fn search(
    network: &Network,
    options: &Options,
    source: &mut dyn Samples,
    reference: &mut dyn Reference,
    metric: Option<&mut dyn Metric>,
) -> Result<Precise> {
    let limit = if metric.is_some() { usize::MAX } else { SAMPLES };
    let mut calls = Calls::new(network, source);
    let samples = collected(&mut calls, limit)?;
    let mut made = Precise::unchanged(network.clone());
    let ranges = match options.convert.half() {
        Some(Half::Float16) => observed(network, options, &samples)?,
        _ => HashMap::new(),
    };
    let base = half_options(options, ranges, &mut made.notes)?;
    let judge = Judge::new(&samples, reference, metric)?;
    let mut search = Search { options, calls, samples, judge, evaluations: 0 };
    if let Some(base) = base {
        search.lower(&Space::Half { network, base }, &mut made)?;
    }
    if let Some(quantization) = options.convert.quantization() {
        let network = made.network.clone();
        let space = search.quantized(&network, quantization)?;
        search.lower(&space, &mut made)?;
    } else {
        made.notes.extend(unquantized_note(options));
    }
    Ok(made)
}

/// The samples to measure on: those to calibrate with, or the sample inputs.
fn collected(calls: &mut Calls<'_>, limit: usize) -> Result<Vec<Vec<Tensor>>> {
    let mut found = Vec::new();
    while found.len() < limit {
        let Some(inputs) = calls.next()? else { break };
        found.push(inputs);
    }
    if found.is_empty() {
        found.extend(calls.samples().sample()?);
    }
    if found.is_empty() {
        let error = Error::new(Code::BadInputs, "the precision search needs sample inputs to measure on");
        return Err(error.with_help("give typical `inputs`, or samples to calibrate with"));
    }
    Ok(found)
}

/// What a search measures with.
struct Search<'m, 's> {
    options: &'s Options,
    /// Samples that are only calibrated with.
    calls: Calls<'s>,
    samples: Vec<Vec<Tensor>>,
    judge: Judge<'m>,
    evaluations: usize,
}

/// What was found in a space.
struct Found {
    before: f64,
    after: f64,
    kept: Vec<SensitiveLayer>,
    /// The patterns that give the network.
    patterns: Vec<String>,
    is_complete: bool,
}

impl<'s> Search<'_, 's> {
    /// A network that is to be quantized, calibrated on all samples.
    fn quantized<'n>(&mut self, network: &'n Network, quantization: Quantization) -> Result<Space<'n>>
    where
        's: 'n,
    {
        let mut calibration = Calibration::new(network, quantization, self.options)?;
        for inputs in &self.samples {
            calibration.observe(inputs)?;
        }
        while let Some(inputs) = self.calls.next()? {
            calibration.observe(&inputs)?;
        }
        let (ranges, options) = (calibration.ranges()?, &self.options.convert);
        Ok(Space::Quantized { network, quantization, ranges, options })
    }

    /// Lowers the precision as far as the tolerance allows, and adds what was found to the report.
    fn lower(&mut self, space: &Space<'_>, made: &mut Precise) -> Result<()> {
        let convert = &self.options.convert;
        let tolerance = convert.tolerance.unwrap_or_default().get();
        let found = self.run(space, tolerance)?;
        let lowered = space.lowered(&found.patterns, HashSet::new())?;
        let earlier = made.search.take();
        let mut report = SearchReport {
            tolerance,
            reference_metric: self.judge.reference(),
            half: earlier.as_ref().and_then(|earlier| earlier.half),
            quantization: None,
            before: found.before,
            after: found.after,
            kept: earlier.as_ref().map_or_else(Vec::new, |earlier| earlier.kept.clone()),
            keep_fp32: earlier.as_ref().map_or_else(|| convert.keep_fp32.clone(), |earlier| earlier.keep_fp32.clone()),
            keep_unquantized: Vec::new(),
            evaluations: self.evaluations,
            samples: self.samples.len(),
            is_complete: found.is_complete && earlier.is_none_or(|earlier| earlier.is_complete),
        };
        report.kept.extend(found.kept);
        match lowered.made {
            Made::Half(half) => (made.half, report.half, report.keep_fp32) = (half, convert.half(), found.patterns),
            Made::Quantized(quantized) => {
                made.notes.extend(quantized.note());
                (report.quantization, report.keep_unquantized) = (Some(quantized.quantization), found.patterns);
                made.quantized = Some(quantized);
            }
        }
        made.network = lowered.network;
        made.search = Some(report);
        Ok(())
    }

    fn run(&mut self, space: &Space<'_>, tolerance: f64) -> Result<Found> {
        let start = self.evaluations;
        let lowered = space.lowered(&[], HashSet::new())?;
        let before = self.loss(&lowered.network)?;
        let patterns = space.asked().to_vec();
        let mut found = Found { before, after: before, kept: Vec::new(), patterns, is_complete: true };
        if before <= tolerance {
            return Ok(found);
        }
        let ranked = self.ranked(space, &lowered.network, &lowered.layers)?;
        let least = self.loss_of(space, &ranked, &[])?;
        if least > tolerance {
            return Err(out_of_reach(space, least, tolerance));
        }
        // Layers of float32 operands follow them. While they do, it does not show which of them need float32, so at
        // first they do not. Only where the result is not within the tolerance once they do, they do from the start.
        for narrow in [ranked.as_slice(), &[]] {
            let left = EVALUATIONS.saturating_sub(self.evaluations - start);
            let mut measure = |kept: &HashSet<usize>| self.loss_of(space, &sorted(kept), narrow);
            let all = ranked.iter().copied().collect();
            let mut reduction = Reduction::new(all, least, tolerance, left, &mut measure);
            reduction.drop_from(&ranked, Some(before))?;
            found.is_complete = reduction.is_complete();
            let (kept, without) = (sorted(&reduction.kept), std::mem::take(&mut reduction.without));
            found.kept = kept.iter().map(|index| sensitive(space, *index, without.get(index).copied())).collect();
            found.patterns = space.shortened(&kept)?;
            found.after = self.loss(&space.lowered(&found.patterns, HashSet::new())?.network)?;
            if found.after <= tolerance {
                break;
            }
        }
        Ok(found)
    }

    /// The layers in the lower precision, from the one in which the error grows most.
    fn ranked(&mut self, space: &Space<'_>, lowered: &Network, names: &[String]) -> Result<Vec<usize>> {
        let names: HashSet<&str> = names.iter().map(String::as_str).collect();
        let layers = space.network().layers();
        let is_lowered = |(_, layer): &(usize, &network::Layer)| names.contains(layer.name.as_str());
        let mut found: Vec<usize> = layers.iter().enumerate().filter(is_lowered).map(|(index, _)| index).collect();
        let compared = divergence::by_layer(space.network(), lowered, self.options, &self.samples[0])?;
        let growth: HashMap<&str, f64> = compared.iter().map(|row| (row.layer.as_str(), row.growth)).collect();
        let key = |index: &usize| growth.get(layers[*index].name.as_str()).copied().unwrap_or(0.0);
        found.sort_by(|a, b| key(b).total_cmp(&key(a)));
        Ok(found)
    }

    /// The loss while these layers keep their precision, and those of `narrow` follow no operands.
    fn loss_of(&mut self, space: &Space<'_>, kept: &[usize], narrow: &[usize]) -> Result<f64> {
        let lowered = space.lowered(&space.names(kept), space.names(narrow).into_iter().collect())?;
        self.loss(&lowered.network)
    }

    /// Measures a network.
    fn loss(&mut self, network: &Network) -> Result<f64> {
        self.calls.samples().check_interrupt()?;
        self.evaluations += 1;
        let engine = pipeline::cpu_engine(network, self.options)?;
        let call =
            |inputs: &Vec<Tensor>| engine.call(&inputs.iter().map(Tensor::view).collect::<Vec<TensorView<'_>>>());
        let outputs = self.samples.iter().map(call).collect::<Result<Vec<_>>>()?;
        let loss = self.judge.loss(&self.samples, outputs)?;
        tracing::debug!(evaluation = self.evaluations, loss, "precision search");
        Ok(loss)
    }
}

/// A layer that keeps its precision.
fn sensitive(space: &Space<'_>, index: usize, without: Option<f64>) -> SensitiveLayer {
    let layer = &space.network().layers()[index];
    SensitiveLayer {
        layer: layer.name.clone(),
        module: layer.origin.module.clone(),
        position: layer.origin.position.clone(),
        lower: space.name(),
        without,
    }
}

fn sorted(layers: &HashSet<usize>) -> Vec<usize> {
    let mut sorted: Vec<usize> = layers.iter().copied().collect();
    sorted.sort_unstable();
    sorted
}

/// The error for a tolerance that is not met while no layer is in the lower precision.
fn out_of_reach(space: &Space<'_>, loss: f64, tolerance: f64) -> Error {
    let highest = match space {
        Space::Half { .. } => "with every layer in float32".to_owned(),
        Space::Quantized { quantization, .. } => format!("without {}", quantization.name()),
    };
    let message = format!(
        "the precision search cannot meet a tolerance of {tolerance:.0e}: {highest} the outputs differ by {loss:.1e}"
    );
    Error::new(Code::BadOption, message).with_help("give a larger `tolerance`, or leave it out")
}
