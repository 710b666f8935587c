"""Writes that meet: sums, products, extremes over repeated positions."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import both, floats, integers, positive

DATA = both(floats((4, 6)), integers((4, 9), low=0, high=6), floats((4, 9)))
REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")

CASES = [
    Case("scatter_add", lambda x, i, y: x.scatter_add(1, i, y), DATA),
    Case(
        "scatter_add axis 0",
        lambda x, i, y: x.scatter_add(0, i, y),
        both(floats((4, 6)), integers((9, 5), low=0, high=4), floats((9, 6))),
    ),
    Case(
        "scatter_add integers",
        lambda x, i, y: x.scatter_add(1, i, y),
        both(integers((4, 6)), integers((4, 9), low=0, high=6), integers((4, 9))),
    ),
    Case(
        "scatter_add dynamic",
        lambda x, i, y: x.scatter_add(1, i, y),
        DATA,
        dynamic=dims({0: "n"}, {0: "n", 1: "k"}, {0: "n", 1: "k"}),
        other=both(floats((2, 6)), integers((2, 5), low=0, high=6), floats((2, 5))),
    ),
    *(Case(f"scatter_reduce {r}", lambda x, i, y, r=r: x.scatter_reduce(1, i, y, r), DATA) for r in REDUCTIONS),
    *(
        Case(
            f"scatter_reduce {r} without self",
            lambda x, i, y, r=r: x.scatter_reduce(1, i, y, r, include_self=False),
            DATA,
        )
        for r in REDUCTIONS
    ),
    Case("scatter add", lambda x, i, y: x.scatter(1, i, y, reduce="add"), DATA),
    Case(
        "scatter multiply value",
        lambda x, i: x.scatter(1, i, 1.5, reduce="multiply"),
        both(floats((4, 6)), integers((4, 9), low=0, high=6)),
    ),
    Case(
        "index_add",
        lambda x, i, y: x.index_add(1, i, y, alpha=0.5),
        both(floats((4, 6, 3)), integers((9,), low=0, high=6), floats((4, 9, 3))),
    ),
    Case(
        "index_add integers",
        lambda x, i, y: x.index_add(0, i, y),
        both(integers((4, 6)), integers((9,), low=0, high=4), integers((9, 6))),
    ),
    Case(
        "index_add dynamic",
        lambda x, i, y: x.index_add(0, i, y),
        both(floats((4, 6)), integers((9,), low=0, high=4), floats((9, 6))),
        dynamic=dims({1: "m"}, {0: "k"}, {0: "k", 1: "m"}),
        other=both(floats((4, 3)), integers((5,), low=0, high=4), floats((5, 3))),
    ),
    *(
        Case(
            f"index_reduce {r}",
            lambda x, i, y, r=r: x.index_reduce(1, i, y, r),
            both(positive((4, 6, 3)), integers((9,), low=0, high=6), positive((4, 9, 3))),
        )
        for r in REDUCTIONS[1:]
    ),
    Case(
        "index_put accumulate",
        lambda x, i, y: x.index_put((i,), y, accumulate=True),
        both(floats((4, 6)), integers((9,), low=-4, high=4), floats((9, 6))),
        tolerance=1e-5,
    ),
    Case(
        "index_put accumulate two",
        lambda x, i, y: x.index_put((i, i), y, accumulate=True),
        both(floats((4, 6, 2)), integers((9,), low=0, high=4), floats((9, 2))),
        tolerance=1e-5,
    ),
    Case(
        "index_put accumulate integers",
        lambda x, i, y: x.index_put((i,), y, accumulate=True),
        both(integers((4, 6)), integers((9,), low=0, high=4), integers((9, 6))),
    ),
    Case(
        "histogram",
        lambda i: torch.zeros(6).index_put((i,), torch.ones(()), accumulate=True),
        integers((40,), low=0, high=6),
    ),
    Case(
        "too many writes",
        lambda x, i, y: x.scatter_add(0, i, y),
        lambda: (torch.randn(20000), torch.randint(0, 20000, (20000,)), torch.randn(20000)),
        refused="matrix product",
    ),
]
