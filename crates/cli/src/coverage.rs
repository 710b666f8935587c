//! `torch2trt coverage`: the operators of a saved model, and which of them convert. Needs neither TensorRT nor a GPU.

use crate::{Done, Failure, Screen};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model that torch.export.save wrote
    file: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen<'_>) -> Done {
    let archive = torch2trt::read_archive(&arguments.file)?;
    let found = torch2trt::coverage(&archive.program, None);
    let row = |(operator, calls, converts): &(String, usize, bool)| {
        vec![
            operator.clone(),
            format!("x{calls}"),
            if *converts { String::new() } else { "does not convert".to_owned() },
        ]
    };
    screen.columns(&found.iter().map(row).collect::<Vec<_>>())?;
    let missing = found.iter().filter(|(.., converts)| !converts).count();
    screen.line(format!("{} of {} operators convert", found.len() - missing, found.len()))?;
    if missing == 0 { Ok(()) } else { Err(Failure::Said) }
}
