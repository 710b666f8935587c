"""The names that a model's code can reach: attributes of its classes, and globals of the Python modules they are written in.

`symbolic_len` uses them, because `len` is a name too: Python's own makes a number of a symbolic size, which fixes it.

This file must not know why a name is wanted.
"""

from __future__ import annotations

import builtins
import functools
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn

Cached = type(functools.lru_cache(lambda: None))
"""The class of functions under `functools.lru_cache`."""

_LIBRARIES = {"torch", "numpy", "sympy", "triton", "torch2trt", *sys.stdlib_module_names}


def scopes(module: nn.Module) -> list[dict[str, Any]]:
    """The namespaces of classes and Python modules that the code of a module reaches, outside of libraries."""
    classes = {base for part in module.modules() for base in type(part).__mro__ if _is_models(base.__module__)}
    forward = getattr(module, "forward", None)  # of a plain function, which has no class of its own
    pending = [*map(dict, map(vars, classes)), *_namespaces(forward)]
    pending += [vars(sys.modules[base.__module__]) for base in classes if base.__module__ in sys.modules]
    found: dict[int, dict[str, Any]] = {}
    while pending:
        scope = pending.pop()
        if id(scope) not in found:
            found[id(scope)] = scope
            pending += [inner for value in list(scope.values()) for part in unwrapped(value) for inner in _namespaces(part)]
    return list(found.values())


def unwrapped(value: Any) -> Iterator[Any]:
    """A value, and the functions that it is a wrapper of."""
    for _ in range(8):  # decorators, at most
        yield value
        if isinstance(value, types.FunctionType):
            for cell in value.__closure__ or ():
                with suppress(ValueError):  # a name without a value yet
                    if isinstance(cell.cell_contents, Cached):
                        yield cell.cell_contents
        inner = value.__func__ if isinstance(value, (staticmethod, classmethod)) else None
        inner = inner or (vars(value).get("__wrapped__") if isinstance(value, (types.FunctionType, Cached)) else None)
        if inner is None:
            return
        value = inner


@contextmanager
def symbolic_len(module: nn.Module) -> Iterator[None]:
    """`len(tensor)` is symbolic in the code of a module where its first size is."""

    def length(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.dim() and isinstance(value.shape[0], torch.SymInt):
            return value.shape[0]
        return builtins.len(value)

    changed = [scope for scope in scopes(module) if "__builtins__" in scope and "len" not in scope]
    for scope in changed:
        scope["len"] = length
    try:
        yield
    finally:
        for scope in changed:
            scope.pop("len", None)


def _namespaces(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, types.FunctionType) and _is_models(value.__module__):
        yield value.__globals__
    elif isinstance(value, types.ModuleType) and _is_models(value.__name__):
        yield vars(value)


def _is_models(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] not in _LIBRARIES


__all__ = ["Cached", "scopes", "symbolic_len", "unwrapped"]
