//! What `torch2trt info` shows of a model with parts in PyTorch.
//!
//! The words are those of the report in Python (`partition/partition.py`).

use crate::facts::{accuracy, megabytes};
use crate::{Done, Screen, row};
use serde_json::Value;
use std::path::Path;
use torch2trt::{PartsManifest, calls_text, part_text, parts_text};

/// Prints the description of a file.
pub(crate) fn show(path: &Path, json: bool, screen: &mut Screen<'_>) -> Done {
    let value = PartsManifest::open_json(path).map_err(torch2trt::Error::from)?;
    if json {
        return screen.line(serde_json::to_string_pretty(&value).unwrap_or_default());
    }
    let manifest = PartsManifest::from_json(&value).map_err(torch2trt::Error::from)?;
    let size = std::fs::metadata(path).map_or(0, |about| about.len());
    screen.columns(&rows(&manifest, size))
}

fn rows(manifest: &PartsManifest, size: u64) -> Vec<Vec<String>> {
    let mut rows = vec![row("engine", format!("{}, {}", parts_text(manifest), megabytes(size)))];
    for ((name, dtype, dims), axes) in manifest.inputs.iter().zip(&manifest.ranges) {
        rows.push(row("input", port(name, dtype, dims)));
        rows.extend(sizes(name, axes).map(|text| row("sizes", text)));
    }
    rows.extend(manifest.outputs.iter().map(|(name, dtype, dims)| row("output", port(name, dtype, dims))));
    for (number, part) in manifest.partitions.iter().enumerate() {
        rows.push(row(&format!("part {number}"), part_text(part)));
        rows.extend(part.reasons.iter().map(|(reason, calls)| row("", format!("{reason}: {}", calls_text(calls)))));
    }
    let about = &manifest.description;
    rows.extend(about.options.iter().map(|(name, value)| row("option", format!("{name}: {value}"))));
    rows.extend(about.accuracy.iter().map(accuracy));
    rows
}

/// `x: float32[s0, 8]`.
fn port(name: &str, dtype: &str, dims: &[Value]) -> String {
    let text = |dim: &Value| dim.as_str().map_or_else(|| dim.to_string(), str::to_owned);
    format!("{name}: {dtype}[{}]", dims.iter().map(text).collect::<Vec<_>>().join(", "))
}

/// `x axis 0: 2 to 8`; none where all sizes are fixed.
fn sizes(name: &str, axes: &[(i64, i64)]) -> Option<String> {
    let moving = axes.iter().enumerate().filter(|(_, (low, high))| low != high);
    let texts: Vec<String> = moving.map(|(axis, (low, high))| format!("{name} axis {axis}: {low} to {high}")).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parts_are_listed_with_calls_bytes_and_reasons() {
        let value = json!({
            "device": "cpu", "inputs": [["x", "float32", ["s0", 8]]], "outputs": [["y", "float32", ["s0"]]],
            "ranges": [[[2, 8], [8, 8]]], "later": 1,
            "partitions": [
                { "kind": "engine", "calls": 4, "layers": 15, "bytes": 128, "difference": 1.25e-7, "module": "stem" },
                { "kind": "pytorch", "calls": 1, "bytes": 2000, "reasons": { "no converter": ["a", "b", "c", "d"] } },
                { "kind": "engine", "calls": 3, "layers": 1, "bytes": null },
            ],
            "description": { "options": { "half": "float16" }, "accuracy": { "y": 2e-7, "z": 0.0 } },
        });
        let rows = rows(&PartsManifest::from_json(&value).unwrap(), 1_200_000);
        let expected = [
            ("engine", "2 engines and 1 part in PyTorch, for the CPU: 7 of 8 operator calls run in engines, 1.2 MB"),
            ("input", "x: float32[s0, 8]"),
            ("sizes", "x axis 0: 2 to 8"),
            ("output", "y: float32[s0]"),
            ("part 0", "engine of `stem`: 4 calls, 15 layers, reads 128 bytes, max relative error 1.2e-7"),
            ("part 1", "PyTorch: 1 call, reads 2.0 kB"),
            ("", "no converter: a, b, c and 1 more"),
            ("part 2", "engine: 3 calls, 1 layer"),
            ("option", "half: \"float16\""),
            ("accuracy", "y: max relative error 2.0e-7"),
            ("accuracy", "z: no difference"),
        ];
        assert_eq!(rows, expected.map(|(name, text)| row(name, text)));
    }
}
