//! A network under construction: inputs, layers, outputs (`INetworkDefinition`).
//!
//! Everything here passes what the caller gives to TensorRT, by the call that the loaded version has for it. It invents
//! no layers: what a version lacks is an error, and rewriting the network is the business of whoever planned it.

mod declare;

pub(crate) mod axes;
mod control;
pub(crate) mod indexing;
pub(crate) mod moving;
mod plugins;
pub(crate) mod pointwise;
pub(crate) mod quantize;
mod tensor;
pub(crate) mod transformer;
pub(crate) mod windows;

use std::cell::Cell;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::NonNull;

pub use axes::*;
pub use control::{Attention, Conditional, Loop};
pub use indexing::*;
pub use moving::*;
pub use pointwise::*;
pub use quantize::*;
pub use tensor::{Layer, Tensor};
pub use transformer::*;
pub use windows::*;

use crate::argument::{Argument, Owner};
use crate::dims::Dims;
use crate::error::{Error, Result};
use crate::raw::network::network_definition as raw;
use crate::raw::{Keep, Owned, Ref};
use crate::sys::layout::Permutation;
use crate::sys::tables::network_definition as table;
use crate::types::*;
use crate::version::Version;
use crate::weights::{Axes, Weights, c_int, c_text};
use declare::{adds, answer, layers};
use tensor::Typed;

/// A network under construction; `'w` is how long its weights are borrowed.
///
/// Layers are added through a shared borrow and live as long as it. TensorRT does not document that a network may be
/// used by two threads, so it may be moved between threads but not shared.
#[derive(Debug)]
pub struct Network<'w> {
    object: Owned,
    /// The builder must be deleted after what it made.
    _builder: Keep,
    /// Invariant in `'w`: weights that live shorter cannot be slipped in through a covariant borrow.
    weights: PhantomData<Cell<&'w [u8]>>,
}

impl<'w> Network<'w> {
    pub(crate) fn new(object: Owned, builder: Keep) -> Result<Self> {
        let network = Self { object, _builder: builder, weights: PhantomData };
        let recorder = network.object.host().recorder.as_ptr();
        // SAFETY: the host, and with it the recorder, lives as long as the network.
        unsafe { raw::set_error_recorder(network.raw(), recorder)? };
        Ok(network)
    }

