//! `IOutputAllocator`: memory for outputs whose size is known only when they are computed.

use std::ffi::{c_char, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::dims::Dims;
use crate::object::{Object, guarded, text};
use crate::sys::layout::{Dims32, Dims64};
use crate::sys::tables::output_allocator as table;
use crate::version::{Family, Version};

/// One request for output memory.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Output tensor.
    pub tensor: &'a str,
    /// What was given before, or null.
    pub current: *mut c_void,
    /// Bytes needed.
    pub size: usize,
    /// Alignment in bytes.
    pub alignment: usize,
    /// The CUDA stream of the execution; null when the version does not pass it.
    pub stream: *mut c_void,
}

/// Gives device memory for outputs whose size depends on data.
///
/// # Safety
/// An address that `reallocate` gives is of device memory of at least the asked size and alignment, which stays valid
/// until the next request for that tensor or until the execution is over.
pub unsafe trait OutputAllocator: Send {
    /// Gives memory; null fails the execution.
    fn reallocate(&mut self, request: Request<'_>) -> *mut c_void;

    /// Takes the shape that the output turned out to have. Called before the data is there.
    fn notify_shape(&mut self, tensor: &str, dims: &[i64]);
}

type State = Mutex<Box<dyn OutputAllocator>>;

/// An `OutputAllocator` as TensorRT sees it.
pub(crate) struct Allocator {
    object: Box<Object<State>>,
}

impl Allocator {
    pub(crate) fn new(version: Version, allocator: Box<dyn OutputAllocator>) -> Self {
        let notify: *const () = match version.family() {
            Family::Trt8 => notify_shape_32 as *const (),
            _ => notify_shape_64 as *const (),
        };
        let methods = [
            (&table::GET_INTERFACE_VERSION, interface_version as *const ()),
            (&table::REALLOCATE_OUTPUT, reallocate as *const ()),
            (&table::REALLOCATE_OUTPUT_ASYNC, reallocate_async as *const ()),
            (&table::NOTIFY_SHAPE, notify),
        ];
        Self { object: Object::new(version, table::ALL, c"IOutputAllocator", &methods, Mutex::new(allocator)) }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr()
    }
}

impl std::fmt::Debug for Allocator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Allocator")
    }
}

