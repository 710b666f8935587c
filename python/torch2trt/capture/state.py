"""State in a model's Python attributes: put back after each run, and reported where outputs may follow from it.

A counter, a list that grows, a hidden state of the call before: a captured program has none of them. The attributes of
all modules, and the containers and objects in them, are recorded before a run and put back after it. What a run writes
is a cache (a mask for a size, anchors) where a second run on other values writes the same again, and a state elsewhere.

This file must not know about graphs or about torch.export.
"""

from __future__ import annotations

import collections
import dataclasses
import sys
import types
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .origin import is_user_code

_CONTAINERS = (dict, list, set, collections.deque)
_MOST = 50_000  # objects that are searched
_LONGEST = 10_000  # items of a container that are searched; longer ones are put back as a whole
_TORCH = ("torch", "torchvision", "numpy", "transformers")


@dataclasses.dataclass
class _Record:
    """A container or object as it was, and the attribute that leads to it."""

    path: str
    held: Any
    saved: Any


class Recorded:
    """The Python attributes of a module at one moment."""

    def __init__(self, module: nn.Module) -> None:
        self.records: list[_Record] = []
        self._seen: set[int] = set()
        names = {id(part): name for name, part in module.named_modules()}
        pending = collections.deque((name, part) for name, part in module.named_modules())
        while pending and len(self._seen) < _MOST:
            path, value = pending.popleft()
            if id(value) in self._seen:
                continue
            self._seen.add(id(value))
            held = _held(value)
            if held is None:
                if isinstance(value, tuple):
                    pending.extend(_children(path, value))
                continue
            self.records.append(_Record(path, held, held.copy()))
            if len(held) <= _LONGEST:
                inside = _children(path, held, isinstance(value, nn.Module))
                pending.extend((names.get(id(child), name), child) for name, child in inside)

    def changed(self) -> list[_Record]:
        """The containers that hold something else than they did."""
        return [record for record in self.records if not _same(record.held, record.saved)]

    def restore(self) -> None:
        """Puts the same objects back into the same containers."""
        for record in self.changed():
            record.held.clear()
            if isinstance(record.held, (dict, set)):
                record.held.update(record.saved)
            else:
                record.held.extend(record.saved)


def _held(value: Any) -> Any:
    """What can be written to in an object: itself, or the table of its attributes; None for what has neither."""
    if type(value) in _CONTAINERS or isinstance(value, (collections.OrderedDict, collections.defaultdict)):
        return value
    if isinstance(value, (torch.Tensor, type, types.ModuleType, types.FunctionType)) or not hasattr(value, "__dict__"):
        return None
    table = value.__dict__
    known = isinstance(value, (nn.Module, types.SimpleNamespace)) or dataclasses.is_dataclass(value)
    package = type(value).__module__.partition(".")[0]
    own = (package not in sys.stdlib_module_names and package not in _TORCH) or package == "__main__"
    return table if isinstance(table, dict) and (known or own) else None


def _children(path: str, held: Any, is_module: bool = False) -> Iterator[tuple[str, Any]]:
    if isinstance(held, dict):
        for key, value in list(held.items()):
            hidden = is_module and isinstance(key, str) and key.startswith("_") and isinstance(value, dict)
            yield path if hidden else _joined(path, key), value
    else:
        yield from (
            (f"{path}[{k}]" if not isinstance(held, set) else path, value) for k, value in enumerate(list(held))
        )


def _joined(path: str, key: Any) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f"{path}.{key}" if path else key
    return f"{path}[{key!r}]"


def _same(held: Any, saved: Any) -> bool:
    """Whether a container holds the same objects: comparing tensors would compare their elements."""
    if len(held) != len(saved):
        return False
    if isinstance(held, dict):
        return held.keys() == saved.keys() and all(held[key] is saved[key] for key in held)
    if isinstance(held, set):
        return held == saved
    return all(new is old for new, old in zip(held, saved))


def written(record: _Record) -> Iterator[tuple[str, Any, Any]]:
    """Name, former and present value of what changed in a container; the container itself where it is no dictionary."""
    held, saved = record.held, record.saved
    if not isinstance(held, dict):
        yield record.path, saved, held.copy()
        return
    for key in {**saved, **held}:
        if (key in held) != (key in saved) or held.get(key) is not saved.get(key):
            yield _joined(record.path, key), saved.get(key), held.get(key)


def names_written(records: Recorded, weights: Collection[str]) -> set[str]:
    """The attributes that a run wrote, without what PyTorch itself replaces during a capture: the weights, which have
    these names, the tables of an RNN's weights, and plain values by equal ones.
    """
    found = (
        name
        for record in records.changed()
        for name, before, after in written(record)
        if name not in weights and not _is_equal(before, after)
    )
    return {name for name in found if "_flat_weight" not in name}


def states(module: nn.Module, runs: list[Callable[[], Any]]) -> dict[str, str]:
    """The attributes that two runs, on different values, leave with different contents; each with the line that writes
    it, "" where none was seen. A run that fails shows nothing. Everything is put back.
    """
    before = Recorded(module)
    lines: dict[str, str] = {}
    results: list[dict[str, Any]] = []
    own = {name for name, _ in [*module.named_buffers(), *module.named_parameters()]}
    try:
        for run in runs:
            run()
            results.append({name: _copied(value) for record in before.changed() for name, _, value in written(record)})
        first, second = results
        names = [
            name for name in {**first, **second} if not _alike(first.get(name), second.get(name)) and name not in own
        ]
        if names:  # looking at every line is slow
            before.restore()
            with _located(before, lines):
                runs[0]()
    except Exception:  # the model's code may raise anything
        return {}
    finally:
        before.restore()
    return {name: lines.get(name, "") for name in names}


@contextmanager
def _located(before: Recorded, lines: dict[str, str]) -> Iterator[None]:
    """Notes the line of the model after which an attribute is another than before."""
    last = ""

    def look() -> None:
        for record in before.changed():
            for name, _, _ in written(record):
                lines.setdefault(name, last)

    def trace(frame: types.FrameType, event: str, _: Any) -> Any:
        nonlocal last
        code = frame.f_code
        if not is_user_code(code.co_filename):
            return None
        if event in ("line", "return"):
            look()
            place = frame if event == "line" else frame.f_back
            if place is not None and is_user_code(place.f_code.co_filename):
                last = f"{place.f_code.co_filename}:{place.f_lineno}"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(previous)
        look()


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, torch.Tensor) else value


def _is_equal(before: Any, after: Any) -> bool:
    """Whether both are the same object, or plain values that are equal."""
    if before is after:
        return True
    if type(before) is not type(after):
        return False
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(_is_equal, before, after))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_is_equal(before[key], after[key]) for key in before)
    return isinstance(before, (bool, int, float, str)) and before == after


def _alike(left: Any, right: Any) -> bool:
    if left is right or type(left) is not type(right):
        return left is right
    if isinstance(left, torch.Tensor):
        return left.shape == right.shape and bool(((left == right) | ((left != left) & (right != right))).all())
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(_alike, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_alike(left[key], right[key]) for key in left)
    if isinstance(left, (bool, int, float, str)):
        return left == right
    return True  # a new object of the same class: what is in it cannot be compared


__all__ = ["Recorded", "names_written", "states"]
