"""`int(tensor)` and `float(tensor)` as numbers that the engine reads, where torch.export refuses them.

Python's own `int` and `float` return plain numbers, so that a number read out of a tensor would have to be a constant.
While a model is captured again after such a refusal, these names stand for classes in the model's Python modules that
return symbolic numbers; for everything else they are Python's own.

This file must not know how the numbers are recorded; `numbers.py` does that.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from .scopes import is_models, scopes

_SYMBOLIC = (torch.SymInt, torch.SymFloat)


class _Kind(type):
    """A class that stands for a class of numbers."""

    kind: type
    symbolic: Callable[[Any], Any]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs:
            value = args[0].item() if isinstance(args[0], torch.Tensor) and args[0].numel() == 1 else args[0]
            if isinstance(value, _SYMBOLIC):
                return cls.symbolic(value)
        return cls.kind(*args, **kwargs)

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, cls.kind)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, cls.kind)

    def __eq__(cls, other: Any) -> bool:
        return other is cls or other is cls.kind

    def __hash__(cls) -> int:
        return hash(cls.kind)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.kind, name)


class _Int(metaclass=_Kind):
    kind = builtins.int
    symbolic = staticmethod(torch.sym_int)


class _Float(metaclass=_Kind):
    kind = builtins.float
    symbolic = staticmethod(torch.sym_float)


_NAMES = {"int": _Int, "float": _Float}


def converting(refusal: BaseException | None) -> list[dict[str, Any]]:
    """The global names of the model's functions that call `int` or `float`, on the way to where torch.export refused."""
    trace = refusal.__traceback__ if refusal is not None else None
    found = []
    while trace is not None:
        frame = trace.tb_frame
        if _NAMES.keys() & set(frame.f_code.co_names) and is_models(frame.f_globals.get("__name__")):
            found.append(frame.f_globals)
        trace = trace.tb_next
    return found


@contextmanager
def symbolic_numbers(module: torch.nn.Module, further: list[dict[str, Any]]) -> Iterator[None]:
    """`int` and `float` of tensors with one element are symbolic in the code of a module, and in `further` namespaces."""
    found = {id(scope): scope for scope in (*scopes(module), *further) if "__builtins__" in scope}
    changed = [(scope, name) for scope in found.values() for name in _NAMES if name not in scope]
    try:
        for scope, name in changed:
            scope[name] = _NAMES[name]
        yield
    finally:
        for scope, name in changed:
            scope.pop(name, None)


__all__ = ["converting", "symbolic_numbers"]
