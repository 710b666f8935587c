//! Sizes of a captured graph: from sympy expressions to the grammar of programs.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use torch2trt::{SymbolRanges, SymbolicSize};

/// A size: a number, or the text of an expression.
#[derive(IntoPyObject)]
pub(crate) enum Size {
    Fixed(i64),
    Symbolic(String),
}

/// The size of a sympy expression, from its text (`srepr`), and the largest values of symbols for which it is right.
///
/// # Errors
/// `ValueError` for one that has no form.
#[pyfunction]
pub(crate) fn symbolic_size(
    py: Python<'_>,
    text: String,
    ranges: Option<SymbolRanges>,
) -> PyResult<(Size, Vec<(String, i64)>)> {
    let read = py.detach(|| torch2trt::symbolic_size(&text, ranges));
    let SymbolicSize { dim, limits } = read.map_err(PyValueError::new_err)?;
    Ok((dim.as_static().map_or_else(|| Size::Symbolic(dim.to_string()), Size::Fixed), limits))
}
