//! Quantization as other packages write it: codes of an integer type between two operators (PT2E), and fake
//! quantization by the largest magnitude (NVIDIA `ModelOpt`).
//!
//! | schema | layers |
//! |---|---|
//! | `quantized_decomposed::quantize_per_tensor(Tensor input, float scale, int zero_point, …)` | Quantize, Cast |
//! | `quantized_decomposed::quantize_per_channel(Tensor input, Tensor scales, …)` | Quantize, Cast |
//! | `quantized_decomposed::dequantize_per_tensor(Tensor input, float scale, int zero_point, …)` | Dequantize |
//! | `quantized_decomposed::dequantize_per_channel(Tensor input, Tensor scales, …)` | Dequantize |
//! | `tensorrt::quantize_op(Tensor input, Tensor amax, int num_bits, int exponent_bits, …)` | Quantize, Dequantize |
//! | `_int_mm(Tensor self, Tensor mat2)` | MatrixMultiply |
//!
//! Dtypes: float, and codes of int8, uint8 and int32, which travel as int32. Sizes may be symbolic. With constant
//! scales, zero points of 0 and the range of int8, or with eight bits of which four are the exponent (E4M3), it is
//! TensorRT's Quantize and Dequantize, by which convolutions and products between them run in int8 or float8.
//! Everything else is computed in float: the same numbers, without the speed. Products of int8 are summed in float32,
//! which is exact up to 1,024 of them.

use super::quantize::{Steps, in_codes, like, quantized};
use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use network::{DType, ElementWiseOperation as E, Op, TensorId, UnaryOperation as U, Weights};

const QUANTIZE: &str = "Quantize, Cast";
const DEQUANTIZE: &str = "Dequantize";

pub(super) const OPERATORS: &[Operator] = &[
    operator("quantized_decomposed.quantize_per_tensor.default", quantize, QUANTIZE, 0.0),
    operator("quantized_decomposed.quantize_per_tensor.tensor", quantize, QUANTIZE, 0.0),
    operator("quantized_decomposed.quantize_per_channel.default", quantize, QUANTIZE, 0.0),
    operator("quantized_decomposed.dequantize_per_tensor.default", dequantize, DEQUANTIZE, 1e-5),
    operator("quantized_decomposed.dequantize_per_tensor.tensor", dequantize, DEQUANTIZE, 1e-5),
    operator("quantized_decomposed.dequantize_per_channel.default", dequantize, DEQUANTIZE, 1e-5),
    operator("tensorrt.quantize_op.default", by_magnitude, "Quantize, Dequantize", 1e-5),
    operator("aten._int_mm.default", int_mm, "MatrixMultiply", 0.0),
];

/// Codes of an integer type.
fn quantize(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("input")?;
    let x = b.cast(x, DType::Float32)?;
    let steps = steps(b, call, x)?;
    let (least, most) = (call.int("quant_min")?, call.int("quant_max")?);
    if steps.is_of_int8(b, least, most) {
        let codes = in_codes(b, x, &steps, least)?;
        return Ok(b.cast(codes, DType::Int32)?.into());
    }
    let (scale, zero) = steps.along(b, x)?;
    let scaled = b.div(x, scale)?;
    let whole = b.unary(U::Round, scaled)?;
    let moved = b.sum(whole, zero)?;
    let low = b.with_scalar(E::Max, moved, least as f64)?;
    let codes = b.with_scalar(E::Min, low, most as f64)?;
    Ok(b.cast(codes, DType::Int32)?.into())
}

/// The numbers of codes.
fn dequantize(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (codes, to) = (call.tensor("input")?, call.output_dtype(0)?);
    let float = b.cast(codes, DType::Float32)?;
    let steps = steps(b, call, float)?;
    let is_of_int8 = steps.is_of_int8(b, call.int("quant_min")?, call.int("quant_max")?);
    let narrow = if is_of_int8 { Narrow::of(b, codes) } else { None };
    if let Some(Narrow { int8, moves }) = narrow.filter(|found| steps.axis.is_none() || found.moves.is_empty()) {
        let mut made = b.add(Op::Dequantize { axis: steps.axis, to: DType::Float32 }, &[int8, steps.scale])?;
        for op in moves {
            made = b.add(op, &[made])?;
        }
        return Ok(b.cast(made, to)?.into());
    }
    let (scale, zero) = steps.along(b, float)?;
    let moved = if steps.is_symmetric(b) { float } else { b.sub(float, zero)? };
    let made = b.prod(moved, scale)?;
    if is_of_int8 && b.weights(codes).is_some() {
        // Weights: TensorRT makes int8 of them again.
        let made = b.through(made, DType::Int8, steps.scale, steps.axis)?;
        return Ok(b.cast(made, to)?.into());
    }
    Ok(b.cast(made, to)?.into())
}

/// The int8 that a tensor of codes was cast from, and what moved its elements since.
struct Narrow {
    int8: TensorId,
    moves: Vec<Op>,
}

impl Narrow {
    fn of(b: &Builder, codes: TensorId) -> Option<Self> {
        let (mut at, mut moves) = (codes, Vec::new());
        loop {
            let layer = b.producer(at)?;
            let from = layer.input(0)?;
            match &layer.op {
                Op::Cast { to: DType::Int32 } if b.dtype(from) == DType::Int8 => {
                    moves.reverse();
                    return Some(Self { int8: from, moves });
                }
                Op::Shuffle { .. } if layer.input(1).is_none() => moves.push(layer.op.clone()),
                _ => return None,
            }
            at = from;
        }
    }
}

