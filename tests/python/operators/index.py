"""Slices, selections, tensors of indices and masks, in the forms that PyTorch code uses."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from operators import Case, dims

from ._draw import DATA_DEPENDENT, bools, both, floats, integers

X = floats((5, 6, 7))
DYNAMIC = dims({0: "h", 1: "m"}, least=4)
OTHER = floats((8, 9, 7))

SLICES = {
    "slice": lambda x: x[1:4],
    "slice open": lambda x: x[:, 2:],
    "slice negative": lambda x: x[-3:-1],
    "slice past the end": lambda x: x[:, 2:99],
    "slice before the start": lambda x: x[-99:2],
    "slice step": lambda x: x[:, ::2],
    "slice step and start": lambda x: x[..., 1:6:3],
    "slice empty": lambda x: x[3:3],
    "slice several axes": lambda x: x[1:, :-1, ::3],
    "select": lambda x: x[2],
    "select negative": lambda x: x[:, -1],
    "select twice": lambda x: x[1, :, 2],
    "newaxis and ellipsis": lambda x: x[None, ..., None, 0],
    "narrow": lambda x: x.narrow(1, 2, 3),
}

SIZES = {
    "slice": lambda x: x[1:3, 1:],
    "slice negative": lambda x: x[-3:, :-2],
    "slice step": lambda x: x[:, ::2],
    "slice to a size": lambda x: torch.cat([x, x], 1)[:, : x.shape[1]],
    "slice from a size": lambda x: torch.cat([x, x * 2], 0)[x.shape[0] :],
    "slice to minus a size": lambda x: torch.cat([x, x * 2, x], 1)[:, : -x.shape[1]],
    "select": lambda x: x[1],
    "select last": lambda x: x[:, -1],
    "select middle": lambda x: torch.cat([x, x * 2], 0)[x.shape[0]],
    "index": lambda x: x[:, [0, 2, 1]],
    "index negative": lambda x: x[[0, -1]],
    "index pairs": lambda x: x[[0, 1, -1], [2, -2, 0]],
    "positions": lambda x: x + torch.arange(x.shape[1])[None, :, None],
}

MASKS = floats((5, 6, 7))

CASES = [
    *(Case(name, fn, X) for name, fn in SLICES.items()),
    *(Case(f"{name} dynamic", fn, X, dynamic=DYNAMIC, other=OTHER) for name, fn in SIZES.items()),
    Case("index list", lambda x: x[[0, 3, -1]], X),
    Case("index axis 1", lambda x, i: x[:, i], both(X, integers((4,), low=-6, high=6))),
    Case("index matrix", lambda x, i: x[i], both(X, integers((2, 3), low=-5, high=5))),
    Case("index int32", lambda x, i: x[i], both(X, integers((2, 3), low=-5, high=5, dtype=torch.int32))),
    Case("index single", lambda x, i: x[i], both(X, integers((1,), low=-5, high=5))),
    Case("index two", lambda x, i, j: x[i, j], both(X, integers((4,), low=-5, high=5), integers((4,), low=-6, high=6))),
    Case(
        "index two broadcast",
        lambda x, i, j: x[i[:, None], j],
        both(X, integers((4,), low=-5, high=5), integers((3,), low=-6, high=6)),
    ),
    Case(
        "index two behind",
        lambda x, i, j: x[:, i, j],
        both(X, integers((4,), low=-6, high=6), integers((4,), low=-7, high=7)),
    ),
    Case(
        "index two apart",
        lambda x, i, j: x[i, :, j],
        both(X, integers((4,), low=-5, high=5), integers((4,), low=-7, high=7)),
    ),
    Case(
        "index three",
        lambda x, i, j: x[i, j, j],
        both(X, integers((4,), low=-5, high=5), integers((4,), low=-6, high=6)),
    ),
    Case("index slice between", lambda x, i: x[1:, i, ::2], both(X, integers((4,), low=-6, high=6))),
    Case("index bools by position", lambda x, i: (x > 0)[i], both(X, integers((4,), low=-5, high=5))),
    Case(
        "relative positions",
        lambda t: t[(torch.arange(5)[:, None] - torch.arange(5)[None] + 4).view(-1)].view(5, 5, -1),
        floats((9, 2)),
    ),
    Case("mask", lambda x: x[x > 0], MASKS, unbuilt=DATA_DEPENDENT),
    Case("mask of rows", lambda x, m: x[m], both(MASKS, bools((5,))), unbuilt=DATA_DEPENDENT),
    Case("mask behind", lambda x, m: x[:, m], both(MASKS, bools((6,))), unbuilt=DATA_DEPENDENT),
    Case("mask of two axes", lambda x, m: x[m] * 2, both(MASKS, bools((5, 6))), unbuilt=DATA_DEPENDENT),
    Case("constant mask", lambda x: x[torch.tensor([True, False, True, True, False])], MASKS),
    Case(
        "constant mask goes on",
        lambda x: x[torch.arange(5) % 2 == 0].reshape(-1, 7).sum(1).view(-1, 6),
        MASKS,
        tolerance=1e-6,
    ),
    Case("gather", lambda x, i: x.gather(1, i), both(X, integers((5, 4, 7), low=0, high=6))),
    Case("gather smaller", lambda x, i: x.gather(1, i), both(X, integers((3, 9, 2), low=0, high=6))),
    Case("gather last", lambda x, i: x.gather(-1, i), both(X, integers((5, 6, 1), low=0, high=7))),
    Case("gather 0-D", lambda x, i: x.gather(0, i), both(floats(()), integers((), low=0, high=1))),
    Case(
        "gather dynamic",
        lambda x, i: x.gather(2, i),
        both(X, integers((5, 6, 3), low=0, high=7)),
        dynamic=dims({0: "n"}, {0: "n"}),
        other=both(floats((3, 6, 7)), integers((3, 6, 3), low=0, high=7)),
    ),
    Case("take_along_dim", lambda x, i: torch.take_along_dim(x, i, 1), both(X, integers((5, 2, 1), low=0, high=6))),
    Case("take_along_dim flat", lambda x, i: torch.take_along_dim(x, i), both(X, integers((8,), low=0, high=210))),
    Case("take", lambda x, i: x.take(i), both(X, integers((2, 3), low=-210, high=210))),
    Case("index_select", lambda x, i: x.index_select(1, i), both(X, integers((4,), low=0, high=6))),
    Case("index_select last", lambda x: x.index_select(-1, torch.tensor([6, 0, 3])), X),
    Case("embedding", lambda w, i: F.embedding(i, w), both(floats((9, 4)), integers((2, 3), low=0, high=9))),
    Case("embedding module", torch.nn.Embedding(9, 4, padding_idx=0), integers((2, 3), low=0, high=9)),
    Case(
        "embedding dynamic",
        torch.nn.Embedding(9, 4),
        integers((2, 3), low=0, high=9),
        dynamic=({0: torch.export.Dim("n", max=64), 1: torch.export.Dim("t", max=64)},),
        other=integers((5, 7), low=0, high=9),
    ),
    Case("one_hot", lambda i: F.one_hot(i, 7), integers((2, 3), low=0, high=7)),
]
