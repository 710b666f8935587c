"""What transformers that generate have as one operation in TensorRT: caches of keys and values, mixtures of experts.

| class | network layers |
|---|---|
| IKVCacheUpdateLayer | Fill, ElementWise, Slice, Scatter |
| IMoELayer | MatrixMultiply, Activation, ElementWise, Select, Reduce |

This file must not know how drafts become final.
"""

from __future__ import annotations

from typing import Any

import torch

from .._core import Size
from ..errors import error
from .dtypes import DataType
from .emit import Emitter, Ref
from .enums import (
    ActivationType,
    AttentionIOForm,
    ElementWiseOperation,
    KVCacheMode,
    LayerType,
    MatrixOperation,
    MoEActType,
    ReduceOperation,
    ScatterMode,
)
from .layer import Attribute, Fixed, ILayer, ITensor, choice
from .pieces import of, product, ramp, sliced

_QUANTIZED = "write the experts with MatrixMultiply, add_quantize and add_dequantize"


class IKVCacheUpdateLayer(ILayer):
    """A cache [B, N, Smax, H] with new rows: `output[i, :, write_indices[i] + s, :] = update[i, :, s, :]`.

    The update is [B, N, S, H] of the cache's float type, the write indices are [B], int32 or int64, and
    `write_indices[i] + S` is Smax at most. The output is a tensor of its own: nothing is written in place here, so that
    the caller passes it as the cache of the next call. TensorRT's IKVCacheUpdateLayer.

    Errors: E0107 where ranks or types do not fit; E0108 where an attribute is set that has one value here.
    """

    _kind = LayerType.KVCACHE_UPDATE
    cache_mode = Attribute("Where rows go: LINEAR, from the write index on.", choice(KVCacheMode))
    update_form = Fixed(
        "How updates of several lengths lie in memory: PADDED_BHND, nothing else.",
        AttentionIOForm.PADDED_BHND,
        "sequences are padded here",
        choice(AttentionIOForm),
    )
    update_lengths = Fixed("Lengths of packed updates: None, nothing else.", None, "sequences are padded here")

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        cache, update, starts = inputs
        if e.rank(cache) != 4 or e.rank(update) != 4 or not e.is_float(cache) or not e.is_float(update):
            found = f"{e.info(cache)} and {e.info(update)}"
            raise error("E0107", f"a cache and its update are float tensors [batch, heads, tokens, size], got {found}")
        if e.rank(starts) != 1 or e.is_float(starts) or e.dtype(starts) == "bool":
            raise error("E0107", f"write indices are integers [batch], got {e.info(starts)}")
        one, (batch, heads, tokens, size) = Size(1), e.dims(update)
        start = e.reshape(e.cast(starts, "int64"), [batch, one, one, one])
        row = of(e, ElementWiseOperation.SUM, start, e.reshape(ramp(e, tokens), [one, one, tokens, one]))
        places = sliced(e, row, [0] * 4, [batch, heads, tokens, size], [1, 0, 1, 0])
        return e.layer("Scatter", [cache, places, e.like(update, cache)], mode=ScatterMode.ELEMENT, axis=2)


