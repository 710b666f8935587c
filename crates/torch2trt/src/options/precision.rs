//! The precision of a conversion by name: a synonym of one of the modes, or a search.

use super::{CalibrationAlgorithm, ConvertOptions};
use crate::{Code, Error, Result};
use passes::Quantization;
use serde::{Deserialize, Deserializer, Serialize};

/// The precision of an engine, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Float16, with the fewest layers in float32 that keep the outputs within a tolerance: see
    /// [`search`](crate::search).
    Auto,
    /// The types that the model has.
    Fp32,
    /// Float16 where that is safe.
    Fp16,
    /// Bfloat16 where that is safe.
    Bf16,
    /// Int8 for convolutions and matrix multiplications with constant weights.
    Int8,
    /// Float8 (E4M3) for convolutions and matrix multiplications with constant weights.
    Fp8,
}

impl Precision {
    /// Every precision, with its name.
    pub const ALL: [(Self, &str); 6] = [
        (Self::Auto, "auto"),
        (Self::Fp32, "fp32"),
        (Self::Fp16, "fp16"),
        (Self::Bf16, "bf16"),
        (Self::Int8, "int8"),
        (Self::Fp8, "fp8"),
    ];

    /// The precision of a name.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn from_name(name: &str) -> std::result::Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.map(|(precision, _)| *precision).ok_or_else(|| format!("there is no precision `{name}`"))
    }

    /// The names, for messages.
    pub(super) fn names() -> String {
        Self::ALL.map(|(_, name)| name).join(", ")
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(precision, _)| *precision == self).map_or("", |(_, name)| *name)
    }
}

