//! Adding layers that came after 8.6. A version without one says so: which passes rewrite it is not known here.

use super::*;
use crate::dims::Dims;
use crate::sys::tables::network_definition as table;
use crate::types::{
    AttentionNormalizationOp, CausalMaskKind, CollectiveOperation, CumulativeOperation, KvCacheMode, ReduceOperation,
};
use crate::weights::Axes;

/// What a collective does and among which devices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Collective {
    /// What is exchanged.
    pub operation: CollectiveOperation,
    /// How it is reduced.
    pub reduce: ReduceOperation,
    /// The root's rank; -1 for none.
    pub root: i64,
    /// The ranks of the group; empty for all.
    pub group: Vec<i64>,
}

impl Network<'_> {
    /// Adds a normalization with scale and bias of the normalized extents only (`addNormalizationV2`, from 10.15).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn add_normalization_v2(
        &self,
        input: Tensor<'_>,
        scale: Tensor<'_>,
        bias: Tensor<'_>,
        axes: Axes,
    ) -> Result<NormalizationLayer<'_>> {
        let (input, scale, bias) = (self.own(input)?, self.own(scale)?, self.own(bias)?);
        // SAFETY: the tensors are of this network.
        let made = unsafe { raw::add_normalization_v2(self.raw(), input, scale, bias, axes.mask()) };
        Ok(NormalizationLayer(self.layer(made?)))
    }

    /// Adds a removal of extents of 1; `axes` is an int32 or int64 shape tensor (`addSqueeze`, from 10.7).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn add_squeeze(&self, input: Tensor<'_>, axes: Tensor<'_>) -> Result<Layer<'_>> {
        let (input, axes) = (self.own(input)?, self.own(axes)?);
        // SAFETY: the tensors are of this network.
        Ok(self.layer(unsafe { raw::add_squeeze(self.raw(), input, axes) }?))
    }

    /// Adds extents of 1; `axes` is an int32 or int64 shape tensor (`addUnsqueeze`, from 10.7).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn add_unsqueeze(&self, input: Tensor<'_>, axes: Tensor<'_>) -> Result<Layer<'_>> {
        let (input, axes) = (self.own(input)?, self.own(axes)?);
        // SAFETY: the tensors are of this network.
        Ok(self.layer(unsafe { raw::add_unsqueeze(self.raw(), input, axes) }?))
    }

    /// Adds a running sum along the axis in the shape tensor `axis` (`addCumulative`, from 10.8).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn add_cumulative(
        &self,
        input: Tensor<'_>,
        axis: Tensor<'_>,
        operation: CumulativeOperation,
        exclusive: bool,
        reverse: bool,
    ) -> Result<CumulativeLayer<'_>> {
        let (input, axis) = (self.own(input)?, self.own(axis)?);
        let operation = operation.number(self.version())?;
        // SAFETY: the tensors are of this network.
        let made = unsafe { raw::add_cumulative(self.raw(), input, axis, operation, exclusive, reverse) };
        Ok(CumulativeLayer(self.layer(made?)))
    }

    /// Adds quantization with scales computed while running, one for each block of `block` elements along `axis`
    /// (`addDynamicQuantize`, from 10.8). Output 0 has the type `dtype`, output 1 the scales of type `scale`.
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn add_dynamic_quantize(
        &self,
        input: Tensor<'_>,
        axis: usize,
        block: usize,
        dtype: DataType,
        scale: DataType,
    ) -> Result<Layer<'_>> {
        let (input, version) = (self.own(input)?, self.version());
        let (axis, block) = (c_int("an axis", axis)?, c_int("a block size", block)?);
        let (dtype, scale) = (dtype.number(version)?, scale.number(version)?);
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { raw::add_dynamic_quantize(self.raw(), input, axis, block, dtype, scale) }?))
    }

    /// Adds quantization with scales computed while running, for blocks of any shape (`addDynamicQuantizeV2`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn add_dynamic_quantize_v2(
        &self,
        input: Tensor<'_>,
        block: &[i64],
        dtype: DataType,
        scale: DataType,
    ) -> Result<Layer<'_>> {
        let (input, block, version) = (self.own(input)?, Dims::new(block)?, self.version());
        let (dtype, scale) = (dtype.number(version)?, scale.number(version)?);
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { raw::add_dynamic_quantize_v2(self.raw(), input, &block, dtype, scale) }?))
    }

    /// Adds attention over queries, keys and values of batch × heads × sequence × head size (`addAttentionV2`, or
    /// `addAttention` from 10.14). The scores are not scaled: scale the query.
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] before 10.14, and for [`CausalMaskKind::LowerRight`] before 11; [`Error::Refused`].
    pub fn add_attention(
        &self,
        query: Tensor<'_>,
        key: Tensor<'_>,
        value: Tensor<'_>,
        normalization: AttentionNormalizationOp,
        causal: CausalMaskKind,
    ) -> Result<Attention<'_>> {
        let (query, key, value) = (self.own(query)?, self.own(key)?, self.own(value)?);
        let normalization = normalization.number(self.version())?;
        let newer = self.object.host().has(&table::ADD_ATTENTION_V2) || causal == CausalMaskKind::LowerRight;
        // SAFETY: the tensors are of this network.
        let made = unsafe {
            if newer {
                raw::add_attention_v2(self.raw(), query, key, value, normalization, causal.number(self.version())?)
            } else {
                let causal = causal == CausalMaskKind::UpperLeft;
                raw::add_attention(self.raw(), query, key, value, normalization, causal)
            }
        };
        // SAFETY: the network keeps its attentions for life.
        let raw = unsafe { Ref::new(made?, self.object.host()) };
        Ok(Attention { raw, network: self.object.as_ptr() })
    }

    /// Adds rotary position embedding of the first `dim` elements of each head, 0 for all (`addRotaryEmbedding`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn add_rotary_embedding(
        &self,
        input: Tensor<'_>,
        cos: Tensor<'_>,
        sin: Tensor<'_>,
        interleaved: bool,
        dim: usize,
    ) -> Result<RotaryEmbeddingLayer<'_>> {
        let (input, cos, sin) = (self.own(input)?, self.own(cos)?, self.own(sin)?);
        let dim = c_int("the rotary dimension", dim)?;
        // SAFETY: the tensors are of this network.
        let made = unsafe { raw::add_rotary_embedding(self.raw(), input, cos, sin, interleaved, dim) };
        Ok(RotaryEmbeddingLayer(self.layer(made?)))
    }

    /// Adds an update of a key-value cache in place (`addKVCacheUpdate`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn add_kv_cache_update(
        &self,
        cache: Tensor<'_>,
        update: Tensor<'_>,
        indices: Tensor<'_>,
        mode: KvCacheMode,
    ) -> Result<KvCacheUpdateLayer<'_>> {
        let (cache, update, indices) = (self.own(cache)?, self.own(update)?, self.own(indices)?);
        let mode = mode.number(self.version())?;
        // SAFETY: the tensors are of this network.
        let made = unsafe { raw::add_kv_cache_update(self.raw(), cache, update, indices, mode) };
        Ok(KvCacheUpdateLayer(self.layer(made?)))
    }

    /// Adds a mixture of experts (`addMoE`); its weights are set on the layer.
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn add_moe(&self, hidden: Tensor<'_>, experts: Tensor<'_>, scores: Tensor<'_>) -> Result<MoeLayer<'_>> {
        let (hidden, experts, scores) = (self.own(hidden)?, self.own(experts)?, self.own(scores)?);
        // SAFETY: the tensors are of this network.
        Ok(MoeLayer(self.layer(unsafe { raw::add_moe(self.raw(), hidden, experts, scores) }?)))
    }

    /// Adds an exchange between devices (`addDistCollective`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn add_dist_collective(&self, input: Tensor<'_>, collective: &Collective) -> Result<Layer<'_>> {
        let (input, version) = (self.own(input)?, self.version());
        let (operation, reduce) = (collective.operation.number(version)?, collective.reduce.number(version)?);
        let mut group = collective.group.clone();
        let groups = if group.is_empty() { std::ptr::null_mut() } else { group.as_mut_ptr() };
        // SAFETY: the tensor is of this network; TensorRT copies the group. A vector's length fits in 63 bits.
        let made = unsafe {
            raw::add_dist_collective(self.raw(), input, operation, reduce, collective.root, groups, group.len() as i64)
        };
        Ok(self.layer(made?))
    }
}
