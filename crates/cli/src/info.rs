//! `torch2trt info`: what an engine file or a plan holds. Engine files need neither TensorRT nor a GPU, nor PyTorch,
//! but for the layers of a plan; plain plans need both.

use crate::facts::{accuracy, megabytes, port};
use crate::{Done, Failure, Screen, engine, parts, pytorch, row};
use clap::Args;
use runtime::{Profile, SizeRange};
use serde_json::json;
use std::path::PathBuf;
use torch2trt::{EngineFile, EngineLayer, Executable, Kind, Manifest};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    engine: engine::Arguments,
    /// Also the layers: those of a plan after fusion, which needs its TensorRT and GPU
    #[arg(long)]
    layers: bool,
    /// The whole manifest as JSON; of a plan, its interface
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments, site_packages: Vec<PathBuf>, screen: &mut Screen<'_>) -> Done {
    let file = &arguments.engine.file;
    if pytorch::is_partitioned(file) {
        return parts::show(file, arguments.json, screen);
    }
    let size = std::fs::metadata(file).map_or(0, |about| about.len());
    if arguments.engine.is_plan()? {
        return show_plan(&arguments.engine.load(site_packages)?, arguments, size, screen);
    }
    let manifest = EngineFile::open_manifest(file).map_err(torch2trt::Error::from)?;
    let layers = arguments.layers.then(|| layers(arguments, site_packages)).transpose()?;
    if arguments.json {
        let mut found = serde_json::to_value(&manifest).unwrap_or_default();
        if let Some(layers) = layers {
            found["layers"] = json!(layers);
        }
        return screen.line(serde_json::to_string_pretty(&found).unwrap_or_default());
    }
    screen.columns(&rows(&manifest, size))?;
    list(layers.as_deref().unwrap_or_default(), screen)
}

/// The layers of an engine file. Only a plan has to be loaded for them.
fn layers(arguments: &Arguments, site_packages: Vec<PathBuf>) -> Result<Vec<EngineLayer>, Failure> {
    let file = EngineFile::open(&arguments.engine.file).map_err(torch2trt::Error::from)?;
    if file.has(Kind::Onnx) {
        return Ok(torch2trt::model_layers(&file.section(Kind::Onnx).map_err(torch2trt::Error::from)?)?);
    }
    Ok(arguments.engine.load(site_packages)?.layers()?)
}

fn list(layers: &[EngineLayer], screen: &mut Screen<'_>) -> Done {
    screen.columns(&layers.iter().map(|layer| vec![layer.name.clone(), layer.kind.clone()]).collect::<Vec<_>>())
}

/// Prints what TensorRT reports of a plain plan.
fn show_plan(plan: &Executable, arguments: &Arguments, size: u64, screen: &mut Screen<'_>) -> Done {
    let (interface, layers) = (&plan.artifact.declared, arguments.layers.then(|| plan.layers()).transpose()?);
    if arguments.json {
        let found =
            json!({ "engine": plan.engine.description(), "bytes": size, "interface": interface, "layers": layers });
        return screen.line(serde_json::to_string_pretty(&found).unwrap_or_default());
    }
    let mut rows = vec![row("engine", format!("plan, loaded by {}, {}", plan.engine.description(), megabytes(size)))];
    rows.extend(interface.inputs.iter().map(|io| row("input", port(io))));
    rows.extend(interface.outputs.iter().map(|io| row("output", port(io))));
    rows.extend(interface.profiles.iter().map(|profile| row("sizes", sizes(profile))));
    screen.columns(&rows)?;
    list(layers.as_deref().unwrap_or_default(), screen)
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
