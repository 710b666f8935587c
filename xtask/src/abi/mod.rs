//! Generates `crates/nvinfer/src/sys/{tables,enums}.rs` from the facts about TensorRT's binary interface.
//!
//! One JSON file per TensorRT version (`crates/nvinfer/facts`) goes in; for every class and method its slot per family
//! comes out. The families, with the versions of each, are the table in `crates/nvinfer/src/version.rs`. The generator
//! checks what the binding relies on: within a family a class's table only grows at its end, and an enum value is never
//! renumbered. Otherwise it writes nothing. `headers.rs` creates the facts of a new version.

mod enums;
mod facts;
mod headers;
#[cfg(test)]
mod invented;
mod methods;
mod names;

use std::fs;
use std::path::{Path, PathBuf};

use crate::columns::MAX_COLUMNS;
use facts::Facts;
use nvinfer::Family;

/// Arguments of `xtask abi`.
#[derive(clap::Args)]
pub struct Args {
    /// Compare with the files in the tree instead of writing them.
    #[arg(long)]
    check: bool,
    /// Write the facts of a new version (such as 12.0, or rtx1.8) from its headers instead of the tables.
    #[arg(long, requires = "headers", conflicts_with = "check")]
    add: Option<String>,
    /// TensorRT's folder `include`, for --add.
    #[arg(long, requires = "add")]
    headers: Option<PathBuf>,
}

/// The versions that make one column of the generated tables.
struct Column {
    /// As the generator's exceptions name it: the first version, such as `8.6`, `10` or `RTX 1.3`.
    family: String,
    /// For people: `TensorRT 10`.
    title: String,
    versions: Vec<Facts>,
}

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
    if let (Some(version), Some(folder)) = (&args.add, &args.headers) {
        let facts = headers::read(folder, version)?;
        facts.write(&Facts::folder())?;
        return Ok(());
    }
    let sys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/nvinfer/src/sys");
    for (name, text) in generated(&columns()?)? {
        let path = sys.join(name);
        if !args.check {
            fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        } else if fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
            return Err(format!("{} differs from the facts; run `cargo run -p xtask -- abi`", path.display()));
        }
    }
    Ok(())
}

/// The generated files: name and text.
fn generated(columns: &[Column]) -> Result<[(&'static str, String); 2]> {
    Ok([("tables.rs", methods::tables(columns)?), ("enums.rs", enums::enums(columns)?)])
}

fn columns() -> Result<Vec<Column>> {
    Family::ALL.iter().map(|family| column(*family)).collect()
}

fn column(family: Family) -> Result<Column> {
    let versions = family.facts().iter().map(|version| Facts::read(&Facts::folder(), version));
    Ok(Column { family: family.first_version(), title: family.to_string(), versions: versions.collect::<Result<_>>()? })
}

fn encode(version: &str) -> u32 {
    let mut parts = version.trim_start_matches("rtx").split('.').map(|p| p.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0u32);
    next() * 10_000 + next() * 100 + next()
}

/// Writes the rows of a table: head and cells. The cells are a column, or a line of their own if a row is too long.
fn write_rows(out: &mut String, rows: &[(String, Vec<Option<Cell>>)]) {
    let rows = rows.iter().map(|(head, cells)| (head, cells.iter().map(|c| cell(*c)).collect::<Vec<_>>().join(", ")));
    let rows: Vec<(&String, String)> = rows.collect();
    let is_column = rows.iter().all(|(head, cells)| head.len() + cells.len() + "     [];".len() <= MAX_COLUMNS);
    for (head, cells) in rows {
        let row =
            if is_column { format!("{head} [{cells}];") } else { format!("{}\n        [{cells}];", head.trim_end()) };
        out.extend(["    ", &row, "\n"]);
    }
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

#[cfg(test)]
mod tests {
    use super::{Args, run};

    #[test]
    fn tables_match_the_facts() {
        assert_eq!(run(&Args { check: true, add: None, headers: None }), Ok(()));
    }
}
