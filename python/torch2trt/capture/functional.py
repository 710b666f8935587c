"""Exported graphs without writes in place, where that can be seen from the graph alone.

`run_decompositions({})` makes any graph functional by tracing it again, which takes as long as the export. Most graphs
need no trace: they write in place only to memory that nothing else reads afterwards (`relu_` after a convolution), and
each such write becomes a call of the functional operator. Composite operators stay as the model wrote them.

This file must not know which models it is for. A graph that it cannot judge stays as it is, and is traced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
from torch._ops import OpOverload
from torch.fx import Graph, Node
from torch.fx.node import map_arg
from torch.utils import _pytree as pytree

from .decompose import may_have_rule
from .symbols import is_unbacked

_aten = torch.ops.aten

_INFERENCE: dict[OpOverload, Callable[[dict[str, Any]], bool]] = {
    _aten.batch_norm.default: lambda given: not given["training"],
    _aten.dropout.default: lambda given: not given["train"],
    _aten.alpha_dropout.default: lambda given: not given["train"],
    _aten.feature_dropout.default: lambda given: not given["train"],
    _aten.feature_alpha_dropout.default: lambda given: not given["train"],
    _aten.atleast_1d.default: lambda given: True,
    _aten.atleast_2d.default: lambda given: True,
    _aten.atleast_3d.default: lambda given: True,
    _aten.unsafe_chunk.default: lambda given: True,
}
"""Operators that may write or return an argument without a mark in their schema, and when they write nothing."""

_HIDDEN = getattr(torch.Tag, "maybe_aliasing_or_mutating", None)
"""PyTorch's tag of operators with such a schema. In versions without the tag every graph is traced."""


def made_functional(graph: Graph, known: Collection[str] | None) -> bool:
    """Replaces the writes in place of an exported graph by functional operators.

    Returns whether that was possible: no operator writes in place any more, and all of them are `known` (None: all
    are). Otherwise the graph is as it was.
    """
    if _HIDDEN is None:
        return False
    nodes = list(graph.nodes)
    if not all(map(_is_plain, nodes)):
        return False
    storages = _Storages(nodes)
    writes: dict[Node, OpOverload | None] = {}
    for place, node in enumerate(nodes):
        if not isinstance(node.target, OpOverload) or node.op != "call_function":
            continue
        operator = node.target
        if operator._schema.is_mutable:
            if not storages.ends(place, node):
                return False
            writes[node] = operator = _functional(node)
            if operator is None and node.target is not _aten.detach_.default:
                return False
        if operator is not None and not _is_sound(operator, node, known):
            return False
    _replace(graph, nodes, writes)
    return True


class _Storages:
    """Which nodes share memory, and where they are read."""

    def __init__(self, nodes: list[Node]) -> None:
        self.places = {node: place for place, node in enumerate(nodes)}
        self.members: dict[int, list[Node]] = defaultdict(list)
        self.tensors: dict[Node, Node] = {}
        for node in nodes:
            for storage in _storages_of(node):
                self.members[storage].append(node)

    def ends(self, place: int, node: Node) -> bool:
        """Whether a write in place is to memory that nothing reads afterwards but by the tensor that is written.

        Notes that the node is that tensor.
        """
        written = node.args[0] if node.args else None
        if not isinstance(written, Node) or not isinstance(written.meta.get("val"), torch.Tensor):
            return False
        tensor = self.tensors.get(written, written)
        self.tensors[node] = tensor
        if node.target is _aten.detach_.default:
            return True
        members = [member for storage in _storages_of(written) for member in self.members[storage]]
        return all(self._is_over(member, tensor, place) for member in members)

    def _is_over(self, member: Node, tensor: Node, place: int) -> bool:
        if member.op != "call_function":
            return False
        if self.tensors.get(member, member) is tensor or self.places[member] >= place:
            return True
        return all(self.places[user] <= place for user in member.users)


def _storages_of(node: Node) -> Iterator[int]:
    for value in pytree.tree_leaves(node.meta.get("val")):
        if isinstance(value, torch.Tensor) and value.layout is torch.strided:
            yield value.untyped_storage()._cdata


