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

/// The bytes of a tensor on a GPU; none of one in host memory, which has them itself.
pub(crate) fn download(tensor: &TensorView<'_>) -> Result<Vec<u8>> {
    let mut bytes = vec![0; tensor.byte_len()];
    if let Device::Cuda(index) = tensor.device()
        && !bytes.is_empty()
    {
        // SAFETY: who made the view vouched for as many readable bytes at its address on its device.
        unsafe { CudaDevice::new(index)?.download(tensor.as_ptr(), &mut bytes)? };
    }
    Ok(bytes)
}
