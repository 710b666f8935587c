//! One execution context, and what it is bound to.
//!
//! Shapes and addresses are passed to TensorRT only when they differ from those of the call before: each change
//! costs more than comparing. It must not know who shares the context, nor when its work is over.

use super::outputs::Grown;
use crate::cuda::{CudaDevice, DeviceMemory, Stream};
use crate::error::Task;
use crate::{EngineSpec, Error, Result};
use nvinfer::{ExecutionContext, ExecutionContextAllocationStrategy as Strategy};
use smallvec::SmallVec;
use std::ffi::c_void;

/// Sizes of one tensor.
pub(super) type Sizes = SmallVec<[i64; 8]>;

/// The shapes of a call, kept: what a captured graph is for.
#[derive(Clone, Debug)]
pub(super) struct Key {
    inputs: SmallVec<[Sizes; 2]>,
    profile: Option<usize>,
}

/// What one call is about: the shapes of its inputs, and the profile that accepts them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shapes<'c> {
    pub(super) inputs: &'c [&'c [i64]],
    pub(super) profile: Option<usize>,
}

impl Shapes<'_> {
    pub(super) fn key(&self) -> Key {
        Key { inputs: self.inputs.iter().map(|dims| Sizes::from_slice(dims)).collect(), profile: self.profile }
    }

    pub(super) fn are(&self, key: &Key) -> bool {
        let same = |(known, dims): (&Sizes, &&[i64])| known.as_slice() == *dims;
        self.profile == key.profile && key.inputs.iter().zip(self.inputs).all(same)
    }
}

/// Where the inputs are read and the outputs written, in the order of the spec; null lets the engine choose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses<'c> {
    pub(super) inputs: &'c [*mut c_void],
    pub(super) outputs: &'c [*mut c_void],
}

/// An execution context and its last settings.
#[derive(Debug)]
pub(super) struct Runner {
    context: ExecutionContext,
    /// The profile of the last call, where there was one.
    #[expect(clippy::option_option, reason = "before the first call, and a call without a profile")]
    profile_set: Option<Option<usize>>,
    dims: Vec<Option<Sizes>>,
    addresses: Vec<Option<usize>>,
    /// Outputs that TensorRT asks memory for, by index; filled when first used.
    pub(super) grown: Vec<Option<Grown>>,
    /// Whether anything was enqueued at the present shapes: what a capture needs.
    pub(super) warm: bool,
}

/// The parts of an engine that contexts are made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) engine: nvinfer::Engine,
    pub(super) spec: EngineSpec,
    pub(super) device: CudaDevice,
    /// Where empty tensors point to: TensorRT wants an address for them too.
    pub(super) nowhere: DeviceMemory,
    /// Bytes of device memory that a context needs while it runs.
    pub(super) scratch: usize,
}

impl Runner {
    /// A context that works in the given memory, which must outlive it and be used by nobody else while it runs.
    pub(super) fn new(parts: &Parts, scratch: &DeviceMemory) -> Result<Self> {
        let managed = parts.engine.create_context_with_strategy(Strategy::UserManaged).and_then(|mut context| {
            // SAFETY: the memory is as long as the engine asks for; who makes a runner promises the rest.
            unsafe { context.set_device_memory(scratch.as_ptr(), scratch.len()) }.map(|()| context)
        });
        let context = match managed {
            Ok(context) => context,
            // A version-compatible plan runs on a runtime of its own, older than the library around it, which may not
            // take memory the newer way. The context then allocates its own.
            Err(error) => {
                tracing::info!(target: "torch2trt::runtime", %error, "the execution context has memory of its own");
                parts.engine.create_context().map_err(|e| Error::tensorrt(Task::MakeContext, e))?
            }
        };
        let (inputs, outputs) = (parts.spec.inputs.len(), parts.spec.outputs.len());
        Ok(Self {
            context,
            profile_set: None,
            dims: vec![None; inputs],
            addresses: vec![None; inputs + outputs],
            grown: vec![None; outputs],
            warm: false,
        })
    }