def _is_plain(node: Node) -> bool:
    """Whether a node is one operator of the dispatcher on real numbers, a size, or what a graph begins and ends with.

    Sizes that follow from data are renamed by a trace, and converters of complex numbers are for what a trace leaves.
    """
    if node.op not in ("placeholder", "call_function", "output"):
        return False
    if isinstance(node.target, torch._ops.HigherOrderOperator):
        return False
    for value in pytree.tree_leaves(node.meta.get("val")):
        is_tensor = isinstance(value, torch.Tensor)
        if is_tensor and (value.dtype.is_complex or torch._C._functorch.is_functorch_wrapped_tensor(value)):
            return False
        if any(map(_is_from_data, value.shape if is_tensor else (value,))):
            return False
    return True


def _is_from_data(number: Any) -> bool:
    if not isinstance(number, (torch.SymInt, torch.SymFloat, torch.SymBool)):
        return False
    return any(is_unbacked(symbol) for symbol in number.node.expr.free_symbols)


def _is_sound(operator: OpOverload, node: Node, known: Collection[str] | None) -> bool:
    """Whether an operator does what its schema specifies, and is known."""
    if _HIDDEN in operator.tags:
        condition = _INFERENCE.get(operator)
        if condition is None or not condition(_arguments(operator, node)):
            return False
    makes_tensors = any(isinstance(value, torch.Tensor) for value in pytree.tree_leaves(node.meta.get("val")))
    return known is None or not may_have_rule(operator) or not makes_tensors or str(operator) in known


def _arguments(operator: OpOverload, node: Node) -> dict[str, Any]:
    """The arguments of a call by name, defaults included."""
    declared = operator._schema.arguments
    given = {argument.name: argument.default_value for argument in declared if argument.has_default_value()}
    given.update(zip((argument.name for argument in declared), node.args, strict=False))
    return {**given, **node.kwargs}


def _functional(node: Node) -> OpOverload | None:
    """The operator that computes what a call writes in place; None without one of the same arguments and dtype."""
    schema = node.target._schema
    namespace, _, name = schema.name.partition("::")
    if not name.endswith("_") or len(schema.returns) != 1:
        return None
    packet = getattr(getattr(torch.ops, namespace), name[:-1], None)
    operator = getattr(packet, node.target._overloadname, None)
    if operator is None or operator._schema.is_mutable or not _is_alike(schema, operator._schema):
        return None
    if sum(argument.alias_info is not None for argument in schema.arguments) != 1:
        return None
    return operator if _dtype(operator, node) is node.meta["val"].dtype else None


def _dtype(operator: OpOverload, node: Node) -> torch.dtype | None:
    """The dtype that an operator returns for the arguments of a call; None where that cannot be seen."""

    def hollow(argument: Node) -> Any:
        value = argument.meta.get("val")
        if isinstance(value, torch.Tensor):
            return torch.empty([1] * value.dim(), dtype=value.dtype, device="meta")
        return 1 if isinstance(value, torch.SymInt) else value

    try:
        return operator(*map_arg(node.args, hollow), **map_arg(node.kwargs, hollow)).dtype
    except Exception:  # whatever an operator raises for tensors of one element
        return None


def _is_alike(written: Any, functional: Any) -> bool:
    """Whether two schemas take the same arguments; the first may be called otherwise."""
    names = [[argument.name for argument in schema.arguments[1:]] for schema in (written, functional)]
    types = [[str(argument.type) for argument in schema.arguments] for schema in (written, functional)]
    return names[0] == names[1] and types[0] == types[1] and len(functional.returns) == 1


def _replace(graph: Graph, nodes: list[Node], writes: dict[Node, OpOverload | None]) -> None:
    """Puts functional calls in the place of writes; what reads a written tensor afterwards reads the result."""
    results: dict[Node, Node] = {}

    def latest(node: Node) -> Node:
        while node in results:
            node = results[node]
        return node

    for node in nodes:
        if any(used in results for used in node.all_input_nodes):
            node.args, node.kwargs = map_arg(node.args, latest), map_arg(node.kwargs, latest)
        if node not in writes:
            continue
        operator, written = writes[node], node.args[0]
        if operator is None:  # detach_: the tensor itself
            results[node] = written
            continue
        with graph.inserting_before(node):
            name = operator._schema.name.partition("::")[2]
            result = graph.create_node("call_function", operator, node.args, node.kwargs, name=name)
        result.meta.update(node.meta)
        results[written] = results[node] = result
    for node in reversed(list(writes)):
        graph.erase_node(node)


__all__ = ["made_functional"]
