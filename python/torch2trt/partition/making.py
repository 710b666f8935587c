"""From a captured graph to engines and parts in PyTorch.

A call that turns out not to convert goes to PyTorch, and the graph is cut again, until every engine is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx import Node as FxNode

from .. import _core
from ..boundary import extra_axes, to_engine, to_model
from ..capture import Whole
from ..capture.export import AtenGraph
from ..capture.lenient import walk_all
from ..capture.symbols import is_unbacked
from ..dynamic import Ranges
from .._core import Error
from ..errors import error
from ..verify import compare
from .engine import PartitionedEngine, Shape, Step, with_shapes
from .file import Example
from .partition import Partition
from .parts import Part, Values, inputs_of, split
from .refusals import brief

_LARGEST = 2**31 - 1
_REFUSED = ("E0101", "E0102", "E0103", "E0104", "E0105", "E0107", "E0203", "E0307", "E0601")
"""What sends calls to PyTorch where an error names them."""

Convert = Callable[[_core.Program, dict[str, Any], list[torch.Tensor], list[str]], _core.Network]
"""From a program, names and ranges of its tensors, sample inputs and their dtypes to a network."""


@dataclass
class Made:
    """A partitioned model.

    Attributes:
        engine: runs it.
        partitions: the parts, for the report.
        networks: the network of each engine, in order.
        weights: tensors that the engines may borrow.
        layers, weight_bytes: of all networks.
    """

    engine: PartitionedEngine
    partitions: list[Partition]
    networks: list[_core.Network]
    weights: list[torch.Tensor] = field(default_factory=list)


@dataclass
class _Converted:
    """A part with its network; none of a part in PyTorch."""

    part: Part
    network: _core.Network | None = None
    weights: list[torch.Tensor] = field(default_factory=list)


class _RefusedError(Exception):
    """Calls of a part that do not convert, with the reason of each."""

    def __init__(self, calls: dict[FxNode, str]) -> None:
        super().__init__()
        self.calls = calls


def make(
    whole: Whole,
    refused: dict[FxNode, str],
    samples: list[torch.Tensor],
    names: tuple[list[str], list[str]],
    profiles: Sequence[Ranges],
    convert: Convert,
    build: Callable[[_core.Network], Any],
    device: torch.device,
    least: int,
    bounded: bool,
) -> Made:
    """Cuts a captured graph and makes the engines.

    Args:
        whole: the captured graph.
        refused: calls that run in PyTorch, with the reason.
        samples: the sample inputs.
        names: names of the inputs and outputs.
        profiles: the ranges of dynamic sizes.
        convert: makes a network of a program.
        build: makes an engine of a network.
        device: where the model runs.
        least: calls of the smallest engine; 0 where a model without an engine will do, too.
        bounded: whether an engine needs the largest size of each axis (TensorRT does).

    Raises:
        torch2trt.Error: E0101 where nothing is left for an engine; what `convert` and `build` raise about no call.
    """
    refused = dict(refused)
    graph = whole.graph
    known: dict[tuple[FxNode, ...], _Converted] = {}
    while True:
        parts = split(graph, refused, least)
        if least and not any(part.is_engine for part in parts):
            raise _nothing_left(refused)
        values, sizes = _run(graph, parts, samples)
        found: dict[FxNode, str] = {}
        for part in parts:
            key = tuple(part.calls)
            if part.is_engine and key not in known:
                try:
                    ranges = _ranges(whole, part, profiles, values, bounded)
                    known[key] = _converted(part, values, ranges, convert)
                except _RefusedError as calls:
                    found.update(calls.calls)
        if not found:
            break
        refused.update(found)
    made = [known[tuple(part.calls)] if part.is_engine else _Converted(part) for part in parts]
    return _assembled(whole, made, values, sizes, names, profiles, build, device)


def _nothing_left(refused: dict[FxNode, str]) -> Error:
    lines = dict.fromkeys(f"{node.target}: {reason}" for node, reason in refused.items())
    listed = "".join(f"\n  {line}" for line in list(lines)[:8])
    return error("E0101", f"no call of the model is left for an engine{listed}", "run the model in PyTorch as it is")


def _run(
    graph: AtenGraph, parts: list[Part], samples: list[torch.Tensor]
) -> tuple[dict[FxNode, torch.Tensor], list[list[float]]]:
    """PyTorch's value of every tensor that crosses, for the samples, and the sizes that each part reads."""
    read: list[list[float]] = []
    values = dict(zip(inputs_of(graph), (sample.detach() for sample in samples), strict=True))
    for part in parts:
        sizes = [size.value(with_shapes(values.values())) for size in Values(list(values)).sizes(part.sizes)]
        read.append(sizes)
        values.update(zip(part.outputs, part.run([values[node] for node in part.inputs], sizes), strict=True))
    return values, read


