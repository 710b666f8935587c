"""What a model remembers of earlier calls: anchors of a size, positions of a length, results by shape.

Such models compare the sizes of a call with those they remember and rebuild what no longer fits. Captured as it is, a
model that remembers the sample's own size fixes it. `primed` makes it remember other sizes first, by calls of its own,
so that the capture takes the path that rebuilds. `caches_restored` and `hashable_sizes` are about results that are
cached by size: neither may a capture leave symbolic results behind, nor is a symbolic size refused as a key.

This file must not know about graphs, or which sizes are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .errors import CaptureError
from .preserve import preserved, settle_mode
from .scopes import WRAPPERS, Cached, is_bare, scopes, unwrapped

Call = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and keyword arguments."""


@dataclass(frozen=True)
class Others:
    """Calls of other sizes than those to capture with."""

    calls: Iterable[Call]
    keys: bool
    """Whether a symbolic size was refused as a key, so that capturing again is of use whatever the calls change."""


@contextmanager
def remembering(module: nn.Module, others: Others | None) -> Iterator[None]:
    """The model as it is after these calls, with symbolic sizes as keys; as it is where there are None.

    Raises:
        CaptureError: the calls change nothing.
    """
    if others is None:
        yield
        return
    with primed(module, others.calls) as changed, hashable_sizes():
        if not (changed or others.keys):
            raise CaptureError("the model remembers nothing of calls with other sizes")
        yield


@contextmanager
def primed(module: nn.Module, calls: Iterable[Call]) -> Iterator[bool]:
    """Calls the module with these arguments, and undoes what they changed on exit. A call that fails is left out.

    Yields whether they changed what the module remembers. Buffers that they replaced are plain attributes meanwhile:
    torch.export would copy what the model assigns into the buffer, whose size may be another.
    """
    with preserved(module, values=True), caches_restored(module):
        before = [dict(table) for table in _tables(module)]
        parts = [(part, dict(part._buffers)) for part in module.modules()]
        with torch.no_grad():
            settle_mode(module, warn=False)
            for args, kwargs in calls:
                with suppress(Exception):  # the model may not take these sizes
                    module(*args, **kwargs)
        changed = [_identities(table) for table in before] != [_identities(table) for table in _tables(module)]
        for part, buffers in parts:
            for name, buffer in list(part._buffers.items()):
                if name in buffers and buffer is not buffers[name]:
                    del part._buffers[name]
                    part.__dict__[name] = buffer
        yield changed


@contextmanager
def caches_restored(module: nn.Module) -> Iterator[None]:
    """Restores the caches of the module's code on exit: what a capture computes is symbolic.

    These are functions under `functools.lru_cache`, which are emptied, and dicts of classes and of Python modules.
    """
    functions, dicts = _caches(module)
    misses = [function.cache_info().misses for function in functions]
    saved = [(table, table.copy()) for table in dicts]
    try:
        yield
    finally:
        for function, count in zip(functions, misses):
            if function.cache_info().misses != count:
                function.cache_clear()
        for table, copy in saved:
            if _identities(table) != _identities(copy):
                table.clear()
                table.update(copy)


@contextmanager
def hashable_sizes() -> Iterator[None]:
    """Symbolic sizes can be keys: two are the same key where they are the same expression, and never a number's."""
    original = torch.SymInt.__hash__

    def by_expression(size: torch.SymInt) -> int:
        if size.node.is_nested_int():
            return original(size)
        expression = size.node.expr
        return hash(int(expression)) if expression.is_Integer else hash((torch.SymInt, expression))

    torch.SymInt.__hash__ = by_expression
    try:
        yield
    finally:
        torch.SymInt.__hash__ = original


def is_unhashable(refusal: BaseException | None) -> bool:
    """Whether a symbolic size was refused as a key."""
    return isinstance(refusal, TypeError) and "unhashable type" in str(refusal) and "SymInt" in str(refusal)


def _tables(module: nn.Module) -> Iterator[dict[Any, Any]]:
    for part in module.modules():
        yield {key: value for key, value in part.__dict__.items() if not isinstance(value, dict)}
        yield from (value for value in part.__dict__.values() if isinstance(value, dict))


def _identities(table: dict[Any, Any]) -> dict[Any, int]:
    # By identity: comparing tensors with == would compare their elements.
    return {key: id(value) for key, value in table.items()}


def _caches(module: nn.Module) -> tuple[list[Any], list[dict[Any, Any]]]:
    """The cached functions and the dicts that the code of a module can reach by name, outside of libraries."""
    functions: dict[int, Any] = {}
    dicts: dict[int, dict[Any, Any]] = {}
    for scope in scopes(module):
        for name, value in list(scope.items()):
            if name.startswith("__"):
                continue
            if type(value) is dict:
                dicts[id(value)] = value
            elif isinstance(value, WRAPPERS) and not is_bare(value):
                functions.update((id(part), part) for part in unwrapped(value) if isinstance(part, Cached))
    return list(functions.values()), list(dicts.values())


__all__ = ["Others", "caches_restored", "hashable_sizes", "is_unhashable", "primed", "remembering"]
