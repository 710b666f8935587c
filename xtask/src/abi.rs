//! Generates `crates/nvinfer/src/sys/{tables,enums}.rs` from the facts about TensorRT's binary interface.
//!
//! One JSON file per TensorRT version goes in; for every class and method its slot per family comes out. The
//! generator checks what the binding relies on: within a family a class's table only grows at its end, and an enum
//! value is never renumbered. It refuses to write when that does not hold. It knows nothing of how calls are made.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Arguments of `xtask abi`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder with one JSON file per TensorRT version.
    facts: PathBuf,
    /// Compare with the files in the tree instead of writing them.
    #[arg(long)]
    check: bool,
}

/// Column order of the generated tables, with the versions whose facts make each column.
const FAMILIES: [(&str, &[&str]); 5] = [
    ("8.6", &["8.6.0", "8.6.1"]),
    ("10", &["10.0.1", "10.3.0", "10.7.0", "10.10.0", "10.13.3", "10.16"]),
    ("11", &["11.0", "11.1", "11.4"]),
    ("RTX 1.3", &["rtx1.3", "rtx1.4"]),
    ("RTX 1.5", &["rtx1.5", "rtx1.6", "rtx1.7"]),
];

/// Classes that no part of the binding calls.
const UNUSED_CLASSES: [&str; 13] = [
    "VAlgorithm",
    "VAlgorithmContext",
    "VAlgorithmIOInfo",
    "VAlgorithmVariant",
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
const CALLBACKS: [&str; 10] = [
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
];

/// Enums that the binding does not speak.
const UNUSED_ENUMS: [&str; 11] = [
    "AllocatorFlag",
    "DimensionOperation",
    "PluginCapabilityType",
    "PluginCreatorVersion",
    "PluginFieldType",
    "PluginVersion",
    "RNNDirection",
    "RNNGateType",
    "RNNInputMode",
    "RNNOperation",
    "TensorRTPhase",
];

/// Methods whose signature differs between families, or that are overloaded: (class, method, signature, constant).
const OVERLOADS: [(&str, &str, &str, &str); 4] = [
    ("VBuilderConfig", "setMaxAuxStreams", "v(i)", "SET_MAX_AUX_STREAMS_UNCHECKED"),
    ("VCudaEngine", "createExecutionContext", "p(i)", "CREATE_EXECUTION_CONTEXT_WITH_STRATEGY"),
    ("VRuntime", "deserializeCudaEngine", "p(plp)", "DESERIALIZE_CUDA_ENGINE_WITH_FACTORY"),
    ("VRuntime", "deserializeCudaEngine", "p(p)", "DESERIALIZE_CUDA_ENGINE_FROM_READER"),
];

type Result<T> = std::result::Result<T, String>;

/// One virtual method as one version declares it.
#[derive(Clone, PartialEq, Debug)]
struct Method {
    name: String,
    /// `p` pointer or reference, `i` 32-bit integer or enum, `l` 64-bit integer, `b` bool, `f` float, `d` double,
    /// `D` Dims, `W` Weights by value, `I` InterfaceInfo, `S` another struct, `v` nothing; return type first, then arguments.
    signature: String,
    /// `Dims` arguments travel by value (8.x) rather than by reference.
    dims_by_value: bool,
}

/// Where one constant's method is, by family.
#[derive(Default, Clone)]
struct Row {
    method: String,
    signature: String,
    cells: [Option<Cell>; 5],
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Cell {
    number: i64,
    by_value: bool,
    /// The version within the family that brought it, encoded as major·10000 + minor·100 + patch; 0 for the first.
    since: u32,
}

/// Runs the task.
///
/// # Errors
/// When facts are missing or malformed, when a table does not only grow, or when `--check` finds a difference.
pub fn run(args: &Args) -> Result<()> {
    let facts = load(&args.facts)?;
    let sys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/nvinfer/src/sys");
    put(&sys.join("tables.rs"), &tables(&facts)?, args.check)?;
    put(&sys.join("enums.rs"), &enums(&facts)?, args.check)
}

fn put(path: &Path, text: &str, check: bool) -> Result<()> {
    if !check {
        return fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()));
    }
    let old = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    if old == text {
        return Ok(());
    }
    Err(format!("{} is not what the facts say; run `cargo run -p xtask -- abi FACTS`", path.display()))
}

