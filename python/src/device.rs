//! What this machine has: whether a TensorRT can be used, and which.

use crate::error::OrRaise;
use crate::options::read_options;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::{Mutex, PoisonError};

/// Finds the TensorRT that a build would use: (version, path, GPUs it builds for; empty where it takes any).
///
/// Raises E0301, with every place looked at, where there is none that builds.
#[pyfunction]
pub(crate) fn find_tensorrt(py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<(String, String, Vec<String>)> {
    let options = read_options(options)?;
    let found = py.detach(|| torch2trt::find_tensorrt(&options)).or_raise(py)?;
    Ok((found.version, found.path.display().to_string(), found.targets))
}

/// One plugin creator: name, version, namespace, and whether its interface is version 3.
type Creator = (String, String, String, bool);

/// The plugin creators that are registered with the options' TensorRT and plugin libraries.
///
/// Raises E0301 without TensorRT, E0306 for a library that cannot be loaded.
#[pyfunction]
pub(crate) fn plugin_creators(py: Python<'_>, options: &Bound<'_, PyDict>, own: bool) -> PyResult<Vec<Creator>> {
    let options = read_options(options)?;
    py.detach(|| torch2trt::plugin_creators(&options, own)).or_raise(py)
}

/// The fields that a registered plugin creator knows, each with its type.
///
/// Raises E0301 without TensorRT, E0306 where no such creator is registered.
#[pyfunction]
pub(crate) fn plugin_fields(
    py: Python<'_>,
    options: &Bound<'_, PyDict>,
    name: &str,
    version: &str,
    namespace: &str,
) -> PyResult<Vec<(String, Option<&'static str>)>> {
    let options = read_options(options)?;
    py.detach(|| torch2trt::plugin_fields(&options, [name, version, namespace])).or_raise(py)
}

/// TensorRT's builder, kept until it is closed.
#[pyclass(module = "torch2trt._core", frozen)]
pub(crate) struct RetainedBuilder(Mutex<Option<torch2trt::RetainedBuilder>>);

#[pymethods]
impl RetainedBuilder {
    #[new]
    fn new(py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let options = read_options(options)?;
        let kept = py.detach(|| torch2trt::keep_builder(&options)).or_raise(py)?;
        Ok(Self(Mutex::new(Some(kept))))
    }

    /// Gives back what it holds.
    fn close(&self, py: Python<'_>) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        py.detach(|| drop(kept));
    }
}
