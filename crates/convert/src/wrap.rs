//! Integers of 8 and 16 bits, which travel as int32: results beyond their range wrap around, as in PyTorch. And floats
//! of 8 bits (E4M3), which travel as float32: results are rounded to them.
//!
//! Arithmetic modulo 2^32 leaves the low bits right, so one wrap after an operator is enough. Operators that only move
//! or choose elements, and values that are seen to be within the range (a clamp before a cast), are left alone.

use crate::{Builder, Result};
use network::{ActivationType, DType, ElementWiseOperation as E, Op, TensorId, UnaryOperation as U, Weights};
use program::{Argument, Node, ScalarType};

/// Operators whose results are elements of their operands of the same type, or within its range in any case.
const WITHIN: &[&str] = &[
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "alias",
    "alias_copy",
    "amax",
    "amin",
    "aminmax",
    "as_strided",
    "bitwise_and",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "cat",
    "chunk",
    "clone",
    "constant_pad_nd",
    "contiguous",
    "copysign",
    "cummax",
    "cummin",
    "detach",
    "diag",
    "diagonal",
    "embedding",
    "expand",
    "fill",
    "flatten",
    "flip",
    "fmod",
    "full",
    "full_like",
    "gather",
    "gcd",
    "index",
    "index_copy",
    "index_put",
    "index_select",
    "kthvalue",
    "lift_fresh_copy",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "max",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "maximum",
    "median",
    "min",
    "minimum",
    "msort",
    "movedim",
    "narrow",
    "ones",
    "ones_like",
    "pad",
    "permute",
    "pixel_shuffle",
    "remainder",
    "repeat",
    "repeat_interleave",
    "reshape",
    "_reshape_copy",
    "roll",
    "rot90",
    "scatter",
    "select",
    "select_scatter",
    "slice",
    "slice_scatter",
    "sort",
    "split",
    "split_with_sizes",
    "squeeze",
    "stack",
    "t",
    "take",
    "take_along_dim",
    "tile",
    "topk",
    "transpose",
    "tril",
    "triu",
    "unbind",
    "unflatten",
    "unfold",
    "unsqueeze",
    "_unsafe_view",
    "upsample_nearest2d",
    "view",
    "where",
    "zeros",
    "zeros_like",
];

/// The smallest and the largest of some numbers.
#[derive(Clone, Copy)]
struct Bounds {
    low: f64,
    high: f64,
}

impl Bounds {
    const fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }
}

/// The range of a small integer type; `None` of every other type.
fn range(dtype: ScalarType) -> Option<Bounds> {
    Some(match dtype {
        ScalarType::UInt8 => Bounds::new(0.0, 255.0),
        ScalarType::Int8 => Bounds::new(-128.0, 127.0),
        ScalarType::Int16 => Bounds::new(-32768.0, 32767.0),
        _ => return None,
    })
}

/// Arguments whose numbers become elements of the result.
const NUMBERS: &[&str] = &["self", "other", "value", "fill_value", "values"];

/// What a call returns, with its elements in the range of their type.
pub(crate) fn wrapped(b: &mut Builder, node: &Node, dtype: ScalarType, x: TensorId) -> Result<TensorId> {
    let name = node.target.split('.').nth(1).unwrap_or_default();
    if dtype == ScalarType::Float8E4M3 {
        let number = |name: &&str| matches!(node.arguments.get(*name), Some(Argument::Int(_) | Argument::Float(_)));
        let is_rounded = WITHIN.contains(&name) && !NUMBERS.iter().any(number);
        return if is_rounded { Ok(x) } else { float8(b, x) };
    }
    let Some(Bounds { low, high }) = range(dtype) else { return Ok(x) };
    // PyTorch stores -1 as 255 in a tensor of uint8.
    let outside = |name: &&str| match node.arguments.get(*name) {
        Some(Argument::Int(n)) => n.as_static().is_none_or(|n| !(low..=high).contains(&(n as f64))),
        _ => false,
    };
    if WITHIN.contains(&name) && !NUMBERS.iter().any(outside) {
        return Ok(x);
    }
    into_range(b, x, dtype)
}

