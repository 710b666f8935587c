//! `IErrorRecorder`: the errors of one builder with its networks, or one runtime with its engines.
//!
//! The logger receives all messages of the process; a recorder only those of the objects it was set on, so concurrent
//! builds do not mix up their reasons.

use std::ffi::{CString, c_char, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Message;
use crate::object::{Object, guarded, text};
use crate::sys::tables::error_recorder as table;
use crate::types::Severity;
use crate::version::Version;

/// Errors kept between two `clear()`s; later ones set the overflow flag.
const CAPACITY: usize = 256;

/// The error recorder of a host's objects.
#[derive(Debug)]
pub struct Recorder {
    object: Box<Object<Mutex<Errors>>>,
}

#[derive(Debug, Default)]
struct Errors {
    /// Errors reported so far, cleared ones included.
    count: u64,
    overflowed: bool,
    /// What `getNbErrors` and its like show. The text stays where it is until `clear`, as TensorRT may hold on to it.
    shown: Vec<(i32, CString)>,
    /// The last errors, whether cleared or not: TensorRT clears at the start of some calls.
    recent: Vec<Message>,
}

impl Recorder {
    pub(crate) fn new(version: Version) -> Self {
        let methods = [
            (&table::GET_NB_ERRORS, nb_errors as *const ()),
            (&table::GET_ERROR_CODE, error_code as *const ()),
            (&table::GET_ERROR_DESC, error_desc as *const ()),
            (&table::HAS_OVERFLOWED, has_overflowed as *const ()),
            (&table::CLEAR, clear as *const ()),
            (&table::REPORT_ERROR, report_error as *const ()),
            (&table::INC_REF_COUNT, ref_count as *const ()),
            (&table::DEC_REF_COUNT, ref_count as *const ()),
        ];
        Self { object: Object::new(version, table::ALL, c"IErrorRecorder", &methods, Mutex::default()) }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr()
    }

    /// Errors reported so far.
    pub(crate) fn count(&self) -> u64 {
        lock(&self.object.state).count
    }

    /// Errors reported after `count`, as far as they are kept.
    pub(crate) fn since(&self, count: u64) -> Vec<Message> {
        let errors = lock(&self.object.state);
        let fresh = usize::try_from(errors.count - count).unwrap_or(CAPACITY);
        let skip = errors.recent.len().saturating_sub(fresh);
        errors.recent[skip..].to_vec()
    }
}

fn lock(errors: &Mutex<Errors>) -> MutexGuard<'_, Errors> {
    errors.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The recorder behind `this`.
///
/// # Safety
/// `this` is the pointer of a live recorder: TensorRT gives back what it was given, and the host outlives its objects.
unsafe fn errors<'a>(this: *mut c_void) -> MutexGuard<'a, Errors> {
    // SAFETY: the caller's promise.
    lock(unsafe { Object::<Mutex<Errors>>::state(this) })
}

extern "C" fn nb_errors(this: *mut c_void) -> i32 {
    // SAFETY: called by TensorRT on its recorder.
    guarded("IErrorRecorder::getNbErrors", 0, || i32::try_from(unsafe { errors(this) }.shown.len()).unwrap_or(i32::MAX))
}

extern "C" fn error_code(this: *mut c_void, index: i32) -> i32 {
    guarded("IErrorRecorder::getErrorCode", 0, || {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        // SAFETY: called by TensorRT on its recorder.
        unsafe { errors(this) }.shown.get(index).map_or(0, |(code, _)| *code)
    })
}

extern "C" fn error_desc(this: *mut c_void, index: i32) -> *const c_char {
    guarded("IErrorRecorder::getErrorDesc", c"".as_ptr(), || {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        // SAFETY: called by TensorRT on its recorder.
        unsafe { errors(this) }.shown.get(index).map_or(c"".as_ptr(), |(_, text)| text.as_ptr())
    })
}

extern "C" fn has_overflowed(this: *mut c_void) -> bool {
    // SAFETY: called by TensorRT on its recorder.
    guarded("IErrorRecorder::hasOverflowed", false, || unsafe { errors(this) }.overflowed)
}

extern "C" fn clear(this: *mut c_void) {
    guarded("IErrorRecorder::clear", (), || {
        // SAFETY: called by TensorRT on its recorder.
        let mut errors = unsafe { errors(this) };
        errors.shown.clear();
        errors.overflowed = false;
    });
}

/// Answers whether the error is fatal to the object, which is for TensorRT to know; false lets it go on.
pub(crate) extern "C" fn report_error(this: *mut c_void, code: i32, description: *const c_char) -> bool {
    guarded("IErrorRecorder::reportError", false, || {
        // SAFETY: TensorRT passes NUL-terminated text.
        let text = unsafe { text(description) };
        // Not an error here: the call that it fails returns it, and whoever handles that decides.
        tracing::debug!(target: "torch2trt::tensorrt", code, "{text}");
        // SAFETY: called by TensorRT on its recorder.
        let mut errors = unsafe { errors(this) };
        errors.count += 1;
        if errors.shown.len() < CAPACITY {
            errors.shown.push((code, CString::new(text.as_str()).unwrap_or_default()));
        } else {
            errors.overflowed = true;
        }
        if errors.recent.len() == CAPACITY {
            errors.recent.remove(0);
        }
        errors.recent.push(Message { severity: Severity::Error, text });
        false
    })
}

/// The host owns the recorder, not TensorRT's count of references to it.
extern "C" fn ref_count(_: *mut c_void) -> i32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Method;

    /// Calls a method of the recorder as TensorRT would.
    macro_rules! virtual_call {
        ($recorder:expr, $version:expr, $method:expr, fn($($type:ty),*) -> $back:ty, $($arg:expr),*) => {{
            let method: &Method = &$method;
            let function = $recorder.object.function($version, method);
            // SAFETY: the slot holds a function of this type.
            let function = unsafe {
                std::mem::transmute::<*const (), extern "C" fn(*mut c_void, $($type),*) -> $back>(function)
            };
            function($recorder.as_ptr(), $($arg),*)
        }};
    }

    #[test]
    fn reports_are_shown_and_survive_clear() {
        for version in crate::testing::versions() {
            let recorder = Recorder::new(version);
            assert!(recorder.object.is_complete(), "{version}");
            for (code, text) in [(3, c"bad axis"), (4, c"bad config")] {
                let fatal = virtual_call!(
                    recorder,
                    version,
                    table::REPORT_ERROR,
                    fn(i32, *const c_char) -> bool,
                    code,
                    text.as_ptr()
                );
                assert!(!fatal);
            }
            assert_eq!(virtual_call!(recorder, version, table::GET_NB_ERRORS, fn() -> i32,), 2);
            assert_eq!(virtual_call!(recorder, version, table::GET_ERROR_CODE, fn(i32) -> i32, 1), 4);
            assert_eq!(virtual_call!(recorder, version, table::GET_ERROR_CODE, fn(i32) -> i32, -1), 0);
            let shown = virtual_call!(recorder, version, table::GET_ERROR_DESC, fn(i32) -> *const c_char, 0);
            // SAFETY: the recorder shows NUL-terminated text.
            assert_eq!(unsafe { text(shown) }, "bad axis");
            virtual_call!(recorder, version, table::CLEAR, fn() -> (),);
            assert_eq!(virtual_call!(recorder, version, table::GET_NB_ERRORS, fn() -> i32,), 0);
            assert_eq!(recorder.count(), 2);
            assert_eq!(recorder.since(1)[0].text, "bad config");
        }
    }

    #[test]
    fn too_many_errors_overflow() {
        let version = crate::testing::versions()[2];
        let recorder = Recorder::new(version);
        for _ in 0..=CAPACITY {
            assert!(!virtual_call!(recorder, version, table::HAS_OVERFLOWED, fn() -> bool,));
            report_error(recorder.as_ptr(), 1, c"again".as_ptr());
        }
        assert!(virtual_call!(recorder, version, table::HAS_OVERFLOWED, fn() -> bool,));
    }
}
