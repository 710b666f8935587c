"""Distances and similarities."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import randn

from operators import Case, dims


def pair(x: tuple[int, ...], y: tuple[int, ...]):
    return lambda: (randn(x), randn(y))


CASES = [
    *(
        Case(f"cdist {p}", lambda x, y, p=p: torch.cdist(x, y, p), pair((2, 5, 3), (2, 4, 3)))
        for p in (0, 1, 2, 3, math.inf)
    ),
    Case("cdist many", torch.cdist, pair((30, 4), (40, 4))),
    Case("cdist broadcast", torch.cdist, pair((2, 1, 5, 3), (3, 4, 3))),
    Case(
        "cdist no product",
        lambda x, y: torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist"),
        pair((30, 4), (40, 4)),
    ),
    Case(
        "cdist dynamic",
        lambda x, y: torch.cdist(x, y, 1),
        pair((5, 3), (4, 3)),
        dynamic=dims({0: "p"}, {0: "r"}, least=2),
        other=pair((2, 3), (7, 3)),
    ),
    Case("pdist", F.pdist, lambda: (randn(5, 3),)),
    Case("pdist 1", lambda x: F.pdist(x, 1), lambda: (randn(5, 3),)),
    *(
        Case(
            f"pdist {p} dynamic",
            lambda x, p=p: F.pdist(x, p),
            lambda: (randn(5, 3),),
            dynamic=dims({0: "v", 1: "w"}, least=3),
            other=lambda: (randn(71, 4),),
        )
        for p in (0, 2, math.inf)
    ),
    Case("pairwise distance", F.pairwise_distance, pair((5, 3), (5, 3))),
    Case("pairwise distance 1", lambda x, y: F.pairwise_distance(x, y, 1, keepdim=True), pair((5, 3), (3,))),
    Case("cosine similarity", F.cosine_similarity, pair((5, 3), (5, 3))),
    Case("cosine similarity broadcast", lambda x, y: F.cosine_similarity(x, y, dim=-1), pair((5, 1, 3), (4, 3))),
    Case("cosine similarity of zeros", lambda x, y: F.cosine_similarity(x * 0, y, eps=0.1), pair((5, 3), (5, 3))),
    Case("cdist forward", lambda x, y: torch.ops.aten._cdist_forward(x, y, 2.0, None), pair((5, 3), (4, 3))),
    Case("pdist forward", lambda x: torch.ops.aten._pdist_forward(x, 3.0), lambda: (randn(5, 3),)),
]