/// The integer that a small type has for a number.
pub(crate) fn wrapped_number(number: i64, dtype: ScalarType) -> i64 {
    match dtype {
        ScalarType::UInt8 => i64::from(number as u8),
        ScalarType::Int8 => i64::from(number as i8),
        ScalarType::Int16 => i64::from(number as i16),
        _ => number,
    }
}

/// The elements as those of a small type: modulo the number of its values.
pub(crate) fn into_range(b: &mut Builder, x: TensorId, dtype: ScalarType) -> Result<TensorId> {
    let Some(Bounds { low, high }) = range(dtype) else { return Ok(x) };
    if bounds(b, x, 12).is_some_and(|found| low <= found.low && found.high <= high) {
        return Ok(x);
    }
    let count = high - low + 1.0;
    let from_zero = if low == 0.0 { x } else { b.with_scalar(E::Sub, x, low)? };
    let turns = b.with_scalar(E::FloorDiv, from_zero, count)?;
    let excess = b.with_scalar(E::Prod, turns, count)?;
    b.sub(x, excess)
}

/// The nearest numbers of float8; 448 of larger ones, as in PyTorch (which made them NaN in older versions).
fn float8(b: &mut Builder, x: TensorId) -> Result<TensorId> {
    let one = b.constant(Weights::scalar(DType::Float32, 1.0))?;
    b.through(x, DType::Float8E4M3, one, None)
}

/// The range that elements are seen to be in. NaN, of which a cast to integers makes anything, does not count.
fn bounds(b: &Builder, x: TensorId, steps: usize) -> Option<Bounds> {
    let layer = b.producer(x)?;
    let of = |k: usize| bounds(b, layer.input(k)?, steps.checked_sub(1)?);
    match &layer.op {
        Op::Constant(weights) if weights.count() > 0 && weights.count() <= 4096 => {
            let fold = |found: Bounds, v: f64| Bounds::new(found.low.min(v), found.high.max(v));
            Some(weights.to_f64().into_iter().fold(Bounds::new(f64::INFINITY, f64::NEG_INFINITY), fold))
        }
        Op::Cast { .. } => match b.dtype(layer.input(0)?) {
            DType::Bool => Some(Bounds::new(0.0, 1.0)),
            DType::UInt8 => Some(Bounds::new(0.0, 255.0)),
            DType::Int8 => Some(Bounds::new(-128.0, 127.0)),
            from if from.is_float() && !b.dtype(x).is_float() => {
                of(0).map(|x| Bounds::new(x.low.trunc(), x.high.trunc()))
            }
            _ => of(0),
        },
        Op::Activation { kind: ActivationType::Clip, alpha, beta } => {
            Some(Bounds::new(f64::from(*alpha), f64::from(*beta)))
        }
        Op::Activation { kind: ActivationType::Sigmoid, .. } => Some(Bounds::new(0.0, 1.0)),
        Op::Activation { kind: ActivationType::Relu, .. } => {
            Some(of(0).map_or(Bounds::new(0.0, f64::INFINITY), |x| Bounds::new(x.low.max(0.0), x.high.max(0.0))))
        }
        Op::Unary { op: U::Round | U::Floor | U::Ceil } => of(0).map(|x| Bounds::new(x.low.floor(), x.high.ceil())),
        Op::ElementWise { op } => combined(*op, of(0), of(1)),
        Op::Shuffle { .. } | Op::Squeeze { .. } | Op::Unsqueeze { .. } | Op::Identity | Op::Gather { .. } => of(0),
        _ => None,
    }
}

/// The range of a layer of two operands with these ranges.
fn combined(op: E, x: Option<Bounds>, y: Option<Bounds>) -> Option<Bounds> {
    let either = x.is_some() || y.is_some();
    let both = x.is_some() && y.is_some();
    let everything = Bounds::new(f64::NEG_INFINITY, f64::INFINITY);
    let (x, y) = (x.unwrap_or(everything), y.unwrap_or(everything));
    match op {
        E::Max if either => Some(Bounds::new(x.low.max(y.low), x.high.max(y.high))),
        E::Min if either => Some(Bounds::new(x.low.min(y.low), x.high.min(y.high))),
        E::Sum if both => Some(Bounds::new(x.low + y.low, x.high + y.high)),
        E::Prod if both && x.low >= 0.0 && y.low >= 0.0 => Some(Bounds::new(x.low * y.low, x.high * y.high)),
        _ => None,
    }
}
