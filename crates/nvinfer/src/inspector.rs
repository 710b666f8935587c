//! `IEngineInspector`: the layers of an engine after fusion, as text or JSON.

use crate::context::ExecutionContext;
use crate::error::Result;
use crate::raw::engine::inspector as raw;
use crate::raw::{Keep, Owned};
use crate::types::LayerInformationFormat;
use crate::weights::c_int;

/// Describes an engine. How much it knows is up to the profiling verbosity of the build.
#[derive(Debug)]
pub struct EngineInspector {
    object: Owned,
    layers: usize,
    /// The engine must be deleted after what it made.
    _engine: Keep,
}

// SAFETY: an inspector may be used from any one thread at a time, and `EngineInspector` is not Sync.
unsafe impl Send for EngineInspector {}

impl EngineInspector {
    pub(crate) fn new(object: Owned, engine: Keep, layers: usize) -> Result<Self> {
        let recorder = object.host().recorder.as_ptr();
        // SAFETY: the host, and with it the recorder, lives as long as the inspector.
        unsafe { raw::set_error_recorder(object.handle(), recorder)? };
        Ok(Self { object, layers, _engine: engine })
    }

    /// The whole engine (`getEngineInformation`).
    ///
    /// # Errors
    /// None in practice; the call is in every version.
    pub fn engine_information(&self, format: LayerInformationFormat) -> Result<String> {
        let format = format.number(self.object.host().version())?;
        // SAFETY: the inspector is alive.
        unsafe { raw::engine_information(self.object.handle(), format) }
    }

    /// One layer (`getLayerInformation`).
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error::OutOfRange).
    pub fn layer_information(&self, layer: usize, format: LayerInformationFormat) -> Result<String> {
        let format = format.number(self.object.host().version())?;
        let index = c_int("a layer index", layer)?;
        // SAFETY: the inspector is alive; TensorRT checks the index.
        unsafe { raw::layer_information(self.object.handle(), index, format) }
    }

    /// Number of layers.
    pub fn num_layers(&self) -> usize {
        self.layers
    }

    /// The whole engine, with the shapes set on a context instead of ranges (`setExecutionContext`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) for a context of another engine.
    pub fn engine_information_at(
        &mut self,
        context: &ExecutionContext,
        format: LayerInformationFormat,
    ) -> Result<String> {
        let raw = self.object.handle();
        // SAFETY: the inspector is alive, and the context too until it is taken away again.
        unsafe {
            raw::set_execution_context(raw, context.object().as_ptr())?;
            let seen = self.engine_information(format);
            raw::set_execution_context(raw, std::ptr::null_mut())?;
            seen
        }
    }
}
