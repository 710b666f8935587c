//! Layers for transformers, and exchanges between devices.

use super::*;

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

adds! {
    /// Adds rotary position embedding of the first `dim` elements of each head, 0 for all (`addRotaryEmbedding`).
    fn add_rotary_embedding(
        input: Tensor<'_>,
        cos: Tensor<'_>,
        sin: Tensor<'_>,
        interleaved: bool,
        dim: usize
    ) -> RotaryEmbeddingLayer = ADD_ROTARY_EMBEDDING;

    /// Adds an update of a key-value cache in place (`addKVCacheUpdate`).
    fn add_kv_cache_update(
        cache: Tensor<'_>,
        update: Tensor<'_>,
        indices: Tensor<'_>,
        mode: KvCacheMode
    ) -> KvCacheUpdateLayer = ADD_KV_CACHE_UPDATE;

    /// Adds a mixture of experts (`addMoE`); its weights are set on the layer.
    fn add_moe(hidden: Tensor<'_>, experts: Tensor<'_>, scores: Tensor<'_>) -> MoeLayer = ADD_MOE;
}

layers! {
    /// Rotary position embedding (`IRotaryEmbeddingLayer`).
    RotaryEmbeddingLayer

    /// A key-value cache with new entries written to it (`IKVCacheUpdateLayer`).
    KvCacheUpdateLayer = kv_cache_update_layer {
        /// Sets the layout of the update (from 11).
        fn set_update_form(form: AttentionIoForm) -> Done = SET_UPDATE_FORM;
        /// Sets the sequence lengths of a packed update (from 11).
        fn set_update_lengths(lengths: Tensor<'_>) -> Done = SET_UPDATE_LENGTHS;
    }

    /// A mixture of experts (`IMoELayer`).
    MoeLayer = moe_layer {
        /// Gives the experts' gate, up and down projections (`setGatedWeights`).
        fn set_gated_weights(
            gate: Tensor<'_>, up: Tensor<'_>, down: Tensor<'_>, activation: MoeActType
        ) = SET_GATED_WEIGHTS;
        /// Gives the projections' biases (`setGatedBiases`).
        fn set_gated_biases(gate: Tensor<'_>, up: Tensor<'_>, down: Tensor<'_>) = SET_GATED_BIASES;
        /// Sets the limit, alpha and beta of SwiGLU (`setSwigluParams`).
        fn set_swiglu_params(limit: f32, alpha: f32, beta: f32) = SET_SWIGLU_PARAMS;
    }
}

impl Network<'_> {
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

/// The calls that `adds!` and `layers!` cannot declare.
pub(crate) mod raw {
    use crate::raw::arguments::*;

    calls! { network_definition at IMPL {
        fn add_attention(query: Tensor, key: Tensor, value: Tensor, normalization: i32, causal: bool)
            -> Made = ADD_ATTENTION;
        fn add_attention_v2(query: Tensor, key: Tensor, value: Tensor, normalization: i32, causal: i32)
            -> Made = ADD_ATTENTION_V2;
        fn add_dist_collective(input: Tensor, operation: i32, reduce: i32, root: i64, groups: *mut i64, count: i64)
            -> Made = ADD_DIST_COLLECTIVE;
    } }

    pub mod rotary_embedding {
        use super::*;

        calls! { rotary_embedding_layer at LAYER_IMPL {
            fn set_input(index: i32, tensor: Tensor) -> () = SET_INPUT;
        } }
    }
}
