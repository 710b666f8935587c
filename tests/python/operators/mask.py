"""Sizes that depend on data."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import DATA_DEPENDENT, bools, both, floats, integers


def written(x, mask, value, *front):
    y = x.clone()
    y[(*front, mask)] = value
    return y


def added(x, mask):
    y = x.clone()
    y[mask] += 0.5
    y[mask] *= y[mask].exp() - 3
    return y


TWO = both(floats((4, 5, 3), (4, 5, 3)), bools((4, 5, 3)))
CASES = [
    Case("write what a mask chose", lambda x, v, m: written(x, m, v[m]), TWO),
    Case(
        "write what it makes of it",
        lambda x, v, m: written(x, m, (v[m] * 2 + 1).relu().to(torch.int32).to(torch.float32)),
        TWO,
    ),
    Case(
        "write a choice by rows",
        lambda x, v, m: written(x, m, v[m] * 2),
        both(floats((4, 5, 3), (4, 5, 3)), bools((4, 5))),
    ),
    Case(
        "write columns",
        lambda x, v, m: written(x, m, v[:, m] + x[:, m], slice(None)),
        both(floats((4, 5, 3), (4, 5, 3)), bools((5, 3))),
    ),
    Case(
        "write columns of one row",
        lambda x, v, m: written(x, m, v[:, m] * 2, slice(None)),
        both(floats((1, 5), (1, 5)), bools((5,))),
    ),
    Case("write a row of numbers", lambda x, v, m: written(x, m, v), both(floats((4, 5), (5,)), bools((4,)))),
    Case(
        "write columns of a number",
        lambda x, m: written(x, m, 0.5, slice(None)),
        both(floats((4, 5, 3)), bools((5, 3))),
    ),
    Case("write of two tensors", lambda x, v, m: written(x, m, torch.where(x[m] > 0, v[m], x[m] / v[m])), TWO),
    Case("write repeatedly", added, both(floats((4, 5)), bools((4, 5)))),
    Case("write a masked_select", lambda x, v, m: written(x, m, v.masked_select(m)), TWO),
    Case("scatter a choice", lambda x, v, m: x.masked_scatter(m, v[m] * 2), TWO),
    Case("write the negative", lambda x: written(x, x < 0, x[x < 0] * 0.1), floats((4, 5)), unbuilt=DATA_DEPENDENT),
    Case("write the negative once", lambda x: (lambda m: written(x, m, x[m] * 0.1))(x < 0), floats((4, 5))),
    Case(
        "write quotients of integers",
        lambda x, y: (lambda m: written(x, m, x[m] // y[m]))(y != 0),
        integers((30,), (30,), low=-3, high=4),
        unbuilt=DATA_DEPENDENT,
    ),
    Case(
        "write dynamic",
        lambda x, v, m: written(x, m, v[m].exp()),
        TWO,
        dynamic=dims({0: "n"}, {0: "n"}, {0: "n"}),
        other=both(floats((7, 5, 3), (7, 5, 3)), bools((7, 5, 3))),
    ),
    Case("nonzero", torch.nonzero, integers((4, 5), low=-1, high=2), unbuilt=DATA_DEPENDENT),
    Case("nonzero of floats", lambda x: torch.nonzero(x.relu()), floats((4, 5)), unbuilt=DATA_DEPENDENT),
    Case("nonzero of bools", torch.nonzero, bools((30,)), unbuilt=DATA_DEPENDENT),
    Case("nonzero as tuple", lambda x: torch.nonzero(x, as_tuple=True), bools((4, 5)), unbuilt=DATA_DEPENDENT),
    Case("argwhere", torch.argwhere, bools((4, 5)), unbuilt=DATA_DEPENDENT),
    Case("where", lambda x: torch.where(x > 0), floats((4, 5)), unbuilt=DATA_DEPENDENT),
    Case("masked_select", torch.masked_select, both(floats((4, 5)), bools((4, 5))), unbuilt=DATA_DEPENDENT),
    Case("masked_select broadcast", torch.masked_select, both(floats((4, 1)), bools((5,))), unbuilt=DATA_DEPENDENT),
    Case("count goes on", lambda x: torch.nonzero(x > 0).float().sum(1) * 2, floats((4, 5)), unbuilt=DATA_DEPENDENT),
    Case(
        "size of what was found",
        lambda x: torch.nonzero(x > 0).reshape(-1, 1).squeeze(1),
        floats((4, 5)),
        unbuilt=DATA_DEPENDENT,
    ),
    Case(
        "masked_select dynamic",
        torch.masked_select,
        both(floats((4, 5)), bools((4, 5))),
        unbuilt=DATA_DEPENDENT,
        dynamic=dims({0: "n"}, {0: "n"}),
        other=both(floats((9, 5)), bools((9, 5))),
    ),
    Case("masked_scatter", torch.masked_scatter, both(floats((4, 5)), bools((4, 5)), floats((20,)))),
    Case("masked_scatter broadcast", torch.masked_scatter, both(floats((4, 5)), bools((5,)), floats((4, 6)))),
]
