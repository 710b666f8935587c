"""Which line of a model fixes or limits a dynamic size, found out while torch.export runs.

torch.export knows that an axis became a constant, but names a line of its own libraries for it. The model's line is on
the Python stack at that moment, so two methods of its shape environment are wrapped while it runs. They are private:
where a version of PyTorch lacks them, places are simply not known.

A third one is wrapped to end an export that would take minutes. Every window or padding that a model derives from a
size nests its expression once more, and the time that torch.export takes to simplify it grows with a power of its
length.

This file must not know about graphs or about the ranges that were asked for.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch

from ..deferred import symbolic_shapes
from .errors import SizeError
from .origin import is_user_code
from .symbols import by_parameter, sources
from .threads import Patches, only_here

Places = dict[tuple[str, int], str]
"""(input name, axis) to the line of the model that fixed or limited it last."""

_EXPORT = os.path.join(os.path.dirname(__file__), "export.py")
_WATCHED = ("_set_replacement", "_update_var_to_range")
_SOURCE = re.compile(r"L(?P<path>(\[[^\]]+\]|\.\w+)+)\.size\(\)\[(?P<axis>\d+)\]$")


@contextmanager
def watched(places: Places, paths: list[str], numbers: list[str] | None = None) -> Iterator[None]:
    """Notes in `places` where the model fixes or limits the sizes of its inputs, and in `numbers` the lines of the
    model that make a Python number of a symbolic one: `int(h * 0.3)`, `float(h)`, `math.sqrt(h)`. `paths` are those of
    the positional arguments (`argument_paths`).
    """
    with Patches().undone() as patches:
        if numbers is not None:
            for owner, name in _CONVERSIONS:
                original = getattr(owner, name)
                patches.set(owner, name, only_here(original, _reading(original, numbers)))
        for name in _WATCHED:
            if original := getattr(symbolic_shapes.ShapeEnv, name, None):
                patches.set(symbolic_shapes.ShapeEnv, name, only_here(original, _noting(original, places, paths)))
        if original := getattr(symbolic_shapes.ShapeEnv, "evaluate_expr", None):
            patches.set(symbolic_shapes.ShapeEnv, "evaluate_expr", only_here(original, _Bounded(original, paths)))
        yield


def _noting(original: Callable[..., Any], places: Places, paths: list[str]) -> Callable[..., Any]:
    def method(env: symbolic_shapes.ShapeEnv, symbol: Any, *args: Any, **kwargs: Any) -> Any:
        before = _known(env, symbol)
        result = original(env, symbol, *args, **kwargs)
        if _known(env, symbol) != before and (place := _place(sys._getframe(1))):
            for at in _axes(env, symbol, paths):
                places[at] = place
        return result

    return method


_LONG = 400  # parts of an expression
_TOO_LONG = 4000
_SECONDS = 3.0  # of a thread's own time, so that a busy machine changes nothing


class _Bounded:
    """Evaluates expressions of sizes until they are too long, or long and a large share of the time of the export."""

    share = 2.0  # one part in this many

    def __init__(self, original: Callable[..., Any], paths: list[str]) -> None:
        self._original, self._paths = original, paths
        self._parts: dict[Any, int] = {}
        self._begin, self._spent = time.thread_time(), 0.0

    def __call__(self, env: symbolic_shapes.ShapeEnv, expression: Any, *args: Any, **kwargs: Any) -> Any:
        """The original, as long as expressions do not grow too long.

        Raises:
            SizeError: there is no point in going on.
        """
        begin = time.thread_time()
        length = self._length(expression)
        taken = self._spent > max(_SECONDS, (begin - self._begin) / self.share)
        if length > _TOO_LONG or (length > _LONG and taken):
            raise _too_long(env, expression, length, self._paths)
        try:
            return self._original(env, expression, *args, **kwargs)
        finally:
            self._spent += time.thread_time() - begin

    def _length(self, expression: Any) -> int:
        """The number of parts that an expression is written with."""
        found = self._parts.get(expression)
        if found is None:
            found = 1 + sum(map(self._length, getattr(expression, "args", ())))
            self._parts[expression] = found
        return found


def _too_long(env: symbolic_shapes.ShapeEnv, expression: Any, length: int, paths: list[str]) -> SizeError:
    axes = sorted({at for symbol in expression.free_symbols for at in _axes(env, symbol, paths)})
    names = [f"axis {axis} of `{name}`" for name, axis in axes]
    these = "these axes" if len(names) > 1 else "this axis"
    return SizeError(
        f"sizes that the model derives from dynamic axes are too long expressions: one of {length} parts",
        where=_place(sys._getframe(3)) or "",
        facts=[f"dynamic: {', '.join(names)}"] if names else [],
        help=f"make {these} static, with one size in min_shapes and max_shapes (a dynamic batch can stay), and "
        "convert once for each size that is needed",
    )


_CONVERSIONS = [
    (torch.SymInt, "__int__"),
    (torch.SymInt, "__index__"),
    (torch.SymFloat, "__int__" if hasattr(torch.SymFloat, "__int__") else "__trunc__"),  # torch 2.6
    (torch.SymFloat, "__float__"),
]
_INTERACTIVE = ("<stdin>", "<string>", "<ipython-input")  # code without a file
_BY = {"__index__": {"float", "sqrt", "log2"}, "__trunc__": {"int"}}
"""The names that read a symbolic number by a method which other code calls, too: ranges, subscripts, `math.trunc`."""


def _reading(original: Callable[..., Any], numbers: list[str]) -> Callable[..., Any]:
    def method(number: Any) -> Any:
        caller = sys._getframe(2)  # one frame up is that of `only_here`
        code = caller.f_code
        names = _BY.get(original.__name__)
        is_read = names is None or not names.isdisjoint(code.co_names)
        is_own = is_user_code(code.co_filename) or code.co_filename.startswith(_INTERACTIVE)
        if is_read and is_own and number.node.expr.free_symbols:
            numbers.append(f"{code.co_filename}:{caller.f_lineno} in {code.co_name}")
        return original(number)

    return method


def _known(env: symbolic_shapes.ShapeEnv, symbol: Any) -> tuple[Any, Any]:
    return getattr(env, "replacements", {}).get(symbol), getattr(env, "var_to_range", {}).get(symbol)


def _axes(env: symbolic_shapes.ShapeEnv, symbol: Any, paths: list[str]) -> Iterator[tuple[str, int]]:
    """The input axes that a symbol stands for, under the names that `InputTree` gives the inputs."""
    for source in sources(env, symbol):
        found = _SOURCE.match(by_parameter(source, paths))
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
