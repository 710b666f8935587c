//! Constant data: typed, shaped, borrowed bytes.

use crate::DType;
use bytes::Bytes;
use half::{bf16, f16};

/// The elements of a constant. The bytes are shared with whoever owns them; cloning copies no data.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Element type.
    pub dtype: DType,
    /// Sizes.
    pub dims: Vec<i64>,
    /// Row-major little-endian elements: `product(dims) * dtype.size()` bytes.
    pub data: Bytes,
}

impl Weights {
    /// Weights over borrowed bytes; `None` where their number does not match type and sizes.
    pub fn new(dtype: DType, dims: Vec<i64>, data: Bytes) -> Option<Self> {
        let weights = Self { dtype, dims, data };
        (weights.count().checked_mul(dtype.size()) == Some(weights.data.len())).then_some(weights)
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.dims.iter().try_fold(1usize, |n, d| n.checked_mul(usize::try_from(*d).ok()?)).unwrap_or(usize::MAX)
    }

    /// float32 weights. `values` has `product(dims)` elements.
    pub fn float32(dims: &[i64], values: &[f32]) -> Self {
        Self::from_le(DType::Float32, dims, values.iter().map(|v| v.to_le_bytes()))
    }

    /// int64 weights. `values` has `product(dims)` elements.
    pub fn int64(dims: &[i64], values: &[i64]) -> Self {
        Self::from_le(DType::Int64, dims, values.iter().map(|v| v.to_le_bytes()))
    }

    /// int32 weights. `values` has `product(dims)` elements.
    pub fn int32(dims: &[i64], values: &[i32]) -> Self {
        Self::from_le(DType::Int32, dims, values.iter().map(|v| v.to_le_bytes()))
    }

    /// bool weights. `values` has `product(dims)` elements.
    pub fn bool(dims: &[i64], values: &[bool]) -> Self {
        Self::from_le(DType::Bool, dims, values.iter().map(|v| [u8::from(*v)]))
    }

    fn from_le<const N: usize>(dtype: DType, dims: &[i64], values: impl Iterator<Item = [u8; N]>) -> Self {
        let data: Vec<u8> = values.flatten().collect();
        debug_assert_eq!(data.len() as i64, dims.iter().product::<i64>() * dtype.size() as i64);
        Self { dtype, dims: dims.to_vec(), data: data.into() }
    }

    /// One element of any type, from a float: rounded to the type (saturating for integers, non-zero is true).
    pub fn scalar(dtype: DType, value: f64) -> Self {
        Self::filled(dtype, &[], value)
    }

    /// All elements the same; see [`Weights::scalar`].
    pub fn filled(dtype: DType, dims: &[i64], value: f64) -> Self {
        let count = usize::try_from(dims.iter().product::<i64>()).unwrap_or(0);
        Self { dtype, dims: dims.to_vec(), data: encode(dtype, value).repeat(count).into() }
    }

    /// Elements of any type, from floats; see [`Weights::scalar`].
    pub fn from_f64(dtype: DType, dims: &[i64], values: impl IntoIterator<Item = f64>) -> Self {
        let data: Vec<u8> = values.into_iter().flat_map(|v| encode(dtype, v)).collect();
        Self { dtype, dims: dims.to_vec(), data: data.into() }
    }

    /// Elements of an integer type (or bool), from integers.
    pub fn from_i64(dtype: DType, dims: &[i64], values: impl IntoIterator<Item = i64>) -> Self {
        let data: Vec<u8> = values
            .into_iter()
            .flat_map(|v| if dtype == DType::Int64 { v.to_le_bytes().to_vec() } else { encode(dtype, v as f64) })
            .collect();
        Self { dtype, dims: dims.to_vec(), data: data.into() }
    }

    /// The elements as floats (int64 beyond 2^53 loses bits: see [`Weights::to_i64`]).
    pub fn to_f64(&self) -> Vec<f64> {
        let bytes = &self.data;
        match self.dtype {
            DType::Float32 => elements(bytes).map(|b| f64::from(f32::from_le_bytes(b))).collect(),
            DType::Float16 => elements(bytes).map(|b| f16::from_le_bytes(b).to_f64()).collect(),
            DType::BFloat16 => elements(bytes).map(|b| bf16::from_le_bytes(b).to_f64()).collect(),
            DType::Int64 => elements(bytes).map(|b| i64::from_le_bytes(b) as f64).collect(),
            DType::Int32 => elements(bytes).map(|b| f64::from(i32::from_le_bytes(b))).collect(),
            DType::Int8 => bytes.iter().map(|b| f64::from(b.cast_signed())).collect(),
            DType::UInt8 | DType::Bool => bytes.iter().map(|b| f64::from(*b)).collect(),
            DType::Float8E4M3 => bytes.iter().map(|b| e4m3_to_f64(*b)).collect(),
        }
    }

