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

from ..capture.constants import Values as Constants
from ..capture.export import AtenGraph
from ..capture.intercept import OpaqueCall
from ..capture.opaque import key_of, with_originals
from ..capture.origin import origin_of
from ..capture.program import Kind
from ..capture.size import Size, size_of
from ..capture.symbols import is_unbacked
from ..capture.tree import RUNTIME, OutputTree
from .nodes import axes_of, inputs_of, is_size, symbols_of
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
        return with_originals(self.graph.module, self.graph.opaque_calls)

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
    copied = _constant_calls(graph, refused)
    calls, owner, before = _calls(graph, copied)
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
    for number, indices in sorted(members.items()):
        chosen = [calls[k] for k in indices]
        later = [call for call, part in zip(calls, parts, strict=True) if part > number]
        part = _Cut(graph, owner, copied).part(sides[indices[0]], chosen, values, later)
        if not part.is_engine:
            part.reasons = _reasons(chosen, refused, {calls[k] for k in moved}, graph.opaque_calls)
        values = [*values, *part.outputs]
        made.append(part)
    return made


def _constant_calls(graph: AtenGraph, refused: Mapping[FxNode, str]) -> set[FxNode]:
    """Calls that depend on weights alone, such as a transposed weight.

    Each part that reads one has a copy of it, so that no weight crosses from part to part. An engine computes it once,
    when it is built.
    """
    weights, found = Constants(graph), set[FxNode]()
    for node in graph.module.graph.nodes:
        if node.op != "call_function" or node in refused or not _gives_tensors(node):
            continue
        copied = all(operand.op != "call_function" or operand in found for operand in node.all_input_nodes)
        if copied and weights.constant(node):
            found.add(node)
    return found


def _gives_tensors(node: FxNode) -> bool:
    """Whether a call does nothing but make tensors, of sizes that no data decides."""
    if isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable:
        return False
    value = node.meta.get("val")
    values = value if isinstance(value, (list, tuple)) else [value]
    return all(isinstance(part, torch.Tensor) for part in values) and not symbols_of(node)


def _calls(graph: AtenGraph, copied: set[FxNode]) -> tuple[list[FxNode], dict[FxNode, FxNode], list[list[int]]]:
    """The operator calls that outputs need, the call that makes each value, and the calls that each call reads.

    Calls that are `copied` to where they are read are only among them where they make an output.
    """
    live, calls, before = _needed(graph), list[FxNode](), list[list[int]]()
    owner, place = dict[FxNode, FxNode](), dict[FxNode, int]()
    for node in graph.module.graph.nodes:
        if node not in live or node.op != "call_function" or is_size(node):
            continue
        if node in copied and node not in graph.outputs:
            continue
        if node.target is operator.getitem and node.args[0] in owner:
            owner[node] = owner[node.args[0]]
            continue
        owner[node], place[node] = node, len(calls)
        calls.append(node)
        before.append(sorted({place[owner[read]] for read in _reads(node) if read in owner and read not in copied}))
    return calls, owner, before


def _needed(graph: AtenGraph) -> set[FxNode]:
    """The nodes that outputs need. What a size was read from is not needed where it follows from the inputs' shapes."""
    outputs = [value for value in graph.outputs if isinstance(value, FxNode)]
    pending = [value for value in outputs if not is_size(value)]
    pending += [read for value in outputs if is_size(value) for read in _data_of(value)]
    found: set[FxNode] = set()
    while pending:
        node = pending.pop()
        if node not in found:
            found.add(node)
            pending.extend(_reads(node))
    return found


def _reads(node: FxNode) -> Iterator[FxNode]:
    """The nodes whose tensors, numbers read out of tensors, or sizes that depend on data a call reads."""
    for read in node.all_input_nodes:
        yield from _data_of(read) if is_size(read) else (read,)


def _data_of(size: FxNode) -> Iterator[FxNode]:
    """The tensors that a size is read from, where it depends on data."""
    if any(map(is_unbacked, symbols_of(size))):
        yield from _reads(size)


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
    calls: list[FxNode], refused: Mapping[FxNode, str], moved: set[FxNode], opaque_calls: Mapping[int, OpaqueCall]
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for call in calls:
        reason = refused.get(call)
        if reason is None:
            reason = (
                "too few calls around it for an engine" if call in moved else "a number that PyTorch reads or makes"
            )
        key = key_of(call)
        target = call.target if key is None else opaque_calls[key].method.name
        found.setdefault(reason, []).append(f"{target} ({origin_of(call)})")
    return found


