//! What this machine has: whether a TensorRT can be used, and which.

use crate::error::OrRaise;
use crate::options::read_options;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Finds the TensorRT that a build would use: (version, path, GPUs it builds for; empty where it takes any).
///
/// Raises E0301, with every place looked at, where there is none that builds.
#[pyfunction]
pub(crate) fn find_tensorrt(py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<(String, String, Vec<String>)> {
    let options = read_options(options)?;
    let found = py.detach(|| torch2trt::find_tensorrt(&options)).or_raise(py)?;
    Ok((found.version, found.path.display().to_string(), found.targets))
}
