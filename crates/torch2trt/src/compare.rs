//! Engines side by side: outputs, latency, memory and layers. The first one is what the others are compared with.
//!
//! This file must not know where engines come from.

use crate::report::write_page;
use crate::{
    Bench, BenchOptions, Code, EngineLayer, Error, Executable, Half, Quantization, Result, Tolerance, difference,
};
use ::report::{Table, Tables, bytes_text};
use runtime::{Device, Tensor, TensorView};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// One of the engines.
pub struct Subject {
    /// What people call it, such as the name of its file.
    pub name: String,
    /// What runs.
    pub executable: Executable,
    /// Its precision, which decides what counts as rounding.
    pub tolerance: Tolerance,
}

/// What is measured, and what is too much.
#[derive(Clone, Copy, Debug)]
pub struct CompareOptions {
    /// How calls are timed. They are made in rounds, in which each engine has its turn.
    pub bench: BenchOptions,
    /// The largest relative error of an output; `None`: what the precision of both engines explains.
    pub tolerance: Option<f64>,
    /// How many times the first engine's median latency is too slow; `None`: no latency is.
    pub max_slowdown: Option<f64>,
}

/// An output next to that of the first engine.
#[derive(Clone, Debug, serde::Serialize)]
pub struct OutputDifference {
    /// Its name in the first engine.
    pub output: String,
    /// max |first - other| / max |first|; `None` where sizes, NaNs or infinities differ.
    pub difference: Option<f64>,
    /// The largest difference that is accepted.
    pub allowed: f64,
}

impl OutputDifference {
    /// Whether it is within what is accepted.
    pub fn is_accepted(&self) -> bool {
        self.difference.is_some_and(|difference| difference <= self.allowed)
    }
}

impl OutputDifference {
    const HEADINGS: [&str; 4] = ["output", "difference", "allowed", ""];

    fn row(&self) -> Vec<String> {
        let difference = self.difference.map_or_else(|| "sizes or infinite values".to_owned(), |d| format!("{d:.1e}"));
        let verdict = if self.is_accepted() { "" } else { "too much" };
        vec![self.output.clone(), difference, format!("{:.0e}", self.allowed), verdict.to_owned()]
    }
}

impl LayerChange {
    const HEADINGS: [&str; 3] = ["", "layer", "kind"];

    /// A row for each layer that only one engine has: `-` for the first engine, `+` for this one.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let signed = |sign: &str, layer: &EngineLayer| vec![sign.to_owned(), layer.name.clone(), layer.kind.clone()];
        let removed = self.removed.iter().map(|layer| signed("-", layer));
        removed.chain(self.added.iter().map(|layer| signed("+", layer))).collect()
    }
}

/// How the layers of an engine differ from those of the first, which runs other layers by name or operator.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct LayerChange {
    /// Number of layers.
    pub count: usize,
    /// Layers that the first engine does not have.
    pub added: Vec<EngineLayer>,
    /// Layers that only the first engine has.
    pub removed: Vec<EngineLayer>,
}

/// One engine, measured and compared.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// What executes it.
    pub engine: String,
    /// Bytes of the plan, or of the model with its weights.
    pub bytes: u64,
    /// Device memory of a context, in bytes; `None` for ONNX Runtime.
    pub activation_bytes: Option<u64>,
    /// Its calls.
    pub bench: Bench,
    /// Its outputs next to those of the first engine, which itself has none.
    pub outputs: Vec<OutputDifference>,
    /// Its layers.
    pub layers: LayerChange,
}

/// All engines in the order in which they were given.
#[derive(Clone, Debug)]
pub struct Comparisons {
    /// The engines.
    pub engines: Vec<Compared>,
    max_slowdown: Option<f64>,
}

/// Rounds of timing: what else the machine does meets every engine.
const ROUNDS: usize = 5;

/// Runs engines on the same inputs, which are those of the first, and compares the others with it.
///
/// # Errors
/// E0701 for fewer than two engines, and for engines with other inputs or another number of outputs; codes E04xx for
/// inputs that an engine does not accept, or its own failure.
pub fn compare(subjects: &[Subject], inputs: &[Tensor], options: &CompareOptions) -> Result<Comparisons> {
    let [first, others @ ..] = subjects else { return Err(too_few()) };
    if others.is_empty() {
        return Err(too_few());
    }
    for other in others {
        same_interface(first, other)?;
    }
    let views: Vec<TensorView<'_>> = inputs.iter().map(Tensor::view).collect();
    let called = subjects.iter().map(|subject| named_after(subject, subject.executable.call(&views)));
    let outputs = called.collect::<Result<Vec<_>>>()?;
    let times = times(subjects, &views, &options.bench)?;
    let layers = subjects.iter().map(|subject| subject.executable.layers()).collect::<Result<Vec<_>>>()?;
    let engines = subjects.iter().zip(times).enumerate().map(|(k, (subject, bench))| Compared {
        name: subject.name.clone(),
        engine: subject.executable.engine.description(),
        bytes: subject.executable.artifact.bytes(),
        activation_bytes: subject.executable.engine.activation_bytes().map(|bytes| bytes as u64),
        bench,
        outputs: if k == 0 { Vec::new() } else { differences(first, subject, [&outputs[0], &outputs[k]], options) },
        layers: change(&layers[0], &layers[k]),
    });
    Ok(Comparisons { engines: engines.collect(), max_slowdown: options.max_slowdown })
}

