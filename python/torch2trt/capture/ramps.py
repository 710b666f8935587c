"""`torch.linspace`, `torch.logspace` and the grids of `affine_grid` with a dynamic number of points.

Their schemas have an `int` there, which fixes the size. Of a symbolic number of points they are computed here from
`torch.arange`, from both ends as PyTorch does. This file must not know what is captured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .detection import Change

_PLAIN = (int, float, torch.SymInt, torch.SymFloat, torch.Tensor)


def changes() -> list[Change]:
    """What is replaced in the modules of torch."""
    from torch._decomp import decompositions

    grid = (
        [(decompositions, "_linspace_from_neg_one", _sized)]
        if hasattr(decompositions, "_linspace_from_neg_one")
        else []
    )
    return [(torch, "linspace", _with_symbols(_linspace)), (torch, "logspace", _with_symbols(_logspace)), *grid]


def _with_symbols(ramp: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def change(original: Callable[..., Any]) -> Callable[..., Any]:
        def function(*args: Any, **kwargs: Any) -> Any:
            given = {**dict(zip(("start", "end", "steps", "base"), args)), **kwargs}
            plain = all(isinstance(given.get(name), _PLAIN) for name in ("start", "end"))
            symbolic = isinstance(given.get("steps"), torch.SymInt)
            # Points of an integer type are rounded in float64, which engines do not have.
            rounded = given.get("dtype") is not None and not given["dtype"].is_floating_point
            if len(args) > 4 or not plain or rounded or given.get("out") is not None or not symbolic:
                return original(*args, **kwargs)
            return ramp(**given)

        return function

    return change


def _linspace(start: Any, end: Any, steps: Any, *, dtype: Any = None, device: Any = None, **_: Any) -> torch.Tensor:
    dtype = dtype or torch.get_default_dtype()
    return _points(start, end, steps, dtype, device).to(dtype)


def _logspace(
    start: Any, end: Any, steps: Any, base: float = 10.0, *, dtype: Any = None, device: Any = None, **_: Any
) -> torch.Tensor:
    dtype = dtype or torch.get_default_dtype()
    return torch.pow(base, _points(start, end, steps, dtype, device)).to(dtype)


def _points(start: Any, end: Any, steps: Any, dtype: torch.dtype, device: Any) -> torch.Tensor:
    """Points between two numbers or 0-D tensors, in float32 or float64; the only point of one step is the first."""
    work = torch.float64 if dtype == torch.float64 else torch.float32
    place = torch.arange(steps, device=device)
    steps_before_last = torch.scalar_tensor(torch.sym_max(steps - 1, 1), dtype=work, device=device)
    step = (end - start) / steps_before_last
    from_start = place.to(work) * step + start
    from_end = (place - (steps - 1)).to(work) * step + end
    return torch.where(place < torch.sym_max(steps // 2, 1), from_start, from_end)


def _sized(original: Callable[..., Any]) -> Callable[..., Any]:
    """The coordinates of `affine_grid`, of which only the number matters where it is symbolic."""

    def coordinates(num_steps: Any, align_corners: bool, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        if isinstance(num_steps, torch.SymInt):
            return torch.empty(num_steps, dtype=dtype, device=device)
        return original(num_steps, align_corners, dtype, device)

    return coordinates


__all__ = ["changes"]
