"""A loop as what its iterations do, one after the other: networks here have no control flow.

A loop's body is whatever is between its recurrences and iterators on one side, its outputs and the recurrences'
next values on the other. All outputs of a loop are made together, so that the body is written once an iteration.

This file must not know how scripts put loops together (control.py) or how drafts become final.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from .._core import Size, TensorInfo
from ..errors import error
from .emit import Emitter, Ref
from .enums import GatherMode, LayerType, LoopOutput
from .layer import ILayer, ITensor
from .values import numbers_of

if TYPE_CHECKING:
    from .control import IIteratorLayer, ILoop, ILoopOutputLayer, IRecurrenceLayer

Values = dict[ITensor, Ref]

_COUNT_HELP = (
    "give add_trip_limit a number that is known while converting: an add_constant, or a size that the model's inputs "
    "do not change; or write a Python loop over a known number of steps; or move the loop out of the model"
)


@dataclass(frozen=True)
class Plan:
    """The layers of a loop's body, each after those it uses, and the tensors from outside that the loop uses."""

    body: list[ILayer]
    outside: list[ITensor]


class Unrolled(ILayer):
    """All iterations of a loop; its outputs are those of the loop. Loops make it, not scripts."""

    _kind = LayerType.LOOP_OUTPUT
    _outputs = 0
    _hidden = True

    def __init__(self, loop: ILoop) -> None:
        super().__init__(loop._network, [])
        self._loop = loop
        self._planning = False
        self._seen: Any = None

    def _grow(self) -> ITensor:
        """One more output."""
        self._made.append(ITensor(self._network, self, len(self._made)))
        return self._made[-1]

    # Which layers the loop has

    def _plan(self) -> Plan:
        loop = self._loop
        if self._planning:
            raise error("E0107", f"{loop}: an output of the loop is used inside it", "use a recurrence's output")
        roots = [*(output._input(0) for output in loop._outputs), *(r._next() for r in loop._recurrences)]
        self._planning = True
        try:
            order = self._network._needed(roots)
        finally:
            self._planning = False
        inside: set[ILayer] = {*loop._recurrences, *loop._iterators}
        body = []
        for layer in order:
            if layer not in inside and any(t is not None and t._layer in inside for t in layer._needs()):
                inside.add(layer)
                body.append(layer)
        entering = self._entering()
        for tensor, role in entering.items():
            if tensor._layer in inside:
                raise error("E0107", f"{loop}: {role} must come from outside the loop, {tensor.name} is inside")
        used = [*entering, *roots, *(t for layer in body for t in layer._needs() if t is not None)]
        return Plan(body, list(dict.fromkeys(t for t in used if t._layer not in inside)))

    def _entering(self) -> dict[ITensor, str]:
        """The tensors that the loop is entered with, and what they are to it."""
        loop = self._loop
        entering = {layer._input(0): "the iterated tensor" for layer in loop._iterators}
        entering |= {layer._input(0): "the initial value of a recurrence" for layer in loop._recurrences}
        entering |= {layer._input(1): "the length of an output" for layer in loop._outputs if len(layer._inputs) > 1}
        return entering | {layer._input(0): "the trip count" for layer in loop._limits}

    def _needs(self) -> list[ITensor | None]:
        return list(self._plan().outside)

    def _state(self) -> Any:
        loop = self._loop
        layers = [*self._plan().body, *loop._limits, *loop._recurrences, *loop._iterators, *loop._outputs]
        return [(layer, layer._state()) for layer in layers]

    def _infer(self, inputs: list[TensorInfo | None]) -> list[TensorInfo]:
        state = self._state()
        if state != self._seen:
            self._memo, self._seen = None, state
        return super()._infer(inputs)

    # What they do

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        loop, plan = self._loop, self._plan()
        values: Values = dict(zip(plan.outside, inputs))
        trips = self._trips(e, values)
        states = {recurrence: values[recurrence._input(0)] for recurrence in loop._recurrences}
        kept: dict[ILoopOutputLayer, list[Ref]] = {output: [] for output in loop._outputs}
        for step in range(trips):
            inner = {**values, **{recurrence._made[0]: state for recurrence, state in states.items()}}
            self._iterate(e.within(f"iteration {step}"), plan.body, inner, step, trips)
            for output, parts in kept.items():
                parts.append(inner[output._input(0)])
            states = {recurrence: self._next(e, recurrence, states, inner) for recurrence in states}
        return [self._result(e, output, parts, states, values) for output, parts in kept.items()]

    def _trips(self, e: Emitter, values: Values) -> int:
        if not self._loop._limits:
            help = "count its iterations: loop.add_trip_limit(count, trt.TripLimit.COUNT)"
            raise error("E0107", f"{self._loop} has no trip limit", help)
        count = self._integer(e, values[self._loop._limits[0]._input(0)], "the trip count", _COUNT_HELP)
        if count < 0:
            raise error("E0107", f"{self._loop}: the trip count is {count}")
        return count

    def _integer(self, e: Emitter, x: Ref, what: str, help: str) -> int:
        """The one element of an integer tensor."""
        info = e.info(x)
        numbers = None if info.value is None else numbers_of(info.value)
        if numbers is None or len(numbers) != 1:
            known = "" if info.value is None else f" with the value {', '.join(map(str, info.value))}"
            raise error("E0107", f"{self._loop}: {what} must be one known integer, got {info}{known}", help)
        return numbers[0]

    def _iterate(self, e: Emitter, body: list[ILayer], values: Values, step: int, trips: int) -> None:
        """Adds what the body makes in one iteration to the values."""
        for iterator in self._loop._iterators:
            at = trips - 1 - step if iterator.reverse else step
            values[iterator._made[0]] = element(e, iterator, values[iterator._input(0)], at)
        for layer in body:
            inputs = [None if t is None else values[t] for t in layer._needs()]
            values.update(zip(layer._made, layer._typed(e.within(layer._name), inputs)))

    def _next(
        self, e: Emitter, recurrence: IRecurrenceLayer, states: dict[IRecurrenceLayer, Ref], values: Values
    ) -> Ref:
        before, after = e.info(states[recurrence]), e.info(values[recurrence._next()])
        if alike(before, after):
            return values[recurrence._next()]
        help = "a recurrence keeps its type and sizes: add_cast, or an initial value of the full size"
        raise error("E0107", f"{self._loop}: `{recurrence.name}` is {before}, its next value {after}", help)

    def _result(
        self,
        e: Emitter,
        output: ILoopOutputLayer,
        parts: list[Ref],
        states: dict[IRecurrenceLayer, Ref],
        values: Values,
    ) -> Ref:
        if output.kind is LoopOutput.LAST_VALUE:
            source: Any = output._input(0)._layer
            if source not in states:
                raise error(
                    "E0107",
                    f"{self._loop}: `{output.name}` asks for the last value of {output._input(0).name}",
                    "LAST_VALUE takes the output of a recurrence of the same loop",
                )
            return states[source]
        length = self._length(e, output, len(parts), values)
        parts = parts[:length] if output.kind is LoopOutput.CONCATENATE else parts[::-1]
        return joined(e, parts, output.axis)

    def _length(self, e: Emitter, output: ILoopOutputLayer, trips: int, values: Values) -> int:
        what, help = f"the length of `{output.name}`", "give the trip count: layer.set_input(1, length)"
        if len(output._inputs) < 2:
            raise error("E0107", f"{self._loop}: {what} is missing", help)
        length = self._integer(e, values[output._input(1)], what, help)
        if not 0 < length <= trips or (output.kind is LoopOutput.REVERSE and length != trips):
            raise error("E0107", f"{self._loop}: {what} is {length}, the loop has {trips} iterations", help)
        return length


