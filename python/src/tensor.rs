//! Memory of torch tensors, by pointer. The only unsafe file of the extension.
//!
//! A tensor is read through its public attributes (`data_ptr`, `dtype`, `shape`); the Python object is held as
//! long as its memory is used.

use crate::error::{OrRaise, raise};
use bytes::Bytes;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use runtime::{CallerStream, DataType, Device, Span, TensorView, TensorViewMut};
use torch2trt::{Code, Error};

/// A torch tensor and what its memory holds.
pub(crate) struct TorchTensor {
    pub(crate) dtype: DataType,
    pub(crate) dims: Vec<i64>,
    pub(crate) device: Device,
    address: usize,
    bytes: usize,
    /// Keeps the memory alive.
    owner: Py<PyAny>,
}

impl TorchTensor {
    /// Reads a strided, contiguous torch tensor. One that is not contiguous is copied.
    pub(crate) fn new(tensor: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = tensor.py();
        let tensor = tensor.call_method0(intern!(py, "contiguous"))?;
        let Some(dtype) = data_type(&tensor)? else {
            let name = dtype_name(&tensor)?;
            let error = Error::new(Code::TensorDtype, format!("no engine takes tensors of dtype {name}"));
            return Err(raise(py, &error.with_help("cast the tensor to the dtype of the conversion")));
        };
        let dims: Vec<i64> = tensor.getattr(intern!(py, "shape"))?.extract()?;
        let device = device(&tensor)?;
        Self::known(tensor, dtype, dims, device)
    }

    /// A contiguous tensor of which type, sizes and device are known to be these.
    fn known(tensor: Bound<'_, PyAny>, dtype: DataType, dims: Vec<i64>, device: Device) -> PyResult<Self> {
        let address: usize = tensor.call_method0(intern!(tensor.py(), "data_ptr"))?.extract()?;
        // The sizes are those of a tensor that exists, so their product is no overflow.
        let count: i64 = dims.iter().product();
        let bytes = usize::try_from(count).unwrap_or(0) * dtype.size();
        Ok(Self { dtype, dims, device, address, bytes, owner: tensor.unbind() })
    }

    /// The tensor itself.
    pub(crate) fn bind<'a, 'py>(&'a self, py: Python<'py>) -> &'a Bound<'py, PyAny> {
        self.owner.bind(py)
    }

    fn span(&self) -> Span {
        Span { device: self.device, bytes: self.address..self.address + self.bytes }
    }

    /// Whether the two share memory.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.span().overlaps(&other.span())
    }

    /// The tensor itself.
    pub(crate) fn into_inner(self) -> Py<PyAny> {
        self.owner
    }

    /// The memory as an input of an engine.
    pub(crate) fn view<'a>(&'a self, py: Python<'_>) -> PyResult<TensorView<'a>> {
        // SAFETY: `address` and `bytes` are a contiguous torch tensor's own data pointer and size, read together in
        // `new`; `owner` keeps that tensor, and so its storage, alive for 'a. Nobody resizes a storage during a call
        // that holds it; concurrent writes by the user are races in torch itself.
        unsafe { TensorView::from_raw(self.dtype, &self.dims, self.address as *const u8, self.bytes, self.device) }
            .or_raise(py)
    }

    /// The memory as an output of an engine.
    pub(crate) fn view_mut<'a>(&'a mut self, py: Python<'_>) -> PyResult<TensorViewMut<'a>> {
        // SAFETY: as in `view`; the tensor was made for this call and nobody else has it yet, or the caller gave it to
        // be written to, and it shares no memory with another tensor of the call.
        unsafe { TensorViewMut::from_raw(self.dtype, &self.dims, self.address as *mut u8, self.bytes, self.device) }
            .or_raise(py)
    }
}

/// The stream at an address that `torch.cuda.current_stream` gave (torch2trt/module.py).
pub(crate) fn current_stream(address: usize) -> CallerStream {
    // SAFETY: it is PyTorch's current stream of the engine's device. Its tensors come from PyTorch's allocator, which
    // gives memory that was freed to work that is enqueued later on the same stream only.
    unsafe { CallerStream::from_address(address) }
}

/// `float32` for `torch.float32`.
pub(crate) fn dtype_name(tensor: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = tensor.getattr(intern!(tensor.py(), "dtype"))?.str()?.to_string();
    Ok(text.trim_start_matches("torch.").to_owned())
}

/// The type, or `None` for one that engines do not have. Compares identities: torch has one object a dtype.
fn data_type(tensor: &Bound<'_, PyAny>) -> PyResult<Option<DataType>> {
    let py = tensor.py();
    let dtype = tensor.getattr(intern!(py, "dtype"))?;
    Ok(dtypes(py)?.iter().find(|(known, _)| known.is(&dtype)).map(|(_, dtype)| *dtype))
}

/// torch's dtypes and ours. A type that this torch does not have is left out.
fn dtypes(py: Python<'_>) -> PyResult<&Vec<(Py<PyAny>, DataType)>> {
    static DTYPES: PyOnceLock<Vec<(Py<PyAny>, DataType)>> = PyOnceLock::new();
    DTYPES.get_or_try_init(py, || {
        let torch = py.import(intern!(py, "torch"))?;
        let known = |dtype: DataType| Some((torch.getattr(dtype.name()).ok()?.unbind(), dtype));
        Ok(DataType::ALL.into_iter().filter_map(known).collect())
    })
}

