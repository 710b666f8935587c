//! The layers that came after 8.6, each with its own setters. All deref to [`Layer`].

use super::Tensor;
use super::setters::{layer, setters};
use crate::error::Result;
use crate::raw::layers as raw;
use crate::types::{AttentionIoForm, MoeActType};

layer! {
    /// A running sum along an axis (`ICumulativeLayer`).
    CumulativeLayer = cumulative {
        /// Sets whether an element is left out of its own sum.
        plain(bool) set_exclusive = set_exclusive;
        /// Sets whether to run from the end.
        plain(bool) set_reverse = set_reverse;
    }
}

layer! {
    /// A key-value cache with new entries written to it (`IKVCacheUpdateLayer`).
    KvCacheUpdateLayer = kv_cache_update {
        /// Sets the layout of the update (from 11).
        value(AttentionIoForm) set_update_form = set_update_form;
        /// Sets the sequence lengths of a packed update (from 11).
        tensor set_update_lengths = set_update_lengths;
    }
}

layer! {
    /// A mixture of experts (`IMoELayer`).
    MoeLayer
}

impl MoeLayer<'_> {
    /// Gives the experts' gate, up and down projections (`setGatedWeights`).
    ///
    /// # Errors
    /// [`Error::ForeignTensor`](crate::Error::ForeignTensor), or [`Error::Refused`](crate::Error::Refused) when
    /// TensorRT records an error.
    pub fn set_gated_weights(
        &self,
        gate: Tensor<'_>,
        up: Tensor<'_>,
        down: Tensor<'_>,
        activation: MoeActType,
    ) -> Result<()> {
        let (gate, up, down) = (self.own(gate)?, self.own(up)?, self.own(down)?);
        let activation = activation.number(self.version())?;
        // SAFETY: the handle borrows the network, and the tensors are of the same one.
        self.named(unsafe { raw::moe::set_gated_weights(self.raw, gate, up, down, activation) })
    }

    /// Gives the projections' biases (`setGatedBiases`).
    ///
    /// # Errors
    /// [`Error::ForeignTensor`](crate::Error::ForeignTensor), or [`Error::Refused`](crate::Error::Refused) when
    /// TensorRT records an error.
    pub fn set_gated_biases(&self, gate: Tensor<'_>, up: Tensor<'_>, down: Tensor<'_>) -> Result<()> {
        let (gate, up, down) = (self.own(gate)?, self.own(up)?, self.own(down)?);
        // SAFETY: the handle borrows the network, and the tensors are of the same one.
        self.named(unsafe { raw::moe::set_gated_biases(self.raw, gate, up, down) })
    }

    /// Sets the limit, alpha and beta of SwiGLU (`setSwigluParams`).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) when TensorRT records an error.
    pub fn set_swiglu_params(&self, limit: f32, alpha: f32, beta: f32) -> Result<()> {
        // SAFETY: the handle borrows the network, and the layer is a mixture of experts.
        self.named(unsafe { raw::moe::set_swiglu_params(self.raw, limit, alpha, beta) })
    }
}

layer! {
    /// Rotary position embedding (`IRotaryEmbeddingLayer`).
    RotaryEmbeddingLayer
}

impl RotaryEmbeddingLayer<'_> {
    /// Gives the position ids, which select rows of the sine and cosine caches (`setInput`, index 3).
    ///
    /// # Errors
    /// [`Error::ForeignTensor`](crate::Error::ForeignTensor), or [`Error::Refused`](crate::Error::Refused) when
    /// TensorRT records an error.
    pub fn set_position_ids(&self, ids: Tensor<'_>) -> Result<()> {
        let own = self.own(ids)?;
        // SAFETY: the handle borrows the network, and the tensor is of the same one.
        self.named(unsafe { raw::rotary_embedding::set_input(self.raw, 3, own) })
    }
}
