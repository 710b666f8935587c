//! A conversion, stage by stage.

mod backend;
mod batches;
mod calibration;
mod computed;
mod histogram;
mod precision;
mod profiles;
mod samples;
mod verify;

pub use backend::{Chosen, choose_backend};
pub use computed::computed_in;
pub use precision::{Int8Report, Precise, precision};
pub use profiles::{Asked, AxisRanges, End, Requested, Shape, exported_profiles};
pub use samples::Samples;
pub use verify::{Comparison, Reference, Tolerance, difference, verify};
