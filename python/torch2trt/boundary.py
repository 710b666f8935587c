"""Dtypes and devices that a model has and engines do not: cast and copied on the way in, cast on the way out.

float64 is computed in float32, int16 and int8 in int32, and a complex number is a pair of float32 on an axis of its own
at the end. Tensors that the model takes in host memory are copied to the engine's GPU. Everything else passes as it is,
so that a wrong dtype or device is the engine's error.

This file must not know how an engine runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

_COMPUTE_DTYPES = {
    "float64": torch.float32,
    "int16": torch.int32,
    "int8": torch.int32,
    "float8_e4m3fn": torch.float32,
    "complex64": torch.complex64,
    "complex128": torch.complex64,
}
"""The dtype of the engine's tensor, before a complex one is seen as pairs."""


def differs(dtypes: Sequence[str | None]) -> bool:
    """Whether any tensor needs a cast."""
    return any(dtype in _COMPUTE_DTYPES for dtype in dtypes)


def to_engine(tensors: Sequence[torch.Tensor], dtypes: Sequence[str | None]) -> list[torch.Tensor]:
    """The tensors of a call as the engine takes them. One that has the engine's dtype already passes as it is."""
    if len(dtypes) != len(tensors):
        return list(tensors)
    return [_to_engine(tensor, dtype) for tensor, dtype in zip(tensors, dtypes)]


def _to_engine(tensor: torch.Tensor, dtype: str | None) -> torch.Tensor:
    if dtype not in _COMPUTE_DTYPES:
        return tensor
    compute = _COMPUTE_DTYPES[dtype]
    if tensor.is_complex() != compute.is_complex:
        return tensor
    if tensor.is_complex():
        return torch.view_as_real(tensor.to(compute).resolve_conj().resolve_neg())
    return tensor.to(compute) if tensor.dtype is getattr(torch, dtype) else tensor


def to_device(tensors: Sequence[torch.Tensor], host: Sequence[int], device: str) -> list[torch.Tensor]:
    """The tensors of a call, with those at the positions `host` on the engine's device."""
    moved = list(tensors)
    for k in host:
        if k < len(moved) and isinstance(moved[k], torch.Tensor) and moved[k].device.type == "cpu":
            moved[k] = moved[k].to(device)
    return moved


def to_model(tensors: Sequence[torch.Tensor], dtypes: Sequence[str | None]) -> list[torch.Tensor]:
    """The engine's outputs in the model's own dtypes."""
    if len(dtypes) != len(tensors):
        return list(tensors)
    return [_to_model(tensor, dtype) for tensor, dtype in zip(tensors, dtypes)]


def _to_model(tensor: torch.Tensor, dtype: str | None) -> torch.Tensor:
    if dtype not in _COMPUTE_DTYPES:
        return tensor
    if _COMPUTE_DTYPES[dtype].is_complex and not tensor.is_complex():
        tensor = torch.view_as_complex(tensor.contiguous())
    return tensor.to(getattr(torch, dtype))


def written_to(tensors: Sequence[torch.Tensor] | None, dtypes: Sequence[str | None]) -> list[torch.Tensor] | None:
    """The caller's tensors for the outputs as the engine may write to them."""
    if tensors is None:
        return None
    return [torch.view_as_real(tensor) if tensor.is_complex() else tensor for tensor in tensors]


def extra_axes(dtypes: Sequence[str | None], index: int) -> list[tuple[int, int, int]]:
    """The ranges of the axes that the engine's input has behind those of the model's."""
    dtype = dtypes[index] if index < len(dtypes) else None
    return [(2, 2, 2)] if dtype and dtype.startswith("complex") else []


def described(names: Sequence[str], dtypes: Sequence[str | None]) -> str | None:
    """Which inputs lose precision; None where none does."""
    found = [f"`{name}`" for name, dtype in zip(names, dtypes) if dtype in ("float64", "complex128")]
    return (
        f"{', '.join(found)}: float64 is computed in float32, to which inputs are cast at each call" if found else None
    )
