"""`flex_attention` as the plain operators that PyTorch defines it by.

PyTorch captures it as one operator with sub-graphs for the scores and the mask. Here it becomes a matrix product, the
model's own function of the scores for all positions at once, a mask, a softmax and a matrix product. PyTorch's own
definition (`math_attention`) makes a tensor of a number on the way, which its export refuses.

This file must not know what is captured.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch

from .detection import Change


def changes() -> list[Change]:
    """The operator's call, where this PyTorch has the operator."""
    try:
        # The package has the operator itself under the module's name.
        definitions = importlib.import_module("torch._higher_order_ops.flex_attention")
    except ImportError:
        return []
    operator = getattr(definitions, "FlexAttentionHOP", None)
    if operator is None:
        return []

    def change(_: Callable[..., Any]) -> Callable[..., Any]:
        def call(_operator: Any, *args: Any, **kwargs: Any) -> Any:
            return attention(*args, **kwargs)

        return call

    return [(operator, "__call__", change), (torch, "compile", _compiled_anew)]


def _compiled_anew(original: Callable[..., Any]) -> Callable[..., Any]:
    """`torch.compile` without what Dynamo has for the attention of earlier calls.

    `flex_attention` compiles the operator in each call. Dynamo looks for what fits among earlier calls, and a symbolic
    size that is compared with theirs becomes a fixed one. Its cache belongs to the code of the function.
    """

    def compile(function: Any = None, *args: Any, **kwargs: Any) -> Any:
        if getattr(function, "__name__", "") == "_flex_attention_hop_wrapper":
            code, closure = function.__code__.replace(), function.__closure__
            function = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, closure)
        return original(function, *args, **kwargs)

    return compile


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    score_mod: Callable[..., torch.Tensor],
    block_mask: tuple[Any, ...],
    scale: float,
    kernel_options: dict[str, Any],
    score_mod_other_buffers: tuple[Any, ...] = (),
    mask_mod_other_buffers: tuple[Any, ...] = (),
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The attention, and for each row the base-2 logarithm of the sum of its exponentials and its largest score."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    wide = torch.float64 if query.dtype == torch.float64 else torch.float32
    scores = (query.to(wide) @ key.to(wide).transpose(-2, -1)) * scale
    positions = [torch.arange(size, device=scores.device) for size in scores.shape]
    scores = _everywhere(score_mod, (0,), score_mod_other_buffers)(scores, *positions, *score_mod_other_buffers)
    mask = _everywhere(block_mask[-1], (), mask_mod_other_buffers)(*positions, *mask_mod_other_buffers)
    scores = scores.to(wide).masked_fill(~mask, -math.inf)
    largest = scores.amax(-1)
    nothing = largest == -math.inf
    weights = scores.softmax(-1).masked_fill(nothing[..., None], 0.0)
    sums = scores.logsumexp(-1).masked_fill(nothing, -math.inf)
    return weights.to(query.dtype) @ value, sums / math.log(2), largest / math.log(2)


def _everywhere(function: Callable[..., Any], front: tuple[int, ...], buffers: tuple[Any, ...]) -> Callable[..., Any]:
    """A function of a batch, a head, a query's and a key's position for all of them at once; what is in front of these
    arguments has all four axes.
    """
    for axis in reversed(range(4)):
        positions = tuple(0 if k == axis else None for k in range(4))
        function = torch.vmap(function, in_dims=(*front, *positions, *(None for _ in buffers)))
    return function
