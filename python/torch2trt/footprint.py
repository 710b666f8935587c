"""How large the tensors of a captured program are at given input shapes, before any of them is allocated.

A range such as `max_batch_size=10**9` must not allocate samples of that size: `Footprint` evaluates the symbolic sizes
of the program, `check_ranges` rejects ranges that no engine can hold, and `cut` limits a profile to shapes at which a
comparison fits in memory.

This file must not know how models are captured or compared.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import CodeType
from typing import Any

import torch

from .capture.program import Node, Output, Program
from .dynamic import Ranges, Shape
from .errors import Error, error

_SHARE = 4  # a comparison may take one part in this many of the memory that is available
_QUICK = 2**28  # bytes of a comparison at a shape that stands in for a larger one
_COMPARED = 56  # bytes that `verify.difference` needs for each element: copies in float64, and masks
_LONGEST = 2000  # characters of a size; longer ones are not evaluated
_MOST_ELEMENTS = {"tensorrt": 2**31 - 1, "cpu": 2**60}
_FUNCTIONS: dict[str, Any] = {
    "__builtins__": {},
    "floordiv": lambda a, b: a // b,
    "ceildiv": lambda a, b: -(-a // b),
    "mod": lambda a, b: a % b,
    "min": min,
    "max": max,
}
_BROADCASTS = ("aten.expand.default",)  # views: an engine computes none of these elements

Fits = Callable[[list[Shape]], bool]


@dataclass(frozen=True)
class _Sized:
    """A tensor whose sizes are expressions."""

    id: int
    dtype: str
    sizes: tuple[CodeType | int, ...]

    @classmethod
    def of(cls, id: int, output: Any) -> _Sized | None:
        """None where a size has no expression."""
        dims = output.dims
        if dims is None or any(isinstance(dim, str) and len(dim) > _LONGEST for dim in dims):
            return None
        return cls(
            id, output.dtype, tuple(dim if isinstance(dim, int) else compile(dim, "<size>", "eval") for dim in dims)
        )

    def shape(self, symbols: Mapping[str, Any]) -> Shape | None:
        """None where a size follows from values."""
        try:
            return tuple(size if isinstance(size, int) else eval(size, {**symbols}) for size in self.sizes)
        except (NameError, ZeroDivisionError):
            return None


class Footprint:
    """The tensors of a program at any shapes of its inputs."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def bytes(self, shapes: list[Shape]) -> int:
        """Bytes that a run of the model, a run of the engine, and the comparison of their outputs need, about."""
        sizes = {sized.id: (math.prod(shape), _itemsize(sized.dtype)) for sized, shape, _ in self.tensors(shapes)}
        taken = {id: elements * item for id, (elements, item) in sizes.items()}
        inputs = sum(taken.get(given.id, 0) for given in self._program.inputs)
        largest = max((sum(taken.get(id, 0) for id in ids) for ids in self._together), default=0)
        outputs = [sizes.get(id, (0, 0)) for arg in self._program.outputs for id in _ids(arg)]
        return 2 * inputs + 2 * largest + sum(elements * (_COMPARED + 2 * item) for elements, item in outputs)

    def tensors(self, shapes: list[Shape]) -> Iterator[tuple[_Sized, Shape, Node | None]]:
        """Every tensor whose size is known, with its shape and the operator that computes it: None for an input."""
        symbols: dict[str, Any] = dict(_FUNCTIONS)
        for given, shape in zip(self._program.inputs, shapes):
            symbols.update({dim: size for dim, size in zip(given.dims, shape) if isinstance(dim, str)})
            yield _Sized(given.id, given.dtype, ()), shape, None
        known: dict[tuple[CodeType | int, ...], Shape | None] = {}
        for sized, node in self._sized:
            if sized.sizes not in known:
                known[sized.sizes] = sized.shape(symbols)
            computed = known[sized.sizes]
            if computed is not None:
                yield sized, computed, node

    @cached_property
    def _sized(self) -> list[tuple[_Sized, Node]]:
        pairs = ((id, output, node) for node in self._program.nodes for id, output in zip(node.ids, node.outputs))
        found = (
            (_Sized.of(id, output), node) for id, output, node in pairs if isinstance(output, Output) and id is not None
        )
        return [(sized, node) for sized, node in found if sized is not None]

    @cached_property
    def _together(self) -> list[set[int]]:
        """What each operator reads and writes."""
        return [
            {id for _, arg in node.args for id in _ids(arg)} | {id for id in node.ids if id is not None}
            for node in self._program.nodes
        ]


class Room:
    """The memory that comparisons may take, and the shapes at which they fit in it."""

    def __init__(self, program: Program, device: torch.device) -> None:
        self._footprint, self.most = Footprint(program), available(device) // _SHARE

    def fits(self, shapes: list[Shape]) -> bool:
        """Whether a comparison at these shapes fits."""
        return self._footprint.bytes(shapes) <= self.most

    def cut(self, profile: Ranges) -> Ranges:
        """The profile up to its largest shapes; where these do not fit, up to shapes at which a comparison is quick."""
        if self.fits(profile.maximum):
            return profile
        most = min(self.most, max(_QUICK, self._footprint.bytes(profile.minimum)))
        return cut(profile, lambda shapes: self._footprint.bytes(shapes) <= most)

    def reason(self, shapes: list[Shape]) -> str:
        """Why there is no comparison at these shapes."""
        listed = ", ".join(str(list(shape)) for shape in shapes)
        needed = self._footprint.bytes(shapes) / 1e9
        return (
            f"a comparison at {listed} needs about {needed:.3g} GB of memory, and {self.most / 1e9:.3g} GB may be used"
        )


