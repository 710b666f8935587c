"""Shifts, greatest common divisors and least common multiples."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import Draw, both, integers

WORDS = integers((30,), low=-(2**62), high=2**62)
PLACES = integers((30,), low=-3, high=70)
INT32 = both(
    integers((30,), low=-(2**31), high=2**31, dtype=torch.int32), integers((30,), low=-2, high=36, dtype=torch.int32)
)


def every_place() -> tuple[torch.Tensor, torch.Tensor]:
    """The numbers with the most bits, by every number of places and some more."""
    ends = torch.tensor([-(2**63), -(2**63) + 1, -1, 0, 1, 2**62, 2**63 - 1])[:, None]
    return ends, torch.arange(-2, 68)


def fibonacci(last: int, dtype: torch.dtype) -> Draw:
    """Neighbours in the sequence, in both orders and signs: the longest way to a common divisor."""
    row = [1, 1]
    while len(row) < last:
        row.append(row[-1] + row[-2])
    pair = torch.tensor([row[-1], -row[-2], row[-2], -row[-1]], dtype=dtype)
    return lambda: (pair, pair.roll(-1))


SMALL = both(integers((40,), low=-60, high=60), integers((40,), low=-60, high=60))

CASES = [
    Case("left", torch.bitwise_left_shift, both(WORDS, PLACES)),
    Case("right", torch.bitwise_right_shift, both(WORDS, PLACES)),
    Case("left by every place", lambda x, n: x << n, every_place),
    Case("right by every place", lambda x, n: x >> n, every_place),
    Case("of int32", lambda x, n: (x << n, x >> n), INT32),
    Case(
        "promoted",
        lambda x, n: (x << n, n >> x),
        both(integers((30,), low=0, high=9, dtype=torch.int32), integers((30,), low=0, high=9)),
    ),
    Case(
        "by numbers",
        lambda x: (x << 3, x >> 3, torch.bitwise_left_shift(x, 63), torch.bitwise_right_shift(x, 63), x >> 64),
        WORDS,
    ),
    Case("of int32 by numbers", lambda x, n: (x << 31, x >> 31, x << 40, x >> 40), INT32),
    Case("of numbers", lambda n: (torch.bitwise_left_shift(-5, n), torch.bitwise_right_shift(-1000, n)), PLACES),
    Case("flags", lambda n: (torch.bitwise_left_shift(1, n), (13 >> n) & 1), integers((9,), low=0, high=6)),
    Case(
        "dynamic",
        lambda x, n: x << n,
        both(WORDS, PLACES),
        dynamic=dims({0: "n"}, {0: "n"}),
        other=both(integers((7,)), integers((7,), low=0, high=9)),
    ),
    Case("gcd", torch.gcd, SMALL),
    Case("gcd broadcast", torch.gcd, both(integers((5, 1)), integers((4,)))),
    Case("gcd the long way", torch.gcd, fibonacci(92, torch.int64)),
    Case("gcd of int32 the long way", torch.gcd, fibonacci(46, torch.int32)),
    Case("lcm", torch.lcm, SMALL),
    Case("lcm dynamic", torch.lcm, SMALL, dynamic=dims({0: "n"}, {0: "n"}), other=both(integers((7,)), integers((7,)))),
]
