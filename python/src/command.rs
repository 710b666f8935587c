//! The command line, for those who have it from the Python package.

use pyo3::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;

/// Folders of installed Python packages: where wheels lie that carry native libraries.
#[pyfunction]
pub(crate) fn site_packages(py: Python<'_>) -> PyResult<Vec<PathBuf>> {
    let path = py.import("sys")?.getattr("path")?;
    // A path may hold anything; what is no folder's name is passed over, as by Python itself.
    let folders = path.try_iter()?.filter_map(|entry| entry.ok()?.extract::<PathBuf>().ok());
    Ok(folders.filter(|folder| folder.ends_with("site-packages") || folder.ends_with("dist-packages")).collect())
}

/// Runs a command; the first of the arguments is the program's name. Returns the exit status.
#[pyfunction]
pub(crate) fn run_command(py: Python<'_>, arguments: Vec<OsString>, site_packages: Vec<PathBuf>) -> u8 {
    py.detach(|| cli::main(arguments, site_packages))
}
