//! Tensors that own their memory: outputs that an engine allocated, and copies, in host memory or on a GPU.

use super::{Device, Raw, TensorView, TensorViewMut, byte_len};
use crate::cuda::{CudaDevice, DeviceMemory};
use crate::{DataType, Error, Result};
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

/// A tensor that an engine allocated, or a copy of one. It keeps its memory (and whatever owns it) alive.
pub struct Tensor {
    dtype: DataType,
    dims: Vec<i64>,
    pointer: *mut u8,
    len: usize,
    device: Device,
    _owner: Box<dyn Any + Send + Sync>,
}

// SAFETY: the owner is Send, and with it the memory that `pointer` names belongs to this value alone.
unsafe impl Send for Tensor {}
// SAFETY: a shared tensor is only read.
unsafe impl Sync for Tensor {}

impl Tensor {
    /// A tensor over memory that `owner` keeps alive.
    ///
    /// # Safety
    /// Until `owner` is dropped, the memory at `pointer` must be readable and writable on `device` for as many bytes as
    /// `dtype` and `dims` have, contiguous in row-major order, and used by nobody else.
    ///
    /// # Errors
    /// [`Error::BadDims`] and [`Error::BufferAddress`] for facts that cannot be.
    pub unsafe fn from_raw(
        dtype: DataType,
        dims: Vec<i64>,
        pointer: *mut u8,
        device: Device,
        owner: Box<dyn Any + Send + Sync>,
    ) -> Result<Self> {
        let Some(len) = byte_len(dtype, &dims) else { return Err(Error::BadDims { dims }) };
        Raw::new(dtype, &dims, pointer, len, device)?;
        Ok(Self { dtype, dims, pointer, len, device, _owner: owner })
    }

    /// A tensor in host memory, with a copy of these bytes.
    ///
    /// # Errors
    /// As [`TensorView::new`].
    pub fn from_bytes(dtype: DataType, dims: &[i64], bytes: &[u8]) -> Result<Self> {
        let needed = byte_len(dtype, dims).ok_or_else(|| Error::BadDims { dims: dims.to_vec() })?;
        if bytes.len() != needed {
            return Err(Error::BufferLength { dtype, dims: dims.to_vec(), needed, got: bytes.len() });
        }
        Self::in_host(dtype, dims, |room| {
            room.copy_from_slice(bytes);
            Ok(())
        })
    }

