"""`int(tensor)` and `float(tensor)` as numbers that the engine reads, where torch.export refuses them.

Python's own `int` and `float` return plain numbers, so that a number read out of a tensor would have to be a constant.
While a model is captured again after such a refusal, these names stand for classes in the model's Python modules that
return symbolic numbers; for everything else they are Python's own.

This file must not know how the numbers are recorded; `numbers.py` does that.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch

from .scopes import NUMBERS, defined, is_models, scopes


def converting(refusal: BaseException | None) -> list[dict[str, Any]]:
    """The global names of the model's functions that call `int` or `float`, up to where torch.export refused."""
    trace = refusal.__traceback__ if refusal is not None else None
    found = []
    while trace is not None:
        frame = trace.tb_frame
        if NUMBERS.keys() & set(frame.f_code.co_names) and is_models(frame.f_globals.get("__name__")):
            found.append(frame.f_globals)
        trace = trace.tb_next
    return found


def symbolic_numbers(module: torch.nn.Module, further: list[dict[str, Any]]) -> AbstractContextManager[None]:
    """`int` and `float` of one-element tensors are symbolic in the code of a module, and in `further` namespaces."""
    return defined(NUMBERS, (*scopes(module), *further))


__all__ = ["converting", "symbolic_numbers"]
