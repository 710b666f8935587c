"""Comparison, logic, bits."""

from __future__ import annotations

import operator

import torch

from operators import Case, dims

from ._draw import bools, both, floats, integers

COMPARISONS = {name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}
SMALL = integers((4, 5), (4, 5), low=-2, high=3)


def with_nan():
    """Equal, different and undefined elements."""
    x = torch.randint(-2, 3, (40,)).float()
    y = torch.randint(-2, 3, (40,)).float()
    x[::5], y[::7] = torch.nan, torch.inf
    return x, y


CASES = [
    *(Case(name, fn, with_nan) for name, fn in COMPARISONS.items()),
    *(Case(f"{name} integers", fn, SMALL) for name, fn in COMPARISONS.items()),
    *(Case(f"{name} bools", fn, bools((4, 5), (5,))) for name, fn in COMPARISONS.items()),
    *(
        Case(f"{name} number", lambda x, fn=fn: fn(x, 1), SMALL_ONE)
        for SMALL_ONE in (integers((20,), low=-2, high=3),)
        for name, fn in COMPARISONS.items()
    ),
    Case("lt integer and fraction", lambda x: x < 0.5, integers((20,), low=-2, high=3)),
    Case("gt large integers", lambda x: x > 2**60, lambda: (torch.tensor([2**60 - 1, 2**60, 2**60 + 1]),)),
    Case(
        "uint8 and numbers out of its range",
        lambda x: (x == -1, x < 300, x // -7, x % 300),
        lambda: (torch.arange(256).to(torch.uint8),),
    ),
    Case("eq mixed types", lambda x, y: x == y, both(integers((20,), low=0, high=2), bools((20,)))),
    Case(
        "lt dynamic", lambda x, y: x < y, floats((3, 4), (4,)), dynamic=dims({0: "n"}, {}), other=floats((6, 4), (4,))
    ),
    Case("logical_and", torch.logical_and, bools((4, 5), (5,))),
    Case("logical_or", torch.logical_or, bools((4, 5), (5,))),
    Case("logical_xor", torch.logical_xor, bools((4, 5), (5,))),
    Case("logical_not", torch.logical_not, bools((4, 5))),
    Case("logical_and numbers", torch.logical_and, both(integers((4, 5), low=-1, high=2), floats((4, 5)))),
    Case("logical_not numbers", torch.logical_not, integers((20,), low=-1, high=2)),
    Case("and", lambda x, y: x & y, bools((4, 5), (4, 5))),
    Case("or", lambda x, y: x | y, bools((4, 5), (4, 5))),
    Case("xor", lambda x, y: x ^ y, bools((4, 5), (4, 5))),
    Case("not", lambda x: ~x, bools((4, 5))),
    Case("bitwise_and scalar", lambda x: torch.bitwise_and(x, True), bools((4, 5))),
    Case("not of integers", lambda x: ~x, integers((4, 5))),
    Case("low bits", lambda x: x & 15, integers((40,), low=-100, high=100)),
    Case("shift left", lambda x: x << 3, integers((40,), low=-100, high=100)),
    Case("shift right", lambda x: x >> 2, integers((40,), low=-100, high=100)),
    Case("isclose", lambda x, y: torch.isclose(x, y, rtol=0.1, atol=0.5), with_nan),
    Case("isclose equal nan", lambda x: torch.isclose(x, x + 1e-7, equal_nan=True), lambda: with_nan()[:1]),
    Case("or of integers", lambda x, y: x | y, SMALL),
]
