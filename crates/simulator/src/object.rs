//! Objects as TensorRT lays them out, with functions of ours in the slots of the version that is reported.

use crate::world::{SUCCESS, call};
use nvinfer::Version;
use nvinfer::sys::Method;
use nvinfer::sys::layout::{Dims32, Dims64, MAX_DIMS};
use std::ffi::{CStr, c_char, c_void};

/// `this` of a call: the implementation.
pub(crate) type This = *mut c_void;

/// A public object: its own vtable, then the implementation that calls go to.
#[repr(C)]
struct Object<T> {
    table: *const [unsafe extern "C" fn(*mut Self); 2],
    implementation: *mut Implementation<T>,
    own: [unsafe extern "C" fn(*mut Self); 2],
}

#[repr(C)]
struct Implementation<T> {
    table: *const *const (),
    slots: Vec<*const ()>,
    state: T,
}

/// A setter whose value the simulator does not use.
pub(crate) extern "C" fn ignore(_: This, _: usize) {}

/// Stands in every slot that the engine has no business calling.
pub(crate) extern "C" fn unknown() {
    call(|world| {
        world.fail("TensorRT was called in a way that the simulator does not know".into());
        SUCCESS
    });
}

/// The deleting destructor.
///
/// # Safety
/// The object came from `make` and is not used afterwards.
unsafe extern "C" fn delete<T>(object: *mut Object<T>) {
    // SAFETY: the caller's promise; both were boxed by `make`.
    unsafe {
        drop(Box::from_raw((*object).implementation));
        drop(Box::from_raw(object));
    }
}

pub(crate) fn version() -> Version {
    match Version::from_reported(reported()) {
        Ok(version) => version,
        Err(_) => std::process::abort(),
    }
}

pub(crate) fn reported() -> i32 {
    std::env::var("SIMULATOR_TENSORRT").ok().and_then(|number| number.parse().ok()).unwrap_or(101_600)
}

/// An object that is its own implementation, as those of plugins are. It is never deleted.
pub(crate) fn make_direct<T>(version: Version, methods: &[(&Method, *const ())], state: T) -> This {
    implementation(version, methods, state).cast()
}

fn implementation<T>(version: Version, methods: &[(&Method, *const ())], state: T) -> *mut Implementation<T> {
    let mut slots: Vec<*const ()> = vec![unknown as *const (); 128];
    for (method, function) in methods {
        if let Some(slot) = method.slot(version) {
            slots[slot.index] = *function;
        }
    }
    Box::into_raw(Box::new(Implementation { table: slots.as_ptr(), slots, state }))
}

pub(crate) fn make<T>(methods: &[(&Method, *const ())], state: T) -> This {
    let implementation = implementation(version(), methods, state);
    let own = [delete::<T> as unsafe extern "C" fn(*mut Object<T>); 2];
    let object = Box::into_raw(Box::new(Object { table: std::ptr::null(), implementation, own }));
    // SAFETY: just made; nobody else has it.
    unsafe { (*object).table = &raw const (*object).own };
    object.cast()
}

/// The state behind `this`.
///
/// # Safety
/// `this` is the implementation of a live object that `make` made with such a state.
pub(crate) unsafe fn state<'a, T>(this: This) -> &'a T {
    // SAFETY: the caller's promise.
    unsafe { &(*this.cast::<Implementation<T>>()).state }
}

/// A name that a caller passes.
///
/// # Safety
/// It ends with a zero.
pub(crate) unsafe fn name<'a>(text: *const c_char) -> &'a CStr {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }
}

pub(crate) fn is_narrow() -> bool {
    version().family() == nvinfer::Family::Trt8
}

pub(crate) fn wide(dims: &[i64]) -> Dims64 {
    let mut d = [0; MAX_DIMS];
    d[..dims.len()].copy_from_slice(dims);
    Dims64 { rank: dims.len() as i32, d }
}

pub(crate) fn narrow(dims: &[i64]) -> Dims32 {
    let Dims64 { rank, d } = wide(dims);
    Dims32 { rank, d: d.map(|size| size as i32) }
}

/// Where calls return or take `Dims`, the function for the version's width.
macro_rules! by_width {
    ($wide:expr, $narrow:expr) => {
        if crate::object::is_narrow() { $narrow as *const () } else { $wide as *const () }
    };
}
pub(crate) use by_width;
