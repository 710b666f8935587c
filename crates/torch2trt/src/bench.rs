//! How long calls of an engine take: repeated, on one stream or several, and what the times come to.
//!
//! This file must not know which engine runs.

use crate::{Code, Error, Executable, Result, Staged};
use runtime::{CallTime, CallTimer, LayerTimes, Tensor, TensorView, TensorViewMut};
use serde_json::{Value, json};
use std::num::NonZeroUsize;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// The share of a call that may be in no layer without a word about it.
const UNEXPLAINED: f64 = 0.05;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct BenchOptions {
    /// Calls of each stream before those that are timed.
    pub warm_up: usize,
    /// Calls of each stream that are timed.
    pub calls: NonZeroUsize,
    /// For how long calls are timed, in place of their number.
    pub duration: Option<Duration>,
    /// Streams, each with a thread and outputs of its own, that make calls at the same time.
    pub streams: NonZeroUsize,
}

/// The times of calls.
#[derive(Clone, Debug, Default)]
pub struct Bench {
    /// Of each call of every stream.
    pub times: Vec<CallTime>,
    /// From the first timed call to the end of the last.
    pub elapsed: Duration,
    /// Number of streams.
    pub streams: usize,
    /// Samples in a call: axis 0 of the first input; `None` where that has no axes.
    pub samples: Option<u64>,
}

impl Executable {
    /// Times calls with these inputs, which are moved to the engine's device first.
    ///
    /// # Errors
    /// Codes E04xx: inputs that the engine does not accept, or its own failure.
    pub fn bench(&self, inputs: &[TensorView<'_>], options: &BenchOptions) -> Result<Bench> {
        let staged = self.stage(inputs)?;
        let views: Vec<TensorView<'_>> = staged.iter().map(Staged::view).collect();
        let begin = Barrier::new(options.streams.get());
        let runs: Vec<Result<Run>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..options.streams.get())
                .map(|_| scope.spawn(|| self.bench_stream(&views, options, &begin)))
                .collect();
            let failed = || Error::new(Code::RunFailed, "a thread of the measurement ended early");
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(failed()))).collect()
        });
        let runs = runs.into_iter().collect::<Result<Vec<Run>>>()?;
        let (first, last) = (runs.iter().map(|run| run.begun).min(), runs.iter().map(|run| run.ended).max());
        let elapsed = first.zip(last).map_or(Duration::ZERO, |(first, last)| last.duration_since(first));
        let samples = inputs.iter().find_map(|input| input.dims().first()).and_then(|size| u64::try_from(*size).ok());
        let times = runs.into_iter().flat_map(|run| run.times).collect();
        Ok(Bench { times, elapsed, streams: options.streams.get(), samples })
    }

    /// The calls of one stream. Every stream meets the others at `begin`, also where its own calls fail.
    fn bench_stream(&self, views: &[TensorView<'_>], options: &BenchOptions, begin: &Barrier) -> Result<Run> {
        let warm = Caller::new(self, views).and_then(|mut caller| {
            (0..options.warm_up).try_for_each(|_| caller.call().map(drop))?;
            Ok(caller)
        });
        begin.wait();
        let mut caller = warm?;
        let begun = Instant::now();
        let mut times = Vec::new();
        let is_over = |made: usize| match options.duration {
            Some(duration) => begun.elapsed() >= duration && made > 0,
            None => made >= options.calls.get(),
        };
        while !is_over(times.len()) {
            times.push(caller.call()?);
        }
        Ok(Run { times, begun, ended: Instant::now() })
    }

    /// Times each layer over so many calls with these inputs, which are made for this alone.
    ///
    /// # Errors
    /// As [`Executable::bench`].
    pub fn layer_times(&self, inputs: &[TensorView<'_>], calls: usize) -> Result<LayerTimes> {
        let staged = self.stage(inputs)?;
        let views: Vec<TensorView<'_>> = staged.iter().map(Staged::view).collect();
        Ok(self.engine.layer_times(&views, calls)?)
    }
}

/// What one stream measured.
struct Run {
    times: Vec<CallTime>,
    begun: Instant,
    ended: Instant,
}

/// Makes calls into the same outputs each time; into new ones where their sizes depend on data.
struct Caller<'a> {
    engine: &'a dyn runtime::Engine,
    timer: CallTimer,
    inputs: &'a [TensorView<'a>],
    outputs: Option<Vec<Tensor>>,
}

