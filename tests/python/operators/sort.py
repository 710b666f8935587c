"""Sorting and searching."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import bools, both, distinct, floats, integers

X = distinct((4, 9))
TIES = integers((4, 30), low=0, high=5)


def ordered(*shape: int):
    """Ascending along the last axis."""
    return lambda: (torch.randn(shape).sort(-1)[0],)


CASES = [
    Case("topk", lambda x: x.topk(3), X),
    Case("topk smallest", lambda x: x.topk(2, largest=False), X),
    Case("topk axis 0", lambda x: x.topk(2, dim=0), X),
    Case("topk vector", lambda x: x.topk(4), distinct((9,))),
    Case("topk integers", lambda x: x.topk(4)[0], integers((3, 9))),
    Case("topk dynamic", lambda x: x.topk(3), X, dynamic=dims({0: "h", 1: "m"}, least=4), other=distinct((5, 12))),
    Case(
        "topk of a size", lambda x: x.topk(x.shape[1])[0], X, dynamic=dims({1: "m"}, least=4), other=distinct((4, 12))
    ),
    Case("sort", lambda x: x.sort(), X),
    Case("sort descending", lambda x: x.sort(dim=0, descending=True), X),
    Case("sort stable", lambda x: x.sort(stable=True), TIES),
    Case("sort stable descending", lambda x: torch.sort(x, stable=True, descending=True), TIES),
    Case("sort dynamic", lambda x: x.sort(-1), X, dynamic=dims({1: "m"}, least=4), other=distinct((4, 12))),
    Case("sort bools", lambda x: x.sort()[0], bools((4, 9))),
    Case("argsort", lambda x: x.argsort(1), X),
    Case("msort", lambda x: x.msort(), X),
    Case("kthvalue", lambda x: x.kthvalue(4), X),
    Case("median", lambda x: x.median(1), X),
    Case("median even kept", lambda x: x.median(0, keepdim=True), X),
    Case("searchsorted", torch.searchsorted, both(ordered(8), floats((3, 5)))),
    Case(
        "searchsorted right",
        lambda s, v: torch.searchsorted(s, v, right=True),
        lambda: (torch.arange(9), torch.randint(-1, 10, (20,))),
    ),
    Case("searchsorted rows", torch.searchsorted, both(ordered(3, 8), floats((3, 5)))),
    Case("bucketize", lambda v, s: torch.bucketize(v, s, out_int32=True), both(floats((3, 5)), ordered(8))),
    Case("bucketize number", lambda s: torch.bucketize(0.5, s), ordered(8)),
]
