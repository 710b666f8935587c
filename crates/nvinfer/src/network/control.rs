//! Parts of a network that span several layers: loops, conditionals and attention.

use std::ffi::c_void;
use std::ptr::NonNull;

use super::{Layer, Network, Tensor};
use crate::error::{Error, Result};
use crate::raw::Ref;
use crate::raw::network::{attention, conditional, loops, network_definition as raw};
use crate::types::{AttentionIoForm, AttentionNormalizationOp, CausalMaskKind, DataType, LoopOutput, TripLimit};
use crate::weights::{c_int, c_text};

/// What the three have in common: an object of the network that hands out layers.
macro_rules! part {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'n> {
            pub(super) raw: Ref<'n>,
            pub(super) network: *mut c_void,
        }

        impl<'n> $name<'n> {
            fn own(&self, tensor: Tensor<'_>) -> Result<*mut c_void> {
                if tensor.network == self.network {
                    return Ok(tensor.raw.as_ptr());
                }
                Err(Error::ForeignTensor { name: tensor.name() })
            }

            #[allow(dead_code, reason = "an attention has no layers of its own to hand out")]
            fn layer(&self, layer: NonNull<c_void>) -> Layer<'n> {
                // SAFETY: the network keeps its layers for life.
                let raw = unsafe { Ref::new(layer, self.raw.host()) };
                Layer { raw, network: self.network }
            }
        }
    };
}

impl Network<'_> {
    /// Adds a loop (`addLoop`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_loop(&self) -> Result<Loop<'_>> {
        // SAFETY: the network is alive, and keeps its loops for life.
        let raw = unsafe { Ref::new(raw::add_loop(self.raw())?, self.object.host()) };
        Ok(Loop { raw, network: self.object.as_ptr() })
    }

    /// Adds an if-conditional (`addIfConditional`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_if_conditional(&self) -> Result<Conditional<'_>> {
        // SAFETY: the network is alive, and keeps its conditionals for life.
        let raw = unsafe { Ref::new(raw::add_if_conditional(self.raw())?, self.object.host()) };
        Ok(Conditional { raw, network: self.object.as_ptr() })
    }
}

part! {
    /// A loop (`ILoop`): tensors from outside enter as they are, state through recurrences, results through outputs.
    Loop
}

impl<'n> Loop<'n> {
    /// Names it.
    ///
    /// # Errors
    /// [`Error::NulInText`].
    pub fn set_name(&self, name: &str) -> Result<()> {
        let name = c_text("a loop name", name)?;
        // SAFETY: the handle borrows the network; TensorRT copies the name.
        unsafe { loops::set_name(self.raw, name.as_ptr()) }
    }

    /// Adds a state: input 0 is its first value, input 1 (`set_input`) the value after each iteration.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_recurrence(&self, initial: Tensor<'_>) -> Result<Layer<'n>> {
        let initial = self.own(initial)?;
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { loops::add_recurrence(self.raw, initial) }?))
    }

    /// Adds what ends the loop.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_trip_limit(&self, tensor: Tensor<'_>, limit: TripLimit) -> Result<Layer<'n>> {
        let tensor = self.own(tensor)?;
        let limit = limit.number(self.raw.host().version())?;
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { loops::add_trip_limit(self.raw, tensor, limit) }?))
    }

    /// Adds the slices of a tensor along an axis, one for each iteration.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_iterator(&self, tensor: Tensor<'_>, axis: usize, reverse: bool) -> Result<Layer<'n>> {
        let tensor = self.own(tensor)?;
        let axis = c_int("an axis", axis)?;
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { loops::add_iterator(self.raw, tensor, axis, reverse) }?))
    }

    /// Adds an output. Concatenated ones take their length as input 1 (`set_input`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_output(&self, tensor: Tensor<'_>, kind: LoopOutput, axis: usize) -> Result<Layer<'n>> {
        let tensor = self.own(tensor)?;
        let kind = kind.number(self.raw.host().version())?;
        let axis = c_int("an axis", axis)?;
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { loops::add_loop_output(self.raw, tensor, kind, axis) }?))
    }
}

part! {
    /// An if-conditional (`IIfConditional`): only the branch taken is run.
    Conditional
}

impl<'n> Conditional<'n> {
    /// Names it.
    ///
    /// # Errors
    /// [`Error::NulInText`].
    pub fn set_name(&self, name: &str) -> Result<()> {
        let name = c_text("a conditional's name", name)?;
        // SAFETY: the handle borrows the network; TensorRT copies the name.
        unsafe { conditional::set_name(self.raw, name.as_ptr()) }
    }