/// The scales and zero points of a call: numbers, or tensors of one element or of one for each index of an axis.
fn steps(b: &mut Builder, call: &Call<'_>, x: TensorId) -> Result<Steps> {
    if call.argument("axis").is_some() {
        let axis = call.axis("axis", b.rank(x))?;
        let channels = &b.dims(x)[axis..=axis];
        let scale = like(b, call.tensor("scales")?, x, channels)?;
        let zero = match call.optional_tensor("zero_points")? {
            Some(zero) => like(b, zero, x, channels)?,
            None => b.full(DType::Float32, channels, 0.0)?,
        };
        return Ok(Steps { scale, zero, axis: Some(axis) });
    }
    let mut number = |name: &str| match call.argument(name) {
        Some(program::Argument::Value(_)) => like(b, call.tensor(name)?, x, &[]),
        _ => {
            let value = call.float(name)?;
            b.constant(Weights::scalar(DType::Float32, value))
        }
    };
    Ok(Steps { scale: number("scale")?, zero: number("zero_point")?, axis: None })
}

/// Fake quantization to the range of a largest magnitude: one number, or one for each index of an axis.
fn by_magnitude(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, amax) = (call.tensor("input")?, call.tensor("amax")?);
    let (bits, exponent) = (call.int("num_bits")?, call.int("exponent_bits")?);
    let is_unsigned = call.bool("unsigned")?;
    let is_float8 = (bits, exponent) == (8, 4);
    if !is_float8 && (exponent != 0 || !(2..=16).contains(&bits)) {
        return unsupported(format!("quantization to {bits} bits, {exponent} of them the exponent"));
    }
    let most = if is_float8 { 448.0 } else { f64::from((1 << (bits - 1 + i64::from(is_unsigned))) - 1) };
    let least = match (is_unsigned, !is_float8 && call.bool("narrow_range")?) {
        (true, _) => 0,
        (false, true) => -(most as i64),
        (false, false) => -(most as i64) - 1,
    };
    let codes = if is_float8 { Codes::Float8 } else { Codes::Integers { least, most: most as i64 } };
    let constant = b.weights(amax).map(Weights::to_f64).zip(axes_of(&b.dims(amax), b.rank(x)));
    let Some((ranges, axes)) = constant else { return by_data(b, x, amax, codes, most) };
    let axis = axes.first().copied();
    let scale = |range: f64| if range > SMALLEST { range / most } else { empty(is_float8, most) };
    let scales: Vec<f64> = ranges.into_iter().map(scale).collect();
    let (own, is_small) = (b.dtype(x), scales.iter().any(|scale| *scale < half::f16::MIN_POSITIVE.to_f64()));
    // A scale that float16 has no digits for is one of float32.
    let dtype = if own == DType::Float16 && is_small { DType::Float32 } else { own };
    let x = b.cast(x, dtype)?;
    let sizes: Vec<i64> = axis.iter().map(|_| scales.len() as i64).collect();
    let scale = b.constant(Weights::from_f64(dtype, &sizes, scales))?;
    let zero = b.constant(Weights::filled(dtype, &sizes, 0.0))?;
    let made = match codes {
        Codes::Float8 => b.through(x, DType::Float8E4M3, scale, axis)?,
        Codes::Integers { least, most } => quantized(b, x, &Steps { scale, zero, axis }, least, most)?,
    };
    Ok(b.cast(made, own)?.into())
}

/// What a scale makes numbers of.
#[derive(Clone, Copy)]
enum Codes {
    Float8,
    Integers { least: i64, most: i64 },
}

/// The same with magnitudes that are computed, or that blocks of the tensor have. The scales of TensorRT's layers are
/// constants, of a tensor or an axis, so that the numbers are scaled around them.
fn by_data(b: &mut Builder, x: TensorId, amax: TensorId, codes: Codes, most: f64) -> Result<Outputs> {
    let own = b.dtype(x);
    let (x, amax) = (b.cast(x, DType::Float32)?, b.cast(amax, DType::Float32)?);
    let amax = b.lift(amax, b.rank(x))?;
    let amax = b.with_scalar(E::Max, amax, SMALLEST)?;
    let scale = b.times(amax, 1.0 / most)?;
    let made = match codes {
        Codes::Float8 => {
            let (scaled, one) = (b.div(x, scale)?, b.constant(Weights::scalar(DType::Float32, 1.0))?);
            let rounded = b.through(scaled, DType::Float8E4M3, one, None)?;
            b.prod(rounded, scale)?
        }
        Codes::Integers { least, most } => {
            let zero = b.constant(Weights::scalar(DType::Float32, 0.0))?;
            quantized(b, x, &Steps { scale, zero, axis: None }, least, most)?
        }
    };
    Ok(b.cast(made, own)?.into())
}

/// Ranges up to this are none: the number below which `ModelOpt` takes them for 0.
const SMALLEST: f64 = 1.0 / (1 << 24) as f64;

/// The scale of no range: that of a range of 1 in float8, one of which all codes are 0 otherwise.
fn empty(is_float8: bool, most: f64) -> f64 {
    if is_float8 { 1.0 / most } else { 6e4 }
}

/// The axes along which magnitudes go, at most one: none for one number. `None` where one axis does not have them all.
fn axes_of(dims: &[dims::Dim], rank: usize) -> Option<Vec<usize>> {
    let longer: Vec<usize> = (0..dims.len()).filter(|axis| dims[*axis].as_static() != Some(1)).collect();
    (longer.is_empty() || longer.len() == 1 && dims.len() == rank).then_some(longer)
}

/// A product of int8 matrices.
fn int_mm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, y) = (call.tensor("self")?, call.tensor("mat2")?);
    let (x, y) = (b.cast(x, DType::Float32)?, b.cast(y, DType::Float32)?);
    let made = b.matmul(x, y)?;
    Ok(b.cast(made, DType::Int32)?.into())
}