fn too_few() -> Error {
    Error::new(Code::BadOption, "one engine was given, and nothing to compare it with")
        .with_help("give two files or more, or one file and several TensorRT libraries")
}

/// The error of one of several engines, with its name.
fn named_after<T>(subject: &Subject, result: Result<T>) -> Result<T> {
    result.map_err(|error| {
        let named = Error::new(error.code(), format!("{}: {}", subject.name, error.message()));
        error.help().map_or(named.clone(), |help| named.with_help(help))
    })
}

fn same_interface(first: &Subject, other: &Subject) -> Result<()> {
    let [own, theirs] = [first, other].map(|subject| &subject.executable.artifact.declared);
    let inputs = |spec: &runtime::EngineSpec| -> Vec<_> {
        spec.inputs.iter().map(|input| format!("{}[{}]", input.dtype, input.dims.len())).collect()
    };
    let [ours, found] = [own, theirs].map(inputs);
    let different = if ours != found {
        format!("has the inputs {}, {} has {}", ours.join(", "), other.name, found.join(", "))
    } else if own.outputs.len() != theirs.outputs.len() {
        format!("has {} outputs, {} has {}", own.outputs.len(), other.name, theirs.outputs.len())
    } else {
        return Ok(());
    };
    Err(Error::new(Code::BadOption, format!("{} {different}", first.name))
        .with_help("compare engines of the same model: types and axes of inputs, and the number of outputs, are equal"))
}

fn differences(
    first: &Subject,
    other: &Subject,
    outputs: [&[Tensor]; 2],
    options: &CompareOptions,
) -> Vec<OutputDifference> {
    let names = first.executable.artifact.declared.outputs.iter().map(|output| output.name.clone());
    let pairs = outputs[0].iter().zip(outputs[1]);
    names
        .zip(pairs)
        .map(|(output, (expected, got))| {
            let found = difference(&expected.view(), &got.view());
            let of = |subject: &Subject, tensor: &Tensor| subject.tolerance.of(tensor.view().dtype(), &[]);
            let precision = of(first, expected).max(of(other, got));
            let allowed = options.tolerance.unwrap_or(precision);
            OutputDifference { output, difference: found.is_finite().then_some(found), allowed }
        })
        .collect()
}

