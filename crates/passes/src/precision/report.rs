//! What the pass decided, for people.

use super::Half;
use std::fmt;

/// What the pass decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrecisionReport {
    /// Layers that compute in half precision or move its elements: their names in the network that was given.
    pub half: Vec<String>,
    /// Layers that stay float32, in execution order.
    pub kept: Vec<Float32Layer>,
    /// Patterns of `keep_fp32` that match no module or layer of the network.
    pub unmatched: Vec<String>,
}

/// A layer that stays float32.
#[derive(Clone, Debug, PartialEq)]
pub struct Float32Layer {
    /// Its name in the network that the pass made.
    pub layer: String,
    /// Path of the module it comes from.
    pub module: String,
    /// Why.
    pub reason: Reason,
}

/// Why a layer stays float32.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// `keep_fp32` names it or its module: the pattern.
    Asked(String),
    /// An operand needs float32, or all are float32: the layer or input it comes from.
    Follows(String),
    /// Its values were seen to reach this magnitude.
    Seen(f32),
    /// A constant of this magnitude is beyond half precision's range.
    Overflows(f32, Half),
    /// Rounding its constants would change them by this share.
    Underflows(f64),
    /// It adds or multiplies this many elements; `None` where the number depends on the call.
    Accumulates(Option<i64>),
    /// It adds up this many products, which the target does in float16.
    Sums(i64),
    /// The function named leaves half precision's range, or magnifies its rounding.
    Steep(&'static str),
    /// It squares: in float16 that overflows from 256 on.
    Squares,
    /// It makes floats of integers, which half precision holds up to this one only.
    Integers(i64),
    /// It computes with coordinates, whose fractions half precision has no digits for.
    Coordinates,
    /// It makes numbers of its own, which TensorRT does in float32.
    Generates,
    /// The model itself converts to float32 here.
    Upcast,
    /// It has a quantized operand or result.
    Quantized,
    /// It is a plugin, whose types are declared.
    Plugin,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked(pattern) => write!(f, "`{pattern}` of keep_fp32"),
            Self::Follows(layer) => write!(f, "follows `{layer}`"),
            Self::Seen(value) => write!(f, "values up to {value:.3e} were seen"),
            Self::Overflows(value, half) => {
                write!(f, "a constant reaches {value:.3e}, {half} ends at {:.3e}", half.max())
            }
            Self::Underflows(share) => write!(f, "rounding its constants would change them by {:.2} %", share * 100.0),
            Self::Accumulates(Some(count)) => write!(f, "accumulates {count} elements"),
            Self::Accumulates(None) => f.write_str("accumulates as many elements as the call has"),
            Self::Sums(count) => write!(f, "adds up {count} products, which this TensorRT does in float16"),
            Self::Steep(name) => write!(f, "{name} leaves the range or magnifies rounding"),
            Self::Squares => f.write_str("squares overflow early"),
            Self::Integers(limit) => write!(f, "integers above {limit} would be rounded"),
            Self::Coordinates => f.write_str("coordinates need float32's digits"),
            Self::Generates => f.write_str("its numbers are made in float32"),
            Self::Upcast => f.write_str("the model converts to float32 here"),
            Self::Quantized => f.write_str("quantization has types of its own"),
            Self::Plugin => f.write_str("a plugin declares its types"),
        }
    }
}
