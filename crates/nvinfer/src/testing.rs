//! What unit tests share: one version of each family, and objects in place of TensorRT's.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::logger::Logger;
use crate::raw::{Entry, Host, Ref};
use crate::sys::Method;
use crate::version::{Family, Version};

/// The newest version of every family whose facts are known, in the tables' column order.
pub fn versions() -> Vec<Version> {
    Family::ALL.iter().filter_map(|family| family.facts().last()).map(|facts| version(facts)).collect()
}

/// The version that facts such as `8.6.1`, `10.16` or `rtx1.7` are of.
pub fn version(facts: &str) -> Version {
    let mut numbers = facts.trim_start_matches("rtx").split('.').map(|part| part.parse::<i32>().unwrap());
    let mut next = || numbers.next().unwrap_or(0);
    let (major, minor, patch) = (next(), next(), next());
    // `getInferLibVersion` of TensorRT 8 has four digits.
    let number = if major == 8 { major * 1_000 + minor * 100 + patch } else { major * 10_000 + minor * 100 + patch };
    Version::from_reported(number).unwrap()
}

/// A host of a library of this version that is not there.
pub fn host(version: Version) -> Arc<Host> {
    Host::new(Box::leak(Box::new(Entry { version, reported: 0, logger: Logger::new(version) })))
}

/// An object as TensorRT lays it out: a vtable pointer, then a pointer to the implementation, whose own vtable holds
/// these functions. The implementation has room for a word of state behind its vtable pointer.
pub struct Fake {
    object: Box<[*const c_void; 3]>,
    _implementation: Box<(*const *const (), i64)>,
    _table: Vec<*const ()>,
}

impl Fake {
    /// With the implementation pointer where a plain object and a layer have it.
    pub fn new(version: Version, methods: &[(&Method, *const ())]) -> Self {
        Self::with_state(version, methods, 0)
    }

    /// As [`Self::new`], with a state that [`Self::state`] reads.
    pub fn with_state(version: Version, methods: &[(&Method, *const ())], state: i64) -> Self {
        let mut table = vec![std::ptr::null(); 128];
        for (method, function) in methods {
            table[method.slot(version).unwrap().index] = *function;
        }
        let implementation = Box::new((table.as_ptr(), state));
        let at: *const c_void = std::ptr::from_ref(&*implementation).cast();
        Self { object: Box::new([std::ptr::null(), at, at]), _implementation: implementation, _table: table }
    }

    /// The state, from `this` of one of the functions.
    pub fn state(this: *mut c_void) -> i64 {
        // SAFETY: the functions of a fake get its implementation.
        unsafe { (*this.cast::<(*const *const (), i64)>()).1 }
    }

    /// What TensorRT would pass around.
    pub fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr().cast_mut().cast()
    }

    /// A handle for calls.
    pub fn handle<'a>(&'a self, host: &'a Host) -> Ref<'a> {
        // SAFETY: the fake has the layout that calls rely on, and lives as long as its borrow.
        unsafe { Ref::new(NonNull::from(&*self.object).cast(), host) }
    }
}
