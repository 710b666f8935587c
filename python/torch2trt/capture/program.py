"""The captured program as flat records, and their replay into a builder.

Records hold what the builder will receive, with value ids of their own; `emit` translates those to the ids
the builder hands out. Keeping the records apart from the walk means that every error in a graph is raised
at capture time, and that a program can be replayed.

The builder is `torch2trt._core.ProgramBuilder`, known here only by its methods:

    symbol(name, min, max, hint)                -> None
    input(name, dtype, dims)                    -> id
    weight(name, tensor, kind)                  -> id; complex ones as pairs, with their dtype as a fourth argument
    node(target, args, outputs, module, file, line, function) -> list of ids, one per output
    output(arg)                                 -> None

This file must not know about torch.fx, torch.export or sympy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch

Dims = list[int | str]  # text is in the grammar of symbols.py
Arg = Any  # None, bool, int, float, str, a list of ints or of ("sym", text), or a tagged tuple: see walk.py
Progress = Callable[[str, int, int], None]
Kind = Literal["parameter", "buffer", "constant"]


class Symbol(NamedTuple):
    """A symbolic size: its range (both ends included, `max` None when open) and its size in the sample inputs.

    A hint of -1 marks a size found in data, such as the number of rows that `nonzero` returns.
    """

    name: str
    min: int
    max: int | None
    hint: int


class Input(NamedTuple):
    """A tensor the caller passes."""

    id: int
    name: str
    dtype: str
    dims: Dims


class Weight(NamedTuple):
    """A tensor the model owns; `tensor` shares the model's memory."""

    id: int
    name: str
    tensor: torch.Tensor
    kind: Kind


class Output(NamedTuple):
    """One tensor a node produces. `dims` is None when PyTorch's sizes have no exact form in the grammar."""

    name: str
    dtype: str
    dims: Dims | None


class Origin(NamedTuple):
    """Where in the user's code a node comes from; empty strings and line 0 when PyTorch does not record it."""

    module: str = ""
    file: str = ""
    line: int = 0
    function: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file else ""
        return ", ".join(part for part in (self.module, place) if part) or "an unknown line"


class Node(NamedTuple):
    """One call of an operator overload. `ids` runs parallel to `outputs`; unused outputs are None in both."""

    target: str
    args: list[tuple[str, Arg]]
    outputs: list[Output | None]
    ids: list[int | None]
    origin: Origin


@dataclass
class Program:
    """A functional program over ATen operators: every value is defined once, before its uses."""

    symbols: list[Symbol] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    weights: list[Weight] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    outputs: list[Arg] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    """The names of symbols in the graph, and in the program where that has another."""

    def emit(self, builder: Any) -> None:
        """Replays the program into `builder`, in the order of the fields above."""
        for symbol in self.symbols:
            builder.symbol(*symbol)
        ids = {item.id: builder.input(item.name, item.dtype, item.dims) for item in self.inputs}
        for item in self.weights:
            if item.tensor.is_complex():
                pairs = torch.view_as_real(item.tensor)
                ids[item.id] = builder.weight(item.name, pairs, item.kind, dtype_name(item.tensor))
            else:
                ids[item.id] = builder.weight(item.name, item.tensor, item.kind)
        for node in self.nodes:
            args = [(name, _translate(arg, ids)) for name, arg in node.args]
            outputs = [None if output is None else tuple(output) for output in node.outputs]
            made = builder.node(node.target, args, outputs, *node.origin)
            ids.update({value: other for value, other in zip(node.ids, made) if value is not None})
        for arg in self.outputs:
            builder.output(_translate(arg, ids))

    def output_dtypes(self) -> list[str | None]:
        """The dtype of each output that is computed; None of a size."""
        known = {item.id: item.dtype for item in self.inputs}
        known |= {item.id: dtype_name(item.tensor) for item in self.weights}
        for node in self.nodes:
            described = zip(node.ids, node.outputs)
            known |= {value: output.dtype for value, output in described if value is not None and output is not None}
        runtime = [arg for arg in self.outputs if type(arg) is tuple]
        return [known.get(arg[1]) if arg[0] == "value" else None for arg in runtime]


def dtype_name(tensor: torch.Tensor) -> str:
    """The name of a dtype: "float32" of torch.float32."""
    return str(tensor.dtype).removeprefix("torch.")


def _translate(arg: Arg, ids: dict[int, int]) -> Arg:
    if type(arg) is tuple:
        if arg[0] == "value":
            return ("value", ids[arg[1]])
        if arg[0] == "values":
            return ("values", [None if item is None else ids[item] for item in arg[1]])
    return arg
