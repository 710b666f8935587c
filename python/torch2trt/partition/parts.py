"""A captured graph cut into parts: graphs of their own, and the values that cross from one to another.

A part is an fx graph whose placeholders are the tensors and the sizes that it reads, and whose weights are attributes
that share the model's memory. It can be run in PyTorch, or walked into a program like the graph of a whole model.

This file must not know why a call does not run in an engine.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch.fx import Graph, GraphModule
from torch.fx import Node as FxNode
from torch.utils import _pytree as pytree

from ..capture.export import AtenGraph
from ..capture.intercept import Kept
from ..capture.kept import key_of, with_originals
from ..capture.origin import origin_of
from ..capture.size import Size, size_of
from ..capture.symbols import is_unbacked
from ..capture.tree import RUNTIME, OutputTree
from .phases import without_small_engines

_HEAVY = ("conv", "mm", "linear", "attention", "lstm", "gru", "rnn", "einsum", "bmm", "matmul")
LEAST = 5


@dataclass
class Part:
    """One part of a partition.

    Attributes:
        is_engine: whether it becomes an engine; otherwise PyTorch runs it.
        calls: its operator calls, nodes of the captured graph in order.
        inputs: the tensors that it reads, nodes of the captured graph.
        sizes: the sizes that it reads.
        outputs: the tensors that later parts and the caller read.
        graph: the part as a captured graph.
        sources: of each node of `graph`, the node of the captured graph.
        reasons: for a part that runs in PyTorch: each reason, and the calls that it applies to.
    """

    is_engine: bool
    calls: list[FxNode]
    inputs: list[FxNode]
    sizes: list[FxNode]
    outputs: list[FxNode]
    graph: AtenGraph
    sources: dict[FxNode, FxNode] = field(default_factory=dict)
    reasons: dict[str, list[str]] = field(default_factory=dict)

    def run(self, tensors: Sequence[torch.Tensor], sizes: Sequence[float]) -> list[torch.Tensor]:
        """The part in PyTorch."""
        with torch.no_grad():
            return list(self.in_pytorch(*tensors, *sizes))

    @cached_property
    def in_pytorch(self) -> GraphModule:
        """The part as PyTorch runs it: calls that were kept whole are calls of the methods themselves."""
        return with_originals(self.graph.module, self.graph.kept)

    @cached_property
    def bytes(self) -> int | None:
        """Bytes of the tensors that it reads, at the sizes of the sample; None where a size depends on data."""
        total = 0
        for node in self.inputs:
            value = node.meta["val"]
            if not isinstance(value, torch.Tensor):
                continue
            sizes = [size if isinstance(size, int) else size.node.hint for size in value.shape]
            if None in sizes:
                return None
            total += torch.Size(sizes).numel() * value.element_size()
        return total


@dataclass(frozen=True)
class Values:
    """The tensors of the captured graph that exist while it runs, in the order in which they come to be."""

    nodes: list[FxNode]

    def sizes(self, wanted: Sequence[FxNode]) -> list[Size]:
        """Sizes as expressions over the shapes of these tensors."""
        return [self.size(node.meta["val"].node.expr) for node in wanted]

    def size(self, expression: Any) -> Size:
        """An expression of the graph over the shapes of these tensors."""
        return size_of(expression, [getattr(node.meta["val"], "shape", ()) for node in self.nodes])


def split(graph: AtenGraph, refused: Mapping[FxNode, str], least: int = LEAST) -> list[Part]:
    """The parts of a graph in the order in which they run. Where no call is refused, there is one.

    Args:
        graph: the captured graph.
        refused: calls that no engine runs, with the reason.
        least: an engine of fewer calls (views do not count, convolutions and matrix multiplications do as this many)
            joins the parts around it.
    """
    calls, owner, before = _calls(graph)
    in_engine = [call not in refused for call in calls]
    while True:
        parts, sides, moved = without_small_engines(before, in_engine, lambda k: _weight(calls[k], least), least)
        numbers = _crossing_numbers(calls, before, parts, sides)
        if not numbers:
            break
        for index in numbers:
            in_engine[index] = False
    members: dict[int, list[int]] = {}
    for index, number in enumerate(parts):
        members.setdefault(number, []).append(index)
    made, values = [], inputs_of(graph)
    for _, indices in sorted(members.items()):
        chosen = [calls[k] for k in indices]
        part = _Cut(graph, owner).part(sides[indices[0]], chosen, values)
        if not part.is_engine:
            part.reasons = _reasons(chosen, refused, {calls[k] for k in moved}, graph.kept)
        values = [*values, *part.outputs]
        made.append(part)
    return made


def _calls(graph: AtenGraph) -> tuple[list[FxNode], dict[FxNode, FxNode], list[list[int]]]:
    """The operator calls that outputs need, the call that makes each value, and the calls that each call reads."""
    live, calls, before = _needed(graph), list[FxNode](), list[list[int]]()
    owner, place = dict[FxNode, FxNode](), dict[FxNode, int]()
    for node in graph.module.graph.nodes:
        if node not in live or node.op != "call_function" or is_size(node):
            continue
        if node.target is operator.getitem and node.args[0] in owner:
            owner[node] = owner[node.args[0]]
            continue
        owner[node], place[node] = node, len(calls)
        calls.append(node)
        before.append(sorted({place[owner[read]] for read in _reads(node) if read in owner}))
    return calls, owner, before


def _needed(graph: AtenGraph) -> set[FxNode]:
    """The nodes that outputs need. What a size was read from is not needed: it follows from shapes."""
    pending = [value for value in graph.outputs if isinstance(value, FxNode) and not is_size(value)]
    found: set[FxNode] = set()
    while pending:
        node = pending.pop()
        if node not in found:
            found.add(node)
            pending.extend(_reads(node))
    return found


def _reads(node: FxNode) -> Iterator[FxNode]:
    """The nodes whose tensors, or numbers read out of tensors, a call reads."""
    yield from (read for read in node.all_input_nodes if not is_size(read))


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


def _crossing_numbers(calls: list[FxNode], before: list[list[int]], parts: list[int], sides: list[bool]) -> set[int]:
    """Calls in engines that give or take a number to or from another part: only tensors cross there."""
    found: set[int] = set()
    for index, operands in enumerate(before):
        for other in operands:
            is_number = not isinstance(calls[other].meta.get("val"), (torch.Tensor, list, tuple))
            if is_number and parts[index] != parts[other]:
                found |= {k for k in (index, other) if sides[k]}
    return found


def _weight(call: FxNode, least: int) -> int:
    """How many layers a call counts as."""
    name = getattr(call.target, "_opname", str(call.target))
    if any(part in name for part in _HEAVY):
        return least
    returns = call.target._schema.returns if isinstance(call.target, torch._ops.OpOverload) else ()
    return int(not any(value.alias_info is not None for value in returns))


def _reasons(
    calls: list[FxNode], refused: Mapping[FxNode, str], moved: set[FxNode], kept: Mapping[int, Kept]
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for call in calls:
        reason = refused.get(call)
        if reason is None:
            reason = (
                "too few calls around it for an engine" if call in moved else "a number that PyTorch reads or makes"
            )
        key = key_of(call)
        target = call.target if key is None else kept[key].method.name
        found.setdefault(reason, []).append(f"{target} ({origin_of(call)})")
    return found


def inputs_of(graph: AtenGraph) -> list[FxNode]:
    """The placeholders of a graph's input tensors, in order."""
    nodes = {node.name: node for node in graph.module.graph.nodes}
    return [nodes[name] for name in graph.inputs]


