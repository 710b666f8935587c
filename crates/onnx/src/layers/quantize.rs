//! Quantize, dequantize, and quantization with scales from the data. Rounding is to even in both; the zero point
//! carries the quantized type in ONNX, so there always is one where codes are integers.

use crate::Result;
use crate::graph::Value;
use crate::proto::DataType;
use crate::scope::Scope;
use crate::state::Size;
use network::{DType, Dim, Tensor, Weights};

pub(super) fn quantize(s: &mut Scope<'_, '_>, axis: Option<usize>, to: DType) -> Result<Value> {
    let dtype = s.tensor(0)?.dtype;
    if to == DType::Float8E4M3 {
        return to_float8(s, axis, dtype);
    }
    let inputs = [s.input(0)?, scale(s, dtype)?, zero_point(s, to)?];
    Ok(s.main("QuantizeLinear", &inputs, &[("axis", axis.unwrap_or(0).into())]))
}

/// A division and a cast, which saturates. ONNX Runtime takes float8 in `QuantizeLinear` for an integer whose least
/// code is 0, and drops a Relu in front of it.
fn to_float8(s: &mut Scope<'_, '_>, axis: Option<usize>, dtype: DType) -> Result<Value> {
    let (x, scale) = (s.input(0)?, scale(s, dtype)?);
    let (x, scale) = (s.cast(x, dtype, DType::Float32), s.cast(scale, dtype, DType::Float32));
    let scale = match axis {
        Some(axis) => {
            let mut sizes = vec![1; s.dims(0)?.len()];
            sizes[axis] = -1;
            let sizes = s.ints(&sizes);
            s.op("Reshape", &[scale, sizes], &[])
        }
        None => scale,
    };
    let steps = s.op("Div", &[x, scale], &[]);
    Ok(s.main("Cast", &[steps], &[("to", i64::from(DataType::Float8e4m3fn as i32).into())]))
}

pub(super) fn dequantize(s: &mut Scope<'_, '_>, axis: Option<usize>, to: DType) -> Result<Value> {
    let from = s.tensor(0)?.dtype;
    let inputs = [s.input(0)?, scale(s, to)?, zero_point(s, from)?];
    Ok(s.main("DequantizeLinear", &inputs, &[("axis", axis.unwrap_or(0).into())]))
}

/// The scale as a scalar or a vector (TensorRT also takes it with the rank of x), of the float side's type.
fn scale(s: &mut Scope<'_, '_>, float: DType) -> Result<Value> {
    let Tensor { dims, dtype, .. } = s.tensor(1)?;
    let flat = s.constant(1).and_then(|w| w.reshaped(&[w.count() as i64]));
    let scale = match flat {
        _ if dims.len() <= 1 => s.input(1)?,
        Some(weights) => s.weights_of(1, &weights),
        None => {
            let (scale, shape) = (s.input(1)?, s.ints(&[-1]));
            s.op("Reshape", &[scale, shape], &[])
        }
    };
    Ok(s.cast(scale, *dtype, float))
}

fn zero_point(s: &mut Scope<'_, '_>, dtype: DType) -> Result<Value> {
    if let Some(zero) = s.optional(2)? {
        return Ok(zero);
    }
    let dims = s.dims(1)?;
    match dims.iter().map(Dim::as_static).collect::<Option<Vec<i64>>>() {
        Some(sizes) if sizes.is_empty() => Ok(s.weights(&Weights::scalar(dtype, 0.0))),
        Some(sizes) => Ok(s.weights(&Weights::filled(dtype, &[sizes.iter().product()], 0.0))),
        None => Err(s.unsupported("the number of scales is not known", "quantize with a constant scale")),
    }
}

/// Blocks of an axis share a scale: the largest magnitude over the largest number of the quantized type.
pub(super) fn dynamic_quantize(
    s: &mut Scope<'_, '_>,
    axis: usize,
    block: i64,
    to: DType,
    scales: DType,
) -> Result<Vec<Value>> {
    let (x, dims, dtype) = (s.input(0)?, s.dims(0)?, s.tensor(0)?.dtype);
    let largest = match to {
        DType::Int8 => 127.0,
        DType::Float8E4M3 => 448.0,
        _ => return Err(s.unsupported(format!("{to} has no quantization in ONNX"), "quantize to int8 or float8")),
    };
    let Some(size) = dims[axis].as_static().filter(|n| n % block == 0) else {
        let reason = format!("its axis {axis} has the size {}, blocks have {block}", dims[axis]);
        return Err(s.unsupported(reason, "pad the axis to a multiple of the block"));
    };
    let sizes = s.entries_of(x, dims);
    let mut split = sizes.clone();
    split.splice(axis..=axis, [Size::Is(size / block), Size::Is(block)]);
    let blocks = s.reshape_to(x, &split);
    let magnitude = s.op("Abs", &[blocks], &[]);
    let axes = s.ints(&[axis as i64 + 1]);
    let magnitude = s.op("ReduceMax", &[magnitude, axes], &[]);
    let largest = s.scalar(dtype, largest);
    let scale = s.op("Div", &[magnitude, largest], &[]);
    let scale = s.cast(scale, dtype, scales);
    let scale = s.cx.round(s.layer, scale, scales);
    // A block of zeros has the scale 0 and the codes 0.
    let (zero, one) = (s.scalar(dtype, 0.0), s.scalar(dtype, 1.0));
    let wide = s.cast(scale, scales, dtype);
    let empty = s.op("Equal", &[wide, zero], &[]);
    let divisor = s.op("Where", &[empty, one, wide], &[]);
    let unit = s.weights(&Weights::scalar(DType::Float32, 1.0));
    let zero_point = s.weights(&Weights::scalar(to, 0.0));
    let steps = s.op("Div", &[blocks, divisor], &[]);
    let steps = s.cast_to(steps, DataType::Float);
    let codes = s.main("QuantizeLinear", &[steps, unit, zero_point], &[]);
    let codes = s.reshape_to(codes, &sizes);
    let scale_axes = s.ints(&[axis as i64 + 1]);
    let scale = s.op("Squeeze", &[scale, scale_axes], &[]);
    Ok(vec![codes, scale])
}