class IMoELayer(ILayer):
    """A mixture of experts over [B, S, H]: `sum over k of scores[k] * expert[selected[k]](x)`.

    Inputs 1 and 2 are the experts selected for each token, [B, S, K], integers, and their scores, [B, S, K]. An expert
    is `down(activation(gate(x)) * up(x))`. The output is [B, S, H], of the type of input 0. TensorRT's IMoELayer.

    Every expert is computed for every token and the selected ones are added up: right on every target, and
    `experts / K` times the work of a layer that skips the others. An index that is no expert adds nothing.

    Errors: E0107 where ranks or sizes do not fit, or `set_gated_weights` was not called; E0108 for quantization and for
    parameters that TensorRT has no effect for either.
    """

    _kind = LayerType.MOE
    activation_type = Attribute("What is made of the gate. Default: that of `set_gated_weights`.", choice(MoEActType))
    quantization_to_type = Fixed("Type that products are quantized to: None, nothing else.", None, _QUANTIZED)
    quantization_block_shape = Fixed("Block of a dynamic quantization: None, nothing else.", None, _QUANTIZED)
    dyn_q_output_scale_type = Fixed("Type of its scales: None, nothing else.", None, _QUANTIZED)
    swiglu_param_limit = Fixed("Bound of SwiGLU: None, nothing else.", None, "TensorRT has no effect for it yet")
    swiglu_param_alpha = Fixed("Slope of SwiGLU: None, nothing else.", None, "TensorRT has no effect for it yet")
    swiglu_param_beta = Fixed("Offset of SwiGLU: None, nothing else.", None, "TensorRT has no effect for it yet")

    def __init__(self, network: Any, inputs: list[ITensor | None], **values: Any) -> None:
        self._weights: list[ITensor | None] = [None] * 3
        self._biases: list[ITensor | None] = [None] * 3
        super().__init__(network, inputs, **values)

    def set_gated_weights(
        self, fc_gate_weights: ITensor, fc_up_weights: ITensor, fc_down_weights: ITensor, activation_type: Any
    ) -> None:
        """The experts' weights: gate and up [experts, H, I], down [experts, I, H]."""
        self._weights = self._three("set_gated_weights", fc_gate_weights, fc_up_weights, fc_down_weights)
        self.activation_type = activation_type

    def set_gated_biases(self, fc_gate_biases: ITensor, fc_up_biases: ITensor, fc_down_biases: ITensor) -> None:
        """The experts' biases: gate and up [experts, I], down [experts, H]. Without a call there are none."""
        self._biases = self._three("set_gated_biases", fc_gate_biases, fc_up_biases, fc_down_biases)
        self._changed()

    def set_quantization_static(self, fc_down_activation_scale: ITensor, data_type: DataType) -> None:
        """Not there.

        Raises:
            torch2trt.Error: E0108, always.
        """
        raise error("E0108", "IMoELayer.set_quantization_static is not supported", _QUANTIZED)

    def set_quantization_dynamic_dbl_q(
        self,
        fc_down_activation_dbl_q_scale: ITensor,
        data_type: DataType,
        block_shape: Any,
        dyn_q_output_scale_type: DataType,
    ) -> None:
        """Not there.

        Raises:
            torch2trt.Error: E0108, always.
        """
        raise error("E0108", "IMoELayer.set_quantization_dynamic_dbl_q is not supported", _QUANTIZED)

    def set_swiglu_params(self, limit: float, alpha: float, beta: float) -> None:
        """Not there.

        Raises:
            torch2trt.Error: E0108, always.
        """
        raise error("E0108", "IMoELayer.set_swiglu_params is not supported", "TensorRT has no effect for them yet")

    def _three(self, method: str, gate: ITensor, up: ITensor, down: ITensor) -> list[ITensor | None]:
        given = {"gate": gate, "up": up, "down": down}
        return [self._network._checked(tensor, f"IMoELayer.{method}", name) for name, tensor in given.items()]

    def _needs(self) -> list[ITensor | None]:
        return [*self._inputs, *self._weights, *self._biases]

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        x, selected, scores, *parameters = inputs
        weights, biases = parameters[:3], parameters[3:]
        self._check(e, x, selected, scores, weights)
        one, (batch, tokens, size), experts = Size(1), e.dims(x), e.dims(weights[0])[0]
        x4 = e.reshape(x, [one, batch, tokens, size])
        gate, up = (self._linear(e, x4, weights[k], biases[k]) for k in (0, 1))
        if self.activation_type is MoEActType.SILU:
            sigmoid = e.one("Activation", [gate], kind=ActivationType.SIGMOID, alpha=0.0, beta=0.0)
            gate = product(e, gate, sigmoid)
        each = self._linear(e, product(e, gate, up), weights[2], biases[2])
        shares = product(e, each, self._shares(e, selected, e.like(scores, x), experts))
        return e.layer("Reduce", [shares], op=ReduceOperation.SUM, axes=[0], keep_dims=False)

    def _check(self, e: Emitter, x: Ref, selected: Ref, scores: Ref, weights: list[Ref | None]) -> None:
        if any(weight is None for weight in weights):
            raise error(
                "E0107",
                "a mixture of experts has no weights",
                "call layer.set_gated_weights(gate, up, down, activation_type)",
            )
        for name, tensor, floating in (
            ("hidden states", x, True),
            ("selected experts", selected, False),
            ("scores", scores, True),
        ):
            if e.rank(tensor) != 3 or e.is_float(tensor) != floating or e.dtype(tensor) == "bool":
                kind = "floats" if floating else "integers"
                raise error(
                    "E0107", f"the {name} of a mixture of experts are {kind} of three axes, got {e.info(tensor)}"
                )
        if any(e.rank(weight) != 3 or not e.is_float(weight) for weight in weights):
            found = ", ".join(str(e.info(weight)) for weight in weights)
            raise error("E0107", f"the weights of experts are float tensors [experts, in, out], got {found}")

    def _linear(self, e: Emitter, x: Ref, weight: Ref, bias: Ref | None) -> Ref:
        """Of every expert: [1 or experts, B, S, in] becomes [experts, B, S, out]."""
        one, (experts, rows, columns) = Size(1), e.dims(weight)
        matrix = e.like(e.reshape(weight, [experts, one, rows, columns]), x)
        y = e.one("MatrixMultiply", [x, matrix], op0=MatrixOperation.NONE, op1=MatrixOperation.NONE)
        if bias is None:
            return y
        return of(e, ElementWiseOperation.SUM, y, e.like(e.reshape(bias, [experts, one, one, columns]), x))

    def _shares(self, e: Emitter, selected: Ref, scores: Ref, experts: Size) -> Ref:
        """How much of each expert's result a token takes: [experts, B, S, 1]."""
        one, chosen = Size(1), e.dims(selected)
        ids = e.reshape(ramp(e, experts), [experts, one, one, one])
        is_it = of(e, ElementWiseOperation.EQUAL, e.reshape(e.cast(selected, "int64"), [one, *chosen]), ids)
        zero = e.cast(e.constant(torch.zeros(1, 1, 1, 1)), e.dtype(scores))
        taken = e.one("Select", [is_it, e.reshape(scores, [one, *chosen]), zero])
        return e.one("Reduce", [taken], op=ReduceOperation.SUM, axes=[3], keep_dims=True)
