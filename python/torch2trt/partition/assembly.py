"""Parts that are built, assembled into what runs a partitioned model.

This file must not know why a call is in its part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.fx import Node as FxNode

from .. import _core
from .._core import Error
from ..boundary import to_device, to_engine, to_model
from ..capture import Whole
from ..capture.size import Size
from ..capture.symbols import is_unbacked
from ..dynamic import Ranges
from ..errors import brief
from ..verify import difference
from .bounds import limits_of
from .engine import PartitionedEngine, Step
from .file import Example
from .nodes import dtypes_of, inputs_of, is_size
from .partition import Partition
from .parts import Part, Values


@dataclass
class Made:
    """A partitioned model.

    Attributes:
        engine: runs it here; None where nothing was built.
        partitions: the parts, for the report.
        networks: the network of each engine, in order.
        weights: tensors that the engines may borrow.
        plan: what runs it on another machine; None where it was built for this one.
    """

    engine: PartitionedEngine | None
    partitions: list[Partition]
    networks: list[_core.Network]
    weights: list[torch.Tensor] = field(default_factory=list)
    plan: PartitionedEngine | None = None


@dataclass
class BuiltPart:
    """A part on its way to an engine; a part in PyTorch has none of it.

    Attributes:
        part: the part.
        network: its network.
        weights: tensors that the network may borrow.
        origins: the node of the part's graph behind each node of its program.
        engine: what runs it here.
        plan: what runs it on another machine.
    """

    part: Part
    network: _core.Network | None = None
    weights: list[torch.Tensor] = field(default_factory=list)
    origins: Sequence[FxNode] = ()
    engine: _core.Engine | None = None
    plan: Any = None

    def calls_of(self, refused: Error) -> dict[FxNode, str]:
        """The calls of the captured graph that an error names, with the reason."""
        found = (self.part.sources.get(self.origins[index]) for index in getattr(refused, "nodes", None) or [])
        return dict.fromkeys((call for call in found if call is not None), brief(refused))


def assembled(
    whole: Whole,
    parts: list[BuiltPart],
    run: tuple[dict[FxNode, torch.Tensor], list[list[float]]],
    names: tuple[list[str], list[str]],
    profiles: Sequence[Ranges],
    device: torch.device,
    host: Sequence[int],
) -> Made:
    """What runs these parts.

    Args:
        whole: the captured graph.
        parts: the parts in the order in which they run.
        run: PyTorch's value of every tensor that crosses, for the samples, and the sizes that each part reads.
        names: names of the inputs and outputs.
        profiles: the ranges of dynamic sizes.
        device: where the model runs.
        host: the inputs, by position, that are in host memory while the others are on a GPU.
    """
    graph, (values, sizes) = whole.graph, run
    order = inputs_of(graph)
    inputs, computed = order[:], _computed(whole)
    read_last = {node: number for number, item in enumerate(parts) for node in item.part.inputs}
    results = {value for value in graph.outputs if isinstance(value, FxNode)}
    steps, partitions = [], []
    for number, item in enumerate(parts):
        released = [node for node in item.part.inputs if read_last[node] == number and node not in results]
        step = _step(item, order, released, _example(item.part, values, sizes[number]))
        steps.append(step)
        partitions.append(described(item))
        if item.network:
            partitions[-1].difference = _difference(step, item.part, values)
        order += item.part.outputs
    place = {node: index for index, node in enumerate(order)}
    outputs = [_result(value, place, order, whole) for value in computed]
    interface = (_interface(names[0], inputs), _interface(names[1], computed))
    limits = limits_of(graph, profiles)
    is_ahead = any(item.plan is not None for item in parts)
    runs_on = torch.device("cpu") if is_ahead else device
    engine = PartitionedEngine(*interface, steps, outputs, limits, runs_on, host=host)
    made = Made(engine, partitions, [item.network for item in parts if item.network])
    made.weights = [weight for item in parts for weight in item.weights]
    if is_ahead:
        built = [replace(step, engine=item.plan) for step, item in zip(steps, parts, strict=True)]
        made.plan = PartitionedEngine(*interface, built, outputs, limits, device)
        made.plan.partitions = partitions
    engine.partitions = partitions
    return made


def _result(value: FxNode, place: dict[FxNode, int], order: list[FxNode], whole: Whole) -> int | Size | torch.Tensor:
    """Where an output is among the values of a run; a size over their shapes, or a weight."""
    if value in place:
        return place[value]
    return Values(order).sizes([value])[0] if is_size(value) else whole.graph.weights[value.name][1].detach()


def _step(item: BuiltPart, order: list[FxNode], released: list[FxNode], example: Example | None) -> Step:
    """A part ready to run; `order` are the values before it, and `released` those that no later part reads."""
    part = item.part
    place = {node: index for index, node in enumerate(order)}
    reads = [place[node] for node in part.inputs]
    is_made = (node for node in released if node.op != "placeholder" and isinstance(node.meta["val"], torch.Tensor))
    last = [place[node] for node in is_made]
    if item.network:
        dtypes = (dtypes_of(part.inputs), dtypes_of(part.outputs))
        return Step(item.engine, part.graph.module, reads, [], *dtypes, last, [])
    held = list(part.graph.module.state_dict(keep_vars=True).values())
    return Step(None, part.in_pytorch, reads, Values(order).sizes(part.sizes), [], [], last, held, example)


def described(item: BuiltPart) -> Partition:
    """What the report shows of a part."""
    part, network = item.part, item.network
    layers = network.layer_count if network else 0
    return Partition("engine" if network else "pytorch", len(part.calls), layers, part.bytes, part.reasons)


def _example(part: Part, values: dict[FxNode, torch.Tensor], sizes: list[float]) -> Example | None:
    """Inputs with which a part in PyTorch is exported; None for an engine. A number is a 0-D tensor in a file."""
    if part.is_engine:
        return None
    described = [getattr(node.meta["val"], "shape", ()) for node in part.inputs]
    own = [getattr(values[node], "shape", ()) for node in part.inputs]
    dynamic = [[axis for axis, size in enumerate(shape) if not isinstance(size, int)] for shape in described]
    expressions = [size.node.expr for shape in described for size in shape if not isinstance(size, int)]
    expressions += [node.meta["val"].node.expr for node in part.sizes]
    found = {symbol: _FOUND for expression in expressions for symbol in expression.free_symbols if is_unbacked(symbol)}
    shapes = [
        tuple(_with(size, known, found) for size, known in zip(shape, shape_here, strict=True))
        for shape, shape_here in zip(described, own, strict=True)
    ]
    read = [_with(node.meta["val"], int(size), found) for node, size in zip(part.sizes, sizes, strict=True)]
    dtypes = [getattr(torch, dtype) for dtype in dtypes_of(part.inputs)]
    devices = {node: values[node].device for node in part.inputs if isinstance(values[node], torch.Tensor)}
    of_numbers = next(iter(devices.values()), torch.device("cpu"))
    places = [devices.get(node, of_numbers) for node in part.inputs]
    return Example(shapes, dynamic, dtypes, read, places, _numbers(part.inputs), _numbers(part.outputs))


def _numbers(nodes: list[FxNode]) -> list[int]:
    """The positions of numbers that are read out of tensors."""
    return [k for k, node in enumerate(nodes) if not isinstance(node.meta["val"], torch.Tensor)]


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
    leaves = zip(whole.graph.outputs, whole.graph.tree.leaves, strict=True)
    return [value for value, leaf in leaves if isinstance(value, FxNode) and leaf.is_runtime]


def _interface(names: list[str], nodes: list[FxNode]) -> list[tuple[str, str, list[str]]]:
    return [
        (name, dtype, [str(size) for size in getattr(node.meta["val"], "shape", ())])
        for name, dtype, node in zip(names, dtypes_of(nodes), nodes, strict=True)
    ]


def _difference(step: Step, part: Part, values: dict[FxNode, torch.Tensor]) -> float:
    """The max abs error / max abs reference of an engine on the inputs that PyTorch gives it."""
    assert step.engine is not None
    tensors = [values[node].contiguous() for node in part.inputs]
    if step.engine.device_index is not None:
        tensors = to_device(tensors, range(len(tensors)), step.engine.device)
    tensors = to_engine(tensors, step.input_dtypes)
    stream = torch.cuda.current_stream().cuda_stream if tensors and tensors[0].is_cuda else None
    got = to_model(step.engine.run(tensors, stream, None), step.output_dtypes)
    expected = [torch.as_tensor(values[node]) for node in part.outputs]
    return max(map(difference, expected, got), default=0.0)


__all__ = ["BuiltPart", "Made", "assembled", "described"]
