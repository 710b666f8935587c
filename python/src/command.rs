//! The command line, for those who have it from the Python package.

use pyo3::prelude::*;
use std::ffi::OsString;
use std::io::Write;
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
///
/// A model with parts in PyTorch is left to `torch2trt.command`, which is imported for it alone: PyTorch takes seconds.
#[pyfunction]
pub(crate) fn run_command(py: Python<'_>, arguments: Vec<OsString>, site_packages: Vec<PathBuf>) -> u8 {
    py.detach(|| cli::main_with(arguments, site_packages, Some(&InPython)))
}

/// The Python package, which has PyTorch.
struct InPython;

impl cli::PyTorch for InPython {
    fn run(&self, request: &serde_json::Value) -> u8 {
        Python::attach(|py| {
            let answer = py
                .import("torch2trt.command")
                .and_then(|module| module.getattr("run")?.call1((request.to_string(),))?.extract());
            answer.unwrap_or_else(|error: PyErr| {
                if error.is_instance_of::<crate::error::Exception>(py) {
                    // PyTorch is missing, or too old.
                    let _ = writeln!(std::io::stderr(), "{}", error.value(py));
                } else {
                    error.print(py);
                }
                1
            })
        })
    }
}
