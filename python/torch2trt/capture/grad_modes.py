"""Blocks of a graph that only switch gradients: their operators move into the graph around them.

This file must not know where the graph comes from.
"""

from __future__ import annotations

import torch
from torch.fx import Node as FxNode


def inline_grad_modes(module: torch.fx.GraphModule) -> None:
    """Replaces every block that only switches gradients by its body."""
    graph = module.graph
    for node in list(graph.nodes):
        if getattr(node.target, "__name__", "") != "wrap_with_set_grad_enabled":
            continue
        _, body, *operands = node.args
        inner = getattr(module, body.target)
        inline_grad_modes(inner)
        with graph.inserting_before(node):
            results = graph.graph_copy(inner.graph, dict(zip(_placeholders(inner), operands)))
        for user in list(node.users):
            user.replace_all_uses_with(results[user.args[1]])
            graph.erase_node(user)
        graph.erase_node(node)


def _placeholders(module: torch.fx.GraphModule) -> list[FxNode]:
    return [node for node in module.graph.nodes if node.op == "placeholder"]
