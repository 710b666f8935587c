//! The values of a tensor in a few numbers.

use runtime::Tensor;
use serde::Serialize;

/// Which values a tensor has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ValueRange {
    /// The smallest finite value; `None` where there is none.
    pub min: Option<f64>,
    /// The largest finite value.
    pub max: Option<f64>,
    /// The largest finite magnitude.
    pub largest: Option<f64>,
    /// Number of infinite values.
    pub infinite: usize,
    /// Number of NaNs.
    pub nan: usize,
    /// Number of values.
    pub count: usize,
}

impl ValueRange {
    /// The range of a tensor in host memory.
    pub(super) fn of(tensor: &Tensor) -> Self {
        let count = tensor.byte_len() / tensor.dtype().size();
        let mut range = Self { min: None, max: None, largest: None, infinite: 0, nan: 0, count };
        for value in tensor.view().numbers(0..count).unwrap_or_default() {
            if value.is_nan() {
                range.nan += 1;
            } else if value.is_infinite() {
                range.infinite += 1;
            } else {
                range.min = Some(range.min.map_or(value, |min| min.min(value)));
                range.max = Some(range.max.map_or(value, |max| max.max(value)));
                range.largest = Some(range.largest.map_or(value.abs(), |largest| largest.max(value.abs())));
            }
        }
        range
    }

    /// Number of values that are infinite or NaN.
    pub(super) fn not_finite(&self) -> usize {
        self.infinite + self.nan
    }

    /// `-1.5 .. 3.2e4, 12 of 64 infinite`.
    pub(super) fn text(&self) -> String {
        let finite = match (self.min, self.max) {
            (Some(min), Some(max)) => format!("{} .. {}", number(min), number(max)),
            _ => "no finite value".to_owned(),
        };
        let others = [(self.infinite, "infinite"), (self.nan, "NaN")].into_iter().filter(|(count, _)| *count > 0);
        let others = others.map(|(count, what)| format!("{count} of {} {what}", self.count));
        std::iter::once(finite).chain(others).collect::<Vec<_>>().join(", ")
    }
}

/// A number with four digits.
fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e5).contains(&value.abs()) { format!("{value:.4}") } else { format!("{value:.3e}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::DataType;

    #[test]
    fn values_that_are_not_finite_are_counted_apart() {
        let bytes: Vec<u8> = [1f32, f32::NAN, -70000.0, f32::INFINITY].iter().flat_map(|v| v.to_ne_bytes()).collect();
        let range = ValueRange::of(&Tensor::from_bytes(DataType::Float32, &[4], &bytes).unwrap());
        assert_eq!(range.text(), "-70000.0000 .. 1.0000, 1 of 4 infinite, 1 of 4 NaN");
        assert_eq!((range.min, range.max, range.largest), (Some(-70000.0), Some(1.0), Some(70000.0)));
        let none = ValueRange::of(&Tensor::from_bytes(DataType::Float32, &[0], &[]).unwrap());
        assert_eq!(none.text(), "no finite value");
    }
}
