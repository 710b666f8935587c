"""And, or and exclusive or of integers."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import both, integers

RANGES = {
    torch.uint8: (0, 256),
    torch.int8: (-128, 128),
    torch.int16: (-(2**15), 2**15),
    torch.int32: (-(2**31), 2**31),
    torch.int64: (-(2**63), 2**63 - 1),
}


def words(dtype, *shapes):
    low, high = RANGES[dtype]
    return integers(*shapes, low=low, high=high, dtype=dtype)


CASES = [
    *(
        Case(f"{f.__name__} {str(dtype)[6:]}", f, words(dtype, (6, 5), (6, 5)))
        for f in (torch.bitwise_and, torch.bitwise_or, torch.bitwise_xor)
        for dtype in RANGES
    ),
    Case("scalars", lambda x: (x ^ 1234567, x | -3, x & 0x0F0F0F0F), words(torch.int64, (30,))),
    Case(
        "masks of low bits",
        lambda x: (x & 0x7FFFFFFF, x & 0x3FFFFFFF, x & 0xFFFF, x & 1, x & -1),
        words(torch.int32, (30,)),
    ),
    Case("number first", lambda x: torch.bitwise_xor(77, x), words(torch.int32, (30,))),
    Case("all forms", lambda x, y: ((x.__and__(y)).__or__(9)).__xor__(y), words(torch.int32, (30,), (30,))),
    Case("forms of scalars", lambda x: x.__xor__(5).__or__(3).__and__(11), words(torch.int64, (30,))),
    Case("broadcast", torch.bitwise_xor, words(torch.int64, (4, 1), (5,))),
    Case("of two types", torch.bitwise_or, both(words(torch.int8, (4, 5)), words(torch.int32, (4, 5)))),
    Case("hash", lambda x: ((x ^ (x >> 16)) * 73244475 ^ x) & 1023, integers((40,), low=0, high=2**31)),
    Case(
        "dynamic",
        torch.bitwise_xor,
        words(torch.int64, (4, 5), (4, 5)),
        dynamic=dims({0: "n", 1: "m"}, {0: "n", 1: "m"}),
        other=words(torch.int64, (7, 3), (7, 3)),
    ),
]
