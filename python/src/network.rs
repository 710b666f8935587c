//! Networks and plans.

use crate::engine::Engine;
use crate::error::{OrRaise, raise};
use crate::path::UserPath;
use crate::precision::{TorchMetric, TorchReference, TorchSamples, as_dict, in_host};
use crate::progress::Bar;
use crate::values::TorchValues;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator};
use std::path::PathBuf;
use std::time::Duration;
use torch2trt::{Backend, Code, DebugOptions, Debugged, EngineFacts, Options, Precise};

/// A network of TensorRT's layers.
#[pyclass(module = "torch2trt._core", frozen)]
pub(crate) struct Network {
    made: Precise,
    options: Options,
}

impl Network {
    pub(crate) fn new(network: torch2trt::Network, options: Options) -> Self {
        Self { made: Precise::unchanged(network), options }
    }
}

#[pymethods]
impl Network {
    /// The canonical text form, with the sizes that an engine is built for.
    fn __str__(&self) -> String {
        torch2trt::network_text(&self.made.network, &self.options.profiles)
    }

    /// The network as SVG, coloured by the types that layers compute in. Modules are folded where it would have more
    /// than `most` layers and modules.
    #[pyo3(signature = (most = torch2trt::UNFOLDED))]
    fn to_svg(&self, py: Python<'_>, most: usize) -> String {
        py.detach(|| torch2trt::network_svg(&self.made.network, &self.options.profiles, most))
    }

    /// What notebooks draw.
    fn _repr_html_(&self, py: Python<'_>) -> String {
        self.to_svg(py, torch2trt::UNFOLDED)
    }

    /// Number of layers.
    #[getter]
    fn layer_count(&self) -> usize {
        self.made.network.layers().len()
    }

    /// Bytes of all constants.
    #[getter]
    fn weight_bytes(&self) -> usize {
        self.made.network.weight_bytes()
    }

    /// The network in the precision of the options. `sample` are the tensors of the sample inputs, and `rows` iterates
    /// over the tensors of each call to calibrate on.
    #[pyo3(signature = (sample, rows = None))]
    fn precise(&self, py: Python<'_>, sample: Vec<Py<PyAny>>, rows: Option<Py<PyIterator>>) -> PyResult<Self> {
        let mut samples = TorchSamples::new(sample, rows);
        let made = py.detach(|| torch2trt::precision(&self.made.network, &self.options, &mut samples));
        samples.check()?;
        Ok(Self { made: made.or_raise(py)?, options: self.options.clone() })
    }

    /// The network in which the layers that the tolerance of the options needs keep a higher precision. `sample` and
    /// `rows` are as in `precise`; `reference` and `metric` are functions, see `TorchReference` and `TorchMetric`.
    #[pyo3(signature = (sample, rows = None, reference = None, metric = None))]
    fn searched(
        &self,
        py: Python<'_>,
        sample: Vec<Py<PyAny>>,
        rows: Option<Py<PyIterator>>,
        reference: Option<Py<PyAny>>,
        metric: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let (network, options) = (&self.made.network, &self.options);
        let mut samples = TorchSamples::new(sample, rows);
        let mut pytorch = reference.map(TorchReference::new);
        let mut metric = metric.map(TorchMetric::new);
        let made = py.detach(|| {
            let metric = metric.as_mut().map(|metric| metric as &mut dyn torch2trt::Metric);
            match &mut pytorch {
                Some(pytorch) => torch2trt::search(network, options, &mut samples, pytorch, metric),
                None => {
                    let mut reference = torch2trt::Float32::new(network, options)?;
                    torch2trt::search(network, options, &mut samples, &mut reference, metric)
                }
            }
        });
        samples.check()?;
        pytorch.map_or(Ok(()), TorchReference::check)?;
        metric.map_or(Ok(()), TorchMetric::check)?;
        Ok(Self { made: made.or_raise(py)?, options: options.clone() })
    }

