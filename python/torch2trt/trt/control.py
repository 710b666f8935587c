"""Conditionals and loops: TensorRT's IIfConditional and ILoop with their boundary layers.

| class | network layers |
|---|---|
| IIfConditionalOutputLayer | Shuffle, Select |
| IRecurrenceLayer, IIteratorLayer, ILoopOutputLayer | the body, once an iteration; Gather, Shuffle, Concatenation |
| IConditionLayer, IIfConditionalInputLayer, ITripLimitLayer | none |

Networks here have no control flow. What TensorRT's builders put into a branch has no effect but its result, so both
branches are computed and one is selected; and a loop whose trip count is known is its iterations (unroll.py).

This file must not know how drafts become final.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._core import Size
from ..errors import error
from .emit import Emitter, Inference, Ref
from .enums import LayerType, LoopOutput, TripLimit, member
from .layer import Attribute, ILayer, ITensor
from .unroll import Unrolled, alike, element

if TYPE_CHECKING:
    from .drafts import Drafts


class _Construct:
    """What conditionals and loops share: a name."""

    _word = ""

    def __init__(self, network: Drafts) -> None:
        self._network = network
        self._name = ""

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = str(name)

    def __str__(self) -> str:
        return f"{self._word} `{self._name}`" if self._name else f"the {self._word}"


# Conditionals


class IIfConditional(_Construct):
    """TensorRT's IIfConditional: `condition ? true branch : false branch`.

    Both branches are computed, whatever the condition is, and the outputs selected: the result is the same, but
    nothing is saved, and an assertion in a branch is always checked. A branch is whatever leads to its output.
    """

    _word = "conditional"

    def __init__(self, network: Drafts) -> None:
        super().__init__(network)
        self._condition: IConditionLayer | None = None

    def set_condition(self, condition: ITensor) -> IConditionLayer:
        """Sets the condition: one bool, a tensor without axes.

        Raises:
            TypeError: it is not a tensor of the network.
        """
        self._condition = IConditionLayer(self, [self._network._checked(condition, "set_condition", "condition")])
        return self._condition

    def add_input(self, input: ITensor) -> IIfConditionalInputLayer:
        """An input of either branch, of any type and sizes. Branches may use tensors without it as well."""
        return IIfConditionalInputLayer(self, [self._network._checked(input, "add_input", "input")])

    def add_output(self, true_subgraph_output: ITensor, false_subgraph_output: ITensor) -> IIfConditionalOutputLayer:
        """An output: the first tensor where the condition is true, else the second. They are of one type and shape.

        Raises:
            TypeError: one is not a tensor of the network.
            torch2trt.Error: E0107, when the output is used: they differ, or there is no condition of one bool.
        """
        given = {"true_subgraph_output": true_subgraph_output, "false_subgraph_output": false_subgraph_output}
        return IIfConditionalOutputLayer(
            self, [self._network._checked(tensor, "add_output", name) for name, tensor in given.items()]
        )


class _ConditionalBoundary(ILayer):
    """What the boundary layers of a conditional share."""

    def __init__(self, conditional: IIfConditional, inputs: list[ITensor | None]) -> None:
        self._conditional = conditional
        super().__init__(conditional._network, inputs)

    @property
    def conditional(self) -> IIfConditional:
        """The conditional it belongs to."""
        return self._conditional


class IConditionLayer(_ConditionalBoundary):
    """The condition of an IIfConditional: input 0, one bool. It has no outputs."""

    _kind = LayerType.CONDITION
    _outputs = 0

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return []


class IIfConditionalInputLayer(_ConditionalBoundary):
    """An input of a branch: the tensor itself."""

    _kind = LayerType.CONDITIONAL_INPUT

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return inputs


class IIfConditionalOutputLayer(_ConditionalBoundary):
    """An output of an IIfConditional: input 0 where the condition is true, else input 1, of one type and shape."""

    _kind = LayerType.CONDITIONAL_OUTPUT

    def _needs(self) -> list[ITensor | None]:
        condition = self._conditional._condition
        return [None if condition is None else condition._inputs[0], *self._inputs]

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        condition, yes, no = inputs
        if condition is None:
            raise error("E0107", f"{self._conditional} has no condition", "give it one: conditional.set_condition(x)")
        if e.dtype(condition) != "bool" or e.rank(condition):
            raise error(
                "E0107",
                f"the condition of {self._conditional} must be a bool tensor without axes, got {e.info(condition)}",
                "reduce it to one element, and make that bool[] with add_shuffle: reshape_dims = ()",
            )
        if not alike(e.info(yes), e.info(no)):
            raise error(
                "E0107",
                f"the branches of {self._conditional} differ: {e.info(yes)} where true, {e.info(no)} where false",
                "both branches of an output must have one type and shape: add_cast, or broadcast the smaller one",
            )
        return [e.one("Select", [e.reshape(condition, [Size(1)] * e.rank(yes)), yes, no])]


# Loops


class ILoop(_Construct):
    """TensorRT's ILoop, for trip counts that are known while converting: it becomes its iterations, one by one.

    The body is whatever is between the outputs of recurrences and iterators and what the loop gives. Only
    `add_loop_output` leads out of it. A trip count that depends on data is an error.
    """

    _word = "loop"

    def __init__(self, network: Drafts) -> None:
        super().__init__(network)
        self._limits: list[ITripLimitLayer] = []
        self._recurrences: list[IRecurrenceLayer] = []
        self._iterators: list[IIteratorLayer] = []
        self._outputs: list[ILoopOutputLayer] = []
        self._unrolled = Unrolled(self)

    def add_trip_limit(self, tensor: ITensor, kind: Any) -> ITripLimitLayer:
        """The number of iterations: one int32 or int64 that is a constant, or follows from sizes that are numbers.

        Raises:
            torch2trt.Error: E0108, the kind is WHILE, or the loop has a limit; E0107, when the loop is used: the
                number is not known.
        """
        tensor = self._network._checked(tensor, "add_trip_limit", "tensor")
        if member(TripLimit, kind) is TripLimit.WHILE:
            raise error(
                "E0108",
                f"{self} ends by a condition (TripLimit.WHILE): networks here have no control flow, so the number of "
                "iterations must be known while converting",
                "count its iterations (TripLimit.COUNT), write a Python loop over a known number of steps, or move "
                "the loop out of the model",
            )
        if self._limits:
            raise error("E0108", f"{self} has a trip limit", "a loop has at most one COUNT")
        self._limits.append(ITripLimitLayer(self, [tensor], TripLimit.COUNT))
        return self._limits[-1]

    def add_recurrence(self, initial_value: ITensor) -> IRecurrenceLayer:
        """A value that iterations hand on: this one in the first, then the value of `set_input(1, value)` of the layer.

        Raises:
            TypeError: it is not a tensor of the network.
            torch2trt.Error: E0107, when the loop is used: the next value is missing, or of another type or shape.
        """
        tensor = self._network._checked(initial_value, "add_recurrence", "initial_value")
        self._recurrences.append(IRecurrenceLayer(self, [tensor]))
        return self._recurrences[-1]

    def add_iterator(self, tensor: ITensor, axis: int = 0, reverse: bool = False) -> IIteratorLayer:
        """Element k of a tensor along an axis, which it loses, in iteration k; the other way round with `reverse`.

        Raises:
            TypeError: it is not a tensor of the network.
            torch2trt.Error: E0107, when the loop is used: there are more iterations than elements.
        """
        tensor = self._network._checked(tensor, "add_iterator", "tensor")
        self._iterators.append(IIteratorLayer(self, [tensor], axis=axis, reverse=reverse))
        return self._iterators[-1]

    def add_loop_output(self, tensor: ITensor, kind: Any, axis: int = 0) -> ILoopOutputLayer:
        """What the loop gives, by `kind`.

        LAST_VALUE: a recurrence's value after the last iteration. CONCATENATE and REVERSE: the values that a tensor
        has in all iterations, forward or backward, along a new axis, whose size is input 1 of the layer.

        Raises:
            TypeError: it is not a tensor of the network, or the kind is none.
            torch2trt.Error: E0107, when the output is used: the loop cannot be unrolled, or the length does not fit.
        """
        tensor = self._network._checked(tensor, "add_loop_output", "tensor")
        self._outputs.append(ILoopOutputLayer(self, [tensor], member(LoopOutput, kind), axis))
        return self._outputs[-1]


class _LoopBoundary(ILayer):
    """What the boundary layers of a loop share."""

    def __init__(self, loop: ILoop, inputs: list[ITensor | None], **values: Any) -> None:
        self._loop = loop
        super().__init__(loop._network, inputs, **values)

    @property
    def loop(self) -> ILoop:
        """The loop it belongs to."""
        return self._loop

    def _input(self, index: int) -> ITensor:
        """An input that it has: none is ever taken away."""
        tensor = self._inputs[index]
        assert tensor is not None
        return tensor

    def _inside(self, e: Emitter) -> None:
        """Its output exists inside the loop, where `Unrolled` makes it, and while a script asks for shapes.

        Raises:
            torch2trt.Error: E0107, it is used outside.
        """
        if not isinstance(e, Inference):
            raise error(
                "E0107",
                f"`{self.name}` of {self._loop} is used outside the loop",
                "only loop.add_loop_output(...) leads out of a loop",
            )


class ITripLimitLayer(_LoopBoundary):
    """The trip count of an ILoop: input 0. It has no outputs."""

    _kind = LayerType.TRIP_LIMIT
    _outputs = 0

    def __init__(self, loop: ILoop, inputs: list[ITensor | None], kind: TripLimit) -> None:
        super().__init__(loop, inputs)
        self._limit = kind

    @property
    def kind(self) -> TripLimit:
        """What ends the loop: COUNT."""
        return self._limit

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return []


class IRecurrenceLayer(_LoopBoundary):
    """A value that iterations hand on: input 0 in the first, then what input 1 was in the one before.

    Input 1 has the type and shape of input 0.
    """

    _kind = LayerType.RECURRENCE
    _optional_inputs = 1

    def _needs(self) -> list[ITensor | None]:
        return self._inputs[:1]

    def _next(self) -> ITensor:
        following = self.get_input(1)
        if following is None:
            help = "set what the next iteration gets: recurrence.set_input(1, value)"
            raise error("E0107", f"`{self.name}` of {self._loop} has no next value", help)
        return following

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        self._inside(e)
        return inputs


class IIteratorLayer(_LoopBoundary):
    """Input 0 without one axis: element k along it in iteration k."""

    _kind = LayerType.ITERATOR
    axis = Attribute("The axis. Default: 0.", int)
    reverse = Attribute(
        "Whether the first iteration gets the element at the trip count less one. Default: False.", bool
    )

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        self._inside(e)
        return [element(e, self, inputs[0], 0)]


class ILoopOutputLayer(_LoopBoundary):
    """What an ILoop gives of input 0, by `kind`: a recurrence's last value, or all values along a new axis.

    Input 1, which CONCATENATE and REVERSE need, is the size of the new axis, one known int32 or int64: the trip
    count, or for CONCATENATE a smaller number of first iterations.
    """

    _kind = LayerType.LOOP_OUTPUT
    _optional_inputs = 1
    axis = Attribute("Position of the new axis. Default: 0.", int)

    def __init__(self, loop: ILoop, inputs: list[ITensor | None], kind: LoopOutput, axis: int) -> None:
        super().__init__(loop, inputs, axis=axis)
        self._gives = kind
        self._source = loop._unrolled._grow()

    @property
    def kind(self) -> LoopOutput:
        """What is given."""
        return self._gives

    def set_input(self, index: int, tensor: ITensor) -> None:
        """Replaces input 0, or gives the length of CONCATENATE and REVERSE as input 1.

        Raises:
            IndexError: there is no such input; LAST_VALUE has no length.
            TypeError: it is not a tensor of the network.
        """
        if index == 1 and self._gives is LoopOutput.LAST_VALUE:
            raise IndexError(f"{self.name} is the LAST_VALUE of a recurrence, which takes no length")
        super().set_input(index, tensor)

    def _needs(self) -> list[ITensor | None]:
        return [self._source]

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return inputs


CONSTRUCTS = {"IIfConditional": IIfConditional, "ILoop": ILoop}
"""What is made of layers and is none itself."""
