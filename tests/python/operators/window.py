"""Windows."""

from __future__ import annotations

import torch

from operators import Case

from ._draw import Draw


def similar(size: int) -> Draw:
    """Values of similar size, so that the largest product is near the window's largest element."""
    return lambda: (torch.rand(size) + 0.5,)


NAMES = ("hann_window", "hamming_window", "blackman_window", "bartlett_window", "kaiser_window")

CASES = [
    *(Case(name, lambda x, f=getattr(torch, name): x * f(9), similar(9)) for name in NAMES),
    *(
        Case(f"{name} symmetric", lambda x, f=getattr(torch, name): x * f(8, periodic=False), similar(8))
        for name in NAMES
    ),
    Case("hamming_window given", lambda x: x * torch.hamming_window(9, True, 0.6, 0.4), similar(9)),
    Case("kaiser_window given", lambda x: x * torch.kaiser_window(9, True, 6.5), similar(9)),
]