def _converted(
    part: Part, values: dict[FxNode, torch.Tensor], ranges: list[dict[str, Any]], convert: Convert
) -> _Converted:
    """The network of a part.

    Raises:
        _RefusedError: calls that do not convert.
    """
    samples, dtypes = [values[node] for node in part.inputs], _dtypes(part.inputs)
    try:
        walked = walk_all(part.graph, part.graph.inputs, samples, lambda stage, done, total: None)
    except Error as refused:  # of an input, or an output
        raise _RefusedError({call: brief(refused) for call in part.calls}) from refused
    if walked.refused:
        raise _RefusedError({part.sources[node]: brief(refused) for node, refused in walked.refused.items()})
    builder = _core.ProgramBuilder()
    walked.program.emit(builder)
    options = {"input_names": part.graph.inputs, "output_names": part.graph.tree.names, "profiles": ranges}
    try:
        network = convert(builder.finish(), options, samples, dtypes)
    except Error as refused:
        nodes = [walked.origins[index] for index in getattr(refused, "nodes", [])]
        if refused.code not in _REFUSED or not nodes:
            raise
        raise _RefusedError({part.sources[node]: brief(refused) for node in nodes}) from refused
    return _Converted(part, network, [weight.tensor for weight in walked.program.weights])


def _dtypes(nodes: list[FxNode]) -> list[str]:
    return [_dtype(node.meta["val"]) for node in nodes]


