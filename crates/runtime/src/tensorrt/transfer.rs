//! Copies between host memory and a GPU, for callers that have no CUDA memory of their own.

use super::cuda::CudaDevice;
use super::outputs::owned;
use crate::{DataType, Device, Result, Tensor, TensorView};

/// A tensor on the GPU of this index with these bytes.
pub(crate) fn upload(dtype: DataType, dims: Vec<i64>, bytes: &[u8], index: u32) -> Result<Tensor> {
    let device = CudaDevice::new(index)?;
    let memory = if bytes.is_empty() { device.allocate(0)? } else { device.upload(bytes)? };
    owned(dtype, dims, Some(memory), Device::Cuda(index))
}

/// Writes the bytes of a tensor on a GPU to `room`, which is as long; nothing of one in host memory.
pub(crate) fn download(tensor: &TensorView<'_>, room: &mut [u8]) -> Result<()> {
    match tensor.device() {
        Device::Cuda(index) if !room.is_empty() && room.len() == tensor.byte_len() => {
            // SAFETY: who made the view vouched for as many readable bytes at its address on its device.
            unsafe { CudaDevice::new(index)?.download(tensor.as_ptr(), room) }
        }
        _ => Ok(()),
    }
}
