//! Program → text.

use super::{INLINE_ELEMENTS, RESERVED, is_plain, number};
use crate::{Argument, Node, Program, Source, Symbol, ValueId, Weight, WeightKind};
use dims::{Dim, format_dims};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printer = Printer { program: self, labels: labels(self) };
        writeln!(f, "program")?;
        for (name, symbol) in &self.symbols {
            writeln!(f, "  symbol {}", symbol_text(name, *symbol))?;
        }
        for id in &self.inputs {
            writeln!(f, "  input {}", printer.typed(*id))?;
        }
        for weight in self.weights() {
            writeln!(f, "  weight {} {}", printer.typed(weight.value), weight_text(weight, self))?;
        }
        for node in &self.nodes {
            writeln!(f, "  {}", printer.node(node))?;
        }
        let outputs: Vec<_> = self.outputs.iter().map(|output| printer.argument(output)).collect();
        writeln!(f, "  {}", format!("return {}", outputs.join(", ")).trim_end())
    }
}

/// How each value is written: its name, and from the second value of that name on a number.
fn labels(program: &Program) -> Vec<String> {
    let mut labels = vec![String::new(); program.values.len()];
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let of_nodes = program.nodes.iter().flat_map(|node| node.outputs.iter().flatten().copied());
    for id in program.inputs.iter().copied().chain(program.weights().map(|w| w.value)).chain(of_nodes) {
        let name = program.value(id).name.as_str();
        let count = counts.entry(name).or_default();
        let suffix = if *count == 0 { String::new() } else { format!("@{count}") };
        labels[id.0 as usize] = format!("%{}{suffix}", quoted_if_needed(name));
        *count += 1;
    }
    labels
}

fn quoted_if_needed(name: &str) -> Cow<'_, str> {
    if is_plain(name) { name.into() } else { format!("{name:?}").into() }
}

fn symbol_text(name: &str, symbol: Symbol) -> String {
    let max = symbol.max.map(|max| max.to_string()).unwrap_or_default();
    format!("{} in {}..{max} hint {}", quoted_if_needed(name), symbol.min, symbol.hint)
}

fn weight_text(weight: &Weight, program: &Program) -> String {
    let dtype = program.value(weight.value).dtype;
    let kind = match weight.kind {
        WeightKind::Parameter => "parameter",
        WeightKind::Buffer => "buffer",
        WeightKind::Constant => "constant",
    };
    if weight.data.len() / dtype.size() <= INLINE_ELEMENTS {
        return format!("{kind} = [{}]", number::print(dtype, &weight.data).join(", "));
    }
    format!("{kind} = #{:016x}", weight.digest())
}

fn source_text(source: &Source) -> String {
    // A file whose path ends in `/` has no name.
    let has_file = |position: &String| position.rsplit_once(':').is_some_and(|(file, _)| !file.is_empty());
    let position = Some(source.position()).filter(has_file).unwrap_or_default();
    match source.module.as_str() {
        "" if position.is_empty() => String::new(),
        module => format!(" from {module:?} {position:?}"),
    }
}

fn size_text(size: &Dim) -> String {
    let text = size.to_string();
    match text.strip_prefix('-') {
        Some(name) if RESERVED.contains(&text.as_str()) => format!("-1*{name}"),
        None if RESERVED.contains(&text.as_str()) => format!("1*{text}"),
        _ => text,
    }
}

fn float_text(value: f64) -> String {
    if value.is_nan() { "nan".to_owned() } else { format!("{value:?}") }
}

fn bool_text(value: bool) -> String {
    (if value { "True" } else { "False" }).to_owned()
}

/// `[a, b]`; `empty` where there are none.
fn list<T>(items: &[T], empty: &str, text: impl Fn(&T) -> String) -> String {
    match items {
        [] => empty.to_owned(),
        _ => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
    }
}

struct Printer<'a> {
    program: &'a Program,
    labels: Vec<String>,
}

impl Printer<'_> {
    fn label(&self, id: ValueId) -> String {
        self.labels[id.0 as usize].clone()
    }

    fn typed(&self, id: ValueId) -> String {
        let value = self.program.value(id);
        format!("{}: {}{}", self.label(id), value.dtype, format_dims(&value.dims))
    }

    fn node(&self, node: &Node) -> String {
        let outputs = node.outputs.iter().map(|id| id.map_or_else(|| "_".to_owned(), |id| self.typed(id)));
        let outputs = outputs.collect::<Vec<_>>().join(", ");
        let equals = if outputs.is_empty() { "" } else { " = " };
        let arguments =
            node.arguments.iter().map(|(name, value)| format!("{}={}", quoted_if_needed(name), self.argument(value)));
        let arguments = arguments.collect::<Vec<_>>().join(", ");
        format!("{outputs}{equals}{}({arguments}){}", quoted_if_needed(&node.target), source_text(&node.source))
    }

    fn argument(&self, argument: &Argument) -> String {
        match argument {
            Argument::None => "None".to_owned(),
            Argument::Value(id) => self.label(*id),
            Argument::Values(ids) => list(ids, "[]", |id| id.map_or_else(|| "None".to_owned(), |id| self.label(id))),
            Argument::Bool(value) => bool_text(*value),
            Argument::Int(size) => size_text(size),
            Argument::Float(value) => float_text(*value),
            Argument::String(text) => format!("{text:?}"),
            Argument::Ints(sizes) => list(sizes, "int[]", size_text),
            Argument::Floats(values) => list(values, "float[]", |value| float_text(*value)),
            Argument::Bools(values) => list(values, "bool[]", |value| bool_text(*value)),
            Argument::Dtype(dtype) => format!("torch.{dtype}"),
            Argument::Device(name) => format!("device({name:?})"),
            Argument::Layout(name) => format!("layout({name:?})"),
            Argument::MemoryFormat(name) => format!("memory_format({name:?})"),
            Argument::Complex(re, im) => format!("complex({}, {})", float_text(*re), float_text(*im)),
        }
    }
}
