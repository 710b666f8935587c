//! C++ objects made in Rust: the interfaces through which TensorRT calls us.
//!
//! A C++ object with virtual functions is a pointer to a table of them, then its fields. The table is laid out from the
//! loaded version's slots, so one implementation serves every version of an interface. TensorRT never deletes these
//! objects; their destructor slots do nothing. No Rust panic crosses into C++: [`guarded`] stops it.

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sys::Method;
use crate::sys::layout::InterfaceInfo;
use crate::version::Version;

/// The address of a Rust function that takes the place of a virtual method.
pub type Function = *const ();

/// A C++ object whose methods are Rust functions with a state of type `T`.
///
/// Its address is what TensorRT gets, so it stays in its box.
#[repr(C)]
#[derive(Debug)]
pub struct Object<T> {
    vtable: *const Function,
    info: InterfaceInfo,
    table: Box<[Function]>,
    /// What the methods work on.
    pub state: T,
}

// SAFETY: the pointers are to the object's own table and to static text, neither of which changes.
unsafe impl<T: Send> Send for Object<T> {}
// SAFETY: as above; methods get the state by shared reference only.
unsafe impl<T: Sync> Sync for Object<T> {}

/// Words in front of a virtual table's first slot: offset to top and type information, which TensorRT does not read.
const HEADER: usize = 2;
/// Slots behind the known ones that answer nothing, for a later version that calls a method added since.
const SPARE: usize = 8;

impl<T> Object<T> {
    /// Lays out an object of `class` (the table of its interface) for `version`.
    ///
    /// Destructors and the two methods of a versioned interface are filled in here; `methods` lists the rest. Those
    /// that the version does not have are left out.
    #[expect(clippy::unnecessary_box_returns, reason = "TensorRT keeps its address")]
    pub fn new(
        version: Version,
        class: &[Method],
        name: &'static CStr,
        methods: &[(&Method, Function)],
        state: T,
    ) -> Box<Self> {
        let slots = class.iter().filter_map(|m| m.slot(version));
        let count = slots.map(|s| s.index + 1).max().unwrap_or(0);
        let mut table = vec![std::ptr::null(); HEADER];
        table.resize(HEADER + count + SPARE, absent as Function);
        let common: [(&str, Function); 4] = [
            ("completeDestructor", nothing as Function),
            ("deletingDestructor", nothing as Function),
            ("getAPILanguage", cpp as Function),
            ("getInterfaceInfo", interface_info as Function),
        ];
        for (name, function) in common {
            let method = class.iter().find(|m| m.name == name);
            if let Some(slot) = method.and_then(|m| m.slot(version)) {
                table[HEADER + slot.index] = function;
            }
        }
        for (method, function) in methods {
            if let Some(slot) = method.slot(version) {
                table[HEADER + slot.index] = *function;
            }
        }
        let info = InterfaceInfo { kind: name.as_ptr(), major: 1, minor: 0 };
        let table = table.into_boxed_slice();
        let vtable = table[HEADER..].as_ptr();
        Box::new(Self { vtable, info, table, state })
    }

    /// What TensorRT gets.
    pub fn as_ptr(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// The state behind `this` in a method.
    ///
    /// # Safety
    /// `this` is the pointer of a live `Object<T>`.
    pub unsafe fn state<'a>(this: *mut c_void) -> &'a T {
        // SAFETY: the caller's promise.
        unsafe { &(*this.cast::<Self>()).state }
    }

    /// The function in a slot, as TensorRT would find it; for tests that play TensorRT's part.
    #[cfg(test)]
    pub fn function(&self, version: Version, method: &Method) -> Function {
        self.table[HEADER + method.slot(version).unwrap().index]
    }

    /// Whether every slot up to the last is filled.
    #[cfg(test)]
    pub fn is_complete(&self) -> bool {
        let known = &self.table[HEADER..self.table.len() - SPARE];
        known.iter().all(|f| *f != absent as Function)
    }
}

extern "C" fn nothing(_: *mut c_void) {}

extern "C" fn absent(_: *mut c_void) -> usize {
    0
}

/// `APILanguage::kCPP`.
extern "C" fn cpp(_: *mut c_void) -> i32 {
    0
}

extern "C" fn interface_info(this: *mut c_void) -> InterfaceInfo {
    // SAFETY: `this` is an `Object`, whose fields up to `info` do not depend on the state's type.
    unsafe { (*this.cast::<Object<()>>()).info }
}

/// Runs a callback; a panic in it is logged and answered with `otherwise`, since it must not unwind into C++.
pub fn guarded<R>(callback: &'static str, otherwise: R, run: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        tracing::error!(target: "torch2trt::tensorrt", callback, reason = text.as_deref(), "a callback panicked");
        otherwise
    })
}

/// Text from TensorRT; null reads as empty, and control characters, which some messages have where a number was meant,
/// as escapes.
///
/// # Safety
/// `text` is null or NUL-terminated.
pub unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let strange = |c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
    if !text.contains(strange) {
        return text.into_owned();
    }
    text.chars().map(|c| if strange(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}
