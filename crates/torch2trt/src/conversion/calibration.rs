//! The ranges of quantization: how large the values are that convolutions and matrix multiplications read, on samples.
//!
//! The network runs on the CPU engine, in the precision that it has without quantization. Magnitudes are collected in
//! histograms, from which one of three algorithms takes the range. Larger values saturate. This file must not know what
//! is decided from the ranges.

use super::batches::Calls;
use super::histogram::Histogram;
use super::samples::Samples;
use crate::{CalibrationAlgorithm, Code, Error, Executable, Options, Result, pipeline};
use network::Network;
use passes::Quantization;
use runtime::{Tensor, TensorView};
use std::collections::HashMap;

/// The range of the values in a histogram.
fn range(algorithm: CalibrationAlgorithm, histogram: &Histogram) -> f64 {
    match algorithm {
        CalibrationAlgorithm::Legacy => histogram.percentile(PERCENTILE),
        CalibrationAlgorithm::Entropy | CalibrationAlgorithm::Entropy2 => histogram.entropy(),
        CalibrationAlgorithm::MinMax => histogram.largest(),
    }
}

/// Share of the values that the range of [`CalibrationAlgorithm::Legacy`] holds.
const PERCENTILE: f64 = 0.9999;

/// The range of each tensor that would be quantized, by the names that [`passes::calibrate`] gives.
///
/// # Errors
/// E0701 for a sample of shapes that the network does not take, E0602 without samples, E05xx where the CPU engine does
/// not run the network, and those of the samples.
pub(super) fn ranges(
    network: &Network,
    quantization: Quantization,
    options: &Options,
    samples: &mut dyn Samples,
) -> Result<HashMap<String, f32>> {
    let mut calibration = Calibration::new(network, quantization, options)?;
    let mut calls = Calls::new(network, samples);
    while let Some(inputs) = calls.next()? {
        calibration.observe(&inputs)?;
    }
    calibration.ranges()
}

/// A network that is run on samples, and the magnitudes that were seen.
pub(super) struct Calibration {
    engine: Executable,
    names: Vec<String>,
    histograms: Vec<Histogram>,
    algorithm: CalibrationAlgorithm,
    calls: usize,
}

impl Calibration {
    /// # Errors
    /// E05xx where the CPU engine does not run the network.
    pub(super) fn new(network: &Network, quantization: Quantization, options: &Options) -> Result<Self> {
        let convert = &options.convert;
        let keep = [&convert.keep_fp32[..], &convert.keep_unquantized].concat();
        let (observed, names) = passes::calibrate(network, quantization, &keep)?;
        let histograms = names.iter().map(|_| Histogram::default()).collect();
        let engine = pipeline::cpu_engine(&observed, options)?;
        let algorithm = convert.calibration_algorithm();
        Ok(Self { engine, names, histograms, algorithm, calls: 0 })
    }

    /// Runs the inputs of a call.
    ///
    /// # Errors
    /// E0701 for inputs of shapes that the network does not take.
    pub(super) fn observe(&mut self, inputs: &[Tensor]) -> Result<()> {
        let views: Vec<TensorView<'_>> = inputs.iter().map(Tensor::view).collect();
        let values = self.engine.call(&views).map_err(|error| unsuitable(error, self.calls))?;
        let observed = values.iter().skip(values.len() - self.names.len());
        self.histograms.iter_mut().zip(observed).for_each(|(histogram, value)| histogram.add(value));
        self.calls += 1;
        Ok(())
    }

    /// The range of each tensor, by name.
    ///
    /// # Errors
    /// E0602 where nothing was run.
    pub(super) fn ranges(self) -> Result<HashMap<String, f32>> {
        if self.calls == 0 {
            let message = "the samples of `int8_calib_dataset` are fewer than a batch of the inputs";
            let help = "give more of them, or samples of the inputs' own batch";
            return Err(Error::new(Code::BadInputs, message).with_help(help));
        }
        let found = self.names.into_iter().zip(&self.histograms).filter(|(_, histogram)| histogram.largest() > 0.0);
        Ok(found.map(|(name, histogram)| (name, range(self.algorithm, histogram) as f32)).collect())
    }
}

/// The error for a sample that the network does not take.
fn unsuitable(error: Error, index: usize) -> Error {
    if !matches!(error.code(), Code::InputShape | Code::TensorDtype) {
        return error;
    }
    let problem = error.message().lines().next().unwrap_or_default();
    Error::new(Code::BadOption, format!("sample {index} of `int8_calib_dataset` does not fit the model: {problem}"))
        .with_help("give samples of the shapes and dtypes of `inputs`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_have_the_names_of_tensorrt() {
        for (algorithm, name) in CalibrationAlgorithm::ALL {
            assert_eq!(CalibrationAlgorithm::from_name(name), Some(algorithm));
            assert_eq!(CalibrationAlgorithm::from_name(&name.to_lowercase()), Some(algorithm));
        }
        assert_eq!(CalibrationAlgorithm::from_name("BEST"), None);
    }
}
