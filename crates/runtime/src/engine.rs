//! The trait of everything that executes a network.
//!
//! It must not know what executes it: callers hold a `dyn Engine` and cannot distinguish a GPU plan from the CPU engine
//! but by [`Engine::device`] and [`Engine::description`].

use crate::{Device, EngineSpec, LayerTimes, Result, Tensor, TensorView, TensorViewMut};

/// An executable network. Every method may be called from several threads at once.
pub trait Engine: Send + Sync {
    /// The interface: inputs and outputs in order, and the shapes it accepts.
    fn spec(&self) -> &EngineSpec;

    /// Where inputs must lie and outputs are written.
    fn device(&self) -> Device;

    /// Shapes of the outputs for these input shapes, in the order of the spec. `None` for an output whose shape
    /// depends on data: only [`Engine::run_alloc`] can produce it.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] and its kin for input shapes that the engine does not accept.
    fn output_dims(&self, input_dims: &[&[i64]]) -> Result<Vec<Option<Vec<i64>>>> {
        self.spec().output_dims(input_dims)
    }

    /// Executes, reading the inputs and writing the outputs in place; nothing is copied at the boundary.
    ///
    /// With a stream the work is enqueued and the call returns before it is done: the memory behind the views
    /// must then stay untouched until the stream has passed it. Without one the outputs are complete on return.
    ///
    /// # Errors
    /// A view that does not fit the spec (count, dtype, device, shape), or the executor's own failure with the
    /// node named.
    fn run(&self, inputs: &[TensorView<'_>], outputs: &mut [TensorViewMut<'_>], options: &RunOptions) -> Result<()>;

    /// Executes into buffers that the engine allocates; the way to run outputs whose shape depends on data.
    ///
    /// # Errors
    /// As [`Engine::run`].
    fn run_alloc(&self, inputs: &[TensorView<'_>], options: &RunOptions) -> Result<Vec<Tensor>>;

    /// Times each layer over so many calls with these inputs, which are made for this alone.
    ///
    /// # Errors
    /// As [`Engine::run`].
    fn layer_times(&self, inputs: &[TensorView<'_>], calls: usize) -> Result<LayerTimes>;

    /// The executor's own account of its layers after fusion, as JSON; `None` where it has none.
    ///
    /// # Errors
    /// [`crate::Error::TensorRt`].
    fn inspect(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// Device memory for activations that a context takes, in bytes; `None` where it is not known.
    fn activation_bytes(&self) -> Option<usize> {
        None
    }

    /// One line for logs and reports: what executes, its version, its threads or device.
    fn description(&self) -> String;
}

/// What one call may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// The stream to enqueue on. `None`: the engine's own, finished on return. The CPU engine has no streams and
    /// refuses one.
    pub stream: Option<CallerStream>,
    /// The optimization profile to run under. `None`: the first that accepts the shapes.
    pub profile: Option<usize>,
}

/// A CUDA stream of the caller's, on which calls are enqueued and not waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerStream(usize);

impl CallerStream {
    /// The `CUstream` at an address; 0 for the default stream.
    ///
    /// # Safety
    /// It is a live stream of the engine's device. Until it has passed the calls that are enqueued on it, it is not
    /// destroyed, and the memory of their inputs and outputs stays and is not used otherwise.
    #[allow(unsafe_code)]
    pub unsafe fn from_address(address: usize) -> Self {
        Self(address)
    }

    /// Its address.
    pub fn address(self) -> usize {
        self.0
    }
}
