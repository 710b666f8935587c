//! Histograms of magnitudes, and the ranges that int8 takes from them.

use runtime::{DataType, Tensor};

/// Bins of a histogram that has seen one sample; more where later samples have larger values.
const BINS: usize = 8192;
/// How many times as many there may be.
const MOST: usize = 4;
/// Magnitudes that int8 distinguishes.
const CODES: usize = 128;
/// Bins between two ranges that are compared.
const STRIDE: usize = 32;
/// Share of the values that a range holds at least: few samples show little of how values are distributed.
const PERCENTILE: f64 = 0.999;

/// How often magnitudes occurred, in bins of one width. Zeros are left out: they are exact in any range.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    counts: Vec<f64>,
    width: f64,
    largest: f64,
}

impl Histogram {
    /// The largest finite magnitude; 0 without any.
    pub(super) fn largest(&self) -> f64 {
        self.largest
    }

    /// Counts the finite values of a float32 tensor in host memory.
    pub(super) fn add(&mut self, tensor: &Tensor) {
        debug_assert_eq!(tensor.dtype(), DataType::Float32);
        let bytes = tensor.bytes().unwrap_or_default();
        let values = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_ne_bytes(*bytes).abs());
        self.add_magnitudes(values.filter(|value| value.is_finite() && *value > 0.0));
    }

    fn add_magnitudes(&mut self, values: impl Iterator<Item = f32> + Clone) {
        let Some(largest) = values.clone().reduce(f32::max) else { return };
        self.largest = self.largest.max(f64::from(largest));
        if self.width == 0.0 {
            self.width = self.largest / BINS as f64;
        }
        while self.largest >= (MOST * BINS) as f64 * self.width {
            // Two bins become one: memory stays bounded where the first samples had small values.
            self.counts = self.counts.chunks(2).map(|pair| pair.iter().sum()).collect();
            self.width *= 2.0;
        }
        let bins = BINS.max(self.counts.len()).max((self.largest / self.width) as usize + 1);
        self.counts.resize(bins, 0.0);
        // In float32, as the values are.
        let (end, bins) = ((bins as f64 * self.width) as f32, bins as f32);
        let last = self.counts.len() - 1;
        for value in values {
            self.counts[((value * bins / end) as usize).min(last)] += 1.0;
        }
    }

    /// The end of the bin up to which this share of the values is counted.
    pub(super) fn percentile(&self, share: f64) -> f64 {
        let wanted = share * self.counts.iter().sum::<f64>();
        let mut reached = 0.0;
        let bin = self.counts.iter().position(|count| {
            reached += count;
            reached >= wanted
        });
        (bin.unwrap_or(0) + 1) as f64 * self.width
    }

    /// The range in which the codes preserve most: where the distribution of the values, cut off there, and that of the
    /// codes have the least Kullback-Leibler divergence.
    pub(super) fn entropy(&self) -> f64 {
        if self.largest == 0.0 {
            return 0.0;
        }
        let least = CODES.max((self.percentile(PERCENTILE) / self.width).round_ties_even() as usize);
        let mut best = None;
        for end in (least..self.counts.len()).step_by(STRIDE) {
            let divergence = self.divergence(end);
            if best.is_none_or(|(least, _)| divergence < least) {
                best = Some((divergence, end));
            }
        }
        best.map_or(self.largest, |(_, end)| end as f64 * self.width)
    }

    /// Of the values up to the end of a bin, with what is beyond in the last one, from their codes.
    fn divergence(&self, end: usize) -> f64 {
        let (kept, beyond) = self.counts.split_at(end);
        let beyond: f64 = beyond.iter().sum();
        let code = |bin: usize| bin * CODES / end;
        let (mut sums, mut bins) = ([0f64; CODES], [0f64; CODES]);
        for (bin, count) in kept.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            sums[code(bin)] += count;
            bins[code(bin)] += 1.0;
        }
        let cut = |bin: usize| kept[bin] + if bin + 1 == end { beyond } else { 0.0 };
        let spread = |bin: usize| if kept[bin] > 0.0 { sums[code(bin)] / bins[code(bin)] } else { 0.0 };
        let total = kept.iter().sum::<f64>() + beyond;
        let spread_total: f64 = (0..end).map(spread).sum();
        let (mut divergence, mut lost) = (0.0, 0.0);
        for bin in (0..end).filter(|bin| cut(*bin) > 0.0) {
            let (p, q) = (cut(bin) / total, spread(bin) / spread_total);
            // What has no code at all counts as far off as possible.
            if q > 0.0 { divergence += p * (p / q).ln() } else { lost += p }
        }
        divergence + lost * self.counts.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between 0 and 1, the same in every run.
    fn uniform(count: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        (0..count).map(|_| next()).collect()
    }

    /// Normally distributed numbers, by Box and Muller's method.
    fn normal(count: usize, seed: u64) -> Vec<f32> {
        let (a, b) = (uniform(count, seed), uniform(count, seed + 1));
        let one = |(a, b): (f32, f32)| (-2.0 * (1.0 - a).ln()).sqrt() * (std::f32::consts::TAU * b).cos();
        a.into_iter().zip(b).map(one).collect()
    }

    fn add(histogram: &mut Histogram, values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        histogram.add(&Tensor::from_bytes(DataType::Float32, &[values.len() as i64], &bytes).unwrap());
    }

    #[test]
    fn one_outlier_takes_no_codes_from_the_other_values() {
        let (mut histogram, mut values) = (Histogram::default(), normal(100_000, 3));
        (values[0], values[1], values[2]) = (100.0, f32::INFINITY, f32::NAN);
        values.chunks(10_000).for_each(|part| add(&mut histogram, part));
        assert!(histogram.largest() == 100.0 && histogram.counts.len() >= BINS);
        let counted = values.iter().filter(|value| value.is_finite() && **value != 0.0).count();
        assert_eq!(histogram.counts.iter().sum::<f64>(), counted as f64);
        assert!((2.9..8.0).contains(&histogram.entropy()), "{}", histogram.entropy());
        assert!((3.0..8.0).contains(&histogram.percentile(0.9999)));
    }

    #[test]
    fn evenly_distributed_values_are_all_preserved() {
        let mut even = Histogram::default();
        add(&mut even, &uniform(100_000, 5));
        assert!(even.entropy() > 0.99);
    }

    #[test]
    fn memory_is_bounded_where_values_grow() {
        let mut growing = Histogram::default();
        for scale in [1e-6, 1.0, 1e3] {
            let values: Vec<f32> = uniform(1000, 7).into_iter().map(|value| (value + 1e-9) * scale).collect();
            add(&mut growing, &values);
        }
        assert_eq!(growing.counts.iter().sum::<f64>(), 3000.0);
        assert!(growing.counts.len() <= MOST * BINS + 1);
        assert!((600.0..800.0).contains(&growing.percentile(0.9)));
    }

    #[test]
    fn zeros_are_not_counted() {
        let mut empty = Histogram::default();
        add(&mut empty, &[0.0; 5]);
        assert!(empty.largest() == 0.0 && empty.entropy() == 0.0);
    }
}
