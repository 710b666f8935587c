//! The calibration algorithms of INT8.

/// How the range of a tensor is computed from its histogram (`CalibrationAlgoType` of TensorRT).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CalibrationAlgorithm {
    /// The range that holds 99.99 % of the values.
    Legacy,
    /// The range with the least Kullback-Leibler divergence between the values and their codes.
    Entropy,
    /// The same.
    #[default]
    Entropy2,
    /// The largest value.
    MinMax,
}

impl CalibrationAlgorithm {
    /// Every algorithm with TensorRT's name.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Legacy, "LEGACY_CALIBRATION"),
        (Self::Entropy, "ENTROPY_CALIBRATION"),
        (Self::Entropy2, "ENTROPY_CALIBRATION_2"),
        (Self::MinMax, "MINMAX_CALIBRATION"),
    ];

    /// The algorithm of TensorRT's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, own)| own.eq_ignore_ascii_case(name)).map(|(algorithm, _)| algorithm)
    }

    /// TensorRT's name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(own, _)| *own == self).map_or("", |(_, name)| name)
    }
}
