//! Rounding of float32 constants, and whether they survive it.

use super::{Half, Reason};
use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};
use network::{DType, Weights};
use rayon::prelude::*;

/// A float32 constant, looked at for half precision.
#[derive(Clone, Debug)]
pub(super) enum Rounded {
    /// The rounded constant.
    Fits(Weights),
    /// The rounded constant, of whose small numbers too little is left, and how much is lost.
    Vanishes(Weights, Reason),
    /// What it loses.
    Unfit(Reason),
}

/// Elements that are rounded at once: as many as stay in the cache.
const CHUNK: usize = 1 << 14;

/// What rounding did to some elements.
#[derive(Clone, Copy, Default)]
struct Loss {
    /// Largest finite magnitude that became infinite.
    overflow: f32,
    /// Sum of the squared errors.
    error: f64,
    /// Sum of the squares.
    total: f64,
}

impl Loss {
    fn and(self, other: Self) -> Self {
        Self {
            overflow: self.overflow.max(other.overflow),
            error: self.error + other.error,
            total: self.total + other.total,
        }
    }

    fn of(values: &[f32], rounded: &[f32]) -> Self {
        let pairs = values.iter().zip(rounded).filter(|(v, _)| v.is_finite());
        pairs.fold(Self::default(), |loss, (v, r)| {
            if r.is_finite() {
                loss.and(Self { overflow: 0.0, error: f64::from(v - r).powi(2), total: f64::from(*v).powi(2) })
            } else {
                loss.and(Self { overflow: v.abs(), ..Self::default() })
            }
        })
    }
}

/// Rounds a float32 constant, once and in parallel.
///
/// It fits where no finite element becomes infinite and the error, in root mean square, is at most twice what rounding
/// does to any number in range. That leaves room for some elements that vanish next to larger ones, and none for a
/// constant that vanishes as a whole, such as an epsilon of 1e-8.
pub(super) fn round(weights: &Weights, half: Half) -> Rounded {
    let mut data = vec![0u8; weights.count() * 2];
    let pieces = data.par_chunks_mut(CHUNK * 2).zip(weights.data.par_chunks(CHUNK * 4));
    let loss = pieces.map(|(to, from)| round_chunk(from, to, half)).reduce(Loss::default, Loss::and);
    let share = (loss.error / loss.total.max(f64::MIN_POSITIVE)).sqrt();
    if loss.overflow > 0.0 {
        return Rounded::Unfit(Reason::Overflows(loss.overflow, half));
    }
    let rounded = Weights { dtype: half.dtype(), dims: weights.dims.clone(), data: data.into() };
    if share > 2.0 * half.unit_roundoff() {
        return Rounded::Vanishes(rounded, Reason::Underflows(share));
    }
    Rounded::Fits(rounded)
}

fn round_chunk(from: &[u8], to: &mut [u8], half: Half) -> Loss {
    let values: Vec<f32> = from.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let mut back = vec![0f32; values.len()];
    let mut write = |bits: &mut dyn Iterator<Item = [u8; 2]>| {
        to.as_chunks_mut().0.iter_mut().zip(bits).for_each(|(to, bits)| *to = bits);
    };
    match half {
        Half::Float16 => {
            let mut rounded = vec![f16::ZERO; values.len()];
            rounded.convert_from_f32_slice(&values);
            rounded.convert_to_f32_slice(&mut back);
            write(&mut rounded.iter().map(|v| v.to_le_bytes()));
        }
        Half::BFloat16 => {
            let mut rounded = vec![bf16::ZERO; values.len()];
            rounded.convert_from_f32_slice(&values);
            rounded.convert_to_f32_slice(&mut back);
            write(&mut rounded.iter().map(|v| v.to_le_bytes()));
        }
    }
    Loss::of(&values, &back)
}

/// The numbers of a rounded constant, as float32.
pub(super) fn widen(rounded: &Weights, half: Half) -> Weights {
    let mut data = vec![0u8; rounded.count() * 4];
    let pieces = data.par_chunks_mut(CHUNK * 4).zip(rounded.data.par_chunks(CHUNK * 2));
    pieces.for_each(|(to, from)| {
        let value = |bits: &[u8; 2]| match half {
            Half::Float16 => f16::from_le_bytes(*bits).to_f32(),
            Half::BFloat16 => bf16::from_le_bytes(*bits).to_f32(),
        };
        let pairs = to.as_chunks_mut().0.iter_mut().zip(from.as_chunks().0);
        pairs.for_each(|(to, bits)| *to = value(bits).to_le_bytes());
    });
    Weights { dtype: DType::Float32, dims: rounded.dims.clone(), data: data.into() }
}

/// The largest finite magnitude beyond half precision's range, where there is one.
pub(super) fn overflow(weights: &Weights, half: Half) -> Option<f32> {
    let values = weights.data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes).abs());
    let largest = values.filter(|v| v.is_finite()).fold(0.0, f32::max);
    (largest > half.max()).then_some(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_rounded_to_nearest_in_every_chunk() {
        let values: Vec<f64> = (0..CHUNK * 3 + 5).map(|k| f64::from(((k as f32) * 0.731).sin())).collect();
        for half in [Half::Float16, Half::BFloat16] {
            let weights = Weights::from_f64(DType::Float32, &[values.len() as i64], values.clone());
            let Rounded::Fits(rounded) = round(&weights, half) else { panic!("{half} holds numbers up to 1") };
            for (v, r) in weights.to_f64().into_iter().zip(rounded.to_f64()) {
                let nearest = half.unit_roundoff() * v.abs().max(f16::MIN_POSITIVE.to_f64());
                assert!((v - r).abs() <= nearest, "{v} became {r} in {half}");
            }
            let widened = widen(&rounded, half);
            assert_eq!((widened.dtype, widened.to_f64()), (DType::Float32, rounded.to_f64()));
        }
    }

    #[test]
    fn what_vanishes_or_overflows_does_not_fit() {
        let fits = |values: &[f32], half| {
            matches!(round(&Weights::float32(&[values.len() as i64], values), half), Rounded::Fits(_))
        };
        assert!(fits(&[f32::NEG_INFINITY, f32::NAN, 0.0, 65504.0, 1e-9], Half::Float16));
        assert!(!fits(&[1.0, 65520.0], Half::Float16), "becomes infinite");
        assert!(!fits(&[1e-6], Half::Float16), "a subnormal of few bits");
        assert!(!fits(&[1e-9, 0.0], Half::Float16), "becomes zero");
        assert!(fits(&[0.0, 0.0], Half::Float16) && fits(&[], Half::Float16));
        assert!(fits(&[1e-12, 1e30], Half::BFloat16));
        assert!(!fits(&[f32::MAX], Half::BFloat16), "becomes infinite");
    }
}