    /// Which call of the model the engine of this network gets wrong, on inputs of one call: a report, and the same as
    /// JSON. `plain` is the network as it was converted, and `reference` has PyTorch's values, see `TorchValues`.
    #[pyo3(signature = (plain, inputs, reference, computed_in, max_error = None, memory = None, output = None))]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments of one call in Python")]
    fn debug(
        &self,
        py: Python<'_>,
        plain: &Bound<'_, Self>,
        inputs: Vec<Bound<'_, PyAny>>,
        reference: &Bound<'_, PyAny>,
        computed_in: Vec<String>,
        max_error: Option<f64>,
        memory: Option<u64>,
        output: Option<PathBuf>,
    ) -> PyResult<(String, String)> {
        let inputs = inputs.iter().map(in_host).collect::<PyResult<Vec<_>>>()?;
        let mut reference = TorchValues::new(reference)?;
        let computed_in: Vec<_> = computed_in.iter().filter_map(|name| name.parse().ok()).collect();
        let plain = &plain.get().made.network;
        let asked = DebugOptions { max_error, output, ..DebugOptions::within(memory) };
        let found = py.detach(|| {
            let (network, options) = (&self.made.network, &self.options);
            let tolerance = self.made.tolerance(options, options.convert.backend == Backend::TensorRt);
            let inputs = &inputs;
            let subject = Debugged { network, plain, options, inputs, tolerance, computed_in: &computed_in };
            torch2trt::debug(subject, &mut reference, &asked)
        });
        reference.check()?;
        let found = found.or_raise(py)?;
        Ok((found.text(), found.to_json().to_string()))
    }

    /// What a precision search found.
    #[getter]
    fn search<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.made.search.as_ref().map(|found| as_dict(py, found)).transpose()
    }

    /// What the user should know of the precision.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.made.notes.clone()
    }

    /// The type that layers are quantized to, `int8` or `fp8`, and their number; `None` where nothing was asked for.
    #[getter]
    fn quantized(&self) -> Option<(&'static str, usize)> {
        self.made.quantized.as_ref().map(|report| (report.quantization.name(), report.layers.len()))
    }

    /// Whether it quantizes, because of the options or as the model does.
    #[getter]
    fn is_quantized(&self) -> bool {
        self.made.is_quantized()
    }

    /// Number of layers that compute in half precision.
    #[getter]
    fn half_layers(&self) -> usize {
        self.made.half.half.len()
    }

    /// Layers that stay float32 although half precision was asked for: (layer, module, reason).
    #[getter]
    fn kept_float32(&self) -> Vec<(String, String, String)> {
        self.made.kept_float32()
    }

    /// Patterns that match no module or layer, each with its option.
    #[getter]
    fn unmatched(&self) -> Vec<(&'static str, String)> {
        self.made.unmatched()
    }

    /// Makes the CPU engine.
    fn cpu_engine(&self, py: Python<'_>) -> PyResult<Engine> {
        Ok(Engine::new(py.detach(|| torch2trt::cpu_engine(&self.made.network, &self.options)).or_raise(py)?))
    }

    /// An engine with the weights of this network in place of its own, without a rebuild.
    fn refitted(&self, py: Python<'_>, engine: &Bound<'_, Engine>) -> PyResult<Engine> {
        let artifact = &engine.get().executable.artifact;
        Ok(Engine::new(py.detach(|| torch2trt::refit(artifact, &self.made.network, &self.options)).or_raise(py)?))
    }

    /// Writes an ONNX file; weights beyond protobuf's limit go to a file next to it.
    fn save_onnx(&self, py: Python<'_>, path: UserPath) -> PyResult<()> {
        py.detach(|| torch2trt::save_onnx(&self.made.network, &path.0)).or_raise(py)
    }

    /// What the network will need on a GPU of this name: a table, a table of all kernels, and JSON.
    fn forecast(&self, py: Python<'_>, device: &str) -> PyResult<(String, String, String)> {
        let found = py.detach(|| torch2trt::forecast(&self.made.network, &self.options, device)).or_raise(py)?;
        Ok((found.table(false), found.table(true), found.to_json().to_string()))
    }

    /// Checks that TensorRT has every layer, without a build.
    fn check_target(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| torch2trt::check_target(&self.made.network, &self.options)).or_raise(py)
    }

    /// Builds a TensorRT plan, showing its progress. Ctrl-C cancels it.
    fn build(&self, py: Python<'_>, progress: &Bound<'_, Bar>) -> PyResult<Plan> {
        let bar = progress.get();
        let plan = interruptible(py, bar, || torch2trt::build_plan(&self.made.network, &self.options, bar))?;
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

    /// What a report shows of it, as JSON.
    #[getter]
    fn facts(&self) -> String {
        crate::report::json(&EngineFacts::of_artifact(self.plan.artifact()))
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
