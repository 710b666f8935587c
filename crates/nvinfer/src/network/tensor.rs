//! Handles to what a network holds: its tensors (`ITensor`) and layers (`ILayer`).
//!
//! A handle borrows the network and is copied freely. Errors of a layer's calls name the layer.

use std::ffi::c_void;

use crate::argument::{Argument, Owner};
use crate::dims::Dims;
use crate::error::{Error, Result};
use crate::raw::Ref;
use crate::raw::network::{layer as raw_layer, tensor as raw};
use crate::types::{DataType, LayerType, TensorFormat};
use crate::version::Version;
use crate::weights::{c_int, c_text};

/// A tensor of a network.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'n> {
    pub(super) raw: Ref<'n>,
    pub(super) network: *mut c_void,
}

impl Tensor<'_> {
    fn version(&self) -> Version {
        self.raw.host().version()
    }

    /// Its name.
    pub fn name(&self) -> String {
        // SAFETY: the handle borrows the network, which keeps the tensor.
        unsafe { raw::name(self.raw) }.unwrap_or_default()
    }

    /// Names it (`setName`). Names of inputs and outputs are those of the engine's tensors.
    ///
    /// # Errors
    /// [`Error::NulInText`], or [`Error::Refused`] when the name is taken.
    pub fn set_name(&self, name: &str) -> Result<()> {
        let text = c_text("a tensor name", name)?;
        // SAFETY: the handle borrows the network; TensorRT copies the name.
        unsafe { raw::set_name(self.raw, text.as_ptr()) }.map_err(|e| e.on(name))
    }

    /// Its dimensions, -1 for an extent known only at run time.
    ///
    /// # Errors
    /// [`Error::Refused`] when TensorRT cannot infer them, with its reasons: the layer that makes it is not valid.
    pub fn dims(&self) -> Result<Dims> {
        // SAFETY: the handle borrows the network.
        unsafe { raw::dimensions(self.raw) }.map_err(|e| e.on(self.name()))
    }

    /// Its element type.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a type that this crate does not know.
    pub fn dtype(&self) -> Result<DataType> {
        // SAFETY: the handle borrows the network.
        let number = unsafe { raw::dtype(self.raw) }?;
        DataType::from_number(self.version(), number)
            .ok_or(Error::OutOfRange { what: "a tensor's data type", value: number.into() })
    }

    /// Sets its element type (`setType`, 8.6 and 10 without strong typing).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] from 11 on: types flow through the network.
    pub fn set_dtype(&self, dtype: DataType) -> Result<()> {
        // SAFETY: the handle borrows the network.
        unsafe { raw::set_type(self.raw, dtype.number(self.version())?) }.map_err(|e| e.on(self.name()))
    }

    /// Sets the range of its values for int8 (`setDynamicRange`, 8.6 and 10).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] from 11 on: quantize and dequantize layers set it.
    pub fn set_dynamic_range(&self, least: f32, greatest: f32) -> Result<()> {
        // SAFETY: the handle borrows the network.
        unsafe { raw::set_dynamic_range(self.raw, least, greatest) }.map_err(|e| e.on(self.name()))
    }

    /// Restricts the memory layouts of an input or output (`setAllowedFormats`).
    ///
    /// # Errors
    /// [`Error::Refused`] when TensorRT records an error.
    pub fn set_allowed_formats(&self, formats: &[TensorFormat]) -> Result<()> {
        let mut mask = 0u32;
        for format in formats {
            mask |= 1 << format.number(self.version())?;
        }
        // SAFETY: the handle borrows the network.
        unsafe { raw::set_allowed_formats(self.raw, mask) }.map_err(|e| e.on(self.name()))
    }

    /// Names a run-time extent of a network input; the same name means the same extent (`setDimensionName`).
    ///
    /// # Errors
    /// [`Error::NulInText`].
    pub fn set_dimension_name(&self, axis: usize, name: &str) -> Result<()> {
        let text = c_text("a dimension name", name)?;
        let axis = c_int("an axis", axis)?;
        // SAFETY: the handle borrows the network; TensorRT copies the name.
        unsafe { raw::set_dimension_name(self.raw, axis, text.as_ptr()) }.map_err(|e| e.on(self.name()))
    }

    /// Whether it is a network input.
    pub fn is_network_input(&self) -> bool {
        // SAFETY: the handle borrows the network.
        unsafe { raw::is_network_input(self.raw) }.unwrap_or_default()
    }

    /// Whether it is a network output.
    pub fn is_network_output(&self) -> bool {
        // SAFETY: the handle borrows the network.
        unsafe { raw::is_network_output(self.raw) }.unwrap_or_default()
    }

    /// Whether TensorRT computes it in host memory, for shapes.
    pub fn is_shape_tensor(&self) -> bool {
        // SAFETY: the handle borrows the network.
        unsafe { raw::is_shape_tensor(self.raw) }.unwrap_or_default()
    }
}

impl Argument for Tensor<'_> {
    type Raw = *mut c_void;

    fn raw(self, owner: Owner) -> Result<*mut c_void> {
        if self.network == owner.network {
            return Ok(self.raw.as_ptr());
        }
        Err(Error::ForeignTensor { name: self.name() })
    }
}

