//! `torch2trt bench`: how long a call takes, with inputs and outputs where the engine has them.

use crate::{Done, Screen, engine, pytorch, row, tensors};
use clap::Args;
use runtime::{RunOptions, Tensor};
use serde_json::{Value, json};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use torch2trt::{Executable, Staged};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    engine: engine::Arguments,
    #[command(flatten)]
    inputs: tensors::Arguments,
    /// Calls that are timed
    #[arg(long, default_value = "200")]
    calls: NonZeroUsize,
    /// Calls before them
    #[arg(long, default_value_t = 20)]
    warm_up: usize,
}

impl Arguments {
    /// What it asks of PyTorch, for a file with parts in PyTorch.
    pub(crate) fn for_pytorch(&self) -> Option<Value> {
        let about = json!({ "command": "bench", "calls": self.calls, "warm_up": self.warm_up });
        pytorch::request(&self.engine, &self.inputs, about)
    }
}

pub(crate) fn run(arguments: &Arguments, site_packages: Vec<PathBuf>, screen: &mut Screen<'_>) -> Done {
    let started = Instant::now();
    let executable = arguments.engine.load(site_packages)?;
    let loaded = started.elapsed();
    let inputs = arguments.inputs.read(&executable.artifact.declared)?;
    let views: Vec<_> = inputs.iter().map(Tensor::view).collect();
    let staged = executable.stage(&views)?;
    let mut call = caller(&executable, &staged)?;
    for _ in 0..arguments.warm_up {
        call()?;
    }
    let mut times = Vec::with_capacity(arguments.calls.get());
    for _ in 0..arguments.calls.get() {
        let started = Instant::now();
        call()?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let names = executable.artifact.declared.inputs.iter().map(|io| io.name.as_str());
    let mut rows = vec![
        row("engine", executable.engine.description()),
        row("loaded in", format!("{:.2} s", loaded.as_secs_f64())),
    ];
    rows.extend(names.zip(&inputs).map(|(name, tensor)| row("input", format!("{name}: {}", tensors::kind(tensor)))));
    rows.push(row("calls", format!("{} after {}", times.len(), arguments.warm_up)));
    for (name, share) in [("median", 0.5), ("least", 0.0), ("95 % within", 0.95)] {
        rows.push(row(name, milliseconds(quantile(&times, share))));
    }
    let total: Duration = times.iter().sum();
    rows.push(row("per second", format!("{:.1}", times.len() as f64 / total.as_secs_f64())));
    screen.columns(&rows)
}

/// A call that is over when it returns, into the same outputs each time; into new ones where their sizes depend on
/// data.
fn caller<'a>(
    executable: &'a Executable,
    staged: &'a [Staged<'_>],
) -> Result<Box<dyn FnMut() -> torch2trt::Result<()> + 'a>, crate::Failure> {
    let (engine, options) = (&executable.engine, RunOptions::default());
    let views: Vec<_> = staged.iter().map(Staged::view).collect();
    let dims: Vec<&[i64]> = views.iter().map(|view| view.dims()).collect();
    let known: Option<Vec<Vec<i64>>> = engine.output_dims(&dims)?.into_iter().collect();
    let Some(known) = known else {
        return Ok(Box::new(move || Ok(engine.run_alloc(&views, &options).map(|_| ())?)));
    };
    let outputs = engine.spec().outputs.iter().zip(&known);
    let outputs = outputs.map(|(io, dims)| Tensor::zeros(io.dtype, dims, engine.device()));
    let mut outputs = outputs.collect::<Result<Vec<Tensor>, _>>()?;
    Ok(Box::new(move || {
        let mut written: Vec<_> = outputs.iter_mut().map(Tensor::view_mut).collect();
        Ok(engine.run(&views, &mut written, &options)?)
    }))
}

fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get((share * last as f64).round() as usize).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_seen() {
        let times: Vec<Duration> = (1..=5).map(Duration::from_millis).collect();
        assert_eq!([0.0, 0.5, 0.95, 1.0].map(|share| quantile(&times, share).as_millis()), [1, 3, 5, 5]);
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
        assert_eq!(milliseconds(Duration::from_micros(1234)), "1.234 ms");
    }
}
