//! Reads the options of a conversion from Python keyword arguments.

use crate::error::{OrRaise, refused_option};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use torch2trt::{Options, SearchTolerance};

/// Reads options: those that `torch2trt::declared` lists, and what the caller knows of the process.
///
/// # Errors
/// E0701 for a name that is none, or a value of another type.
pub(crate) fn read_options(given: &Bound<'_, PyDict>) -> PyResult<Options> {
    let py = given.py();
    let (mut process, mut chosen) = (Options::default(), Map::new());
    for (name, value) in given.iter() {
        let name: String = name.extract()?;
        if value.is_none() {
            continue;
        }
        let wrong = |e: PyErr| refused_option(py, &name, &e);
        match name.as_str() {
            "site_packages" => process.site_packages = value.extract().map_err(wrong)?,
            "verbose" => process.verbose = value.extract().map_err(wrong)?,
            "trusted" => process.trusted = value.extract().map_err(wrong)?,
            "profiles" => process.profiles = profiles(&value).map_err(wrong)?,
            _ => {
                let value = as_json(&value).map_err(wrong)?;
                chosen.insert(name, value);
            }
        }
    }
    let Options { convert, build, parts, report, run, .. } = Options::from_json(chosen).or_raise(py)?;
    Ok(Options { convert, build, parts, report, run, ..process })
}

/// A value as JSON: truth values, numbers, strings and lists of them. A path that is no UTF-8 becomes its bytes.
fn as_json(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(Value::Bool(truth.is_true()));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(value.extract::<f64>()?.into());
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(value.extract::<i64>()?.into());
    }
    if value.is_instance_of::<PyString>() {
        let text: PyResult<String> = value.extract();
        return match text {
            Ok(text) => Ok(text.into()),
            Err(_) => Ok(bytes(value.extract()?)),
        };
    }
    if let Ok(path) = value.extract::<PathBuf>() {
        return Ok(bytes(path));
    }
    value.try_iter()?.map(|item| as_json(&item?)).collect::<PyResult<Vec<Value>>>().map(Value::Array)
}

fn bytes(path: PathBuf) -> Value {
    path.into_os_string().into_encoded_bytes().into()
}

/// One option of the table: name, group, flag, value, help, and the default as JSON.
type Row = (String, String, String, Option<String>, String, String);

/// Every option that is no Python object.
#[pyfunction]
pub(crate) fn options() -> Vec<Row> {
    let row = |option: torch2trt::Declared| {
        (option.name, option.group, option.flag, option.value, option.help, option.default.to_string())
    };
    torch2trt::declared().into_iter().map(row).collect()
}

/// What an engine file records of these options, as JSON.
#[pyfunction]
pub(crate) fn recorded_options(options: &Bound<'_, PyDict>) -> PyResult<String> {
    Ok(json!(read_options(options)?.recorded()).to_string())
}

/// The modes fp16, bf16 and int8 with what the name of a precision stands for, and the tolerance of a search; `None`
/// where nothing is searched for. A metric is a search without a tolerance, too.
///
/// # Errors
/// E0701 for a name that is none, and those of [`Options::settled`].
#[pyfunction]
pub(crate) fn settled_modes(
    py: Python<'_>,
    options: &Bound<'_, PyDict>,
    has_metric: bool,
) -> PyResult<((bool, bool, bool), Option<f64>)> {
    let mut given = read_options(options)?;
    if has_metric {
        given.convert.tolerance.get_or_insert_default();
    }
    let settled = given.settled().or_raise(py)?.convert;
    let modes = (settled.fp16_mode, settled.bf16_mode, settled.int8_mode);
    Ok((modes, settled.tolerance.map(SearchTolerance::get)))
}

/// What runs a model with these options, "cpu" or "tensorrt", and why. `on_host` is why the CPU engine is chosen where
/// the options leave it open and a GPU is available.
#[pyfunction]
pub(crate) fn choose_backend(
    py: Python<'_>,
    options: &Bound<'_, PyDict>,
    on_host: Option<String>,
) -> PyResult<(&'static str, String)> {
    let options = read_options(options)?;
    let chosen = py.detach(|| torch2trt::choose_backend(&options, on_host.as_deref()));
    let name = if chosen.backend == torch2trt::Backend::TensorRt { "tensorrt" } else { "cpu" };
    Ok((name, chosen.reason))
}

/// (min, opt, max) of each axis.
type Ranges = Vec<(i64, i64, i64)>;

/// Profiles as a list of dicts: input name to a list of (min, opt, max), an entry an axis.
fn profiles(value: &Bound<'_, PyAny>) -> PyResult<Vec<runtime::Profile>> {
    let given: Vec<BTreeMap<String, Ranges>> = value.extract()?;
    let range = |(min, opt, max)| runtime::SizeRange { min, opt, max };
    let profile = |axes: BTreeMap<String, Ranges>| runtime::Profile {
        symbols: BTreeMap::new(),
        axes: axes.into_iter().map(|(name, axes)| (name, axes.into_iter().map(range).collect())).collect(),
    };
    Ok(given.into_iter().map(profile).collect())
}
