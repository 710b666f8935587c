"""Losses, in each reduction."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from operators import Case

from ._draw import floats

PAIR = floats((6, 5), (6, 5))
REDUCTIONS = ("none", "mean", "sum")

CASES = [
    *(Case(f"mse {r}", lambda x, y, r=r: F.mse_loss(x, y, reduction=r), PAIR) for r in REDUCTIONS),
    *(Case(f"l1 {r}", lambda x, y, r=r: F.l1_loss(x, y, reduction=r), PAIR) for r in REDUCTIONS),
    *(Case(f"huber {r}", lambda x, y, r=r: F.huber_loss(x, y, reduction=r, delta=0.6), PAIR) for r in REDUCTIONS),
    *(
        Case(f"smooth l1 {r}", lambda x, y, r=r: F.smooth_l1_loss(x, y, reduction=r, beta=0.6), PAIR)
        for r in REDUCTIONS
    ),
    Case("smooth l1 without a corner", lambda x, y: F.smooth_l1_loss(x, y, beta=0.0), PAIR),
    *(
        Case(f"soft margin {r}", lambda x, y, r=r: F.soft_margin_loss(x, torch.sign(y), reduction=r), PAIR)
        for r in REDUCTIONS
    ),
]
