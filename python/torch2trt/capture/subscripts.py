"""What stands in for the subscript of tensors, `x[index]`, while a model is captured.

It cannot be an attribute of `torch.Tensor`: CPython then fills the class's slot for sequences as well as the one for
mappings, and leaves it filled when the attribute is deleted. From then on C code takes every tensor for a sequence, and
`torch.tensor([x])` of a 0-D tensor is a TypeError for the rest of the process. PyTorch's own protocol is used instead:
torch.export's `TorchFunctionMode` gives subscripts to the function here. A trace, for which PyTorch has no such mode,
uses the `Subscripts` of this file. While torch.export runs there must be no further mode: operators with sub-graphs
compile these, and take no modes but PyTorch's.

This file must not know what a subscript becomes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

Subscript = Callable[[torch.Tensor, Any], Any]

SUBSCRIPT = torch.Tensor.__getitem__


class _Thread(threading.local):
    """The functions that stand in for the subscript. The last one is called.

    Attributes:
        runs: whether one of them is running: what it calls is PyTorch's subscript.
    """

    def __init__(self) -> None:
        self.functions: list[Subscript] = []
        self.runs = False


_THREAD = _Thread()


class Subscripts(TorchFunctionMode):
    """Gives subscripts to the function that stands in for them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not _is_replaced(func):
            return func(*args, **(kwargs or {}))
        return _call(*args)


def replace(function: Subscript) -> None:
    """Calls `function(x, index)` in the calling thread in place of the subscript."""
    _THREAD.functions.append(function)


def restore(function: Subscript) -> None:
    """Undoes `replace`. A second time does no harm."""
    if function in _THREAD.functions:
        _THREAD.functions.remove(function)


def before_export() -> tuple[type, str, Callable[..., Any]] | None:
    """What torch.export's mode does with subscripts replaced: owner, attribute and value. None without such a mode.

    Where the mode has a method for that, it is replaced, and `__torch_function__` stays: it is compiled, too.
    """
    from torch._export import non_strict_utils  # imports sympy

    handler = getattr(non_strict_utils, "_NonStrictTorchFunctionHandler", None)
    if handler is None:
        return None
    if hasattr(handler, "_override"):
        return handler, "_override", _overriding(handler._override)
    original = handler.__torch_function__

    def passing(self: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.compiler.is_dynamo_compiling():
            return func(*args, **(kwargs or {}))
        return _call(*args) if _is_replaced(func) else original(self, func, types, args, kwargs)

    # Operators with sub-graphs compile the mode, for which the function needs a file of PyTorch's, in 2.6 the name.
    passing.__code__ = passing.__code__.replace(co_filename=original.__code__.co_filename)
    passing.__name__ = original.__name__
    return handler, "__torch_function__", passing


def _overriding(original: Callable[..., Any]) -> Callable[..., Any]:
    def override(self: Any, func: Any, args: Any, kwargs: Any) -> Any:
        return (_call, args, {}) if _is_replaced(func) else original(self, func, args, kwargs)

    return override


def _is_replaced(function: Any) -> bool:
    return function == SUBSCRIPT and bool(_THREAD.functions) and not _THREAD.runs


def _call(x: torch.Tensor, index: Any) -> Any:
    _THREAD.runs = True
    try:
        return _THREAD.functions[-1](x, index)
    finally:
        _THREAD.runs = False


__all__ = ["SUBSCRIPT", "Subscripts", "before_export", "replace", "restore"]
