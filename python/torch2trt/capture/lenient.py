"""A walk past calls that have no form in a program: the graph is cut into parts afterwards.

This file must not know which calls convert.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch.fx import Node as FxNode
from torch.utils import _pytree as pytree

from .errors import CaptureError
from .export import AtenGraph
from .live import is_number
from .origin import origin_of
from .program import Kind, Node, Output, Progress
from .walk import TENSOR_LISTS, Walked, _Walker, walked_by


def walk_all(graph: AtenGraph, names: list[str], samples: list[torch.Tensor], progress: Progress) -> Walked:
    """As `walk`, and calls that have no form in a program are no error."""
    return walked_by(_LenientWalker(graph), names, samples, progress)


class _LenientWalker(_Walker):
    """A walk past calls that have no form in a program."""

    def record(self, node: FxNode) -> None:
        try:
            super().record(node)
        except CaptureError as refused:
            self.refused[node] = refused
            self._record_opaque(node)

    def bind_weight(self, node: FxNode, name: str, tensor: torch.Tensor, kind: Kind) -> None:
        try:
            super().bind_weight(node, name, tensor, kind)
        except CaptureError:
            self.ids[node] = None  # an error of whatever reads it

    def _record_opaque(self, node: FxNode) -> None:
        """The call with the tensors that it reads, and those of its outputs that engines have."""
        value = node.meta.get("val")
        if node.target is operator.getitem or is_number(value):
            self.ids[node] = None
            return
        reads = [self.ids.get(read) for read in node.all_input_nodes]
        args = [(f"arg{k}", ("value", read)) for k, read in enumerate(reads) if isinstance(read, int)]
        outputs = [self._output_or_none(f"{node.name}.{k}", item) for k, item in enumerate(pytree.tree_leaves(value))]
        ids = [None if output is None else self._new_id() for output in outputs]
        self.ids[node] = ids if isinstance(value, TENSOR_LISTS) else ids[0] if ids else None
        target = (
            str(node.target)
            if isinstance(node.target, torch._ops.OpOverload)
            else f"higher_order.{node.target}.default"
        )
        self.program.nodes.append(Node(target, args, outputs, ids, origin_of(node)))

    def _output_or_none(self, name: str, value: Any) -> Output | None:
        try:
            return self._output(name, value) if isinstance(value, torch.Tensor) else None
        except CaptureError:
            return None


__all__ = ["walk_all"]
