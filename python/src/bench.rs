//! Times of calls that Python measured, as the facade describes them.

use pyo3::prelude::*;
use runtime::CallTime;
use std::time::Duration;
use torch2trt::Bench;

/// What the seconds of calls come to, of `samples` samples each: (name, value) pairs for people, and JSON. A call is
/// (from the call to its outputs, until it was enqueued).
#[pyfunction]
pub(crate) fn describe_calls(
    calls: Vec<(f64, f64)>,
    elapsed: f64,
    samples: Option<u64>,
) -> (Vec<(String, String)>, String) {
    let duration = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let time = |(whole, host)| CallTime { whole: duration(whole), host: duration(host), device: None };
    let times = calls.into_iter().map(time).collect();
    let found = Bench { times, elapsed: duration(elapsed), streams: 1, samples };
    (found.rows(), found.to_json().to_string())
}