/// A layer as the type that the method which adds it returns.
pub(super) trait Typed<'n> {
    /// The layer, known to be of the type's class.
    fn of(layer: Layer<'n>) -> Self;
}

impl<'n> Typed<'n> for Layer<'n> {
    fn of(layer: Self) -> Self {
        layer
    }
}

/// A layer of a network. The typed layers deref to it.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'n> {
    pub(super) raw: Ref<'n>,
    pub(super) network: *mut c_void,
}

impl<'n> Layer<'n> {
    pub(super) fn version(&self) -> Version {
        self.raw.host().version()
    }

    pub(super) fn owner(&self) -> Owner {
        Owner { network: self.network, version: self.version() }
    }

    /// A tensor's object, once it is known to be of this layer's network.
    pub(super) fn own(&self, tensor: Tensor<'_>) -> Result<*mut c_void> {
        tensor.raw(self.owner())
    }

    /// Adds the layer's name to a refusal.
    pub(super) fn named<T>(&self, done: Result<T>) -> Result<T> {
        done.map_err(|e| e.on(self.name()))
    }

    /// Its name.
    pub fn name(&self) -> String {
        // SAFETY: the handle borrows the network, which keeps the layer.
        unsafe { raw_layer::name(self.raw) }.unwrap_or_default()
    }

    /// Names it; TensorRT's messages use the name (`setName`).
    ///
    /// # Errors
    /// [`Error::NulInText`].
    pub fn set_name(&self, name: &str) -> Result<()> {
        let text = c_text("a layer name", name)?;
        // SAFETY: the handle borrows the network; TensorRT copies the name.
        self.named(unsafe { raw_layer::set_name(self.raw, text.as_ptr()) })
    }

    /// Keeps text with the layer; the engine inspector shows it (`setMetadata`).
    ///
    /// # Errors
    /// [`Error::NulInText`].
    pub fn set_metadata(&self, text: &str) -> Result<()> {
        let text = c_text("layer metadata", text)?;
        // SAFETY: the handle borrows the network; TensorRT copies the text.
        self.named(unsafe { raw_layer::set_metadata(self.raw, text.as_ptr()) })
    }

    /// Its kind; `None` for one that this crate does not know.
    pub fn layer_type(&self) -> Option<LayerType> {
        // SAFETY: the handle borrows the network.
        let number = unsafe { raw_layer::layer_type(self.raw) }.ok()?;
        LayerType::from_number(self.version(), number)
    }

    /// Number of outputs.
    pub fn num_outputs(&self) -> usize {
        // SAFETY: the handle borrows the network.
        let count = unsafe { raw_layer::nb_outputs(self.raw) };
        count.ok().and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }

    /// Number of inputs, absent ones between present ones included.
    pub fn num_inputs(&self) -> usize {
        // SAFETY: the handle borrows the network.
        let count = unsafe { raw_layer::nb_inputs(self.raw) };
        count.ok().and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }

    /// An output (`getOutput`).
    ///
    /// # Errors
    /// [`Error::Refused`] past the last one, or when the layer is not valid.
    pub fn output(&self, index: usize) -> Result<Tensor<'n>> {
        let index = c_int("an output index", index)?;
        // SAFETY: the handle borrows the network; TensorRT checks the index.
        let tensor = self.named(unsafe { raw_layer::output(self.raw, index) })?;
        // SAFETY: the network keeps its tensors.
        let raw = unsafe { Ref::new(tensor, self.raw.host()) };
        Ok(Tensor { raw, network: self.network })
    }

    /// An input (`getInput`).
    ///
    /// # Errors
    /// [`Error::Refused`] when there is none at the index.
    pub fn input(&self, index: usize) -> Result<Tensor<'n>> {
        let index = c_int("an input index", index)?;
        // SAFETY: the handle borrows the network; TensorRT checks the index.
        let tensor = self.named(unsafe { raw_layer::input(self.raw, index) })?;
        // SAFETY: the network keeps its tensors.
        let raw = unsafe { Ref::new(tensor, self.raw.host()) };
        Ok(Tensor { raw, network: self.network })
    }

    /// Replaces an input, or gives an optional one such as a slice's run-time start (`setInput`).
    ///
    /// # Errors
    /// [`Error::ForeignTensor`], or [`Error::Refused`] when TensorRT records an error.
    pub fn set_input(&self, index: usize, tensor: Tensor<'_>) -> Result<()> {
        let own = self.own(tensor)?;
        let index = c_int("an input index", index)?;
        // SAFETY: the handle borrows the network, and the tensor is of the same one.
        self.named(unsafe { raw_layer::set_input(self.raw, index, own) })
    }

    /// Sets the type the layer computes in (`setPrecision`, 8.6 and 10 without strong typing).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] from 11 on.
    pub fn set_precision(&self, dtype: DataType) -> Result<()> {
        // SAFETY: the handle borrows the network.
        self.named(unsafe { raw_layer::set_precision(self.raw, dtype.number(self.version())?) })
    }

    /// Sets the type of an output (`setOutputType`, 8.6 and 10 without strong typing).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] from 11 on.
    pub fn set_output_type(&self, index: usize, dtype: DataType) -> Result<()> {
        let index = c_int("an output index", index)?;
        // SAFETY: the handle borrows the network.
        self.named(unsafe { raw_layer::set_output_type(self.raw, index, dtype.number(self.version())?) })
    }
}
