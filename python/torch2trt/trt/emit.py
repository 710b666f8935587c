"""Where layers are written to: what a layer is made of, stated once and used twice.

A layer of `torch2trt.trt` defines itself in terms of the network's own layers (`_emit`). While a converter runs, an
`Inference` listens, which only finds the outputs' dtypes and sizes; when it has returned, a `Commit` adds the layers.
Between the two the layer's attributes may change.

Layers cross in the JSON form of the network's own: a name and fields. A reference to a tensor is whatever the
listener understands: a `TensorInfo` for one, an id for the other.

This file must not know which layers TensorRT has.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from enum import Enum
from typing import Any

import torch

from .. import _core
from .._core import Size, TensorInfo, UserNetwork
from .values import numbers_of

Ref = Any
_FLOATS = ("float32", "float16", "bfloat16")
_INDICES = ("int32", "int64")
_FLOAT32_MAX = 3.4028234663852886e38


class Emitter:
    """Takes layers and gives references to their outputs."""

    def layer(self, kind: str, inputs: Sequence[Ref | None] = (), /, **fields: Any) -> list[Ref]:
        """One layer of the network: its name, inputs and attributes.

        Raises:
            torch2trt.Error: E0107, the inputs do not fit the layer.
        """
        op = {kind: _plain(fields)} if fields else kind
        given = list(inputs)
        while given and given[-1] is None:
            given.pop()
        return self.add(json.dumps(op), given)

    def one(self, kind: str, inputs: Sequence[Ref | None] = (), /, **fields: Any) -> Ref:
        """A layer with one output."""
        return self.layer(kind, inputs, **fields)[0]

    def within(self, name: str | None) -> Emitter:
        """Takes the layers of a part, which get its name as their origin where it has one."""
        return self

    def add(self, op: str, inputs: list[Ref | None]) -> list[Ref]:
        """A layer in JSON."""
        raise NotImplementedError

    def constant(self, tensor: torch.Tensor) -> Ref:
        """A constant."""
        raise NotImplementedError

    def sizes(self, sizes: list[Size]) -> Ref:
        """A 1-D int64 tensor that holds sizes."""
        raise NotImplementedError

    def reshape(self, x: Ref, sizes: list[Size]) -> Ref:
        """The same elements under other sizes."""
        raise NotImplementedError

    def info(self, x: Ref) -> TensorInfo:
        """What is known of a tensor."""
        raise NotImplementedError

    def dims(self, x: Ref) -> list[Size]:
        """A tensor's sizes."""
        return self.info(x).dims

    def rank(self, x: Ref) -> int:
        """A tensor's number of axes."""
        return len(self.dims(x))

    def dtype(self, x: Ref) -> str:
        """A tensor's dtype, by its name in the network."""
        return self.info(x).dtype

    def is_float(self, x: Ref) -> bool:
        """Whether layers compute on it as a real number."""
        return self.dtype(x) in _FLOATS

    def cast(self, x: Ref, dtype: str) -> Ref:
        """The tensor in another dtype."""
        return x if self.dtype(x) == dtype else self.one("Cast", [x], to=dtype)

    def alike(self, *tensors: Ref) -> list[Ref]:
        """The tensors in one dtype, where they are of one kind.

        TensorRT 8 and 10 converted between float types, and between integer types, on their own. Networks here are
        strongly typed, so what those versions did silently is a cast: to float32, or to int64.
        """
        dtypes = {self.dtype(x) for x in tensors}
        for kind, widest in ((_FLOATS, "float32"), (_INDICES, "int64")):
            if len(dtypes) > 1 and dtypes.issubset(kind):
                return [self.cast(x, widest) for x in tensors]
        return list(tensors)

    def like(self, x: Ref, other: Ref) -> Ref:
        """A float tensor in the float dtype of another."""
        return self.cast(x, self.dtype(other)) if self.is_float(x) and self.is_float(other) else x

    def known(self, x: Ref, what: str) -> list[int]:
        """The elements of an integer tensor that must be known when the network is made.

        Raises:
            ValueError: they depend on the inputs.
        """
        value = self.info(x).value
        known = None if value is None else numbers_of(value)
        if known is None:
            raise ValueError(f"{what} must be a constant, it depends on the inputs")
        return known


class Inference(Emitter):
    """Finds what layers would make."""

    def add(self, op: str, inputs: list[TensorInfo | None]) -> list[TensorInfo]:
        return _core.infer(op, inputs)

    def constant(self, tensor: torch.Tensor) -> TensorInfo:
        return TensorInfo.constant(tensor)

    def sizes(self, sizes: list[Size]) -> TensorInfo:
        return TensorInfo.sizes(sizes)

    def reshape(self, x: TensorInfo, sizes: list[Size]) -> TensorInfo:
        return self.one(
            "Shuffle", [x, TensorInfo.sizes(sizes)], first_transpose=None, reshape=None, second_transpose=None
        )

    def info(self, x: TensorInfo) -> TensorInfo:
        return x


class Commit(Emitter):
    """Adds layers to the network under construction. `operator` is their origin."""

    def __init__(self, network: UserNetwork, operator: str) -> None:
        self.network = network
        self.operator = operator

    def within(self, name: str | None) -> Commit:
        return self if name is None else Commit(self.network, f"{self.operator} [{name}]")

    def add(self, op: str, inputs: list[int | None]) -> list[int]:
        return self.network.add(op, inputs, self.operator)

    def constant(self, tensor: torch.Tensor) -> int:
        return self.network.constant(tensor, self.operator)

    def sizes(self, sizes: list[Size]) -> int:
        return self.network.sizes(sizes, self.operator)

    def reshape(self, x: int, sizes: list[Size]) -> int:
        return self.network.reshape(x, sizes, self.operator)

    def info(self, x: int) -> TensorInfo:
        return self.network.tensor(x)


def _plain(value: Any) -> Any:
    """A field as JSON has it."""
    if isinstance(value, Enum):
        return "".join(part.capitalize() for part in value.name.split("_"))
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        # JSON has no infinity, and as a bound the largest number does what infinity would.
        return math.copysign(_FLOAT32_MAX, value)
    return value
