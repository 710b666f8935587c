//! `torch2trt plan`: the plain TensorRT plan of an engine file.

use crate::facts::megabytes;
use crate::{Done, Screen};
use clap::Args;
use std::path::PathBuf;
use torch2trt::{Code, EngineFile, Error, Kind};

#[derive(Args)]
pub(crate) struct Arguments {
    /// An engine file of torch2trt
    file: PathBuf,
    /// Where to write the plan
    #[arg(long, short, value_name = "PATH")]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen<'_>) -> Done {
    let file = EngineFile::open(&arguments.file).map_err(Error::from)?;
    if !file.has(Kind::Plan) {
        let message = format!("{} holds an ONNX model for the CPU engine, and no plan", arguments.file.display());
        return Err(Error::new(Code::EngineFile, message)
            .with_help(
                "torch2trt build model.pt2 --backend tensorrt --output net.trt2 builds a plan; --onnx net.onnx writes \
                 an ONNX model",
            )
            .into());
    }
    let plan = file.section(Kind::Plan).map_err(Error::from)?;
    files::write(&arguments.output, |file| file.write_all(&plan)).map_err(|source: std::io::Error| {
        let message = format!("{} cannot be written: {source}", arguments.output.display());
        Error::new(Code::EngineFile, message).with_help("give a path in a folder that can be written")
    })?;
    let built = file.manifest.built.unwrap_or_default();
    let (path, size) = (arguments.output.display(), megabytes(plan.len() as u64));
    screen.line(format!("{path}: {size}, for {} on {}", built.tensorrt, built.gpu))
}
