//! The command line, for those who have it from the Python package.

use pyo3::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;

/// Runs a command; the first of the arguments is the program's name. Returns the exit status.
#[pyfunction]
pub(crate) fn run_command(py: Python<'_>, arguments: Vec<OsString>, site_packages: Vec<PathBuf>) -> u8 {
    py.detach(|| cli::main(arguments, site_packages))
}
