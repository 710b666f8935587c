//! The TensorRT engine as far as it goes without a GPU: what is missing is reported.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use runtime::{CudaDevice, CudaGraph, Error, TensorRtEngine, TensorRtOptions};
use std::path::PathBuf;

/// A GPU that no machine has.
const NOWHERE: u32 = 1 << 20;

#[test]
fn a_gpu_that_is_not_there_is_named_with_the_reason() {
    let error = CudaDevice::new(NOWHERE).unwrap_err();
    assert!(matches!(&error, Error::NoCuda { index: NOWHERE, reason } if !reason.is_empty()), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("the engine needs the GPU cuda:1048576, and there is none: "), "{text}");
    assert!(error.help().is_some_and(|help| help.starts_with("run where an NVIDIA GPU")), "{text}");
}

#[test]
fn an_engine_is_refused_before_tensorrt_is_asked() {
    // Whatever TensorRT the test environment has; on machines without one there is nothing to refuse.
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let site_packages = std::fs::read_dir(root.join(".venv/lib"))
        .map(|folders| folders.flatten().map(|folder| folder.path().join("site-packages")).collect())
        .unwrap_or_default();
    let discovery = nvinfer::Discovery { site_packages, ..nvinfer::Discovery::default() };
    let Ok(library) = nvinfer::Library::find(&discovery) else { return };
    let options = TensorRtOptions { device: NOWHERE, ..TensorRtOptions::default() };
    let error = TensorRtEngine::new(library, b"not a plan", None, &options).err().unwrap();
    assert!(matches!(error, Error::NoCuda { .. }), "{error}");
}

#[test]
fn modes_of_cuda_graphs_have_names() {
    for (name, mode) in [("never", CudaGraph::Never), ("auto", CudaGraph::Auto), ("always", CudaGraph::Always)] {
        assert_eq!(CudaGraph::from_name(name), Some(mode));
    }
    assert_eq!(CudaGraph::from_name("sometimes"), None);
    assert_eq!(CudaGraph::default(), CudaGraph::Auto);
}
