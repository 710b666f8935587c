"""Sizes that depend on data."""

from __future__ import annotations

import torch
from operators import Case, dims

from ._draw import DATA_DEPENDENT, bools, both, floats, integers

CASES = [
    Case("nonzero", torch.nonzero, integers((4, 5), low=-1, high=2), unbuilt=DATA_DEPENDENT),
    Case("nonzero of floats", lambda x: torch.nonzero(x.relu()), floats((4, 5)), unbuilt=DATA_DEPENDENT),
    Case("nonzero of bools", torch.nonzero, bools((30,)), unbuilt=DATA_DEPENDENT),
    Case("nonzero as tuple", lambda x: torch.nonzero(x, as_tuple=True), bools((4, 5)), unbuilt=DATA_DEPENDENT),
    Case("argwhere", torch.argwhere, bools((4, 5)), unbuilt=DATA_DEPENDENT),
    Case("where", lambda x: torch.where(x > 0), floats((4, 5)), unbuilt=DATA_DEPENDENT),
    Case("masked_select", torch.masked_select, both(floats((4, 5)), bools((4, 5))), unbuilt=DATA_DEPENDENT),
    Case("masked_select broadcast", torch.masked_select, both(floats((4, 1)), bools((5,))), unbuilt=DATA_DEPENDENT),
    Case("count goes on", lambda x: torch.nonzero(x > 0).float().sum(1) * 2, floats((4, 5)), unbuilt=DATA_DEPENDENT),
    Case("size of what was found", lambda x: torch.nonzero(x > 0).reshape(-1, 1).squeeze(1), floats((4, 5)), unbuilt=DATA_DEPENDENT),
    Case("masked_select dynamic", torch.masked_select, both(floats((4, 5)), bools((4, 5))), unbuilt=DATA_DEPENDENT,
         dynamic=dims({0: "n"}, {0: "n"}), other=both(floats((9, 5)), bools((9, 5)))),
    Case("masked_scatter", torch.masked_scatter, both(floats((4, 5)), bools((4, 5)), floats((20,)))),
    Case("masked_scatter broadcast", torch.masked_scatter, both(floats((4, 5)), bools((5,)), floats((4, 6)))),
]
