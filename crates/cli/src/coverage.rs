//! `torch2trt coverage`: the operators of a saved model, and which of them convert. Needs neither TensorRT nor a GPU.

use crate::{Done, Failure, Screen};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model that torch.export.save wrote
    file: PathBuf,
    /// Also the engines and the parts in PyTorch that `build --fallback` would make (needs PyTorch)
    #[arg(long)]
    fallback: bool,
    /// With --fallback: the GPU of a plan, such as sm_89: what its TensorRT lacks runs in PyTorch [default: the CPU
    /// engine]
    #[arg(long, value_name = "GPU", requires = "fallback")]
    target: Option<String>,
}

impl Arguments {
    /// What it asks of PyTorch.
    pub(crate) fn for_pytorch(&self) -> Option<Value> {
        let backend = if self.target.is_some() { "tensorrt" } else { "cpu" };
        let arguments = json!({ "target": self.target, "backend": backend });
        self.fallback.then(|| json!({ "command": "coverage --fallback", "file": self.file, "arguments": arguments }))
    }
}

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen<'_>) -> Done {
    let archive = torch2trt::read_archive(&arguments.file)?;
    let found = torch2trt::coverage(&archive.program, None);
    let row = |operator: &torch2trt::Coverage| {
        vec![
            operator.target.clone(),
            format!("x{}", operator.calls),
            if operator.converts { String::new() } else { "does not convert".to_owned() },
        ]
    };
    screen.columns(&found.iter().map(row).collect::<Vec<_>>())?;
    let missing = found.iter().filter(|operator| !operator.converts).count();
    screen.line(format!("{} of {} operators convert", found.len() - missing, found.len()))?;
    if missing == 0 { Ok(()) } else { Err(Failure::Reported) }
}
