//! Reads the options of a conversion from Python keyword arguments.

use crate::error::bad_option;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use runtime::CudaGraph;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use torch2trt::{Backend, Cache, CalibrationAlgorithm, Half, Options, TacticSource};

/// Reads options; the names are those of [`Options`].
///
/// # Errors
/// E0701 for a name that is none, or a value of another type.
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
            "half" => options.half = Some(half(&value)?),
            "int8" => options.int8 = value.extract().map_err(wrong)?,
            "int8_calib_algorithm" => options.int8_calib_algorithm = calibration_algorithm(&value)?,
            "keep_fp32" => options.keep_fp32 = value.extract().map_err(wrong)?,
            "target" => options.target = value.extract().map_err(wrong)?,
            "max_workspace_size" => options.max_workspace_size = value.extract().map_err(wrong)?,
            "optimization_level" => options.optimization_level = value.extract().map_err(wrong)?,
            "avg_timing_iterations" => options.avg_timing_iterations = value.extract().map_err(wrong)?,
            "build_threads" => options.build_threads = Some(value.extract::<NonZeroUsize>().map_err(wrong)?),
            "tactic_sources" => options.tactic_sources = Some(tactic_sources(&value)?),
            "tensorrt" => options.tensorrt = value.extract().map_err(wrong)?,
            "plugins" => options.plugins = value.extract().map_err(wrong)?,
            "onnxruntime" => options.onnxruntime = value.extract().map_err(wrong)?,
            "site_packages" => options.site_packages = value.extract().map_err(wrong)?,
            "threads" => options.threads = Some(value.extract::<NonZeroUsize>().map_err(wrong)?),
            "device" => options.device = value.extract().map_err(wrong)?,
            "use_cuda_graph" => options.cuda_graph = cuda_graph(&value)?,
            "version_compatible" => options.version_compatible = value.extract().map_err(wrong)?,
            "hardware_compatible" => options.hardware_compatible = value.extract().map_err(wrong)?,
            "refittable" => options.refittable = value.extract().map_err(wrong)?,
            "timing_cache" => options.timing_cache = cache(&value).map_err(wrong)?,
            "engine_cache" => options.engine_cache = cache(&value).map_err(wrong)?,
            "verbose" => options.verbose = value.extract().map_err(wrong)?,
            "trusted" => options.trusted = value.extract().map_err(wrong)?,
            "profiles" => options.profiles = profiles(&value).map_err(wrong)?,
            _ => return Err(bad_option(py, format!("there is no option `{name}`"))),
        }
    }
    Ok(options)
}

/// TensorRT's name of an algorithm.
fn calibration_algorithm(value: &Bound<'_, PyAny>) -> PyResult<CalibrationAlgorithm> {
    let name: String = value.extract().unwrap_or_default();
    CalibrationAlgorithm::from_name(&name).ok_or_else(|| {
        let known = CalibrationAlgorithm::ALL.map(|(_, name)| name).join(", ");
        bad_option(value.py(), format!("option `int8_calib_algorithm` is {value}\nhelp: give one of {known}"))
    })
}

/// TensorRT's names of tactic sources.
fn tactic_sources(value: &Bound<'_, PyAny>) -> PyResult<Vec<TacticSource>> {
    let known = || TacticSource::ALL.iter().map(|source| source.name()).collect::<Vec<_>>().join(", ");
    let wrong = |problem: String| bad_option(value.py(), format!("{problem}\nhelp: give a list of {}", known()));
    let given: Vec<String> =
        value.extract().map_err(|_| wrong(format!("option `tactic_sources` is {value}, no list of names")))?;
    let source = |name: &String| {
        TacticSource::from_name(name).ok_or_else(|| wrong(format!("there is no tactic source `{name}`")))
    };
    given.iter().map(source).collect()
}

/// `"float16"` or `"bfloat16"`.
fn half(value: &Bound<'_, PyAny>) -> PyResult<Half> {
    let name: String = value.extract().unwrap_or_default();
    let found = [Half::Float16, Half::BFloat16].into_iter().find(|half| half.dtype().name() == name);
    found.ok_or_else(|| {
        let text = format!("option `half` is `{value}`\nhelp: use \"float16\" or \"bfloat16\", or leave it out");
        bad_option(value.py(), text)
    })
}

/// `True`, `False` or `"auto"`.
fn cuda_graph(value: &Bound<'_, PyAny>) -> PyResult<CudaGraph> {
    if let Ok(on) = value.extract::<bool>() {
        return Ok(if on { CudaGraph::Always } else { CudaGraph::Never });
    }
    if value.extract::<String>().is_ok_and(|text| text == "auto") {
        return Ok(CudaGraph::Auto);
    }
    Err(bad_option(
        value.py(),
        "option `use_cuda_graph` is neither True, False nor \"auto\"\nhelp: leave it out for \"auto\"",
    ))
}

/// A path, `True` for the one in the user's cache folder, or `False` for none.
fn cache(value: &Bound<'_, PyAny>) -> PyResult<Cache> {
    Ok(match value.extract::<bool>() {
        Ok(true) => Cache::User,
        Ok(false) => Cache::Off,
        Err(_) => Cache::At(value.extract()?),
    })
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
