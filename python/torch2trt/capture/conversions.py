"""`int(tensor)` and `float(tensor)` as numbers that the engine reads, where torch.export refuses them.

Python's own `int` and `float` return plain numbers, so that a number read out of a tensor would have to be a constant.
While a model is captured again after such a refusal, these names stand for classes in the model's Python modules that
return symbolic numbers; for everything else they are Python's own.

This file must not know how the numbers are recorded; `numbers.py` does that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from .scopes import Float, Int, is_models, scopes

_NAMES: dict[str, type] = {"int": Int, "float": Float}


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