fn load(folder: &Path) -> Result<BTreeMap<&'static str, Value>> {
    let mut facts = BTreeMap::new();
    for version in FAMILIES.iter().flat_map(|(_, versions)| *versions) {
        let path = folder.join(format!("{version}.json"));
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let value = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        facts.insert(*version, value);
    }
    Ok(facts)
}

fn encode(version: &str) -> u32 {
    let mut parts = version.trim_start_matches("rtx").split('.').map(|p| p.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0u32);
    next() * 10_000 + next() * 100 + next()
}

// ---------------------------------------------------------------------------------------------------------- methods

fn tables(facts: &BTreeMap<&str, Value>) -> Result<String> {
    let mut out = String::from(TABLES_HEAD);
    let mut modules = Vec::new();
    for (class, public) in classes(facts)? {
        let rows = class_rows(facts, &class, &|v, c| v["implementation_vtables"].get(c).map(own_methods))?;
        modules.push(write_class(&mut out, &public, &rows)?);
    }
    for interface in CALLBACKS {
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
    for (column, (_, versions)) in FAMILIES.iter().enumerate() {
        let mut before: Vec<Method> = Vec::new();
        for (index, version) in versions.iter().enumerate() {
            let Some(methods) = slots(&facts[version], class) else {
                continue;
            };
            let methods = methods.map_err(|e| format!("{version} {class}: {e}"))?;
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

/// A V class's table: two destructors, then its methods. A conditional declaration ends what is known.
fn own_methods(declared: &Value) -> Result<Vec<Method>> {
    let mut slots = destructor();
    for text in strings(declared)? {
        if text.contains('#') {
            break;
        }
        slots.push(parse(&text)?);
    }
    Ok(slots)
}

fn destructor() -> Vec<Method> {
    ["completeDestructor", "deletingDestructor"]
        .map(|name| Method { name: name.into(), signature: "v()".into(), dims_by_value: false })
        .to_vec()
}

/// The table of an interface that we implement: bases first; an override keeps the slot of what it overrides.
fn callback_slots(version: &Value, interface: &str) -> Option<Result<Vec<Method>>> {
    let class = version["interfaces"].get(interface)?;
    Some(inherit(version, class))
}

fn inherit(version: &Value, class: &Value) -> Result<Vec<Method>> {
    let mut slots = Vec::new();
    for base in strings(&class["bases"])? {
        slots = inherit(version, &version["interfaces"][base.as_str()])?;
    }
    for text in strings(&class["virtual"])? {
        if text.starts_with('~') {
            if !slots.iter().any(|m: &Method| m.name == "deletingDestructor") {
                slots.extend(destructor());
            }
            continue;
        }
        let method = parse(&text)?;
        let overridden = slots.iter().any(|m| m.name == method.name);
        if !overridden {
            slots.push(method);
        }
    }
    Ok(slots)
}

fn strings(list: &Value) -> Result<Vec<String>> {
    list.as_array()
        .ok_or("expected a list of declarations")?
        .iter()
        .map(|v| Ok(v.as_str().ok_or("expected text")?.to_owned()))
        .collect()
}

fn parse(declaration: &str) -> Result<Method> {
    let bad = || format!("cannot read `{declaration}`");
    let text = declaration.split_whitespace().collect::<Vec<_>>().join(" ");
    let open = text.find('(').ok_or_else(bad)?;
    let close = text.rfind(')').ok_or_else(bad)?;
    let head = &text[..open];
    let split = head.rfind([' ', '*', '&']).ok_or_else(bad)? + 1;
    let mut signature = code(&head[..split]).ok_or_else(bad)?.to_string();
    let mut dims_by_value = false;
    signature.push('(');
    for argument in text[open + 1..close].split(',').filter(|a| !a.trim().is_empty()) {
        let argument = argument.split('=').next().unwrap_or_default();
        let letter = code(argument).ok_or_else(bad)?;
        dims_by_value |= letter == 'D' && !argument.contains('&');
        signature.push(letter);
    }
    signature.push(')');
    Ok(Method { name: head[split..].to_owned(), signature, dims_by_value })
}

/// One letter for one C++ type; argument names may follow it.
fn code(text: &str) -> Option<char> {
    let plain = text.replace("nvinfer1::", "").replace("const ", "").replace(" const", "");
    let plain = plain.trim();
    let word = plain.split([' ', '*', '&']).next()?;
    let dims = word == "Dims" || word == "DimsHW";
    let pointer = plain.contains(['*', '&', '[']) || word == "cudaStream_t" || word == "cudaEvent_t";
    Some(match word {
        _ if dims && !plain.contains('*') => 'D',
        _ if pointer => 'p',
        // TensorRT's own name for `char const*`.
        "ErrorDesc" => 'p',
        "TimingCacheValue" => 'S',
        "Weights" => 'W',
        "InterfaceInfo" => 'I',
        "void" => 'v',
        "bool" => 'b',
        "float" => 'f',
        "double" => 'd',
        "int64_t" | "uint64_t" | "size_t" | "std::size_t" => 'l',
        _ if word.starts_with(char::is_alphabetic) => 'i',
        _ => return None,
    })
}

fn write_class(out: &mut String, interface: &str, rows: &[(String, Row)]) -> Result<String> {
    let module = snake(&interface[1..]);
    let name_width = rows.iter().map(|(n, _)| n.len()).max().unwrap_or(0);
    let method_width = rows.iter().map(|(_, r)| r.method.len() + 2).max().unwrap_or(0);
    let signature_width = rows.iter().map(|(_, r)| r.signature.len() + 2).max().unwrap_or(0);
    let _ = writeln!(out, "class! {{ {module} = \"{interface}\";");
    for (constant, row) in rows {
        if row.method.ends_with("Destructor") && !CALLBACKS.contains(&interface) {
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

fn cell(cell: Option<Cell>) -> String {
    match cell {
        None => "__".into(),
        Some(Cell { number, by_value: true, since: 0 }) => format!("v({number})"),
        Some(Cell { number, since: 0, .. }) => format!("s({number})"),
        Some(Cell { number, since, .. }) => format!("n({number}, {})", dotted(since)),
    }
}

fn dotted(since: u32) -> String {
    format!("{}_{:02}_{:02}", since / 10_000, since / 100 % 100, since % 100)
}

// ------------------------------------------------------------------------------------------------------------ enums

fn enums(facts: &BTreeMap<&str, Value>) -> Result<String> {
    let mut names: Vec<String> = Vec::new();
    for value in facts.values() {
        let listed = value["enums"].as_object().ok_or("facts without enums")?;
        names.extend(listed.keys().filter(|n| !UNUSED_ENUMS.contains(&n.as_str())).cloned());
    }
    names.sort();
    names.dedup();
    let mut out = String::from(ENUMS_HEAD);
    for name in &names {
        write_enum(&mut out, name, &enum_rows(facts, name)?);
    }
    let _ = writeln!(out, "/// Every enum, for checks that walk the whole table.");
    let _ = writeln!(out, "pub const ENUMS: &[&[Number]] = &[");
    for line in names.chunks(3) {
        let all: Vec<String> = line.iter().map(|n| format!("{}::ALL", snake(n))).collect();
        let _ = writeln!(out, "    {},", all.join(", "));
    }
    out.push_str("];\n");
    Ok(out)
}

fn enum_rows(facts: &BTreeMap<&str, Value>, name: &str) -> Result<Vec<(String, [Option<Cell>; 5])>> {
    let mut rows: Vec<(String, [Option<Cell>; 5])> = Vec::new();
    for (column, (_, versions)) in FAMILIES.iter().enumerate() {
        for (index, version) in versions.iter().enumerate() {
            let Some(values) = facts[version]["enums"].get(name).and_then(Value::as_object) else {
                continue;
            };
            for (key, value) in values {
                let Some(number) = number(value) else {
                    return Err(format!("{version} {name}::{key}: cannot read {value}"));
                };
                if !rows.iter().any(|(k, _)| k == key) {
                    rows.push((key.clone(), [None; 5]));
                }
                let row = rows.iter_mut().find(|(k, _)| k == key).map(|(_, r)| r);
                let Some(row) = row else { continue };
                match row[column] {
                    None => {
                        let since = if index == 0 { 0 } else { encode(version) };
                        row[column] = Some(Cell { number, by_value: false, since });
                    }
                    Some(old) if old.number != number => {
                        return Err(format!("{name}::{key} was renumbered in {version}"));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    // In the order of the newest numbers, as a reader knows the enum.
    rows.sort_by_key(|(_, cells)| cells.iter().rev().flatten().next().map(|c| c.number));
    Ok(rows)
}

/// Plain numbers, and the `1ULL << 3` form of bit masks.
fn number(value: &Value) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let (one, shift) = value.as_str()?.split_once("<<")?;
    (one.trim().starts_with('1')).then(|| shift.trim().parse::<u32>().ok().map(|s| 1i64 << s))?
}

fn write_enum(out: &mut String, name: &str, rows: &[(String, [Option<Cell>; 5])]) {
    let width = rows.iter().map(|(k, _)| k.len()).max().unwrap_or(0);
    let _ = writeln!(out, "numbers! {{ {} = \"{name}\";", snake(name));
    for (key, cells) in rows {
        let constant = key.strip_prefix('k').unwrap_or(key);
        let cells: Vec<String> = cells.iter().map(|c| cell(*c)).collect();
        let key = format!("\"{key}\"");
        let _ = writeln!(out, "    {constant:width$} {key:w$} [{}];", cells.join(", "), w = width + 2);
    }
    out.push_str("}\n\n");
}

// ------------------------------------------------------------------------------------------------------------ names

fn screaming(name: &str) -> String {
    snake(name).to_uppercase()
}

/// `addMatrixMultiply` → `add_matrix_multiply`, `getNbIOTensors` → `get_nb_io_tensors`.
fn snake(name: &str) -> String {
    let mut name = name.to_owned();
    for (spelled, apart) in APART {
        name = name.replace(spelled, apart);
    }
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        let after_lower = i > 0 && (chars[i - 1].is_lowercase() || chars[i - 1].is_ascii_digit());
        let before_lower = chars.get(i + 1).is_some_and(|n| n.is_lowercase());
        let inside = i > 0 && chars[i - 1].is_uppercase() && before_lower;
        if c.is_uppercase() && (after_lower || inside) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    if out == "loop" { "loop_".into() } else { out }
}

/// Spellings whose words capital letters alone do not tell.
const APART: [(&str, &str); 5] =
    [("ReLU", "Relu"), ("MoE", "Moe"), ("TopK", "Topk"), ("NMSV2", "Nms_V2"), ("PImpl", "Pimpl")];

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

const ENUMS_HEAD: &str = "\
//! The numbers behind TensorRT's enums, by family. Generated by `cargo run -p xtask -- abi`.
//!
//! Columns and cells as in `tables.rs`. Facts only: the Rust enums that users see are in `types`.

#![allow(missing_docs, reason = \"the names are TensorRT's own\")]

use super::{NOWHERE as __, Number, now as s, since as n};

";
