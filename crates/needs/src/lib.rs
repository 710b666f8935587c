//! What a test needs of the machine: a library in a folder, a GPU.
//!
//! Rust's test runner has no skipped state, so a test that cannot run returns early and would count as passed. Every
//! such test calls [`variable`] or [`skip`]: the skip is printed and, where `TORCH2TRT_SKIPPED` names a file, recorded
//! there, and `make rust-test` prints the record as its summary. With `CI=true` a need that `make` installs must be
//! met: the test fails. This crate must not know the libraries.
#![forbid(unsafe_code)]
#![allow(clippy::panic, clippy::print_stdout, reason = "only tests call this crate")]

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The environment variable that names the file of skipped tests.
const RECORD: &str = "TORCH2TRT_SKIPPED";

/// The path in an environment variable that a test needs. Without it the test is skipped.
///
/// # Panics
/// With `CI=true`, if the variable is missing and what it names is installed on this machine.
#[must_use]
pub fn variable(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if value.is_none() {
        let reason = format!("{name} is not set");
        if is_installed(name, Path::new("/dev/nvidiactl").exists()) { unmet(reason) } else { skip(reason) }
    }
    value
}

/// Records that the calling test is skipped for something that `make` installs. The caller returns.
///
/// # Panics
/// With `CI=true`.
pub fn unmet(reason: impl Display) {
    let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!ci, "CI=true and {reason}; `make rust-test` installs and sets what the tests need");
    skip(reason);
}

/// Records that the calling test is skipped, and why. The caller returns.
pub fn skip(reason: impl Display) {
    let thread = std::thread::current();
    let line = format!("skipped: {}: {reason}\n", thread.name().unwrap_or("a test"));
    print!("{line}");
    if let Some(file) = std::env::var_os(RECORD) {
        let written = OpenOptions::new().create(true).append(true).open(&file);
        if let Err(error) = written.and_then(|mut open| open.write_all(line.as_bytes())) {
            panic!("{RECORD}: {}: {error}", Path::new(&file).display());
        }
    }
}

/// `make` installs both TensorRT-RTX everywhere; another TensorRT is needed only where there is a GPU to run on.
fn is_installed(name: &str, gpu: bool) -> bool {
    name.starts_with("TORCH2TRT_TEST_RTX_") || (name == "TORCH2TRT_TEST_TENSORRT" && gpu)
}

#[cfg(test)]
mod tests {
    use super::is_installed;

    #[test]
    fn a_gpu_is_needed_only_for_what_runs_on_it() {
        let (rtx, tensorrt) = ("TORCH2TRT_TEST_RTX_1_7", "TORCH2TRT_TEST_TENSORRT");
        assert!(is_installed(rtx, false) && is_installed(tensorrt, true));
        assert!(!is_installed(tensorrt, false) && !is_installed("TORCH2TRT_TEST_LEAN_10", true));
    }
}