/// The allocator behind `this`.
///
/// # Safety
/// `this` is a live allocator: TensorRT gives back what it was given, and the execution context keeps it.
unsafe fn state<'a>(this: *mut c_void) -> MutexGuard<'a, Box<dyn OutputAllocator>> {
    // SAFETY: the caller's promise.
    unsafe { Object::<State>::state(this) }.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 8.6 asks for it; its interface is version 1.
extern "C" fn interface_version(_: *mut c_void) -> i32 {
    1
}

extern "C" fn reallocate(
    this: *mut c_void,
    name: *const c_char,
    current: *mut c_void,
    size: u64,
    alignment: u64,
) -> *mut c_void {
    reallocate_async(this, name, current, size, alignment, std::ptr::null_mut())
}

extern "C" fn reallocate_async(
    this: *mut c_void,
    name: *const c_char,
    current: *mut c_void,
    size: u64,
    alignment: u64,
    stream: *mut c_void,
) -> *mut c_void {
    guarded("IOutputAllocator::reallocateOutput", std::ptr::null_mut(), || {
        let (Ok(size), Ok(alignment)) = (usize::try_from(size), usize::try_from(alignment)) else {
            return std::ptr::null_mut();
        };
        // SAFETY: TensorRT passes NUL-terminated text.
        let tensor = &unsafe { text(name) };
        // SAFETY: called by TensorRT on its allocator.
        unsafe { state(this) }.reallocate(Request { tensor, current, size, alignment, stream })
    })
}

fn notify(this: *mut c_void, name: *const c_char, dims: Option<Dims>) {
    let Some(dims) = dims else { return };
    // SAFETY: TensorRT passes NUL-terminated text, and calls on its allocator.
    unsafe { state(this).notify_shape(&text(name), &dims) };
}

extern "C" fn notify_shape_32(this: *mut c_void, name: *const c_char, dims: *const Dims32) {
    // SAFETY: TensorRT 8 passes a reference to 32-bit Dims.
    guarded("IOutputAllocator::notifyShape", (), || notify(this, name, Dims::from_32(unsafe { &*dims })));
}

extern "C" fn notify_shape_64(this: *mut c_void, name: *const c_char, dims: *const Dims64) {
    // SAFETY: TensorRT 10 and later pass a reference to 64-bit Dims.
    guarded("IOutputAllocator::notifyShape", (), || notify(this, name, Dims::from_64(unsafe { &*dims })));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    struct Diary(Arc<Mutex<Vec<String>>>);

    // SAFETY: nothing in the test reads what the addresses point to.
    unsafe impl OutputAllocator for Diary {
        fn reallocate(&mut self, request: Request<'_>) -> *mut c_void {
            let Request { tensor, size, alignment, stream, .. } = request;
            self.0.lock().unwrap().push(format!("{tensor} {size} {alignment} {}", stream.addr()));
            assert!(size < 1 << 20, "an allocator that panics");
            std::ptr::without_provenance_mut(0x1000)
        }

        fn notify_shape(&mut self, tensor: &str, dims: &[i64]) {
            self.0.lock().unwrap().push(format!("{tensor} {dims:?}"));
        }
    }

    type Reallocate = extern "C" fn(*mut c_void, *const c_char, *mut c_void, u64, u64) -> *mut c_void;
    type ReallocateAsync = extern "C" fn(*mut c_void, *const c_char, *mut c_void, u64, u64, *mut c_void) -> *mut c_void;
    type Notify<D> = extern "C" fn(*mut c_void, *const c_char, *const D);

    #[test]
    fn requests_and_shapes_pass_through() {
        for version in crate::testing::versions() {
            let diary = Arc::default();
            let allocator = Allocator::new(version, Box::new(Diary(Arc::clone(&diary))));
            assert!(allocator.object.is_complete(), "{version}");
            let (this, name, none) = (allocator.as_ptr(), c"y".as_ptr(), std::ptr::null_mut());
            let function = |m| allocator.object.function(version, m);
            if table::REALLOCATE_OUTPUT.slot(version).is_some() {
                // SAFETY: the slot holds a function of this type.
                let f = unsafe { std::mem::transmute::<*const (), Reallocate>(function(&table::REALLOCATE_OUTPUT)) };
                assert_eq!(f(this, name, none, 64, 256).addr(), 0x1000);
                assert!(f(this, name, none, 1 << 30, 256).is_null(), "a panic fails the request");
            }
            if table::REALLOCATE_OUTPUT_ASYNC.slot(version).is_some() {
                let function = function(&table::REALLOCATE_OUTPUT_ASYNC);
                // SAFETY: the slot holds a function of this type.
                let f = unsafe { std::mem::transmute::<*const (), ReallocateAsync>(function) };
                f(this, name, none, 32, 16, std::ptr::without_provenance_mut(7));
                assert!(diary.lock().unwrap().contains(&"y 32 16 7".to_owned()));
            }
            let function = function(&table::NOTIFY_SHAPE);
            if version.family() == Family::Trt8 {
                let dims = Dims::new(&[2, 3]).unwrap().to_32().unwrap();
                // SAFETY: the slot holds a function of this type in 8.6.
                let notify = unsafe { std::mem::transmute::<*const (), Notify<Dims32>>(function) };
                notify(this, name, &raw const dims);
            } else {
                let dims = Dims::new(&[2, 3]).unwrap().to_64();
                // SAFETY: the slot holds a function of this type from 10 on.
                let notify = unsafe { std::mem::transmute::<*const (), Notify<Dims64>>(function) };
                notify(this, name, &raw const dims);
            }
            assert_eq!(diary.lock().unwrap().last().unwrap(), "y [2, 3]");
        }
    }
}
