//! `torch2trt run`: one call.

use crate::{Done, Screen, engine, pytorch, tensors};
use clap::Args;
use runtime::Tensor;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    engine: engine::Arguments,
    #[command(flatten)]
    inputs: tensors::Arguments,
    /// Write the outputs to a safetensors file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Arguments {
    /// What it asks of PyTorch, for a file with parts in PyTorch.
    pub(crate) fn for_pytorch(&self) -> Option<Value> {
        pytorch::request(&self.engine, &self.inputs, json!({ "command": "run", "output": self.output }))
    }
}

pub(crate) fn run(arguments: &Arguments, site_packages: Vec<PathBuf>, screen: &mut Screen<'_>) -> Done {
    let executable = arguments.engine.load(site_packages)?;
    let declared = &executable.artifact.declared;
    let inputs = arguments.inputs.read(declared)?;
    let views: Vec<_> = inputs.iter().map(Tensor::view).collect();
    let outputs = executable.call(&views)?;
    let named = declared.outputs.iter().map(|io| io.name.as_str()).zip(&outputs);
    if let Some(path) = &arguments.output {
        torch2trt::write_tensors(path, named.clone())?;
    }
    screen.line(executable.engine.description())?;
    screen.columns(&named.map(|(name, tensor)| tensors::describe(name, tensor)).collect::<Vec<_>>())
}
