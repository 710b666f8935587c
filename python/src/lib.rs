//! `torch2trt._core`: the door between Python and the Rust pipeline.
//!
//! Tensors and weights cross it by pointer, errors as `torch2trt.Error` with their code, long work with the
//! interpreter released and Ctrl-C handled. It holds no conversion logic: every function here reads its arguments,
//! calls the facade and wraps the result.
#![deny(unsafe_code)]

mod bench;
mod builder;
mod closing;
mod command;
mod comparison;
mod converter;
mod device;
mod engine;
mod error;
mod file;
mod logs;
mod network;
mod options;
mod out;
mod path;
mod precision;
mod profiles;
mod progress;
mod report;
mod size;
#[allow(unsafe_code, reason = "the Python pointer edge: memory of torch tensors")]
mod tensor;
mod user_network;
mod values;

use pyo3::prelude::*;

/// The compiled half of the `torch2trt` package.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<builder::ProgramBuilder>()?;
    module.add_class::<builder::Program>()?;
    module.add_class::<network::Network>()?;
    module.add_class::<network::Plan>()?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<progress::Bar>()?;
    module.add_class::<comparison::Comparison>()?;
    module.add_class::<device::RetainedBuilder>()?;
    module.add_class::<converter::CallSite>()?;
    module.add_class::<user_network::Size>()?;
    module.add_class::<user_network::TensorInfo>()?;
    module.add_class::<user_network::UserNetwork>()?;
    module.add_function(wrap_pyfunction!(user_network::infer, module)?)?;
    module.add_function(wrap_pyfunction!(bench::describe_calls, module)?)?;
    module.add_function(wrap_pyfunction!(builder::operators, module)?)?;
    module.add_function(wrap_pyfunction!(builder::read_archive, module)?)?;
    let close = wrap_pyfunction!(closing::close, module)?;
    module.py().import("atexit")?.call_method1("register", (close,))?;
    logs::install(module.py())?;
    module.add_function(wrap_pyfunction!(logs::set_log_level, module)?)?;
    module.add_function(wrap_pyfunction!(command::run_command, module)?)?;
    module.add_function(wrap_pyfunction!(command::site_packages, module)?)?;
    module.add_function(wrap_pyfunction!(comparison::compare, module)?)?;
    module.add_function(wrap_pyfunction!(comparison::difference, module)?)?;
    module.add_function(wrap_pyfunction!(device::find_tensorrt, module)?)?;
    module.add_function(wrap_pyfunction!(device::plugin_creators, module)?)?;
    module.add_function(wrap_pyfunction!(device::plugin_fields, module)?)?;
    module.add_function(wrap_pyfunction!(error::error_codes, module)?)?;
    module.add_function(wrap_pyfunction!(options::choose_backend, module)?)?;
    module.add_function(wrap_pyfunction!(options::options, module)?)?;
    module.add_function(wrap_pyfunction!(options::recorded_options, module)?)?;
    module.add_function(wrap_pyfunction!(options::settled_modes, module)?)?;
    module.add_function(wrap_pyfunction!(file::is_engine_file, module)?)?;
    module.add_function(wrap_pyfunction!(engine::load_engine, module)?)?;
    module.add_function(wrap_pyfunction!(engine::load_plan, module)?)?;
    module.add_function(wrap_pyfunction!(file::read_manifest, module)?)?;
    module.add_function(wrap_pyfunction!(file::write_file, module)?)?;
    module.add_function(wrap_pyfunction!(profiles::shape_profiles, module)?)?;
    module.add_function(wrap_pyfunction!(report::write_report, module)?)?;
    module.add_function(wrap_pyfunction!(size::symbolic_size, module)?)?;
    module.add("Error", module.py().get_type::<error::Exception>())?;
    Ok(())
}
