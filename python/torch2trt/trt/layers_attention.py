"""Attention and rotary embeddings: what TensorRT has as one operation is composed of simpler layers.

| class | network layers |
|---|---|
| IAttention | MatrixMultiply, ElementWise, SoftMax, MatrixMultiply; Slice where heads are shared |
| IRotaryEmbeddingLayer | Slice, ElementWise, Concatenation; Gather for position ids |

TensorRT finds the attention in such layers again and fuses it; versions that lack the operation, and the CPU engine,
run them as they are.

This file must not know how drafts become final.
"""

from __future__ import annotations

from typing import Any

import torch

from .._core import Size
from ..errors import error
from .emit import Emitter, Ref
from .enums import (
    AttentionIOForm,
    AttentionNormalizationOp,
    CausalMaskKind,
    ElementWiseOperation,
    GatherMode,
    LayerType,
    MatrixOperation,
)
from .layer import Attribute, Fixed, ILayer, ITensor, choice
from .pieces import of, product, ramp, sliced
from .values import is_dynamic, numbers_of

_QUANTIZED = "write the attention as MatrixMultiply, SoftMax, add_quantize, add_dequantize, MatrixMultiply"
_PADDED = "sequences are padded here; select with `mask` the keys that count"


class IAttention(ILayer):
    """`norm(query · keyᵀ + mask) · value`, for query [B, N, Sq, H] and key and value [B, M, Skv, H] of one float type.

    There is no scale: multiply the query with one first. N is M or a multiple of it: neighbouring heads of the query
    then share a head of key and value. The output is [B, N, Sq, H], of the query's type. A query that may attend to
    nothing gives NaN. TensorRT's IAttention.

    Errors: E0107 where ranks, heads or the mask do not fit, where a mask meets `causal_kind`, and where keys are to
    be hidden without a softmax; E0108 where an attribute is set that has one value here.
    """

    _kind = LayerType.ATTENTION_OUTPUT
    norm_op = Attribute("What is made of the scores. Default: softmax.", choice(AttentionNormalizationOp))
    causal_kind = Attribute(
        "Which keys query i may attend to: all (NONE), j <= i (UPPER_LEFT), or j <= i + Skv - Sq (LOWER_RIGHT). "
        "Default: all. Not together with `mask`.",
        choice(CausalMaskKind),
    )
    decomposable = Attribute("Whether simpler layers may stand for it: they always do. Default: False.", bool)
    query_form = Fixed(
        "How queries of several lengths lie in memory: PADDED_BHND, nothing else.",
        AttentionIOForm.PADDED_BHND,
        _PADDED,
        choice(AttentionIOForm),
    )
    key_value_form = Fixed(
        "How keys and values do: PADDED_BHND, nothing else.",
        AttentionIOForm.PADDED_BHND,
        _PADDED,
        choice(AttentionIOForm),
    )
    query_lengths = Fixed("Lengths of packed queries: None, nothing else.", None, _PADDED)
    key_value_lengths = Fixed("Lengths of keys and values: None, nothing else; use `mask`.", None, _PADDED)
    normalization_quantize_scale = Fixed(
        "Scale that the softmax is quantized with: None, nothing else.", None, _QUANTIZED
    )
    normalization_quantize_to_type = Fixed("Type that it is quantized to: None, nothing else.", None, _QUANTIZED)
    num_ranks = Fixed("How many GPUs share it: 1, nothing else.", 1, "engines here run on one GPU", int)

    def __init__(self, network: Any, inputs: list[ITensor | None], **values: Any) -> None:
        self._mask: ITensor | None = None
        super().__init__(network, inputs, **values)

    @property
    def mask(self) -> ITensor | None:
        """Which keys each query attends to, [B or 1, N or 1, Sq, Skv]: bool, true attends; or a float, added."""
        return self._mask

    @mask.setter
    def mask(self, tensor: ITensor | None) -> None:
        self._mask = None if tensor is None else self._network._checked(tensor, "IAttention.mask", "mask")
        self._changed()

    @property
    def causal(self) -> bool:
        """Whether `causal_kind` is UPPER_LEFT, or becomes it."""
        return self.causal_kind is CausalMaskKind.UPPER_LEFT

    @causal.setter
    def causal(self, causal: bool) -> None:
        self.causal_kind = CausalMaskKind.UPPER_LEFT if causal else CausalMaskKind.NONE

    def _needs(self) -> list[ITensor | None]:
        return [*self._inputs, self._mask]

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        mask = inputs[3]
        query, key, value = e.alike(*inputs[:3])
        for name, x in (("query", query), ("key", key), ("value", value)):
            if e.rank(x) != 4 or not e.is_float(x):
                raise error(
                    "E0107", f"attention takes float tensors [batch, heads, tokens, size], {name} is {e.info(x)}"
                )
        key, value = (self._for_heads(e, x, e.dims(query)[1]) for x in (key, value))
        none, transpose = MatrixOperation.NONE, MatrixOperation.TRANSPOSE
        weights = e.one("MatrixMultiply", [query, key], op0=none, op1=transpose)
        bias = self._bias(e, weights, mask)
        if bias is not None:
            weights = of(e, ElementWiseOperation.SUM, weights, bias)
        if self.norm_op is AttentionNormalizationOp.SOFTMAX:
            weights = e.one("SoftMax", [weights], axis=3)
        return e.layer("MatrixMultiply", [weights, value], op0=none, op1=none)

    def _bias(self, e: Emitter, scores: Ref, mask: Ref | None) -> Ref | None:
        """What is added to the scores."""
        causal, given = self.causal_kind is not CausalMaskKind.NONE, mask is not None
        if given and causal:
            raise error(
                "E0107",
                "attention has a mask and is causal: TensorRT takes one of the two",
                "leave causal_kind NONE and put the causal part into the mask",
            )
        if given and e.rank(mask) != 4:
            raise error("E0107", f"an attention mask has four axes, [B or 1, N or 1, Sq, Skv], got {e.info(mask)}")
        hides = causal or (given and e.dtype(mask) == "bool")
        if hides and self.norm_op is AttentionNormalizationOp.NONE:
            raise error(
                "E0107",
                "attention without a softmax (norm_op NONE) cannot hide keys",
                "multiply the scores with the mask yourself, or use SOFTMAX",
            )
        if causal:
            return self._causal(e, scores)
        if hides:
            return _penalty(e, mask, e.dtype(scores))
        return e.like(mask, scores) if given else None

    def _causal(self, e: Emitter, scores: Ref) -> Ref:
        queries, keys = e.dims(scores)[2:]
        offset = keys - queries if self.causal_kind is CausalMaskKind.LOWER_RIGHT else Size(0)
        if not is_dynamic([queries, keys]):
            seen = torch.ones(queries.static_value, keys.static_value, dtype=torch.bool).tril(offset.static_value)
            bias = torch.zeros(1, 1, *seen.shape).masked_fill(~seen, -torch.inf)
            return e.cast(e.constant(bias), e.dtype(scores))
        one = Size(1)
        end = e.reshape(e.sizes([offset + 1]), [one] * 4)
        ends = of(e, ElementWiseOperation.SUM, e.reshape(ramp(e, queries), [one, one, queries, one]), end)
        seen = of(e, ElementWiseOperation.LESS, e.reshape(ramp(e, keys), [one, one, one, keys]), ends)
        return _penalty(e, seen, e.dtype(scores))

    def _for_heads(self, e: Emitter, x: Ref, heads: Size) -> Ref:
        """Key or value with as many heads as the query has."""
        batch, own, tokens, size = e.dims(x)
        if own == heads or own.static_value == 1:
            return x
        numbers = numbers_of([heads, own])
        if numbers is not None and numbers[0] % numbers[1]:
            raise error("E0107", f"attention has {heads} heads of the query for {own} of key and value, not a multiple")
        x = e.reshape(x, [batch, own, Size(1), tokens, size])
        x = sliced(e, x, [0] * 5, [batch, own, heads // own, tokens, size], [1, 1, 0, 1, 1])
        return e.reshape(x, [batch, heads, tokens, size])


class IRotaryEmbeddingLayer(ILayer):
    """Pairs of elements of x [B, N, S, H] turned by the angles of their positions. The output is like x.

    Inputs 1 and 2 are the cosines and sines, [B, S, R / 2], where R is `rotary_embedding_dim` or H. With input 3,
    position ids [B, S] of int32 or int64, they are [positions, R / 2]. Pair k is (x[k], x[k + R / 2]), or with
    `interleaved` (x[2 k], x[2 k + 1]); elements from R on stay. TensorRT's IRotaryEmbeddingLayer, ONNX's
    RotaryEmbedding-23.

    Errors: E0107 where R is odd or above H, where H is not known, and where the other inputs do not fit.
    """

    _kind = LayerType.ROTARY_EMBEDDING
    _optional_inputs = 3
    interleaved = Attribute("Whether neighbours are pairs. Default: False.", bool)
    rotary_embedding_dim = Attribute("How many elements of the last axis are turned; 0: all.", int)

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        x, cos, sin, positions = [*inputs, None][:4]
        count = self._count(e, x)
        cos, sin = (self._placed(e, x, cache, positions, count) for cache in (cos, sin))
        half, whole = Size(count // 2), e.dims(x)[3]
        if self.interleaved:
            first, second = (_last(e, x, start, half, 2) for start in (0, 1))
        else:
            first, second = (_last(e, x, start, half, 1) for start in (0, count // 2))
        turned = [
            of(e, ElementWiseOperation.SUB, product(e, cos, first), product(e, sin, second)),
            of(e, ElementWiseOperation.SUM, product(e, sin, first), product(e, cos, second)),
        ]
        if self.interleaved:
            rows = [e.reshape(part, [*e.dims(part), Size(1)]) for part in turned]
            pairs = e.one("Concatenation", rows, axis=4)
            turned = [e.reshape(pairs, [*e.dims(x)[:3], Size(count)])]
        if whole.static_value != count:
            turned.append(_last(e, x, count, whole - count, 1))
        return turned if len(turned) == 1 else e.layer("Concatenation", turned, axis=3)

    def _count(self, e: Emitter, x: Ref) -> int:
        """How many elements of the last axis are turned."""
        whole = e.dims(x)[3].static_value if e.rank(x) == 4 else None
        if whole is None or not e.is_float(x):
            text = f"a rotary embedding takes a float tensor [batch, heads, tokens, known size], got {e.info(x)}"
            raise error("E0107", text)
        count = self.rotary_embedding_dim or whole
        if not 0 < count <= whole or count % 2:
            raise error("E0107", f"a rotary embedding turns an even number of the last {whole} elements, not {count}")
        return count

    def _placed(self, e: Emitter, x: Ref, cache: Ref, positions: Ref | None, count: int) -> Ref:
        """Cosines or sines as [B, 1, S, R / 2]."""
        rank = 3 if positions is None else 2
        if e.rank(cache) != rank or e.dims(cache)[-1].static_value not in (None, count // 2):
            wanted = f"[{'batch, tokens' if rank == 3 else 'positions'}, {count // 2}]"
            raise error("E0107", f"the cosines and sines of a rotary embedding are {wanted} here, got {e.info(cache)}")
        if positions is not None:
            if e.rank(positions) != 2:
                raise error("E0107", f"position ids are [batch, tokens], got {e.info(positions)}")
            cache = e.one("Gather", [cache, positions], mode=GatherMode.DEFAULT, axis=0, elementwise_dims=0)
        batch, tokens, half = e.dims(cache)
        return e.like(e.reshape(cache, [batch, Size(1), tokens, half]), x)


def _last(e: Emitter, x: Ref, start: int, size: Size, stride: int) -> Ref:
    """A part of the last of four axes."""
    return sliced(e, x, [0, 0, 0, start], [*e.dims(x)[:3], size], [1, 1, 1, stride])


def _penalty(e: Emitter, allowed: Ref, dtype: str) -> Ref:
    """0 where true, minus infinity where false."""
    none, all = (e.cast(e.constant(torch.full((1, 1, 1, 1), value)), dtype) for value in (0.0, -torch.inf))
    return e.one("Select", [allowed, none, all])
