//! The precision search: the fewest layers in float32 with which the outputs of a float16 network stay within a
//! tolerance.
//!
//! 1. Layers that the rules of mixed precision keep in float32 stay there: these protect against values that the
//!    samples do not have.
//! 2. The other layers are ranked by how much the error grows in them, from one layer-by-layer comparison.
//! 3. From the network with all of them in float32, layers are put into float16 again: all, then in halves from the
//!    least sensitive on, as long as the outputs stay within the tolerance.
//!
//! Each step runs a network on the CPU engine, which rounds as float16 does. Every accepted network was measured, and
//! so was the loss without each layer that is kept. The number of networks is limited; layers that were not reached
//! stay float32. What the outputs are compared with is a [`Reference`].

mod judge;
mod patterns;
mod reduce;

pub use judge::Metric;

use super::precision::{half_options, observed};
use super::search_report::{SearchReport, SensitiveLayer};
use super::{Precise, Reference, Samples, batches::Batches, divergence};
use crate::{Code, Error, Options, Result, pipeline};
use judge::Judge;
use network::Network;
use passes::{PrecisionOptions, PrecisionReport};
use reduce::Reduction;
use runtime::{Tensor, TensorView};
use std::collections::HashSet;

/// Networks that a search measures at most.
const EVALUATIONS: usize = 100;

/// Samples that relative errors are measured on. A metric is measured on all.
const SAMPLES: usize = 16;

/// Network → network in float16, with the layers in float32 that the tolerance of the options needs. With a metric,
/// the tolerance is the drop that is accepted.
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
    let samples = collected(network, source, limit)?;
    let mut notes = Vec::new();
    let ranges = observed(network, options, &samples)?;
    let Some(base) = half_options(options, ranges, &mut notes)? else {
        return Ok(Precise { notes, ..Precise::unchanged(network.clone()) });
    };
    let judge = Judge::new(&samples, reference, metric)?;
    let tolerance = options.convert.tolerance.get();
    let mut search = Search { network, options, base, source, samples, judge, evaluations: 0 };
    let found = search.run(tolerance)?;
    let (network, half) = search.mixed(&found.keep_fp32, HashSet::new())?;
    Ok(Precise { network, half, int8: None, notes, search: Some(found) })
}

/// The samples to measure on: those to calibrate with, or the sample inputs.
fn collected(network: &Network, samples: &mut dyn Samples, limit: usize) -> Result<Vec<Vec<Tensor>>> {
    let mut found = Vec::new();
    let mut batches = Batches::of(network);
    while found.len() < limit {
        let Some(item) = samples.next_calibration()? else { break };
        found.extend(batches.calls(item)?);
    }
    if found.is_empty() {
        found.extend(samples.sample()?);
    }
    if found.is_empty() {
        let error = Error::new(Code::BadInputs, "the precision search needs sample inputs to measure on");
        return Err(error.with_help("give typical `inputs`, or samples to calibrate with"));
    }
    found.truncate(limit);
    Ok(found)
}

struct Search<'n, 'm, 's> {
    network: &'n Network,
    options: &'n Options,
    /// Mixed precision without a search.
    base: PrecisionOptions,
    source: &'s mut dyn Samples,
    samples: Vec<Vec<Tensor>>,
    judge: Judge<'m>,
    evaluations: usize,
}

