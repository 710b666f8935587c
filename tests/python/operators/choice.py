"""Maximum, clamp, where, masked_fill."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import bools, both, floats, integers

PAIR = floats((3, 4), (4,))

CASES = [
    Case("maximum", torch.maximum, PAIR),
    Case("minimum", torch.minimum, PAIR),
    Case("maximum integers", torch.maximum, integers((3, 4), (3, 1))),
    Case("maximum bools", torch.maximum, bools((3, 4), (3, 1))),
    Case("minimum bools", torch.minimum, bools((3, 4), (3, 1))),
    Case("max of two", torch.max, PAIR),
    Case("min of two", torch.min, PAIR),
    Case(
        "fmax",
        torch.fmax,
        lambda: (torch.tensor([1, torch.nan, 3, torch.nan]), torch.tensor([2, 2, torch.nan, torch.nan])),
    ),
    Case(
        "fmin",
        torch.fmin,
        lambda: (torch.tensor([1, torch.nan, 3, torch.nan]), torch.tensor([2, 2, torch.nan, torch.nan])),
    ),
    Case("clamp", lambda x: x.clamp(-0.5, 1.25), floats((3, 4))),
    Case("clamp below", lambda x: x.clamp(min=0.3), floats((3, 4))),
    Case("clamp above", lambda x: x.clamp(max=0.3), floats((3, 4))),
    Case("clamp contradicting", lambda x: x.clamp(2, 1), floats((3, 4))),
    Case("clamp integers", lambda x: x.clamp(-3, 4), integers((30,))),
    Case("clamp large integers", lambda x: x.clamp(max=2**53 + 1), lambda: (torch.tensor([2**53, 2**53 + 2, 5]),)),
    Case("clamp integers to floats", lambda x: x.clamp(-0.5, 2.5), integers((30,))),
    Case("clamp tensors", lambda x, low, high: x.clamp(low, high), floats((3, 4), (4,), (3, 1))),
    Case("clamp tensor below", lambda x, low: torch.clamp(x, min=low), PAIR),
    Case("clamp_min", lambda x: torch.clamp_min(x, 0), floats((3, 4))),
    Case("clamp_max", lambda x, y: torch.clamp_max(x, y), PAIR),
    Case("clip", lambda x: torch.clip(x, 0, 1), floats((3, 4))),
    Case(
        "clamp to a size",
        lambda x: torch.arange(9).clamp(max=x.shape[0]),
        floats((3, 4)),
        dynamic=dims({0: "n"}),
        other=floats((7, 4)),
    ),
    Case("where", torch.where, both(bools((3, 4)), floats((4,), (3, 1)))),
    Case("where broadcast condition", torch.where, both(bools((4,)), floats((3, 4), (3, 4)))),
    Case("where numbers", lambda c: torch.where(c, 1.0, -1.0), bools((3, 4))),
    Case("where one number", lambda c, x: torch.where(c, x, 0), both(bools((3, 4)), floats((3, 4)))),
    Case("where other number", lambda c, x: torch.where(c, 0, x), both(bools((3, 4)), integers((3, 4)))),
    Case("where promoted", torch.where, both(bools((3, 4)), integers((3, 4)), floats((3, 4)))),
    Case("where bools", torch.where, bools((3, 4), (3, 4), (4,))),
    Case(
        "where dynamic",
        lambda x, y: torch.where(x > 0, x, y),
        floats((3, 4), (4,)),
        dynamic=dims({0: "n"}, {}),
        other=floats((9, 4), (4,)),
    ),
    Case("masked_fill", lambda x, m: x.masked_fill(m, -torch.inf), both(floats((2, 3, 4)), bools((3, 4)))),
    Case(
        "masked_fill integers",
        lambda x, m: x.masked_fill(m, torch.iinfo(torch.int64).min),
        both(integers((3, 4)), bools((3, 4))),
    ),
    Case("masked_fill tensor", lambda x, m, v: x.masked_fill(m, v), both(floats((3, 4)), bools((3, 4)), floats(()))),
]
