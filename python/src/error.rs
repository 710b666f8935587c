//! Errors of the facade as Python exceptions that carry their code and help.

use pyo3::prelude::*;
use torch2trt::{CODES, Code, Error};

/// In a module of its own, because Python knows it by the name that the facade's error has here.
mod exception {
    pyo3::create_exception!(
        torch2trt,
        Error,
        pyo3::exceptions::PyRuntimeError,
        "Whatever torch2trt could not do.\n\nAttributes:\n    code: stable code, such as \"E0101\".\n    \
         message: what happened and where, without code and help.\n    place: operator, module path, file and line in \
         the model, or None.\n    help: what to do, or None.\n    nodes: indices of the program's nodes that do not \
         convert."
    );
}
pub(crate) use exception::Error as Exception;

/// The exception for an error; a cancelled build is a `KeyboardInterrupt` raised by the caller instead.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let exception = Exception::new_err(error.to_string());
    let value = exception.value(py);
    let attributes = value
        .setattr("code", error.code().number())
        .and_then(|()| value.setattr("message", error.message()))
        .and_then(|()| value.setattr("place", error.place()))
        .and_then(|()| value.setattr("help", error.help()))
        .and_then(|()| value.setattr("nodes", error.nodes()));
    attributes.err().unwrap_or(exception)
}

/// An option that does not exist, or a value it does not take.
pub(crate) fn bad_option(py: Python<'_>, message: impl Into<String>) -> PyErr {
    raise(py, &Error::new(Code::BadOption, message))
}

/// As [`bad_option`], with what to give instead.
pub(crate) fn bad_value(py: Python<'_>, message: impl Into<String>, help: impl Into<String>) -> PyErr {
    raise(py, &Error::new(Code::BadOption, message).with_help(help))
}

/// The error of an option with a rejected value: its message and help are those of the rejection.
pub(crate) fn refused_option(py: Python<'_>, name: &str, refused: &PyErr) -> PyErr {
    let field = |name: &str| refused.value(py).getattr(name).and_then(|text| text.extract::<String>()).ok();
    let problem = field("message").unwrap_or_else(|| refused.value(py).to_string());
    let error = Error::new(Code::BadOption, format!("option `{name}`: {problem}"));
    raise(py, &field("help").into_iter().fold(error, Error::with_help))
}

/// Shortens `map_err(|e| raise(py, &e.into()))`.
pub(crate) trait OrRaise<T> {
    /// The value, or the error as a Python exception.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T, E: Into<Error>> OrRaise<T> for Result<T, E> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| raise(py, &error.into()))
    }
}

/// Every error code with a one-line summary.
#[pyfunction]
pub(crate) fn error_codes() -> Vec<(&'static str, &'static str)> {
    CODES.iter().map(|(_, number, summary)| (*number, *summary)).collect()
}
