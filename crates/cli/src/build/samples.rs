//! Samples from files: what the range of float16 is checked on, and what int8 and fp8 are calibrated on; and what came
//! of it.

use crate::{Done, Failure, Screen, tensors};
use clap::Args;
use runtime::{EngineSpec, Tensor};
use std::path::{Path, PathBuf};
use torch2trt::{Code, Error, Half, Network, Options, Precise, SearchReport};

/// Where samples are.
#[derive(Args, Default)]
#[group(skip)]
pub(crate) struct Arguments {
    /// A safetensors file with a tensor for each input, by its name: to check what exceeds the range of float16, and to
    /// compare the engine on
    #[arg(long, value_name = "FILE")]
    pub(crate) inputs: Option<PathBuf>,
    /// A safetensors file with the model's own output for these inputs, by the name of each output: the engine is
    /// compared with it [default: the CPU engine in float32]
    #[arg(long, value_name = "FILE", requires = "inputs")]
    pub(crate) expected: Option<PathBuf>,
    /// Samples to calibrate int8 and fp8 on: a safetensors file with a tensor for each input, or a folder of such
    /// files. Larger batches than the model's are several samples [default: --inputs]
    #[arg(long, value_name = "PATH")]
    pub(crate) calibration: Option<PathBuf>,
}

impl Arguments {
    /// Network → network in the precision of the options, which is shown.
    pub(super) fn precise(
        &self,
        network: &Network,
        options: &Options,
        screen: &mut Screen<'_>,
    ) -> Result<Precise, Failure> {
        let files = match (&self.calibration, &self.inputs) {
            (Some(path), _) => files_of(path)?,
            (None, inputs) => inputs.iter().cloned().collect(),
        };
        if let Some(quantization) = options.convert.quantization().filter(|_| files.is_empty()) {
            let message = format!("{} needs samples to calibrate on", quantization.name());
            let error = Error::new(Code::BadOption, message);
            return Err(error.with_help("give --calibration FILE, or --inputs FILE, with typical inputs").into());
        }
        let spec = torch2trt::interface(network, &options.profiles);
        let mut samples = Samples { inputs: self.inputs.clone(), files: files.into_iter(), spec };
        let made = if options.convert.is_searched() {
            let mut reference = torch2trt::Float32::new(network, options)?;
            torch2trt::search(network, options, &mut samples, &mut reference, None)
        } else {
            torch2trt::precision(network, options, &mut samples)
        };
        let made = made.map_err(in_our_words)?;
        show(&made, options.convert.half(), screen)?;
        Ok(made)
    }
}

/// A file, or the safetensors files of a folder in the order of their names.
fn files_of(path: &Path) -> torch2trt::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let wrong = |problem: String| {
        Error::new(Code::TensorFile, format!("{} {problem}", path.display()))
            .with_help("give --calibration a safetensors file, or a folder of such files")
    };
    let entries = std::fs::read_dir(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let found = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = found.filter(|file| file.extension().is_some_and(|e| e == "safetensors")).collect();
    files.sort();
    if files.is_empty() { Err(wrong("has no safetensors files".to_owned())) } else { Ok(files) }
}

/// The samples of a conversion.
struct Samples {
    inputs: Option<PathBuf>,
    files: std::vec::IntoIter<PathBuf>,
    spec: EngineSpec,
}

impl torch2trt::Samples for Samples {
    fn sample(&mut self) -> torch2trt::Result<Option<Vec<Tensor>>> {
        self.inputs.as_deref().map(|path| tensors::from_file(path, &self.spec)).transpose()
    }

    fn next_calibration(&mut self) -> torch2trt::Result<Option<Vec<Tensor>>> {
        self.files.next().map(|path| tensors::from_file(&path, &self.spec)).transpose()
    }
}

/// An error about samples, with the option that has them here.
fn in_our_words(error: Error) -> Error {
    let message = error.message().replace("`int8_calib_dataset`", "--calibration");
    let plain = Error::new(error.code(), message);
    match error.help() {
        Some(help) => plain.with_help(help.replace("`inputs`", "the model's inputs")),
        None => plain,
    }
}

/// How many layers that stay float32 are listed.
const SHOWN: usize = 12;

/// Prints what computes in which precision.
fn show(made: &Precise, half: Option<Half>, screen: &mut Screen<'_>) -> Done {
    for note in &made.notes {
        screen.line(format!("note: {note}"))?;
    }
    if let Some(half) = half {
        let (name, kept) = (half.dtype().name(), &made.half.kept);
        screen.line(format!("{name}: {} layers, {} stay float32", made.half.half.len(), kept.len()))?;
        for kept in kept.iter().take(SHOWN) {
            screen.line(format!("  {}: {}", kept.layer, kept.reason))?;
        }
        if kept.len() > SHOWN {
            screen.line(format!("  and {} more", kept.len() - SHOWN))?;
        }
    }
    if let Some(found) = &made.search {
        for (name, text) in found.rows() {
            screen.line(format!("{name}: {text}"))?;
        }
        if !found.kept.is_empty() {
            screen.line(format!("the same without a search: {}", flags(found)))?;
        }
    }
    if let Some(quantized) = &made.quantized {
        screen.line(format!("{}: {} layers", quantized.quantization.name(), quantized.layers.len()))?;
    }
    for (option, pattern) in made.unmatched() {
        screen.line(format!("note: {} `{pattern}` names no module of the model", flag(option)))?;
    }
    Ok(())
}

/// The flags that give what a search found.
fn flags(found: &SearchReport) -> String {
    let mode = found.mode().map(flag);
    let each = |(option, patterns): (&str, &[String])| {
        let flag = flag(option);
        patterns.iter().map(|pattern| format!("{flag} '{pattern}'")).collect::<Vec<_>>()
    };
    let patterns = found.patterns().into_iter().flat_map(each);
    [format!("--precision {}", found.precision())].into_iter().chain(mode).chain(patterns).collect::<Vec<_>>().join(" ")
}

/// The flag of an option.
fn flag(option: &str) -> String {
    let declared = torch2trt::declared().into_iter().find(|declared| declared.name == option);
    declared.map_or_else(String::new, |declared| format!("--{}", declared.flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_its_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        assert!(files_of(folder.path()).is_err());
        for name in ["b.safetensors", "a.safetensors", "c.txt"] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        let names: Vec<PathBuf> = files_of(folder.path()).unwrap();
        assert_eq!(names, ["a.safetensors", "b.safetensors"].map(|name| folder.path().join(name)));
        let file = folder.path().join("b.safetensors");
        assert_eq!(files_of(&file).unwrap(), [file]);
    }
}
