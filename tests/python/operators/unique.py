"""Different elements."""

from __future__ import annotations

import torch

from operators import Case

from ._draw import DATA_DEPENDENT, bools, integers

X = integers((4, 6), low=0, high=6)

CASES = [
    Case("unique", torch.unique, X, unbuilt=DATA_DEPENDENT),
    Case("unique of floats", lambda x: torch.unique(x / 3.0), X, unbuilt=DATA_DEPENDENT),
    Case("unique of bools", torch.unique, bools((9,)), unbuilt=DATA_DEPENDENT),
    Case("unique with inverse", lambda x: torch.unique(x, return_inverse=True), X, unbuilt=DATA_DEPENDENT),
    Case("unique with counts", lambda x: torch.unique(x, return_counts=True), X, unbuilt=DATA_DEPENDENT),
    Case(
        "unique with both",
        lambda x: torch.unique(x, return_inverse=True, return_counts=True),
        X,
        unbuilt=DATA_DEPENDENT,
    ),
    Case("unique goes on", lambda x: torch.unique(x).float().softmax(0), X, tolerance=1e-6, unbuilt=DATA_DEPENDENT),
    Case(
        "unique_consecutive",
        lambda x: torch.unique_consecutive(x, return_inverse=True, return_counts=True),
        X,
        unbuilt=DATA_DEPENDENT,
    ),
]
