"""The largest values of sizes that depend on data: an engine needs one for each axis.

torch.export has a bound where the tensor that is searched has fixed sizes. Here each further one follows from the
sizes of that tensor: `nonzero` finds at most as many elements as there are.

This file must not know how a graph is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.fx import Node as FxNode

from ..capture.export import AtenGraph
from ..capture.symbols import is_unbacked
from ..deferred import value_ranges
from ..dynamic import Ranges
from .nodes import inputs_of

LARGEST = 2**31 - 1
"""What stands for a size without a largest value."""

_COUNTED = {
    **dict.fromkeys(("nonzero", "where", "unique_dim", "unique_consecutive", "_unique2"), 0),
    **dict.fromkeys(("masked_select", "index", "nms"), 1),
}
"""Operators that return some of the elements of a tensor: the operand that has one for each."""


class Bounds:
    """The smallest and largest values of sizes of a captured graph."""

    def __init__(self, graph: AtenGraph, profiles: Sequence[Ranges]) -> None:
        self._ranges: dict[Any, value_ranges.ValueRanges[Any]] = {
            symbol: value_ranges.ValueRanges(low, LARGEST if high is None else high)
            for symbol, (low, high) in graph.ranges.items()
        }
        for node, axes in zip(inputs_of(graph), limits_of(graph, profiles), strict=True):
            for size, (low, high) in zip(node.meta["val"].shape, axes, strict=True):
                if not isinstance(size, int) and size.node.expr.is_Symbol:
                    self._ranges[size.node.expr] = value_ranges.ValueRanges(low, high)
        for node in graph.module.graph.nodes:
            self._note(node)

    def of(self, expression: Any) -> tuple[int, int]:
        """The smallest and the largest value; `LARGEST` where there is none."""
        unknown = {symbol: value_ranges.ValueRanges(0, LARGEST) for symbol in expression.free_symbols}
        found = value_ranges.bound_sympy(expression, {**unknown, **self._ranges})
        return max(_integer(found.lower), 0), _integer(found.upper)

    def _note(self, node: FxNode) -> None:
        """Bounds the symbol that a node's tensors have as a size, where no bound is known."""
        counted = _COUNTED.get(getattr(node.target, "_opname", ""))
        if counted is None or len(node.args) <= counted:
            return
        operand = node.args[counted]
        searched = next((read.meta.get("val") for read in _nodes(operand)), None)
        if not isinstance(searched, torch.Tensor):
            return
        count = searched.numel()
        high = count if isinstance(count, int) else self.of(count.node.expr)[1]
        value = node.meta.get("val")
        for tensor in value if isinstance(value, (list, tuple)) else [value]:
            for size in getattr(tensor, "shape", ()):
                symbol = None if isinstance(size, int) else size.node.expr
                if symbol is not None and symbol.is_Symbol and is_unbacked(symbol):
                    low, known = self.of(symbol)
                    self._ranges[symbol] = value_ranges.ValueRanges(low, max(low, min(known, high)))


def limits_of(graph: AtenGraph, profiles: Sequence[Ranges]) -> list[list[tuple[int, int]]]:
    """The smallest and the largest size of each axis of the whole model's inputs."""
    found = []
    for k, node in enumerate(inputs_of(graph)):
        axes = []
        for axis, size in enumerate(node.meta["val"].shape):
            if isinstance(size, int):
                axes.append((size, size))
            elif profiles:
                rows = [profile.axes(k)[axis] for profile in profiles]
                axes.append((min(low for low, _, _ in rows), max(high for _, _, high in rows)))
            else:
                low, high = graph.ranges.get(size.node.expr, (0, None))
                axes.append((low, LARGEST if high is None else high))
        found.append(axes)
    return found


def _nodes(operand: Any) -> list[FxNode]:
    return [one for one in (operand if isinstance(operand, (list, tuple)) else [operand]) if isinstance(one, FxNode)]


def _integer(value: Any) -> int:
    return min(int(value), LARGEST) if value.is_Integer else LARGEST if value.is_positive else 0


__all__ = ["LARGEST", "Bounds", "limits_of"]
