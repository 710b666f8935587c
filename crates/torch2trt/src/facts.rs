//! Facts about engines in words: what was built and for what, sizes, and parts of a model that PyTorch runs in part.
//!
//! `torch2trt info` and reports show them; Python prints the same of parts (`partition/partition.py`).

use engine::{Manifest, PartEntry, PartsManifest};
use runtime::{IoSpec, Profile, SizeRange};

/// How many calls of a reason are named.
const NAMED: usize = 3;

/// `TensorRT 10.16.0 plan for NVIDIA L4, runs with other GPUs too`.
pub fn engine_text(manifest: &Manifest) -> String {
    let Some(built) = &manifest.built else { return "ONNX model for the CPU engine".to_owned() };
    let also = [(built.version_compatible, "later versions"), (built.hardware_compatible, "other GPUs")];
    let also: Vec<&str> = also.iter().filter(|(yes, _)| *yes).map(|(_, what)| *what).collect();
    let also = if also.is_empty() { String::new() } else { format!(", runs with {} too", also.join(" and ")) };
    format!("{} plan for {}{also}", built.tensorrt, built.gpu)
}

/// `[batch, 3, 224, 224]`.
pub fn dims_text(io: &IoSpec) -> String {
    let dims: Vec<String> = io.dims.iter().map(ToString::to_string).collect();
    format!("[{}]", dims.join(", "))
}

/// `batch 1 to 8, best at 4`.
pub fn profile_text(profile: &Profile) -> String {
    let range = |name: &str, r: &SizeRange| {
        if r.min == r.max {
            format!("{name} {}", r.min)
        } else {
            format!("{name} {} to {}, best at {}", r.min, r.max, r.opt)
        }
    };
    let symbols = profile.symbols.iter().map(|(name, r)| range(name, r));
    let moving = |(input, axes): (&String, &Vec<SizeRange>)| {
        let axes = axes.iter().enumerate().filter(|(_, r)| r.min != r.max);
        axes.map(|(axis, r)| range(&format!("{input} axis {axis}:"), r)).collect::<Vec<_>>()
    };
    symbols.chain(profile.axes.iter().flat_map(moving)).collect::<Vec<_>>().join("; ")
}

/// `2 engines and 1 part in PyTorch, for a GPU: 9 of 10 operator calls run in engines`.
pub fn parts_text(manifest: &PartsManifest) -> String {
    let (engines, others): (Vec<_>, Vec<_>) = manifest.partitions.iter().partition(|part| part.kind == "engine");
    let inside = engines.iter().fold(0u64, |sum, part| sum.saturating_add(part.calls));
    let all = others.iter().fold(inside, |sum, part| sum.saturating_add(part.calls));
    let place = if manifest.device == "cpu" { "the CPU" } else { "a GPU" };
    let (engines, others) = (counted(engines.len() as u64, "engine"), counted(others.len() as u64, "part"));
    format!("{engines} and {others} in PyTorch, for {place}: {inside} of {all} operator calls run in engines")
}

/// `engine: 4 calls, 15 layers, reads 128 bytes, max relative error 1.3e-7`.
pub fn part_text(part: &PartEntry) -> String {
    let calls = counted(part.calls, "call");
    let reads = part.bytes.map_or_else(String::new, |bytes| format!(", reads {}", bytes_of(bytes)));
    if part.kind != "engine" {
        return if part.calls == 0 { "PyTorch".to_owned() } else { format!("PyTorch: {calls}{reads}") };
    }
    let module = if part.module.is_empty() { String::new() } else { format!(" of `{}`", part.module) };
    let error = part.difference.map_or_else(String::new, |error| format!(", max relative error {error:.1e}"));
    format!("engine{module}: {calls}, {}{reads}{error}", counted(part.layers, "layer"))
}

/// The first calls of a reason, and how many more there are.
pub fn calls_text(calls: &[String]) -> String {
    let shown = calls.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match calls.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn bytes_of(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} bytes"),
        1000..100_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// Rows with the names of files in place of absolute paths: a report is for other machines.
pub(crate) fn without_folders(rows: Vec<(String, String)>) -> Vec<(String, String)> {
    rows.into_iter().map(|(name, value)| (name, short(&value))).collect()
}

/// A text with the last component of each absolute path in it.
fn short(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '(' | ')' | ',' | '[' | ']' | '=' | ';');
    let mut made = String::with_capacity(text.len());
    for token in text.split_inclusive(is_end) {
        let word = token.trim_end_matches(is_end);
        let is_path = word.starts_with('/') && word.matches('/').count() > 1;
        let name = if is_path { word.trim_end_matches('/').rsplit('/').next().unwrap_or(word) } else { word };
        made.push_str(name);
        made.push_str(&token[word.len()..]);
    }
    made
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn paths_are_shortened_to_names() {
        assert_eq!(short("at \"/home/me/lib/libnvinfer.so.10\", 1/2 and a/b"), "at \"libnvinfer.so.10\", 1/2 and a/b");
        assert_eq!(short("/one (/two/three/)\n=/a/b"), "/one (three)\n=b");
    }
}