impl<'de> Deserialize<'de> for Precision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::from_name(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The largest relative error of the outputs, or the largest drop of a metric, that a search accepts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub struct SearchTolerance(f64);

impl SearchTolerance {
    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Default for SearchTolerance {
    fn default() -> Self {
        Self(1e-2)
    }
}

impl TryFrom<f64> for SearchTolerance {
    type Error = String;

    fn try_from(value: f64) -> std::result::Result<Self, String> {
        let is_valid = value.is_finite() && value > 0.0;
        is_valid.then_some(Self(value)).ok_or_else(|| format!("the tolerance {value} is not a positive number"))
    }
}

impl std::str::FromStr for SearchTolerance {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        text.parse::<f64>().map_err(|error| error.to_string())?.try_into()
    }
}

impl std::fmt::Display for SearchTolerance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl ConvertOptions {
    /// The options with the modes that their precision stands for, and with the tolerance of a search that has none.
    ///
    /// # Errors
    /// E0701 where a mode is asked for too that is another than the precision, for a tolerance where nothing computes
    /// in a lower precision, and for a calibration algorithm that the precision does not have.
    pub fn settled(&self) -> Result<Self> {
        let settled = self.with_modes()?;
        settled.check_algorithm()?;
        let is_lowered = settled.half().is_some() || settled.quantization().is_some();
        if settled.tolerance.is_some() && !is_lowered {
            let message = "`tolerance` was given without a precision to search in";
            let help = "pass the precision auto, fp16, bf16, int8 or fp8, too";
            return Err(Error::new(Code::BadOption, message).with_help(help));
        }
        let tolerance = settled.tolerance.or_else(|| settled.is_searched().then(SearchTolerance::default));
        Ok(Self { tolerance, ..settled })
    }

    /// How the ranges of what is quantized are computed.
    pub fn calibration_algorithm(&self) -> CalibrationAlgorithm {
        self.int8_calib_algorithm.unwrap_or(match self.quantization() {
            // The steps of floats grow with the numbers: cutting large ones off gains little for the others.
            Some(Quantization::Float8) => CalibrationAlgorithm::MinMax,
            _ => CalibrationAlgorithm::default(),
        })
    }

    /// # Errors
    /// E0701 for an algorithm that weighs the even steps of int8 where there are none.
    fn check_algorithm(&self) -> Result<()> {
        let Some(algorithm) = self.int8_calib_algorithm else { return Ok(()) };
        let is_even = matches!(algorithm, CalibrationAlgorithm::Entropy | CalibrationAlgorithm::Entropy2);
        if !is_even || self.quantization() != Some(Quantization::Float8) {
            return Ok(());
        }
        let message = format!("`int8_calib_algorithm` {} is for int8, and the precision is fp8", algorithm.name());
        let help = "leave it out for the largest magnitude, or give LEGACY_CALIBRATION for the 99.99th percentile";
        Err(Error::new(Code::BadOption, message).with_help(help))
    }

    fn with_modes(&self) -> Result<Self> {
        let Some(precision) = self.precision else { return Ok(self.clone()) };
        let asked = [self.fp16_mode, self.bf16_mode, self.int8_mode];
        let wanted = match precision {
            Precision::Auto | Precision::Fp16 => [true, false, false],
            Precision::Bf16 => [false, true, false],
            // The other layers may be in half precision.
            Precision::Int8 => [self.fp16_mode, self.bf16_mode, true],
            Precision::Fp8 => [self.fp16_mode, self.bf16_mode, false],
            Precision::Fp32 => [false; 3],
        };
        let is_other = asked.iter().zip(wanted).any(|(asked, wanted)| *asked && !wanted);
        if is_other {
            let names = ["fp16_mode", "bf16_mode", "int8_mode"];
            let modes: Vec<&str> =
                names.into_iter().zip(asked).filter_map(|(name, asked)| asked.then_some(name)).collect();
            let message = format!("precision `{}` and `{}` were both asked for", precision.name(), modes.join("`, `"));
            return Err(Error::new(Code::BadOption, message).with_help("choose one of them"));
        }
        let [fp16_mode, bf16_mode, int8_mode] = wanted;
        Ok(Self { fp16_mode, bf16_mode, int8_mode, ..self.clone() })
    }

    /// Whether the layers that need a higher precision are searched for.
    pub fn is_searched(&self) -> bool {
        self.precision == Some(Precision::Auto) || self.tolerance.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_modes() {
        for (name, modes) in [
            ("auto", [true, false, false]),
            ("fp16", [true, false, false]),
            ("bf16", [false, true, false]),
            ("int8", [false, false, true]),
            ("fp8", [false, false, false]),
            ("fp32", [false, false, false]),
        ] {
            let precision = Some(Precision::from_name(name).unwrap());
            let settled = ConvertOptions { precision, ..ConvertOptions::default() }.settled().unwrap();
            assert_eq!([settled.fp16_mode, settled.bf16_mode, settled.int8_mode], modes, "{name}");
            assert_eq!(settled.settled().unwrap(), settled);
        }
        assert_eq!(ConvertOptions::default().settled().unwrap(), ConvertOptions::default());
        assert!(Precision::from_name("half").unwrap_err().contains("no precision `half`"));
    }

    #[test]
    fn rejects_a_mode_that_is_another_than_the_precision() {
        let both = ConvertOptions { precision: Some(Precision::Fp32), fp16_mode: true, ..ConvertOptions::default() };
        let mixed = ConvertOptions { precision: Some(Precision::Int8), ..both.clone() };
        assert!(mixed.settled().unwrap().fp16_mode);
        let error = both.settled().unwrap_err();
        assert_eq!(error.code(), Code::BadOption);
        assert!(error.message().contains("`fp32` and `fp16_mode`"), "{}", error.message());
    }

    #[test]
    fn a_tolerance_is_a_search_in_the_precision() {
        let tolerance = Some(SearchTolerance(1e-3));
        for (precision, modes) in
            [("auto", true), ("fp16", true), ("bf16", true), ("int8", true), ("fp8", true), ("fp32", false)]
        {
            let precision = Some(Precision::from_name(precision).unwrap());
            let options = ConvertOptions { precision, tolerance, ..ConvertOptions::default() };
            assert_eq!(options.settled().is_ok_and(|settled| settled.is_searched()), modes, "{precision:?}");
        }
        assert_eq!(
            ConvertOptions { tolerance, ..ConvertOptions::default() }.settled().unwrap_err().code(),
            Code::BadOption
        );
        let auto = ConvertOptions { precision: Some(Precision::Auto), ..ConvertOptions::default() };
        assert_eq!(auto.settled().unwrap().tolerance, Some(SearchTolerance::default()));
        let int8 = ConvertOptions { int8_mode: true, ..ConvertOptions::default() };
        assert!(!int8.settled().unwrap().is_searched());
    }

    #[test]
    fn ranges_of_floats_are_not_weighed_by_even_steps() {
        let fp8 = |algorithm| ConvertOptions {
            precision: Some(Precision::Fp8),
            int8_calib_algorithm: algorithm,
            ..ConvertOptions::default()
        };
        assert_eq!(fp8(None).calibration_algorithm(), CalibrationAlgorithm::MinMax);
        assert_eq!(ConvertOptions::default().calibration_algorithm(), CalibrationAlgorithm::Entropy2);
        assert!(fp8(Some(CalibrationAlgorithm::Legacy)).settled().is_ok());
        assert_eq!(fp8(Some(CalibrationAlgorithm::Entropy)).settled().unwrap_err().code(), Code::BadOption);
    }

    #[test]
    fn tolerances_are_positive() {
        assert_eq!("1e-3".parse(), Ok(SearchTolerance(1e-3)));
        for wrong in ["0", "-1", "nan", "inf", "x"] {
            assert!(wrong.parse::<SearchTolerance>().is_err(), "{wrong}");
        }
    }
}
