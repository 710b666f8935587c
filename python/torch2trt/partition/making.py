"""From a captured graph to engines and parts in PyTorch.

A call that turns out not to convert, or that the target lacks, goes to PyTorch, and the graph is cut again, until every
engine is built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Node as FxNode

from .. import _core
from .._core import Error
from .._log import logger
from ..capture import Whole
from ..capture.export import AtenGraph
from ..capture.lenient import walk_all
from ..capture.size import Size
from ..capture.tree import InputTree
from ..dynamic import Ranges
from ..errors import brief, error
from .assembly import BuiltPart, Made, assembled, described
from .bounds import Bounds
from .engine import with_shapes
from .nodes import dtypes_of, inputs_of
from .parts import Part, Values, split
from .refusals import REFUSED, UnboundedSizeError
from .sizes import ranges_of


@dataclass(frozen=True)
class Backend:
    """What turns a part into an engine.

    Attributes:
        convert: from a program, names and ranges of its tensors, sample inputs and their dtypes to a network.
        build: from a network to what runs it: an `Engine`, or a `Plan` for another machine. None: nothing is built.
        rehearse: makes an engine that runs here; `build` itself, but for plans for another machine.
        device: where the model runs.
        is_bounded: whether an engine needs the largest size of each axis (TensorRT does).
    """

    convert: Callable[[_core.Program, dict[str, Any], list[torch.Tensor], list[str]], _core.Network]
    build: Callable[[_core.Network], Any] | None
    rehearse: Callable[[_core.Network], _core.Engine] | None
    device: torch.device
    is_bounded: bool


class _RefusedError(Exception):
    """Calls of a part that do not convert, with the reason of each."""

    def __init__(self, calls: dict[FxNode, str]) -> None:
        super().__init__()
        self.calls = calls


def make(
    whole: Whole,
    refused: dict[FxNode, str],
    inputs: InputTree,
    profiles: Sequence[Ranges],
    backend: Backend,
    least: int,
    names: tuple[list[str], list[str]],
) -> Made:
    """Cuts a captured graph and makes the engines.

    Args:
        whole: the captured graph.
        refused: calls that run in PyTorch, with the reason.
        inputs: the sample inputs, and which of them are in host memory.
        profiles: the ranges of dynamic sizes.
        backend: what turns a part into an engine.
        least: calls of the smallest engine; 0 where a model without an engine will do, too.
        names: names of the inputs and outputs.

    Raises:
        torch2trt.Error: E0101 where nothing is left for an engine; what `backend` raises about no call.
    """
    samples = inputs.samples
    maker = _Maker(whole, samples, profiles, backend)
    refused = dict(refused)
    while True:
        parts = split(whole.graph, refused, least)
        if least and not any(part.is_engine for part in parts):
            raise _nothing_left(refused)
        values, sizes = _run(whole.graph, parts, samples)
        found = maker.convert(parts, values) or maker.build(parts)
        if not found:
            built = [maker.made(part) for part in parts]
            if backend.build is None:
                return Made(None, [described(part) for part in built], [])
            return assembled(whole, built, (values, sizes), names, profiles, backend.device, inputs.host)
        refused.update(found)


class _Maker:
    """Makes engines; those of parts that a new cut leaves as they were are made once."""

    def __init__(self, whole: Whole, samples: list[torch.Tensor], profiles: Sequence[Ranges], backend: Backend) -> None:
        self.whole, self.samples, self.profiles, self.backend = whole, samples, profiles, backend
        self.bounds = Bounds(whole.graph, profiles)
        self._known: dict[tuple[FxNode, ...], BuiltPart] = {}

    def made(self, part: Part) -> BuiltPart:
        """A part as far as it is made."""
        return self._known[tuple(part.calls)] if part.is_engine else BuiltPart(part)

    def convert(self, parts: list[Part], values: dict[FxNode, torch.Tensor]) -> dict[FxNode, str]:
        """Converts the parts that are engines. Returns the calls that do not convert, with the reason."""
        found: dict[FxNode, str] = {}
        for part in parts:
            key = tuple(part.calls)
            if part.is_engine and key not in self._known:
                try:
                    self._known[key] = self._converted(part, values)
                except _RefusedError as calls:
                    found.update(calls.calls)
        return found

    def build(self, parts: list[Part]) -> dict[FxNode, str]:
        """Builds the engines. Returns the calls of the first that cannot be built, with the reason.

        Those are the calls that the error names, or all of the engine's where it names none.
        """
        build, rehearse = self.backend.build, self.backend.rehearse
        for made in map(self.made, parts):
            if build is None or made.network is None or made.engine is not None:
                continue
            try:
                built = build(made.network)
                made.engine, made.plan = (rehearse(made.network), built) if rehearse else (built, None)
            except Error as refused:
                if refused.code not in REFUSED:
                    raise
                if found := made.calls_of(refused):
                    logger.warning(
                        "an engine cannot be built; the calls that the error names run in PyTorch: %s", refused
                    )
                    return found
                if sum(part.is_engine for part in parts) == 1:
                    raise  # nothing would be left for an engine
                logger.warning("an engine cannot be built, and the error names no call; PyTorch runs it: %s", refused)
                return dict.fromkeys(made.part.calls, brief(refused))
        return {}

    def _converted(self, part: Part, values: dict[FxNode, torch.Tensor]) -> BuiltPart:
        """The network of a part.

        Raises:
            _RefusedError: calls that do not convert.
        """
        samples, dtypes = [values[node] for node in part.inputs], dtypes_of(part.inputs)
        try:
            ranges = ranges_of(self.whole, part, self.profiles, values, self.bounds, self.backend.is_bounded)
            walked = walk_all(part.graph, part.graph.inputs, samples, lambda stage, done, total: None)
        except UnboundedSizeError as unbounded:
            raise _RefusedError(dict.fromkeys(unbounded.calls, str(unbounded))) from unbounded
        except Error as refused:  # of an input, or an output
            raise _RefusedError({call: brief(refused) for call in part.calls}) from refused
        if walked.refused:
            raise _RefusedError({part.sources[node]: brief(refused) for node, refused in walked.refused.items()})
        builder = _core.ProgramBuilder()
        walked.program.emit(builder)
        options = {"input_names": part.graph.inputs, "output_names": part.graph.tree.names, "profiles": ranges}
        made = BuiltPart(part, None, [weight.tensor for weight in walked.program.weights], walked.origins)
        try:
            made.network = self.backend.convert(builder.finish(), options, samples, dtypes)
        except Error as refused:
            found = made.calls_of(refused)
            if refused.code not in REFUSED or not found:
                raise
            raise _RefusedError(found) from refused
        return made


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
        formulas: list[Size] = Values(list(values)).sizes(part.sizes)
        sizes = [size.value(with_shapes(values.values())) for size in formulas]
        read.append(sizes)
        values.update(zip(part.outputs, part.run([values[node] for node in part.inputs], sizes), strict=True))
    return values, read


__all__ = ["Backend", "Made", "make"]
