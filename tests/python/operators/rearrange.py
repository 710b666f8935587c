"""Rotation, reversal, diagonals, windows."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import floats

X = floats((5, 6, 4))
DYNAMIC = dims({0: "h", 1: "m"}, least=3)
OTHER = floats((3, 9, 4))

STATIC = {
    "roll": lambda x: x.roll(2, 1),
    "roll back": lambda x: x.roll(-1, 0),
    "roll far": lambda x: x.roll(13, 2),
    "roll two axes": lambda x: x.roll((2, -3), (0, 1)),
    "roll an axis twice": lambda x: x.roll((2, 1), (1, 1)),
    "roll flat": lambda x: x.roll(7),
    "roll nothing": lambda x: x.roll(6, 1),
    "flip": lambda x: x.flip(0),
    "flip two axes": lambda x: x.flip((-1, 1)),
    "fliplr": torch.fliplr,
    "flipud": torch.flipud,
    **{f"rot90 {k}": lambda x, k=k: x.rot90(k) for k in (-1, 0, 1, 2, 3, 5)},
    "rot90 of other axes": lambda x: x.rot90(1, (2, 1)),
    "diagonal": lambda x: x.diagonal(),
    "diagonal above": lambda x: x.diagonal(2, 1, 2),
    "diagonal below": lambda x: x.diagonal(-3, -2, -1),
    "diagonal of swapped axes": lambda x: x.diagonal(1, 2, 0),
    "diagonal out of reach": lambda x: x.diagonal(9),
    "diag": lambda x: (x[0, :, 0].diag(), x[0].diag(), x[0, :, 0].diag(2), x[0].diag(-1)),
    "diag_embed": lambda x: x.diag_embed(),
    "diag_embed above": lambda x: x.diag_embed(2),
    "diag_embed below": lambda x: x.diag_embed(-1, 0, 2),
    "diagonal_scatter": lambda x: torch.diagonal_scatter(x[0], torch.arange(4.0)),
    "diagonal_scatter below": lambda x: torch.diagonal_scatter(x, torch.ones(5, 4), -1, 1, 2),
    "unfold": lambda x: x.unfold(1, 3, 1),
    "unfold apart": lambda x: x.unfold(0, 2, 3),
    "unfold twice": lambda x: x.unfold(0, 2, 2).unfold(1, 3, 3),
    "as_strided": lambda x: torch.as_strided(x, (3, 4), (5, 2), 3),
    "as_strided overlapping": lambda x: torch.as_strided(x + 1, (6, 3), (1, 1)),
    "as_strided of transposed": lambda x: torch.as_strided(x.transpose(0, 1), (3, 4), (5, 2)),
    "as_strided of what is transposed": lambda x: torch.as_strided(x.mT + 1, (3, 4), (5, 2), 1),
    "as_strided of channels last": lambda x: (
        x[None].contiguous(memory_format=torch.channels_last).relu().as_strided((2, 9), (9, 1))
    ),
    "as_strided of a part": lambda x: torch.as_strided(x[1], (3, 2), (5, 2)),
    "as_strided of expanded": lambda x: torch.as_strided(x[0, :1].expand(3, -1), (2, 2), (1, 1), 1),
    "block_diag": lambda x: torch.block_diag(x[0], x[0, 0], x[:2, 0]),
}

CASES = [
    *(Case(name, fn, X) for name, fn in STATIC.items()),
    Case("roll dynamic", lambda x: x.roll((2, -3), (0, 1)), X, dynamic=DYNAMIC, other=OTHER),
    Case("flip dynamic", lambda x: x.flip((0, 2)), X, dynamic=DYNAMIC, other=OTHER),
    Case("rot90 dynamic", lambda x: x.rot90(1), X, dynamic=DYNAMIC, other=OTHER),
    Case("unfold dynamic", lambda x: x.unfold(1, 3, 2), X, dynamic=dims({1: "m"}, least=6), other=floats((5, 9, 4))),
    Case("diag_embed dynamic", lambda x: x[:, :, 0].diag_embed(), X, dynamic=DYNAMIC, other=OTHER),
    Case(
        "as_strided outside",
        lambda x: torch.as_strided(x.split(2)[1], (3, 4), (5, 20)),
        X,
        refused="outside of the tensor",
    ),
    Case(
        "as_strided dynamic",
        lambda x: torch.as_strided(x.mT, (3,), (5,)),
        X,
        dynamic=DYNAMIC,
        refused="depend on input sizes",
    ),
]
