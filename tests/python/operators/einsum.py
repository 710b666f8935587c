"""Einstein summation: implicit outputs, ellipses, diagonals, several operands."""

from __future__ import annotations

import torch
from torch import rand, randint, randn

from operators import Case, dims


def einsum(equation: str, *shapes: tuple[int, ...], draw=randn, **options) -> Case:
    return Case(equation, lambda *x: torch.einsum(equation, *x), lambda: tuple(draw(s) for s in shapes), **options)


CASES = [
    einsum("ij,jk->ik", (2, 3), (3, 4)),
    einsum("ij,jk", (2, 3), (3, 4)),
    einsum("bij,bkj->bik", (2, 3, 4), (2, 5, 4)),
    einsum("bhwc,hkc->bhwk", (2, 3, 4, 5), (3, 6, 5)),
    einsum("bhwc,wkc->bhwk", (2, 3, 4, 5), (4, 6, 5)),
    # Sums to one number are of positive ones: one that cancels has no digits left to compare.
    einsum("ij,ij->", (2, 3), (2, 3), draw=rand),
    einsum("i,j->ij", (2,), (3,)),
    einsum("ba,cb", (2, 3), (4, 2)),
    einsum("ij->ji", (2, 3)),
    einsum("ij->", (2, 3), draw=rand),
    einsum("ijk->k", (2, 3, 4)),
    einsum("ii->i", (3, 3)),
    einsum("ii", (3, 3), draw=rand),
    einsum("bii->bi", (2, 3, 3)),
    einsum("iji->j", (3, 2, 3)),
    einsum("...ij,...jk->...ik", (2, 5, 3, 4), (5, 4, 2)),
    einsum("...i,i", (2, 3, 4), (4,)),
    einsum("i...,...->...i", (2, 3), (3,)),
    einsum("A...z,z...->...A", (2, 3, 4), (4, 3)),
    einsum("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    einsum("bn,anm,bm->ba", (2, 3), (4, 3, 5), (2, 5)),
    einsum("i,i,i->i", (3,), (3,), (3,)),
    einsum("ij,kj->ik", (2, 1), (3, 4)),
    einsum("ij,jk,ik->", (2, 3), (3, 4), (2, 4), draw=rand),
    einsum(" n c , c d -> d n ", (2, 3), (3, 4)),
    einsum(
        "bqd,bkd->bqk",
        (2, 3, 4),
        (2, 5, 4),
        dynamic=dims({0: "b", 1: "q"}, {0: "b", 1: "k"}),
        other=lambda: (randn(3, 2, 4), randn(3, 7, 4)),
    ),
    Case(
        "int64",
        lambda x, y: torch.einsum("ij,kj->ki", x, y),
        lambda: tuple(randint(-(10**5), 10**5, s) for s in ((2, 3), (4, 3))),
    ),
]
