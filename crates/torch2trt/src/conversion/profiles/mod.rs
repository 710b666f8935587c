//! Shape profiles: the smallest, best and largest size of each axis of each input.
//!
//! Before a capture, sizes are those of the sample inputs and of the shapes that a call asks for: [`Requested`]. An
//! exported program has a range for each symbol, within which shapes can be asked for: [`exported_profiles`]. Ranges
//! that contradict each other are E0307. This module must not know how shapes are passed: callers name their arguments.

mod exported;
mod requested;

pub use exported::{Asked, End, exported_profiles};
pub use requested::{AxisRanges, Requested, Shape};

use crate::{Code, Error, Result};
use runtime::SizeRange;

/// A range whose sizes are in order. `axis` names the axis for the error, `help` is what to give instead.
///
/// # Errors
/// E0307 unless 0 ≤ min ≤ opt ≤ max.
fn in_order(range: SizeRange, axis: impl FnOnce() -> String, help: &str) -> Result<SizeRange> {
    let SizeRange { min, opt, max } = range;
    if 0 <= min && min <= opt && opt <= max {
        return Ok(range);
    }
    Err(bad_profile(format!("{}: the range is {min} to {max} with {opt} as the best size", axis()), help))
}

/// E0307.
fn bad_profile(message: String, help: impl Into<String>) -> Error {
    Error::new(Code::BadProfile, message).with_help(help)
}
