//! The table of ARCHITECTURE.md, "To add X, touch these files": its paths exist, and something that was added is named
//! by the files of its row and by no other source file.
//!
//! Layer kinds have a rule of their own (`kinds.rs`).

use std::fs;
use std::path::Path;

const TABLE: &str = "ARCHITECTURE.md";
const HEADING: &str = "## To add X, touch these files";

/// Something that was added, and the row that lists its files.
struct Probe {
    /// The first cell of the row.
    row: &'static str,
    /// Texts that name it.
    names: &'static [&'static str],
    /// Sources that name it because they use it.
    uses: &'static [&'static str],
}

const PROBES: [Probe; 6] = [
    Probe { row: "an operator", names: &["cosine_similarity"], uses: &[] },
    Probe {
        row: "an option",
        names: &["avg_timing_iterations"],
        uses: &["crates/build/src/", "crates/nvinfer/src/", "crates/torch2trt/src/interface.rs"],
    },
    Probe { row: "a pass", names: &["FoldBatchNorm", "fold_batch_norm"], uses: &[] },
    Probe { row: "a TensorRT version", names: &["\"rtx1.7\"", "facts/rtx1.7.json"], uses: &[] },
    Probe { row: "an error code", names: &["E0305", "Code::BadTarget"], uses: &[] },
    Probe { row: "a command", names: &["mod doctor", "src/doctor.rs", "\"doctor\"", "torch2trt doctor"], uses: &[] },
];

/// A row: what is added, and the paths that are edited by hand.
struct Row {
    added: String,
    paths: Vec<String>,
}

/// What is wrong with the table.
pub fn findings(files: &[String]) -> Vec<String> {
    let Ok(text) = fs::read_to_string(TABLE) else { return vec![format!("{TABLE}: not found")] };
    let rows = rows(&text);
    if rows.is_empty() {
        return vec![format!("{TABLE}: no table under `{HEADING}`")];
    }
    let mut findings: Vec<String> = rows.iter().flat_map(missing).collect();
    for probe in &PROBES {
        match rows.iter().find(|row| row.added == probe.row) {
            Some(row) => findings.extend(differences(probe, row, &naming(probe, files))),
            None => findings.push(format!("{TABLE}: no row `{}` under `{HEADING}`", probe.row)),
        }
    }
    findings
}

/// The rows of the table under the heading.
fn rows(text: &str) -> Vec<Row> {
    let Some((_, section)) = text.split_once(HEADING) else { return Vec::new() };
    let lines = section.lines().skip_while(|line| !line.starts_with("| ")).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split(" | ");
        Some(Row { added: cells.next()?.trim().to_owned(), paths: paths(cells.next()?) })
    };
    lines.skip(2).filter_map(row).collect()
}

/// The paths in a cell: what is in backticks and has a folder.
fn paths(cell: &str) -> Vec<String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.filter(|code| code.contains('/') && !code.contains(' ')).map(str::to_owned).collect()
}

fn missing(row: &Row) -> Vec<String> {
    let gone = row.paths.iter().filter(|path| !Path::new(path).exists());
    gone.map(|path| format!("{TABLE}: the row `{}` names `{path}`, which does not exist", row.added)).collect()
}

/// The hand-written files that name what was added.
fn naming<'f>(probe: &Probe, files: &'f [String]) -> Vec<&'f str> {
    let is_named = |text: &str| probe.names.iter().any(|name| text.contains(name));
    let is_read = |file: &&String| file.as_str() != TABLE && !file.starts_with("xtask/") && *file != "CHANGELOG.md";
    let candidates = files.iter().filter(is_read);
    let named = candidates.filter(|file| is_named(file) || fs::read_to_string(file).is_ok_and(|text| is_named(&text)));
    named.map(String::as_str).collect()
}

/// Files of the row that do not name it, and sources that name it and are in no path of the row.
fn differences(probe: &Probe, row: &Row, naming: &[&str]) -> Vec<String> {
    let without = row.paths.iter().filter(|path| !naming.iter().any(|file| file.starts_with(path.as_str())));
    let without =
        without.map(|path| format!("{TABLE}: the row `{}`: {} is not in `{path}`", row.added, probe.names[0]));
    let is_listed = |file: &str| {
        row.paths.iter().map(String::as_str).chain(probe.uses.iter().copied()).any(|path| file.starts_with(path))
    };
    let others = naming.iter().filter(|file| is_source(file) && !is_listed(file));
    let others =
        others.map(|file| format!("{TABLE}: the row `{}` lacks `{file}`, as {} shows", row.added, probe.names[0]));
    without.chain(others).collect()
}

/// Whether people write the file to add something: documents, tests and generated tables follow.
fn is_source(file: &str) -> bool {
    let is_code = crate::is_code(file);
    let is_test = file.contains("tests/") || file.ends_with("tests.rs") || file.contains("/examples/");
    is_code && !is_test && ["crates/", "python/"].iter().any(|root| file.starts_with(root))
}

#[cfg(test)]
mod tests {
    use super::{Probe, Row, differences, paths, rows};

    const TEXT: &str = "## To add X, touch these files\n\nWords.\n\n| To add | By hand | Then |\n|---|---|---|\n\
        | a cat | `crates/cats/src/` and a line in `crates/cats/README.md` | `cargo run` |\n\nMore `a/b`.\n";

    #[test]
    fn reads_the_rows_and_their_paths() {
        let rows = rows(TEXT);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].added, "a cat");
        assert_eq!(rows[0].paths, ["crates/cats/src/", "crates/cats/README.md"]);
        assert!(paths("run `python xtask/schemas.py`, edit `OPERATORS`").is_empty());
    }

    #[test]
    fn rejects_a_row_that_lacks_a_file_and_one_that_has_a_file_too_many() {
        let row = || Row { added: "a cat".into(), paths: vec!["crates/cats/src/".into(), "docs/cats.md".into()] };
        let probe = Probe { row: "a cat", names: &["tom"], uses: &["crates/mice/src/"] };
        let found = |naming: &[&str]| differences(&probe, &row(), naming);
        assert!(
            found(&["crates/cats/src/tom.rs", "docs/cats.md", "docs/dogs.md", "crates/mice/src/jerry.rs"]).is_empty()
        );
        assert!(found(&["crates/cats/src/tom.rs"])[0].contains("tom is not in `docs/cats.md`"));
        let other = ["crates/cats/src/tom.rs", "docs/cats.md", "python/torch2trt/cats.py"];
        assert!(found(&other)[0].contains("lacks `python/torch2trt/cats.py`"));
    }
}
