//! Reports: what Python knows of a conversion and its engines, as JSON, to one HTML file.

use crate::error::{OrRaise, bad_option};
use crate::path::UserPath;
use pyo3::prelude::*;
use torch2trt::{EngineFacts, ReportSource};

/// Facts of an engine as JSON.
pub(crate) fn json(facts: &EngineFacts) -> String {
    serde_json::to_string(facts).unwrap_or_default()
}

/// Writes the report of a `ReportSource` as JSON to a path.
#[pyfunction]
pub(crate) fn write_report(py: Python<'_>, source: &str, path: UserPath) -> PyResult<()> {
    let source: ReportSource =
        serde_json::from_str(source).map_err(|error| bad_option(py, format!("the report: {error}")))?;
    py.detach(|| source.save(&path.0)).or_raise(py)
}
