//! The command line, without Python: models become engine files, and engine files run.
//!
//! One file a command, and a folder for the parts of `build`; `engine.rs`, `facts.rs`, `machine.rs` and `tensors.rs`
//! are what several of them need. It calls the stages of the facade in order, and must not know how any of them is
//! done.
#![forbid(unsafe_code)]

mod advice;
mod bench;
mod build;
mod compare;
mod coverage;
mod debug;
mod doctor;
mod engine;
mod export;
mod facts;
mod info;
mod log;
mod machine;
mod parts;
mod plan;
mod pytorch;
mod report;
mod run;
mod tensors;

pub use build::progress::bar_of;
pub use pytorch::PyTorch;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

#[derive(Parser)]
#[command(
    name = "torch2trt",
    version,
    about = "Builds engines from saved PyTorch models, looks into them, and runs them"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Convert a model that `export` or torch.export.save wrote
    Build(Box<build::Arguments>),
    /// Write a model of Python into an archive that `build` converts (needs the Python package)
    Export(Box<export::Arguments>),
    /// The operators of a model that torch.export.save wrote, and which of them convert
    Coverage(coverage::Arguments),
    /// What an engine file or a plan holds: inputs, outputs, sizes, parts, layers, what it was built by and for
    Info(info::Arguments),
    /// Run an engine file or a plan on tensors of a file, or on random ones
    Run(run::Arguments),
    /// Time calls of an engine file or a plan
    Bench(bench::Arguments),
    /// Compare engines: outputs, latency, memory and layers of engine files, plans, models and ONNX files
    Compare(Box<compare::Arguments>),
    /// Which call of a model that `export` or torch.export.save wrote an engine gets wrong
    Debug(Box<debug::Arguments>),
    /// Write a report of an engine as one HTML file: network, times, precision, memory
    Report(report::Arguments),
    /// Take the plain TensorRT plan out of an engine file, for trtexec or Triton
    Plan(plan::Arguments),
    /// What is installed on this machine: GPUs, TensorRT, ONNX Runtime
    Doctor(doctor::Arguments),
}

impl Command {
    /// What a command asks of PyTorch; `None` where it does not need it.
    fn for_pytorch(&self) -> Result<Option<serde_json::Value>, Failure> {
        match self {
            Self::Build(arguments) => arguments.for_pytorch(),
            Self::Export(arguments) => Ok(Some(arguments.for_pytorch())),
            Self::Coverage(arguments) => Ok(arguments.for_pytorch()),
            Self::Run(arguments) => Ok(arguments.for_pytorch()),
            Self::Bench(arguments) => Ok(arguments.for_pytorch()),
            Self::Info(_) | Self::Compare(_) | Self::Debug(_) | Self::Report(_) | Self::Plan(_) | Self::Doctor(_) => {
                Ok(None)
            }
        }
    }
}

/// Why a command ended early.
#[derive(Debug)]
enum Failure {
    Error(torch2trt::Error),
    /// The result was printed already; this is for the exit status only.
    Reported,
    Output(std::io::Error),
}

impl<E: Into<torch2trt::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

type Done = Result<(), Failure>;

/// What a command prints to; an error of printing ends the command.
struct Screen<'a>(&'a mut dyn Write);

impl Screen<'_> {
    fn line(&mut self, text: impl std::fmt::Display) -> Done {
        writeln!(self.0, "{text}").map_err(Failure::Output)
    }

    /// Rows in columns, two spaces apart.
    fn columns(&mut self, rows: &[Vec<String>]) -> Done {
        let count = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |k: usize| rows.iter().filter_map(|row| row.get(k)).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..count).map(width).collect();
        for row in rows {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            self.line(cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// A row of a name and a value.
fn row(name: &str, value: impl Into<String>) -> Vec<String> {
    vec![name.to_owned(), value.into()]
}

/// Runs the command of a program's arguments, the first of which is the program's name. The folders of installed Python
/// packages are searched for TensorRT and ONNX Runtime. Returns the exit status: 0, 1 for an error, 2 for wrong
/// arguments.
pub fn main(arguments: impl IntoIterator<Item = OsString>, site_packages: Vec<PathBuf>) -> u8 {
    main_with(arguments, site_packages, None)
}

/// As [`main`]; `pytorch` runs what only PyTorch can: models of Python, and models with parts in PyTorch.
pub fn main_with(
    arguments: impl IntoIterator<Item = OsString>,
    site_packages: Vec<PathBuf>,
    pytorch: Option<&dyn PyTorch>,
) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are errors to clap, with exit code 0.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    match arguments.command.for_pytorch() {
        Ok(Some(request)) => return pytorch::run(&request, pytorch),
        Ok(None) => {}
        Err(Failure::Error(error)) => return complain(&in_our_terms(&error)),
        Err(_) => return 1,
    }
    let mut out = std::io::stdout().lock();
    let screen = &mut Screen(&mut out);
    let done = match arguments.command {
        Command::Build(arguments) => build::run(&arguments, site_packages, screen),
        Command::Export(_) => Ok(()), // PyTorch ran it
        Command::Coverage(arguments) => coverage::run(&arguments, screen),
        Command::Info(arguments) => info::run(&arguments, site_packages, screen),
        Command::Run(arguments) => run::run(&arguments, site_packages, screen),
        Command::Bench(arguments) => bench::run(&arguments, site_packages, screen),
        Command::Compare(arguments) => compare::run(&arguments, &site_packages, screen),
        Command::Debug(arguments) => debug::run(&arguments, site_packages, screen),
        Command::Report(arguments) => report::run(&arguments, site_packages, screen),
        Command::Plan(arguments) => plan::run(&arguments, screen),
        Command::Doctor(arguments) => doctor::run(&arguments, site_packages, screen),
    };
    let done = done.and_then(|()| out.flush().map_err(Failure::Output));
    match done {
        Ok(()) => 0,
        Err(Failure::Reported) => 1,
        // Whoever read the output had enough of it.
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => 0,
        Err(Failure::Output(error)) => complain(&error),
        Err(Failure::Error(error)) => complain(&in_our_terms(&error)),
    }
}

/// The error with its help in the terms of the command line.
fn in_our_terms(error: &torch2trt::Error) -> torch2trt::Error {
    let plain = torch2trt::Error::new(error.code(), error.message());
    error.help().map_or(plain.clone(), |help| plain.with_help(advice::for_command_line(help)))
}

fn complain(error: &dyn std::fmt::Display) -> u8 {
    let _ = writeln!(std::io::stderr(), "{error}");
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_contradict_nowhere() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let mut out = Vec::new();
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        Screen(&mut out).columns(&[row(["a", "b"]), row(["größer", "c"]), row(["d", ""])]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a       b\ngrößer  c\nd\n");
    }
}
