"""Slices of dynamic axes, whose bounds may be inside the axis for some sizes and beyond it for others.

PyTorch decides by the sample whether a bound is inside (`x[:, -3:]` of 5 elements), and limits the axis to the sizes
for which that holds. Where other sizes of the range decide otherwise, the bounds here are clamped by a minimum and a
maximum instead, which holds for every size.

A PyTorch that decomposes slices (2.6) has no sizes for those between bounds that tensors hold, nor for those of an axis
whose size depends on data; they are inferred here.

This file must not know what is captured.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache, partial
from itertools import product
from typing import Any

import torch
from torch._subclasses import fake_impls

from ..deferred import symbolic_shapes, sympy
from .symbols import is_unbacked
from .threads import only_here

_TRIED = 33
"""Sizes of a symbol at which a decision is evaluated."""

Number = Any  # int or torch.SymInt


@contextmanager
def any_bounds() -> Iterator[None]:
    """Clamps the bounds of slices of dynamic axes, and takes bounds that tensors hold, for as long as it lasts."""
    overload = torch.ops.aten.slice.Tensor
    reads_bounds = overload in fake_impls.op_implementations_dict
    kernels: dict[Any, Callable[..., torch.Tensor]] = fake_impls.op_implementations_dict
    if not reads_bounds:
        from torch._decomp import decomposition_table  # imports sympy

        kernels = decomposition_table
    original = kernels[overload]
    kernels[overload] = only_here(original, _kernel(original) if reads_bounds else _decomposition(original))
    try:
        with nullcontext() if reads_bounds else _uncached():
            yield
    finally:
        kernels[overload] = original


def _uncached() -> AbstractContextManager[Any]:
    """PyTorch would cache the symbol of a length, too."""
    return torch._dynamo.config.patch(fake_tensor_cache_enabled=False)


def _kernel(original: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def slice_forward(mode: Any, function: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        return _slice(partial(original, mode, function), x, *args, **kwargs)

    return slice_forward


def _decomposition(original: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def slice_forward(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        return _slice(partial(_between_read_bounds, original), x, *args, **kwargs)

    return slice_forward


def _between_read_bounds(
    original: Callable[..., torch.Tensor],
    x: torch.Tensor,
    dim: int = 0,
    start: Number | None = None,
    end: Number | None = None,
    step: int = 1,
) -> torch.Tensor:
    """The original slice, or one that data decides: a new symbol for its length.

    Tensors hold its bounds, or the size of its axis depends on data.
    """
    if not x.dim() or x.is_quantized:
        return original(x, dim, start, end, step)
    sizes = list(x.shape)
    given = [bound for bound in (start, end, sizes[dim]) if isinstance(bound, torch.SymInt)]
    read = [bound for bound in given if is_read(bound)]
    begin, stop = 0 if start is None else start, sys.maxsize if end is None else end
    is_whole = isinstance(begin, int) and isinstance(stop, int) and (begin, stop, step) == (0, sys.maxsize, 1)
    if not read or is_whole:
        return original(x, dim, start, end, step)
    length = _known_length(begin, stop, sizes[dim])
    if length is None and isinstance(begin, int) and isinstance(stop, int) and begin == 0 and stop > 1:
        # PyTorch asks whether it is 1, and knows that this minimum is not. Of other expressions it does not know.
        length = torch.sym_min(sizes[dim], stop)
    if length is None or (step > 1 and is_read(length)):
        sizes[dim] = read[0].node.shape_env.create_unbacked_symint()
        symbolic_shapes._constrain_range_for_size(sizes[dim], max=_most(begin, stop, sizes[dim]))
    else:
        sizes[dim] = (length + step - 1) // step
    # As of a contiguous tensor: PyTorch asks whether it is one, and could not decide that.
    strides = [math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    return x.as_strided(sizes, strides, x.storage_offset())


def _known_length(start: Number, end: Number, size: Number) -> Number | None:
    """The number of elements between two bounds inside an axis; None where data decides whether they are inside."""
    known = symbolic_shapes.statically_known_true
    begin, stop = (bound + size if known(bound < 0) else bound for bound in (start, end))
    stop = size if known(stop >= size) else stop
    return stop - begin if known(begin >= 0) and known(begin <= stop) and known(stop <= size) else None


def _most(start: Number, end: Number, size: Number) -> int | None:
    """The largest number of elements between two bounds, as far as the ranges of sizes show."""
    most = [size if isinstance(size, int) else _largest(size)]
    if isinstance(start, int) and start < 0:
        most.append(-start)
    if isinstance(end, int) and 0 <= end < sys.maxsize:
        most.append(max(end - start, 0) if isinstance(start, int) and start >= 0 else end)
    return min((one for one in most if one is not None), default=None)


def _largest(size: torch.SymInt) -> int | None:
    """The largest value of a size; None where its range is open."""
    upper = size.node.shape_env.bound_sympy(size.node.expr).upper
    return int(upper) if upper.is_Integer else None


def _slice(
    original: Callable[..., torch.Tensor],
    x: torch.Tensor,
    dim: int = 0,
    start: Number | None = None,
    end: Number | None = None,
    step: int = 1,
) -> torch.Tensor:
    whole = partial(original, x, dim, start, end, step)
    if not x.dim() or x.is_quantized or not isinstance(step, int) or step <= 0 or not -x.dim() <= dim < x.dim():
        return whole()
    size = x.shape[dim]
    given = [bound for bound in (size, start, end) if isinstance(bound, torch.SymInt)]
    if not given or any(map(is_read, given)):
        return whole()
    begin = 0 if start is None else start
    stop = size if end is None or (isinstance(end, int) and end == sys.maxsize) else end
    if not any(_varies(decision) for decision in _decisions(size, begin, stop)):
        return whole()
    with _symbolic_extremes():
        begin, stop = _clamped(begin, size), _clamped(stop, size)
        length = stop - begin
        if not _always(length >= 0):
            length = torch.sym_max(length, 0)
    sizes, strides = list(x.shape), list(x.stride())
    offset = x.storage_offset() + begin * strides[dim]
    sizes[dim] = (length + step - 1) // step
    strides[dim] = strides[dim] * step
    return x.as_strided(sizes, strides, offset)


def is_read(bound: torch.SymInt) -> bool:
    """Whether a number was read out of a tensor."""
    return any(map(is_unbacked, bound.node.expr.free_symbols))


@contextmanager
def _symbolic_extremes() -> Iterator[None]:
    """Minima and maxima of sizes stay symbolic, where this PyTorch compares them by the sample."""
    from torch.fx.experimental import sym_node  # imports sympy

    name = "alternate_impl_if_hinted_methods"
    decided = getattr(sym_node, name, None)
    if decided is None:
        yield
        return
    setattr(sym_node, name, {})
    try:
        yield
    finally:
        setattr(sym_node, name, decided)


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


__all__ = ["any_bounds", "is_read"]
