//! House rules that the compiler does not know, checked over every source file that git tracks or would track.
//!
//! - a Rust file opens with `//!`, a Python file with a docstring;
//! - a file that people read has at most 400 lines (tables and tests may be longer);
//! - a line of Rust, Python, TOML or Markdown has at most 120 columns, except rows of Markdown tables
//!   (`columns.rs`);
//! - no prose and no name has a word of the list in `words.rs`;
//! - nothing names a path of the machine it was written on;
//! - sibling modules of a crate need each other in no circle (`circles.rs`);
//! - the table "To add X, touch these files" of ARCHITECTURE.md is true (`additions.rs`);
//! - no error's text is split to get at its fields;
//! - a layer kind is named by few files (`kinds.rs`);
//! - generated documents are what would be generated now;
//! - every error code has a section of its own in docs/errors.md.

use crate::{additions, circles, columns, docs, kinds, licenses, words};
use std::fs;
use std::path::Path;
use std::process::Command;

const MAX_LINES: usize = 400;

/// Files that are tables, generated layouts or lists of test cases.
const LONG: &[&str] = &[
    "crates/nvinfer/src/sys/",
    "crates/nvinfer/src/types/",
    "python/torch2trt/trt/enums.py",
    "crates/network/src/op.rs",
    "tests/",
];

/// Runs every rule.
///
/// # Errors
/// All findings, a line each.
pub fn run() -> Result<(), String> {
    let mut findings = Vec::new();
    let files = files()?;
    findings.extend(additions::findings(&files));
    findings.extend(circles::findings(&files));
    findings.extend(kinds::findings(&files));
    for file in files {
        // A file that git lists but that is deleted in the working tree.
        let Ok(text) = fs::read_to_string(&file) else { continue };
        findings.extend(check(&file, &text).into_iter().map(|what| format!("{file}: {what}")));
    }
    for (path, text) in docs::all() {
        if fs::read_to_string(path).ok().as_deref() != Some(text.as_str()) {
            findings.push(format!("{path}: differs from the code; run `cargo run -p xtask -- docs`"));
        }
    }
    findings.extend(
        docs::undocumented_codes().into_iter().map(|heading| format!("docs/errors.md: no section `## {heading}`")),
    );
    if fs::read_to_string(licenses::PATH).ok() != Some(licenses::text()?) {
        findings.push(format!("{}: does not match Cargo.lock; run `cargo run -p xtask -- licenses`", licenses::PATH));
    }
    if findings.is_empty() { Ok(()) } else { Err(format!("house rules\n  {}", findings.join("\n  "))) }
}

fn files() -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .output()
        .map_err(|e| format!("git ls-files: {e}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn check(file: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let extension = Path::new(file).extension().and_then(|e| e.to_str()).unwrap_or_default();
    let opening = match extension {
        "rs" => "//!",
        "py" => "\"\"\"",
        _ => "",
    };
    if !text.is_empty() && !text.starts_with(opening) && !text.starts_with("#!") {
        findings.push(format!("does not open with `{opening}`: state what the file is and what it must not know"));
    }
    let lines = text.lines().count();
    let long =
        LONG.iter().any(|prefix| file.starts_with(prefix)) || file.ends_with("tests.rs") || file.contains("/tests/");
    if !opening.is_empty() && lines > MAX_LINES && !long {
        findings.push(format!("{lines} lines: split it by meaning (at most {MAX_LINES})"));
    }
    findings.extend(columns::findings(extension, text));
    findings.extend(words::findings(file, text));
    // Assembled so that this file does not contain what it looks for.
    for machine in [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat(), ["/tmp", "/t2t"].concat()] {
        if text.contains(&machine) {
            findings.push(format!("names a path of one machine (`{machine}`)"));
        }
    }
    let is_shipped = ["crates/", "python/"].iter().any(|root| file.starts_with(root)) && !file.contains("/tests/");
    if is_shipped && text.lines().any(splits_an_error) {
        findings.push("splits the text of an error: read its fields".into());
    }
    findings
}

/// Whether a line takes an error's text apart at its help or behind its code.
fn splits_an_error(line: &str) -> bool {
    let marks = [["\"\\nhelp", ": \""].concat(), ["\"]", ": \""].concat()];
    let splits = ["split", "partition", "find("].iter().any(|call| line.contains(call));
    splits && marks.iter().any(|mark| line.contains(mark.as_str()))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn rules_find_what_they_are_for() {
        assert_eq!(check("a.rs", "fn f() {}\n").len(), 1);
        assert_eq!(check("a.rs", &format!("//! a\n{}", "\n".repeat(500))).len(), 1);
        assert_eq!(check("a.md", &["see /wo", "rk/x"].concat()).len(), 1);
        assert!(check("a.py", "\"\"\"A module.\"\"\"\n").is_empty());
        let split = ["\"\"\"A module.\"\"\"\nfirst = str(error).partition(\"]", ": \")\n"].concat();
        assert_eq!((check("python/a.py", &split).len(), check("tests/a.py", &split).len()), (1, 0));
    }
}
