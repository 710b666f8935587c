//! Outputs compared with PyTorch's: the measure and the tolerances of the facade, on torch tensors.

use crate::error::{bad_option, raise};
use crate::tensor::TorchTensor;
use program::ScalarType;
use pyo3::prelude::*;
use torch2trt::Half;

/// An output compared with PyTorch's.
#[pyclass(module = "torch2trt._core", frozen)]
pub(crate) struct Comparison(torch2trt::Comparison);

#[pymethods]
impl Comparison {
    /// max |expected - got| / max |expected|.
    #[getter]
    fn difference(&self) -> f64 {
        self.0.difference
    }

    /// The largest difference that counts as rounding.
    #[getter]
    fn allowed(&self) -> f64 {
        self.0.allowed
    }

    /// Whether the precision explains the difference.
    #[getter]
    fn is_rounding(&self) -> bool {
        self.0.is_rounding()
    }

    /// The error E0702 of an output. `place` is where the difference was found, such as " at min shapes".
    fn error(&self, py: Python<'_>, output: &str, place: &str) -> Py<PyAny> {
        raise(py, &self.0.error(output, "PyTorch", place)).into_value(py).into_any()
    }
}

/// Compares an output with PyTorch's, which computes it in the half-precision types `computed_in`. `half` is the type
/// of mixed precision, `quantized` whether layers read int8 or float8. Complex tensors come as pairs of real numbers.
#[pyfunction]
pub(crate) fn compare(
    py: Python<'_>,
    expected: &Bound<'_, PyAny>,
    got: &Bound<'_, PyAny>,
    computed_in: Vec<String>,
    half: Option<&str>,
    quantized: bool,
    on_gpu: bool,
) -> PyResult<Comparison> {
    let types = computed_in.iter().filter_map(|name| name.parse::<ScalarType>().ok()).collect::<Vec<_>>();
    let half = half.map(|name| half_named(py, name)).transpose()?;
    let tolerance = torch2trt::Tolerance { half, quantized, on_gpu };
    let (expected, got) = (TorchTensor::new(expected)?, TorchTensor::new(got)?);
    let (expected, got) = (expected.view(py)?, got.view(py)?);
    Ok(Comparison(py.detach(|| tolerance.compare(&expected, &got, &types))))
}

/// max |expected - got| / max |expected| of two tensors on the CPU; infinite where sizes, NaNs or infinities differ.
#[pyfunction]
pub(crate) fn difference(py: Python<'_>, expected: &Bound<'_, PyAny>, got: &Bound<'_, PyAny>) -> PyResult<f64> {
    let (expected, got) = (TorchTensor::new(expected)?, TorchTensor::new(got)?);
    let (expected, got) = (expected.view(py)?, got.view(py)?);
    Ok(py.detach(|| torch2trt::difference(&expected, &got)))
}

fn half_named(py: Python<'_>, name: &str) -> PyResult<Half> {
    let known = [Half::Float16, Half::BFloat16].into_iter().find(|half| half.dtype().name() == name);
    known.ok_or_else(|| bad_option(py, format!("`{name}` is no half-precision type")))
}
