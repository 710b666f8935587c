"""The names that a model's code can reach: attributes of its classes, and globals of their Python modules.

`symbolic_names` uses them, because `len`, `int` and `float` are names too: Python's own make a number of a symbolic
size, which fixes it.

This file must not know why a name is wanted.
"""

from __future__ import annotations

import builtins
import functools
import math
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn

from .threads import Patches, only_here

Cached = type(functools.lru_cache(lambda: None))
"""The class of functions under `functools.lru_cache`."""

WRAPPERS = (types.FunctionType, Cached, staticmethod, classmethod)
"""The classes of what may be a wrapper of functions."""

_CODE = (types.ModuleType, *WRAPPERS)

_LIBRARIES = {"torch", "numpy", "sympy", "triton", "torch2trt", *sys.stdlib_module_names}


def scopes(module: nn.Module) -> list[dict[str, Any]]:
    """The namespaces of classes and Python modules that the code of a module reaches, outside of libraries."""
    classes = {base for part in module.modules() for base in type(part).__mro__ if is_models(base.__module__)}
    forward = getattr(module, "forward", None)  # of a plain function, which has no class of its own
    pending = [*map(dict, map(vars, classes)), *_namespaces(forward)]
    pending += [vars(sys.modules[base.__module__]) for base in classes if base.__module__ in sys.modules]
    found: dict[int, dict[str, Any]] = {}
    while pending:
        scope = pending.pop()
        if id(scope) not in found:
            found[id(scope)] = scope
            # Most names are of classes, of constants, and of functions of this scope, which lead nowhere.
            code = [value for value in list(scope.values()) if isinstance(value, _CODE) and not _is_own(value, scope)]
            pending += [inner for value in code for part in unwrapped(value) for inner in _namespaces(part)]
    return list(found.values())


def is_bare(value: Any) -> bool:
    """Whether a value is a function that holds no other."""
    return type(value) is types.FunctionType and value.__closure__ is None and not value.__dict__


def _is_own(value: Any, scope: dict[str, Any]) -> bool:
    return is_bare(value) and value.__globals__ is scope


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
def defined(names: dict[str, Any], spaces: Iterable[dict[str, Any]]) -> Iterator[None]:
    """Global names in the namespaces of Python modules that do not define them, for as long as it lasts."""
    added = [(space, name) for space in spaces if "__builtins__" in space for name in names if name not in space]
    try:
        for space, name in added:
            space[name] = names[name]
        yield
    finally:
        for space, name in added:
            space.pop(name, None)


@contextmanager
def symbolic_names(module: nn.Module, numbers: bool = False) -> Iterator[None]:
    """`len(tensor)` is symbolic in the code of a module where its first size is.

    With `numbers`, so are `int(size)`, `float(size)`, and `sqrt` and `log2` of Python's math.
    """
    spaces = scopes(module)
    functions = _FUNCTIONS if numbers else {}
    taken = [
        (space, name, value)
        for space in (spaces if numbers else ())
        for name, value in list(space.items())
        if isinstance(value, types.BuiltinFunctionType) and value in functions
    ]
    with Patches().undone() as patches, defined({"len": _length, **(NUMBERS if numbers else {})}, spaces):
        for function, symbolic in functions.items():
            patches.set(math, function.__name__, only_here(function, symbolic))
        try:
            for space, name, value in taken:
                space[name] = functions[value]
            yield
        finally:
            for space, name, value in taken:
                space[name] = value


def _length(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.dim() and isinstance(value.shape[0], torch.SymInt):
        return value.shape[0]
    return builtins.len(value)


class _Symbolic(type):
    """A class that stands for a builtin one: of a symbolic number, or of a tensor that holds one, it is symbolic."""

    of: Callable[[Any], Any]
    """The symbolic number of one."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs:
            value = args[0].item() if isinstance(args[0], torch.Tensor) and args[0].numel() == 1 else args[0]
            if isinstance(value, (torch.SymInt, torch.SymFloat)):
                return cls.of(value)
        return cls.__mro__[1](*args, **kwargs)

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, cls.__mro__[1])

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, cls.__mro__[1])

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is cls.__mro__[1]

    def __hash__(cls) -> int:
        return hash(cls.__mro__[1])


class Int(int, metaclass=_Symbolic):
    """`int` of a symbolic number."""

    of = staticmethod(torch.sym_int)


class Float(float, metaclass=_Symbolic):
    """`float` of a symbolic number."""

    of = staticmethod(torch.sym_float)


NUMBERS: dict[str, type] = {"int": Int, "float": Float}
"""Python's names of the classes that make numbers, and what stands for them."""


def _function(original: Any, symbolic: Any) -> Any:
    def function(value: Any) -> Any:
        is_symbolic = isinstance(value, (torch.SymInt, torch.SymFloat))
        return symbolic(torch.sym_float(value)) if is_symbolic else original(value)

    return function


_FUNCTIONS = {
    original: _function(original, symbolic)
    for original, symbolic in (
        (math.sqrt, getattr(torch, "_sym_sqrt", None)),
        (math.log2, getattr(torch, "_sym_log2", None)),
    )
    if symbolic is not None
}


def _namespaces(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, types.FunctionType) and is_models(value.__module__):
        yield value.__globals__
    elif isinstance(value, types.ModuleType) and is_models(value.__name__):
        yield vars(value)


def is_models(module: str | None) -> bool:
    """Whether a Python module of this name is a model's, and not a library's."""
    return module is not None and module.partition(".")[0] not in _LIBRARIES


__all__ = ["NUMBERS", "WRAPPERS", "Cached", "defined", "is_bare", "is_models", "scopes", "symbolic_names", "unwrapped"]
