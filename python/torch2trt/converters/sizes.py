"""Sizes as a converter sees them: ints that remember where they come from.

Inside a converter, `x.shape` and `x.size()` hold `IntWrapper`s: ints with the sample's value. Arithmetic with them is
recorded, so that `x.shape[0] * 2` is right at every size when it ends up in a layer: in an attribute such as
`reshape_dims`, or as a tensor through `_trt`.

    rows = x.shape[0] * x.shape[1]
    layer.reshape_dims = (rows, -1)                        # an attribute
    layer.set_input(1, make_size_wrapper((rows, 4))._trt)  # a tensor

`int(size)`, and numpy, forget it: what they give is the sample's value alone.

This file must not know how converters are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from .._core import Size
from ..trt.layer import ITensor
from ..trt.values import Dynamic, size_of
from .active import get_conversion_context


class IntWrapper(Dynamic):
    """An int that remembers how it follows from the sizes of the model's inputs."""

    def __new__(cls, value: int, size: Size | None = None) -> IntWrapper:
        return super().__new__(cls, value, size_of(value) if size is None else size)

    @property
    def _trt(self) -> ITensor:
        """The size as a tensor of the network: one int64 element."""
        return get_conversion_context().network._sizes([self.size])

    def __reduce__(self) -> Any:
        return int, (int(self),)


def _recorded(name: str) -> Any:
    plain, symbolic = getattr(int, name), getattr(Size, name)

    def method(self: IntWrapper, other: Any) -> Any:
        value = plain(self, other)
        if value is NotImplemented or not isinstance(other, int):
            return value
        return IntWrapper(value, symbolic(self.size, size_of(other)))

    method.__name__ = name
    return method


for _name in ("add", "sub", "mul", "floordiv", "mod"):
    for _prefix in ("", "r"):
        _dunder = f"__{_prefix}{_name}__"
        setattr(IntWrapper, _dunder, _recorded(_dunder))


class SizeWrapper(tuple[IntWrapper, ...]):
    """A tuple of sizes."""

    @property
    def _trt(self) -> ITensor:
        """The sizes as a tensor of the network: 1-D int64."""
        return get_conversion_context().network._sizes([size_of(value) for value in self])

    def numel(self) -> int:
        """The product of all sizes."""
        product: int = IntWrapper(1)
        for size in self:
            product = product * size
        return product


def make_int_wrapper(value: int) -> IntWrapper:
    """The int as an `IntWrapper`."""
    return value if isinstance(value, IntWrapper) else IntWrapper(value)


def wrap_ints(values: Iterable[int]) -> Iterator[IntWrapper]:
    """The ints as `IntWrapper`s."""
    return map(make_int_wrapper, values)


def make_size_wrapper(values: Iterable[int]) -> SizeWrapper:
    """The ints as a `SizeWrapper`."""
    return SizeWrapper(wrap_ints(values))


class use_shape_wrapping:  # noqa: N801  NVIDIA's name
    """`with use_shape_wrapping(False)`: `x.shape` is a plain torch.Size with the sample's values."""

    stack: ClassVar[list[bool]] = [True]

    def __init__(self, value: bool) -> None:
        self._value = value

    def __enter__(self) -> None:
        self.stack.insert(0, self._value)

    def __exit__(self, *error: object) -> None:
        self.stack.pop(0)


__all__ = [
    "IntWrapper", "SizeWrapper", "make_int_wrapper", "make_size_wrapper", "use_shape_wrapping", "wrap_ints",
]  # fmt: skip
