//! How much worse the outputs of a mixed network are than those of the reference: a relative error, or the drop of a
//! metric.

use super::super::verify::{Reference, difference};
use crate::{Code, Error, Result};
use runtime::Tensor;

/// How good outputs are, as a number; higher is better.
pub trait Metric {
    /// The metric of the outputs of all samples: for each sample its inputs, and the outputs for them.
    ///
    /// # Errors
    /// Those of the caller's function.
    fn of(&mut self, inputs: &[Vec<Tensor>], outputs: Vec<Vec<Tensor>>) -> Result<f64>;
}

/// What the outputs are compared with.
pub(super) enum Judge<'a> {
    /// The outputs of the reference, for each sample.
    Outputs(Vec<Vec<Tensor>>),
    /// The metric of the reference's outputs.
    Metric { reference: f64, metric: &'a mut dyn Metric },
}

impl<'a> Judge<'a> {
    /// Reads the reference.
    ///
    /// # Errors
    /// E0701 for a metric that is not a finite number on the reference; those of reference and metric.
    pub(super) fn new(
        samples: &[Vec<Tensor>],
        reference: &mut dyn Reference,
        metric: Option<&'a mut dyn Metric>,
    ) -> Result<Self> {
        let expected = samples.iter().map(|inputs| reference.outputs(inputs)).collect::<Result<Vec<_>>>()?;
        let Some(metric) = metric else { return Ok(Self::Outputs(expected)) };
        let value = metric.of(samples, expected)?;
        if !value.is_finite() {
            let message = format!("`metric` returns {value} for the outputs of {}", reference.name());
            return Err(Error::new(Code::BadOption, message).with_help("return a finite number; higher is better"));
        }
        Ok(Self::Metric { reference: value, metric })
    }

    /// The metric of the reference.
    pub(super) fn reference(&self) -> Option<f64> {
        match self {
            Self::Outputs(_) => None,
            Self::Metric { reference, .. } => Some(*reference),
        }
    }

    /// The largest relative error over all outputs and samples, or the drop of the metric. Integers that differ are
    /// infinitely wrong, and so is a metric that is not a number.
    ///
    /// # Errors
    /// Those of the metric.
    pub(super) fn loss(&mut self, samples: &[Vec<Tensor>], outputs: Vec<Vec<Tensor>>) -> Result<f64> {
        match self {
            Self::Outputs(expected) => {
                let pairs = expected.iter().flatten().zip(outputs.iter().flatten());
                Ok(pairs.map(|(expected, got)| error(expected, got)).fold(0.0, f64::max))
            }
            Self::Metric { reference, metric } => {
                let drop = *reference - metric.of(samples, outputs)?;
                Ok(if drop.is_nan() { f64::INFINITY } else { drop })
            }
        }
    }
}

fn error(expected: &Tensor, got: &Tensor) -> f64 {
    let error = difference(&expected.view(), &got.view());
    if error > 0.0 && !expected.dtype().is_float() { f64::INFINITY } else { error }
}
