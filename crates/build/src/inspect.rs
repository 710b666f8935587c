//! What a plan became: the layers that are left after fusion, and the memory that running takes.
//!
//! It takes a GPU that the plan runs on, since TensorRT inspects engines, not plans.

use nvinfer as trt;

/// What TensorRT reports about an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Layers, after fusion.
    pub layers: usize,
    /// Device memory of one execution in addition to its inputs, outputs and weights, in bytes.
    pub device_memory: usize,
    /// The layers in TensorRT's words (JSON); names only, unless [`crate::BuildOptions::detailed`].
    pub information: String,
}

/// Loads a plan and asks for its layers.
///
/// # Errors
/// [`nvinfer::Error::Refused`] without a GPU, or on one that the plan does not run on.
pub fn inspect(library: trt::Library, plan: &[u8]) -> trt::Result<Inspection> {
    let engine = trt::Runtime::new(library)?.deserialize(plan)?;
    let information = engine.create_inspector()?.engine_information(trt::LayerInformationFormat::Json)?;
    Ok(Inspection { layers: engine.num_layers()?, device_memory: engine.device_memory_size()?, information })
}
