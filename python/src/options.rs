//! Reads the options of a conversion from Python keyword arguments.

use crate::error::bad_option;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use torch2trt::{Backend, Options};

/// Reads options; the names are those of [`Options`]. Unknown ones are the Python side's to refuse.
pub(crate) fn read_options(given: &Bound<'_, PyDict>) -> PyResult<Options> {
    let py = given.py();
    let mut options = Options::default();
    for (name, value) in given.iter() {
        let name: String = name.extract()?;
        if value.is_none() {
            continue;
        }
        let wrong = |e: PyErr| bad_option(py, format!("option `{name}`: {}", e.value(py)));
        match name.as_str() {
            "backend" => {
                let text: String = value.extract().map_err(wrong)?;
                options.backend = Backend::from_name(&text).ok_or_else(|| {
                    bad_option(py, format!("there is no backend `{text}`\nhelp: use \"auto\", \"cpu\" or \"tensorrt\""))
                })?;
            }
            "input_names" => options.input_names = value.extract().map_err(wrong)?,
            "output_names" => options.output_names = value.extract().map_err(wrong)?,
            "target" => options.target = value.extract().map_err(wrong)?,
            "max_workspace_size" => options.max_workspace_size = value.extract().map_err(wrong)?,
            "optimization_level" => options.optimization_level = value.extract().map_err(wrong)?,
            "avg_timing_iterations" => options.avg_timing_iterations = value.extract().map_err(wrong)?,
            "tensorrt" => options.tensorrt = value.extract().map_err(wrong)?,
            "onnxruntime" => options.onnxruntime = value.extract().map_err(wrong)?,
            "site_packages" => options.site_packages = value.extract().map_err(wrong)?,
            "threads" => options.threads = NonZeroUsize::new(value.extract().map_err(wrong)?),
            "profiles" => options.profiles = profiles(&value).map_err(wrong)?,
            _ => return Err(bad_option(py, format!("there is no option `{name}`"))),
        }
    }
    Ok(options)
}

/// Profiles as a list of dicts: input name to a list of (min, opt, max), an entry an axis.
fn profiles(value: &Bound<'_, PyAny>) -> PyResult<Vec<runtime::Profile>> {
    let given: Vec<BTreeMap<String, Vec<(i64, i64, i64)>>> = value.extract()?;
    let range = |(min, opt, max)| runtime::SizeRange { min, opt, max };
    let profile = |axes: BTreeMap<String, Vec<(i64, i64, i64)>>| runtime::Profile {
        symbols: BTreeMap::new(),
        axes: axes.into_iter().map(|(name, axes)| (name, axes.into_iter().map(range).collect())).collect(),
    };
    Ok(given.into_iter().map(profile).collect())
}
