"""atan2, hypot, logaddexp and the like, with the edges of their domains."""

from __future__ import annotations

import torch

from operators import Case

from ._draw import both, floats, positive


def quadrants():
    """Every sign of both coordinates, and zeros."""
    x = torch.tensor([-2.0, -1.0, 0.0, 1.0, 3.0])
    return tuple(t + torch.randn(()) * (t != 0) * 0.1 for t in torch.meshgrid(x, x, indexing="ij"))


CASES = [
    Case("atan2", torch.atan2, quadrants),
    Case("atan2 random", torch.atan2, floats((30, 3), (3,))),
    Case("hypot", torch.hypot, quadrants),
    Case("hypot far out", lambda x, y: torch.hypot(x * 1e30, y * 1e30), floats((30,), (30,))),
    Case("hypot tiny", lambda x, y: torch.hypot(x * 1e-30, y * 1e-30), floats((30,), (30,))),
    Case("copysign", torch.copysign, lambda: (torch.randn(4), torch.tensor([-0.0, 0.0, -2.0, 3.0]))),
    Case("copysign scalar", lambda x: torch.copysign(x, -1), floats((9,))),
    Case("logaddexp", torch.logaddexp, floats((30,), (30,))),
    Case("logaddexp far apart", lambda x, y: torch.logaddexp(x * 100, y * 100), floats((30,), (30,))),
    Case(
        "logaddexp infinities",
        torch.logaddexp,
        lambda: (torch.tensor([-torch.inf, torch.inf, -torch.inf]), torch.tensor([-torch.inf, 1, 2])),
    ),
    Case("logaddexp2", torch.logaddexp2, floats((30,), (30,))),
    Case("xlogy", torch.xlogy, lambda: (torch.tensor([0.0, 0, 1, 2]), torch.tensor([0.0, torch.nan, 2, 3]))),
    Case("xlogy scalars", lambda x: (torch.xlogy(x, 2.5), torch.xlogy(2, x)), positive((9,))),
    Case("xlog1py", torch.special.xlog1py, both(floats((30,)), positive((30,)))),
    Case("xlog1py near zero", lambda x, y: torch.special.xlog1py(x, y * 1e-6), both(floats((30,)), positive((30,)))),
    Case("heaviside", torch.heaviside, lambda: (torch.tensor([-1.0, 0, 2, 0]), torch.randn(4))),
    Case("ldexp", torch.ldexp, lambda: (torch.randn(9), torch.randint(-5, 6, (9,)))),
]
