"""`resize_` and `resize_as_` as functions, before a graph is decomposed.

PyTorch's own decomposition fails for sizes that are symbolic. A resized tensor holds the elements of the old one in the
order of memory; the elements that are new are undefined in PyTorch.

This file must not know how the rest of a graph is decomposed.
"""

from __future__ import annotations

from typing import Any

import torch

from ..deferred import symbolic_shapes

_aten = torch.ops.aten
_FUNCTIONS: dict[Any, Any] = {
    _aten.resize_.default: _aten.resize.default,
    _aten.resize_as_.default: _aten.resize_as.default,
}


def functional_resizes(module: torch.fx.GraphModule) -> None:
    """Replaces calls that resize a tensor in place where nothing else reads that tensor after them."""
    graph, changed = module.graph, False
    places = {node: place for place, node in enumerate(graph.nodes)}
    for node in [node for node in graph.nodes if node.target in _FUNCTIONS]:
        tensor, size = node.args
        order = _order(tensor.meta["val"])
        if order is None or any(places[user] > places[node] for user in tensor.users):
            continue
        with graph.inserting_before(node):
            if order != sorted(order):
                value = tensor.meta["val"].permute(order)
                tensor = graph.call_function(_aten.permute.default, (tensor, order))
                tensor.meta.update(node.meta, val=value)
            function = graph.call_function(_FUNCTIONS[node.target], (tensor, size))
        function.meta.update(node.meta)
        node.replace_all_uses_with(function)
        graph.erase_node(node)
        changed = True
    if changed:
        module.recompile()


def _order(value: torch.Tensor) -> list[int] | None:
    """The axes of a tensor in the order of memory; None of one that does not fill its memory, or begins within it."""
    try:
        axes = sorted(range(value.dim()), key=lambda axis: (value.stride(axis), value.shape[axis] != 1), reverse=True)
        return axes if value.storage_offset() == 0 and value.permute(axes).is_contiguous() else None
    except symbolic_shapes.GuardOnDataDependentSymNode:
        return None


__all__ = ["functional_resizes"]
