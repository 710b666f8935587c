//! Networks and plans.

use crate::engine::Engine;
use crate::error::{OrRaise, raise};
use crate::progress::Bar;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;
use torch2trt::{Code, Options};

/// A network of TensorRT's layers.
#[pyclass(module = "torch2trt._core", frozen)]
pub(crate) struct Network {
    network: torch2trt::Network,
    options: Options,
}

impl Network {
    pub(crate) fn new(network: torch2trt::Network, options: Options) -> Self {
        Self { network, options }
    }
}

#[pymethods]
impl Network {
    /// The canonical text form.
    fn __str__(&self) -> String {
        self.network.to_string()
    }

    /// Number of layers.
    #[getter]
    fn layer_count(&self) -> usize {
        self.network.layers().len()
    }

    /// Bytes of all constants.
    #[getter]
    fn weight_bytes(&self) -> usize {
        self.network.weight_bytes()
    }

    /// Makes the CPU engine.
    fn cpu_engine(&self, py: Python<'_>) -> PyResult<Engine> {
        Ok(Engine::new(py.detach(|| torch2trt::cpu_engine(&self.network, &self.options)).or_raise(py)?))
    }

    /// Writes an ONNX file; weights beyond protobuf's limit go to a file beside it.
    fn save_onnx(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| torch2trt::save_onnx(&self.network, &path)).or_raise(py)
    }

    /// Builds a TensorRT plan, showing its progress. Ctrl-C cancels it.
    fn build(&self, py: Python<'_>, progress: &Bound<'_, Bar>) -> PyResult<Plan> {
        let bar = progress.get();
        let plan = interruptible(py, bar, || torch2trt::build_plan(&self.network, &self.options, bar))?;
        let (size, summary) = (plan.bytes().len(), plan.summary());
        Ok(Plan { plan: Mutex::new(Some(plan)), options: self.options.clone(), size, summary })
    }
}

/// Runs long work on a thread of its own, so that this one can listen for Ctrl-C.
fn interruptible<T: Send>(
    py: Python<'_>,
    bar: &Bar,
    work: impl FnOnce() -> torch2trt::Result<T> + Send,
) -> PyResult<T> {
    let (result, interrupt) = std::thread::scope(|scope| {
        let listener = std::thread::current();
        let worker = scope.spawn(move || {
            let result = work();
            listener.unpark();
            result
        });
        let mut interrupt = None;
        while !worker.is_finished() {
            py.detach(|| std::thread::park_timeout(Duration::from_millis(20)));
            if let Err(signal) = py.check_signals() {
                bar.cancel();
                interrupt.get_or_insert(signal);
            }
        }
        (worker.join(), interrupt)
    });
    match (result, interrupt) {
        (_, Some(signal)) => Err(signal),
        (Ok(result), None) => result.or_raise(py),
        (Err(_), None) => Err(raise(py, &torch2trt::Error::new(Code::TensorRt, "the build stopped unexpectedly"))),
    }
}

/// A serialized TensorRT engine, and what is known of it.
#[pyclass(module = "torch2trt._core", frozen)]
pub(crate) struct Plan {
    /// Until an engine is made of it.
    plan: Mutex<Option<torch2trt::Plan>>,
    options: Options,
    size: usize,
    summary: Vec<(String, String)>,
}

impl Plan {
    fn taken(py: Python<'_>) -> PyErr {
        raise(py, &torch2trt::Error::new(Code::BadOption, "the plan was made into an engine, which has its bytes now"))
    }
}

#[pymethods]
impl Plan {
    /// The plan's bytes, as TensorRT wrote them.
    fn serialize<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let plan = self.plan.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        plan.as_ref().map(|plan| PyBytes::new(py, plan.bytes())).ok_or_else(|| Self::taken(py))
    }

    /// Makes the engine, on this machine's GPU. The plan goes with it.
    fn engine(&self, py: Python<'_>) -> PyResult<Engine> {
        let plan = self.plan.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let plan = plan.ok_or_else(|| Self::taken(py))?;
        Ok(Engine::new(py.detach(|| torch2trt::tensorrt_engine(plan, &self.options)).or_raise(py)?))
    }

    /// Size in bytes.
    #[getter]
    fn size(&self) -> usize {
        self.size
    }

    /// What was built: (name, value) pairs for people.
    #[getter]
    fn summary(&self) -> Vec<(String, String)> {
        self.summary.clone()
    }
}
