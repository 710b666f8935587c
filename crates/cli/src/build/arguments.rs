//! What the arguments of `torch2trt build` mean together: where to write, the options for an archive, the request to
//! PyTorch.

use super::Arguments;
use crate::Failure;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use torch2trt::{Archive, Code, Error, Options};

/// The files to write.
pub(super) struct Outputs<'a> {
    pub(super) engine: Option<&'a Path>,
    pub(super) onnx: Option<&'a Path>,
}

impl Arguments {
    /// What it asks of PyTorch, with --fallback.
    pub(crate) fn for_pytorch(&self) -> Result<Option<Value>, Failure> {
        let parts = &self.options.parts;
        if !parts.fallback && parts.run_in_pytorch.is_empty() {
            return Ok(None);
        }
        let Outputs { engine: Some(output), onnx: None } = self.outputs()? else {
            return Err(wrong(
                "a model with parts in PyTorch has no ONNX model".to_owned(),
                "give --output the name of an engine file, such as net.trt2, and leave out --onnx",
            ));
        };
        if self.samples.calibration.is_some() {
            return Err(wrong(
                "--calibration is for models without parts in PyTorch".to_owned(),
                "convert in Python: torch2trt(model, inputs, fallback=True, int8_mode=True, \
                 int8_calib_dataset=samples)",
            ));
        }
        let default = Options::default().to_json();
        let mut arguments = self.options.to_json();
        arguments.retain(|name, value| name == "backend" || default.get(name) != Some(value));
        arguments.retain(|name, _| !["device", "fallback"].contains(&name.as_str()));
        if self.verbose > 0 {
            // Levels of Python's logging: debugging, and more than that.
            arguments.insert("log_level".to_owned(), json!(if self.verbose == 1 { 10 } else { 5 }));
        }
        Ok(Some(json!({
            "command": "build --fallback", "file": self.file, "output": output, "inputs": self.samples.inputs,
            "device": self.options.run.device, "ranges": self.ranges.request(), "arguments": arguments,
        })))
    }

    /// Where the engine file and the ONNX model are written to: the name of a file decides its format.
    pub(super) fn outputs(&self) -> Result<Outputs<'_>, Failure> {
        let (output, onnx) = (self.output.as_deref(), self.onnx.as_deref());
        for path in [output, onnx].into_iter().flatten() {
            if std::fs::canonicalize(path).is_ok_and(|path| std::fs::canonicalize(&self.file).is_ok_and(|f| f == path))
            {
                let message = format!("{} is the model itself, which the output would replace", path.display());
                return Err(wrong(message, "give the output another name, such as net.trt2"));
            }
        }
        let named_onnx = |path: &Path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("onnx"));
        match (output, onnx) {
            (Some(output), Some(onnx)) if named_onnx(output) => {
                let message = format!("{} and {} are both ONNX models", output.display(), onnx.display());
                Err(wrong(
                    message,
                    "give --output the name of an engine file, such as net.trt2, or leave one of them out",
                ))
            }
            (Some(output), None) if named_onnx(output) => Ok(Outputs { engine: None, onnx: Some(output) }),
            (engine, onnx) => Ok(Outputs { engine, onnx }),
        }
    }

    /// The options for this archive; the outputs are those that the model computes.
    pub(super) fn options(&self, archive: &Archive, site_packages: Vec<PathBuf>) -> Result<Options, Failure> {
        let options = Options { site_packages, verbose: self.verbose > 1, ..self.options.clone() };
        let mut options = options.settled()?;
        options.report.progress &= self.verbose == 0;
        let (inputs, outputs) = archive.names();
        let convert = &mut options.convert;
        convert.input_names = completed("--input-name", &convert.input_names, inputs)?;
        convert.output_names = completed("--output-name", &convert.output_names, outputs)?;
        if self.options.convert.input_names.is_empty() && self.options.convert.output_names.is_empty() {
            return Ok(options);
        }
        let mut all = convert.input_names.iter().chain(&convert.output_names);
        let mut seen = HashSet::new();
        match all.find(|name| !seen.insert(*name)) {
            Some(twice) => Err(wrong(
                format!("two tensors would be named `{twice}`"),
                "give each input and output a name of its own",
            )),
            None => Ok(options),
        }
    }
}

/// The names that were given, then the model's own.
fn completed(option: &str, given: &[String], own: Vec<String>) -> Result<Vec<String>, Failure> {
    if given.len() > own.len() {
        let message =
            format!("{option} is given {} times, the model has {}: {}", given.len(), own.len(), own.join(", "));
        return Err(wrong(message, "give one for each"));
    }
    Ok(given.iter().cloned().chain(own.into_iter().skip(given.len())).collect())
}

pub(super) fn wrong(message: String, help: &str) -> Failure {
    Failure::Error(Error::new(Code::BadOption, message).with_help(help))
}
