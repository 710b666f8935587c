"""What stands in for the subscript of tensors, `x[index]`, while a model is captured.

It cannot be an attribute of `torch.Tensor`: CPython then fills the class's slot for sequences as well as the one for
mappings, and leaves it filled when the attribute is deleted. From then on C code takes every tensor for a sequence, and
`torch.tensor([x])` of a 0-D tensor is a TypeError for the rest of the process. PyTorch's own protocol is used instead:
a `TorchFunctionMode`, which is of one thread too. torch.export has such a mode of its own, which would come first; it
gives subscripts to the function here.

This file must not know what a subscript becomes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch._export import non_strict_utils
from torch.overrides import TorchFunctionMode

Subscript = Callable[[torch.Tensor, Any], Any]

SUBSCRIPT = torch.Tensor.__getitem__


class _Thread(threading.local):
    """The functions that stand in for the subscript, the last one first to be called, and their mode.

    Attributes:
        runs: whether one of them is running: what it calls is PyTorch's subscript.
    """

    def __init__(self) -> None:
        self.functions: list[Subscript] = []
        self.mode: _Mode | None = None
        self.runs = False


_THREAD = _Thread()


class _Mode(TorchFunctionMode):
    """Gives subscripts to the function that stands in for them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.compiler.is_dynamo_compiling() or not _is_replaced(func):
            return func(*args, **(kwargs or {}))
        return _call(*args)


def replace(function: Subscript) -> None:
    """Calls `function(x, index)` in the calling thread in place of the subscript."""
    _THREAD.functions.append(function)
    if _THREAD.mode is None:
        _THREAD.mode = _Mode()
        _THREAD.mode.__enter__()


def restore(function: Subscript) -> None:
    """Undoes `replace`. A second time does no harm."""
    if function in _THREAD.functions:
        _THREAD.functions.remove(function)
    if not _THREAD.functions and _THREAD.mode is not None:
        mode, _THREAD.mode = _THREAD.mode, None
        mode.__exit__(None, None, None)


def before_export() -> tuple[type, str, Callable[..., Any]] | None:
    """A replacement of what torch.export's own mode does: it lets subscripts pass. None where a version has no mode."""
    handler = getattr(non_strict_utils, "_NonStrictTorchFunctionHandler", None)
    if handler is None:
        return None
    original = handler.__torch_function__

    def passing(self: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.compiler.is_dynamo_compiling() or not _is_replaced(func):
            return original(self, func, types, args, kwargs)
        return _call(*args)

    return handler, "__torch_function__", passing


def _is_replaced(function: Any) -> bool:
    return function == SUBSCRIPT and bool(_THREAD.functions) and not _THREAD.runs


def _call(x: torch.Tensor, index: Any) -> Any:
    _THREAD.runs = True
    try:
        return _THREAD.functions[-1](x, index)
    finally:
        _THREAD.runs = False


__all__ = ["SUBSCRIPT", "before_export", "replace", "restore"]