impl<'a> Caller<'a> {
    fn new(executable: &'a Executable, inputs: &'a [TensorView<'a>]) -> Result<Self> {
        let engine = &*executable.engine;
        let dims: Vec<&[i64]> = inputs.iter().map(TensorView::dims).collect();
        let known: Option<Vec<Vec<i64>>> = engine.output_dims(&dims)?.into_iter().collect();
        let outputs = known.map(|known| {
            let outputs = engine.spec().outputs.iter().zip(known);
            outputs.map(|(io, dims)| Tensor::zeros(io.dtype, &dims, engine.device())).collect::<runtime::Result<_>>()
        });
        Ok(Self { engine, timer: CallTimer::new(engine)?, inputs, outputs: outputs.transpose()? })
    }

    fn call(&mut self) -> Result<CallTime> {
        let Some(outputs) = &mut self.outputs else {
            return Ok(self.timer.run_alloc(self.engine, self.inputs)?.0);
        };
        let mut written: Vec<TensorViewMut<'_>> = outputs.iter_mut().map(Tensor::view_mut).collect();
        Ok(self.timer.run(self.engine, self.inputs, &mut written)?)
    }
}

impl Bench {
    /// Calls in a second, of all streams together.
    pub fn calls_per_second(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The median milliseconds of a call.
    pub fn median(&self) -> f64 {
        self.quantile_ms(0.5)
    }

    /// Milliseconds that this share of the calls does not exceed.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        self.quantile(share, |time| time.whole)
    }

    /// Adds the calls of another measurement of the same kind.
    pub fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.elapsed += other.elapsed;
        (self.streams, self.samples) = (other.streams, other.samples);
    }

    /// The milliseconds of a part of a call that this share of the calls does not exceed.
    fn quantile(&self, share: f64, of: impl Fn(&CallTime) -> Duration) -> f64 {
        let mut times: Vec<Duration> = self.times.iter().map(of).collect();
        times.sort_unstable();
        // The nearest rank: a time that was measured.
        let rank = (share * times.len() as f64).ceil() as usize;
        times.get(rank.saturating_sub(1)).copied().unwrap_or_default().as_secs_f64() * 1e3
    }

    /// The median milliseconds of the GPU, where there is one.
    fn device(&self) -> Option<f64> {
        let known = self.times.iter().all(|time| time.device.is_some());
        (known && !self.times.is_empty()).then(|| self.quantile(0.5, |time| time.device.unwrap_or_default()))
    }

    /// What was measured, as (name, value) pairs for people.
    pub fn rows(&self) -> Vec<(String, String)> {
        let streams = if self.streams == 1 { String::new() } else { format!(" on {} streams", self.streams) };
        let milliseconds = |value: f64| format!("{value:.3} ms");
        let mut rows = vec![(
            "timed".to_owned(),
            format!("{} calls in {:.2} s{streams}", self.times.len(), self.elapsed.as_secs_f64()),
        )];
        for (name, share) in QUANTILES {
            rows.push((name.to_owned(), milliseconds(self.quantile_ms(share))));
        }
        rows.push((
            "host".to_owned(),
            format!("{} of the calling thread", milliseconds(self.quantile(0.5, |time| time.host))),
        ));
        rows.extend(self.device().map(|time| ("device".to_owned(), format!("{} of the GPU", milliseconds(time)))));
        let calls = self.calls_per_second();
        let samples =
            self.samples.map_or_else(String::new, |samples| format!(", {:.1} samples", calls * samples as f64));
        rows.push(("per second".to_owned(), format!("{calls:.1} calls{samples}")));
        rows
    }

