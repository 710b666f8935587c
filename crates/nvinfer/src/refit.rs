//! `IRefitter`: new weights for an engine that was built to take them.

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::raw::engine::refitter as raw;
use crate::raw::{Owned, Ref};
use crate::weights::{Weights, c_int, c_text};

/// Replaces weights of an engine; `'w` is how long the new ones are borrowed.
///
/// Nothing may run the engine meanwhile: the exclusive borrow keeps contexts from being made, and those that exist must
/// be idle, which is the caller's to see to in [`Self::refit`].
#[derive(Debug)]
pub struct Refitter<'e, 'w> {
    object: Owned,
    engine: PhantomData<&'e mut Engine>,
    weights: PhantomData<std::cell::Cell<&'w [u8]>>,
}

impl<'e, 'w> Refitter<'e, 'w> {
    /// Makes a refitter (`createInferRefitter`).
    ///
    /// # Errors
    /// [`Error::Refused`] when the engine was not built to be refitted.
    pub fn new(engine: &'e mut Engine) -> Result<Self> {
        let host = engine.object.host().clone();
        let mark = host.mark();
        // SAFETY: the engine is alive, and of this library.
        let Some(made) = (unsafe { engine.library.create_refitter(engine.object.as_ptr()) }) else {
            let diagnostics = host.diagnostics_since(mark);
            return Err(Error::Refused { call: "createInferRefitter".into(), object: None, diagnostics });
        };
        // SAFETY: a new refitter, ours to delete.
        let object = unsafe { Owned::new(made, host) };
        // SAFETY: the host, and with it the recorder, lives as long as the refitter.
        unsafe { raw::set_error_recorder(object.handle(), object.host().recorder.as_ptr())? };
        Ok(Self { object, engine: PhantomData, weights: PhantomData })
    }

    fn raw(&self) -> Ref<'_> {
        self.object.handle()
    }

    /// Gives new weights by name (`setNamedWeights`); they are read when refitting.
    ///
    /// # Errors
    /// [`Error::Refused`] when there are no such weights, or of another type or count.
    pub fn set_named_weights(&mut self, name: &str, weights: Weights<'w>) -> Result<()> {
        let text = c_text("a weights name", name)?;
        let weights = weights.raw(self.object.host().version())?;
        // SAFETY: the refitter is alive, and the weights outlive it; TensorRT does not keep the name.
        unsafe { raw::set_named_weights(self.raw(), text.as_ptr(), weights) }.map_err(|e| e.on(name))
    }

    /// Names of the weights that must be given too before refitting (`getMissingWeights`).
    ///
    /// # Errors
    /// None in practice; the call is in every version.
    pub fn missing_weights(&self) -> Result<Vec<String>> {
        self.names(raw::missing_weights)
    }

    /// Names of all weights that can be given (`getAllWeights`).
    ///
    /// # Errors
    /// None in practice; the call is in every version.
    pub fn all_weights(&self) -> Result<Vec<String>> {
        self.names(raw::all_weights)
    }

    fn names(&self, list: unsafe fn(Ref<'_>, i32, *mut *const c_char) -> Result<i32>) -> Result<Vec<String>> {
        // SAFETY: the refitter is alive; without room for names it only counts.
        let count = unsafe { list(self.raw(), 0, std::ptr::null_mut()) }?;
        let mut names = vec![std::ptr::null::<c_char>(); usize::try_from(count).unwrap_or(0)];
        let room = c_int("the number of weights", names.len())?;
        // SAFETY: there is room for the number of names that is passed.
        unsafe { list(self.raw(), room, names.as_mut_ptr()) }?;
        let given = names.into_iter().filter(|n| !n.is_null());
        // SAFETY: TensorRT fills in names that the engine keeps.
        Ok(given.map(|n| unsafe { CStr::from_ptr(n) }.to_string_lossy().into_owned()).collect())
    }

    /// Checks new weights before using them, or not (`setWeightsValidation`, from 10).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] in 8.6.
    pub fn set_weights_validation(&mut self, validate: bool) -> Result<()> {
        // SAFETY: the refitter is alive.
        unsafe { raw::set_weights_validation(self.raw(), validate) }
    }

    /// Puts the new weights into the engine (`refitCudaEngine`).
    ///
    /// # Errors
    /// [`Error::Refused`] when some are missing.
    ///
    /// # Safety
    /// No execution context of the engine is running.
    pub unsafe fn refit(&mut self) -> Result<()> {
        // SAFETY: the refitter and the weights are alive; that nothing runs is the caller's promise.
        unsafe { raw::refit_cuda_engine(self.raw()) }
    }

    /// As [`Self::refit`], in the order of a CUDA stream (`refitCudaEngineAsync`, from 10).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] in 8.6; [`Error::Refused`].
    ///
    /// # Safety
    /// `stream` is a live CUDA stream; executions that follow wait for it, and the weights live until it has passed.
    pub unsafe fn refit_async(&mut self, stream: *mut c_void) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { raw::refit_cuda_engine_async(self.raw(), stream) }
    }
}
