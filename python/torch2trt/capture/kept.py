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

from .intercept import TARGET, Kept, Slot, decode


def kept_nodes(graph: Graph) -> dict[int, FxNode]:
    """The nodes of kept calls, by key."""
    return {key: node for node in graph.nodes if (key := key_of(node)) is not None}


def key_of(node: FxNode) -> int | None:
    """The key of a kept call; None for another node."""
    return node.args[2] if node.op == "call_function" and str(node.target) == TARGET else None


def with_originals(module: GraphModule, calls: Mapping[int, Kept]) -> GraphModule:
    """The module with calls of the original methods in the place of kept calls; itself where it has none."""
    if not kept_nodes(module.graph):
        return module
    graph = Graph()
    graph.output(graph.graph_copy(module.graph, {}))
    for key, node in kept_nodes(graph).items():
        node.target = original(calls[key])
    return GraphModule(module, graph)


def original(kept: Kept) -> Callable[..., list[torch.Tensor]]:
    """The method of a kept call, with the arguments and outputs of its node."""

    def run(tensors: list[torch.Tensor], sizes: list[int], key: int) -> list[torch.Tensor]:
        if kept.inner:  # the operators inside are captured too, and these are their results
            return list(tensors[-kept.inner :])
        own = [tensor.clone() if index in kept.hidden else tensor for index, tensor in enumerate(tensors)]
        filled: dict[str, Any] = {"tensor": own, "argument": own, "size": sizes}
        args, kwargs = decode((kept.args, kept.kwargs), filled)
        returned = pytree.tree_leaves(kept.method.function(*args, **kwargs))
        places = pytree.tree_leaves(kept.result)
        outputs = [
            value
            for place, value in zip(places, returned, strict=True)
            if isinstance(place, Slot) and place.kind == "output"
        ]
        return [*outputs, *(own[index] for index in kept.hidden)]

    run.__name__ = run.__qualname__ = kept.method.name.replace(".", "_")
    return run


__all__ = ["kept_nodes", "key_of", "original", "with_originals"]
