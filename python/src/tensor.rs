//! Memory of torch tensors, by pointer. The only unsafe file of the extension.
//!
//! A tensor is read through its public attributes (`data_ptr`, `dtype`, `shape`); the Python object is held as
//! long as its memory is used.

use crate::error::{OrRaise, bad_option};
use bytes::Bytes;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use runtime::{DataType, Device, TensorView, TensorViewMut};

/// A torch tensor and what its memory holds.
pub(crate) struct TorchTensor {
    pub(crate) dtype: DataType,
    pub(crate) dims: Vec<i64>,
    pub(crate) device: Device,
    address: usize,
    bytes: usize,
    /// Keeps the memory alive.
    _owner: Py<PyAny>,
}

impl TorchTensor {
    /// Reads a strided, contiguous torch tensor. One that is not contiguous is copied.
    pub(crate) fn new(tensor: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = tensor.py();
        let tensor = tensor.call_method0(intern!(py, "contiguous"))?;
        let name = dtype_name(&tensor)?;
        let dtype = DataType::from_name(&name)
            .ok_or_else(|| bad_option(py, format!("tensors of dtype {name} cannot be passed")))?;
        let dims: Vec<i64> = tensor.getattr(intern!(py, "shape"))?.extract()?;
        let device = device(&tensor)?;
        let address: usize = tensor.call_method0(intern!(py, "data_ptr"))?.extract()?;
        let count: usize = tensor.call_method0(intern!(py, "numel"))?.extract()?;
        Ok(Self { dtype, dims, device, address, bytes: count * dtype.size(), _owner: tensor.unbind() })
    }

    /// The memory as an input of an engine.
    pub(crate) fn view<'a>(&'a self, py: Python<'_>) -> PyResult<TensorView<'a>> {
        // SAFETY: `address` and `bytes` are a contiguous torch tensor's own data pointer and size, read together in
        // `new`; `_owner` keeps that tensor, and so its storage, alive for 'a. Nobody resizes a storage during a call
        // that holds it; concurrent writes by the user are races in torch itself.
        unsafe { TensorView::from_raw(self.dtype, &self.dims, self.address as *const u8, self.bytes, self.device) }
            .or_raise(py)
    }

    /// The memory as an output of an engine.
    pub(crate) fn view_mut<'a>(&'a mut self, py: Python<'_>) -> PyResult<TensorViewMut<'a>> {
        // SAFETY: as in `view`; the tensor is either freshly made by `torch.empty` for this call, or was given by the
        // caller as `out=` to be overwritten.
        unsafe { TensorViewMut::from_raw(self.dtype, &self.dims, self.address as *mut u8, self.bytes, self.device) }
            .or_raise(py)
    }
}

/// `float32` for `torch.float32`.
pub(crate) fn dtype_name(tensor: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = tensor.getattr(intern!(tensor.py(), "dtype"))?.str()?.to_string();
    Ok(text.trim_start_matches("torch.").to_owned())
}

fn device(tensor: &Bound<'_, PyAny>) -> PyResult<Device> {
    let py = tensor.py();
    let device = tensor.getattr(intern!(py, "device"))?;
    let kind: String = device.getattr(intern!(py, "type"))?.extract()?;
    match kind.as_str() {
        "cpu" => Ok(Device::Cpu),
        "cuda" => {
            let index: Option<u32> = device.getattr(intern!(py, "index"))?.extract()?;
            Ok(Device::Cuda(index.unwrap_or(0)))
        }
        other => {
            Err(bad_option(py, format!("tensors on device `{other}` cannot be passed\nhelp: move it to cpu or cuda")))
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

/// A new uninitialized torch tensor.
pub(crate) fn empty<'py>(
    py: Python<'py>,
    dims: &[i64],
    dtype: DataType,
    device: Device,
) -> PyResult<Bound<'py, PyAny>> {
    let torch = py.import(intern!(py, "torch"))?;
    let kwargs = pyo3::types::PyDict::new(py);
    kwargs.set_item(intern!(py, "dtype"), torch.getattr(dtype.name())?)?;
    if let Device::Cuda(index) = device {
        kwargs.set_item(intern!(py, "device"), format!("cuda:{index}"))?;
    }
    torch.call_method(intern!(py, "empty"), (PyTuple::new(py, dims)?,), Some(&kwargs))
}
