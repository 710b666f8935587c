//! `tables.rs`: the slot of each virtual method, by family.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::facts::Method;
use super::names::{screaming, snake};
use super::{Cell, Column, Result, encode, write_rows};

/// Classes that no part of the binding calls.
const UNUSED_CLASSES: [&str; 11] = [
    "VAlgorithmIOInfo",
    "VConsistencyChecker",
    "VDimensionExpr",
    "VExprBuilder",
    "VFullyConnectedLayer",
    "VPluginLayer",
    "VPluginV2Layer",
    "VPluginV3Layer",
    "VRNNv2Layer",
    "VRoot",
    "VWeightsManager",
];

/// Interfaces that the binding implements, so that TensorRT calls us.
const CALLBACKS: [&str; 11] = [
    "ILogger",
    "IErrorRecorder",
    "IProgressMonitor",
    "IOutputAllocator",
    "IStreamReader",
    "IStreamReaderV2",
    "IStreamWriter",
    "IProfiler",
    "IInt8EntropyCalibrator2",
    "IInt8MinMaxCalibrator",
    "IAlgorithmSelector",
];

/// Interfaces of plugins, which have no implementation class behind them: their own tables are called.
const CALLED: [&str; 5] = ["IPluginRegistry", "IPluginCreator", "IPluginCreatorV3One", "IPluginV2", "IPluginV3"];

/// Methods whose signature differs between families, or that are overloaded: (class, method, signature, constant).
const OVERLOADS: [(&str, &str, &str, &str); 4] = [
    ("VBuilderConfig", "setMaxAuxStreams", "v(i)", "SET_MAX_AUX_STREAMS_UNCHECKED"),
    ("VCudaEngine", "createExecutionContext", "p(i)", "CREATE_EXECUTION_CONTEXT_WITH_STRATEGY"),
    ("VRuntime", "deserializeCudaEngine", "p(plp)", "DESERIALIZE_CUDA_ENGINE_WITH_FACTORY"),
    ("VRuntime", "deserializeCudaEngine", "p(p)", "DESERIALIZE_CUDA_ENGINE_FROM_READER"),
];

/// Tables whose order changed within a family: (interface, family, slots that all its versions share).
const UNSETTLED: [(&str, &str, usize); 1] = [("IPluginRegistry", "8.6", 3)];

/// Interfaces whose own tables are used: no implementation (V) class is behind them.
fn interfaces() -> impl Iterator<Item = &'static str> {
    CALLBACKS.iter().chain(&CALLED).copied()
}

/// Whether the tables list a class of TensorRT's headers.
pub(super) fn is_used(class: &str) -> bool {
    is_implementation(class) && !UNUSED_CLASSES.contains(&class) || interfaces().any(|interface| interface == class)
}

/// `VBuilder`: a class behind a public one.
fn is_implementation(class: &str) -> bool {
    class.strip_prefix('V').is_some_and(|rest| rest.starts_with(char::is_uppercase))
}

/// Where one constant's method is, by family.
#[derive(Clone)]
struct Row {
    method: String,
    signature: String,
    cells: Vec<Option<Cell>>,
}

pub(super) fn tables(columns: &[Column]) -> Result<String> {
    let mut out = head(columns);
    let mut modules = Vec::new();
    for (class, public) in classes(columns) {
        modules.push(write_class(&mut out, &public, &class_rows(columns, &class)?)?);
    }
    for interface in interfaces() {
        modules.push(write_class(&mut out, interface, &class_rows(columns, interface)?)?);
    }
    let _ = writeln!(out, "/// Every class, for checks that walk the whole table.");
    let _ = writeln!(out, "pub const CLASSES: &[&[Method]] = &[");
    for line in modules.chunks(4) {
        let all: Vec<String> = line.iter().map(|m| format!("{m}::ALL")).collect();
        let _ = writeln!(out, "    {},", all.join(", "));
    }
    out.push_str("];\n");
    Ok(out)
}

/// V classes in use with the public class that holds each.
fn classes(columns: &[Column]) -> BTreeMap<String, String> {
    let names = columns.iter().flat_map(|column| &column.versions).flat_map(|facts| facts.classes.keys());
    names.filter(|name| is_implementation(name)).map(|name| (name.clone(), public_class(name))).collect()
}

fn public_class(class: &str) -> String {
    match class {
        "VConditionalBoundaryLayer" => "IIfConditionalBoundaryLayer".into(),
        other => format!("I{}", &other[1..]),
    }
}

