//! A conversion, stage by stage.

mod backend;
mod batches;
mod calibration;
mod histogram;
mod precision;

pub use backend::{Chosen, choose_backend};
pub use calibration::CalibrationAlgorithm;
pub use precision::{Int8Report, Precise, Samples, precision};