    /// A tensor in host memory, of zeros before it is filled.
    fn in_host(dtype: DataType, dims: &[i64], fill: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<Self> {
        let len = byte_len(dtype, dims).ok_or_else(|| Error::BadDims { dims: dims.to_vec() })?;
        // Words of eight bytes are aligned for every type.
        let mut words = vec![0u64; len.div_ceil(8)];
        let pointer = words.as_mut_ptr().cast::<u8>();
        // SAFETY: there is room for `len` bytes, which nobody else uses.
        fill(unsafe { std::slice::from_raw_parts_mut(pointer, len) })?;
        // SAFETY: the words are owned by the tensor and touched by nobody else.
        unsafe { Self::from_raw(dtype, dims.to_vec(), pointer, Device::Cpu, Box::new(words)) }
    }

    /// A tensor of zeros in the memory of a device.
    ///
    /// # Errors
    /// As [`Tensor::copy_of`].
    pub fn zeros(dtype: DataType, dims: &[i64], device: Device) -> Result<Self> {
        let host = Self::in_host(dtype, dims, |_| Ok(()))?;
        if device == Device::Cpu { Ok(host) } else { Self::copy_of(&host.view(), device) }
    }

    /// A copy of a tensor in the memory of a device, complete on return. What writes the tensor must be over.
    ///
    /// # Errors
    /// [`Error::NoCuda`] and [`Error::Cuda`] where a GPU is one of the two.
    pub fn copy_of(tensor: &TensorView<'_>, device: Device) -> Result<Self> {
        match (tensor.bytes(), device) {
            (Some(bytes), Device::Cpu) => Self::from_bytes(tensor.dtype(), tensor.dims(), bytes),
            (Some(bytes), Device::Cuda(index)) => Self::uploaded(tensor.dtype(), tensor.dims().to_vec(), bytes, index),
            (None, _) => {
                let host = Self::in_host(tensor.dtype(), tensor.dims(), |room| download(tensor, room))?;
                if device == Device::Cpu { Ok(host) } else { Self::copy_of(&host.view(), device) }
            }
        }
    }

    /// A tensor over device memory of our own, which nothing enqueued writes to any more; no memory for an empty one.
    pub(crate) fn in_device_memory(
        dtype: DataType,
        dims: Vec<i64>,
        memory: Option<DeviceMemory>,
        device: Device,
    ) -> Result<Self> {
        let pointer = memory.as_ref().map_or(std::ptr::null_mut(), |memory| memory.as_ptr().cast());
        let needed = byte_len(dtype, &dims).ok_or_else(|| Error::BadDims { dims: dims.clone() })?;
        let got = memory.as_ref().map_or(0, DeviceMemory::len);
        if got < needed {
            return Err(Error::BufferLength { dtype, dims, needed, got });
        }
        // SAFETY: `memory` is at least as long as the shape needs, is owned by the tensor, and nothing is enqueued that
        // writes to it any more: callers pass outputs of runs that are over.
        unsafe { Self::from_raw(dtype, dims, pointer, device, Box::new(memory)) }
    }

    /// A tensor on the GPU of this index with these bytes.
    fn uploaded(dtype: DataType, dims: Vec<i64>, bytes: &[u8], index: u32) -> Result<Self> {
        let device = CudaDevice::new(index)?;
        let memory = if bytes.is_empty() { device.allocate(0)? } else { device.upload(bytes)? };
        Self::in_device_memory(dtype, dims, Some(memory), Device::Cuda(index))
    }

    /// Element type.
    pub fn dtype(&self) -> DataType {
        self.dtype
    }

    /// Sizes, outermost first.
    pub fn dims(&self) -> &[i64] {
        &self.dims
    }

    /// Where the memory is.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Bytes: product of the sizes times [`DataType::size`].
    pub fn byte_len(&self) -> usize {
        self.len
    }

    /// The address; valid until the tensor is dropped.
    pub fn as_ptr(&self) -> *const u8 {
        self.pointer
    }

    /// The tensor as an input of another call.
    pub fn view(&self) -> TensorView<'_> {
        let raw =
            Raw { dtype: self.dtype, dims: &self.dims, pointer: self.pointer, len: self.len, device: self.device };
        TensorView { raw, memory: PhantomData }
    }

    /// The tensor as an output of another call.
    pub fn view_mut(&mut self) -> TensorViewMut<'_> {
        let raw =
            Raw { dtype: self.dtype, dims: &self.dims, pointer: self.pointer, len: self.len, device: self.device };
        TensorViewMut { raw, memory: PhantomData }
    }

    /// The bytes, where they lie in host memory.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.view().bytes()
    }
}

/// Writes the bytes of a tensor on a GPU to `room`, which is as long; nothing of one in host memory.
fn download(tensor: &TensorView<'_>, room: &mut [u8]) -> Result<()> {
    match tensor.device() {
        Device::Cuda(index) if !room.is_empty() && room.len() == tensor.byte_len() => {
            // SAFETY: who made the view vouched for as many readable bytes at its address on its device.
            unsafe { CudaDevice::new(index)?.download(tensor.as_ptr(), room) }
        }
        _ => Ok(()),
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {:?} on {})", self.dtype, self.dims, self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_in_host_memory_are_aligned_and_equal() {
        let room = [1u8, 2, 3, 4, 5, 6, 7, 8, 9];
        let odd = &room[1..];
        for (dtype, dims) in [(DataType::Float64, &[1][..]), (DataType::Int16, &[2, 2]), (DataType::Bool, &[8])] {
            let tensor = Tensor::from_bytes(dtype, dims, odd).unwrap();
            assert_eq!((tensor.bytes(), tensor.dims(), tensor.dtype()), (Some(odd), dims, dtype));
            let copy = Tensor::copy_of(&tensor.view(), Device::Cpu).unwrap();
            assert_eq!(copy.bytes(), Some(odd));
            assert_ne!(copy.as_ptr(), tensor.as_ptr());
        }
        assert_eq!(Tensor::from_bytes(DataType::Int64, &[0, 3], &[]).unwrap().bytes(), Some(&[][..]));
        let error = Tensor::from_bytes(DataType::Int64, &[2], odd).unwrap_err();
        assert!(matches!(error, Error::BufferLength { needed: 16, got: 8, .. }), "{error}");
    }
}