    /// The same as JSON, in milliseconds.
    pub fn to_json(&self) -> Value {
        let quantiles = QUANTILES.map(|(name, share)| (name.to_owned(), json!(self.quantile_ms(share))));
        json!({
            "calls": self.times.len(),
            "seconds": self.elapsed.as_secs_f64(),
            "streams": self.streams,
            "latency_ms": serde_json::Map::from_iter(quantiles),
            "host_ms": self.quantile(0.5, |time| time.host),
            "device_ms": self.device(),
            "calls_per_second": self.calls_per_second(),
            "samples_per_call": self.samples,
            "samples_per_second": self.samples.map(|samples| self.calls_per_second() * samples as f64),
        })
    }
}

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("least", 0.0)];

/// The times of layers as a table, slowest first, with the sum and what is in no layer.
pub fn layer_table(times: &LayerTimes) -> String {
    let mut layers: Vec<_> = times.layers.iter().collect();
    layers.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let share = |seconds: f64| if times.seconds > 0.0 { 100.0 * seconds / times.seconds } else { 0.0 };
    let width = layers.iter().map(|layer| layer.name.chars().count()).max().unwrap_or(0).min(80);
    let kinds = layers.iter().map(|layer| layer.kind.chars().count()).max().unwrap_or(0);
    let line = |name: &str, kind: &str, seconds: f64| {
        let text = format!("{name:width$}  {kind:kinds$}  {:10.4} ms  {:5.1} %", seconds * 1e3, share(seconds));
        text.trim_end().to_owned()
    };
    let mut lines: Vec<String> = layers.iter().map(|layer| line(&layer.name, &layer.kind, layer.seconds)).collect();
    let (sum, rest) = (times.in_layers(), times.seconds - times.in_layers());
    lines.push(format!(
        "{} layers take {:.4} ms of the {:.4} ms of a call (mean of {})",
        layers.len(),
        sum * 1e3,
        times.seconds * 1e3,
        times.calls
    ));
    if rest.abs() > UNEXPLAINED * times.seconds {
        lines.push(format!("the other {:.1} %: {}", share(rest), times.rest));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::LayerTime;

    fn bench(milliseconds: &[u64], device: Option<u64>) -> Bench {
        let time = |ms: &u64| CallTime {
            whole: Duration::from_millis(*ms),
            host: Duration::from_millis(1),
            device: device.map(Duration::from_millis),
        };
        let times = milliseconds.iter().map(time).collect();
        Bench { times, elapsed: Duration::from_secs(2), streams: 2, samples: Some(8) }
    }

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let times: Vec<u64> = (1..=100).rev().collect();
        let found = bench(&times, Some(3)).to_json();
        let latency = &found["latency_ms"];
        assert_eq!(
            ["least", "p50", "p90", "p99"].map(|name| latency[name].as_f64()),
            [1.0, 50.0, 90.0, 99.0].map(Some)
        );
        assert_eq!(
            (found["calls_per_second"].as_f64(), found["samples_per_second"].as_f64()),
            (Some(50.0), Some(400.0))
        );
        assert_eq!((found["host_ms"].as_f64(), found["device_ms"].as_f64()), (Some(1.0), Some(3.0)));
    }

    #[test]
    fn a_cpu_has_no_time_of_a_device_and_nothing_divides_by_zero() {
        assert!(bench(&[5], None).rows().iter().all(|(name, _)| name != "device"));
        let found = Bench::default().to_json();
        assert_eq!((found["calls"].as_u64(), found["latency_ms"]["p99"].as_f64()), (Some(0), Some(0.0)));
    }

    #[test]
    fn the_rest_of_a_call_is_explained_where_it_is_large() {
        let layer = |name: &str, seconds| LayerTime { name: name.to_owned(), kind: "Conv".to_owned(), seconds };
        let times =
            |seconds| LayerTimes { calls: 3, seconds, layers: vec![layer("a", 1e-3), layer("b", 2e-3)], rest: "gaps" };
        let table = layer_table(&times(3.1e-3));
        assert!(table.starts_with("b  Conv") && !table.contains("gaps"), "{table}");
        assert!(layer_table(&times(4e-3)).ends_with("the other 25.0 %: gaps"));
    }
}
