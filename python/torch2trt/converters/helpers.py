"""What converters are written with, under the names of NVIDIA's torch2trt.

This file must not know how converters are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from .. import trt
from ..trt import INetworkDefinition, ITensor
from ..trt.dtypes import dtype_from_torch, dtype_to_torch
from ..trt.enums import member
from .context import ConversionContext
from .sizes import IntWrapper
from .standin import StandIn


def torch_dtype_to_trt(dtype: torch.dtype) -> trt.DataType:
    """`trt.float32` for torch.float32.

    Raises:
        TypeError: TensorRT has no such type.
    """
    return dtype_from_torch(dtype)


def torch_dtype_from_trt(dtype: Any) -> torch.dtype:
    """torch.float32 for `trt.float32`.

    Raises:
        TypeError: PyTorch has no such type.
    """
    return dtype_to_torch(dtype)


def torch_device_to_trt(device: torch.device) -> trt.TensorLocation:
    """`trt.TensorLocation.DEVICE` for a CUDA device, `HOST` for the CPU.

    Raises:
        TypeError: TensorRT knows neither.
    """
    if device.type == "cuda":
        return trt.TensorLocation.DEVICE
    if device.type == "cpu":
        return trt.TensorLocation.HOST
    raise TypeError(f"{device} is not supported by tensorrt")


def torch_device_from_trt(location: Any) -> torch.device:
    """The reverse of `torch_device_to_trt`."""
    device = member(trt.TensorLocation, location) is trt.TensorLocation.DEVICE
    return torch.device("cuda" if device else "cpu")


def trt_int_dtype() -> type:
    """NumPy's type for sizes: int64."""
    return np.int64


def torch_dim_resolve_negative(dim: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    """The axes counted from the start."""
    dims = dim if isinstance(dim, (tuple, list)) else (dim,)
    return tuple(d + ndim if d < 0 else d for d in dims)


def torch_dim_to_trt_axes(dim: int | Sequence[int], ndim: int | None = None) -> int:
    """The bit mask of axes; negative ones are counted from `ndim`.

    Raises:
        ValueError: an axis is negative and `ndim` is not given.
    """
    dims = torch_dim_resolve_negative(dim, ndim) if ndim is not None else dim
    mask = 0
    for axis in dims if isinstance(dims, (tuple, list)) else (dims,):
        if axis < 0:
            raise ValueError(f"axis {axis} is negative: use torch_dim_resolve_negative(dim, x.dim()) first")
        mask |= 1 << int(axis)
    return mask


def check_torch_dtype(*tensors: Any) -> torch.dtype:
    """The one dtype of the tensors among the arguments.

    Raises:
        TypeError: there is no tensor, or they have several dtypes.
    """
    dtypes = {tensor.dtype for tensor in tensors if isinstance(tensor, torch.Tensor)}
    if len(dtypes) != 1:
        found = ", ".join(sorted(map(str, dtypes))) or "no tensor"
        raise TypeError(f"one dtype is needed, got {found}")
    return dtypes.pop()


def trt_num_inputs(engine: Any) -> int:
    """Number of inputs of an engine."""
    return len(engine.inputs)


def trt_num_outputs(engine: Any) -> int:
    """Number of outputs of an engine."""
    return len(engine.outputs)


def add_trt_constant(network: INetworkDefinition, tensor: torch.Tensor) -> ITensor:
    """A constant tensor of the network."""
    return network.add_constant(tuple(tensor.shape), tensor).get_output(0)


def add_missing_trt_tensors(network: INetworkDefinition, tensors: Iterable[Any]) -> list[ITensor]:
    """The counterparts in the network: `_trt` where there is one, a constant for numbers and the model's own tensors.

    Numbers take the dtype of the tensors. Constants lose leading axes of size 1; `broadcast_trt_tensors` gives them
    back.

    Raises:
        TypeError: a tensor has neither `_trt` nor values, or the tensors have several dtypes.
    """
    tensors = list(tensors)
    return [_counterpart(network, tensor, tensors) for tensor in tensors]


def broadcast_trt_tensors(
    network: INetworkDefinition, trt_tensors: Iterable[ITensor], broadcast_ndim: int
) -> list[ITensor]:
    """The tensors with axes of size 1 in front, up to a rank."""
    return [_lifted(network, tensor, broadcast_ndim) for tensor in trt_tensors]


def trt_(network: INetworkDefinition, *tensors: Any) -> ITensor | tuple[ITensor, ...]:
    """Counterparts of one rank, ready for an elementwise layer; one by itself, several as a tuple.

    Raises:
        TypeError: as `add_missing_trt_tensors`.
    """
    found = [_counterpart(network, tensor, tensors, whole=True) for tensor in tensors]
    rank = max(len(tensor.shape) for tensor in found)
    lifted = tuple(broadcast_trt_tensors(network, found, rank))
    return lifted[0] if len(lifted) == 1 else lifted


def set_layer_precision(ctx: ConversionContext, layer: Any) -> None:
    """Nothing: the precision pass chooses the types of a network as a whole, after the converters."""


def _counterpart(network: INetworkDefinition, value: Any, all: Sequence[Any], whole: bool = False) -> ITensor:
    if isinstance(value, ITensor):
        return value
    if isinstance(value, IntWrapper) or (isinstance(value, torch.Tensor) and hasattr(value, "_trt")):
        return value._trt
    if isinstance(value, (bool, int, float)):
        number = torch.full((1,), value, dtype=check_torch_dtype(*all))
        return network.add_constant((1,), number).get_output(0)
    if isinstance(value, StandIn):
        raise TypeError(
            f"{value} has no `_trt`, and no values to make a constant of: nothing made it part of the network"
        )
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{type(value).__name__} has no counterpart in the network")
    shape = list(value.shape)
    while not whole and shape and shape[0] == 1:
        shape.pop(0)
    value._trt = network.add_constant(tuple(shape), value.detach()).get_output(0)
    network._owned.append(value)
    return value._trt


def _lifted(network: INetworkDefinition, tensor: ITensor, rank: int) -> ITensor:
    missing = rank - len(tensor.shape)
    if missing <= 0:
        return tensor
    layer = network.add_shuffle(tensor)
    layer.reshape_dims = (*[1] * missing, *tensor.shape)
    return layer.get_output(0)
