//! `IInt8EntropyCalibrator2` and `IInt8MinMaxCalibrator`: implicit int8 of TensorRT 8.6 and 10.
//!
//! From 11 on, and in TensorRT-RTX, quantization is said in the network; then this is not used.

use std::ffi::{c_char, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::raw::object::{Object, guarded, text};
use crate::sys::tables::{int8_entropy_calibrator2 as table, int8_min_max_calibrator as min_max};
use crate::version::Version;

/// How ranges follow from what is measured (`CalibrationAlgoType`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CalibrationAlgorithm {
    /// The range that loses least information; for convolutional networks.
    Entropy2,
    /// The whole range seen; for transformers.
    MinMax,
}

impl CalibrationAlgorithm {
    /// The same number in 8.6 and 10.
    fn number(self) -> i32 {
        match self {
            Self::Entropy2 => 2,
            Self::MinMax => 3,
        }
    }
}

/// Feeds sample inputs to a build with [`BuilderFlag::Int8`](crate::BuilderFlag::Int8).
///
/// # Safety
/// The addresses that `next_batch` gives are of device memory that holds a whole input each, until the next call.
pub unsafe trait Int8Calibrator: Send {
    /// How ranges follow from what is measured.
    fn algorithm(&self) -> CalibrationAlgorithm;

    /// Samples in a batch; only TensorRT's messages use it.
    fn batch_size(&self) -> usize {
        1
    }

    /// Device addresses of the next sample's inputs, in the order of `inputs`; `None` when there are no more.
    fn next_batch(&mut self, inputs: &[String]) -> Option<Vec<*mut c_void>>;

    /// A cache of an earlier calibration, which saves the samples.
    fn read_cache(&mut self) -> Option<Vec<u8>>;

    /// Takes the cache of this calibration.
    fn write_cache(&mut self, cache: &[u8]);
}

/// An `Int8Calibrator` as TensorRT sees it.
pub(crate) struct Calibrator {
    object: Box<Object<Mutex<State>>>,
}

struct State {
    calibrator: Box<dyn Int8Calibrator>,
    /// What `readCalibrationCache` gave; TensorRT reads it after the call.
    cache: Vec<u8>,
}

impl Calibrator {
    pub(crate) fn new(version: Version, calibrator: Box<dyn Int8Calibrator>) -> Self {
        let methods = [
            (&table::GET_BATCH_SIZE, batch_size as *const ()),
            (&table::GET_BATCH, batch as *const ()),
            (&table::READ_CALIBRATION_CACHE, read_cache as *const ()),
            (&table::WRITE_CALIBRATION_CACHE, write_cache as *const ()),
            (&table::GET_ALGORITHM, algorithm as *const ()),
        ];
        let (class, name) = match calibrator.algorithm() {
            CalibrationAlgorithm::Entropy2 => (table::ALL, c"IInt8EntropyCalibrator2"),
            CalibrationAlgorithm::MinMax => (min_max::ALL, c"IInt8MinMaxCalibrator"),
        };
        let state = Mutex::new(State { calibrator, cache: Vec::new() });
        Self { object: Object::new(version, class, name, &methods, state) }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr()
    }
}

impl std::fmt::Debug for Calibrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Calibrator")
    }
}

/// The state behind `this`.
///
/// # Safety
/// `this` is a live calibrator: TensorRT gives back what it was given, and the configuration keeps it.
unsafe fn state<'a>(this: *mut c_void) -> MutexGuard<'a, State> {
    // SAFETY: the caller's promise.
    unsafe { Object::<Mutex<State>>::state(this) }.lock().unwrap_or_else(PoisonError::into_inner)
}

extern "C" fn batch_size(this: *mut c_void) -> i32 {
    guarded("IInt8Calibrator::getBatchSize", 1, || {
        // SAFETY: called by TensorRT on its calibrator.
        i32::try_from(unsafe { state(this) }.calibrator.batch_size()).unwrap_or(1)
    })
}

extern "C" fn batch(this: *mut c_void, bindings: *mut *mut c_void, names: *const *const c_char, count: i32) -> bool {
    guarded("IInt8Calibrator::getBatch", false, || {
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: TensorRT passes `count` names.
        let names: Vec<String> = (0..count).map(|i| unsafe { text(*names.add(i)) }).collect();
        // SAFETY: called by TensorRT on its calibrator.
        let Some(addresses) = unsafe { state(this) }.calibrator.next_batch(&names) else {
            return false;
        };
        if addresses.len() != count {
            tracing::error!(target: "torch2trt::tensorrt", "a calibration batch has {} inputs instead of {count}", addresses.len());
            return false;
        }
        for (i, address) in addresses.into_iter().enumerate() {
            // SAFETY: TensorRT passes room for `count` addresses.
            unsafe { *bindings.add(i) = address };
        }
        true
    })
}

