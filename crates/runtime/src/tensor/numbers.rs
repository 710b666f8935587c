//! The elements of a tensor in host memory as numbers.

use super::TensorView;
use crate::DataType;
use half::{bf16, f16};
use std::ops::Range;

impl TensorView<'_> {
    /// These elements, in row-major order; `None` where the tensor is not in host memory, or has fewer elements. Truth
    /// values are 0 and 1. An int64 beyond 2^53 is rounded.
    pub fn numbers(&self, elements: Range<usize>) -> Option<Vec<f64>> {
        fn read<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)).collect()
        }
        let size = self.dtype().size();
        let bytes = self.bytes()?.get(elements.start * size..elements.end * size)?;
        Some(match self.dtype() {
            DataType::Float32 => read(bytes, |b| f32::from_ne_bytes(b).into()),
            DataType::Float64 => read(bytes, f64::from_ne_bytes),
            DataType::Float16 => read(bytes, |b| f16::from_ne_bytes(b).to_f64()),
            DataType::BFloat16 => read(bytes, |b| bf16::from_ne_bytes(b).to_f64()),
            DataType::Int64 => read(bytes, |b| i64::from_ne_bytes(b) as f64),
            DataType::Int32 => read(bytes, |b| i32::from_ne_bytes(b).into()),
            DataType::Int16 => read(bytes, |b| i16::from_ne_bytes(b).into()),
            DataType::Int8 => read(bytes, |b| i8::from_ne_bytes(b).into()),
            DataType::UInt8 | DataType::Bool => read(bytes, |[b]| b.into()),
            DataType::Float8E4M3 => read(bytes, |[b]| e4m3(b)),
            // The upper byte of a float16.
            DataType::Float8E5M2 => read(bytes, |[b]| f16::from_bits(u16::from(b) << 8).to_f64()),
        })
    }
}

/// A float8 of four exponent bits (bias 7) and three mantissa bits, without infinities.
fn e4m3(bits: u8) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 3 & 0xf), f64::from(bits & 7));
    let value = match (exponent, bits & 7) {
        (0xf, 7) => f64::NAN,
        (0, _) => mantissa * 2f64.powi(-9),
        _ => (8.0 + mantissa) * 2f64.powi(exponent - 10),
    };
    if bits & 0x80 == 0 { value } else { -value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;

    #[test]
    fn elements_of_every_type_are_numbers() {
        let read = |dtype: DataType, bytes: &[u8]| {
            let tensor = Tensor::from_bytes(dtype, &[(bytes.len() / dtype.size()) as i64], bytes).unwrap();
            tensor.view().numbers(0..bytes.len() / dtype.size()).unwrap()
        };
        assert_eq!(read(DataType::Float32, &[1f32, -2.5].map(f32::to_ne_bytes).concat()), [1.0, -2.5]);
        assert_eq!(read(DataType::Float64, &0.1f64.to_ne_bytes()), [0.1]);
        assert_eq!(read(DataType::Float16, &f16::from_f32(0.5).to_ne_bytes()), [0.5]);
        assert_eq!(read(DataType::BFloat16, &bf16::from_f32(-3.0).to_ne_bytes()), [-3.0]);
        assert_eq!(read(DataType::Int64, &(-7i64).to_ne_bytes()), [-7.0]);
        assert_eq!(read(DataType::Int32, &7i32.to_ne_bytes()), [7.0]);
        assert_eq!(read(DataType::Int16, &(-300i16).to_ne_bytes()), [-300.0]);
        assert_eq!(read(DataType::Int8, &[0xff]), [-1.0]);
        assert_eq!(read(DataType::UInt8, &[0xff]), [255.0]);
        assert_eq!(read(DataType::Bool, &[1, 0]), [1.0, 0.0]);
        // 448 is the largest of E4M3, 2^-9 the smallest; 57344 is the largest of E5M2.
        assert_eq!(read(DataType::Float8E4M3, &[0x7e, 0x01, 0xb8, 0x00]), [448.0, 2f64.powi(-9), -1.0, 0.0]);
        assert!(read(DataType::Float8E4M3, &[0x7f])[0].is_nan());
        assert_eq!(read(DataType::Float8E5M2, &[0x7b, 0x3c, 0xfc]), [57344.0, 1.0, f64::NEG_INFINITY]);
    }

    #[test]
    fn a_range_is_part_of_the_elements() {
        let bytes: Vec<u8> = (0..5i32).flat_map(i32::to_ne_bytes).collect();
        let tensor = Tensor::from_bytes(DataType::Int32, &[5], &bytes).unwrap();
        assert_eq!(tensor.view().numbers(1..4), Some(vec![1.0, 2.0, 3.0]));
        assert_eq!(tensor.view().numbers(3..6), None);
    }
}
