//! Times of layers from ONNX Runtime's profiler, which writes a trace (JSON) of every node that runs.
//!
//! A session is profiled from its start to its end, so that it is made anew for the measurement.

use crate::error::{Error, Stage};
use crate::{LayerTimes, Result};
use serde::Deserialize;
use std::path::Path;

/// What of a call is in no node.
const REST: &str = "ONNX Runtime's work between nodes, and the microseconds that its profiler rounds down";

/// An event of the trace. Times are microseconds.
#[derive(Deserialize)]
struct Event {
    cat: String,
    name: String,
    ts: u64,
    dur: u64,
    #[serde(default)]
    args: Arguments,
}

#[derive(Default, Deserialize)]
struct Arguments {
    #[serde(default)]
    op_name: String,
}

/// The last `calls` calls of a trace.
pub(super) fn read(path: &Path, calls: usize) -> Result<LayerTimes> {
    let failed = |message: String| Error::OnnxRuntime { stage: Stage::Run, node: None, message };
    let text = std::fs::read_to_string(path).map_err(|error| failed(format!("its profile cannot be read: {error}")))?;
    let events: Vec<Event> =
        serde_json::from_str(&text).map_err(|error| failed(format!("its profile has another format: {error}")))?;
    Ok(layers(&events, calls))
}

fn layers(events: &[Event], calls: usize) -> LayerTimes {
    let mut runs: Vec<&Event> =
        events.iter().filter(|event| event.cat == "Session" && event.name == "model_run").collect();
    runs.sort_by_key(|run| run.ts);
    let runs = &runs[runs.len().saturating_sub(calls)..];
    let is_within = |event: &&Event| runs.iter().any(|run| (run.ts..=run.ts + run.dur).contains(&event.ts));
    let mut nodes: Vec<&Event> = events.iter().filter(|event| event.cat == "Node").filter(is_within).collect();
    nodes.sort_by_key(|node| node.ts);
    let times = nodes.iter().filter_map(|node| {
        let name = node.name.strip_suffix("_kernel_time")?;
        Some((name, node.args.op_name.as_str(), node.dur as f64 * 1e-6))
    });
    let seconds = runs.iter().map(|run| run.dur as f64 * 1e-6).sum();
    LayerTimes::of(runs.len(), seconds, times, REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn microseconds(seconds: f64) -> f64 {
        (seconds * 1e6).round()
    }

    #[test]
    fn the_last_calls_of_a_trace_are_read() {
        let node = |name: &str, ts: u64, dur: u64| {
            format!(r#"{{"cat":"Node","name":"{name}","ts":{ts},"dur":{dur},"args":{{"op_name":"Conv","x":"1"}}}}"#)
        };
        let run = |ts: u64| format!(r#"{{"cat":"Session","name":"model_run","ts":{ts},"dur":50,"args":{{}}}}"#);
        let events = [
            run(0),
            node("a_kernel_time", 10, 30),
            run(100),
            node("a_fence_before", 105, 1),
            node("a_kernel_time", 110, 20),
            run(200),
            node("a_kernel_time", 210, 10),
        ];
        let events: Vec<Event> = serde_json::from_str(&format!("[{}]", events.join(","))).unwrap();
        let found = layers(&events, 2);
        assert_eq!((found.calls, microseconds(found.seconds)), (2, 50.0));
        let [layer] = found.layers.as_slice() else { panic!("{found:?}") };
        assert_eq!((layer.name.as_str(), layer.kind.as_str()), ("a", "Conv"));
        assert_eq!(microseconds(layer.seconds), 15.0);
    }
}
