"""Kept calls that PyTorch runs after all: their nodes call the original methods.

This file must not know why a call runs in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.fx import Graph, GraphModule
from torch.fx import Node as FxNode
from torch.utils import _pytree as pytree

from .intercept import TARGET, OpaqueCall, Slot, decode


def opaque_nodes(graph: Graph) -> dict[int, FxNode]:
    """The nodes of opaque calls, by key."""
    return {key: node for node in graph.nodes if (key := key_of(node)) is not None}


def key_of(node: FxNode) -> int | None:
    """The key of a opaque call; None for another node."""
    return node.args[2] if node.op == "call_function" and str(node.target) == TARGET else None


def with_originals(module: GraphModule, calls: Mapping[int, OpaqueCall]) -> GraphModule:
    """The module with calls of the original methods in the place of opaque calls; itself where it has none."""
    if not opaque_nodes(module.graph):
        return module
    graph = Graph()
    graph.output(graph.graph_copy(module.graph, {}))
    for key, node in opaque_nodes(graph).items():
        node.target = original(calls[key])
    return GraphModule(module, graph)


def original(call: OpaqueCall) -> Callable[..., list[torch.Tensor]]:
    """The method of a opaque call, with the arguments and outputs of its node."""

    def run(tensors: list[torch.Tensor], sizes: list[int], key: int) -> list[torch.Tensor]:
        if call.inner:  # the operators inside are captured too, and these are their results
            return list(tensors[-call.inner :])
        own = [tensor.clone() if index in call.hidden else tensor for index, tensor in enumerate(tensors)]
        filled: dict[str, Any] = {"tensor": own, "argument": own, "size": sizes}
        args, kwargs = decode((call.args, call.kwargs), filled)
        returned = pytree.tree_leaves(call.method.function(*args, **kwargs))
        places = pytree.tree_leaves(call.result)
        outputs = [
            value
            for place, value in zip(places, returned, strict=True)
            if isinstance(place, Slot) and place.kind == "output"
        ]
        return [*outputs, *(own[index] for index in call.hidden)]

    run.__name__ = run.__qualname__ = call.method.name.replace(".", "_")
    return run


__all__ = ["key_of", "opaque_nodes", "original", "with_originals"]
