//! The end of the interpreter: calls that other threads have in flight end first, and no new ones begin.
//!
//! A daemon thread that comes back for the interpreter lock after the interpreter is gone is ended by unwinding,
//! which must not happen inside an engine's call.

use crate::error::raise;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use torch2trt::{Code, Error};

static CLOSING: AtomicBool = AtomicBool::new(false);
static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);

/// A call that is in flight until this is dropped.
pub(crate) struct Flight;

impl Flight {
    /// Begins a call.
    pub(crate) fn begin(py: Python<'_>) -> PyResult<Self> {
        // Counted first, so that `close` either sees this call or is seen by it.
        IN_FLIGHT.fetch_add(1, Ordering::SeqCst);
        let flight = Self;
        if CLOSING.load(Ordering::SeqCst) {
            return Err(raise(
                py,
                &Error::new(Code::RunFailed, "the interpreter is ending: no further calls are made"),
            ));
        }
        Ok(flight)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        IN_FLIGHT.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Refuses further calls and waits for those in flight, for at most 30 s. Registered with `atexit`.
#[pyfunction]
pub(crate) fn close(py: Python<'_>) {
    CLOSING.store(true, Ordering::SeqCst);
    // Engines may log something when they are dropped, to an interpreter that is no more.
    crate::logs::silence();
    let end = Instant::now() + Duration::from_secs(30);
    while IN_FLIGHT.load(Ordering::SeqCst) > 0 && Instant::now() < end {
        py.detach(|| std::thread::sleep(Duration::from_millis(1)));
    }
}
