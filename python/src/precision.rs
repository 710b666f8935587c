//! What the precision of a network is decided on, from Python: samples, a reference and a metric.

use crate::engine::from_owned;
use crate::error::OrRaise;
use crate::tensor::TorchTensor;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList};
use runtime::{Device, Tensor};
use torch2trt::{Code, Metric, Reference, Samples, SearchReport};

/// Calls of Python from the facade, whose errors cannot hold an exception: it is remembered.
#[derive(Default)]
pub(crate) struct Raised(Option<PyErr>);

impl Raised {
    pub(crate) fn or_remember<T>(&mut self, call: impl FnOnce(Python<'_>) -> PyResult<T>) -> torch2trt::Result<T> {
        Python::attach(call).map_err(|raised| {
            let error = torch2trt::Error::new(Code::BadInputs, raised.to_string());
            self.0 = Some(raised);
            error
        })
    }

    pub(crate) fn check(self) -> PyResult<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Samples that are torch tensors.
pub(crate) struct TorchSamples {
    sample: Vec<Py<PyAny>>,
    rows: Option<Py<PyIterator>>,
    raised: Raised,
}

impl TorchSamples {
    pub(crate) fn new(sample: Vec<Py<PyAny>>, rows: Option<Py<PyIterator>>) -> Self {
        Self { sample, rows, raised: Raised::default() }
    }

    /// Raises the exception that ended the iteration.
    pub(crate) fn check(self) -> PyResult<()> {
        self.raised.check()
    }
}

impl Samples for TorchSamples {
    fn sample(&mut self) -> torch2trt::Result<Option<Vec<Tensor>>> {
        let sample = &self.sample;
        self.raised.or_remember(|py| sample.iter().map(|tensor| in_host(tensor.bind(py))).collect()).map(Some)
    }

    fn next_calibration(&mut self) -> torch2trt::Result<Option<Vec<Tensor>>> {
        let rows = &self.rows;
        self.raised.or_remember(|py| {
            let Some(rows) = rows else { return Ok(None) };
            let Some(row) = rows.clone_ref(py).into_bound(py).next() else { return Ok(None) };
            row?.try_iter()?.map(|tensor| in_host(&tensor?)).collect::<PyResult<Vec<_>>>().map(Some)
        })
    }

    fn check_interrupt(&mut self) -> torch2trt::Result<()> {
        self.raised.or_remember(|py| {
            py.check_signals()?;
            Ok(())
        })
    }
}

/// A function from the tensors of the engine's inputs to those of its outputs, as PyTorch computes them.
pub(crate) struct TorchReference {
    function: Py<PyAny>,
    raised: Raised,
}

impl TorchReference {
    pub(crate) fn new(function: Py<PyAny>) -> Self {
        Self { function, raised: Raised::default() }
    }

    /// Raises the exception of the function.
    pub(crate) fn check(self) -> PyResult<()> {
        self.raised.check()
    }
}

impl Reference for TorchReference {
    fn name(&self) -> &'static str {
        "PyTorch"
    }

    fn outputs(&mut self, inputs: &[Tensor]) -> torch2trt::Result<Vec<Tensor>> {
        let function = &self.function;
        self.raised.or_remember(|py| {
            let made = function.bind(py).call1((in_torch(py, inputs)?,))?;
            made.try_iter()?.map(|tensor| in_host(&tensor?)).collect()
        })
    }
}

/// A function from the inputs of all samples and the outputs for them to a number; higher is better.
pub(crate) struct TorchMetric {
    function: Py<PyAny>,
    raised: Raised,
}

impl TorchMetric {
    pub(crate) fn new(function: Py<PyAny>) -> Self {
        Self { function, raised: Raised::default() }
    }

    /// Raises the exception of the function.
    pub(crate) fn check(self) -> PyResult<()> {
        self.raised.check()
    }
}

impl Metric for TorchMetric {
    fn of(&mut self, inputs: &[Vec<Tensor>], outputs: Vec<Vec<Tensor>>) -> torch2trt::Result<f64> {
        let function = &self.function;
        self.raised.or_remember(|py| {
            let all = |rows: &[Vec<Tensor>]| {
                let rows = rows.iter().map(|row| in_torch(py, row)).collect::<PyResult<Vec<_>>>()?;
                PyList::new(py, rows)
            };
            function.bind(py).call1((all(inputs)?, all(&outputs)?))?.extract()
        })
    }
}

/// A copy of a torch tensor in host memory.
pub(crate) fn in_host(tensor: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    let py = tensor.py();
    let tensor = TorchTensor::new(&tensor.call_method0("detach")?.call_method0("cpu")?)?;
    Tensor::copy_of(&tensor.view(py)?, Device::Cpu).or_raise(py)
}

/// Copies of tensors in host memory as torch tensors.
pub(crate) fn in_torch<'py, 't>(
    py: Python<'py>,
    tensors: impl IntoIterator<Item = &'t Tensor>,
) -> PyResult<Bound<'py, PyList>> {
    let copy = |tensor: &Tensor| {
        let copy = Tensor::copy_of(&tensor.view(), Device::Cpu).or_raise(py)?;
        Ok(from_owned(py, copy)?.into_inner())
    };
    PyList::new(py, tensors.into_iter().map(copy).collect::<PyResult<Vec<_>>>()?)
}

/// What a search found, by the names of `torch2trt.report.PrecisionSearch`.
pub(crate) fn as_dict<'py>(py: Python<'py>, found: &SearchReport) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("tolerance", found.tolerance)?;
    dict.set_item("reference_metric", found.reference_metric)?;
    dict.set_item("before", found.before)?;
    dict.set_item("after", found.after)?;
    let kept = found.kept.iter().map(|kept| (&kept.layer, &kept.module, &kept.position, kept.without));
    dict.set_item("kept", kept.collect::<Vec<_>>())?;
    dict.set_item("lower", found.kept.iter().map(|kept| kept.lower).collect::<Vec<_>>())?;
    dict.set_item("keep_fp32", &found.keep_fp32)?;
    dict.set_item("keep_unquantized", &found.keep_unquantized)?;
    dict.set_item("arguments", arguments(py, found)?)?;
    dict.set_item("evaluations", found.evaluations)?;
    dict.set_item("samples", found.samples)?;
    dict.set_item("is_complete", found.is_complete)?;
    dict.set_item("rows", found.rows())?;
    Ok(dict)
}

/// The keyword arguments that give the same network without a search.
fn arguments<'py>(py: Python<'py>, found: &SearchReport) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("precision", found.precision())?;
    if let Some(mode) = found.mode() {
        dict.set_item(mode, true)?;
    }
    for (option, patterns) in found.patterns() {
        dict.set_item(option, patterns)?;
    }
    Ok(dict)
}
