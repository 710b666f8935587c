//! Adds a TensorRT that does not exist: a file of facts and one row in the table of families, and nothing else.
//!
//! The facts are those of TensorRT 11 with the slots of every class in another order, one method more and one less. In
//! a copy of the crates, the tables are generated, the binding and the simulator are compiled with them, and the
//! binding calls the simulator, which reports the invented version.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::facts::{DESTRUCTOR, Facts};
use super::{Column, Result, columns, generated};

const ROW: &str = "    /// Invented.
    Trt12 = Row { product: Product::TensorRt, major: 12, minors: ANY, typing: Types::Strong, facts: &[\"12.0\"] };\n";
/// The row of TensorRT 12 is the last of its product.
const NEXT_ROW: &str = "    /// TensorRT-RTX 1.3";

#[test]
fn a_new_version_is_a_file_of_facts_and_a_row() {
    let seed = std::env::var("TORCH2TRT_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(12);
    let facts = invent(seed);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let copy = root.join("target/invented");
    // The same versions as in the project's own build, whose compiled dependencies serve here, too.
    let mut wanted = files(&root, &copy);
    let version_rs = copy.join("crates/nvinfer/src/version.rs");
    for (path, text) in &mut wanted {
        if *path == version_rs {
            assert_eq!(text.matches(NEXT_ROW).count(), 1);
            *text = text.replace(NEXT_ROW, &[ROW, NEXT_ROW].concat());
        }
    }
    let mut columns = columns().unwrap();
    let column = Column { family: "12".into(), title: "TensorRT 12".into(), versions: vec![facts.clone()] };
    columns.insert(3, column);
    for (name, text) in generated(&columns).unwrap() {
        let path = copy.join("crates/nvinfer/src/sys").join(name);
        wanted.retain(|(other, _)| *other != path);
        wanted.push((path, text));
    }
    wanted.push((copy.join("crates/nvinfer/examples/invented.rs"), include_str!("program.rs").to_owned()));
    for (path, text) in &wanted {
        put(path, text).unwrap();
    }
    let text = run(&copy);
    let lines: BTreeSet<&str> = text.lines().collect();
    for expected in [
        "version TensorRT 12.3.4, TensorRT 12",
        "tensor x [-1, 4]",
        "tensor y [-1, 4]",
        "at most [8, 4]",
        "refused true",
        "missing IRuntime::setEngineHostCodeAllowed is not in TensorRT 12.3.4; it is in TensorRT 8.6 to 11, \
         TensorRT-RTX 1.3 and later",
    ] {
        assert!(lines.contains(expected), "no `{expected}` with seed {seed}:\n{text}");
    }
    let slots: BTreeSet<String> = lines.iter().filter_map(|l| l.strip_prefix("slot ").map(str::to_owned)).collect();
    assert_eq!(slots, slots_of(&facts), "seed {seed}");
}

/// The facts of the newest TensorRT 11 with other slots, one method more and one less.
fn invent(seed: u64) -> Facts {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut facts = Facts::read(&Facts::folder(), "11.4").unwrap();
    facts.version = "12.0".into();
    for slots in facts.classes.values_mut() {
        // The destructor of an implementation class is its first method in every version.
        let first = usize::from(slots.first().is_some_and(|slot| slot == DESTRUCTOR));
        random.shuffle(&mut slots[first..]);
    }
    let runtime = facts.classes.get_mut("VRuntime").unwrap();
    runtime.retain(|slot| !slot.starts_with("setEngineHostCodeAllowed "));
    runtime.insert(random.usize(1..runtime.len()), "inventedMethod p(iDl)".into());
    facts
}

/// `IRuntime getName 7` for each method.
fn slots_of(facts: &Facts) -> BTreeSet<String> {
    let mut slots = BTreeSet::new();
    for (class, entries) in &facts.classes {
        let is_own = class.starts_with('I');
        let interface = match class.as_str() {
            "VConditionalBoundaryLayer" => "IIfConditionalBoundaryLayer".to_owned(),
            other => format!("I{}", &other[1..]),
        };
        let mut slot = 0;
        for entry in entries {
            let names: &[&str] = match entry.split(' ').next() {
                Some(DESTRUCTOR) if is_own => &["completeDestructor", "deletingDestructor"],
                Some(DESTRUCTOR) => &["", ""],
                name => &[name.unwrap_or_default()],
            };
            for name in names {
                if !name.is_empty() {
                    slots.insert(format!("{interface} {name} {slot}"));
                }
                slot += 1;
            }
        }
    }
    slots
}

/// The files of a workspace of nvinfer and the simulator: where each goes, and its text.
fn files(root: &Path, copy: &Path) -> Vec<(PathBuf, String)> {
    let text = |path: &Path| fs::read_to_string(root.join(path)).unwrap();
    let mut found = vec![(copy.join("Cargo.lock"), text(Path::new("Cargo.lock")))];
    let workspace = text(Path::new("Cargo.toml")).replace("\"crates/*\", \"python\", \"xtask\"", "\"crates/*\"");
    found.push((copy.join("Cargo.toml"), workspace));
    for name in ["nvinfer", "simulator"] {
        let folder = Path::new("crates").join(name);
        let manifest = text(&folder.join("Cargo.toml"));
        let manifest = manifest.split("[dev-dependencies]").next().unwrap_or_default();
        // Another name than the simulator of the other tests, whose folder for build results is used.
        let manifest = manifest.replace("name = \"simulator\"", "name = \"simulator_invented\"");
        found.push((copy.join(&folder).join("Cargo.toml"), manifest));
        let mut folders = vec![folder.join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(root.join(&folder)).unwrap() {
                let path = folder.join(entry.unwrap().file_name());
                if root.join(&path).is_dir() {
                    folders.push(path);
                } else {
                    found.push((copy.join(&path), text(&path)));
                }
            }
        }
    }
    found
}

/// Writes a file unless it has that text already, so that cargo compiles only what changed.
fn put(path: &Path, text: &str) -> std::io::Result<()> {
    if fs::read_to_string(path).ok().as_deref() == Some(text) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().unwrap())?;
    fs::write(path, text)
}

/// Compiles the copy, and returns what the program prints.
fn run(copy: &Path) -> String {
    // The folder for build results: this test's program is in `debug/deps`.
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().nth(3).unwrap();
    let arguments = ["--offline", "-q", "--workspace", "--lib", "--example", "invented"];
    let features = ["--features", "torch2trt-nvinfer/tables"];
    let mut cargo = Command::new(env!("CARGO"));
    let built = cargo.arg("build").args(arguments).args(features).current_dir(copy).env("CARGO_TARGET_DIR", target);
    let built = built.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let output = Command::new(target.join("debug/examples/invented"))
        .arg(target.join("debug/libsimulator_invented.so"))
        .env("SIMULATOR_TENSORRT", "120304")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A table that does not only grow within a family, and an enum value with another number, are errors.
#[test]
fn tables_that_change_within_a_family_are_refused() {
    let with = |change: &dyn Fn(&mut Facts)| -> Result<()> {
        let mut columns = columns()?;
        let mut facts = Facts::read(&Facts::folder(), "11.4")?;
        facts.version = "11.5".into();
        change(&mut facts);
        columns[2].versions.push(facts);
        generated(&columns).map(|_| ())
    };
    assert_eq!(with(&|_| ()), Ok(()));
    assert_eq!(with(&|facts| facts.classes.get_mut("VTensor").unwrap().push("later v()".into())), Ok(()));
    let error = with(&|facts| facts.classes.get_mut("VTensor").unwrap().swap(1, 2)).unwrap_err();
    assert_eq!(error, "VTensor does not only grow at its end in 11.5");
    let error = with(&|facts| {
        facts.enums.get_mut("DataType").unwrap().insert("kHALF".into(), 77);
    });
    assert_eq!(error.unwrap_err(), "DataType::kHALF was renumbered in 11.5");
    let error = with(&|facts| facts.classes.get_mut("VTensor").unwrap().push("getName p(i)".into())).unwrap_err();
    assert!(error.contains("VTensor::getName is overloaded"), "{error}");
}
