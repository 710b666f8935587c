//! Half precision: decides for each layer whether it computes in float16 (or bfloat16) or stays float32, and puts
//! casts where the two meet. The network then has every type; no builder flag does.
//!
//! What decides, in this order:
//! 1. the user: `keep_fp32` names modules and layers;
//! 2. operands that half precision cannot hold: integers that were made floats, constants beyond its range such as
//!    masks of -3.4e38, values that were seen to be large. What is computed from them stays float32 until a layer
//!    bounds it (a softmax, a sine), or until a layer whose own values were seen to be within the range;
//! 3. the layer: sums over many elements, powers, exponentials, squares and coordinates stay float32,
//!    and so does what a cast to float32 begins, also a cast of float32;
//! 4. constants that rounding would change by more than half precision's own rounding explains;
//! 5. sums of many products, where whoever runs the network would add them up in float16;
//! 6. else contractions compute in half precision, and all other layers follow their operands.
//!
//! SoftMax and Normalization follow their operands too, because TensorRT's kernels for them read half precision and
//! accumulate in float32 (the compute precision of `INormalizationLayer` is float32 unless set otherwise). A float32
//! layer there would round the same operands and keep TensorRT from fusing attention. PyTorch's own half precision
//! rounds at the same places. Written out, both consist of layers that rule 3 keeps.
//!
//! A tensor is cast once a type, where it is first needed; layers that move elements take the type of what they move,
//! so no cast is undone by another. Float32 constants are rounded once, and made only in the types that are used.
//! Inputs and outputs of the network keep their types, and what is not float32 is left alone.
//!
//! Unlike the other passes, this one changes what the network computes: by rounding. It must not know what will run
//! the network: a target that lacks a type or layer is `legalize`'s business, and that a target rounds sums is an
//! option.

mod assign;
mod observe;
mod report;
mod round;
mod rules;

pub use observe::observe;
pub use report::{Float32Layer, PrecisionReport, Reason};

use crate::Error;
use network::{DType, Network};
use std::collections::{HashMap, HashSet};
use std::fmt;

/// A type of half precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Half {
    /// 10 bits of mantissa, up to 65504.
    Float16,
    /// 7 bits of mantissa, float32's range.
    BFloat16,
}

impl Half {
    /// The element type.
    pub fn dtype(self) -> DType {
        match self {
            Self::Float16 => DType::Float16,
            Self::BFloat16 => DType::BFloat16,
        }
    }

    /// The largest finite value.
    pub fn max(self) -> f32 {
        match self {
            Self::Float16 => half::f16::MAX.to_f32(),
            Self::BFloat16 => half::bf16::MAX.to_f32(),
        }
    }

    /// The largest relative error of rounding a number that is neither too large nor too small.
    pub(crate) fn unit_roundoff(self) -> f64 {
        match self {
            Self::Float16 => half::f16::EPSILON.to_f64() / 2.0,
            Self::BFloat16 => half::bf16::EPSILON.to_f64() / 2.0,
        }
    }

    /// The largest integer up to which all integers are exact.
    pub(crate) fn exact_integers(self) -> i64 {
        match self {
            Self::Float16 => 1 << half::f16::MANTISSA_DIGITS,
            Self::BFloat16 => 1 << half::bf16::MANTISSA_DIGITS,
        }
    }
}

impl fmt::Display for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dtype().fmt(f)
    }
}

/// What the user decides about half precision.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionOptions {
    /// The type to compute in.
    pub half: Half,
    /// Modules that stay float32 with all that is in them, and layers: paths such as `layer4.0` and `layer4.0.SoftMax`,
    /// where `*` stands for any characters, dots included, and `?` for one.
    pub keep_fp32: Vec<String>,
    /// Layers that compute in half precision also where all their operands are float32, which they would follow
    /// otherwise. The other rules hold.
    pub narrow: HashSet<String>,
    /// The largest magnitudes that were seen, by the name of the layer whose first output it is, or of the input.
    /// Values above half of [`Half::max`] keep what makes and uses them float32.
    pub ranges: HashMap<String, f32>,
    /// Whether products of float16 are added up in float16 too, as [`Feature::Float16Accumulation`](crate::Feature)
    /// states.
    pub rounds_sums: bool,
}

impl PrecisionOptions {
    /// Half precision wherever it is safe.
    pub fn new(half: Half) -> Self {
        Self { half, keep_fp32: Vec::new(), narrow: HashSet::new(), ranges: HashMap::new(), rounds_sums: false }
    }
}

/// Computes in half precision where that is safe; see the module's documentation for what is.
///
/// Float32 inputs and outputs stay float32, and tensors of other types stay as they are.
///
/// # Errors
/// [`Error::Pass`] where a layer no longer fits its inputs, which is a fault of the pass.
pub fn precision(network: &Network, options: &PrecisionOptions) -> Result<(Network, PrecisionReport), Error> {
    assign::run(network, options).map_err(|source| Error::Pass { pass: "precision", source })
}
