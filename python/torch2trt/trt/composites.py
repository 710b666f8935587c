"""The `add_*` of `ctx.network` for what TensorRT has as one operation and networks here as several layers.

Conditionals and loops (control.py), attention and rotary embeddings (layers_attention.py), caches and mixtures of
experts (layers_experts.py).

This file must not know what these are made of.
"""

from __future__ import annotations

from typing import Any

from .control import IIfConditional, ILoop
from .drafts import Drafts
from .enums import CausalMaskKind
from .layer import ITensor
from .layers_attention import IAttention, IRotaryEmbeddingLayer
from .layers_experts import IKVCacheUpdateLayer, IMoELayer


class Composites(Drafts):
    """Drafts, and how composites are added to them."""

    def add_if_conditional(self) -> IIfConditional:
        """A conditional. Both branches are computed, and one selected."""
        return IIfConditional(self)

    def add_loop(self) -> ILoop:
        """A loop whose trip count is known while converting; it becomes its iterations."""
        return ILoop(self)

    def add_attention(self, query: ITensor, key: ITensor, value: ITensor, norm_op: Any, causal: bool) -> IAttention:
        """Attention over [B, N, S, H], without a scale. TensorRT 10.14's."""
        kind = CausalMaskKind.UPPER_LEFT if causal else CausalMaskKind.NONE
        return self._attention("add_attention", [query, key, value], norm_op, kind)

    def add_attention_v2(
        self, query: ITensor, key: ITensor, value: ITensor, norm_op: Any, causal_kind: Any
    ) -> IAttention:
        """Attention over [B, N, S, H], without a scale. TensorRT 11's."""
        return self._attention("add_attention_v2", [query, key, value], norm_op, causal_kind)

    def add_rotary_embedding(
        self, input: ITensor, cos_cache: ITensor, sin_cache: ITensor, interleaved: bool, rotary_embedding_dim: int
    ) -> IRotaryEmbeddingLayer:
        """Rotary position embedding of [B, N, S, H]; position ids are input 3. TensorRT 10.15's."""
        given = {"input": input, "cos_cache": cos_cache, "sin_cache": sin_cache}
        values = {"interleaved": interleaved, "rotary_embedding_dim": rotary_embedding_dim}
        return self._add(IRotaryEmbeddingLayer, "add_rotary_embedding", **given, values=values)

    def add_kv_cache_update(
        self, cache: ITensor, update: ITensor, write_indices: ITensor, cache_mode: Any
    ) -> IKVCacheUpdateLayer:
        """A cache [B, N, Smax, H] with rows [B, N, S, H] written from an index [B] on. TensorRT 10.15's."""
        given = {"cache": cache, "update": update, "write_indices": write_indices}
        return self._add(IKVCacheUpdateLayer, "add_kv_cache_update", **given, values={"cache_mode": cache_mode})

    def add_moe(
        self, hidden_states: ITensor, selected_experts_for_tokens: ITensor, scores_for_selected_experts: ITensor
    ) -> IMoELayer:
        """A mixture of experts over [B, S, H]; weights come by `set_gated_weights`. TensorRT 10.16's."""
        return self._add(
            IMoELayer,
            "add_moe",
            hidden_states=hidden_states,
            selected_experts_for_tokens=selected_experts_for_tokens,
            scores_for_selected_experts=scores_for_selected_experts,
        )

    def _attention(self, method: str, tensors: list[ITensor], norm_op: Any, causal_kind: Any) -> IAttention:
        given = dict(zip(("query", "key", "value"), tensors))
        values = {"norm_op": norm_op, "causal_kind": causal_kind, "decomposable": False}
        return self._add(IAttention, method, **given, values=values)