    /// Sets the condition, a bool scalar.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn set_condition(&self, condition: Tensor<'_>) -> Result<Layer<'n>> {
        let condition = self.own(condition)?;
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { conditional::set_condition(self.raw, condition) }?))
    }

    /// Brings a tensor into the branches.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_input(&self, input: Tensor<'_>) -> Result<Layer<'n>> {
        let input = self.own(input)?;
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { conditional::add_input(self.raw, input) }?))
    }

    /// Adds an output: one tensor of each branch, of the same type and shape.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_output(&self, then: Tensor<'_>, otherwise: Tensor<'_>) -> Result<Layer<'n>> {
        let (then, otherwise) = (self.own(then)?, self.own(otherwise)?);
        // SAFETY: the tensors are of this network.
        Ok(self.layer(unsafe { conditional::add_output(self.raw, then, otherwise) }?))
    }
}

part! {
    /// Attention (`IAttention`): several layers that TensorRT fuses.
    Attention
}

impl<'n> Attention<'n> {
    /// Names it.
    ///
    /// # Errors
    /// [`Error::NulInText`], [`Error::Refused`].
    pub fn set_name(&self, name: &str) -> Result<()> {
        let name = c_text("an attention's name", name)?;
        // SAFETY: the handle borrows the network; TensorRT copies the name.
        unsafe { attention::set_name(self.raw, name.as_ptr()) }
    }

    /// Its output; there is one.
    ///
    /// # Errors
    /// [`Error::Refused`] when the attention is not valid.
    pub fn output(&self, index: usize) -> Result<Tensor<'n>> {
        let index = c_int("an output index", index)?;
        // SAFETY: the handle borrows the network; TensorRT checks the index. The network keeps its tensors.
        let raw = unsafe { Ref::new(attention::output(self.raw, index)?, self.raw.host()) };
        Ok(Tensor { raw, network: self.network })
    }

    /// Gives a mask: bool, or added to the scores.
    ///
    /// # Errors
    /// [`Error::Refused`] when its shape does not broadcast to the scores, or with causal attention.
    pub fn set_mask(&self, mask: Tensor<'_>) -> Result<()> {
        let mask = self.own(mask)?;
        // SAFETY: the tensor is of this network.
        unsafe { attention::set_mask(self.raw, mask) }
    }

    /// Sets how the scores are normalized.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn set_normalization(&self, operation: AttentionNormalizationOp) -> Result<()> {
        let operation = operation.number(self.raw.host().version())?;
        // SAFETY: the handle borrows the network.
        unsafe { attention::set_normalization_operation(self.raw, operation) }
    }

    /// Sets how the future is masked (from 11; before, `addAttention` takes it).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn set_causal(&self, kind: CausalMaskKind) -> Result<()> {
        let kind = kind.number(self.raw.host().version())?;
        // SAFETY: the handle borrows the network.
        unsafe { attention::set_causal_kind(self.raw, kind) }
    }

    /// Sets whether TensorRT may run it as separate layers when it has no fused kernel; it may not by default.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn set_decomposable(&self, decomposable: bool) -> Result<()> {
        // SAFETY: the handle borrows the network.
        unsafe { attention::set_decomposable(self.raw, decomposable) }
    }

    /// Quantizes the normalized scores with a scale, to a type.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn quantize_normalization(&self, scale: Tensor<'_>, dtype: DataType) -> Result<()> {
        let scale = self.own(scale)?;
        let dtype = dtype.number(self.raw.host().version())?;
        // SAFETY: the tensor is of this network.
        unsafe {
            attention::set_normalization_quantize_to_type(self.raw, dtype)?;
            attention::set_normalization_quantize_scale(self.raw, scale)
        }
    }

    /// Sets the layouts of the query and of key and value (from 11).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn set_forms(&self, query: AttentionIoForm, key_value: AttentionIoForm) -> Result<()> {
        let version = self.raw.host().version();
        let (query, key_value) = (query.number(version)?, key_value.number(version)?);
        // SAFETY: the handle borrows the network.
        unsafe {
            attention::set_query_form(self.raw, query)?;
            attention::set_key_value_form(self.raw, key_value)
        }
    }

    /// Gives the sequence lengths of packed or padded queries, keys and values (from 11).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn set_lengths(&self, query: Tensor<'_>, key_value: Tensor<'_>) -> Result<()> {
        let (query, key_value) = (self.own(query)?, self.own(key_value)?);
        // SAFETY: the tensors are of this network.
        unsafe {
            attention::set_query_lengths(self.raw, query)?;
            attention::set_key_value_lengths(self.raw, key_value)
        }
    }

    /// Keeps text with it; the engine inspector shows it.
    ///
    /// # Errors
    /// [`Error::NulInText`], [`Error::Refused`].
    pub fn set_metadata(&self, text: &str) -> Result<()> {
        let text = c_text("attention metadata", text)?;
        // SAFETY: the handle borrows the network; TensorRT copies the text.
        unsafe { attention::set_metadata(self.raw, text.as_ptr()) }
    }
}
