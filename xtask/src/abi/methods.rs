//! `tables.rs`: where each virtual method lies, by family.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::declaration::{Method, callback_slots, own_methods};
use super::names::{screaming, snake};
use super::{Cell, FAMILIES, Result, cell, encode};

/// Classes that no part of the binding calls.
const UNUSED_CLASSES: [&str; 10] = [
    "VAlgorithmIOInfo",
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

/// Where one constant's method is, by family.
#[derive(Default, Clone)]
struct Row {
    method: String,
    signature: String,
    cells: [Option<Cell>; 5],
}

pub(super) fn tables(facts: &BTreeMap<&str, Value>) -> Result<String> {
    let mut out = String::from(TABLES_HEAD);
    let mut modules = Vec::new();
    for (class, public) in classes(facts)? {
        let rows = class_rows(facts, &class, &|v, c| v["implementation_vtables"].get(c).map(own_methods))?;
        modules.push(write_class(&mut out, &public, &rows)?);
    }
    for interface in CALLBACKS.iter().chain(&CALLED) {
        let rows = class_rows(facts, interface, &|v, c| callback_slots(v, c))?;
        modules.push(write_class(&mut out, interface, &rows)?);
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
fn classes(facts: &BTreeMap<&str, Value>) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for value in facts.values() {
        let listed = value["implementation_vtables"].as_object().ok_or("facts without implementation_vtables")?;
        for class in listed.keys() {
            if !UNUSED_CLASSES.contains(&class.as_str()) {
                found.insert(class.clone(), public_class(class));
            }
        }
    }
    Ok(found)
}

fn public_class(class: &str) -> String {
    match class {
        "VConditionalBoundaryLayer" => "IIfConditionalBoundaryLayer".into(),
        other => format!("I{}", &other[1..]),
    }
}

type SlotsOf<'a> = &'a dyn Fn(&Value, &str) -> Option<Result<Vec<Method>>>;

/// The rows of one class: its methods in the order in which they first appear.
fn class_rows(facts: &BTreeMap<&str, Value>, class: &str, slots: SlotsOf) -> Result<Vec<(String, Row)>> {
    let mut rows: Vec<(String, Row)> = Vec::new();
    for (column, (family, versions)) in FAMILIES.iter().enumerate() {
        let mut before: Vec<Method> = Vec::new();
        for (index, version) in versions.iter().enumerate() {
            let Some(methods) = slots(&facts[version], class) else {
                continue;
            };
            let mut methods = methods.map_err(|e| format!("{version} {class}: {e}"))?;
            if let Some((.., known)) = UNSETTLED.iter().find(|(c, f, _)| (*c, *f) == (class, *family)) {
                methods.truncate(*known);
            }
            if methods.len() < before.len() || methods[..before.len()] != before[..] {
                return Err(format!("{class} does not only grow at its end in {version}"));
            }
            let since = if index == 0 { 0 } else { encode(version) };
            for (slot, method) in methods.iter().enumerate().skip(before.len()) {
                let cell = Cell {
                    number: i64::try_from(slot).map_err(|e| e.to_string())?,
                    by_value: method.dims_by_value,
                    since,
                };
                place(&mut rows, class, method, column, cell)?;
            }
            before = methods;
        }
    }
    Ok(rows)
}

fn place(rows: &mut Vec<(String, Row)>, class: &str, method: &Method, column: usize, cell: Cell) -> Result<()> {
    let constant = OVERLOADS
        .iter()
        .find(|(c, m, s, _)| *c == class && *m == method.name && *s == method.signature)
        .map_or_else(|| screaming(&method.name), |(.., constant)| (*constant).to_owned());
    let constant = match method.signature.as_str() {
        // A getter that 10 widened from 32 to 64 bits is two calls.
        "l()" if WIDENED.contains(&method.name.as_str()) => format!("{constant}_64"),
        _ => constant,
    };
    let row = match rows.iter_mut().find(|(name, _)| *name == constant) {
        Some((_, row)) => row,
        None => {
            let row = Row { method: method.name.clone(), signature: method.signature.clone(), ..Row::default() };
            rows.push((constant.clone(), row));
            let last = rows.len() - 1;
            &mut rows[last].1
        }
    };
    let widest = widest(&row.signature, &method.signature);
    let Some(widest) = widest.filter(|_| row.cells[column].is_none()) else {
        return Err(format!(
            "{class}::{} is overloaded ({} and {}): name it in OVERLOADS",
            method.name, row.signature, method.signature
        ));
    };
    row.signature = widest;
    row.cells[column] = Some(cell);
    Ok(())
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
    for (constant, row) in rows {
        let has_own_table = CALLBACKS.contains(&interface) || CALLED.contains(&interface);
        if row.method.ends_with("Destructor") && !has_own_table {
            continue;
        }
        let cells: Vec<String> = row.cells.iter().map(|c| cell(*c)).collect();
        let _ = writeln!(
            out,
            "    {constant:name_width$} {:method_width$} {:signature_width$} [{}];",
            format!("\"{}\"", row.method),
            format!("\"{}\"", row.signature),
            cells.join(", ")
        );
    }
    out.push_str("}\n\n");
    Ok(module)
}

const TABLES_HEAD: &str = "\
//! Where each virtual method lies: slot numbers by TensorRT family. Generated by `cargo run -p xtask -- abi`.
//!
//! Columns: 8.6, 10, 11, RTX 1.3 (and 1.4), RTX 1.5 (to 1.7). `s(slot)` there from the family's first version, `v(slot)`
//! the same with `Dims` passed by value, `n(slot, version)` since that version, `__` not there. Slots count the two
//! destructors. The second text is the signature, return type first: `p` pointer or reference, `i` 32-bit integer or
//! enum, `l` 64-bit integer (in any version), `b` bool, `f` float, `d` double, `D` Dims, `W` Weights, `I` InterfaceInfo, `S` another struct,
//! `v` nothing. Facts only: how a call is made is not this file's business.

#![allow(missing_docs, reason = \"the names are TensorRT's own\")]

use super::{Method, NOWHERE as __, now as s, since as n, value as v};

";
