//! TensorRT objects by pointer: borrowed, owned, and kept alive for others.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use super::host::Host;

/// A borrowed TensorRT object with what is needed to call it.
#[derive(Clone, Copy, Debug)]
pub struct Ref<'a> {
    ptr: NonNull<c_void>,
    host: &'a Host,
}

impl<'a> Ref<'a> {
    /// Borrows an object.
    ///
    /// # Safety
    /// `ptr` is a public object of the host's library that stays alive for `'a`.
    pub unsafe fn new(ptr: NonNull<c_void>, host: &'a Host) -> Self {
        Self { ptr, host }
    }

    /// The object, for passing it to a call.
    pub fn as_ptr(self) -> *mut c_void {
        self.ptr.as_ptr()
    }

    /// The host.
    pub fn host(self) -> &'a Host {
        self.host
    }
}

/// A TensorRT object that we delete.
#[derive(Debug)]
pub struct Owned {
    ptr: NonNull<c_void>,
    host: Arc<Host>,
}

// SAFETY: TensorRT's objects are not bound to the thread that made them; `Owned` gives out no shared access across
// threads by itself (it is not Sync), and the host behind the Arc is Sync.
unsafe impl Send for Owned {}

impl Owned {
    /// Takes over an object.
    ///
    /// # Safety
    /// `ptr` is a live public object of the host's library that the caller may delete, and nobody else does.
    pub unsafe fn new(ptr: NonNull<c_void>, host: Arc<Host>) -> Self {
        Self { ptr, host }
    }

    /// Shares the object, so that what it makes can keep it alive.
    #[allow(clippy::arc_with_non_send_sync, reason = "each type that holds it documents what threads may do")]
    pub fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }

    /// A handle to call it.
    pub fn handle(&self) -> Ref<'_> {
        // SAFETY: the object lives as long as `self`, whose borrow the handle carries.
        unsafe { Ref::new(self.ptr, &self.host) }
    }

    /// The object, for passing it to a call.
    pub fn as_ptr(&self) -> *mut c_void {
        self.ptr.as_ptr()
    }

    /// The shared host.
    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }
}

/// Keeps an object alive for others that point to it, and gives no access.
#[derive(Clone, Debug)]
pub struct Keep(#[allow(dead_code, reason = "held for its Drop")] Arc<Owned>);

// SAFETY: nothing is done with the object but its deletion, which may happen on any thread.
unsafe impl Send for Keep {}
// SAFETY: as above.
unsafe impl Sync for Keep {}

impl Keep {
    /// Shares in keeping an object alive.
    pub fn new(object: &Arc<Owned>) -> Self {
        Self(object.clone())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        type Delete = unsafe extern "C" fn(*mut c_void);
        // SAFETY: `new` promised a live public object that is ours to delete. Every public class begins with the
        // virtual destructor of INoCopy, so slot 1 of its own vtable is the deleting destructor.
        unsafe {
            let vtable = *self.ptr.cast::<*const Delete>().as_ptr();
            (*vtable.add(1))(self.ptr.as_ptr());
        }
    }
}