fn device(tensor: &Bound<'_, PyAny>) -> PyResult<Device> {
    let py = tensor.py();
    // -1 for everything that is not on a GPU; the index where it is on one, of whatever make.
    let index: i32 = tensor.call_method0(intern!(py, "get_device"))?.extract()?;
    if let Ok(index) = u32::try_from(index)
        && tensor.getattr(intern!(py, "is_cuda"))?.extract()?
    {
        return Ok(Device::Cuda(index));
    }
    let device = tensor.getattr(intern!(py, "device"))?;
    let kind: String = device.getattr(intern!(py, "type"))?.extract()?;
    match kind.as_str() {
        "cpu" => Ok(Device::Cpu),
        "cuda" => {
            let index: Option<u32> = device.getattr(intern!(py, "index"))?.extract()?;
            Ok(Device::Cuda(index.unwrap_or(0)))
        }
        other => {
            let error = Error::new(Code::TensorDevice, format!("no engine takes tensors on device `{other}`"));
            Err(raise(py, &error.with_help("move it to cpu or cuda")))
        }
    }
}

/// The bytes of a weight, borrowed from a torch tensor.
struct WeightBytes(TorchTensor);

impl AsRef<[u8]> for WeightBytes {
    fn as_ref(&self) -> &[u8] {
        if self.0.bytes == 0 {
            return &[];
        }
        // SAFETY: address and size are a contiguous CPU tensor's own (checked by `weight_bytes`), and the tensor lives
        // as long as `self`. Writes to a model's weights after conversion are found by their version counters before
        // the next run (torch2trt/module.py); none happen while bytes are read, as readers hold the interpreter or the
        // user's call.
        unsafe { std::slice::from_raw_parts(self.0.address as *const u8, self.0.bytes) }
    }
}

/// The bytes of a weight without a copy; a tensor on a GPU is copied to the host first.
pub(crate) fn weight_bytes(tensor: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    let py = tensor.py();
    let host = tensor.call_method0(intern!(py, "cpu"))?;
    Ok(Bytes::from_owner(WeightBytes(TorchTensor::new(&host)?)))
}

/// Makes uninitialized torch tensors of one type on one device.
pub(crate) struct Maker {
    empty: Py<PyAny>,
    keywords: Py<PyDict>,
    /// What torch.compile's own code allocates with, where this torch has it: a third of the time of `torch.empty`.
    direct: Option<Direct>,
    dtype: DataType,
    device: Device,
}

/// `(sizes, strides, dtype)` to a tensor on the CPU, or on the current GPU.
struct Direct {
    empty_strided: Py<PyAny>,
    dtype: Py<PyAny>,
    /// The current GPU's index; none on the CPU.
    current: Option<Py<PyAny>>,
}

impl Maker {
    pub(crate) fn new(py: Python<'_>, dtype: DataType, device: Device) -> PyResult<Self> {
        let torch = py.import(intern!(py, "torch"))?;
        let keywords = PyDict::new(py);
        keywords.set_item("dtype", torch.getattr(dtype.name())?)?;
        if let Device::Cuda(index) = device {
            keywords.set_item("device", torch.call_method1("device", ("cuda", index))?)?;
        }
        let direct = Direct::new(&torch, dtype, device).ok();
        Ok(Self { empty: torch.getattr("empty")?.unbind(), keywords: keywords.unbind(), direct, dtype, device })
    }

    /// A new tensor of these sizes.
    pub(crate) fn make(&self, py: Python<'_>, dims: Vec<i64>) -> PyResult<TorchTensor> {
        let size = PyTuple::new(py, &dims)?;
        let made = match &self.direct {
            Some(direct) if direct.is_here(py, self.device)? => direct.make(py, &size, &dims)?,
            _ => self.empty.bind(py).call((size,), Some(self.keywords.bind(py)))?,
        };
        TorchTensor::known(made, self.dtype, dims, self.device)
    }
}

impl Direct {
    fn new(torch: &Bound<'_, PyModule>, dtype: DataType, device: Device) -> PyResult<Self> {
        let native = torch.getattr("_C")?;
        let guards = native.getattr("_dynamo")?.getattr("guards")?;
        let (name, current) = match device {
            Device::Cpu => ("_empty_strided_cpu", None),
            Device::Cuda(_) => ("_empty_strided_cuda", Some(native.getattr("_cuda_getDevice")?.unbind())),
        };
        let empty_strided = guards.getattr(name)?.unbind();
        Ok(Self { empty_strided, dtype: torch.getattr(dtype.name())?.unbind(), current })
    }

    /// Whether what it makes is on this device.
    fn is_here(&self, py: Python<'_>, device: Device) -> PyResult<bool> {
        match (&self.current, device) {
            (Some(current), Device::Cuda(index)) => Ok(current.bind(py).call0()?.extract::<u32>()? == index),
            _ => Ok(true),
        }
    }

    fn make<'py>(&self, py: Python<'py>, size: &Bound<'py, PyTuple>, dims: &[i64]) -> PyResult<Bound<'py, PyAny>> {
        let mut strides = vec![1; dims.len()];
        for axis in (1..dims.len()).rev() {
            strides[axis - 1] = strides[axis] * dims[axis].max(1);
        }
        self.empty_strided.bind(py).call1((size, PyTuple::new(py, strides)?, self.dtype.bind(py)))
    }
}
