"""What the nodes of a captured graph are: dtypes, sizes, numbers, and the symbols in them.

This file must not know how a graph is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.fx import Graph
from torch.fx import Node as FxNode

if TYPE_CHECKING:
    from ..capture.export import AtenGraph


def inputs_of(graph: AtenGraph) -> list[FxNode]:
    """The placeholders of a graph's input tensors, in order."""
    nodes = {node.name: node for node in graph.module.graph.nodes}
    return [nodes[name] for name in graph.inputs]


def dtypes_of(nodes: Sequence[FxNode]) -> list[str]:
    """The dtype of each node's tensor, or of the 0-D tensor that stands for a number."""
    return [_dtype(node.meta["val"]) for node in nodes]


def _dtype(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return str(value.dtype).removeprefix("torch.")
    return "bool" if isinstance(value, torch.SymBool) else "int64" if isinstance(value, torch.SymInt) else "float64"


def is_size(node: FxNode) -> bool:
    """Whether a node is a number that follows from shapes, also from those that depend on data."""
    value = node.meta.get("val")
    if isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)):
        return not value.node.expr.free_symbols & _numbers(node.graph)
    return isinstance(value, (bool, int, float))


def _numbers(graph: Graph) -> set[Any]:
    """The symbols of numbers that `.item()` reads out of tensors."""
    known = graph.__dict__.get("_read_numbers")
    if known is None:
        known = set()
        for node in graph.nodes:
            if node.target in (torch.ops.aten.item.default, torch.ops.aten._local_scalar_dense.default):
                value = node.meta.get("val")
                if isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)):
                    known |= value.node.expr.free_symbols
        graph.__dict__["_read_numbers"] = known
    return known


def _shapes(node: FxNode) -> Iterator[Any]:
    value = node.meta.get("val")
    for tensor in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(tensor, torch.Tensor):
            yield from (size.node.expr for size in tensor.shape if isinstance(size, torch.SymInt))


def symbols_of(node: FxNode) -> set[Any]:
    """The symbols in the sizes of a node's tensors, or in the number that it is."""
    value = node.meta.get("val")
    if isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)):
        return set(value.node.expr.free_symbols)
    return set().union(*(expression.free_symbols for expression in _shapes(node)))


def axes_of(node: FxNode) -> set[Any]:
    """The symbols that are an axis of a node's tensors by themselves."""
    return {expression for expression in _shapes(node) if expression.is_Symbol}


__all__ = ["axes_of", "dtypes_of", "inputs_of", "is_size", "symbols_of"]
