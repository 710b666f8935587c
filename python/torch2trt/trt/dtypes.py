"""Element types: TensorRT's names, PyTorch's, and those of the network.

This file must not know about tensors.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import torch

from .enums import member


class DataType(Enum):
    """Element types. `INT4`, `FP4` and `E8M0` are named for scripts that mention them; networks here have none."""

    FLOAT = 0
    HALF = 1
    INT8 = 2
    INT32 = 3
    BOOL = 4
    UINT8 = 5
    FP8 = 6
    BF16 = 7
    INT64 = 8
    INT4 = 9
    FP4 = 10
    E8M0 = 11

    @property
    def itemsize(self) -> float:
        """Bytes an element."""
        return {"INT4": 0.5, "FP4": 0.5}.get(self.name) or dtype_to_torch(self).itemsize


_TORCH = {
    DataType.FLOAT: torch.float32,
    DataType.HALF: torch.float16,
    DataType.INT8: torch.int8,
    DataType.INT32: torch.int32,
    DataType.BOOL: torch.bool,
    DataType.UINT8: torch.uint8,
    DataType.FP8: torch.float8_e4m3fn,
    DataType.BF16: torch.bfloat16,
    DataType.INT64: torch.int64,
}
_FROM_TORCH = {dtype: ours for ours, dtype in _TORCH.items()}
_NETWORK = {ours: str(dtype).removeprefix("torch.") for ours, dtype in _TORCH.items()}
_FROM_NETWORK = {name: ours for ours, name in _NETWORK.items()}


def dtype_to_torch(dtype: Any) -> torch.dtype:
    """torch.float32 for `DataType.FLOAT`.

    Raises:
        TypeError: PyTorch has no such dtype, or it is not a data type.
    """
    try:
        return _TORCH[member(DataType, dtype)]
    except KeyError:
        raise TypeError(f"{dtype} is not supported by torch") from None


def dtype_from_torch(dtype: torch.dtype) -> DataType:
    """`DataType.FLOAT` for torch.float32.

    Raises:
        TypeError: TensorRT has no such type.
    """
    try:
        return _FROM_TORCH[dtype]
    except KeyError:
        raise TypeError(f"{dtype} is not supported by tensorrt") from None


def network_name(dtype: Any) -> str:
    """The name of a dtype in a network: "float32" for `DataType.FLOAT`, or for torch.float32.

    Raises:
        TypeError: networks have no such type.
    """
    if isinstance(dtype, torch.dtype):
        dtype = dtype_from_torch(dtype)
    try:
        return _NETWORK[member(DataType, dtype)]
    except KeyError:
        raise TypeError(f"networks here have no {dtype} tensors") from None


def from_network_name(name: str) -> DataType:
    """`DataType.FLOAT` for "float32"."""
    return _FROM_NETWORK[name]