    /// The elements as integers; `None` for float types.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        let bytes = &self.data;
        Some(match self.dtype {
            DType::Int64 => elements(bytes).map(i64::from_le_bytes).collect(),
            DType::Int32 => elements(bytes).map(|b| i64::from(i32::from_le_bytes(b))).collect(),
            DType::Int8 => bytes.iter().map(|b| i64::from(b.cast_signed())).collect(),
            DType::UInt8 | DType::Bool => bytes.iter().map(|b| i64::from(*b)).collect(),
            _ => return None,
        })
    }

    /// The same elements under other sizes; `None` where the counts differ.
    pub fn reshaped(&self, dims: &[i64]) -> Option<Self> {
        Self::new(self.dtype, dims.to_vec(), self.data.clone())
    }

    /// A digest of the data: names the weights in text forms, after their type and sizes.
    pub fn digest(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&self.data)
    }
}

fn elements<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.as_chunks::<N>().0.iter().copied()
}

fn encode(dtype: DType, v: f64) -> Vec<u8> {
    match dtype {
        DType::Float32 => (v as f32).to_le_bytes().to_vec(),
        DType::Float16 => f16::from_f64(v).to_le_bytes().to_vec(),
        DType::BFloat16 => bf16::from_f64(v).to_le_bytes().to_vec(),
        DType::Int64 => (v as i64).to_le_bytes().to_vec(),
        DType::Int32 => (v as i32).to_le_bytes().to_vec(),
        DType::Int8 => (v as i8).to_le_bytes().to_vec(),
        DType::UInt8 => vec![v as u8],
        DType::Bool => vec![u8::from(v != 0.0)],
        DType::Float8E4M3 => vec![f64_to_e4m3(v)],
    }
}

fn e4m3_to_f64(bits: u8) -> f64 {
    let sign = if bits & 0x80 != 0 { -1.0 } else { 1.0 };
    let (exponent, mantissa) = (i32::from((bits >> 3) & 0xf), f64::from(bits & 7));
    match (exponent, bits & 7) {
        (15, 7) => f64::NAN,
        (0, _) => sign * mantissa / 8.0 * 2f64.powi(-6),
        _ => sign * (1.0 + mantissa / 8.0) * 2f64.powi(exponent - 7),
    }
}

/// Nearest, ties to even; beyond 448 saturates, as TensorRT's quantization does.
fn f64_to_e4m3(v: f64) -> u8 {
    if v.is_nan() {
        return 0x7f;
    }
    let sign = if v.is_sign_negative() { 0x80 } else { 0 };
    if v.abs() >= 448.0 {
        return sign | 0x7e;
    }
    let exponent = if v == 0.0 { -6 } else { (v.abs().log2().floor() as i32).max(-6) };
    let steps = (v.abs() / 2f64.powi(exponent - 3)).round_ties_even();
    let code = if exponent == -6 { steps } else { f64::from((exponent + 6) * 8) + steps };
    sign | code as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn float8_round_trips_every_code() {
        for bits in (0..=255u8).filter(|b| b & 0x7f != 0x7f) {
            assert_eq!(f64_to_e4m3(e4m3_to_f64(bits)), bits);
        }
        assert_eq!(e4m3_to_f64(f64_to_e4m3(1e9)), 448.0);
        assert_eq!(e4m3_to_f64(f64_to_e4m3(17.0)), 16.0, "ties go to even");
    }

    #[test]
    fn a_wrong_byte_count_is_refused() {
        assert!(Weights::new(DType::Float32, vec![2, 3], Bytes::from_static(&[0; 23])).is_none());
        assert!(Weights::new(DType::Float32, vec![i64::MAX, 4], Bytes::new()).is_none());
        assert!(Weights::new(DType::Float32, vec![0, 3], Bytes::new()).is_some());
    }

    #[test]
    fn every_type_round_trips_small_integers() {
        for dtype in DType::ALL {
            let values: Vec<f64> = if dtype == DType::Bool { vec![0.0, 1.0] } else { vec![0.0, 1.0, 7.0] };
            let weights = Weights::from_f64(dtype, &[values.len() as i64], values.clone());
            assert_eq!(weights.to_f64(), values, "{dtype}");
        }
    }
}
