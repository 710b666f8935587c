//! Elements of small constants as text: the shortest decimal that reads back to the same bits, `nan` and `inf`
//! for what has no decimal, and `0x…` (the bits) for a NaN that is not the usual one.

use crate::{DType, Weights};
use half::{bf16, f16};

/// The elements, in order.
pub(super) fn print(weights: &Weights) -> Vec<String> {
    let size = weights.dtype.size();
    weights.data.chunks_exact(size).map(|bytes| element(weights.dtype, bytes)).collect()
}

fn element(dtype: DType, bytes: &[u8]) -> String {
    let bits = bytes.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    let float = match dtype {
        DType::Bool => return (if bits == 0 { "false" } else { "true" }).to_owned(),
        DType::UInt8 => return bits.to_string(),
        DType::Int8 => return (bits as u8).cast_signed().to_string(),
        DType::Int32 => return (bits as u32).cast_signed().to_string(),
        DType::Int64 => return bits.cast_signed().to_string(),
        DType::Float32 => f32::from_bits(bits as u32),
        DType::Float16 => f16::from_bits(bits as u16).to_f32(),
        DType::BFloat16 => bf16::from_bits(bits as u16).to_f32(),
        DType::Float8E4M3 => Weights { dtype, dims: Vec::new(), data: bytes.to_vec().into() }.to_f64()[0] as f32,
    };
    match float {
        f if f.is_nan() && Weights::scalar(dtype, f64::NAN).data[..] == *bytes => "nan".to_owned(),
        f if f.is_nan() => format!("{bits:#x}"),
        f => format!("{f:?}"),
    }
}

/// The bytes of one element; `None` where the text is no element of the type.
pub(super) fn parse(dtype: DType, text: &str) -> Option<Vec<u8>> {
    if let Some(hex) = text.strip_prefix("0x") {
        let bits = u64::from_str_radix(hex, 16).ok()?.to_le_bytes();
        let (low, high) = bits.split_at(dtype.size());
        return high.iter().all(|b| *b == 0).then(|| low.to_vec());
    }
    Some(match dtype {
        DType::Bool => vec![u8::from(text.parse::<bool>().ok()?)],
        DType::UInt8 => vec![text.parse().ok()?],
        DType::Int8 => text.parse::<i8>().ok()?.to_le_bytes().to_vec(),
        DType::Int32 => text.parse::<i32>().ok()?.to_le_bytes().to_vec(),
        DType::Int64 => text.parse::<i64>().ok()?.to_le_bytes().to_vec(),
        // Straight to float32: by way of float64 it would round twice.
        DType::Float32 => match text {
            "nan" => f32::NAN.to_le_bytes().to_vec(),
            _ => text.parse::<f32>().ok()?.to_le_bytes().to_vec(),
        },
        DType::Float16 | DType::BFloat16 | DType::Float8E4M3 => {
            Weights::scalar(dtype, if text == "nan" { f64::NAN } else { text.parse().ok()? }).data.to_vec()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_16_bit_and_8_bit_pattern_reads_back() {
        for dtype in [DType::Float16, DType::BFloat16] {
            for bits in 0..=u16::MAX {
                let bytes = bits.to_le_bytes();
                assert_eq!(parse(dtype, &element(dtype, &bytes)).unwrap(), bytes, "{dtype} {bits:#x}");
            }
        }
        for dtype in [DType::Int8, DType::UInt8, DType::Float8E4M3] {
            for bits in 0..=u8::MAX {
                assert_eq!(parse(dtype, &element(dtype, &[bits])).unwrap(), [bits], "{dtype} {bits:#x}");
            }
        }
    }

    #[test]
    fn what_is_no_element_of_the_type_is_refused() {
        for (dtype, text) in [
            (DType::Int8, "128"),
            (DType::UInt8, "-1"),
            (DType::Int32, "2147483648"),
            (DType::Bool, "1"),
            (DType::Int64, "1.0"),
            (DType::Float16, "0x10000"),
            (DType::Float32, "one"),
        ] {
            assert_eq!(parse(dtype, text), None, "{dtype} {text}");
        }
    }
}
