//! Engines: loaded from files and plans; torch tensors in, torch tensors out.

use crate::error::OrRaise;
use crate::file;
use crate::options::read_options;
use crate::out::{Made, Out};
use crate::tensor::{Maker, TorchTensor, current_stream};
use bytes::Bytes;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyTuple};
use runtime::{DataType, Device, IoSpec, RunOptions, Side};
use torch2trt::{EngineFacts, Executable};

/// A layer: its name, operator and mean seconds.
type Layer = (String, String, f64);

/// Something that runs: a CPU engine or a TensorRT engine.
#[pyclass(module = "torch2trt._core", frozen)]
pub(crate) struct Engine {
    pub(crate) executable: Executable,
    /// One for each output, made at the first call.
    makers: PyOnceLock<Vec<Maker>>,
}

impl Engine {
    pub(crate) fn new(executable: Executable) -> Self {
        Self { executable, makers: PyOnceLock::new() }
    }

    fn engine(&self) -> &dyn runtime::Engine {
        &*self.executable.engine
    }

    fn makers(&self, py: Python<'_>) -> PyResult<&Vec<Maker>> {
        let device = self.engine().device();
        let make = |io: &IoSpec| Maker::new(py, io.dtype, device);
        self.makers.get_or_try_init(py, || self.engine().spec().outputs.iter().map(make).collect())
    }

    /// The inputs as the engine takes them: of its own types where they differ from the model's.
    fn read(&self, py: Python<'_>, inputs: &[Bound<'_, PyAny>]) -> PyResult<Vec<TorchTensor>> {
        let (declared, own) = (&self.executable.artifact.declared.inputs, &self.engine().spec().inputs);
        let mut tensors = inputs.iter().map(TorchTensor::new).collect::<PyResult<Vec<_>>>()?;
        for ((tensor, declared), own) in tensors.iter_mut().zip(declared).zip(own) {
            if declared.dtype == own.dtype {
                continue;
            }
            let (name, expected, got) = (declared.name.clone(), declared.dtype, tensor.dtype);
            if got != expected {
                return Err(runtime::Error::Type { side: Side::Input, name, expected, got }).or_raise(py);
            }
            *tensor = TorchTensor::new(&cast(tensor.bind(py), own.dtype)?)?;
        }
        Ok(tensors)
    }

    /// The outputs as the model gives them.
    fn written<'py>(&self, py: Python<'py>, made: Vec<TorchTensor>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let declared = self.executable.artifact.declared.outputs.iter().map(|io| io.dtype);
        made.into_iter()
            .zip(declared)
            .map(|(tensor, dtype)| {
                let own = tensor.dtype;
                let tensor = tensor.into_inner().into_bound(py);
                if own == dtype { Ok(tensor) } else { cast(&tensor, dtype) }
            })
            .collect()
    }

    /// Tensors to write the outputs to: the caller's, where they suit, or new ones.
    fn outputs_for(
        &self,
        py: Python<'_>,
        dims: Vec<Vec<i64>>,
        out: Option<&Out<'_, '_>>,
        inputs: &[TorchTensor],
    ) -> PyResult<Vec<TorchTensor>> {
        let device = self.engine().device();
        let mut tensors = Vec::with_capacity(dims.len());
        for (index, (maker, dims)) in self.makers(py)?.iter().zip(dims).enumerate() {
            let own = Made { dtype: self.engine().spec().outputs[index].dtype, device };
            let others = inputs.iter().chain(&tensors);
            let given = out.map(|out| out.direct(index, &dims, own, others)).transpose()?;
            tensors.push(given.flatten().map_or_else(|| maker.make(py, dims), Ok)?);
        }
        Ok(tensors)
    }

    /// Runs outputs whose shapes depend on data: the engine allocates.
    fn run_alloc(&self, py: Python<'_>, inputs: &[TorchTensor], options: &RunOptions) -> PyResult<Vec<TorchTensor>> {
        let views = inputs.iter().map(|t| t.view(py)).collect::<PyResult<Vec<_>>>()?;
        let made = py.detach(|| self.engine().run_alloc(&views, options)).or_raise(py)?;
        made.into_iter().map(|tensor| from_owned(py, tensor)).collect()
    }
}

