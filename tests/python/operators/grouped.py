"""Matrix products of groups."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from operators import Case, dims


def ends(count: int, groups: int) -> torch.Tensor:
    """The ends of groups of random sizes, some of them empty, that divide `count`."""
    inner = torch.randint(0, count + 1, (groups - 1,)).sort().values
    return torch.cat([inner, torch.tensor([count])]).to(torch.int32)


def tokens(count: int, groups: int = 4):
    return lambda: (torch.randn(count, 8), torch.randn(groups, 8, 12), ends(count, groups))


def fallback(x, w, offs):
    """The operator of transformers, which registers it on import."""
    import transformers.integrations.moe  # noqa: F401

    return torch.ops.transformers.grouped_mm_fallback(x, w, offs)


# A PyTorch without the operator has no cases of it.
GROUPED = getattr(F, "grouped_mm", None)
OWN = [
    Case("tokens", lambda x, w, o: GROUPED(x, w, offs=o), tokens(16)),
    Case("weights as linear has them", lambda x, w, o: GROUPED(x, w.mT, offs=o), lambda: (
        torch.randn(16, 8), torch.randn(4, 12, 8), ends(16, 4))),
    Case("tokens dynamic", lambda x, w, o: GROUPED(x, w, offs=o), tokens(16),
         dynamic=dims({0: "t"}, {}, {}, least=2), other=tokens(30)),
    Case("groups of columns", lambda x, w, o: GROUPED(x, w, offs=o), lambda: (
        torch.randn(4, 12, 8), torch.randn(8, 16), ends(16, 4))),
    Case("groups of what is summed", lambda x, w, o: GROUPED(x, w, offs=o), lambda: (
        torch.randn(8, 16), torch.randn(16, 12), ends(16, 4))),
    Case("batches", lambda x, w: GROUPED(x, w), lambda: (torch.randn(4, 12, 8), torch.randn(4, 8, 16))),
]  # fmt: skip

CASES = [
    *(OWN if GROUPED else []),
    Case("of transformers", fallback, tokens(16)),
]
