//! Generates `crates/nvinfer/src/sys/{tables,enums}.rs` from the facts about TensorRT's binary interface.
//!
//! One JSON file per TensorRT version goes in; for every class and method its slot per family comes out. The
//! generator checks what the binding relies on: within a family a class's table only grows at its end, and an enum
//! value is never renumbered. It refuses to write when that does not hold. It knows nothing of how calls are made.

mod declaration;
mod enums;
mod methods;
mod names;

use std::collections::BTreeMap;
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

type Result<T> = std::result::Result<T, String>;

/// A slot or a number in one family.
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
    put(&sys.join("tables.rs"), &methods::tables(&facts)?, args.check)?;
    put(&sys.join("enums.rs"), &enums::enums(&facts)?, args.check)
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
