"""Which nodes of a captured graph its outputs need.

This file must not know how they are recorded.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node as FxNode

from .export import AtenGraph
from .floats import is_sized_float
from .symbols import is_unbacked


def live_nodes(graph: AtenGraph, nodes: dict[str, FxNode]) -> dict[FxNode, None]:
    """The nodes that some output needs, in graph order.

    The value of a size is known without the tensor it was taken from, so the search does not go through
    sizes, except those found in data, which the tensor that has such a size defines, and floats, which are computed.
    """
    pending = [value for value in graph.outputs if isinstance(value, FxNode)]
    found: set[FxNode] = set()
    while pending:
        node = pending.pop()
        if node not in found:
            found.add(node)
            if not is_number(value := node.meta.get("val")) or is_data_dependent(value) or is_sized_float(value):
                pending.extend(node.all_input_nodes)
    return {node: None for node in nodes.values() if node in found}


def is_number(value: Any) -> bool:
    """Whether a value of a graph is a number, symbolic or not."""
    return isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool, bool, int, float))


def is_data_dependent(value: Any) -> bool:
    """Whether a number is read out of a tensor, or follows from a size that depends on data."""
    symbolic = isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool))
    return symbolic and any(is_unbacked(symbol) for symbol in value.node.expr.free_symbols)


__all__ = ["is_data_dependent", "is_number", "live_nodes"]
