//! Elements of weights as text: the shortest decimal that reads back to the same bits, `nan` and `inf` where there is
//! no decimal, and `0x…` (the bits) for float8 and for NaNs other than the usual one. A complex element is two numbers.

use crate::ScalarType;
use half::{bf16, f16};

/// The type of the numbers that an element consists of.
fn part_of(dtype: ScalarType) -> ScalarType {
    match dtype {
        ScalarType::Complex64 => ScalarType::Float32,
        ScalarType::Complex128 => ScalarType::Float64,
        real => real,
    }
}

/// The elements, in order.
pub(super) fn print(dtype: ScalarType, data: &[u8]) -> Vec<String> {
    let part = part_of(dtype);
    data.chunks_exact(part.size()).map(|bytes| element(part, bytes)).collect()
}

fn element(dtype: ScalarType, bytes: &[u8]) -> String {
    let bits = bytes.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    match dtype {
        ScalarType::Bool if bits <= 1 => (if bits == 1 { "True" } else { "False" }).to_owned(),
        ScalarType::UInt8 | ScalarType::UInt16 | ScalarType::UInt32 | ScalarType::UInt64 => bits.to_string(),
        ScalarType::Int8 => (bits as u8).cast_signed().to_string(),
        ScalarType::Int16 => (bits as u16).cast_signed().to_string(),
        ScalarType::Int32 => (bits as u32).cast_signed().to_string(),
        ScalarType::Int64 => bits.cast_signed().to_string(),
        ScalarType::Float64 => float(f64::from_bits(bits), f64::NAN.to_bits() == bits, bits),
        ScalarType::Float32 => float(f32::from_bits(bits as u32), u64::from(f32::NAN.to_bits()) == bits, bits),
        ScalarType::Float16 => float(f16::from_bits(bits as u16).to_f32(), u64::from(f16::NAN.to_bits()) == bits, bits),
        ScalarType::BFloat16 => {
            float(bf16::from_bits(bits as u16).to_f32(), u64::from(bf16::NAN.to_bits()) == bits, bits)
        }
        _ => format!("{bits:#x}"),
    }
}

fn float<T: std::fmt::Debug>(value: T, is_usual_nan: bool, bits: u64) -> String {
    match format!("{value:?}") {
        _ if is_usual_nan => "nan".to_owned(),
        nan if nan == "NaN" => format!("{bits:#x}"),
        text => text,
    }
}

/// The bytes of one number of an element; `None` where the text is no such number.
pub(super) fn parse(dtype: ScalarType, text: &str) -> Option<Vec<u8>> {
    let part = part_of(dtype);
    if let Some(hex) = text.strip_prefix("0x") {
        let bits = u64::from_str_radix(hex, 16).ok()?.to_le_bytes();
        let (low, high) = bits.split_at(part.size());
        return high.iter().all(|b| *b == 0).then(|| low.to_vec());
    }
    Some(match part {
        ScalarType::Bool => vec![["False", "True"].iter().position(|word| *word == text)? as u8],
        ScalarType::UInt8 => vec![text.parse().ok()?],
        ScalarType::UInt16 => text.parse::<u16>().ok()?.to_le_bytes().to_vec(),
        ScalarType::UInt32 => text.parse::<u32>().ok()?.to_le_bytes().to_vec(),
        ScalarType::UInt64 => text.parse::<u64>().ok()?.to_le_bytes().to_vec(),
        ScalarType::Int8 => text.parse::<i8>().ok()?.to_le_bytes().to_vec(),
        ScalarType::Int16 => text.parse::<i16>().ok()?.to_le_bytes().to_vec(),
        ScalarType::Int32 => text.parse::<i32>().ok()?.to_le_bytes().to_vec(),
        ScalarType::Int64 => text.parse::<i64>().ok()?.to_le_bytes().to_vec(),
        _ if text == "nan" => nan(part)?,
        ScalarType::Float64 => text.parse::<f64>().ok()?.to_le_bytes().to_vec(),
        // Directly to float32: by way of float64 it would round twice.
        ScalarType::Float32 => text.parse::<f32>().ok()?.to_le_bytes().to_vec(),
        ScalarType::Float16 => f16::from_f64(text.parse().ok()?).to_le_bytes().to_vec(),
        ScalarType::BFloat16 => bf16::from_f64(text.parse().ok()?).to_le_bytes().to_vec(),
        _ => return None,
    })
}

