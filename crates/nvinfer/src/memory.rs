//! Bytes that TensorRT made: plans, timing caches (`IHostMemory`).

use std::fmt;
use std::ops::Deref;

use crate::error::Result;
use crate::raw::Owned;
use crate::raw::build::host_memory as raw;

/// Bytes in TensorRT's memory; reads as a slice, without a copy.
pub struct HostMemory {
    data: *const u8,
    size: usize,
    /// Deletes the bytes.
    _object: Owned,
}

// SAFETY: the bytes do not change, and the object that owns them may be deleted on any thread.
unsafe impl Send for HostMemory {}
// SAFETY: as above; nothing is called on the object but its deletion.
unsafe impl Sync for HostMemory {}

impl HostMemory {
    pub(crate) fn new(object: Owned) -> Result<Self> {
        // SAFETY: the object is a live IHostMemory.
        let (data, size) = unsafe { (raw::data(object.handle())?, raw::size(object.handle())?) };
        let size = if data.is_null() { 0 } else { usize::try_from(size).unwrap_or(0) };
        Ok(Self { data, size, _object: object })
    }
}

impl Deref for HostMemory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.size == 0 {
            return &[];
        }
        // SAFETY: the object holds `size` bytes at `data` until it is deleted, which takes `self`.
        unsafe { std::slice::from_raw_parts(self.data, self.size) }
    }
}

impl fmt::Debug for HostMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostMemory({} bytes)", self.size)
    }
}
