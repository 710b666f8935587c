"""Slices of dynamic axes, whose bounds may be inside the axis for some sizes and beyond it for others.

PyTorch decides by the sample whether a bound is inside (`x[:, -3:]` of 5 elements), and limits the axis to the sizes
for which that holds. Where other sizes of the range decide otherwise, the bounds here are clamped by a minimum and a
maximum instead, which holds for every size.

This file must not know what is captured.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import product
from typing import Any

import torch
from torch._subclasses import fake_impls

from ..deferred import symbolic_shapes, sympy
from .symbols import is_unbacked

_TRIED = 33
"""Sizes of a symbol at which a decision is evaluated."""

Number = Any  # int or torch.SymInt


@contextmanager
def any_bounds() -> Iterator[None]:
    """Clamps the bounds of slices of dynamic axes for as long as it lasts."""
    kernels = fake_impls.op_implementations_dict
    overload = torch.ops.aten.slice.Tensor
    original = kernels.get(overload)
    if original is None:  # before torch 2.9 slices are decomposed, and decided by the sample
        yield
        return
    kernels[overload] = partial(_slice, original)
    try:
        yield
    finally:
        kernels[overload] = original


def _slice(
    original: Callable[..., torch.Tensor],
    mode: Any,
    function: Any,
    x: torch.Tensor,
    dim: int = 0,
    start: Number | None = None,
    end: Number | None = None,
    step: int = 1,
) -> torch.Tensor:
    whole = partial(original, mode, function, x, dim, start, end, step)
    if not x.dim() or x.is_quantized or not isinstance(step, int) or step <= 0 or not -x.dim() <= dim < x.dim():
        return whole()
    size = x.shape[dim]
    given = [bound for bound in (size, start, end) if isinstance(bound, torch.SymInt)]
    if not given or any(is_unbacked(symbol) for bound in given for symbol in bound.node.expr.free_symbols):
        return whole()
    begin = 0 if start is None else start
    stop = size if end is None or (isinstance(end, int) and end == sys.maxsize) else end
    if not any(_varies(decision) for decision in _decisions(size, begin, stop)):
        return whole()
    begin, stop = _clamped(begin, size), _clamped(stop, size)
    length = stop - begin
    if not _always(length >= 0):
        length = torch.sym_max(length, 0)
    sizes, strides = list(x.shape), list(x.stride())
    offset = x.storage_offset() + begin * strides[dim]
    sizes[dim] = (length + step - 1) // step
    strides[dim] = strides[dim] * step
    return x.as_strided(sizes, strides, offset)


def _decisions(size: Number, begin: Number, stop: Number) -> Iterator[Any]:
    """What PyTorch asks about the bounds of a slice."""
    for bound in (begin, stop):
        yield bound >= 0
        yield bound <= size
        yield bound >= -size
    places = [bound + size if _always(bound < 0) else bound for bound in (begin, stop)]
    yield places[0] <= places[1]


def _clamped(bound: Number, size: Number) -> Number:
    """Where a bound is, counted from the beginning of the axis."""
    if _always(bound < 0):
        place = bound + size
        return place if _always(place >= 0) else torch.sym_max(place, 0)
    if _always(bound >= 0):
        return bound if _always(bound <= size) else torch.sym_min(bound, size)
    # From the end where it is negative: `bound + size * (bound < 0)`, without a decision.
    below = torch.sym_max(torch.sym_min(-bound, 1), 0)
    return torch.sym_min(torch.sym_max(bound + size * below, 0), size)


def _always(decision: Any) -> bool:
    """Whether a comparison holds for every size of the ranges, as far as evaluating it shows."""
    return symbolic_shapes.statically_known_true(decision) or _outcomes(decision) == {True}


def _varies(decision: Any) -> bool:
    """Whether a comparison holds for some sizes of the ranges only."""
    return not symbolic_shapes.statically_known_true(decision) and len(_outcomes(decision)) > 1


def _outcomes(decision: Any) -> frozenset[bool]:
    """What a comparison is at sizes throughout the ranges of its symbols; empty where that cannot be evaluated."""
    if isinstance(decision, bool):
        return frozenset({decision})
    expression, ranges = decision.node.expr, decision.node.shape_env.var_to_range
    symbols = sorted(expression.free_symbols, key=str)
    return _evaluated(expression, tuple((symbol, *_ends(ranges.get(symbol))) for symbol in symbols))


@lru_cache(maxsize=4096)
def _evaluated(expression: Any, ranges: tuple[tuple[Any, int, int], ...]) -> frozenset[bool]:
    symbols = [symbol for symbol, _, _ in ranges]
    found = set()
    for sizes in product(*(_sizes(low, high, len(ranges)) for _, low, high in ranges)):
        try:
            found.add(bool(expression.xreplace(dict(zip(symbols, map(sympy.Integer, sizes))))))
        except TypeError:  # it has no truth value there
            return frozenset()
    return frozenset(found)


def _ends(bounds: Any) -> tuple[int, int]:
    low = int(bounds.lower) if bounds is not None and bounds.lower.is_Integer else 2
    return low, int(bounds.upper) if bounds is not None and bounds.upper.is_Integer else low + 4096


def _sizes(low: int, high: int, symbols: int) -> list[int]:
    """Sizes of a range: all of a small one, else those at its beginning and some up to its end."""
    tried = _TRIED if symbols == 1 else 9 if symbols == 2 else 4
    if high - low < tried:
        return list(range(low, high + 1))
    near = tried // 2
    steps = tried - near - 1
    return sorted({*range(low, low + near), *(low + (high - low) * k // steps for k in range(steps + 1))})


__all__ = ["any_bounds"]
