//! Engines: torch tensors in, torch tensors out.

use crate::error::OrRaise;
use crate::tensor::{TorchTensor, empty};
use pyo3::prelude::*;
use pyo3::types::PyList;
use runtime::{Device, RunOptions};
use std::sync::Arc;

/// Something that runs: a CPU engine or a TensorRT engine.
#[pyclass(module = "torch2trt._core", frozen)]
pub(crate) struct Engine {
    pub(crate) engine: Arc<dyn runtime::Engine>,
    /// Addresses of the weights that the engine reads where they lie.
    pub(crate) borrowed: Vec<usize>,
}

#[pymethods]
impl Engine {
    /// Runs the engine on torch tensors, in the order of its inputs. Returns new torch tensors.
    #[pyo3(signature = (inputs, stream = None))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        inputs: Vec<Bound<'py, PyAny>>,
        stream: Option<usize>,
    ) -> PyResult<Bound<'py, PyList>> {
        let options = RunOptions { stream, profile: None };
        let inputs: Vec<TorchTensor> = inputs.iter().map(TorchTensor::new).collect::<PyResult<_>>()?;
        let dims: Vec<&[i64]> = inputs.iter().map(|t| t.dims.as_slice()).collect();
        let output_dims = self.engine.output_dims(&dims).or_raise(py)?;
        let views = inputs.iter().map(|t| t.view(py)).collect::<PyResult<Vec<_>>>()?;
        let Some(output_dims) = output_dims.into_iter().collect::<Option<Vec<_>>>() else {
            let outputs = py.detach(|| self.engine.run_alloc(&views, &options)).or_raise(py)?;
            return PyList::new(py, outputs.iter().map(|t| from_owned(py, t)).collect::<PyResult<Vec<_>>>()?);
        };
        let specs = &self.engine.spec().outputs;
        let device = self.engine.device();
        let made: Vec<_> = specs
            .iter()
            .zip(&output_dims)
            .map(|(io, dims)| empty(py, dims, io.dtype, device))
            .collect::<PyResult<_>>()?;
        let mut outputs: Vec<TorchTensor> = made.iter().map(TorchTensor::new).collect::<PyResult<_>>()?;
        let mut views_mut = outputs.iter_mut().map(|t| t.view_mut(py)).collect::<PyResult<Vec<_>>>()?;
        py.detach(|| self.engine.run(&views, &mut views_mut, &options)).or_raise(py)?;
        PyList::new(py, made)
    }

    /// Inputs: (name, dtype, sizes as numbers or expressions).
    #[getter]
    fn inputs(&self) -> Vec<(String, String, Vec<String>)> {
        self.engine.spec().inputs.iter().map(describe).collect()
    }

    /// Outputs: (name, dtype, sizes as numbers or expressions).
    #[getter]
    fn outputs(&self) -> Vec<(String, String, Vec<String>)> {
        self.engine.spec().outputs.iter().map(describe).collect()
    }

    /// Addresses of the weights that the engine reads where they lie: memory of the model's own tensors among them.
    #[getter]
    fn borrowed(&self) -> Vec<usize> {
        self.borrowed.clone()
    }

    /// Where inputs must lie: "cpu" or "cuda:0".
    #[getter]
    fn device(&self) -> String {
        match self.engine.device() {
            Device::Cpu => "cpu".into(),
            Device::Cuda(index) => format!("cuda:{index}"),
        }
    }

    /// One line: what runs, its version, threads or device.
    #[getter]
    fn description(&self) -> String {
        self.engine.description()
    }
}

fn describe(io: &runtime::IoSpec) -> (String, String, Vec<String>) {
    (io.name.clone(), io.dtype.name().to_owned(), io.dims.iter().map(ToString::to_string).collect())
}

/// A torch tensor with a copy of a tensor that the engine allocated.
fn from_owned<'py>(py: Python<'py>, tensor: &runtime::Tensor) -> PyResult<Bound<'py, PyAny>> {
    let made = empty(py, tensor.dims(), tensor.dtype(), tensor.device())?;
    TorchTensor::new(&made)?.view_mut(py)?.copy_from(&tensor.view()).or_raise(py)?;
    Ok(made)
}
