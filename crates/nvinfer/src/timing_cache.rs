//! `ITimingCache`: how long tactics took, kept from build to build.

use std::ffi::c_void;

use crate::error::Result;
use crate::memory::HostMemory;
use crate::raw::Owned;
use crate::raw::build::timing_cache as raw;

/// Measured times of tactics, to be reused by later builds (`ITimingCache`).
#[derive(Debug)]
pub struct TimingCache {
    object: Owned,
}

impl TimingCache {
    pub(crate) fn new(object: Owned) -> Self {
        Self { object }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr()
    }

    /// Its bytes (`serialize`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn serialize(&self) -> Result<HostMemory> {
        // SAFETY: the cache is alive; what it makes is ours to delete.
        let object = unsafe { Owned::new(raw::serialize(self.object.handle())?, self.object.host().clone()) };
        HostMemory::new(object)
    }

    /// Adds the entries of another cache (`combine`).
    ///
    /// # Errors
    /// [`Error::Refused`] for a cache of another device, unless `ignore_mismatch`.
    pub fn combine(&mut self, other: &Self, ignore_mismatch: bool) -> Result<()> {
        // SAFETY: both caches are alive.
        unsafe { raw::combine(self.object.handle(), other.object.as_ptr(), ignore_mismatch) }
    }

    /// Empties it (`reset`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn reset(&mut self) -> Result<()> {
        // SAFETY: the cache is alive.
        unsafe { raw::reset(self.object.handle()) }
    }
}