#[pymethods]
impl Engine {
    /// Runs the engine on torch tensors, in the order of its inputs; returns torch tensors.
    ///
    /// On a GPU the work is enqueued on `stream` (the address of a CUDA stream) and the call returns. `out` gives the
    /// tensors to write to; those that the engine cannot write to itself are copied to.
    #[pyo3(signature = (inputs, stream = None, out = None))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        inputs: Vec<Bound<'py, PyAny>>,
        stream: Option<usize>,
        out: Option<Vec<Bound<'py, PyAny>>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let _flight = crate::closing::Flight::begin(py)?;
        let options = RunOptions { stream: stream.map(current_stream), profile: None };
        let inputs = self.read(py, &inputs)?;
        let dims: Vec<&[i64]> = inputs.iter().map(|t| t.dims.as_slice()).collect();
        let output_dims = self.engine().output_dims(&dims).or_raise(py)?;
        let known: Option<Vec<Vec<i64>>> = output_dims.into_iter().collect();
        let out = out.map(|out| Out::new(py, out, &self.executable.artifact.declared.outputs)).transpose()?;
        let made = match known {
            None => self.run_alloc(py, &inputs, &options)?,
            Some(dims) => {
                let mut made = self.outputs_for(py, dims, out.as_ref(), &inputs)?;
                let views = inputs.iter().map(|t| t.view(py)).collect::<PyResult<Vec<_>>>()?;
                let mut views_mut = made.iter_mut().map(|t| t.view_mut(py)).collect::<PyResult<Vec<_>>>()?;
                py.detach(|| self.engine().run(&views, &mut views_mut, &options)).or_raise(py)?;
                drop(views_mut);
                made
            }
        };
        let made = self.written(py, made)?;
        match out {
            None => PyList::new(py, made),
            Some(out) => out.filled(&made, py),
        }
    }

    /// Times each layer over so many calls on these tensors: (mean seconds of a call, layers as (name, operator, mean
    /// seconds), a table, what takes the rest of a call).
    fn layer_times(
        &self,
        py: Python<'_>,
        inputs: Vec<Bound<'_, PyAny>>,
        calls: usize,
    ) -> PyResult<(f64, Vec<Layer>, String, &'static str)> {
        let _flight = crate::closing::Flight::begin(py)?;
        let inputs = self.read(py, &inputs)?;
        let views = inputs.iter().map(|t| t.view(py)).collect::<PyResult<Vec<_>>>()?;
        let found = py.detach(|| self.engine().layer_times(&views, calls)).or_raise(py)?;
        let table = torch2trt::layer_table(&found);
        let layers = found.layers.into_iter().map(|layer| (layer.name, layer.kind, layer.seconds)).collect();
        Ok((found.seconds, layers, table, found.rest))
    }

    /// Inputs: (name, dtype, sizes as numbers or expressions).
    #[getter]
    fn inputs(&self) -> Vec<(String, String, Vec<String>)> {
        self.executable.artifact.declared.inputs.iter().map(describe).collect()
    }

    /// Outputs: (name, dtype, sizes as numbers or expressions).
    #[getter]
    fn outputs(&self) -> Vec<(String, String, Vec<String>)> {
        self.executable.artifact.declared.outputs.iter().map(describe).collect()
    }

    /// Addresses of the weights that the engine reads where they lie: memory of the model's own tensors among them.
    #[getter]
    fn borrowed(&self) -> Vec<usize> {
        self.executable.artifact.borrowed()
    }

    /// Where inputs must lie: "cpu" or "cuda:0".
    #[getter]
    fn device(&self) -> String {
        self.engine().device().to_string()
    }

    /// The index of the GPU it runs on; None on the CPU.
    #[getter]
    fn device_index(&self) -> Option<u32> {
        match self.engine().device() {
            Device::Cpu => None,
            Device::Cuda(index) => Some(index),
        }
    }

    /// The plan as TensorRT serialized it; None on the CPU engine.
    #[getter]
    fn plan<'py>(&self, py: Python<'py>) -> Option<Bound<'py, pyo3::types::PyBytes>> {
        self.executable.artifact.plan().map(|plan| pyo3::types::PyBytes::new(py, plan))
    }

    /// Writes an engine file to a path, or returns its bytes.
    #[pyo3(signature = (description, path = None))]
    fn save<'py>(
        &self,
        py: Python<'py>,
        description: &str,
        path: Option<std::path::PathBuf>,
    ) -> PyResult<Option<Bound<'py, pyo3::types::PyBytes>>> {
        file::write(py, &self.executable.artifact, description, path)
    }

    /// What a report shows of it, as JSON.
    #[getter]
    fn facts(&self) -> String {
        crate::report::json(&EngineFacts::of_executable(&self.executable))
    }

    /// One line: what runs, its version, threads or device.
    #[getter]
    fn description(&self) -> String {
        self.engine().description()
    }
}