fn nan(dtype: ScalarType) -> Option<Vec<u8>> {
    match dtype {
        ScalarType::Float64 => Some(f64::NAN.to_le_bytes().to_vec()),
        ScalarType::Float32 => Some(f32::NAN.to_le_bytes().to_vec()),
        ScalarType::Float16 => Some(f16::NAN.to_le_bytes().to_vec()),
        ScalarType::BFloat16 => Some(bf16::NAN.to_le_bytes().to_vec()),
        _ => None,
    }
}

/// Elements drawn from a seed: multiples of 1/64 in [-1, 1) for floats (exact in each type), 0 to 7 for integers.
/// `bytes` is a multiple of the size of an element.
pub(super) fn seeded(dtype: ScalarType, bytes: usize, seed: u64) -> Vec<u8> {
    let (part, mut state) = (part_of(dtype), seed);
    (0..bytes / part.size()).flat_map(|_| drawn(part, split_mix(&mut state))).collect()
}

fn drawn(dtype: ScalarType, bits: u64) -> Vec<u8> {
    let fraction = f32::from((bits >> 57) as i8 - 64) / 64.0;
    match dtype {
        ScalarType::Bool => vec![(bits >> 63) as u8],
        ScalarType::Float64 => f64::from(fraction).to_le_bytes().to_vec(),
        ScalarType::Float32 => fraction.to_le_bytes().to_vec(),
        ScalarType::Float16 => f16::from_f32(fraction).to_le_bytes().to_vec(),
        ScalarType::BFloat16 => bf16::from_f32(fraction).to_le_bytes().to_vec(),
        // Float8: bit patterns of small positive numbers.
        ScalarType::Float8E4M3 | ScalarType::Float8E5M2 => vec![(bits >> 58) as u8],
        integer => (bits >> 61).to_le_bytes()[..integer.size()].to_vec(),
    }
}

/// SplitMix64.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ScalarType as S;

    #[test]
    fn every_16_bit_and_8_bit_pattern_reads_back() {
        for dtype in [S::Float16, S::BFloat16, S::Int16, S::UInt16] {
            for bits in 0..=u16::MAX {
                let bytes = bits.to_le_bytes();
                assert_eq!(parse(dtype, &element(dtype, &bytes)).unwrap(), bytes, "{dtype} {bits:#x}");
            }
        }
        for dtype in [S::Int8, S::UInt8, S::Bool, S::Float8E4M3, S::Float8E5M2] {
            for bits in 0..=u8::MAX {
                assert_eq!(parse(dtype, &element(dtype, &[bits])).unwrap(), [bits], "{dtype} {bits:#x}");
            }
        }
    }

    #[test]
    fn rejects_what_is_no_element_of_the_type() {
        for (dtype, text) in [
            (S::Int8, "128"),
            (S::UInt64, "-1"),
            (S::Bool, "1"),
            (S::Int64, "1.0"),
            (S::Float16, "0x10000"),
            (S::Float32, "one"),
            (S::Complex64, "1j"),
            (S::Float8E5M2, "1.0"),
        ] {
            assert_eq!(parse(dtype, text), None, "{dtype} {text}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_elements_in_each_float_type() {
        let numbers = |dtype: S| print(dtype, &seeded(dtype, 8 * dtype.size(), 3));
        let expected = numbers(S::Float64);
        assert!(expected.iter().any(|text| text.starts_with('-')), "{expected:?}");
        for dtype in [S::Float32, S::Float16, S::BFloat16] {
            assert_eq!(numbers(dtype), expected, "{dtype}");
        }
        assert!(numbers(S::Int64).iter().all(|text| (0..8).contains(&text.parse().unwrap())));
    }
}