class _Cut:
    """Copies calls of a captured graph into a graph of their own."""

    def __init__(self, graph: AtenGraph, owner: Mapping[FxNode, FxNode], copied: set[FxNode]) -> None:
        self.source = graph
        self.owner = owner
        self.copied = copied
        self.graph = Graph()
        self.copies: dict[FxNode, FxNode] = {}
        self.weights: dict[str, tuple[str, torch.Tensor, Kind]] = {}
        self.held: dict[str, Any] = {}
        self.results = {value for value in graph.outputs if isinstance(value, FxNode)}

    def part(self, is_engine: bool, calls: list[FxNode], values: list[FxNode], later: list[FxNode]) -> Part:
        """The part of these calls.

        Args:
            is_engine: whether it becomes an engine.
            calls: its calls.
            values: the inputs of the whole graph and the outputs of earlier parts.
            later: the calls of later parts.
        """
        inside = set(calls)
        own = [node for node in self.source.module.graph.nodes if self.owner.get(node) in inside]
        found = _found_inside(own).difference(*map(axes_of, values))
        inputs, sizes, computed = self._read_outside(own, found)
        if is_engine:
            inputs += _binding([*own, *computed], sizes, inputs, values)
        for node in [*inputs, *sizes]:
            self.copies[node] = self._copied(node, self.graph.placeholder(node.name))
        copied = {*computed, *own}
        for node in self.source.module.graph.nodes:
            if node in copied:
                self._copy(node)
        outputs = [node for node in own if self._is_read_later(node, inside)]
        needed = [*later, *(node for node in self.results if is_size(node))]
        outputs += _giving([node for node in own if node not in outputs], needed, [*values, *outputs])
        made = [self.copies[node] for node in outputs]
        self.graph.output(tuple(made))
        module = GraphModule(self.held, self.graph)
        names = [self.copies[node].name for node in inputs]
        tree = OutputTree(pytree.tree_structure([0] * len(made)), [RUNTIME] * len(made), names)
        own_fields = {"module": module, "weights": self.weights, "inputs": names, "outputs": made, "tree": tree}
        graph = replace(self.source, **own_fields, places={}, guards=[], written=set(), fixed=[])
        sources = {copy: node for node, copy in self.copies.items()}
        return Part(is_engine, calls, inputs, sizes, outputs, graph, sources)

    def _read_outside(self, own: list[FxNode], found: set[Any]) -> tuple[list[FxNode], list[FxNode], list[FxNode]]:
        """Tensors and sizes that come from elsewhere, and what is computed in this part again.

        That is calls on weights alone, and arithmetic on sizes that gives floats, or sizes that depend on data and are
        `found` in this part.
        """
        inside = set(own)
        inputs, sizes, computed = (dict[FxNode, None]() for _ in range(3))

        def read(node: FxNode) -> None:
            if node in inside or node.op == "get_attr" or node.name in self.source.weights:
                return
            if not is_size(node) and node not in self.copied:
                inputs[node] = None
            elif is_size(node) and _crosses(node, found):
                sizes[node] = None
            elif node not in computed:
                for operand in node.all_input_nodes:
                    read(operand)
                computed[node] = None

        for node in own:
            for operand in node.all_input_nodes:
                read(operand)
        return list(inputs), list(sizes), list(computed)

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
        if node in self.results:
            return True
        return any(user in self.owner and self.owner[user] not in inside for user in node.users)


def _crosses(size: FxNode, found: set[Any]) -> bool:
    """Whether a part takes a size from outside: an integer that does not depend on data `found` in the part."""
    return size.op == "placeholder" or (isinstance(size.meta["val"], torch.SymInt) and not symbols_of(size) & found)


def _attribute(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name)
    return module


def _binding(own: list[FxNode], sizes: list[FxNode], inputs: list[FxNode], values: list[FxNode]) -> list[FxNode]:
    """Values with an axis of each symbol that the inputs of an engine do not give: an engine reads sizes off shapes."""
    needed = set().union(*map(symbols_of, [*own, *sizes]))
    missing = (needed - _found_inside(own)).difference(*map(axes_of, inputs))
    chosen = []
    for value in values:
        if value not in inputs and (found := axes_of(value) & missing):
            missing -= found
            chosen.append(value)
    return chosen


def _found_inside(own: list[FxNode]) -> set[Any]:
    """The sizes that depend on data and are an axis of one of these tensors."""
    return {symbol for node in own for symbol in axes_of(node) if is_unbacked(symbol)}


def _giving(made: list[FxNode], later: list[FxNode], values: list[FxNode]) -> list[FxNode]:
    """Tensors with an axis of each size that depends on data, which later calls or outputs need and no value gives."""
    needed = set().union(*(symbols_of(node) for call in later for node in (call, *call.all_input_nodes)))
    missing = {symbol for symbol in needed if is_unbacked(symbol)}.difference(*map(axes_of, values))
    chosen = []
    for node in made:
        if isinstance(node.meta.get("val"), torch.Tensor) and (found := axes_of(node) & missing):
            missing -= found
            chosen.append(node)
    return chosen


__all__ = ["LEAST", "Part", "Values", "split"]
