//! House tasks that a build does not run: generated tables and checks.
//!
//! One subcommand per task, one module per subcommand. Nothing here is shipped.

mod abi;
mod additions;
mod check;
mod circles;
mod columns;
mod docs;
mod kinds;
mod licenses;
mod words;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "House tasks of torch2trt")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write nvinfer's slot and enum tables from the facts about TensorRT's binary interface.
    Abi(abi::Args),
    /// Check the house rules.
    Check,
    /// Write the generated documents.
    Docs,
    /// Write the licence texts of the crates inside the shipped binaries.
    Licenses,
}

/// Whether a path ends in `.extension`.
fn has_extension(file: &str, extension: &str) -> bool {
    Path::new(file).extension().is_some_and(|found| found == extension)
}

fn is_code(file: &str) -> bool {
    has_extension(file, "rs") || has_extension(file, "py")
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Abi(args) => abi::run(&args),
        Task::Check => check::run(),
        Task::Docs => docs::write(),
        Task::Licenses => licenses::write(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            #[allow(clippy::print_stderr, reason = "a command reports to its terminal")]
            {
                eprintln!("error: {message}");
            }
            ExitCode::FAILURE
        }
    }
}
