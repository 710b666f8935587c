"""The gamma function and the inverse error function, over their domains."""

from __future__ import annotations

import torch

from operators import Case

from ._draw import integers, positive


def between(low: float, high: float):
    """Evenly drawn numbers."""
    return lambda: (torch.rand(400) * (high - low) + low,)


CASES = [
    *(
        Case(f"{name} {low} to {high}", fn, between(low, high))
        for name, fn in (("lgamma", torch.lgamma), ("digamma", torch.digamma))
        for low, high in ((0.01, 1), (1, 12), (12, 1e4), (-6, -0.01))
    ),
    Case("lgamma at its zeros", torch.lgamma, between(0.9, 2.1)),
    Case("lgamma of integers", torch.lgamma, integers((20,), low=1, high=30)),
    Case("lgamma at infinity", torch.lgamma, lambda: (torch.tensor([torch.inf, 1e30, 0.0, -2.0]),)),
    Case("digamma at the poles", torch.digamma, lambda: (torch.tensor([0.0, -1.0, -7.0, 0.5]),)),
    Case("erfinv", torch.erfinv, between(-0.999, 0.999)),
    Case("erfinv near the ends", torch.erfinv, lambda: (1 - 10 ** (torch.rand(50) * -7),)),
    Case("erfinv at the ends", torch.erfinv, lambda: (torch.tensor([-1.0, 0.0, 1.0]),)),
    Case(
        "erfinv near zero relative",
        lambda x: torch.erfinv(x) / x,
        lambda: (positive((50,))()[0] * 1e-4,),
        tolerance=1e-5,
    ),
]
