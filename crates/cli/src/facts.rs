//! How commands print facts about an engine: its size, its inputs and outputs, and the error of an output.

use crate::row;
use runtime::IoSpec;

/// The largest error of an output.
pub(crate) fn accuracy((name, error): (&String, &f64)) -> Vec<String> {
    match *error {
        0.0 => row("accuracy", format!("{name}: no difference")),
        error => row("accuracy", format!("{name}: max relative error {error:.1e}")),
    }
}

/// `12.3 MB`; more digits of little.
pub(crate) fn megabytes(bytes: u64) -> String {
    let digits = if bytes < 100_000 { 3 } else { 1 };
    format!("{:.digits$} MB", bytes as f64 / 1e6)
}

/// `x: float32[batch, 3, 224, 224]`.
pub(crate) fn port(io: &IoSpec) -> String {
    format!("{}: {}{}", io.name, io.dtype, torch2trt::dims_text(io))
}
