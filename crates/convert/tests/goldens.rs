//! Goldens of the converters: program text → network text, without PyTorch.
//!
//! `goldens/FAMILY/CASE.txt` is a program of an operator family (a file of `src/ops`), `CASE.snap` alongside it the
//! network, or the error where the program does not convert. To add a case, print a captured program, shorten it, and
//! review the network that `INSTA_UPDATE=always cargo test -p torch2trt-convert --test goldens` writes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

use convert::{Error, Options, convert};
use program::Program;
use std::collections::BTreeMap;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens")
}

/// The files of a folder that have this extension, by their name without it.
fn files(folder: &Path, extension: &str) -> BTreeMap<String, PathBuf> {
    let paths = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let chosen = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    chosen.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path)).collect()
}

/// The operator families: the files of `src/ops` that convert.
fn families() -> BTreeMap<String, PathBuf> {
    let mut families = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops"), "rs");
    families.remove("mod");
    families
}

/// Every case: family, name and the program's text.
fn cases() -> impl Iterator<Item = (String, String, String)> {
    families().into_keys().flat_map(|family| {
        let programs = files(&folder().join(&family), "txt");
        programs.into_iter().map(move |(name, path)| (family.clone(), name, fs::read_to_string(path).unwrap()))
    })
}

fn parse(text: &str) -> Program {
    Program::parse(text, &|_| None).unwrap_or_else(|error| panic!("{error}"))
}

/// The network's text, or the error.
fn converted(program: &Program) -> String {
    match convert(program, &Options::default(), None) {
        Ok(network) => {
            network.verify().unwrap();
            network.to_string()
        }
        Err(error) => format!("error: {error}\n"),
    }
}

#[test]
fn a_program_becomes_the_network_of_its_snapshot() {
    let failed: Vec<String> = cases()
        .filter(|(family, name, text)| {
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path(folder().join(family));
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            let check = || settings.bind(|| insta::assert_snapshot!(name.as_str(), converted(&parse(text))));
            catch_unwind(std::panic::AssertUnwindSafe(check)).is_err()
        })
        .map(|(family, name, _)| format!("{family}/{name}"))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Whether a size depends on the inputs' sizes; one that depends on data has the hint -1.
fn is_dynamic(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("  symbol ") && !line.ends_with("hint -1"))
}

#[test]
fn every_family_has_goldens_of_static_and_dynamic_sizes() {
    let mut missing = Vec::new();
    for family in families().into_keys() {
        let texts: Vec<String> = cases().filter(|case| case.0 == family).map(|case| case.2).collect();
        let dynamic = texts.iter().filter(|text| is_dynamic(text)).count();
        if texts.len() < 2 || dynamic == 0 || dynamic == texts.len() {
            missing.push(format!("{family}: {} cases, {dynamic} with a dynamic size", texts.len()));
        }
    }
    assert!(missing.is_empty(), "add goldens/FAMILY/CASE.txt: {missing:#?}");
}

#[test]
fn every_folder_is_a_family_and_every_snapshot_has_its_program() {
    let families = families();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(families.contains_key(&name), "{name} is not a file of src/ops");
        let (programs, snapshots) = (files(&path, "txt"), files(&path, "snap"));
        assert!(programs.keys().eq(snapshots.keys()), "{name}: {programs:#?} {snapshots:#?}");
    }
}

/// A golden calls an operator that its family's file names; the files without a table are reached through another's.
#[test]
fn every_golden_calls_an_operator_of_its_family() {
    let mut strangers = Vec::new();
    for (family, name, text) in cases().filter(|case| !["bitwise", "volume"].contains(&case.0.as_str())) {
        let source = fs::read_to_string(&families()[&family]).unwrap();
        let program = parse(&text);
        let has_none = matches!(convert(&program, &Options::default(), None), Err(Error::NoConverter { .. }));
        let calls = |target: &str| source.contains(&format!("\"{target}\""));
        if !has_none && !program.nodes().iter().any(|node| calls(&node.target)) {
            strangers.push(format!("{family}/{name}"));
        }
    }
    assert!(strangers.is_empty(), "{strangers:#?}");
}

/// The text is the printed form, so that a golden can be compared with a captured program.
#[test]
fn every_golden_is_written_as_it_prints() {
    for (family, name, text) in cases() {
        let written = parse(&text).to_string();
        let line = |line: &str| line.split(" = ").next().unwrap_or_default().to_owned();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        // A weight's seed is printed as numbers.
        assert!(lines.map(line).eq(written.lines().map(line)), "{family}/{name}:\n{written}");
    }
}
