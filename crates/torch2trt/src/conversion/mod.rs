//! A conversion, stage by stage.

mod batches;
mod calibration;
mod histogram;
mod precision;

pub use calibration::CalibrationAlgorithm;
pub use precision::{Int8Report, Precise, Samples, precision};
