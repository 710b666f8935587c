"""What a model decided by sizes when it was captured, and at which sizes it would decide otherwise.

`if x.shape[1] % 4 == 0` is decided once, for the sample. torch.export notes such decisions as guards. Many mean nothing
(is a size other than 1?), and some change what the model computes, so a guard that fails somewhere in the range asked
for is no error: it is a size to compare at.

This file must not know how engines are made or compared.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from itertools import chain

import torch

from .capture import Captured
from .dynamic import Ranges, Shape

_CASES = 3  # further comparisons of a conversion, at most
_TRIED = 64  # sizes of each symbol, and combinations of all
_LONGEST = 2000  # characters of a guard; longer ones are arithmetic of strides, slow to read and to evaluate
_SIZE = re.compile(r"L((?:\['[^']*'\]|\[\d+\])+)\.size\(\)\[(\d+)\]")


class Guards:
    """The guards of a captured model."""

    def __init__(self, captured: Captured) -> None:
        self._captured = captured
        texts = [text for text in captured.guards if len(text) <= _LONGEST]
        self._guards = [(text, compile(text, "<guard>", "eval")) for text in texts]

    def failing(self, shapes: list[Shape]) -> str | None:
        """A guard that fails at these shapes of the inputs, as the model could have it; None where all hold."""
        failing = self._failing(shapes)
        return self._described(failing) if failing else None

    def elsewhere(self, profiles: list[Ranges]) -> Iterator[tuple[list[Shape], str]]:
        """Shapes within the profiles at which guards fail, and one that does: a few, for as many guards as can be."""
        dims = [given.dims for given in self._captured.program.inputs]
        symbols = {symbol.name for symbol in self._captured.program.symbols}
        if not self._guards or any(isinstance(dim, str) and dim not in symbols for shape in dims for dim in shape):
            return  # nothing to try, or a size that follows from another
        seen: set[int] = set()
        cases = 0
        for sizes in chain.from_iterable(_tried(dims, profile) for profile in profiles):
            shapes = [tuple(dim if isinstance(dim, int) else sizes[dim] for dim in shape) for shape in dims]
            if failing := self._failing(shapes) - seen:
                seen |= failing
                yield shapes, self._described(failing)
                cases += 1
                if cases == _CASES:
                    return

    def _failing(self, shapes: list[Shape]) -> set[int]:
        if not self._guards:
            return set()
        args, kwargs = self._captured.inputs.rebuild([torch.empty(shape, device="meta") for shape in shapes])
        names = {"torch": torch, "math": math, "L": self._captured.inputs.named(args, kwargs)}
        found = set()
        for index, (_, code) in enumerate(self._guards):
            try:
                if not eval(code, names):  # torch.export wrote it, of the inputs' sizes
                    found.add(index)
            except Exception:  # a guard of something else, or one that has no value there
                continue
        return found

    def _described(self, failing: set[int]) -> str:
        """`(x.shape[1] % 4) == 0` for `(L['x'].size()[1] % 4) == 0`; the shortest is used."""

        def size(match: re.Match[str]) -> str:
            name = ".".join(re.findall(r"[\w ]+", match[1]))
            return f"{name}.shape[{match[2]}]"

        text = _SIZE.sub(size, min((self._guards[index][0] for index in failing), key=len))
        return text if len(text) <= 120 else text[:119] + "…"


def _tried(dims: list[list[int | str]], profile: Ranges) -> Iterator[dict[int | str, int]]:
    """Sizes for each symbol: one after another through its range, then all at random."""
    ranges: dict[int | str, tuple[int, int, int]] = {}
    for index, shape in enumerate(dims):
        for dim, (low, best, high) in zip(shape, profile.axes(index)):
            # Below 2 torch.export decides without looking, and the ends of the range are compared anyway.
            if isinstance(dim, str):
                least = min(2, high)
                ranges.setdefault(dim, (max(low, least), max(best, least), high))
    draw = random.Random(0)  # the same shapes for the same model
    middles = {dim: middle for dim, (_, middle, _) in ranges.items()}
    for dim, (low, _, high) in ranges.items():
        sizes = range(low, high + 1)  # one size for an axis that is never larger than 2
        for size in sizes if len(sizes) <= _TRIED else sorted(draw.sample(sizes, _TRIED)):
            yield {**middles, dim: size}
    if len(ranges) > 1:
        for _ in range(_TRIED):
            yield {dim: draw.randint(low, high) for dim, (low, _, high) in ranges.items()}


__all__ = ["Guards"]