/// Makes the engine of an engine file: (engine, manifest as JSON).
#[pyfunction]
pub(crate) fn load_engine(
    py: Python<'_>,
    source: file::Source,
    options: &Bound<'_, PyDict>,
) -> PyResult<(Engine, String)> {
    let options = read_options(options)?;
    let file = source.open(py)?;
    let (executable, manifest) = py.detach(|| torch2trt::load(file, &options)).or_raise(py)?;
    Ok((Engine::new(executable), file::json(py, &manifest)?))
}

/// Makes the engine of a plain TensorRT plan.
#[pyfunction]
pub(crate) fn load_plan(py: Python<'_>, plan: PyBackedBytes, options: &Bound<'_, PyDict>) -> PyResult<Engine> {
    let options = read_options(options)?;
    let plan = Bytes::from_owner(plan);
    Ok(Engine::new(py.detach(|| torch2trt::load_plan(plan, &options)).or_raise(py)?))
}

fn describe(io: &IoSpec) -> (String, String, Vec<String>) {
    (io.name.clone(), io.dtype.name().to_owned(), io.dims.iter().map(ToString::to_string).collect())
}

fn cast<'py>(tensor: &Bound<'py, PyAny>, dtype: DataType) -> PyResult<Bound<'py, PyAny>> {
    let py = tensor.py();
    tensor.call_method1(intern!(py, "to"), (py.import(intern!(py, "torch"))?.getattr(dtype.name())?,))
}

/// A torch tensor with what the engine allocated: a copy in host memory, the same memory on a GPU.
pub(crate) fn from_owned(py: Python<'_>, tensor: runtime::Tensor) -> PyResult<TorchTensor> {
    let maker = Maker::new(py, tensor.dtype(), tensor.device())?;
    if tensor.device() == Device::Cpu || tensor.byte_len() == 0 {
        let mut host = maker.make(py, tensor.dims().to_vec())?;
        if tensor.device() == Device::Cpu {
            host.view_mut(py)?.copy_from(&tensor.view()).or_raise(py)?;
        }
        return Ok(host);
    }
    let torch = py.import(intern!(py, "torch"))?;
    let (dims, dtype) = (tensor.dims().to_vec(), torch.getattr(tensor.dtype().name())?);
    let device = tensor.device().to_string();
    let keywords = PyDict::new(py);
    keywords.set_item("device", device)?;
    let bytes = torch.call_method("as_tensor", (Py::new(py, DeviceTensor { tensor })?,), Some(&keywords))?;
    let typed = bytes.call_method1("view", (dtype,))?.call_method1("reshape", (PyTuple::new(py, dims)?,))?;
    TorchTensor::new(&typed)
}

/// Device memory that the engine allocated, as other packages read it.
#[pyclass(module = "torch2trt._core", frozen)]
struct DeviceTensor {
    tensor: runtime::Tensor,
}

#[pymethods]
impl DeviceTensor {
    /// The memory as plain bytes: not every type has a code in this protocol.
    #[getter(__cuda_array_interface__)]
    fn interface<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let interface = PyDict::new(py);
        interface.set_item("shape", (self.tensor.byte_len(),))?;
        interface.set_item("typestr", "|u1")?;
        interface.set_item("data", (self.tensor.as_ptr().addr(), false))?;
        interface.set_item("version", 3)?;
        Ok(interface)
    }
}
