//! `torch2trt info`: what an engine file holds. Needs neither TensorRT nor a GPU, nor PyTorch.

use crate::facts::{accuracy, megabytes, port};
use crate::{Done, Screen, parts, pytorch, row};
use clap::Args;
use runtime::{Profile, SizeRange};
use std::path::PathBuf;
use torch2trt::{EngineFile, Manifest};

#[derive(Args)]
pub(crate) struct Arguments {
    /// An engine file of torch2trt
    file: PathBuf,
    /// The whole manifest as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen<'_>) -> Done {
    if pytorch::is_partitioned(&arguments.file) {
        return parts::show(&arguments.file, arguments.json, screen);
    }
    let manifest = EngineFile::open_manifest(&arguments.file).map_err(torch2trt::Error::from)?;
    if arguments.json {
        return screen.line(serde_json::to_string_pretty(&manifest).unwrap_or_default());
    }
    let size = std::fs::metadata(&arguments.file).map_or(0, |about| about.len());
    screen.columns(&rows(&manifest, size))
}

fn rows(manifest: &Manifest, size: u64) -> Vec<Vec<String>> {
    let engine = manifest.built.as_ref().map_or_else(
        || "ONNX model for the CPU engine".to_owned(),
        |built| {
            let also = [(built.version_compatible, "later versions"), (built.hardware_compatible, "other GPUs")];
            let also: Vec<&str> = also.iter().filter(|(yes, _)| *yes).map(|(_, what)| *what).collect();
            let also = if also.is_empty() { String::new() } else { format!(", runs with {} too", also.join(" and ")) };
            format!("{} plan for {}{also}", built.tensorrt, built.gpu)
        },
    );
    let mut rows =
        vec![row("engine", format!("{engine}, {}", megabytes(size))), row("made by", manifest.made_by.clone())];
    let plugins = manifest.built.iter().flat_map(|built| &built.plugins);
    rows.extend(plugins.map(|plugin| row("plugin", plugin.to_string())));
    rows.extend(manifest.interface.inputs.iter().map(|io| row("input", port(io))));
    rows.extend(manifest.interface.outputs.iter().map(|io| row("output", port(io))));
    rows.extend(manifest.interface.profiles.iter().map(|profile| row("sizes", sizes(profile))));
    rows.extend(manifest.options.iter().map(|(name, value)| row("option", format!("{name}: {value}"))));
    rows.extend(manifest.accuracy.iter().map(accuracy));
    rows.extend(manifest.source.iter().map(|source| row("network", source.clone())));
    rows
}

/// `batch 1 to 8, best at 4`.
fn sizes(profile: &Profile) -> String {
    let range = |name: &str, r: &SizeRange| match r.min == r.max {
        true => format!("{name} {}", r.min),
        false => format!("{name} {} to {}, best at {}", r.min, r.max, r.opt),
    };
    let symbols = profile.symbols.iter().map(|(name, r)| range(name, r));
    let moving = |(input, axes): (&String, &Vec<SizeRange>)| {
        let axes = axes.iter().enumerate().filter(|(_, r)| r.min != r.max);
        axes.map(|(axis, r)| range(&format!("{input} axis {axis}:"), r)).collect::<Vec<_>>()
    };
    symbols.chain(profile.axes.iter().flat_map(moving)).collect::<Vec<_>>().join("; ")
}
