//! `torch2trt bench`: how long calls take, with inputs and outputs where the engine has them.

use crate::{Done, Screen, engine, pytorch, row, tensors};
use clap::Args;
use runtime::{Tensor, TensorView};
use serde_json::{Value, json};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use torch2trt::BenchOptions;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    engine: engine::Arguments,
    #[command(flatten)]
    inputs: tensors::Arguments,
    /// Calls of each stream that are timed
    #[arg(long, default_value = "200")]
    calls: NonZeroUsize,
    /// Seconds for which calls are timed, in place of their number
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "calls")]
    duration: Option<Duration>,
    /// Calls of each stream before them
    #[arg(long = "warmup", alias = "warm-up", value_name = "CALLS", default_value_t = 20)]
    warm_up: usize,
    /// Streams that make calls at the same time, each with a thread of its own
    #[arg(long, value_name = "COUNT", default_value = "1")]
    streams: NonZeroUsize,
    /// Also the time of each layer, by TensorRT's or ONNX Runtime's profiler, in calls of their own
    #[arg(long)]
    layers: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "give seconds, such as 2.5".to_owned())
}

impl Arguments {
    /// What it asks of PyTorch, for a file with parts in PyTorch.
    pub(crate) fn for_pytorch(&self) -> Option<Value> {
        let about = json!({
            "command": "bench", "calls": self.calls, "warm_up": self.warm_up, "json": self.json, "layers": self.layers,
            "streams": self.streams, "duration": self.duration.map(|duration| duration.as_secs_f64()),
        });
        pytorch::request(&self.engine, &self.inputs, about)
    }

    fn options(&self) -> BenchOptions {
        BenchOptions { warm_up: self.warm_up, calls: self.calls, duration: self.duration, streams: self.streams }
    }
}

/// Calls in which layers are timed: profilers slow them down.
const PROFILED: usize = 50;

pub(crate) fn run(arguments: &Arguments, site_packages: Vec<PathBuf>, screen: &mut Screen<'_>) -> Done {
    let started = Instant::now();
    let executable = arguments.engine.load(site_packages)?;
    let loaded = started.elapsed().as_secs_f64();
    let inputs = arguments.inputs.read(&executable.artifact.declared)?;
    let views: Vec<TensorView<'_>> = inputs.iter().map(Tensor::view).collect();
    let measured = executable.bench(&views, &arguments.options())?;
    let calls = arguments.calls.get().min(PROFILED);
    let layers = arguments.layers.then(|| executable.layer_times(&views, calls)).transpose()?;
    let names = executable.artifact.declared.inputs.iter().map(|io| io.name.as_str());
    let kinds: Vec<(&str, String)> = names.zip(&inputs).map(|(name, tensor)| (name, tensors::kind(tensor))).collect();
    if arguments.json {
        let mut found = measured.to_json();
        found["engine"] = json!(executable.engine.description());
        found["load_seconds"] = json!(loaded);
        found["inputs"] =
            json!(kinds.iter().map(|(name, kind)| json!({ "name": name, "type": kind })).collect::<Vec<_>>());
        found["layers"] = json!(layers);
        return screen.line(serde_json::to_string_pretty(&found).unwrap_or_default());
    }
    let mut rows = vec![row("engine", executable.engine.description()), row("loaded in", format!("{loaded:.2} s"))];
    rows.extend(kinds.iter().map(|(name, kind)| row("input", format!("{name}: {kind}"))));
    rows.push(row("warm-up", format!("{} calls", arguments.warm_up)));
    rows.extend(measured.rows().into_iter().map(|(name, value)| row(&name, value)));
    screen.columns(&rows)?;
    layers.map_or(Ok(()), |layers| screen.line(format!("\n{}", torch2trt::layer_table(&layers))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "x", "inf", "nan"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
