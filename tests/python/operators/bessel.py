"""Modified Bessel functions, near and far."""

from __future__ import annotations

import torch
from torch import special

from operators import Case, dims

from ._draw import floats, integers

NEAR = lambda: (torch.cat([torch.linspace(-8.5, 8.5, 60), torch.randn(40), torch.tensor([0.0, 1e-6])]),)  # noqa: E731
FAR = lambda: (torch.cat([torch.rand(60) * 80 + 6, -torch.rand(60) * 80 - 6]),)  # noqa: E731
SCALED = {"i0e": special.i0e, "i1e": special.i1e}


CASES = [
    *(Case(name, fn, NEAR, tolerance=1e-6) for name, fn in {"i0": torch.i0, "i1": special.i1, **SCALED}.items()),
    *(Case(f"{name} far", fn, FAR, exact=True) for name, fn in SCALED.items()),
    Case("i0 far", lambda x: special.i0(x) * torch.exp(-x.abs()), FAR, tolerance=2e-5),
    Case("i1 far", lambda x: special.i1(x) * torch.exp(-x.abs()), FAR, tolerance=2e-5),
    Case("i0 of integers", torch.i0, integers((9,))),
    Case("i0 of infinities", special.i0e, lambda: (torch.tensor([torch.inf, -torch.inf, torch.nan, 1]),)),
    Case(
        "kaiser window",
        lambda x: torch.i0(5 * (1 - x.clamp(-1, 1) ** 2).sqrt()) / torch.i0(torch.tensor(5.0)),
        floats((40,)),
    ),
    Case("dynamic", torch.i0, floats((3, 4)), dynamic=dims({0: "n"}), other=floats((7, 4))),
]
