//! The program `torch2trt`. What it does is in the library, which the Python package runs too.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(cli::main(std::env::args_os(), Vec::new()))
}
