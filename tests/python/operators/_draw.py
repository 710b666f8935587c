"""Draws inputs for cases: random tensors of a dtype, with what the operator takes."""

from __future__ import annotations

from collections.abc import Callable

import torch

# The error where TensorRT-RTX would need a size that depends on data.
DATA_DEPENDENT = "sizes that depend on data"

Draw = Callable[[], tuple[torch.Tensor, ...]]


def floats(*shapes: tuple[int, ...]) -> Draw:
    """Float tensors of both signs."""
    return lambda: tuple(torch.randn(shape) * 2 for shape in shapes)


def complexes(*shapes: tuple[int, ...], dtype: torch.dtype = torch.complex64) -> Draw:
    """Complex tensors in all four quadrants."""
    return lambda: tuple(torch.randn(shape, dtype=dtype) * 2 for shape in shapes)


def positive(*shapes: tuple[int, ...]) -> Draw:
    """Float tensors away from zero."""
    return lambda: tuple(torch.rand(shape) * 3 + 0.1 for shape in shapes)


def integers(*shapes: tuple[int, ...], low: int = -9, high: int = 10, dtype: torch.dtype = torch.int64) -> Draw:
    """Integer tensors in [low, high)."""
    return lambda: tuple(torch.randint(low, high, shape).to(dtype) for shape in shapes)


def bools(*shapes: tuple[int, ...]) -> Draw:
    """Bool tensors."""
    return lambda: tuple(torch.rand(shape) > 0.5 for shape in shapes)


def both(*draws: Draw) -> Draw:
    """The tensors of several draws, one after another."""
    return lambda: tuple(tensor for draw in draws for tensor in draw())


def distinct(*shapes: tuple[int, ...]) -> Draw:
    """Float tensors without equal elements, so that an order is the only one."""
    return lambda: tuple((torch.randperm(torch.Size(s).numel()).float() - 7).div(3).reshape(s) for s in shapes)
