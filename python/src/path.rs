//! Paths as users give them.

use crate::error::bad_value;
use pyo3::prelude::*;
use std::path::PathBuf;

/// A path given as a `str`, `bytes` or an `os.PathLike` object.
pub(crate) struct UserPath(pub(crate) PathBuf);

impl<'a, 'py> FromPyObject<'a, 'py> for UserPath {
    type Error = PyErr;

    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let py = given.py();
        let decoded = || py.import("os")?.call_method1("fsdecode", (given,))?.extract::<PathBuf>();
        match decoded() {
            Ok(path) if !path.as_os_str().is_empty() && !path.as_os_str().as_encoded_bytes().contains(&0) => {
                Ok(Self(path))
            }
            _ => {
                let problem = format!("option `path` is of type {}, and no path", given.get_type());
                Err(bad_value(py, problem, "give a path: a str, bytes, or a pathlib.Path"))
            }
        }
    }
}