def cut(profile: Ranges, fits: Fits) -> Ranges:
    """The profile with no axis longer than the longest at which the largest shapes fit; its smallest shapes stay."""
    longest = _longest(profile, fits, aligned=True)
    largest = _at_most(profile, longest, aligned=True)
    best = [tuple(map(min, *shapes)) for shapes in zip(profile.best, largest)]
    return Ranges(profile.minimum, best, largest)


def cut_inputs(profile: Ranges, samples: list[torch.Tensor]) -> Ranges:
    """The profile, cut to shapes at which the inputs alone are small, before anything else is known of the model."""
    share = available(samples[0].device if samples else torch.device("cpu")) // 64

    def fits(most: int) -> Fits:
        return lambda shapes: sum(math.prod(s) * sample.element_size() for s, sample in zip(shapes, samples)) <= most

    return profile if fits(share)(profile.maximum) else cut(profile, fits(min(share, _QUICK // 8)))


def check_ranges(program: Program, profiles: list[Ranges], backend: str) -> None:
    """Rejects profiles at whose largest shapes a tensor has more elements than the engine's tensors can have.

    Raises:
        torch2trt.Error: E0307 with the axes and the largest maximum that works.
    """
    footprint, most = Footprint(program), _MOST_ELEMENTS.get(backend, 2**60)

    def beyond(shapes: list[Shape]) -> Iterator[tuple[_Sized, Shape, Node | None]]:
        return (
            (sized, shape, node)
            for sized, shape, node in footprint.tensors(shapes)
            if math.prod(shape) > most and (node is None or node.target not in _BROADCASTS)
        )

    for profile in profiles:
        found = next(beyond(profile.maximum), None)
        if found is not None:
            longest = _longest(profile, lambda shapes: next(beyond(shapes), None) is None, aligned=False)
            raise _beyond(program, profile, longest, found, most)


def _beyond(
    program: Program, profile: Ranges, longest: int, found: tuple[_Sized, Shape, Node | None], most: int
) -> Error:
    _, shape, node = found
    names = [given.name for given in program.inputs]
    asked = [
        (f"axis {axis} of `{name}`", low, high)
        for index, name in enumerate(names)
        for axis, (low, _, high) in enumerate(profile.axes(index))
        if high > max(low, longest)
    ]
    place = f"\n  at {node.origin.file}:{node.origin.line}" if node is not None and node.origin.file else ""
    what = f"the result of {node.target}" if node is not None else "an input"
    ranges = ", ".join(f"{axis} {low}..{high}" for axis, low, high in asked) or "the smallest shapes"
    if longest < 1 or not asked:
        help = "give smaller shapes: the smallest of these are too large"
    else:
        help = f"the largest maximum that works is {longest} for {' and '.join(axis for axis, _, _ in asked)}"
    return error(
        "E0307",
        f"the range is larger than an engine can hold: with {ranges}, {what} has the shape {list(shape)}, "
        f"{math.prod(shape)} elements; {most} is the limit of a tensor{place}",
        help,
    )


def _longest(profile: Ranges, fits: Fits, aligned: bool) -> int:
    """The longest axis at which the largest shapes fit; 0 where the smallest shapes do not."""
    low, high = 0, max((size for shape in profile.maximum for size in shape), default=0) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(_at_most(profile, middle, aligned)) else (low, middle)
    return low


def _at_most(profile: Ranges, longest: int, aligned: bool) -> list[Shape]:
    """The largest shapes with no axis longer than this, as far as the smallest shapes allow. Aligned sizes are
    multiples of what divides the best and the largest size, since models may require multiples.
    """

    def size(low: int, best: int, high: int) -> int:
        taken = min(high, max(low, longest))
        step = math.gcd(best, high) if aligned and taken < high else 1
        return max(low, taken // step * step) if step else taken

    return [tuple(size(*axis) for axis in profile.axes(index)) for index in range(len(profile.maximum))]


def available(device: torch.device) -> int:
    """Bytes of memory that are free on this device, and on the host, whose limits of a container count."""
    free = [_host()]
    if device.type == "cuda":
        free.append(torch.cuda.mem_get_info(device)[0])
    return min(free)


def _host() -> int:
    found = []
    try:
        rows = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines() if ":" in line)
        found.append(int(rows["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError, IndexError):
        names = getattr(os, "sysconf_names", {})
        if "SC_PHYS_PAGES" in names and "SC_PAGE_SIZE" in names:
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    try:
        folder = Path("/sys/fs/cgroup")
        cached = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        used = int((folder / "memory.current").read_text()) - int(cached.get("inactive_file", 0))
        found.append(max(int((folder / "memory.max").read_text()) - used, 0))
    except (OSError, ValueError):
        pass  # no limit
    return min(found, default=2**32)


def _itemsize(dtype: str) -> int:
    found = getattr(torch, dtype, None)
    return found.itemsize if isinstance(found, torch.dtype) else 4


def _ids(arg: Any) -> list[int]:
    if type(arg) is not tuple:
        return []
    if arg[0] == "value":
        return [arg[1]]
    return [item for item in arg[1] if item is not None] if arg[0] == "values" else []


__all__ = ["Footprint", "Room", "available", "check_ranges", "cut_inputs"]
