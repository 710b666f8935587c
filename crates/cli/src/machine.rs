//! What commands that run engines have in common: where libraries are, GPU, cores.

use std::path::PathBuf;
use torch2trt::{Libraries, Options, RunOptions};

/// Options with these libraries, at their defaults otherwise.
pub(crate) fn with_libraries(libraries: &Libraries, site_packages: Vec<PathBuf>) -> Options {
    with_machine(&RunOptions { libraries: libraries.clone(), ..RunOptions::default() }, site_packages)
}

/// Options of running an engine, at their defaults otherwise.
pub(crate) fn with_machine(run: &RunOptions, site_packages: Vec<PathBuf>) -> Options {
    Options { run: run.clone(), site_packages, ..Options::default() }
}
