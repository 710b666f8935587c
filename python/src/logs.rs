//! The messages of TensorRT, ONNX Runtime and the Rust half, in Python's logging: `torch2trt.tensorrt` and its like.
//!
//! Every message costs the interpreter's lock, so those that nobody would see are dropped before it is asked for.

use log::LevelFilter;
use pyo3::prelude::*;

/// Sends the messages to Python; none of them until [`set_log_level`] selects them.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let logger = pyo3_log::Logger::new(py, pyo3_log::Caching::Loggers)?.filter(LevelFilter::Trace);
    // Another logger of this library, which is loaded once a process, cannot be there.
    let _ = logger.install();
    silence();
    Ok(())
}

/// Drops all messages.
pub(crate) fn silence() {
    log::set_max_level(LevelFilter::Off);
}

/// Lets messages of a level of Python's logging and above through.
#[pyfunction]
pub(crate) fn set_log_level(level: i32) {
    log::set_max_level(match level {
        ..10 => LevelFilter::Trace,
        10..20 => LevelFilter::Debug,
        20..30 => LevelFilter::Info,
        30..40 => LevelFilter::Warn,
        _ => LevelFilter::Error,
    });
}
