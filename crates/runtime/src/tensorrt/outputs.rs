//! Outputs that the engine allocates: those whose size is known only when they are computed.
//!
//! TensorRT asks for memory while it runs and reports the shape it found. It must not know when that run is over.

use crate::cuda::{CudaDevice, DeviceMemory};
use crate::{DataType, Device, Error, Result, Tensor};
use nvinfer::{OutputAllocator, Request};
use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The memory and shape of one output, shared with the allocator that TensorRT calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Grown(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    memory: Option<DeviceMemory>,
    dims: Vec<i64>,
    /// Why the last request was not met.
    error: Option<Error>,
}

impl Grown {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What TensorRT is given.
    pub(super) fn allocator(&self, device: &CudaDevice) -> Box<dyn OutputAllocator> {
        Box::new(Allocator { device: device.clone(), grown: self.clone() })
    }

    /// Why no memory could be given, once.
    pub(super) fn take_error(&self) -> Option<Error> {
        self.lock().error.take()
    }

    /// The output of a run that is over.
    pub(super) fn take(&self, dtype: DataType, device: Device) -> Result<Tensor> {
        let mut state = self.lock();
        let (dims, memory) = (std::mem::take(&mut state.dims), state.memory.take());
        Tensor::in_device_memory(dtype, dims, memory, device)
    }
}

struct Allocator {
    device: CudaDevice,
    grown: Grown,
}

// SAFETY: `reallocate` gives device memory of at least the size asked for, aligned to 256 bytes as all that CUDA
// allocates; it stays until the next request or until `take`, which is called after the run.
unsafe impl OutputAllocator for Allocator {
    fn reallocate(&mut self, request: Request<'_>) -> *mut c_void {
        let mut state = self.grown.lock();
        if let Some(memory) = state.memory.as_ref().filter(|memory| memory.len() >= request.size.max(1)) {
            return memory.as_ptr();
        }
        match self.device.allocate(request.size.max(1)) {
            Ok(memory) => state.memory.insert(memory).as_ptr(),
            Err(error) => {
                state.error = Some(error);
                std::ptr::null_mut()
            }
        }
    }

    fn notify_shape(&mut self, _tensor: &str, dims: &[i64]) {
        self.grown.lock().dims = dims.to_vec();
    }
}
