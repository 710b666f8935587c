//! Passes: `Network → Network`. Each is one file whose module doc is its contract; none changes what the network
//! computes, but for rounding: `gelu` and `fold_batch_norm` put several steps into one, `precision` and `quantize`
//! compute in fewer bits. `legalize` also reports what a target cannot express.
//!
//! A pass reads one network and makes another (`network::rewrite`), so every layer of the result has passed
//! inference again. [`run`] applies a list of passes and reports what each did; in debug builds it verifies
//! after each. The crate knows nothing of PyTorch and calls no TensorRT.
#![forbid(unsafe_code)]

mod affine;
mod cse;
mod dce;
mod error;
pub mod eval;
mod expose;
mod fold;
mod fold_batch_norm;
mod gelu;
mod legalize;
mod linear;
mod named;
mod precision;
mod quantization;
mod quantize;
mod shuffle;
mod simplify;
mod tuning;

pub use cse::cse;
pub use dce::dce;
pub use error::Error;
pub use expose::expose;
pub use fold::fold;
pub use fold_batch_norm::fold_batch_norm;
pub use gelu::gelu;
pub use legalize::{Feature, Target, check_gpu, legalize};
pub use linear::linear;
pub use precision::{Float32Layer, Half, PrecisionOptions, PrecisionReport, Reason, observe, precision};
pub use quantization::Quantization;
pub use quantize::{Quantized, calibrate, quantize};
pub use simplify::simplify;
pub use tuning::{differences, recurrences};

use network::Network;
use std::time::{Duration, Instant};

/// One pass, as an item of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Pass {
    /// [`fold`]: layers of constants become constants.
    Fold,
    /// [`simplify`]: layers that do nothing, or can be expressed more simply.
    Simplify,
    /// [`gelu`]: GELUs written out become one layer.
    Gelu,
    /// [`fold_batch_norm`]: per-channel scales and shifts go into the weights before them.
    FoldBatchNorm,
    /// [`linear`]: transposes move past linear layers, and those whose results are split become several.
    Linear,
    /// [`cse`]: layers that compute the same become one.
    Cse,
    /// [`dce`]: layers that nothing uses go.
    Dce,
    /// [`legalize`]: rewrites layers that the target lacks into layers it has.
    Legalize(Target),
    /// [`differences`]: sums that keep long convolutions from the kernels of their GPU become differences.
    Differences,
    /// [`recurrences`]: unrolled recurrences of one row get a second one.
    Recurrences,
}

/// What every network goes through before a target's own passes, in order.
pub const STANDARD: [Pass; 14] = [
    Pass::Dce,
    Pass::Fold,
    Pass::Simplify,
    Pass::Dce,
    Pass::Gelu,
    Pass::Dce,
    Pass::FoldBatchNorm,
    Pass::Fold,
    // Layers that are there twice would keep what they read from being merged with them.
    Pass::Cse,
    Pass::Simplify,
    // A layer that nothing uses would need the whole of what is split.
    Pass::Dce,
    Pass::Linear,
    Pass::Cse,
    Pass::Dce,
];

/// What a network goes through on its way to a target, after [`STANDARD`]: [`legalize`] and a clean-up.
pub fn for_target(target: Target) -> Vec<Pass> {
    let mut passes = vec![Pass::Legalize(target), Pass::Fold, Pass::Cse, Pass::Dce];
    if let Target::Rtx(..) = target {
        passes.insert(1, Pass::Recurrences);
    }
    passes
}

/// [`for_target`], and what makes it faster on a GPU of this compute capability.
pub fn for_gpu(target: Target, capability: (i32, i32)) -> Vec<Pass> {
    let mut passes = for_target(target);
    if capability == (9, 0) && !target.has(Feature::ResidualConvolutionsOn90) {
        passes.insert(1, Pass::Differences);
    }
    passes
}

impl Pass {
    /// The pass's name in reports and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fold => "fold",
            Self::Simplify => "simplify",
            Self::Gelu => "gelu",
            Self::FoldBatchNorm => "fold_batch_norm",
            Self::Linear => "linear",
            Self::Cse => "cse",
            Self::Dce => "dce",
            Self::Legalize(_) => "legalize",
            Self::Differences => "differences",
            Self::Recurrences => "recurrences",
        }
    }

    /// Applies the pass.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the target cannot express the network; [`Error::Pass`] where a layer no longer
    /// fits its inputs, which is a fault of the pass.
    pub fn apply(&self, network: &Network) -> Result<Network, Error> {
        let made = match self {
            Self::Fold => fold(network),
            Self::Simplify => simplify(network),
            Self::Gelu => gelu(network),
            Self::FoldBatchNorm => fold_batch_norm(network),
            Self::Linear => linear(network),
            Self::Cse => cse(network),
            Self::Dce => dce(network),
            Self::Differences => differences(network),
            Self::Recurrences => recurrences(network),
            Self::Legalize(target) => return legalize(network, *target).map_err(|e| e.in_pass(self.name())),
        };
        made.map_err(|source| Error::Pass { pass: self.name(), source })
    }
}

/// What a pass did.
#[derive(Clone, Debug)]
pub struct PassReport {
    /// The pass.
    pub name: &'static str,
    /// Number of layers it was given, constants included.
    pub layers_before: usize,
    /// Number of layers it made.
    pub layers_after: usize,
    /// How long it took, without verification.
    pub time: Duration,
}

/// Applies passes in order. Returns the last network and what each pass did.
///
/// # Errors
/// The first error of a pass; in debug builds also [`Error::Pass`] where a pass leaves a network that breaks the
/// rules of [`Network::verify`].
pub fn run(network: &Network, passes: &[Pass]) -> Result<(Network, Vec<PassReport>), Error> {
    let mut reports = Vec::with_capacity(passes.len());
    let mut current: Option<Network> = None;
    for pass in passes {
        let before = current.as_ref().unwrap_or(network);
        let start = Instant::now();
        let made = pass.apply(before)?;
        let time = start.elapsed();
        if cfg!(debug_assertions) {
            made.verify().map_err(|source| Error::Pass { pass: pass.name(), source })?;
        }
        let (layers_before, layers_after) = (before.layers().len(), made.layers().len());
        reports.push(PassReport { name: pass.name(), layers_before, layers_after, time });
        current = Some(made);
    }
    Ok((current.unwrap_or_else(|| network.clone()), reports))
}
