"""The values of TensorRT's Python API that are not layers: sizes, weights, the logger.

A size is an int. One that depends on the model's inputs is -1, as TensorRT has it, or the sample's value where a
converter took it from a PyTorch tensor; both remember the expression (`Dynamic`), so that a layer given such a size
gets what was meant at every size.

This file must not know about layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from .._core import Size
from .dtypes import DataType, dtype_from_torch, dtype_to_torch

_Size = TypeVar("_Size", bound="Dynamic")


class Dynamic(int):
    """An int that stands for a size which the model's inputs decide: `size` is the expression."""

    size: Size

    def __new__(cls: type[_Size], value: int, size: Size) -> _Size:  # noqa: PYI019  Python 3.10 has no Self
        made = super().__new__(cls, value)
        made.size = size
        return made


def unknown(size: Size) -> int:
    """The size as `tensor.shape` shows it: a number, or -1."""
    known = size.static_value
    return Dynamic(-1, size) if known is None else known


def size_of(value: Any) -> Size:
    """The size behind an int of any kind."""
    size = getattr(value, "size", None) if isinstance(value, int) else None
    return size if isinstance(size, Size) else Size(int(value))


def sizes_of(values: Any) -> list[Size]:
    """The sizes behind a sequence of ints, or one int."""
    return [size_of(value) for value in (values if is_sequence(values) else [values])]


def is_sequence(values: Any) -> bool:
    """Whether there is more than a number: TensorRT's own Dims has items, but is no collection."""
    return isinstance(values, Iterable) or hasattr(values, "__getitem__")


def numbers_of(values: Iterable[Size]) -> list[int] | None:
    """The sizes as numbers; None where any of them depends on the model's inputs."""
    found = []
    for size in values:
        if (known := size.static_value) is None:
            return None
        found.append(known)
    return found


def is_dynamic(values: Iterable[Size]) -> bool:
    """Whether any of the sizes depends on the model's inputs."""
    return any(size.static_value is None for size in values)


class Dims(tuple[int, ...]):
    """The sizes of a tensor. `Dims([1, 3])`, `Dims((1, 3))`."""

    MAX_DIMS = 8

    def __new__(cls, *shape: Any) -> Dims:
        items = shape[0] if len(shape) == 1 and is_sequence(shape[0]) else shape
        return super().__new__(cls, iter(items))

    def __repr__(self) -> str:
        return f"({', '.join(map(str, self))})"

    @property
    def volume(self) -> int:
        """Number of elements; negative where a size is not known."""
        return volume(self)


class Dims2(Dims):
    """Two sizes."""


class DimsHW(Dims2):
    """Height and width."""

    @property
    def h(self) -> int:
        """Height."""
        return self[0]

    @property
    def w(self) -> int:
        """Width."""
        return self[1]


class Dims3(Dims):
    """Three sizes."""


class Dims4(Dims):
    """Four sizes."""


class Permutation(tuple[int, ...]):
    """An order of axes."""

    def __new__(cls, order: Iterable[int] = ()) -> Permutation:
        return super().__new__(cls, order)


class Weights:
    """Typed numbers: of an array, or none of a type (`Weights(float32)`, where there is no bias)."""

    def __init__(self, values: Any = DataType.FLOAT) -> None:
        is_type = values is None or type(values).__name__ == "DataType"
        self._tensor = None if is_type else as_tensor(values)
        if self._tensor is not None:
            self.dtype = dtype_from_torch(self._tensor.dtype)
        else:
            self.dtype = values if is_type else values.dtype

    @property
    def size(self) -> int:
        """Number of elements."""
        return 0 if self._tensor is None else int(self._tensor.numel())

    @property
    def nbytes(self) -> int:
        """Number of bytes."""
        return int(self.size * dtype_to_torch(self.dtype).itemsize)

    def __len__(self) -> int:
        return self.size

    def numpy(self) -> np.ndarray:
        """The elements."""
        if self._tensor is None:
            return np.zeros(0, nptype(self.dtype))
        return self._tensor.numpy()


_COMPUTE_DTYPES = {torch.float64: torch.float32, torch.int16: torch.int32, torch.uint8: torch.int32}


def as_tensor(weights: Any) -> torch.Tensor | None:
    """Weights of any kind as a torch tensor on the host, without a copy where possible; None where there are none.

    numpy arrays, torch tensors, `Weights`, numbers and sequences of numbers are weights. float64 becomes float32,
    small integers int32.

    Raises:
        TypeError: they are of a type that TensorRT has not.
    """
    if isinstance(weights, Weights) or (type(weights).__name__ == "Weights" and hasattr(weights, "numpy")):
        weights = weights.numpy() if len(weights) else None
    if weights is None:
        return None
    if isinstance(weights, torch.Tensor):
        tensor = weights.detach().cpu()
    else:
        array = np.asarray(weights)
        # torch warns about arrays that it may not write to; nobody writes to weights.
        tensor = torch.from_numpy(array if array.flags.writeable and array.flags.c_contiguous else array.copy())
    tensor = tensor.to(_COMPUTE_DTYPES.get(tensor.dtype, tensor.dtype))
    dtype_from_torch(tensor.dtype)
    return tensor.contiguous() if tensor.numel() or tensor.dim() else tensor


def volume(shape: Sequence[int]) -> int:
    """The product of all sizes."""
    result = 1
    for size in shape:
        result *= int(size)
    return result


def nptype(dtype: Any) -> type:
    """NumPy's type for a data type.

    Raises:
        TypeError: numpy has none.
    """
    return torch.empty(0, dtype=dtype_to_torch(dtype)).numpy().dtype.type


class ILogger:
    """Takes messages. Subclass it where TensorRT's package would ask for one."""

    class Severity:
        """How much a message matters, most first."""

        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2
        INFO = 3
        VERBOSE = 4

    INTERNAL_ERROR = Severity.INTERNAL_ERROR
    ERROR = Severity.ERROR
    WARNING = Severity.WARNING
    INFO = Severity.INFO
    VERBOSE = Severity.VERBOSE

    def log(self, severity: int, msg: str) -> None:
        """Takes one message."""


class Logger(ILogger):
    """The default logger. Its severities are what `log_level` of `torch2trt()` takes in scripts for TensorRT."""

    def __init__(self, min_severity: int = ILogger.WARNING) -> None:
        self.min_severity = min_severity
