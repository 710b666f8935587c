//! Network → network in the precision that was asked for: mixed precision, then quantization.
//!
//! Both depend on the magnitudes that tensors reach on samples, which the CPU engine computes. Where samples come from
//! is the caller's: tensors of PyTorch, or of a file.

use super::search_report::SearchReport;
use super::{Samples, Tolerance, calibration};
use crate::{Backend, ConvertOptions, Error, Options, Result, discovery, pipeline};
use network::{Network, Op};
use passes::{Feature, Half, PrecisionOptions, PrecisionReport, Quantization, Target};
use runtime::{Tensor, TensorView};
use std::collections::HashMap;

/// A network in the precision that was asked for.
#[derive(Clone, Debug)]
pub struct Precise {
    /// The network.
    pub network: Network,
    /// What computes in half precision, and what stays float32.
    pub half: PrecisionReport,
    /// What reads int8 or float8, where that was asked for.
    pub quantized: Option<QuantizationReport>,
    /// What the user should know: checks that were not made, requests without effect.
    pub notes: Vec<String>,
    /// What a search for the precision found, where that was asked for.
    pub search: Option<SearchReport>,
}

impl Precise {
    /// Layers that stay float32 although another type was asked for: (layer, module, reason).
    pub fn kept_float32(&self) -> Vec<(String, String, String)> {
        let row = |kept: &passes::Float32Layer| (kept.layer.clone(), kept.module.clone(), kept.reason.to_string());
        self.half.kept.iter().map(row).collect()
    }

    /// A network in the types that the model has.
    pub fn unchanged(network: Network) -> Self {
        Self { network, half: PrecisionReport::default(), quantized: None, notes: Vec::new(), search: None }
    }

    /// Which difference from the reference the precision explains, for an engine on a GPU or on the CPU.
    pub fn tolerance(&self, options: &Options, on_gpu: bool) -> Tolerance {
        let is_mixed = !self.half.half.is_empty() || !self.half.kept.is_empty();
        let half = options.convert.half().filter(|_| is_mixed);
        Tolerance { half, quantized: self.is_quantized(), on_gpu }
    }

    /// Whether the network quantizes, because of the options or as the model does: a number next to the middle between
    /// two codes becomes either by chance, and so do those that follow from it.
    pub fn is_quantized(&self) -> bool {
        self.network.layers().iter().any(|layer| matches!(layer.op, Op::Quantize { .. }))
    }

    /// Patterns that name nothing, each with its option: those of `keep_fp32` no layer of mixed precision and none that
    /// could be quantized, those of `keep_unquantized` none of the latter.
    pub fn unmatched(&self) -> Vec<(&'static str, String)> {
        let Some(quantized) = &self.quantized else {
            return self.half.unmatched.iter().map(|pattern| ("keep_fp32", pattern.clone())).collect();
        };
        let is_mixed = !self.half.half.is_empty() || !self.half.kept.is_empty();
        let has_matched = |(option, pattern): &&(&str, String)| {
            *option == "keep_fp32" && is_mixed && !self.half.unmatched.contains(pattern)
        };
        quantized.unmatched.iter().filter(|row| !has_matched(row)).cloned().collect()
    }
}

/// What became int8 or float8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuantizationReport {
    /// The type of the codes.
    pub quantization: Quantization,
    /// Names of the layers that read codes, in the order of execution.
    pub layers: Vec<String>,
    /// Names of the residual additions that read int8, in the order of execution.
    pub additions: Vec<String>,
    /// Patterns that name nothing that could be quantized, each with its option: `keep_fp32` or `keep_unquantized`.
    pub unmatched: Vec<(&'static str, String)>,
}

impl QuantizationReport {
    /// What the user should know where nothing is quantized.
    pub(super) fn note(&self) -> Option<String> {
        let name = self.quantization.name();
        self.layers.is_empty().then(|| {
            format!("{name}: the model has no convolution or product with constant weights that could be in {name}")
        })
    }
}

/// Network → network in the precision of the options; unchanged where they ask for the types that the model has.
///
/// # Errors
/// E0301 where the options name TensorRT and there is none; E0602 and E0701 for samples that do not fit; E05xx where
/// the CPU engine does not run a network that is to be quantized.
pub fn precision(network: &Network, options: &Options, samples: &mut dyn Samples) -> Result<Precise> {
    let mut notes = Vec::new();
    if options.convert.half().is_none() && options.convert.quantization().is_none() {
        if !options.convert.keep_fp32.is_empty() {
            notes.push("keep_fp32 has no effect without float16, bfloat16, int8 or fp8".to_owned());
        }
        notes.extend(unquantized_note(options));
        return Ok(Precise { notes, ..Precise::unchanged(network.clone()) });
    }
    let ranges = match options.convert.half() {
        Some(Half::Float16) => magnitudes(network, options, samples, &mut notes)?,
        _ => HashMap::new(),
    };
    let (network, half) = mixed(network, options, ranges, &mut notes)?;
    let Some(quantization) = options.convert.quantization() else {
        notes.extend(unquantized_note(options));
        return Ok(Precise { network, half, quantized: None, notes, search: None });
    };
    let ranges = calibration::ranges(&network, quantization, options, samples)?;
    let (network, report) = quantized(&network, quantization, &ranges, &options.convert, &[])?;
    notes.extend(report.note());
    Ok(Precise { network, half, quantized: Some(report), notes, search: None })
}

