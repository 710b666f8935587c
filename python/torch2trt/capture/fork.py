"""The module that is captured: new module objects over the same weights.

Capturing puts fake tensors in the place of a module's parameters and buffers, and runs its `forward`, which may store
what it computes on the module. Done on the user's own module, another thread that calls it meanwhile would find fake
tensors there. So the structure is copied: each module, the containers among its attributes, and whatever refers to a
module (bound methods, closures, plain objects). Tensors are shared.

This file must not know about graphs.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

if TYPE_CHECKING:
    from .intercept import OpaqueCall

_CONTAINERS = (dict, list, tuple, set, collections.OrderedDict, collections.defaultdict, collections.deque)
_LIMIT = 200_000  # objects that are searched for modules


class Fork:
    """A copy of a module's structure; `module` is the module itself where it cannot be copied."""

    def __init__(self, module: nn.Module) -> None:
        self._reaching = _reaching(module)
        self._copies: dict[int, Any] = {}
        self._originals: dict[int, nn.Module] = {}
        self.module: nn.Module = self._copy(module)

    def originals(self, call: OpaqueCall) -> OpaqueCall:
        """The call with the user's own modules among its arguments."""

        def original(leaf: Any) -> Any:
            return self._originals.get(id(leaf), leaf)

        args, kwargs = pytree.tree_map(original, (call.args, call.kwargs))
        return dataclasses.replace(call, args=args, kwargs=kwargs)

    def _copy(self, value: Any) -> Any:
        known = self._copies.get(id(value))
        if known is not None:
            return known
        if isinstance(value, nn.Module):
            return self._copy_object(value)
        if type(value) in _CONTAINERS:
            return self._copy_container(value)
        if id(value) not in self._reaching:
            return value
        if isinstance(value, types.MethodType):
            return types.MethodType(self._copy(value.__func__), self._copy(value.__self__))
        if isinstance(value, functools.partial):
            return functools.partial(self._copy(value.func), *self._copy(value.args), **self._copy(value.keywords))
        if isinstance(value, types.FunctionType):
            return self._copy_function(value)
        return self._copy_object(value)

    def _copy_object(self, value: Any) -> Any:
        if hasattr(type(value), "__del__"):  # it would clean up what belongs to the original
            return value
        try:
            made = object.__new__(type(value))
        except TypeError:  # of a class that is written in C
            return value
        self._copies[id(value)] = made
        if isinstance(value, nn.Module):
            self._originals[id(made)] = value
        for slot in _slots(type(value)):
            if hasattr(value, slot):
                object.__setattr__(made, slot, self._copy(getattr(value, slot)))
        made.__dict__.update({name: self._copy(item) for name, item in value.__dict__.items()})
        return made

    def _copy_container(self, value: Any) -> Any:
        if isinstance(value, tuple):
            items = tuple(map(self._copy, value))
            return items if any(new is not old for new, old in zip(items, value)) else value
        made = self._copies[id(value)] = value.copy()
        if isinstance(value, dict):
            made.update({key: self._copy(item) for key, item in value.items()})
        elif isinstance(value, set):
            if id(value) in self._reaching:
                made.clear()
                made.update(map(self._copy, value))
        else:
            for index, item in enumerate(value):
                made[index] = self._copy(item)
        return made

    def _copy_function(self, value: types.FunctionType) -> types.FunctionType:
        cells = [types.CellType() for _ in value.__closure__ or ()]
        scope = value.__globals__
        names = [name for name in _global_names(value) if id(scope.get(name)) in self._reaching]
        if names:
            scope = {**scope}
        made = types.FunctionType(value.__code__, scope, value.__name__, value.__defaults__, tuple(cells))
        self._copies[id(value)] = made
        scope.update({name: self._copy(value.__globals__[name]) for name in names})
        made.__kwdefaults__ = self._copy(value.__kwdefaults__)
        made.__defaults__ = self._copy(value.__defaults__)
        made.__dict__.update({name: self._copy(item) for name, item in value.__dict__.items()})
        made.__qualname__, made.__module__ = value.__qualname__, value.__module__
        for new, old in zip(cells, value.__closure__ or ()):
            if (content := _content(old)) is not _EMPTY:
                new.cell_contents = self._copy(content)
        return made


def _reaching(root: nn.Module) -> set[int]:
    """The ids of the objects that lead to a module of the root, or to a container among a module's attributes."""
    seen: dict[int, Any] = {id(root): root}
    referrers: dict[int, list[int]] = {}
    pending, modules = [root], []
    while pending:
        value = pending.pop()
        if isinstance(value, nn.Module):
            modules.append(value)
        if len(seen) > _LIMIT:
            continue
        for item in _references(value):
            if type(item) in _PLAIN:
                continue
            referrers.setdefault(id(item), []).append(id(value))
            if id(item) not in seen:
                seen[id(item)] = item
                pending.append(item)
    found: set[int] = set()
    copied = [*map(id, modules), *_containers(modules)]
    while copied:
        key = copied.pop()
        if key not in found:
            found.add(key)
            copied.extend(referrers.get(key, ()))
    return found


def _containers(modules: list[nn.Module]) -> set[int]:
    """The ids of the containers among the attributes of modules, and of those inside them."""
    found: set[int] = set()
    pending: list[Any] = list(modules)
    while pending:
        value = pending.pop()
        items = list(value.__dict__.values()) if isinstance(value, nn.Module) else _references(value)
        inside = [item for item in items if type(item) in _CONTAINERS and id(item) not in found]
        found.update(map(id, inside))
        pending.extend(inside)
    return found


_PLAIN = frozenset([int, float, bool, str, bytes, complex, type(None), torch.Tensor, nn.Parameter, type, torch.dtype])
_EMPTY = object()


def _references(value: Any) -> Iterator[Any]:
    """What an object refers to, as far as it is copied."""
    if isinstance(value, dict) and type(value) in _CONTAINERS:
        yield from list(value.values())
    elif type(value) in _CONTAINERS:
        yield from list(value)
    elif isinstance(value, types.MethodType):
        yield from (value.__self__, value.__func__)
    elif isinstance(value, functools.partial):
        yield from (value.func, value.args, value.keywords)
    elif isinstance(value, types.FunctionType):
        if not value.__module__ or value.__module__.partition(".")[0] != "torch" or value.__closure__:
            yield from (value.__defaults__, value.__kwdefaults__, value.__dict__)
            yield from (content for cell in value.__closure__ or () if (content := _content(cell)) is not _EMPTY)
            yield from (
                item for name in _global_names(value) if isinstance(item := value.__globals__.get(name), nn.Module)
            )
    elif isinstance(value, nn.Module) or _is_object(value):
        yield from list(value.__dict__.values())
        yield from (getattr(value, slot) for slot in _slots(type(value)) if hasattr(value, slot))


def _is_object(value: Any) -> bool:
    """Whether this is an instance of an ordinary class of somebody else's than torch's."""
    kind: type[object] = type(value)
    if isinstance(value, (type, types.ModuleType, torch.Tensor)) or kind.__module__.partition(".")[0] == "torch":
        return False
    return isinstance(getattr(value, "__dict__", None), dict) and kind.__new__ is object.__new__


def _slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        names = base.__dict__.get("__slots__", ())
        yield from (name for name in ((names,) if isinstance(names, str) else names) if not name.startswith("__"))


def _global_names(function: types.FunctionType) -> tuple[str, ...]:
    return function.__code__.co_names


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return _EMPTY


__all__ = ["Fork"]
