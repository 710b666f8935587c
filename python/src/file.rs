//! Engine files: written from engines and plans, opened, and their manifests.
//!
//! The manifest's `model` part is the Python half's own: how calls are decomposed and return values assembled.

use crate::error::{OrRaise, bad_option};
use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use std::path::PathBuf;
use torch2trt::{Artifact, Description, EngineFile};

/// Writes an engine file to a path, or returns its bytes where there is none.
pub(crate) fn write<'py>(
    py: Python<'py>,
    artifact: &Artifact,
    description: &str,
    path: Option<PathBuf>,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let description: Description =
        serde_json::from_str(description).map_err(|error| bad_option(py, format!("the description: {error}")))?;
    let file = artifact.to_file(description);
    match path {
        Some(path) => py.detach(|| file.save(&path)).map(|()| None).or_raise(py),
        None => Ok(Some(PyBytes::new(py, &py.detach(|| file.to_bytes()).or_raise(py)?))),
    }
}

/// An engine file as a user gives it.
#[derive(FromPyObject)]
pub(crate) enum Source {
    /// Its bytes.
    Bytes(PyBackedBytes),
    /// Where it is.
    Path(PathBuf),
}

impl Source {
    pub(crate) fn open(self, py: Python<'_>) -> PyResult<EngineFile> {
        match self {
            Self::Bytes(bytes) => EngineFile::parse(Bytes::from_owner(bytes)),
            Self::Path(path) => py.detach(|| EngineFile::open(&path)),
        }
        .or_raise(py)
    }
}

/// The manifest of an engine file, as JSON; neither TensorRT nor a GPU is needed.
#[pyfunction]
pub(crate) fn read_manifest(py: Python<'_>, source: Source) -> PyResult<String> {
    let manifest = match source {
        Source::Path(path) => py.detach(|| EngineFile::open_manifest(&path)).or_raise(py)?,
        bytes @ Source::Bytes(_) => bytes.open(py)?.manifest,
    };
    json(py, &manifest)
}

/// Writes bytes to a path: atomically, through links, into devices and FIFOs.
#[pyfunction]
pub(crate) fn write_file(py: Python<'_>, path: PathBuf, content: PyBackedBytes) -> PyResult<()> {
    let content = Bytes::from_owner(content);
    Ok(py.detach(|| files::write(&path, |file| file.write_all(&content)))?)
}

/// Whether bytes start as an engine file does.
#[pyfunction]
pub(crate) fn is_engine_file(bytes: PyBackedBytes) -> bool {
    torch2trt::is_engine_file(&bytes)
}

/// A manifest as JSON.
pub(crate) fn json(py: Python<'_>, manifest: &torch2trt::Manifest) -> PyResult<String> {
    serde_json::to_string(manifest).map_err(|error| bad_option(py, format!("the manifest: {error}")))
}
