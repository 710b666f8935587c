"""Reductions: axes, kept axes, types, empty and 0-D tensors, ties."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import bools, distinct, floats, integers, positive

X = floats((3, 4, 5))
DYNAMIC = dims({0: "n", 2: "m"})
OTHER = floats((6, 4, 2))

NAMES = ("sum", "mean", "amax", "amin", "std", "var", "logsumexp")

AXES = {
    "": lambda f: lambda x: f(x, 1),
    " last": lambda f: lambda x: f(x, -1),
    " kept": lambda f: lambda x: f(x, 1, keepdim=True),
    " two axes": lambda f: lambda x: f(x, (0, -1)),
    " two axes kept": lambda f: lambda x: f(x, (2, 0), keepdim=True),
}

CASES = [
    *(Case(name + axes, wrap(getattr(torch, name)), X) for name in NAMES for axes, wrap in AXES.items()),
    *(
        Case(f"{name} dynamic", lambda x, f=getattr(torch, name): f(x, (0, 2)), X, dynamic=DYNAMIC, other=OTHER)
        for name in NAMES
    ),
    *(
        Case(f"{name} of all", getattr(torch, name), X)
        for name in ("amax", "amin", "max", "min", "prod", "std", "var", "aminmax", "median")
    ),
    # One sum of both signs may be next to nothing, and its rounding is not.
    *(Case(f"{name} of all", getattr(torch, name), positive((3, 4, 5))) for name in ("sum", "mean", "nansum")),
    *(Case(f"{name} 0-D", getattr(torch, name), floats(())) for name in ("sum", "mean", "max", "amin", "argmax")),
    Case("sum integers", torch.sum, integers((3, 4), low=-(2**40), high=2**40)),
    Case("sum int32", lambda x: x.sum(1), integers((3, 4), low=2**30, high=2**31, dtype=torch.int32)),
    Case("sum bools", lambda x: x.sum(0), bools((30, 4))),
    Case("sum dtype", lambda x: x.sum(0, dtype=torch.float32), integers((3, 4))),
    Case("sum empty", lambda x: x.sum(0), floats((0, 4))),
    Case("mean dtype", lambda x: x.mean(0, dtype=torch.float32), integers((3, 4))),
    Case("mean of pixels", lambda x: x.mean((2, 3)), floats((2, 3, 7, 7))),
    Case("prod", lambda x: x.prod(1), X),
    Case("prod integers", lambda x: x.prod(1, keepdim=True), integers((3, 4))),
    Case("nansum", lambda x: torch.nansum(torch.where(x > 1, torch.nan, x), 1), X),
    Case("nanmean", lambda x: torch.nanmean(torch.where(x > 1, torch.nan, x), 1), X),
    Case("amax integers", lambda x: x.amax(1), integers((3, 4), low=-(2**60), high=2**60)),
    Case("amax bools", lambda x: x.amax(1), bools((30, 2))),
    Case("aminmax", lambda x: torch.aminmax(x, dim=1, keepdim=True), X),
    Case("max along", lambda x: x.max(1), distinct((3, 4, 5))),
    Case("min along kept", lambda x: x.min(-1, keepdim=True), distinct((3, 4, 5))),
    Case("max along ties", lambda x: x.max(1), integers((9, 8), low=0, high=3)),
    Case("max along dynamic", lambda x: x.max(2), distinct((3, 4, 5)), dynamic=DYNAMIC, other=distinct((6, 4, 2))),
    Case("argmax", lambda x: x.argmax(1), distinct((3, 4, 5))),
    Case("argmax of all", torch.argmax, distinct((3, 4, 5))),
    Case("argmin kept", lambda x: x.argmin(0, keepdim=True), distinct((3, 4, 5))),
    Case("argmin of all kept", lambda x: x.argmin(keepdim=True), distinct((3, 4, 5))),
    Case("argmax ties", lambda x: x.argmax(1), integers((9, 8), low=0, high=3)),
    Case("argmax dynamic", lambda x: x.argmax(-1), distinct((3, 4, 5)), dynamic=DYNAMIC, other=distinct((6, 4, 2))),
    *(Case(f"{name} of all", getattr(torch, name), bools((2, 1))) for name in ("any", "all")),
    *(Case(name, lambda x, f=getattr(torch, name): f(x, 1), bools((9, 3))) for name in ("any", "all")),
    *(
        Case(
            f"{name} axes",
            lambda x, f=getattr(torch, name): f(x, (0, 2), keepdim=True),
            integers((2, 9, 2), low=0, high=2),
        )
        for name in ("any", "all")
    ),
    *(Case(f"{name} of nothing", lambda x, f=getattr(torch, name): f(x, 0), bools((0, 3))) for name in ("any", "all")),
    Case("count_nonzero", lambda x: torch.count_nonzero(x, 1), integers((9, 8), low=-1, high=2)),
    Case("count_nonzero of all", torch.count_nonzero, bools((9, 8))),
    Case("var biased", lambda x: x.var(1, correction=0), X),
    Case("var correction 2", lambda x: x.var((0, 1), correction=2), X),
    Case("std far from zero", lambda x: (x + 1000).std(1), X, tolerance=1e-4),
    Case("var_mean", lambda x: torch.var_mean(x, (1, 2), keepdim=True), X),
    Case("std_mean", lambda x: torch.std_mean(x, -1), X),
    Case("logsumexp far", lambda x: torch.logsumexp(x * 100, 1), X),
    Case("logsumexp of minus infinity", lambda x: torch.logsumexp(torch.where(x > -9, -torch.inf, x), 1), X),
    Case("trace", torch.trace, positive((5, 7))),
    Case(
        "normalized",
        lambda x: (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-5),
        positive((3, 40)),
        tolerance=1e-5,
    ),
]