/// The note for `keep_unquantized` where nothing is quantized.
pub(super) fn unquantized_note(options: &Options) -> Option<String> {
    let is_given = !options.convert.keep_unquantized.is_empty();
    is_given.then(|| "keep_unquantized has no effect without int8 or fp8".to_owned())
}

/// Network → network in int8 or float8, without what the options name and without the layers and modules of more
/// patterns.
pub(super) fn quantized(
    network: &Network,
    quantization: Quantization,
    ranges: &HashMap<String, f32>,
    asked: &ConvertOptions,
    more: &[String],
) -> Result<(Network, QuantizationReport)> {
    let keep = [&asked.keep_fp32, &asked.keep_unquantized, more].concat();
    let made = passes::quantize(network, quantization, ranges, &keep)?;
    let of = |option: &'static str, asked: &[String]| {
        let found = made.unmatched.iter().filter(|pattern| asked.contains(pattern));
        found.map(|pattern| (option, pattern.clone())).collect::<Vec<_>>()
    };
    let unmatched = [of("keep_fp32", &asked.keep_fp32), of("keep_unquantized", &asked.keep_unquantized)].concat();
    let report = QuantizationReport { quantization, layers: made.layers, additions: made.additions, unmatched };
    Ok((made.network, report))
}

/// Mixed precision, where the options ask for it: as far as it is safe with these magnitudes.
fn mixed(
    network: &Network,
    options: &Options,
    ranges: HashMap<String, f32>,
    notes: &mut Vec<String>,
) -> Result<(Network, PrecisionReport)> {
    match half_options(options, ranges, notes)? {
        Some(wanted) => Ok(passes::precision(network, &wanted)?),
        None => Ok((network.clone(), PrecisionReport::default())),
    }
}

/// What the options ask of mixed precision with these magnitudes and, where they name TensorRT, with the one that is
/// installed; `None` where they do not ask for it.
pub(super) fn half_options(
    options: &Options,
    ranges: HashMap<String, f32>,
    notes: &mut Vec<String>,
) -> Result<Option<PrecisionOptions>> {
    let Some(half) = options.convert.half() else { return Ok(None) };
    let target = match options.convert.backend {
        Backend::TensorRt => discovery::target(discovery::tensorrt(options, nvinfer::Purpose::Build)?.version()),
        Backend::Cpu | Backend::Auto => Target::Cpu,
    };
    if options.convert.quantization() == Some(Quantization::Int8) && !target.has(Feature::HalfWithInt8) {
        notes.push("what is not int8 stays float32: the int8 kernels of this TensorRT give int8 or float32".into());
        return Ok(None);
    }
    let rounds_sums = !target.has(Feature::Float16Accumulation);
    let keep_fp32 = options.convert.keep_fp32.clone();
    Ok(Some(PrecisionOptions { keep_fp32, ranges, rounds_sums, ..PrecisionOptions::new(half) }))
}

/// The largest finite magnitude of each layer's result and of each input on the sample inputs, for float16, which ends
/// at
/// 65504. Empty where the CPU engine does not run the network.
fn magnitudes(
    network: &Network,
    options: &Options,
    samples: &mut dyn Samples,
    notes: &mut Vec<String>,
) -> Result<HashMap<String, f32>> {
    let Some(inputs) = samples.sample()? else {
        notes.push("no inputs were given, so that the range of float16 was not checked".into());
        return Ok(HashMap::new());
    };
    match observed(network, options, &[inputs]) {
        Ok(found) => Ok(found),
        Err(error) => {
            notes.push(format!(
                "float16: ranges were not looked at, because the CPU engine does not run the model: {error}"
            ));
            Ok(HashMap::new())
        }
    }
}

/// The largest finite magnitudes on samples.
pub(super) fn observed(network: &Network, options: &Options, samples: &[Vec<Tensor>]) -> Result<HashMap<String, f32>> {
    let (observed, names) = passes::observe(network).map_err(Error::from)?;
    let engine = pipeline::cpu_engine(&observed, options)?;
    let largest = |tensor: &Tensor| {
        let bytes = tensor.bytes().and_then(|bytes| bytes.as_chunks::<4>().0.first().copied());
        bytes.map_or(0.0, f32::from_ne_bytes)
    };
    let mut found: HashMap<String, f32> = HashMap::new();
    for inputs in samples {
        let views: Vec<TensorView<'_>> = inputs.iter().map(Tensor::view).collect();
        let values = engine.call(&views)?;
        for (name, value) in names.iter().zip(values.iter().skip(values.len() - names.len())) {
            let (seen, most) = (largest(value), found.entry(name.clone()).or_default());
            // A NaN stays: it hides how large the values were.
            *most = if seen.is_nan() || seen > *most { seen } else { *most };
        }
    }
    Ok(found)
}