class _Cut:
    """Copies calls of a captured graph into a graph of their own."""

    def __init__(self, graph: AtenGraph, owner: Mapping[FxNode, FxNode]) -> None:
        self.source = graph
        self.owner = owner
        self.graph = Graph()
        self.copies: dict[FxNode, FxNode] = {}
        self.weights: dict[str, tuple[str, torch.Tensor, str]] = {}
        self.held: dict[str, Any] = {}

    def part(self, is_engine: bool, calls: list[FxNode], values: list[FxNode]) -> Part:
        """The part of these calls; `values` are the inputs of the whole graph and the outputs of earlier parts."""
        inside = set(calls)
        own = [node for node in self.source.module.graph.nodes if self.owner.get(node) in inside]
        inputs, sizes, floats = self._read_outside(own)
        if is_engine:
            inputs += _binding([*own, *floats], sizes, inputs, values)
        for node in [*inputs, *sizes]:
            self.copies[node] = self._copied(node, self.graph.placeholder(node.name))
        for node in [*floats, *own]:
            self._copy(node)
        outputs = [node for node in own if self._is_read_later(node, inside)]
        made = [self.copies[node] for node in outputs]
        self.graph.output(tuple(made))
        module = GraphModule(self.held, self.graph)
        names = [self.copies[node].name for node in inputs]
        tree = OutputTree(pytree.tree_structure([0] * len(made)), [RUNTIME] * len(made), names)
        own_fields = {"module": module, "weights": self.weights, "inputs": names, "outputs": made, "tree": tree}
        graph = replace(self.source, **own_fields, places={}, guards=[], written=set(), fixed=[])
        sources = {copy: node for node, copy in self.copies.items()}
        return Part(is_engine, calls, inputs, sizes, outputs, graph, sources)

    def _read_outside(self, own: list[FxNode]) -> tuple[list[FxNode], list[FxNode], list[FxNode]]:
        """Tensors and sizes that come from elsewhere, and arithmetic on sizes that gives floats, which is copied."""
        inside = set(own)
        inputs, sizes, floats = (dict[FxNode, None]() for _ in range(3))

        def read(node: FxNode) -> None:
            if node in inside or node.op == "get_attr" or node.name in self.source.weights:
                return
            if not is_size(node):
                inputs[node] = None
            elif isinstance(node.meta["val"], torch.SymInt) or node.op == "placeholder":
                sizes[node] = None
            elif node not in floats:
                for operand in node.all_input_nodes:
                    read(operand)
                floats[node] = None

        for node in own:
            for operand in node.all_input_nodes:
                read(operand)
        return list(inputs), list(sizes), list(floats)

    def _copy(self, node: FxNode) -> None:
        for operand in node.all_input_nodes:
            if operand not in self.copies:
                self.copies[operand] = self._copied(operand, self._weight(operand))
        self.copies[node] = self._copied(node, self.graph.node_copy(node, lambda operand: self.copies[operand]))

    def _weight(self, node: FxNode) -> FxNode:
        """A weight, or the sub-graph of an operator with sub-graphs, as an attribute."""
        if node.name in self.source.weights:
            name = f"weight{len(self.held)}"
            weight = self.source.weights[node.name]
            self.held[name] = weight[1].detach()
        else:
            name = str(node.target).replace(".", "_")
            weight = None
            self.held[name] = _attribute(self.source.module, str(node.target))
        made = self.graph.get_attr(name)
        if weight is not None:
            self.weights[made.name] = weight
        return made

    @staticmethod
    def _copied(node: FxNode, made: FxNode) -> FxNode:
        made.meta = dict(node.meta)
        return made

    def _is_read_later(self, node: FxNode, inside: set[FxNode]) -> bool:
        if isinstance(node.meta.get("val"), (list, tuple)):
            return False
        if any(value is node for value in self.source.outputs):
            return True
        return any(user in self.owner and self.owner[user] not in inside for user in node.users)


