"""What all layers and tensors of a draft share.

A layer is a draft until the converter that added it has returned: attributes may be set in any order, and a tensor's
shape is found when it is asked for. `Drafts` (drafts.py) owns them and makes them final.

This file must not know which layers there are.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .._core import TensorInfo
from .._log import logger
from ..errors import error, outside
from .dtypes import DataType, from_network_name, network_name
from .emit import Emitter, Inference, Ref
from .enums import LayerType, TensorLocation, member
from .values import Dims, as_tensor, unknown

if TYPE_CHECKING:
    from .drafts import Drafts


class Attribute:
    """An attribute of a layer: how what is set becomes what is kept, and what it means."""

    def __init__(self, doc: str, read: Callable[[Any], Any] = lambda value: value) -> None:
        self.__doc__ = doc
        self.read = read
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: ILayer | None, owner: type) -> Any:
        return self if layer is None else layer._values.get(self.name)

    def __set__(self, layer: ILayer, value: Any) -> None:
        try:
            layer._values[self.name] = self.read(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{type(layer).__name__}.{self.name}: {error}") from None
        layer._changed()


class Fixed(Attribute):
    """An attribute that TensorRT has and that can only be what it is by default here."""

    def __init__(self, doc: str, value: Any, why: str, read: Any = lambda value: value) -> None:
        super().__init__(doc, read)
        self.value, self.why = value, why

    def __get__(self, layer: ILayer | None, owner: type) -> Any:
        return self if layer is None else self.value

    def __set__(self, layer: ILayer, value: Any) -> None:
        if (None if value is None else self.read(value)) != self.value:
            raise error("E0108", f"{type(layer).__name__}.{self.name} = {value} is not supported: {self.why}")


def choice(kind: type) -> Callable[[Any], Any]:
    """Reads a member of an enumeration."""
    return lambda value: member(kind, value)


def array(attribute: torch.Tensor | None) -> np.ndarray | None:
    """Weights as an attribute shows them."""
    return None if attribute is None else attribute.numpy()


class WeightsAttribute(Attribute):
    """Weights: set as anything that is an array, read as a numpy array."""

    def __init__(self, doc: str) -> None:
        super().__init__(doc, as_tensor)

    def __get__(self, layer: ILayer | None, owner: type) -> Any:
        return self if layer is None else array(layer._values.get(self.name))


class ITensor:
    """A tensor of the network: an output of a layer, or one that the network already has."""

    def __init__(self, network: Drafts, layer: ILayer | None, index: int, id: int | None = None) -> None:
        self._network, self._layer, self._index, self._id = network, layer, index, id
        self._name: str | None = None

    @property
    def name(self) -> str:
        """Its name in messages."""
        if self._name is not None:
            return self._name
        return f"tensor {self._id}" if self._layer is None else f"{self._layer.name} output {self._index}"

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    @property
    def _info(self) -> TensorInfo:
        return self._network._infer(self)

    @property
    def shape(self) -> Dims:
        """Its sizes; -1 for one that depends on the model's inputs.

        Raises:
            torch2trt.Error: E0107, the layer that makes it does not fit its inputs.
        """
        return Dims(unknown(size) for size in self._info.dims)

    @property
    def dtype(self) -> DataType:
        """Its type. A cast makes another: `network.add_cast(tensor, dtype)`."""
        return from_network_name(self._info.dtype)

    @property
    def is_network_input(self) -> bool:
        """Whether it is an input of the network: never, inputs belong to the model."""
        return False

    @property
    def is_network_output(self) -> bool:
        """Whether it is an output of the network: never, outputs belong to the model."""
        return False

    @property
    def is_shape_tensor(self) -> bool:
        """Whether its elements are sizes that are known without running the network."""
        return self._info.value is not None

    @property
    def is_execution_tensor(self) -> bool:
        """Whether it holds data."""
        return True

    @property
    def location(self) -> TensorLocation:
        """Where it is when the engine runs: the engine decides."""
        return TensorLocation.DEVICE

    @location.setter
    def location(self, location: Any) -> None:
        note("where a tensor is is the engine's to decide: setting a location changes nothing")

    @property
    def dynamic_range(self) -> None:
        """TensorRT 11 has no dynamic ranges: quantization is explicit (`add_quantize`)."""

    @dynamic_range.setter
    def dynamic_range(self, range: Any) -> None:
        note("dynamic ranges went with TensorRT 11's strong typing: use add_quantize and add_dequantize")

    def set_dynamic_range(self, min: float, max: float) -> bool:
        """Changes nothing; see `dynamic_range`."""
        self.dynamic_range = (min, max)
        return True

    def __repr__(self) -> str:
        try:
            return f"<ITensor {self.name}: {self._info}>"
        except Exception:  # a draft whose inputs do not fit yet
            return f"<ITensor {self.name}>"


class ILayer:
    """A layer. Its attributes can be set until the converter that added it returns."""

    _kind: LayerType
    _optional_inputs = 0
    """How many inputs `set_input` may add."""
    _outputs = 1
    _effect = False
    """Whether it is kept though nothing uses it."""
    _hidden = False
    """Whether scripts do not count it as a layer of the network."""

    def __init__(self, network: Drafts, inputs: list[ITensor | None], **values: Any) -> None:
        self._network = network
        self._inputs: list[ITensor | None] = list(inputs)
        self._values: dict[str, Any] = {}
        self._types: dict[int, str] = {}
        self._precision: DataType | None = None
        self._name: str | None = None
        self._revision = 0
        self._number = network._adopt(self)
        self._added_at = outside()
        self._memo: tuple[list[Any], list[TensorInfo]] | None = None
        self._made = [ITensor(network, self, index) for index in range(self._outputs)]
        for name, value in values.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not hasattr(type(self), name):
            near = difflib.get_close_matches(name, dir(type(self)), 1)
            hint = f", did you mean `{near[0]}`?" if near else ""
            raise AttributeError(f"{type(self).__name__} has no attribute `{name}`{hint}")
        super().__setattr__(name, value)

    # What layers differ in

    def _needs(self) -> list[ITensor | None]:
        """The tensors that `_emit` is given: the inputs, but for layers that are part of something larger."""
        return self._inputs

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        """What the layer is made of; gives its outputs."""
        raise NotImplementedError

    # What TensorRT's ILayer has

    @property
    def name(self) -> str:
        """Its name, shown where the layer came from."""
        return self._name or f"{self._kind.name.lower()} {self._number}"

    @name.setter
    def name(self, name: str) -> None:
        self._name = str(name)

    @property
    def metadata(self) -> str:
        """Text of the user's; kept nowhere."""
        return ""

    @metadata.setter
    def metadata(self, text: str) -> None:
        pass

    @property
    def type(self) -> Any:
        """What it is; for activations and poolings, which one."""
        return self._kind

    @property
    def num_inputs(self) -> int:
        """Number of inputs."""
        return len(self._inputs)

    @property
    def num_outputs(self) -> int:
        """Number of outputs."""
        return self._outputs

    def get_input(self, index: int) -> ITensor | None:
        """The input at a position; None where it has none."""
        return self._inputs[index] if 0 <= index < len(self._inputs) else None

    def get_output(self, index: int) -> ITensor:
        """The output at a position.

        Raises:
            IndexError: the layer has no such output.
        """
        if not 0 <= index < self._outputs:
            raise IndexError(f"{self.name} has {self._outputs} outputs, there is no output {index}")
        return self._made[index]

    def set_input(self, index: int, tensor: ITensor) -> None:
        """Replaces an input, or gives one that stands in for an attribute.

        Raises:
            IndexError: the layer has no such input.
            TypeError: it is not a tensor of the network.
        """
        limit = max(len(self._inputs), self._optional_inputs + 1)
        if not 0 <= index < limit:
            raise IndexError(f"{self.name} takes {limit} inputs, there is no input {index}")
        self._inputs.extend([None] * (index + 1 - len(self._inputs)))
        self._inputs[index] = self._network._checked(tensor, "set_input", "tensor")
        self._changed()

    @property
    def precision(self) -> DataType:
        """The type it computes in: its inputs are cast to it, its outputs back."""
        return self._precision or DataType.FLOAT

    @precision.setter
    def precision(self, precision: Any) -> None:
        self._precision = member(DataType, precision)
        self._changed()

    @property
    def precision_is_set(self) -> bool:
        """Whether `precision` was set."""
        return self._precision is not None

    def reset_precision(self) -> None:
        """Takes `precision` back."""
        self._precision = None
        self._changed()

    def set_output_type(self, index: int, dtype: Any) -> None:
        """Casts an output.

        Raises:
            TypeError: networks have no such type.
        """
        self._types[index] = network_name(dtype)
        self._changed()

    def get_output_type(self, index: int) -> DataType:
        """The type of an output."""
        return self.get_output(index).dtype

    def output_type_is_set(self, index: int) -> bool:
        """Whether `set_output_type` was called for an output."""
        return index in self._types

    def reset_output_type(self, index: int) -> None:
        """Takes `set_output_type` back."""
        self._types.pop(index, None)
        self._changed()

    # Drafts

    def _changed(self) -> None:
        self._memo = None
        self._revision += 1

    def _state(self) -> Any:
        """Differs from an earlier one where the layer has changed since."""
        return self._revision

    def _infer(self, inputs: list[TensorInfo | None]) -> list[TensorInfo]:
        known = self._memo[0] if self._memo is not None and len(self._memo[0]) == len(inputs) else None
        if known is None or any(a is not b for a, b in zip(known, inputs)):
            self._memo = (inputs, self._typed(Inference(), inputs))
        return self._inferred()

    def _inferred(self) -> list[TensorInfo]:
        """What `_infer` found last."""
        assert self._memo is not None
        return self._memo[1]

    def _typed(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        """`_emit`, with the casts that `precision` and `set_output_type` ask for."""
        wanted = self._compute_type()
        floats = [x for x in inputs if x is not None and e.is_float(x)]
        if wanted and floats:
            before = e.dtype(floats[0])
            inputs = [e.cast(x, wanted) if x is not None and e.is_float(x) else x for x in inputs]
            outputs = [e.cast(y, before) if e.is_float(y) else y for y in self._emit(e, inputs)]
        else:
            outputs = self._emit(e, inputs)
        return [e.cast(y, self._types[k]) if k in self._types else y for k, y in enumerate(outputs)]

    def _compute_type(self) -> str | None:
        if self._precision is None:
            return None
        if self._precision in (DataType.FLOAT, DataType.HALF, DataType.BF16):
            return network_name(self._precision)
        note(f"layer.precision = {self._precision.name} is left out: quantization is explicit in TensorRT 11")
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class SizesLayer(ILayer):
    """Sizes of the model's inputs, and what was computed from them, as a tensor. Sizes make it, not scripts."""

    _kind = LayerType.CONSTANT
    sizes = Attribute("The sizes.")

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        return [e.sizes(self.sizes)]


@cache
def note(text: str) -> None:
    """Warns once how an argument of a script was interpreted."""
    logger.info("%s", text)
