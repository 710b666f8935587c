"""Arithmetic on two operands: types, broadcasting, rounding, signs, powers."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import both, floats, integers, positive

PAIR = floats((3, 4), (3, 4))
INTEGERS = integers((5, 7), (5, 7))


def divisors(dtype: torch.dtype = torch.int64):
    """An integer tensor and one without zeros."""

    def draw():
        y = torch.randint(1, 9, (5, 7)) * torch.randint(0, 2, (5, 7)).mul(2).sub(1)
        return torch.randint(-50, 50, (5, 7)).to(dtype), y.to(dtype)

    return draw


CASES = [
    Case("add", torch.add, PAIR),
    Case("add alpha", lambda x, y: torch.add(x, y, alpha=2.5), PAIR),
    Case("add broadcast", torch.add, floats((2, 1, 4), (3, 1))),
    Case("add scalar", lambda x: x + 1.5, floats((3, 4))),
    Case("add of large integers", lambda x: x + (2**60 + 1), integers((5,))),
    Case("add bools", lambda x, y: (x > 0) + (y > 0), PAIR),
    Case("add integer and float", lambda x, y: x + y, both(integers((3, 4)), floats((3, 4)))),
    Case("add integer and float scalar", lambda x: x + 0.5, integers((3, 4))),
    Case("add 0-D", lambda x, y: x + y, floats((), ())),
    Case("add empty", lambda x: x + 1, floats((0, 3))),
    Case(
        "add dynamic",
        torch.add,
        floats((3, 4), (3, 1)),
        dynamic=dims({0: "n", 1: "m"}, {0: "n"}),
        other=floats((6, 2), (6, 1)),
    ),
    Case("add a size", lambda x: x + x.shape[0], floats((3, 4)), dynamic=dims({0: "n"}), other=floats((7, 4))),
    Case("sub", torch.sub, PAIR),
    Case("sub alpha", lambda x, y: torch.sub(x, y, alpha=3), INTEGERS),
    Case("rsub", lambda x: 2 - x, floats((3, 4))),
    Case("rsub alpha", lambda x, y: torch.rsub(x, y, alpha=2), PAIR),
    Case("mul", torch.mul, PAIR),
    Case("mul bools", lambda x, y: (x > 0) * (y > 0), PAIR),
    Case("mul mask", lambda x, y: x * (y > 0), PAIR),
    Case("mul half", lambda x, y: (x.half() * y.half()).float(), PAIR, tolerance=1e-3),
    Case("div", torch.div, both(floats((3, 4)), positive((4,)))),
    Case("div integers", torch.div, divisors()),
    Case("div by scalar", lambda x: x / 3, floats((3, 4))),
    Case("div trunc", lambda x, y: torch.div(x, y, rounding_mode="trunc"), both(floats((30,)), positive((30,)))),
    Case("div floor", lambda x, y: torch.div(x, y, rounding_mode="floor"), both(floats((30,)), positive((30,)))),
    Case("div trunc integers", lambda x, y: torch.div(x, y, rounding_mode="trunc"), divisors()),
    Case("div floor integers", lambda x, y: torch.div(x, y, rounding_mode="floor"), divisors()),
    Case("div trunc scalar", lambda x: torch.div(x, -3, rounding_mode="trunc"), integers((20,))),
    Case("floor_divide", lambda x, y: x // y, divisors(torch.int32)),
    Case("floor_divide scalar", lambda x: x // 0.7, floats((20,))),
    Case(
        "floor_divide a size",
        lambda x: torch.arange(12) // x.shape[0],
        floats((3, 4)),
        dynamic=dims({0: "n"}),
        other=floats((5, 4)),
    ),
    Case("fmod", torch.fmod, both(floats((30,)), positive((30,)))),
    Case("fmod integers", torch.fmod, divisors()),
    Case("fmod scalar", lambda x: torch.fmod(x, -2), floats((30,))),
    Case("remainder", torch.remainder, both(floats((30,)), positive((30,)))),
    Case("remainder integers", torch.remainder, divisors()),
    Case("remainder negative divisor", lambda x: x % -3, integers((30,))),
    Case("remainder of scalar", lambda y: torch.remainder(7, y), positive((30,))),
    *(Case(f"pow {e}", lambda x, e=e: x**e, floats((3, 4))) for e in (0, 1, 2, 3, 5, 8, 13)),
    *(Case(f"pow {e}", lambda x, e=e: x**e, positive((3, 4))) for e in (-1, -2, -3, 0.5, -0.5, 1.7, -0.3)),
    Case("pow integers", lambda x: x**3, integers((3, 4))),
    Case("pow integers high", lambda x: x**13, integers((3, 4), low=-20, high=20)),
    Case("pow integers to a float", lambda x: x**0.5, integers((3, 4), low=1)),
    Case("pow tensors", torch.pow, both(positive((3, 4)), floats((4,)))),
    Case("pow integer tensors", torch.pow, both(integers((3, 4)), integers((3, 4), low=0, high=12))),
    Case(
        "pow negative base", lambda x, e: torch.pow(x, e.float()), both(floats((30,)), integers((30,), low=-3, high=4))
    ),
    Case("pow of scalar", lambda e: 2.5**e, floats((3, 4))),
    Case("pow of integer scalar", lambda e: torch.pow(3, e), integers((3, 4), low=0, high=20)),
    Case("pow negative integer", lambda x: x // 1**2, integers((3,))),
    Case("addcmul", lambda x, y, z: torch.addcmul(x, y, z, value=0.7), floats((3, 4), (4,), (3, 1))),
    Case("addcmul integers", lambda x, y, z: torch.addcmul(x, y, z, value=2), integers((3, 4), (4,), (3, 1))),
    Case("addcdiv", lambda x, y, z: torch.addcdiv(x, y, z, value=-0.7), both(floats((3, 4), (4,)), positive((3, 1)))),
    Case("lerp scalar", lambda x, y: torch.lerp(x, y, 0.3), PAIR),
    Case("lerp tensor", torch.lerp, floats((3, 4), (3, 4), (4,))),
]
