"""Views among PyTorch's primitives, rewritten as the ATen operators that compute the same.

`torch.export` cannot functionalize these primitives. An exported program that was decomposed to primitives has them,
and its module may be part of a model that is captured.
This file must not know what is captured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._subclasses.functional_tensor import FunctionalTensorMode


def _broadcast_in_dim(a: torch.Tensor, shape: Any, broadcast_dimensions: Any) -> torch.Tensor:
    view = [1] * len(shape)
    for size, axis in zip(a.shape, broadcast_dimensions, strict=True):
        view[axis] = size
    return a.reshape(view).expand(shape)


def _split_dim(a: torch.Tensor, dim: int, outer_length: Any) -> torch.Tensor:
    return a.unflatten(dim, (outer_length, a.shape[dim] // outer_length))


_VIEWS: dict[str, Callable[..., torch.Tensor]] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "collapse_view": lambda a, start, end: a.flatten(start, end) if a.dim() else a.reshape(1),
    "split_dim": _split_dim,
    "squeeze": lambda a, dimensions: a.squeeze(tuple(dimensions)),
    "transpose": lambda a, permutation: a.permute(permutation),
    "view_of": lambda a: torch.ops.aten.alias.default(a),
}


@contextmanager
def functional_views() -> Iterator[None]:
    """Functionalizes the primitives that return views for as long as it lasts."""
    found = []
    try:
        for name, view in _VIEWS.items():
            overload = getattr(getattr(torch.ops.prims, name, None), "default", None)
            if overload is not None and FunctionalTensorMode not in overload.python_key_table:
                overload.py_impl(FunctionalTensorMode)(_within(view))
                found.append(overload)
        yield
    finally:
        for overload in found:
            del overload.python_key_table[FunctionalTensorMode]
            overload._dispatch_cache.clear()


def _within(view: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A handler of the mode, which is off while it runs."""

    def handler(mode: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        with mode:
            return view(*args, **kwargs)

    return handler


__all__ = ["functional_views"]
