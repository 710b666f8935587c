//! Networks and plans.

use crate::engine::Engine;
use crate::error::{OrRaise, raise};
use crate::path::UserPath;
use crate::progress::Bar;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;
use torch2trt::{Code, Options, PrecisionReport};

/// A network of TensorRT's layers.
#[pyclass(module = "torch2trt._core", frozen)]
pub(crate) struct Network {
    network: torch2trt::Network,
    precision: PrecisionReport,
    /// Number of layers that read int8, and the patterns of `keep_fp32` that name no module for them.
    int8: Option<(usize, Vec<String>)>,
    options: Options,
}

impl Network {
    pub(crate) fn new(network: torch2trt::Network, options: Options) -> Self {
        Self { network, precision: PrecisionReport::default(), int8: None, options }
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

    /// A copy that also outputs the largest magnitude of what each layer makes, and the names of those layers.
    fn observed(&self, py: Python<'_>) -> PyResult<(Self, Vec<String>)> {
        let (network, names) = torch2trt::observe(&self.network).map_err(torch2trt::Error::from).or_raise(py)?;
        Ok((Self::new(network, self.options.clone()), names))
    }

    /// The network in half precision where the options ask for it and it is safe. `ranges` are the largest magnitudes
    /// seen, by the names that `observed` gives.
    fn narrowed(&self, py: Python<'_>, ranges: HashMap<String, f32>) -> PyResult<Self> {
        let narrowed = py.detach(|| torch2trt::narrow(&self.network, &self.options, ranges));
        let (network, precision) = narrowed.or_raise(py)?;
        Ok(Self { network, precision, int8: None, options: self.options.clone() })
    }

    /// A copy that also outputs, as float32, what would be quantized, and the names of these tensors.
    fn calibrated(&self, py: Python<'_>) -> PyResult<(Self, Vec<String>)> {
        let made = torch2trt::calibrate(&self.network, &self.options.keep_fp32);
        let (network, names) = made.map_err(torch2trt::Error::from).or_raise(py)?;
        Ok((Self::new(network, self.options.clone()), names))
    }

    /// The network in int8, with these ranges by the names that `calibrated` gives.
    fn quantized(&self, py: Python<'_>, ranges: HashMap<String, f32>) -> PyResult<Self> {
        let made = py.detach(|| torch2trt::quantize(&self.network, &ranges, &self.options.keep_fp32));
        let made = made.map_err(torch2trt::Error::from).or_raise(py)?;
        let (precision, options) = (self.precision.clone(), self.options.clone());
        Ok(Self { network: made.network, precision, int8: Some((made.layers, made.unmatched)), options })
    }

    /// Number of layers that read int8.
    #[getter]
    fn int8_layers(&self) -> usize {
        self.int8.as_ref().map_or(0, |(layers, _)| *layers)
    }

    /// Number of layers that compute in half precision.
    #[getter]
    fn half_layers(&self) -> usize {
        self.precision.half
    }

    /// Layers that stay float32 although half precision was asked for: (layer, module, reason).
    #[getter]
    fn kept_float32(&self) -> Vec<(String, String, String)> {
        let row = |kept: &torch2trt::Kept| (kept.layer.clone(), kept.module.clone(), kept.reason.to_string());
        self.precision.kept.iter().map(row).collect()
    }

    /// Patterns of `keep_fp32` that match no module.
    #[getter]
    fn unmatched(&self) -> Vec<String> {
        let int8 = self.int8.as_ref().map(|(_, unmatched)| unmatched);
        int8.unwrap_or(&self.precision.unmatched).clone()
    }

    /// Makes the CPU engine.
    fn cpu_engine(&self, py: Python<'_>) -> PyResult<Engine> {
        Ok(Engine::new(py.detach(|| torch2trt::cpu_engine(&self.network, &self.options)).or_raise(py)?))
    }

    /// An engine with the weights of this network in place of its own, without a rebuild.
    fn refitted(&self, py: Python<'_>, engine: &Bound<'_, Engine>) -> PyResult<Engine> {
        let artifact = &engine.get().executable.artifact;
        Ok(Engine::new(py.detach(|| torch2trt::refit(artifact, &self.network, &self.options)).or_raise(py)?))
    }

    /// Writes an ONNX file; weights beyond protobuf's limit go to a file beside it.
    fn save_onnx(&self, py: Python<'_>, path: UserPath) -> PyResult<()> {
        py.detach(|| torch2trt::save_onnx(&self.network, &path.0)).or_raise(py)
    }

    /// Checks that TensorRT has every layer, without a build.
    fn check_target(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| torch2trt::check_target(&self.network, &self.options)).or_raise(py)
    }

    /// Builds a TensorRT plan, showing its progress. Ctrl-C cancels it.
    fn build(&self, py: Python<'_>, progress: &Bound<'_, Bar>) -> PyResult<Plan> {
        let bar = progress.get();
        let plan = interruptible(py, bar, || torch2trt::build_plan(&self.network, &self.options, bar))?;
        Ok(Plan { plan, options: self.options.clone() })
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
    plan: torch2trt::Plan,
    options: Options,
}

#[pymethods]
impl Plan {
    /// The plan's bytes, as TensorRT wrote them.
    fn serialize<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.plan.bytes())
    }

    /// Makes the engine, on this machine's GPU.
    fn engine(&self, py: Python<'_>) -> PyResult<Engine> {
        Ok(Engine::new(py.detach(|| torch2trt::tensorrt_engine(&self.plan, &self.options)).or_raise(py)?))
    }

    /// Writes an engine file to a path, or returns its bytes.
    #[pyo3(signature = (description, path = None))]
    fn save<'py>(
        &self,
        py: Python<'py>,
        description: &str,
        path: Option<PathBuf>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        crate::file::write(py, self.plan.artifact(), description, path)
    }

    /// Names of the inputs, in order.
    #[getter]
    fn input_names(&self) -> Vec<&str> {
        self.plan.artifact().declared.inputs.iter().map(|io| io.name.as_str()).collect()
    }

    /// Names of the outputs, in order.
    #[getter]
    fn output_names(&self) -> Vec<&str> {
        self.plan.artifact().declared.outputs.iter().map(|io| io.name.as_str()).collect()
    }

    /// Size in bytes.
    #[getter]
    fn size(&self) -> usize {
        self.plan.bytes().len()
    }

    /// What was built: (name, value) pairs for people.
    #[getter]
    fn summary(&self) -> Vec<(String, String)> {
        self.plan.summary()
    }
}
