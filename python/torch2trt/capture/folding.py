"""Operators that the reader of a program lacks, evaluated where they follow from the model's weights alone.

Orthogonal parametrizations and the like compute weights by a matrix exponential, a QR or a singular value
decomposition in every call. No target has those, and none needs them: their values are the same in every call.

Only these operators are evaluated. What is known stays a layer over the model's own weights, which are borrowed and
refitted by name.

This file must not know how the graph was captured.
"""

from __future__ import annotations

import operator
from collections.abc import Collection
from typing import Any

import torch
from torch.fx import Node as FxNode

from .constants import Values
from .export import AtenGraph
from .schema import DTYPES

_PARTLY_KNOWN = ("aten.linalg_matrix_norm.default", "aten.linalg_matrix_norm.str_ord")
"""Operators of which some arguments need singular values: known, and yet not for every call."""


def fold_unknown(graph: AtenGraph, known: Collection[str]) -> None:
    """Replaces the operators that are not `known`, and that no input decides, by their values."""
    values = Values(graph)
    for node in list(graph.module.graph.nodes):
        if not _needs_folding(node, known) or not values.constant(node):
            continue
        try:
            value = values.of(node)
        except Exception:  # an operator without a kernel for these dtypes or this device: reported as unsupported
            continue
        _replace(graph, values, node, value)


def _needs_folding(node: FxNode, known: Collection[str]) -> bool:
    if not isinstance(node.target, torch._ops.OpOverload) or node.target._schema.is_mutable:
        return False
    if str(node.target) not in known or str(node.target) in _PARTLY_KNOWN:
        return any(isinstance(value, torch.Tensor) for value in _parts(node.meta.get("val")))
    # A known operator may take what has no form in a program, such as complex eigenvalues.
    taken = [part for used in node.all_input_nodes for part in _parts(used.meta.get("val"))]
    return any(isinstance(part, torch.Tensor) and (part.dtype.is_complex or part.dtype not in DTYPES) for part in taken)


def _replace(graph: AtenGraph, values: Values, node: FxNode, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        _bind(graph, values, node, value)
    for user in list(node.users):
        if user.target is operator.getitem and isinstance(part := value[user.args[1]], torch.Tensor):
            _bind(graph, values, user, part)


def _bind(graph: AtenGraph, values: Values, node: FxNode, tensor: torch.Tensor) -> None:
    """Puts a constant in the place of a node."""
    name = f"_folded_{node.name}"
    graph.module.register_buffer(name, tensor.detach(), persistent=False)
    with graph.module.graph.inserting_before(node):
        constant = graph.module.graph.get_attr(name)
    constant.meta.update(node.meta, val=tensor.detach())
    node.replace_all_uses_with(constant)
    graph.outputs[:] = [constant if value is node else value for value in graph.outputs]
    graph.weights[constant.name] = (name, tensor.detach(), "constant")
    values.add(constant, tensor.detach())


def _parts(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


__all__ = ["fold_unknown"]