def _dtype(value: Any) -> str:
    """The dtype of a tensor, or of the 0-D tensor that stands for a number."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype).removeprefix("torch.")
    return "bool" if isinstance(value, torch.SymBool) else "int64" if isinstance(value, torch.SymInt) else "float64"


def _ranges(
    whole: Whole, part: Part, profiles: Sequence[Ranges], values: dict[FxNode, torch.Tensor], bounded: bool
) -> list[dict[str, Any]]:
    """The ranges of a part's inputs, one dictionary a profile.

    Raises:
        _RefusedError: the calls that read a tensor of which a size depends on data, without a largest value where one is
            needed.
    """
    graph = whole.graph
    inputs = Values(inputs_of(graph))
    dtypes = _dtypes(part.inputs)
    found = []
    asked: list[Ranges | None] = [*profiles] or [None]
    for profile in asked:
        rows: dict[str, Any] = {}
        for k, (name, node) in enumerate(zip(part.graph.inputs, part.inputs)):
            axes = [
                _axis(graph.ranges, inputs, size, profile, own)
                for size, own in zip(node.meta["val"].shape, values[node].shape)
            ]
            if bounded and any(high == _LARGEST for _, _, high in axes):
                reason = "the size of a tensor depends on data and has no largest value (torch._check gives one)"
                raise _RefusedError({call: reason for call in part.calls if node in call.all_input_nodes})
            rows[name] = [*axes, *extra_axes(dtypes, k)]
        found.append(rows)
    is_dynamic = any(low != high for rows in found for axes in rows.values() for low, _, high in axes)
    return found if is_dynamic and (profiles or bounded) else []


def _axis(ranges: dict[Any, Any], inputs: Values, size: Any, profile: Ranges | None, own: int) -> tuple[int, int, int]:
    """Smallest, best and largest size of an axis."""
    if isinstance(size, int):
        return size, size, size
    expression = size.node.expr
    if any(map(is_unbacked, expression.free_symbols)):
        low, high = ranges.get(expression, (0, None)) if expression.is_Symbol else (0, None)
        return low, max(own, low), _LARGEST if high is None else high
    if profile is None:
        return 0, own, _LARGEST
    formula = inputs.size(expression)
    low, best, high = (
        int(formula.value([Shape(torch.Size(shape)) for shape in shapes]))
        for shapes in (profile.minimum, profile.best, profile.maximum)
    )
    return min(low, best, high), best, max(low, best, high)


def _assembled(
    whole: Whole,
    parts: list[_Converted],
    values: dict[FxNode, torch.Tensor],
    sizes_of: list[list[float]],
    names: tuple[list[str], list[str]],
    profiles: Sequence[Ranges],
    build: Callable[[_core.Network], Any],
    device: torch.device,
) -> Made:
    graph = whole.graph
    order = inputs_of(graph)
    read_last: dict[FxNode, int] = {}
    for number, item in enumerate(parts):
        read_last.update(dict.fromkeys(item.part.inputs, number))
    results = {value for value in graph.outputs if isinstance(value, FxNode)}
    steps, partitions, networks, weights = [], [], [], []
    for number, item in enumerate(parts):
        part, network = item.part, item.network
        sizes = [] if network else Values(list(order)).sizes(part.sizes)
        place = {node: index for index, node in enumerate(order)}
        order += part.outputs
        engine = build(network) if network else None
        last = [
            place[node]
            for node in part.inputs
            if read_last[node] == number
            and node not in results
            and node.op != "placeholder"
            and isinstance(node.meta["val"], torch.Tensor)
        ]
        held = [] if network else list(part.graph.module.state_dict(keep_vars=True).values())
        takes, gives = (_dtypes(part.inputs), _dtypes(part.outputs)) if network else ([], [])
        reads = [place[node] for node in part.inputs]
        example = None if network else _example(part, values, sizes_of[number])
        step = Step(engine, part.in_pytorch, reads, sizes, takes, gives, last, held, example)
        steps.append(step)
        shown = Partition("engine" if network else "pytorch", len(part.calls), bytes=part.bytes, reasons=part.reasons)
        if network:
            shown.layers, shown.difference = network.layer_count, _difference(step, part, values)
            networks.append(network)
            weights += item.weights
        partitions.append(shown)
    place = {node: index for index, node in enumerate(order)}
    outputs = [place[value] if value in place else graph.weights[value.name][1].detach() for value in _computed(whole)]
    engine = PartitionedEngine(
        _described(names[0], order[: len(graph.inputs)]),
        _described(names[1], _computed(whole)),
        steps,
        outputs,
        _limits(order[: len(graph.inputs)], graph, profiles),
        device,
    )
    engine.partitions = partitions
    return Made(engine, partitions, networks, weights)


def _example(part: Part, values: dict[FxNode, torch.Tensor], sizes: list[float]) -> Example | None:
    """Inputs with which a part is exported; None where numbers cross."""
    described = [node.meta["val"] for node in part.inputs]
    if not all(isinstance(value, torch.Tensor) for value in (*described, *(node.meta["val"] for node in part.outputs))):
        return None
    dynamic = [[axis for axis, size in enumerate(value.shape) if not isinstance(size, int)] for value in described]
    expressions = [size.node.expr for value in described for size in value.shape if not isinstance(size, int)]
    expressions += [node.meta["val"].node.expr for node in part.sizes]
    found = {symbol: _FOUND for expression in expressions for symbol in expression.free_symbols if is_unbacked(symbol)}
    shapes = [
        tuple(_with(size, own, found) for size, own in zip(node.meta["val"].shape, values[node].shape))
        for node in part.inputs
    ]
    read = [_with(node.meta["val"], int(size), found) for node, size in zip(part.sizes, sizes)]
    return Example(shapes, dynamic, [value.dtype for value in described], read)


_FOUND = 3
"""What a size that depends on data is in an example: torch.export fixes sizes of 0 and 1."""


def _with(size: Any, own: int, found: dict[Any, int]) -> int:
    """A size where those that depend on data have these values; it is `own` for the samples."""
    if isinstance(size, int) or not size.node.expr.free_symbols & found.keys():
        return own
    value = size.node.expr.subs(found)
    return int(value) if value.is_Integer else own


def _computed(whole: Whole) -> list[FxNode]:
    """The outputs that are tensors."""
    leaves = zip(whole.graph.outputs, whole.graph.tree.leaves)
    return [value for value, leaf in leaves if isinstance(value, FxNode) and leaf.is_runtime]


def _described(names: list[str], nodes: list[FxNode]) -> list[tuple[str, str, list[str]]]:
    return [
        (name, dtype, [str(size) for size in getattr(node.meta["val"], "shape", ())])
        for name, dtype, node in zip(names, _dtypes(nodes), nodes)
    ]


def _limits(inputs: list[FxNode], graph: Any, profiles: Sequence[Ranges]) -> list[list[tuple[int, int]]]:
    """The smallest and the largest size of each axis of the inputs."""
    found = []
    for k, node in enumerate(inputs):
        axes = []
        for axis, size in enumerate(node.meta["val"].shape):
            if isinstance(size, int):
                axes.append((size, size))
            elif profiles:
                rows = [profile.axes(k)[axis] for profile in profiles]
                axes.append((min(low for low, _, _ in rows), max(high for _, _, high in rows)))
            else:
                low, high = graph.ranges.get(size.node.expr, (0, None))
                axes.append((low, _LARGEST if high is None else high))
        found.append(axes)
    return found


def _difference(step: Step, part: Part, values: dict[FxNode, torch.Tensor]) -> float:
    """The max abs error / max abs reference of an engine on the inputs that PyTorch gives it."""
    tensors = to_engine([values[node].contiguous() for node in part.inputs], step.input_dtypes)
    stream = torch.cuda.current_stream().cuda_stream if tensors and tensors[0].is_cuda else None
    assert step.engine is not None
    got = to_model(step.engine.run(tensors, stream, None), step.output_dtypes)
    expected = [torch.as_tensor(values[node]) for node in part.outputs]
    return max(compare([node.name for node in part.outputs], expected, got).values(), default=0.0)


__all__ = ["Convert", "Made", "make"]
