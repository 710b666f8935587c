"""The symbolic sizes of a graph of Dynamo's, and the ranges that an engine is built for.

This file must not know how engines are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

SMALLEST_END = 16
"""The least upper end of a range: the next batches are often larger than the first."""

_Range = tuple[int, int]


@dataclass(frozen=True)
class Sizes:
    """The symbolic sizes of a graph's inputs.

    Attributes:
        symbols: the symbols, each with the input and the axis whose size it is.
        numbers: inputs that are integers, and the size of a tensor besides: the symbol of each.
        shapes: the shape of each tensor, over the symbols; None of other inputs.
        limits: the smallest and the largest value of each symbol; None without a largest.
    """

    symbols: dict[Any, tuple[int, int]]
    numbers: dict[int, Any]
    shapes: list[tuple[Any, ...] | None]
    limits: list[tuple[int, int | None]]

    def of(self, inputs: Sequence[Any]) -> tuple[int, ...]:
        """The value of each symbol in a call."""
        return tuple(inputs[index].shape[axis] for index, axis in self.symbols.values())

    def ranges(self, values: Sequence[int], known: Sequence[Sequence[_Range]]) -> tuple[_Range, ...]:
        """The ranges of a new engine: they hold these values, and those of the engines so far.

        A range that Dynamo limits is taken whole. One without an end reaches to twice the next power of two, so that
        sizes that grow need few engines.
        """
        found = []
        for k, (value, (low, high)) in enumerate(zip(values, self.limits, strict=True)):
            reached = max((ranges[k][1] for ranges in known), default=0)
            if high is None:
                high = reached if value <= reached else max(SMALLEST_END, 2 << (value - 1).bit_length())
            found.append((min(value, max(low, 1)), max(value, high)))
        return tuple(found)

    def shapes_at(self, values: Sequence[int]) -> list[tuple[int, ...] | None]:
        """The shape of each tensor where the symbols have these values."""
        found = dict(zip(self.symbols, values, strict=True))
        return [
            None if shape is None else tuple(one if isinstance(one, int) else int(one.subs(found)) for one in shape)
            for shape in self.shapes
        ]


def sizes_of(graph: torch.fx.GraphModule) -> Sizes | None:
    """The symbolic sizes of a graph; None without any, or where one is not the size of an axis."""
    placeholders = [node.meta.get("example_value") for node in graph.graph.nodes if node.op == "placeholder"]
    shapes: list[tuple[Any, ...] | None] = []
    symbols, numbers = dict[Any, tuple[int, int]](), dict[int, Any]()
    for index, value in enumerate(placeholders):
        if not isinstance(value, torch.Tensor):
            shapes.append(None)
            continue
        shape = tuple(size if isinstance(size, int) else size.node.expr for size in value.shape)
        shapes.append(shape)
        for axis, size in enumerate(shape):
            if not isinstance(size, int) and size.is_Symbol:
                symbols.setdefault(size, (index, axis))
    for index, value in enumerate(placeholders):
        if isinstance(value, torch.SymInt) and value.node.expr in symbols:
            numbers[index] = value.node.expr
    used = set().union(*(size.free_symbols for shape in shapes for size in shape or () if not isinstance(size, int)))
    environment = next((size.node.shape_env for value in placeholders for size in _symbolic(value)), None)
    if not symbols or environment is None or used - set(symbols):
        return None
    return Sizes(symbols, numbers, shapes, [_limits(environment.var_to_range.get(symbol)) for symbol in symbols])


def _symbolic(value: Any) -> list[torch.SymInt]:
    sizes = value.shape if isinstance(value, torch.Tensor) else [value]
    return [size for size in sizes if isinstance(size, torch.SymInt)]


def _limits(known: Any) -> tuple[int, int | None]:
    if known is None:
        return 1, None
    return int(known.lower) if known.lower.is_Integer else 1, int(known.upper) if known.upper.is_Integer else None


__all__ = ["SMALLEST_END", "Sizes", "sizes_of"]
