"""Which line of a model fixes or limits a dynamic size, found out while torch.export runs.

torch.export knows that an axis became a constant, but names a line of its own libraries for it. The model's line is on
the Python stack at that moment, so two methods of its shape environment are wrapped while it runs. They are private:
where a version of PyTorch lacks them, places are simply not known.

This file must not know about graphs or about the ranges that were asked for.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from .origin import is_user_code
from .symbols import sources
from .threads import Patches, only_here

Places = dict[tuple[str, int], str]
"""(input name, axis) to the line of the model that fixed or limited it last."""

_EXPORT = os.path.join(os.path.dirname(__file__), "export.py")
_WATCHED = ("_set_replacement", "_update_var_to_range")
_SOURCE = re.compile(r"L(?P<path>(\[[^\]]+\]|\.\w+)+)\.size\(\)\[(?P<axis>\d+)\]$")


@contextmanager
def watched(places: Places) -> Iterator[None]:
    """Notes in `places` where the model fixes or limits the sizes of its inputs."""
    with Patches().undone() as patches:
        for name in _WATCHED:
            if original := getattr(ShapeEnv, name, None):
                patches.set(ShapeEnv, name, only_here(original, _noting(original, places)))
        yield


def _noting(original: Callable[..., Any], places: Places) -> Callable[..., Any]:
    def method(env: ShapeEnv, symbol: Any, *args: Any, **kwargs: Any) -> Any:
        before = _known(env, symbol)
        result = original(env, symbol, *args, **kwargs)
        if _known(env, symbol) != before:
            place = _place(sys._getframe(1))
            for at in _axes(env, symbol) if place else ():
                places[at] = place
        return result

    return method


def _known(env: ShapeEnv, symbol: Any) -> tuple[Any, Any]:
    return getattr(env, "replacements", {}).get(symbol), getattr(env, "var_to_range", {}).get(symbol)


def _axes(env: ShapeEnv, symbol: Any) -> Iterator[tuple[str, int]]:
    """The input axes that a symbol stands for, under the names that `InputTree` gives the inputs."""
    for source in sources(env, symbol):
        found = _SOURCE.match(source)
        if found:
            parts = re.findall(r"\[['\"]?([^'\"\]]+)['\"]?\]|\.(\w+)", found["path"])
            yield ".".join(key or attribute for key, attribute in parts), int(found["axis"])


def _place(frame: FrameType | None) -> str | None:
    """The innermost line of the model; the innermost layer of torch.nn where the model has no code of its own."""
    layer = None
    while frame is not None:
        file = frame.f_code.co_filename
        if file == _EXPORT:
            return layer
        if is_user_code(file):
            return f"{file}:{frame.f_lineno} in {frame.f_code.co_name}"
        owner = frame.f_locals.get("self")
        if layer is None and isinstance(owner, torch.nn.Module) and frame.f_code.co_name.endswith("forward"):
            layer = f"torch.nn.{type(owner).__name__}" + (f"({owner.extra_repr()})" if owner.extra_repr() else "")
        frame = frame.f_back
    return layer


__all__ = ["Places", "watched"]
