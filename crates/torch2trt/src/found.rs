//! The TensorRT that a build would use, for those who choose a backend.

use crate::{Options, Result, pipeline};
use std::path::PathBuf;

/// A TensorRT that builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name and version, such as `TensorRT 8.6.0`.
    pub version: String,
    /// Where it lies.
    pub path: PathBuf,
    /// The GPUs it builds for, such as `sm_89`; empty where it takes any that it supports.
    pub targets: Vec<String>,
}

/// Finds the TensorRT that a build with these options would use.
///
/// # Errors
/// E0301 with every place looked at and what was there.
pub fn find_tensorrt(options: &Options) -> Result<Found> {
    let library = pipeline::tensorrt(options, nvinfer::Purpose::Build)?;
    Ok(Found {
        version: library.version().to_string(),
        path: library.path().to_owned(),
        targets: build::targets(library.version()),
    })
}
