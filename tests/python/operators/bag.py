"""Bags of embeddings."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from operators import Case

from ._draw import both, floats, integers


def bags(weight, indices, offsets, **more):
    """`F.embedding_bag` of positional tensors."""
    return F.embedding_bag(indices, weight, offsets, **more)


DATA = both(floats((9, 4)), integers((12,), low=0, high=9), lambda: (torch.tensor([0, 3, 3, 8]),))

CASES = [
    *(Case(mode, lambda w, i, o, m=mode: bags(w, i, o, mode=m), DATA) for mode in ("sum", "mean", "max")),
    *(
        Case(f"module {mode}", torch.nn.EmbeddingBag(9, 4, mode=mode), integers((3, 5), low=0, high=9))
        for mode in ("sum", "mean", "max")
    ),
    Case("padding", torch.nn.EmbeddingBag(9, 4, mode="mean", padding_idx=2), integers((6, 5), low=0, high=4)),
    *(
        Case(f"last offset {mode}", lambda w, i, o, m=mode: bags(w, i, o, mode=m, include_last_offset=True), DATA)
        for mode in ("sum", "mean", "max")
    ),
    Case("weighted", lambda w, i, o, s: bags(w, i, o, mode="sum", per_sample_weights=s), both(DATA, floats((12,)))),
]
