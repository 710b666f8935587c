//! What a search chooses from: networks in which each of some layers computes in a lower precision, or keeps its own.

use super::super::precision::{QuantizationReport, quantized};
use super::patterns;
use crate::{ConvertOptions, Result};
use network::Network;
use passes::{PrecisionOptions, PrecisionReport, Quantization};
use std::collections::{HashMap, HashSet};

/// A precision that is lower than that of the network, and the layers that can compute in it.
pub(super) enum Space<'n> {
    /// Mixed precision, of a network in float32.
    Half {
        network: &'n Network,
        /// Mixed precision without a search.
        base: PrecisionOptions,
    },
    /// Int8 or float8, of a network in which nothing is quantized.
    Quantized {
        network: &'n Network,
        quantization: Quantization,
        /// The ranges of what is quantized.
        ranges: HashMap<String, f32>,
        /// The options with what they keep in a higher precision.
        options: &'n ConvertOptions,
    },
}

/// A network of a space.
pub(super) struct Lowered {
    pub(super) network: Network,
    /// Names of the layers in the lower precision.
    pub(super) layers: Vec<String>,
    pub(super) made: Made,
}

/// What made it.
pub(super) enum Made {
    Half(PrecisionReport),
    Quantized(QuantizationReport),
}

impl Space<'_> {
    /// The network whose layers are chosen from.
    pub(super) fn network(&self) -> &Network {
        match self {
            Self::Half { network, .. } | Self::Quantized { network, .. } => network,
        }
    }

    /// The name of the lower precision.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Half { base, .. } => base.half.dtype().name(),
            Self::Quantized { quantization, .. } => quantization.name(),
        }
    }

    /// The patterns of layers that keep their precision without a search.
    pub(super) fn asked(&self) -> &[String] {
        match self {
            Self::Half { base, .. } => &base.keep_fp32,
            Self::Quantized { options, .. } => &options.keep_unquantized,
        }
    }

    /// The network in which more layers keep their precision: those of these patterns. Layers of `narrow` do not
    /// follow their operands into float32.
    pub(super) fn lowered(&self, more: &[String], narrow: HashSet<String>) -> Result<Lowered> {
        let more = more.iter().filter(|name| !self.asked().contains(name)).cloned();
        match self {
            Self::Half { network, base } => {
                let mut wanted = PrecisionOptions { narrow, ..base.clone() };
                wanted.keep_fp32.extend(more);
                let (network, report) = passes::precision(network, &wanted)?;
                Ok(Lowered { network, layers: report.half.clone(), made: Made::Half(report) })
            }
            Self::Quantized { network, quantization, ranges, options } => {
                let (network, report) = quantized(network, *quantization, ranges, options, &more.collect::<Vec<_>>())?;
                let layers = [&report.layers[..], &report.additions].concat();
                Ok(Lowered { network, layers, made: Made::Quantized(report) })
            }
        }
    }

    /// The patterns for these layers, after those that were asked for: modules where they give the same network.
    pub(super) fn shortened(&self, kept: &[usize]) -> Result<Vec<String>> {
        let names = self.names(kept);
        let wanted = self.lowered(&names, HashSet::new())?.layers;
        let lowered: HashSet<&str> = wanted.iter().map(String::as_str).collect();
        let short = patterns::patterns(self.network(), &names.iter().map(String::as_str).collect(), &lowered);
        let is_same = self.lowered(&short, HashSet::new())?.layers == wanted;
        let found = if is_same { short } else { names };
        Ok(self.asked().iter().cloned().chain(found).collect())
    }

    pub(super) fn names(&self, layers: &[usize]) -> Vec<String> {
        layers.iter().map(|index| self.network().layers()[*index].name.clone()).collect()
    }
}
