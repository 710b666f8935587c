//! The types that quantization has, and their scales.

use network::{DType, Weights};

/// The type of codes, of which a scale makes numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantization {
    /// Integers from -128 to 127, of which the ranges use -127 to 127.
    Int8,
    /// Floats of eight bits, four of exponent and three of mantissa (E4M3), up to 448.
    Float8,
}

impl Quantization {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Int8, Self::Float8];

    /// The type of the codes.
    pub fn dtype(self) -> DType {
        match self {
            Self::Int8 => DType::Int8,
            Self::Float8 => DType::Float8E4M3,
        }
    }

    /// Its name as a precision: `int8` or `fp8`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Float8 => "fp8",
        }
    }

    /// The code of the range's end.
    pub fn largest(self) -> f64 {
        match self {
            Self::Int8 => 127.0,
            Self::Float8 => 448.0,
        }
    }

    /// The scale of a range; none where there is nothing to distinguish, or too little for the type of the scale.
    pub(crate) fn scale(self, range: f64, dtype: DType) -> Option<f64> {
        let (scale, smallest) = (range / self.largest(), smallest(dtype));
        match self {
            Self::Int8 => Some(scale).filter(|scale| *scale >= smallest),
            // Codes are as precise far below the largest.
            Self::Float8 => (range >= smallest).then(|| scale.max(smallest)),
        }
    }

    /// A scale for each output channel of constant weights: 1 for a channel of zeros, the smallest for one next to it.
    pub(crate) fn scales(self, weights: &Weights, channel: usize) -> Weights {
        let scale = |range: f32| match range {
            0.0 => 1.0,
            range => (f64::from(range) / self.largest()).max(smallest(weights.dtype)),
        };
        let scales = largest(weights, channel).into_iter().map(scale);
        Weights::from_f64(weights.dtype, &weights.dims[channel..=channel], scales)
    }
}

/// The smallest scale of a type.
fn smallest(dtype: DType) -> f64 {
    match dtype {
        DType::Float16 => half::f16::MIN_POSITIVE.to_f64(),
        _ => f64::from(f32::MIN_POSITIVE),
    }
}

/// The largest magnitude of each channel of weights.
fn largest(weights: &Weights, channel: usize) -> Vec<f32> {
    let (count, behind) = (weights.dims[channel], weights.dims[channel + 1..].iter().product::<i64>());
    let (count, behind) = (usize::try_from(count).unwrap_or(0), usize::try_from(behind).unwrap_or(0));
    let mut largest = vec![0f32; count];
    let mut see = |(k, value): (usize, f32)| {
        let most = &mut largest[k / behind % count];
        *most = most.max(value.abs());
    };
    let (twos, fours) = (weights.data.as_chunks::<2>().0.iter(), weights.data.as_chunks::<4>().0.iter());
    match weights.dtype {
        DType::Float16 => twos.map(|b| half::f16::from_le_bytes(*b).to_f32()).enumerate().for_each(&mut see),
        DType::BFloat16 => twos.map(|b| half::bf16::from_le_bytes(*b).to_f32()).enumerate().for_each(&mut see),
        _ => fours.map(|b| f32::from_le_bytes(*b)).enumerate().for_each(&mut see),
    }
    largest
}
