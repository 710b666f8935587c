//! Discovery of TensorRT: which library the options name or the machine has, and what it is as a target of the passes.

use crate::{Options, Result};
use passes::Target;
use runtime::CudaDevice;
use std::path::PathBuf;

/// Finds TensorRT and loads it.
///
/// # Errors
/// E0301 with every place looked at and what was there.
pub fn tensorrt(options: &Options, purpose: nvinfer::Purpose) -> Result<nvinfer::Library> {
    let discovery = nvinfer::Discovery {
        path: options.run.libraries.tensorrt.clone(),
        site_packages: options.site_packages.clone(),
        purpose,
        ..nvinfer::Discovery::default()
    };
    let library = nvinfer::Library::find(&discovery)?;
    library.logger().set_level(if options.verbose { nvinfer::Severity::Verbose } else { nvinfer::Severity::Info });
    Ok(library)
}

/// A version of TensorRT as the passes know it.
pub(crate) fn target(version: nvinfer::Version) -> Target {
    let (major, minor) = (version.major(), version.minor());
    if version.family().is_rtx() { Target::Rtx(major, minor) } else { Target::TensorRt(major, minor) }
}

/// A TensorRT that builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name and version, such as `TensorRT 8.6.0`.
    pub version: String,
    /// Where it is.
    pub path: PathBuf,
    /// The GPUs it builds for, such as `sm_89`; empty where it takes any that it supports.
    pub targets: Vec<String>,
}

/// Finds the TensorRT that a build with these options would use.
///
/// # Errors
/// E0301 with every place looked at and what was there.
pub fn find_tensorrt(options: &Options) -> Result<Found> {
    let library = tensorrt(options, nvinfer::Purpose::Build)?;
    Ok(Found {
        version: library.version().to_string(),
        path: library.path().to_owned(),
        targets: build::targets(library.version()),
    })
}

/// TensorRT's builder, kept from build to build. While one lives, builds do without loading TensorRT's kernels: with
/// TensorRT 8.6 that takes 10 s each, and keeping them some 3 GB of host memory and 0.7 GB of the GPU's.
#[derive(Debug)]
pub struct RetainedBuilder {
    _builder: nvinfer::Builder,
}

/// Loads TensorRT's kernels, for the builds to come with these options' TensorRT and GPU.
///
/// # Errors
/// E0301 with every place looked at; E0604 where the options name a GPU that is not there; E0306 with TensorRT's words.
pub fn keep_builder(options: &Options) -> Result<RetainedBuilder> {
    let library = tensorrt(options, nvinfer::Purpose::Build)?;
    let device = options.build.target.is_none().then(|| CudaDevice::new(options.run.device)).transpose()?;
    let _here = device.as_ref().map(CudaDevice::enter).transpose()?;
    Ok(RetainedBuilder { _builder: nvinfer::Builder::new(library)? })
}