    pub(crate) fn raw(&self) -> Ref<'_> {
        self.object.handle()
    }

    pub(crate) fn object(&self) -> &Owned {
        &self.object
    }

    /// The loaded version, which decides what can be added.
    pub fn version(&self) -> Version {
        self.object.host().version()
    }

    /// The tensor's object, once it is known to be of this network.
    fn own(&self, tensor: Tensor<'_>) -> Result<*mut c_void> {
        tensor.raw(self.owner())
    }

    fn owner(&self) -> Owner {
        Owner { network: self.object.as_ptr(), version: self.version() }
    }

    fn own_all(&self, tensors: &[Tensor<'_>]) -> Result<(Vec<*mut c_void>, i32)> {
        let all = tensors.iter().map(|t| self.own(*t)).collect::<Result<Vec<_>>>()?;
        let count = c_int("the number of inputs", all.len())?;
        Ok((all, count))
    }

    fn tensor(&self, tensor: NonNull<c_void>) -> Tensor<'_> {
        // SAFETY: TensorRT's networks keep their tensors for life.
        let raw = unsafe { Ref::new(tensor, self.object.host()) };
        Tensor { raw, network: self.object.as_ptr() }
    }

    fn layer(&self, layer: NonNull<c_void>) -> Layer<'_> {
        // SAFETY: TensorRT's networks keep their layers for life.
        let raw = unsafe { Ref::new(layer, self.object.host()) };
        Layer { raw, network: self.object.as_ptr() }
    }

    /// Adds a network input; -1 is an extent known only at run time (`addInput`).
    ///
    /// # Errors
    /// [`Error::Refused`] when the name is taken or the dimensions are not valid.
    pub fn add_input(&self, name: &str, dtype: DataType, dims: &[i64]) -> Result<Tensor<'_>> {
        let text = c_text("a tensor name", name)?;
        let dtype = dtype.number(self.version())?;
        let dims = Dims::new(dims)?;
        // SAFETY: TensorRT copies the name.
        let made = unsafe { raw::add_input(self.raw(), text.as_ptr(), dtype, &dims) };
        Ok(self.tensor(made.map_err(|e| e.on(name))?))
    }

    /// Makes a tensor a network output (`markOutput`).
    ///
    /// # Errors
    /// [`Error::ForeignTensor`], or [`Error::Refused`] when TensorRT records an error.
    pub fn mark_output(&self, tensor: Tensor<'_>) -> Result<()> {
        let own = self.own(tensor)?;
        // SAFETY: the tensor is one of this network.
        unsafe { raw::mark_output(self.raw(), own) }
    }

    /// Undoes [`Self::mark_output`] (`unmarkOutput`).
    ///
    /// # Errors
    /// As for [`Self::mark_output`].
    pub fn unmark_output(&self, tensor: Tensor<'_>) -> Result<()> {
        let own = self.own(tensor)?;
        // SAFETY: the tensor is one of this network.
        unsafe { raw::unmark_output(self.raw(), own) }
    }

    /// Makes a shape tensor an output in host memory (`markOutputForShapes`).
    ///
    /// # Errors
    /// [`Error::Refused`] when it is not a shape tensor.
    pub fn mark_output_for_shapes(&self, tensor: Tensor<'_>) -> Result<()> {
        let own = self.own(tensor)?;
        // SAFETY: the tensor is one of this network.
        unsafe { raw::mark_output_for_shapes(self.raw(), own) }
    }

    /// Lets a debug listener see the tensor while running (`markDebug`, from 10).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] in 8.6.
    pub fn mark_debug(&self, tensor: Tensor<'_>) -> Result<()> {
        let own = self.own(tensor)?;
        // SAFETY: the tensor is one of this network.
        unsafe { raw::mark_debug(self.raw(), own) }
    }

    /// Names the network (`setName`).
    ///
    /// # Errors
    /// [`Error::NulInText`].
    pub fn set_name(&self, name: &str) -> Result<()> {
        let name = c_text("a network name", name)?;
        // SAFETY: TensorRT copies the name.
        unsafe { raw::set_name(self.raw(), name.as_ptr()) }
    }

    /// The network's name.
    pub fn name(&self) -> String {
        // SAFETY: the network is alive.
        unsafe { raw::name(self.raw()) }.unwrap_or_default()
    }

    /// Names weights that a layer uses, so that a refitter finds them (`setWeightsName`).
    ///
    /// # Errors
    /// [`Error::Refused`] when no layer uses these weights.
    pub fn set_weights_name(&self, weights: Weights<'w>, name: &str) -> Result<()> {
        let text = c_text("a weights name", name)?;
        // SAFETY: TensorRT copies the name and compares the address of the weights.
        unsafe { raw::set_weights_name(self.raw(), weights.raw(self.version())?, text.as_ptr()) }
            .map_err(|e| e.on(name))
    }

    /// Makes named weights refittable one by one (`markWeightsRefittable`, from 10.3).
    ///
    /// # Errors
    /// [`Error::Refused`] when there are no weights of that name.
    pub fn mark_weights_refittable(&self, name: &str) -> Result<()> {
        let text = c_text("a weights name", name)?;
        // SAFETY: TensorRT copies the name.
        unsafe { raw::mark_weights_refittable(self.raw(), text.as_ptr()) }.map_err(|e| e.on(name))
    }

    /// Number of layers.
    ///
    /// # Errors
    /// None in practice; the call is in every version.
    pub fn num_layers(&self) -> Result<usize> {
        // SAFETY: the network is alive.
        let count = unsafe { raw::nb_layers(self.raw()) }?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// The layer at an index, in the order of adding.
    ///
    /// # Errors
    /// [`Error::Refused`] past the last one.
    pub fn get_layer(&self, index: usize) -> Result<Layer<'_>> {
        let index = c_int("a layer index", index)?;
        // SAFETY: TensorRT checks the index.
        Ok(self.layer(unsafe { raw::layer(self.raw(), index) }?))
    }

    /// The network inputs, in the order of adding.
    ///
    /// # Errors
    /// None in practice; the calls are in every version.
    pub fn inputs(&self) -> Result<Vec<Tensor<'_>>> {
        // SAFETY: the network is alive, and the indices are below the count.
        unsafe {
            let count = raw::nb_inputs(self.raw())?;
            (0..count).map(|i| Ok(self.tensor(raw::input(self.raw(), i)?))).collect()
        }
    }

    /// The network outputs, in the order of marking.
    ///
    /// # Errors
    /// None in practice; the calls are in every version.
    pub fn outputs(&self) -> Result<Vec<Tensor<'_>>> {
        // SAFETY: the network is alive, and the indices are below the count.
        unsafe {
            let count = raw::nb_outputs(self.raw())?;
            (0..count).map(|i| Ok(self.tensor(raw::output(self.raw(), i)?))).collect()
        }
    }
}