def _attribute(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name)
    return module


def _binding(own: list[FxNode], sizes: list[FxNode], inputs: list[FxNode], values: list[FxNode]) -> list[FxNode]:
    """Values with an axis of each symbol that the inputs of an engine do not give: an engine reads sizes off shapes."""
    needed = set().union(*map(_symbols, [*own, *sizes]))
    found_inside = {symbol for node in own for symbol in _plain(node) if is_unbacked(symbol)}
    missing = needed - found_inside - set().union(*map(_plain, inputs))
    chosen = []
    for value in values:
        if value not in inputs and (found := _plain(value) & missing):
            missing -= found
            chosen.append(value)
    return chosen


def _shapes(node: FxNode) -> Iterator[Any]:
    value = node.meta.get("val")
    for tensor in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(tensor, torch.Tensor):
            yield from (size.node.expr for size in tensor.shape if isinstance(size, torch.SymInt))


def _symbols(node: FxNode) -> set[Any]:
    value = node.meta.get("val")
    if isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)):
        return set(value.node.expr.free_symbols)
    return set().union(*(expression.free_symbols for expression in _shapes(node)))


def _plain(node: FxNode) -> set[Any]:
    return {expression for expression in _shapes(node) if expression.is_Symbol}


__all__ = ["LEAST", "Part", "Values", "inputs_of", "is_size", "split"]
