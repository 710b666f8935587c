"""The fewest parts of a program of which some calls run in an engine and others in PyTorch.

Parts run one after the other, and no part needs a value of a later one. So they alternate, and a path of calls that
changes sides n times needs n + 1 parts at least. Each call goes to the earliest part that its operands allow, which
reaches that bound for one of the two sides to begin with.

This file must not know graphs: calls are numbers in topological order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence


def phases(before: Sequence[Collection[int]], in_engine: Sequence[bool]) -> list[int]:
    """The part of each call, numbered in the order in which they run.

    Args:
        before: the calls whose results each call reads; all of them come earlier.
        in_engine: which calls run in an engine.
    """
    ways = (_numbered(before, in_engine, first) for first in (True, False))
    return min(ways, key=lambda parts: len(set(parts)))


def _numbered(before: Sequence[Collection[int]], in_engine: Sequence[bool], first: bool) -> list[int]:
    """The parts where those with an even number have the side `first`; numbers without calls are closed up."""
    parts: list[int] = []
    for index, side in enumerate(in_engine):
        earliest = int(side is not first)
        parts.append(max([earliest, *(parts[other] + (in_engine[other] is not side) for other in before[index])]))
    order = {number: place for place, number in enumerate(sorted(set(parts)))}
    return [order[number] for number in parts]


def without_small_engines(
    before: Sequence[Collection[int]], in_engine: Sequence[bool], weight: Callable[[int], int], least: int
) -> tuple[list[int], list[bool], set[int]]:
    """The parts where engines whose calls weigh less than `least` run in PyTorch, but for the last engine.

    Returns:
        The part of each call, which calls run in an engine, and those that would have run in a small one.
    """
    sides = list(in_engine)
    moved: set[int] = set()
    while True:
        parts = phases(before, sides)
        engines: dict[int, list[int]] = {}
        for index, part in enumerate(parts):
            if sides[index]:
                engines.setdefault(part, []).append(index)
        weights = {part: sum(map(weight, calls)) for part, calls in engines.items()}
        smallest = min(weights, key=lambda part: weights[part], default=None)
        if smallest is None or len(engines) == 1 or weights[smallest] >= least:
            return parts, sides, moved
        for index in engines[smallest]:
            sides[index] = False
            moved.add(index)


__all__ = ["phases", "without_small_engines"]
