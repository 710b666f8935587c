"""Graph to program: one record per live operator call.

What a graph has and a program does not:
- `getitem`: the outputs are listed on the node that produces them;
- arithmetic on sizes (`sym_size`, `_operator.mul`, …): PyTorch has already worked out the sympy expression of
  the result, which goes where it is used; numbers read out of tensors (`.item()`) are 0-D tensors, see `numbers.py`,
  and so are floats that follow from sizes, see `floats.py`;
- assertions, and whatever only they use: nothing leads from them to an output, so the walk never reaches them;
- blocks that only switch gradients: their bodies are walked in place.

Arguments are None, bool, int, float, str, a list of those, or a tagged tuple:

    ("value", id)  ("values", [id | None, …])  ("sym", text)  ("scalar", number)  ("complex", re, im)
    ("dtype", name)  ("device", name)  ("layout", name)  ("memory_format", name)

A list of ints may hold ("sym", text). A Python number in a tensor's place is ("scalar", number).

This file must not know how the graph was captured.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Node as FxNode

from .errors import CaptureError, InputDtypeError, SizeError, UnsupportedError
from .export import AtenGraph
from .floats import SizedFloats, is_sized_float
from .grad_modes import inline_grad_modes
from .live import is_data_dependent, is_number, live_nodes
from .memory import elements_at, is_in_order
from .numbers import ReadNumbers
from .origin import origin_of
from .program import Arg, Dims, Input, Kind, Node, Output, Program, Progress, Symbol, Weight
from .schema import DTYPES, plan
from .size import Size, size_of
from .symbols import Inexpressible, given_name, is_unbacked, renamed, render_in

_PROGRESS_STEP = 256  # nodes between two progress reports
TENSOR_LISTS = (list, tuple)
_READ_MEMORY = (torch.ops.aten.as_strided.default, torch.ops.aten.as_strided_copy.default)


@dataclass(frozen=True)
class Walked:
    """The program of a graph, and how its nodes belong together."""

    program: Program
    origins: list[FxNode]
    """Of each node of the program, the call in the graph."""
    refused: dict[FxNode, CaptureError]
    """The calls that have no form in a program; each is a node all the same, which nothing converts."""


def walk(graph: AtenGraph, names: list[str], samples: list[torch.Tensor], progress: Progress) -> Program:
    """The program of a captured graph; `names` and `samples` describe its input tensors, in order.

    Raises:
        CaptureError: an operator with sub-graphs, an argument that cannot be expressed, a weight without values.
    """
    return walked_by(_Walker(graph), names, samples, progress).program


def walked_by(walker: _Walker, names: list[str], samples: list[torch.Tensor], progress: Progress) -> Walked:
    """The program that a walker makes of its graph."""
    walker.bind_inputs(names, samples)
    walker.bind_weights()
    nodes = [node for node in walker.live if node.op == "call_function"]
    origins: list[FxNode] = []
    for index, node in enumerate(nodes):
        if index % _PROGRESS_STEP == 0:
            progress("walk", index, len(nodes))
        walker.record(node)
        origins += [node] * (len(walker.program.nodes) - len(origins))
    walker.bind_outputs()
    walker.narrow()
    progress("walk", len(nodes), len(nodes))
    return Walked(walker.program, origins, walker.refused)


class _Walker(ReadNumbers, SizedFloats):
    """One walk over a graph."""

    def __init__(self, graph: AtenGraph) -> None:
        super().__init__()
        self.graph = graph
        inline_grad_modes(graph.module)
        self.nodes = {node.name: node for node in graph.module.graph.nodes}
        self.live = live_nodes(graph, self.nodes)
        self.symbols: dict[Any, Any] = {}  # torch.export's symbols to those of the program, whose names describe
        self.limits: dict[str, int] = {}  # the largest values for which sizes computed through floats are right
        self.refused: dict[FxNode, CaptureError] = {}

    # Bindings

    def bind_inputs(self, names: list[str], samples: list[torch.Tensor]) -> None:
        placeholders = [self.nodes[placeholder] for placeholder in self.graph.inputs]
        for self.node, name, sample in zip(placeholders, names, samples, strict=True):
            for axis, (dim, size) in enumerate(zip(self.node.meta["val"].shape, sample.shape)):
                self._declare(dim, size, f"{name}_dim{axis}")
        for self.node, name in zip(placeholders, names):
            value = self.node.meta["val"]
            dims = self._dims(value)
            if dims is None:
                raise self._error(f"the shape {list(value.shape)} of input `{name}` cannot be expressed")
            made = self.ids[self.node] = self._new_id()
            self.program.inputs.append(Input(made, name, self._dtype(value), dims))

    def bind_weights(self) -> None:
        for node_name, weight in self.graph.weights.items():
            node = self.nodes.get(node_name)
            if node in self.live:
                self.node = node
                self.bind_weight(node, *weight)

    def bind_weight(self, node: FxNode, name: str, tensor: torch.Tensor, kind: Kind) -> None:
        if not _has_plain_values(tensor):
            raise self._error(
                f"{kind} `{name}` is not plain values: {type(tensor).__name__}, {tensor.layout}, {tensor.device}",
                help="convert it to a dense tensor on a CPU or GPU first",
            )
        self._dtype(tensor)
        made = self.ids[node] = self._new_id()
        self.program.weights.append(Weight(made, name, _plain(tensor), kind))

    def bind_outputs(self) -> None:
        tree = self.graph.tree
        for index, value in enumerate(self.graph.outputs):
            if not isinstance(value, FxNode):
                self.program.outputs.append(value)
                continue
            self.node = value
            if is_number(number := self.node.meta.get("val")) and not is_data_dependent(number):
                tree.set_size(index, self._size(number))
                self.program.outputs.append(None)
                continue
            if is_number(number):
                tree.set_read(index)
                self.program.outputs.append(("value", self.ids[value]) if value in self.ids else self.number(value))
                continue
            self.program.outputs.append(self.tensor(value))

        if tree.leaves and not any(leaf.is_runtime for leaf in tree.leaves):
            self._bind_a_size()

    def _bind_a_size(self) -> None:
        """An engine has an output: of a model that returns numbers only, one that stands for them."""
        tree = self.graph.tree
        numbers = [k for k, leaf in enumerate(tree.leaves) if leaf.is_number]
        sizes = [k for k in numbers if tree.leaves[k].is_size]
        place = (sizes or numbers)[0]
        if not sizes:
            tree.set_size(place, Size(repr(tree.leaves[place].constant)))
        self.program.outputs[place] = ("sym", self.program.symbols[0].name if self.program.symbols else "1")

    def _size(self, number: Any) -> Size:
        """A number among the outputs that follows from the shapes of the inputs."""
        if not isinstance(number, (torch.SymInt, torch.SymFloat, torch.SymBool)):
            return Size(repr(number))
        shapes = [self.nodes[name].meta["val"].shape for name in self.graph.inputs]
        try:
            return size_of(number.node.expr, shapes)
        except (Inexpressible, ValueError) as problem:
            raise self._inexpressible(number.node.expr, str(problem)) from None

    def narrow(self) -> None:
        """Ends the range of symbols where a size that is computed through floats is not known to be right any more."""
        for index, symbol in enumerate(self.program.symbols):
            limit = self.limits.get(symbol.name)
            if limit is not None and (symbol.max is None or limit < symbol.max):
                self.program.symbols[index] = symbol._replace(max=limit)

    # Records

    def record(self, node: FxNode) -> None:
        self.node = node
        value = node.meta.get("val")
        if node.target is operator.getitem:
            if isinstance(value, torch.Tensor):
                self.ids[node] = self._id(node.args[0])[node.args[1]]
            return
        if is_number(value):
            if is_data_dependent(value):
                self.record_number(node, value)
            elif is_sized_float(value):
                self.record_float(node)
            return
        if not isinstance(node.target, torch._ops.OpOverload):
            raise self._unsupported(node)
        reading = plan(node.target)
        args = reading.read(self, node.args, node.kwargs)
        target = reading.target
        if node.target in _READ_MEMORY and (elements := self._elements(node)) is not None:
            target, args = "aten.take.default", [args[0], ("index", ("value", self._constant(node.name, elements)))]
        outputs = self._outputs(node, value)
        ids = [None if output is None else self._new_id() for output in outputs]
        self.ids[node] = ids if isinstance(value, TENSOR_LISTS) else ids[0]
        self.program.nodes.append(Node(target, args, outputs, ids, origin_of(node)))

    def _elements(self, node: FxNode) -> torch.Tensor | None:
        """The elements that `as_strided` reads of a tensor that does not lie in order; None of one that does."""
        tensor, size, stride, offset = (*node.args, None)[:4]
        offset = node.kwargs.get("storage_offset", offset)
        value = tensor.meta["val"]
        place = (*value.shape, *value.stride(), value.storage_offset())
        if all(type(number) is int for number in place) and is_in_order(value):
            return None
        if any(type(number) is not int for number in (*place, *size, *stride, offset or 0)):
            raise self._error(
                f"{node.target} reads memory at places that depend on input sizes",
                help="make those sizes static, call .contiguous() on the tensor before, or index with tensors",
            )
        found = elements_at(value, size, stride, offset)
        if found is None:
            raise self._error(
                f"{node.target} reads memory outside of the tensor that it is called on",
                help="call .contiguous() on it before, or index with tensors",
            )
        return found

    def _constant(self, name: str, tensor: torch.Tensor) -> int:
        """A constant that the model does not have."""
        self.program.weights.append(Weight(self._new_id(), name, tensor, "constant"))
        return self.program.weights[-1].id

    def _outputs(self, node: FxNode, value: Any) -> list[Output | None]:
        if isinstance(value, torch.Tensor):
            return [self._output(node.name, value)]
        if not isinstance(value, TENSOR_LISTS):
            raise self._error(f"{node.target} returns {type(value).__name__}, which is not a tensor")
        users = [user for user in node.users if user in self.live]
        everything = any(user.target is not operator.getitem for user in users)
        used = range(len(value)) if everything else {user.args[1] for user in users}
        # Outputs that nobody reads are described too: parts of a split begin where the ones before them end.
        return [
            self._output(f"{node.name}.{i}", item)
            if isinstance(item, torch.Tensor) and (i in used or item.dtype in DTYPES)
            else None
            for i, item in enumerate(value)
        ]

    def _output(self, name: str, value: torch.Tensor) -> Output:
        for dim in value.shape:
            self._declare(dim, -1)
        for dim in value.shape:
            if type(dim) is not int:
                self._symbolic(dim.node.expr)  # raises SizeError where it has no form
        return Output(name, self._dtype(value), self._dims(value))

    # Reading arguments: the `Reader` of schema.py

    def tensor(self, node: FxNode) -> Arg:
        if is_number(node.meta.get("val")):
            value = self.number(node)
            return value if type(value) is tuple else ("scalar", value)
        return ("value", self._id(node))

    def tensors(self, node: FxNode) -> list[int | None]:
        return self._id(node)

    def _id(self, node: FxNode) -> Any:
        """The value of a node, or the values of one that returns a list."""
        if self.ids.get(node) is None:
            raise self._error(f"an argument of {self.node.target}, {node.name}, is no value that engines have")
        return self.ids[node]

    def number(self, node: FxNode) -> Arg:
        value = node.meta.get("val")
        if isinstance(value, (bool, int, float)):
            return value
        expression = value.node.expr
        if expression.is_number and not isinstance(value, torch.SymBool):
            return int(expression) if isinstance(value, torch.SymInt) else float(expression)
        if node in self.computed:
            return ("sym", self.computed[node])
        if node in self.ids and not isinstance(value, torch.SymInt):
            return ("value", self.ids[node])
        if not isinstance(value, torch.SymInt):
            raise self._inexpressible(expression, "only integers can depend on symbolic sizes")
        if loose := expression.free_symbols - self.bound:
            raise self._error(
                f"a number read out of a tensor ({', '.join(map(str, loose))}) is an argument of {self.node.target}",
                help="compute it with tensor operations, or pass it as a Python number when converting",
            )
        return self._symbolic(expression)

    def unreadable(self, value: Any, type_name: str) -> CaptureError:
        return self._error(f"an argument of {self.node.target} is {value!r}, which is not a {type_name}")

    # Symbols and shapes

    def _declare(self, dim: Any, size: int, name: str = "") -> None:
        """Makes the symbol of a plain symbolic dimension known, on its first appearance.

        It is called as the caller's `torch.export.Dim`, otherwise `name`; without one as torch.export calls it.
        """
        if type(dim) is int:
            return
        symbol = dim.node.expr
        if symbol.is_Symbol and symbol not in self.bound:
            self.bound.add(symbol)
            lower, upper = self.graph.ranges.get(symbol, (0, None))
            name = given_name(dim) or name
            if name:
                taken = {known.name for known in self.program.symbols}
                self.symbols[symbol] = renamed(symbol, name, taken)
                self.program.renamed[symbol.name] = self.symbols[symbol].name
            name = self.symbols.get(symbol, symbol).name
            self.program.symbols.append(Symbol(name, lower, upper, -1 if is_unbacked(symbol) else size))

    def _dims(self, value: torch.Tensor) -> Dims | None:
        try:
            return [dim if type(dim) is int else self._text(dim.node.expr) for dim in value.shape]
        except Inexpressible:
            return None

    def _symbolic(self, expression: Any) -> Arg:
        try:
            text = self._text(expression)
        except Inexpressible as error:
            raise self._inexpressible(expression, str(error)) from None
        return text if type(text) is int else ("sym", text)

    def _text(self, expression: Any) -> int | str:
        ranges = {symbol.name: (symbol.min, symbol.max) for symbol in self.program.symbols}
        return render_in(expression.xreplace(self.symbols), ranges, self.limits)

    def _dtype(self, value: torch.Tensor) -> str:
        try:
            return DTYPES[value.dtype]
        except KeyError:
            dtype, where = str(value.dtype).removeprefix("torch."), self._where()
        if self.node.op == "placeholder":
            message = f"input `{self.node.name}` is {dtype}, which no engine takes"
            raise InputDtypeError(message, help="pass float32, float16, bfloat16, int64, int32, uint8 or bool")
        message = f"{self.node.target} returns {dtype}, which no engine has"
        raise UnsupportedError(message, where=where, help="compute it in int32, int64 or float32")

    # Errors

    def _inexpressible(self, expression: Any, reason: str) -> CaptureError:
        if any(map(is_unbacked, expression.free_symbols)):
            return SizeError(
                f"{self.node.target} depends on a size that cannot be expressed: {expression}",
                where=str(origin_of(self.node)),
                facts=(f"not expressible: {reason}",),
                help="compute the size with integers, as in n.item() // 2, or mask a result of the largest size",
            )
        names = sorted(self.symbols.get(symbol, symbol).name for symbol in expression.free_symbols)
        axes = ", ".join(
            f"axis {name.rpartition('_dim')[2]} of `{name.rpartition('_dim')[0]}`" if "_dim" in name else f"`{name}`"
            for name in names
        )
        return SizeError(
            f"{self.node.target} depends on a size that cannot be expressed: {expression}",
            where=str(origin_of(self.node)),
            facts=(f"not expressible: {reason}", f"dynamic: {axes}"),
            help=f"make {'these axes' if len(names) > 1 else 'this axis'} static: one size in min_shapes and "
            "max_shapes, or leave it out of dynamic_shapes",
        )

    def _unsupported(self, node: FxNode) -> CaptureError:
        name = getattr(node.target, "__name__", None) or str(node.target)
        if isinstance(node.target, torch._ops.HigherOrderOperator):
            return self._error(
                f"higher_order.{name} (control flow with sub-graphs) is not implemented",
                help="write both sides as tensors and choose with torch.where",
            )
        return self._error(f"{name} is not an operator of PyTorch's dispatcher")


def _has_plain_values(tensor: torch.Tensor) -> bool:
    wrapped = type(tensor).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__
    return not (wrapped or tensor.is_meta) and tensor.layout is torch.strided


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """Its elements in order, without a lazy conjugate or sign."""
    return tensor.detach().resolve_conj().resolve_neg().contiguous()