    /// Whether it was last used, and is prepared, for these shapes.
    pub(super) fn is_warm_for(&self, shapes: Shapes<'_>) -> bool {
        let same = |(dims, got): (&Option<Sizes>, &&[i64])| dims.as_deref().is_some_and(|dims| dims == *got);
        self.warm && self.profile_set == Some(shapes.profile) && self.dims.iter().zip(shapes.inputs).all(same)
    }

    /// The context, for what is not about single executions.
    pub(super) fn context_mut(&mut self) -> &mut ExecutionContext {
        &mut self.context
    }

    /// Enqueues one execution.
    ///
    /// # Safety
    /// The addresses are device memory as large as the shapes require; inputs are not written, and outputs not
    /// otherwise used, until the stream passed it. Nobody else's work on the context or its scratch memory overlaps.
    pub(super) unsafe fn enqueue(
        &mut self,
        parts: &Parts,
        shapes: Shapes<'_>,
        addresses: Addresses<'_>,
        stream: Stream,
    ) -> Result<()> {
        self.set_profile(shapes.profile, stream)?;
        self.set_shapes(parts, shapes)?;
        // SAFETY: the caller's promise.
        unsafe {
            self.set_addresses(parts, addresses)?;
            let done = self.context.enqueue(stream.as_ptr());
            let missing = || self.grown.iter().flatten().find_map(Grown::take_error);
            done.map_err(|e| missing().unwrap_or_else(|| Error::tensorrt(Task::Run, e)))?;
        }
        self.warm = true;
        Ok(())
    }

    fn set_profile(&mut self, profile: Option<usize>, stream: Stream) -> Result<()> {
        if self.profile_set == Some(profile) {
            return Ok(());
        }
        // Static engines have one profile too, which all but the first of 8.6's contexts must choose.
        let index = profile.unwrap_or(0);
        if self.context.optimization_profile() != Some(index) {
            // SAFETY: the stream is live, and the same that the execution is enqueued on.
            unsafe { self.context.set_optimization_profile(index, stream.as_ptr()) }
                .map_err(|e| Error::tensorrt(Task::ChooseProfile, e))?;
            self.dims.fill(None);
            self.warm = false;
        }
        self.profile_set = Some(profile);
        Ok(())
    }

    fn set_shapes(&mut self, parts: &Parts, shapes: Shapes<'_>) -> Result<()> {
        for ((io, known), dims) in parts.spec.inputs.iter().zip(&mut self.dims).zip(shapes.inputs) {
            if known.as_ref().is_some_and(|known| known.as_slice() == *dims) {
                continue;
            }
            *known = None;
            self.context.set_input_shape(&io.name, dims).map_err(|e| Error::tensorrt(Task::SetShape, e))?;
            *known = Some(Sizes::from_slice(dims));
            self.warm = false;
        }
        Ok(())
    }

    /// # Safety
    /// As for `enqueue`.
    unsafe fn set_addresses(&mut self, parts: &Parts, addresses: Addresses<'_>) -> Result<()> {
        let ios = parts.spec.inputs.iter().chain(&parts.spec.outputs);
        let given = addresses.inputs.iter().chain(addresses.outputs);
        for (index, ((io, known), address)) in ios.zip(&mut self.addresses).zip(given).enumerate() {
            let address = if address.is_null() { parts.nowhere.as_ptr() } else { *address };
            let is_grown =
                index.checked_sub(parts.spec.inputs.len()).is_some_and(|output| self.grown[output].is_some());
            if *known == Some(address.addr()) || is_grown {
                continue;
            }
            *known = None;
            // SAFETY: the caller's promise.
            unsafe { self.context.set_tensor_address(&io.name, address) }
                .map_err(|e| Error::tensorrt(Task::SetAddress, e))?;
            *known = Some(address.addr());
        }
        Ok(())
    }

    /// Lets TensorRT ask for the memory of an output; what it got can be taken once the run is over.
    pub(super) fn grow(&mut self, parts: &Parts, output: usize) -> Result<Grown> {
        if let Some(grown) = &self.grown[output] {
            return Ok(grown.clone());
        }
        let grown = Grown::default();
        self.context
            .set_output_allocator(&parts.spec.outputs[output].name, grown.allocator(&parts.device))
            .map_err(|e| Error::tensorrt(Task::SetAllocator, e))?;
        self.grown[output] = Some(grown.clone());
        Ok(grown)
    }
}