impl Search<'_, '_, '_> {
    fn run(&mut self, tolerance: f64) -> Result<SearchReport> {
        let (mixed, report) = self.mixed(&[], HashSet::new())?;
        let before = self.loss(&mixed)?;
        let mut found = SearchReport {
            tolerance,
            reference_metric: self.judge.reference(),
            before,
            after: before,
            kept: Vec::new(),
            keep_fp32: self.base.keep_fp32.clone(),
            evaluations: self.evaluations,
            samples: self.samples.len(),
            is_complete: true,
        };
        if before <= tolerance {
            return Ok(found);
        }
        let ranked = self.ranked(&mixed, &report)?;
        let least = self.loss_of(&ranked, &[])?;
        if least > tolerance {
            return Err(out_of_reach(least, tolerance));
        }
        // Layers of float32 operands follow them. While they do, it does not show which of them need float32, so at
        // first they do not. Only where the result is not within the tolerance once they do, they do from the start.
        for narrow in [ranked.as_slice(), &[]] {
            self.reduce(&ranked, narrow, before, least, &mut found)?;
            if found.after <= tolerance {
                break;
            }
        }
        found.evaluations = self.evaluations;
        Ok(found)
    }

    /// Finds the layers among the `ranked` ones that need float32, while those of `narrow` follow no operands.
    fn reduce(
        &mut self,
        ranked: &[usize],
        narrow: &[usize],
        before: f64,
        least: f64,
        found: &mut SearchReport,
    ) -> Result<()> {
        let left = EVALUATIONS.saturating_sub(self.evaluations);
        let mut measure = |kept: &HashSet<usize>| self.loss_of(&sorted(kept), narrow);
        let all = ranked.iter().copied().collect();
        let mut reduction = Reduction::new(all, least, found.tolerance, left, &mut measure);
        reduction.drop_from(ranked, Some(before))?;
        found.is_complete = reduction.is_complete();
        let (kept, without) = (sorted(&reduction.kept), std::mem::take(&mut reduction.without));
        let layer = |index: &usize| {
            let layer = &self.network.layers()[*index];
            let origin = &layer.origin;
            SensitiveLayer {
                layer: layer.name.clone(),
                module: origin.module.clone(),
                position: origin.position.clone(),
                without: without.get(index).copied(),
            }
        };
        found.kept = kept.iter().map(layer).collect();
        found.keep_fp32 = self.shortened(&kept)?;
        let (mixed, _) = self.mixed(&found.keep_fp32, HashSet::new())?;
        found.after = self.loss(&mixed)?;
        Ok(())
    }

    /// The layers in float16, from the one in which the error grows most.
    fn ranked(&mut self, mixed: &Network, report: &PrecisionReport) -> Result<Vec<usize>> {
        let names: HashSet<&str> = report.half.iter().map(String::as_str).collect();
        let layers = self.network.layers().iter().enumerate();
        let mut found: Vec<usize> =
            layers.filter(|(_, layer)| names.contains(layer.name.as_str())).map(|(index, _)| index).collect();
        let compared = divergence::by_layer(self.network, mixed, self.options, &self.samples[0])?;
        let growth: std::collections::HashMap<&str, f64> =
            compared.iter().map(|row| (row.layer.as_str(), row.growth)).collect();
        let key = |index: &usize| growth.get(self.network.layers()[*index].name.as_str()).copied().unwrap_or(0.0);
        found.sort_by(|a, b| key(b).total_cmp(&key(a)));
        Ok(found)
    }

    /// The patterns for these layers and what was asked for: modules where they give the same network.
    fn shortened(&self, kept: &[usize]) -> Result<Vec<String>> {
        let names = self.names(kept);
        let (_, wanted) = self.mixed(&names, HashSet::new())?;
        let half: HashSet<&str> = wanted.half.iter().map(String::as_str).collect();
        let short = patterns::patterns(self.network, &names.iter().map(String::as_str).collect(), &half);
        let is_same = self.mixed(&short, HashSet::new())?.1.half == wanted.half;
        let found = if is_same { short } else { names };
        Ok(self.base.keep_fp32.iter().cloned().chain(found).collect())
    }

    fn names(&self, layers: &[usize]) -> Vec<String> {
        layers.iter().map(|index| self.network.layers()[*index].name.clone()).collect()
    }

    /// The mixed network that keeps more in float32 than the base does. Layers of `narrow` follow no operands.
    fn mixed(&self, more: &[String], narrow: HashSet<String>) -> Result<(Network, PrecisionReport)> {
        let mut wanted = PrecisionOptions { narrow, ..self.base.clone() };
        wanted.keep_fp32.extend(more.iter().filter(|name| !self.base.keep_fp32.contains(name)).cloned());
        Ok(passes::precision(self.network, &wanted)?)
    }

    fn loss_of(&mut self, kept: &[usize], narrow: &[usize]) -> Result<f64> {
        let (mixed, _) = self.mixed(&self.names(kept), self.names(narrow).into_iter().collect())?;
        self.loss(&mixed)
    }

    /// Measures a network.
    fn loss(&mut self, mixed: &Network) -> Result<f64> {
        self.source.check_interrupt()?;
        self.evaluations += 1;
        let engine = pipeline::cpu_engine(mixed, self.options)?;
        let call =
            |inputs: &Vec<Tensor>| engine.call(&inputs.iter().map(Tensor::view).collect::<Vec<TensorView<'_>>>());
        let outputs = self.samples.iter().map(call).collect::<Result<Vec<_>>>()?;
        let loss = self.judge.loss(&self.samples, outputs)?;
        tracing::debug!(evaluation = self.evaluations, loss, "precision search");
        Ok(loss)
    }
}

fn sorted(layers: &HashSet<usize>) -> Vec<usize> {
    let mut sorted: Vec<usize> = layers.iter().copied().collect();
    sorted.sort_unstable();
    sorted
}

/// The error for a tolerance that float32 does not meet.
fn out_of_reach(loss: f64, tolerance: f64) -> Error {
    let message = format!(
        "the precision search cannot meet a tolerance of {tolerance:.0e}: with every layer in float32 the outputs \
         differ by {loss:.1e}"
    );
    Error::new(Code::BadOption, message).with_help("give a larger `tolerance`, or leave out `precision`")
}
