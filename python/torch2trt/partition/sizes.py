"""The ranges of the sizes that a part reads, from those of the whole model.

This file must not know how engines are built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.fx import Node as FxNode

from ..boundary import extra_axes
from ..capture import Whole
from ..capture.symbols import is_unbacked
from ..dynamic import Ranges
from .bounds import LARGEST, Bounds
from .engine import Shape
from .nodes import dtypes_of, inputs_of, symbols_of
from .parts import Part, Values
from .refusals import UnboundedSizeError


def ranges_of(
    whole: Whole,
    part: Part,
    profiles: Sequence[Ranges],
    values: dict[FxNode, torch.Tensor],
    bounds: Bounds,
    is_bounded: bool,
) -> list[dict[str, Any]]:
    """The ranges of a part's inputs, one dictionary a profile.

    Raises:
        UnboundedSizeError: a size depends on data and has no largest value, where one is needed.
    """
    inputs, dtypes = Values(inputs_of(whole.graph)), dtypes_of(part.inputs)
    found = []
    asked: list[Ranges | None] = [*profiles] or [None]
    for profile in asked:
        rows: dict[str, Any] = {}
        for k, (name, node) in enumerate(zip(part.graph.inputs, part.inputs, strict=True)):
            shape = zip(node.meta["val"].shape, values[node].shape, strict=True)
            axes = [_axis(bounds, inputs, size, profile, own) for size, own in shape]
            if is_bounded and any(high == LARGEST for _, _, high in axes):
                raise UnboundedSizeError(_with_symbols_of(part, node))
            rows[name] = [*axes, *extra_axes(dtypes, k)]
        found.append(rows)
    is_dynamic = any(low != high for rows in found for axes in rows.values() for low, _, high in axes)
    return found if is_dynamic and (profiles or is_bounded) else []


def _with_symbols_of(part: Part, read: FxNode) -> list[FxNode]:
    """The calls of a part that read a tensor, or make one whose sizes depend on the same data."""
    symbols = {symbol for symbol in symbols_of(read) if is_unbacked(symbol)}
    return [call for call in part.calls if read in call.all_input_nodes or symbols & symbols_of(call)]


def _axis(bounds: Bounds, inputs: Values, size: Any, profile: Ranges | None, own: int) -> tuple[int, int, int]:
    """Smallest, best and largest size of an axis."""
    if isinstance(size, int):
        return size, size, size
    expression = size.node.expr
    if any(map(is_unbacked, expression.free_symbols)):
        low, high = bounds.of(expression)
        return low, max(own, low), high
    if profile is None:
        return 0, own, LARGEST
    formula = inputs.size(expression)
    low, best, high = (
        int(formula.value([Shape(torch.Size(shape)) for shape in shapes]))
        for shapes in (profile.minimum, profile.best, profile.maximum)
    )
    return min(low, best, high), best, max(low, best, high)


__all__ = ["ranges_of"]