def element(e: Emitter, iterator: IIteratorLayer, x: Ref, index: int) -> Ref:
    """What an iterator gives of a tensor: its element along the axis, as Gather with a scalar.

    Raises:
        torch2trt.Error: E0107, the tensor has no such element.
    """
    axis = placed(iterator.axis, e.rank(x))
    size = e.dims(x)[axis].static_value
    if size is not None and index >= size:
        raise error(
            "E0107",
            f"{iterator.loop}: `{iterator.name}` reads element {index} along axis {axis} of {e.info(x)}",
            "the trip count must not be larger than the axis",
        )
    at = e.constant(torch.tensor(index))
    return e.one("Gather", [x, at], mode=GatherMode.DEFAULT, axis=axis, elementwise_dims=0)


def joined(e: Emitter, parts: list[Ref], axis: int) -> Ref:
    """Tensors of one shape along a new axis."""
    axis = placed(axis, e.rank(parts[0]) + 1)
    rows = []
    for part in parts:
        sizes = list(e.dims(part))
        sizes.insert(axis, Size(1))
        rows.append(e.reshape(part, sizes))
    return rows[0] if len(rows) == 1 else e.one("Concatenation", rows, axis=axis)


def placed(axis: int, rank: int) -> int:
    """An axis counted from the start.

    Raises:
        ValueError: there is no such axis.
    """
    if not -rank <= axis < rank:
        raise ValueError(f"there is no axis {axis} among {rank}")
    return axis % rank


def alike(a: TensorInfo, b: TensorInfo) -> bool:
    """Whether dtype, rank and the sizes that are numbers are the same."""
    pairs = [(x.static_value, y.static_value) for x, y in zip(a.dims, b.dims)]
    return a.dtype == b.dtype and len(a.dims) == len(b.dims) and all(x == y or None in (x, y) for x, y in pairs)


__all__ = ["Unrolled", "alike", "element"]
