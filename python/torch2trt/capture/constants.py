"""Values of tensors that follow from the model's weights alone.

Whoever converts a opaque call may need them as numbers: a kernel that the model scales before it convolves with it, a
mask made in `forward`. They are computed here, on the real weights, for the tensor arguments of opaque calls only.

This file must not know what a opaque call is for.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch.fx import Node as FxNode
from torch.fx.node import map_arg

from .export import AtenGraph
from .intercept import TARGET


def constant_arguments(graph: AtenGraph) -> dict[int, dict[int, torch.Tensor]]:
    """For each opaque call, by key, the values of those tensor arguments that no input decides, by position."""
    values = Values(graph)
    found: dict[int, dict[int, torch.Tensor]] = {}
    for node in graph.module.graph.nodes:
        if str(node.target) == TARGET:
            tensors, _, key = node.args
            found[key] = {k: values.of(tensor) for k, tensor in enumerate(tensors) if values.constant(tensor)}
    return found


class Values:
    """Values of nodes, computed when they are asked for."""

    def __init__(self, graph: AtenGraph) -> None:
        self.weights = {name: tensor for name, (_, tensor, _) in graph.weights.items()}
        self.decided: dict[FxNode, bool] = {}
        self.values: dict[FxNode, Any] = {}

    def add(self, node: FxNode, value: torch.Tensor) -> None:
        """Makes a constant known that the graph did not have."""
        self.weights[node.name] = value
        self.decided[node] = True

    def constant(self, node: FxNode) -> bool:
        """Whether the node follows from the weights alone."""
        pending = [node]
        while pending:
            current = pending[-1]
            before = [used for used in current.all_input_nodes if used not in self.decided]
            if current not in self.decided and before:
                pending.extend(before)
                continue
            pending.pop()
            self.decided.setdefault(current, self._is_constant(current))
        return self.decided[node]

    def _is_constant(self, node: FxNode) -> bool:
        if node.name in self.weights:
            return True
        if node.target is operator.getitem:
            return self.decided[node.args[0]]
        if not isinstance(node.target, torch._ops.OpOverload) or str(node.target) == TARGET:
            return False
        random = torch.Tag.nondeterministic_seeded in node.target.tags
        return not random and all(self.decided[used] for used in node.all_input_nodes)

    def of(self, node: FxNode) -> Any:
        """The value of a node that is constant."""
        order, pending = [], [node]
        while pending:
            current = pending.pop()
            if current not in self.values:
                order.append(current)
                pending.extend(current.all_input_nodes)
        with torch.no_grad():
            for current in reversed(order):
                if current not in self.values:
                    self.values[current] = self._compute(current)
        return self.values[node]

    def _compute(self, node: FxNode) -> Any:
        if node.name in self.weights:
            return self.weights[node.name]
        args, kwargs = (map_arg(part, self.values.__getitem__) for part in (node.args, node.kwargs))
        return node.target(*args, **kwargs)
