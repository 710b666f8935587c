"""The smallest sizes at which a model runs, where it fails at those that were asked for.

Reflection padding needs more elements than it adds, and `x[1]` at least two. PyTorch reports neither as a range, so the
model is run at sizes between the ones asked for and those of the sample, which it accepts.

This file must not know engines.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from .capture import Captured

_MOST = 8
"""More dynamic sizes than this are not searched."""


def smallest_help(module: Any, captured: Captured, tensors: list[torch.Tensor]) -> str | None:
    """The argument that asks for the smallest sizes at which the model runs; None where no smaller ones than the
    sample's are found.
    """
    dims = [given.dims for given in captured.program.inputs]
    samples = [sample.detach() for sample in captured.inputs.samples]
    least: dict[int | str, int] = {}
    best: dict[int | str, int] = {}
    for shape, asked, sample in zip(dims, tensors, samples):
        for axis, dim in enumerate(shape):
            if isinstance(dim, str) and asked.shape[axis] < sample.shape[axis]:
                least.setdefault(dim, asked.shape[axis])
                best.setdefault(dim, sample.shape[axis])
    symbols = {symbol.name for symbol in captured.program.symbols}
    if not least or len(least) > _MOST or not symbols.issuperset(least):
        return None

    def runs(sizes: dict[int | str, int]) -> bool:
        cut = [_cut(sample, shape, sizes) for sample, shape in zip(samples, dims)]
        args, kwargs = captured.inputs.rebuild(cut)
        try:
            module(*args, **kwargs)
        except Exception:  # the model's code may raise anything
            return False
        return True

    if not runs(best):
        return None

    def runs_at(dim: int | str, size: int) -> bool:
        return runs({**best, dim: size})

    found = {dim: _first(partial(runs_at, dim), low, best[dim]) for dim, low in least.items()}
    if not runs(found):
        return None
    shapes = {
        name: tuple(found.get(dim, size) for dim, size in zip(shape, asked.shape))
        for name, shape, asked in zip(captured.inputs.names, dims, tensors)
        if any(dim in found for dim in shape)
    }
    return f"ask for sizes that the model accepts: it runs with min_shapes={shapes}"


def _cut(sample: torch.Tensor, shape: list[int | str], sizes: dict[int | str, int]) -> torch.Tensor:
    """A copy of the beginning of a sample, as long as these sizes."""
    for axis, dim in enumerate(shape):
        if dim in sizes:
            sample = sample.narrow(axis, 0, sizes[dim])
    return sample.clone()


def _first(runs: Callable[[int], bool], low: int, high: int) -> int:
    """The smallest size that runs, where all larger ones do."""
    while low < high:
        middle = (low + high) // 2
        if runs(middle):
            high = middle
        else:
            low = middle + 1
    return high


__all__ = ["smallest_help"]