extern "C" fn read_cache(this: *mut c_void, length: *mut usize) -> *const c_void {
    guarded("IInt8Calibrator::readCalibrationCache", std::ptr::null(), || {
        // SAFETY: called by TensorRT on its calibrator.
        let mut state = unsafe { state(this) };
        state.cache = state.calibrator.read_cache().unwrap_or_default();
        // SAFETY: TensorRT passes a place for the length.
        unsafe { *length = state.cache.len() };
        if state.cache.is_empty() { std::ptr::null() } else { state.cache.as_ptr().cast() }
    })
}

extern "C" fn write_cache(this: *mut c_void, data: *const c_void, length: usize) {
    guarded("IInt8Calibrator::writeCalibrationCache", (), || {
        if data.is_null() || length == 0 {
            return;
        }
        // SAFETY: TensorRT passes `length` readable bytes, and calls on its calibrator.
        unsafe { state(this).calibrator.write_cache(std::slice::from_raw_parts(data.cast(), length)) };
    });
}

extern "C" fn algorithm(this: *mut c_void) -> i32 {
    let otherwise = CalibrationAlgorithm::Entropy2.number();
    guarded("IInt8Calibrator::getAlgorithm", otherwise, || {
        // SAFETY: called by TensorRT on its calibrator.
        unsafe { state(this) }.calibrator.algorithm().number()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    struct Sample {
        left: usize,
        written: Arc<Mutex<Vec<u8>>>,
    }

    // SAFETY: nothing in the test reads what the addresses point to.
    unsafe impl Int8Calibrator for Sample {
        fn algorithm(&self) -> CalibrationAlgorithm {
            CalibrationAlgorithm::MinMax
        }

        fn next_batch(&mut self, inputs: &[String]) -> Option<Vec<*mut c_void>> {
            assert_eq!(inputs, ["x", "mask"]);
            self.left = self.left.checked_sub(1)?;
            Some(vec![std::ptr::without_provenance_mut(0x10), std::ptr::without_provenance_mut(0x20)])
        }

        fn read_cache(&mut self) -> Option<Vec<u8>> {
            Some(self.written.lock().unwrap().clone())
        }

        fn write_cache(&mut self, cache: &[u8]) {
            *self.written.lock().unwrap() = cache.to_vec();
        }
    }

    type Batch = extern "C" fn(*mut c_void, *mut *mut c_void, *const *const c_char, i32) -> bool;
    type ReadCache = extern "C" fn(*mut c_void, *mut usize) -> *const c_void;
    type WriteCache = extern "C" fn(*mut c_void, *const c_void, usize);

    #[test]
    fn batches_and_caches_pass_through() {
        for version in &crate::testing::versions()[..2] {
            let written = Arc::default();
            let sample = Sample { left: 2, written: Arc::clone(&written) };
            let calibrator = Calibrator::new(*version, Box::new(sample));
            assert!(calibrator.object.is_complete(), "{version}");
            let function = |m| calibrator.object.function(*version, m);
            // SAFETY: the slots hold functions of these types.
            let (batch, read, write) = unsafe {
                (
                    std::mem::transmute::<*const (), Batch>(function(&table::GET_BATCH)),
                    std::mem::transmute::<*const (), ReadCache>(function(&table::READ_CALIBRATION_CACHE)),
                    std::mem::transmute::<*const (), WriteCache>(function(&table::WRITE_CALIBRATION_CACHE)),
                )
            };
            let this = calibrator.as_ptr();
            let names = [c"x".as_ptr(), c"mask".as_ptr()];
            let mut bindings = [std::ptr::null_mut(); 2];
            assert!(batch(this, bindings.as_mut_ptr(), names.as_ptr(), 2));
            assert_eq!(bindings[1].addr(), 0x20);
            assert!(batch(this, bindings.as_mut_ptr(), names.as_ptr(), 2));
            assert!(!batch(this, bindings.as_mut_ptr(), names.as_ptr(), 2), "no more samples");
            let mut length = 7;
            assert!(read(this, &raw mut length).is_null(), "no cache yet");
            assert_eq!(length, 0);
            write(this, c"ranges".as_ptr().cast(), 6);
            assert_eq!(*written.lock().unwrap(), b"ranges");
            assert!(!read(this, &raw mut length).is_null());
            assert_eq!(length, 6);
            assert_eq!(algorithm(this), 3);
        }
    }
}