/// The rows of one class: its methods in the order in which they first appear.
fn class_rows(columns: &[Column], class: &str) -> Result<Vec<(String, Row)>> {
    let mut rows = Rows { class, columns: columns.len(), found: Vec::new() };
    for (index, column) in columns.iter().enumerate() {
        let mut before: Vec<Method> = Vec::new();
        for (nth, facts) in column.versions.iter().enumerate() {
            let version = &facts.version;
            let Some(methods) = facts.slots(class) else { continue };
            let mut methods = methods.map_err(|e| format!("{version} {class}: {e}"))?;
            if let Some((.., known)) = UNSETTLED.iter().find(|(c, f, _)| (*c, *f) == (class, column.family.as_str())) {
                methods.truncate(*known);
            }
            if methods.len() < before.len() || methods[..before.len()] != before[..] {
                return Err(format!("{class} does not only grow at its end in {version}"));
            }
            let since = if nth == 0 { 0 } else { encode(version) };
            for (slot, method) in methods.iter().enumerate().skip(before.len()) {
                let number = i64::try_from(slot).map_err(|e| e.to_string())?;
                rows.place(method, index, Cell { number, by_value: method.dims_by_value, since })?;
            }
            before = methods;
        }
    }
    Ok(rows.found)
}

/// The rows of one class, as they are collected.
struct Rows<'a> {
    class: &'a str,
    columns: usize,
    found: Vec<(String, Row)>,
}

impl Rows<'_> {
    fn place(&mut self, method: &Method, column: usize, cell: Cell) -> Result<()> {
        let constant = self.constant(method);
        let at = self.found.iter().position(|(name, _)| *name == constant).unwrap_or(self.found.len());
        if at == self.found.len() {
            let (name, signature) = (method.name.clone(), method.signature.clone());
            self.found.push((constant, Row { method: name, signature, cells: vec![None; self.columns] }));
        }
        let row = &mut self.found[at].1;
        let Some(widest) = widest(&row.signature, &method.signature).filter(|_| row.cells[column].is_none()) else {
            return Err(format!(
                "{}::{} is overloaded ({} and {}): name it in OVERLOADS",
                self.class, method.name, row.signature, method.signature
            ));
        };
        row.signature = widest;
        row.cells[column] = Some(cell);
        Ok(())
    }

    fn constant(&self, method: &Method) -> String {
        let named = OVERLOADS
            .iter()
            .find(|(c, m, s, _)| *c == self.class && *m == method.name && *s == method.signature)
            .map_or_else(|| screaming(&method.name), |(.., constant)| (*constant).to_owned());
        // A getter that 10 widened from 32 to 64 bits is two calls.
        let widened = method.signature == "l()" && WIDENED.contains(&method.name.as_str());
        if widened { format!("{named}_64") } else { named }
    }
}

/// One signature for two that differ at most in the width of integer arguments: the wider, which serves both.
fn widest(a: &str, b: &str) -> Option<String> {
    if a.len() != b.len() || a.chars().next() != b.chars().next() {
        return None;
    }
    let letters = a.chars().zip(b.chars()).map(|pair| match pair {
        (x, y) if x == y => Some(x),
        ('i', 'l') | ('l', 'i') => Some('l'),
        _ => None,
    });
    letters.collect()
}

/// Getters that return 32 bits in 8.6 and 64 from 10 on.
const WIDENED: [&str; 3] = ["getNbOutputMaps", "getNbGroups", "getWindowSize"];

fn write_class(out: &mut String, interface: &str, rows: &[(String, Row)]) -> Result<String> {
    let module = snake(&interface[1..]);
    let name_width = rows.iter().map(|(n, _)| n.len()).max().unwrap_or(0);
    let method_width = rows.iter().map(|(_, r)| r.method.len() + 2).max().unwrap_or(0);
    let signature_width = rows.iter().map(|(_, r)| r.signature.len() + 2).max().unwrap_or(0);
    let _ = writeln!(out, "class! {{ {module} = \"{interface}\";");
    let has_own_table = CALLBACKS.contains(&interface) || CALLED.contains(&interface);
    let listed = rows.iter().filter(|(_, row)| has_own_table || !row.method.ends_with("Destructor"));
    let lines = listed.map(|(constant, row)| {
        let (method, signature) = (format!("\"{}\"", row.method), format!("\"{}\"", row.signature));
        (format!("{constant:name_width$} {method:method_width$} {signature:signature_width$}"), row.cells.clone())
    });
    write_rows(out, &lines.collect::<Vec<_>>());
    out.push_str("}\n\n");
    Ok(module)
}

/// The file's head, with the order of the columns.
fn head(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.title.as_str()).collect();
    format!("{TITLE}//! Columns: {}.\n{NOTATION}", names.join(", "))
}

const TITLE: &str = "\
//! Slot numbers of virtual methods, by TensorRT family. Generated by `cargo run -p xtask -- abi`.
//!
";

const NOTATION: &str = "\
//! `s(slot)`: available from the family's first version; `v(slot)`: the same, with `Dims` passed by value;
//! `n(slot, version)`: since that version; `__`: not available. Slots count the two destructors. The second text is the
//! signature, return type first: `p` pointer or reference, `i` 32-bit integer or enum, `l` 64-bit integer (in any
//! version), `b` bool, `f` float, `d` double, `D` Dims, `W` Weights, `I` an `InterfaceInfo`, `S` another struct,
//! `v` nothing.

#![allow(missing_docs, reason = \"the names are TensorRT's own\")]

use super::{Method, NOWHERE as __, now as s, since as n, value as v};

";
