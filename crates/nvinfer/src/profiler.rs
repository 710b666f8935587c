//! `IProfiler`: how long each layer took.

use std::ffi::{c_char, c_void};
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::object::{Object, guarded, text};
use crate::sys::tables::profiler as table;
use crate::version::Version;

/// Receives the time of each layer of an execution.
pub trait Profiler: Send {
    /// Takes the time of one layer, in milliseconds.
    fn layer_time(&mut self, layer: &str, milliseconds: f32);
}

type State = Mutex<Box<dyn Profiler>>;

/// A `Profiler` as TensorRT sees it.
pub(crate) struct LayerTimer {
    object: Box<Object<State>>,
}

impl LayerTimer {
    pub(crate) fn new(version: Version, profiler: Box<dyn Profiler>) -> Self {
        let methods = [(&table::REPORT_LAYER_TIME, report as *const ())];
        Self { object: Object::new(version, table::ALL, c"IProfiler", &methods, Mutex::new(profiler)) }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr()
    }
}

impl std::fmt::Debug for LayerTimer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LayerTimer")
    }
}

extern "C" fn report(this: *mut c_void, layer: *const c_char, milliseconds: f32) {
    guarded("IProfiler::reportLayerTime", (), || {
        // SAFETY: TensorRT gives back the profiler, which the execution context keeps, and NUL-terminated text.
        let (state, layer) = unsafe { (Object::<State>::state(this), text(layer)) };
        state.lock().unwrap_or_else(PoisonError::into_inner).layer_time(&layer, milliseconds);
    });
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    impl Profiler for mpsc::Sender<(String, f32)> {
        fn layer_time(&mut self, layer: &str, milliseconds: f32) {
            self.send((layer.to_owned(), milliseconds)).unwrap();
        }
    }

    type Report = extern "C" fn(*mut c_void, *const c_char, f32);

    #[test]
    fn times_pass_through() {
        for version in crate::testing::versions() {
            let (sender, receiver) = mpsc::channel();
            let timer = LayerTimer::new(version, Box::new(sender));
            assert!(timer.object.is_complete(), "{version}");
            let function = timer.object.function(version, &table::REPORT_LAYER_TIME);
            // SAFETY: the slot holds a function of this type.
            let first = unsafe { std::mem::transmute::<*const (), Report>(function) };
            first(timer.as_ptr(), c"conv".as_ptr(), 0.25);
            assert_eq!(receiver.try_recv(), Ok(("conv".to_owned(), 0.25)));
            drop(receiver);
            report(timer.as_ptr(), c"conv".as_ptr(), 0.5); // panics inside, and returns
        }
    }
}