/// The calls of each engine. Engines take turns, so that what slows the machine down slows all of them down.
fn times(subjects: &[Subject], views: &[TensorView<'_>], bench: &BenchOptions) -> Result<Vec<Bench>> {
    let mut all: Vec<Bench> = vec![Bench::default(); subjects.len()];
    let part = BenchOptions {
        calls: bench.calls.div_ceil(const { std::num::NonZeroUsize::MIN.saturating_add(ROUNDS - 1) }),
        duration: bench.duration.map(|duration| duration / ROUNDS as u32),
        ..*bench
    };
    for _ in 0..ROUNDS {
        for (subject, sum) in subjects.iter().zip(&mut all) {
            sum.add(named_after(subject, subject.executable.bench(views, &part))?);
        }
    }
    Ok(all)
}

fn change(first: &[EngineLayer], other: &[EngineLayer]) -> LayerChange {
    let mut left: BTreeMap<&EngineLayer, usize> = BTreeMap::new();
    for layer in first {
        *left.entry(layer).or_default() += 1;
    }
    let mut added = Vec::new();
    for layer in other {
        match left.get_mut(layer) {
            Some(count) if *count > 0 => *count -= 1,
            _ => added.push(layer.clone()),
        }
    }
    let removed = left.into_iter().flat_map(|(layer, count)| std::iter::repeat_n(layer.clone(), count));
    LayerChange { count: other.len(), added, removed: removed.collect() }
}

impl Compared {
    fn slowdown(&self, first: &Self) -> f64 {
        self.bench.median() / first.bench.median().max(f64::MIN_POSITIVE)
    }

    fn to_json(&self, first: &Self) -> Value {
        json!({
            "name": self.name,
            "engine": self.engine,
            "bytes": self.bytes,
            "activation_bytes": self.activation_bytes,
            "bench": self.bench.to_json(),
            "slowdown": self.slowdown(first),
            "outputs": self.outputs,
            "layers": self.layers,
        })
    }
}

impl Comparisons {
    /// What exceeds the limits, a line each; empty where all engines do as the first does.
    pub fn problems(&self) -> Vec<String> {
        let Some(first) = self.engines.first() else { return Vec::new() };
        let mut found = Vec::new();
        for engine in &self.engines {
            found.extend(engine.outputs.iter().filter(|output| !output.is_accepted()).map(|output| {
                format!(
                    "{}: output `{}` differs by {}, {:.0e} is allowed",
                    engine.name,
                    output.output,
                    output
                        .difference
                        .map_or_else(|| "its sizes or its infinite values".to_owned(), |d| format!("{d:.1e}")),
                    output.allowed
                )
            }));
            let slowdown = engine.slowdown(first);
            if let Some(allowed) = self.max_slowdown.filter(|allowed| slowdown > *allowed) {
                found.push(format!("{}: {slowdown:.2} times as slow, {allowed:.2} is allowed", engine.name));
            }
        }
        found
    }

    /// One row an engine, under a row of headings.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let Some(first) = self.engines.first() else { return Vec::new() };
        let headings = ["", "p50", "p99", "relative", "size", "memory", "layers", "largest difference"];
        let row = |engine: &Compared| {
            let layers = &engine.layers;
            let changed = match (layers.added.len(), layers.removed.len()) {
                (0, 0) => layers.count.to_string(),
                (added, removed) => format!("{} (+{added} -{removed})", layers.count),
            };
            let worst =
                engine.outputs.iter().map(|output| output.difference.unwrap_or(f64::INFINITY)).fold(0.0, f64::max);
            vec![
                engine.name.clone(),
                format!("{:.3} ms", engine.bench.median()),
                format!("{:.3} ms", engine.bench.quantile_ms(0.99)),
                format!("{:.2} x", engine.slowdown(first)),
                bytes_text(engine.bytes),
                engine.activation_bytes.map_or_else(String::new, bytes_text),
                changed,
                if engine.outputs.is_empty() { "(the reference)".to_owned() } else { format!("{worst:.1e}") },
            ]
        };
        std::iter::once(headings.map(str::to_owned).to_vec()).chain(self.engines.iter().map(row)).collect()
    }

    /// Writes one HTML file with the same, the outputs, and the layers that changed.
    ///
    /// # Errors
    /// E0605 where it cannot be written.
    pub fn save_html(&self, path: &Path) -> Result<()> {
        let table = |name: &str, headings: &[&str], rows: Vec<Vec<String>>| Table {
            name: name.to_owned(),
            headings: headings.iter().map(|text| (*text).to_owned()).collect(),
            rows,
        };
        let mut rows = self.rows().into_iter();
        let headings = rows.next().unwrap_or_default();
        let mut tables = vec![Table { name: "Engines".to_owned(), headings, rows: rows.collect() }];
        for engine in &self.engines {
            let outputs = engine.outputs.iter().map(OutputDifference::row).collect::<Vec<_>>();
            if !outputs.is_empty() {
                tables.push(table(&format!("Outputs of {}", engine.name), &OutputDifference::HEADINGS, outputs));
            }
            let layers = engine.layers.rows();
            if !layers.is_empty() {
                tables.push(table(&format!("Layers of {}", engine.name), &LayerChange::HEADINGS, layers));
            }
        }
        let engines = self.engines.iter().map(|engine| format!("{}: {}", engine.name, engine.engine));
        let problems = self.problems().into_iter().map(|problem| format!("problem: {problem}"));
        let page = Tables { title: "Comparison".to_owned(), lines: engines.chain(problems).collect(), tables };
        write_page(path, &page.to_html())
    }

    /// All that was measured, in milliseconds and bytes.
    pub fn to_json(&self) -> Value {
        let Some(first) = self.engines.first() else { return Value::Null };
        let engines: Vec<Value> = self.engines.iter().map(|engine| engine.to_json(first)).collect();
        json!({ "engines": engines, "problems": self.problems() })
    }
}

impl Tolerance {
    /// The precision of an engine by what its file records of the options: see `Options::recorded`.
    pub fn recorded(options: &BTreeMap<String, Value>, device: Device) -> Self {
        let name = options.get("half").and_then(Value::as_str);
        let half = [Half::Float16, Half::BFloat16].into_iter().find(|half| name == Some(half.dtype().name()));
        let is_true = |quantization: &Quantization| options.get(quantization.name()) == Some(&Value::Bool(true));
        Self { half, quantized: Quantization::ALL.iter().any(is_true), on_gpu: device != Device::Cpu }
    }
}

#[cfg(test)]
mod tests;
