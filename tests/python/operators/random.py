"""Random numbers: their distribution, since no two engines draw the same ones."""

from __future__ import annotations

import torch

from operators import Case

from ._draw import floats

X = floats((40000,))


def moments(x: torch.Tensor) -> torch.Tensor:
    """Mean and deviation, far from zero so that a relative error is an absolute one."""
    return torch.stack([x.mean() + 10, x.std() + 10])


CASES = [
    Case("rand", lambda x: moments(torch.rand(40000) + x * 0), X, tolerance=2e-3),
    Case("rand_like", lambda x: moments(torch.rand_like(x)), X, tolerance=2e-3),
    Case("randn", lambda x: moments(torch.randn(40000) + x * 0), X, tolerance=4e-3),
    Case("randn_like", lambda x: moments(torch.randn_like(x)), X, tolerance=4e-3),
    Case("randint", lambda x: moments(torch.randint(-2, 5, (40000,)) + x * 0), X, tolerance=8e-3),
    Case(
        "randint stays inside",
        lambda x: torch.stack([(t := torch.randint(3, 6, (40000,)) + x * 0).min(), t.max()]),
        X,
        tolerance=0.0,
    ),
    Case("randperm", lambda x: torch.randperm(50).sort()[0] + x[0].long() * 0, X),
    Case("bernoulli", lambda x: moments(torch.bernoulli(torch.full((40000,), 0.3)) + x * 0), X, tolerance=4e-3),
]
