"""Joining and splitting."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import both, floats, integers

X = floats((6, 5, 4))
DYNAMIC = dims({0: "n", 2: "m"})
OTHER = floats((9, 5, 7))

STATIC = {
    "split": lambda x: x.split(2),
    "split uneven": lambda x: x.split(4, dim=0),
    "split sizes": lambda x: x.split([1, 0, 5], dim=0),
    "split_with_sizes": lambda x: torch.split_with_sizes(x, [2, 3], dim=1),
    "chunk": lambda x: x.chunk(4, dim=1),
    "tensor_split": lambda x: torch.tensor_split(x, 4),
    "tensor_split at": lambda x: torch.tensor_split(x, (1, 4, 9), dim=1),
    "tensor_split backwards": lambda x: torch.tensor_split(x, (4, 2, -1), dim=0),
    "hsplit": lambda x: torch.hsplit(x, [1, 3]),
    "vsplit": lambda x: torch.vsplit(x, 3),
    "dsplit": lambda x: torch.dsplit(x, 2),
    "unbind": lambda x: x.unbind(1),
    "unbind last": lambda x: x.unbind(-1),
}

CASES = [
    Case("cat", lambda x, y: torch.cat([x, y], 1), floats((2, 3), (2, 5))),
    Case("cat negative axis", lambda x, y: torch.cat([x, y], -2), floats((2, 3, 4), (2, 5, 4))),
    Case("cat three", lambda x, y, z: torch.cat([x, y, z, x]), floats((2, 3), (1, 3), (4, 3))),
    Case("cat mixed types", lambda x, y: torch.cat([x, y]), both(floats((2, 3)), integers((4, 3)))),
    Case("cat integers", lambda x, y: torch.cat([x, y]), integers((2, 3), (4, 3))),
    Case("cat with nothing", lambda x: torch.cat([torch.empty(0), x, x], 1), floats((2, 3))),
    Case(
        "cat dynamic",
        lambda x, y: torch.cat([x, y], 1),
        floats((2, 3), (2, 5)),
        dynamic=dims({0: "n", 1: "a"}, {0: "n", 1: "b"}),
        other=floats((4, 1), (4, 7)),
    ),
    Case(
        "cat parts",
        lambda x: torch.cat([x[1:], x[:1] * 2]),
        floats((5, 3)),
        dynamic=dims({0: "h"}, least=3),
        other=floats((8, 3)),
    ),
    Case("stack", lambda x, y: torch.stack([x, y]), floats((2, 3), (2, 3))),
    Case("stack last", lambda x, y: torch.stack([x, y], -1), floats((2, 3), (2, 3))),
    Case("stack 0-D", lambda x, y: torch.stack([x, y]), floats((), ())),
    Case(
        "stack dynamic",
        lambda x, y: torch.stack([x, y], 1),
        floats((2, 3), (2, 3)),
        dynamic=dims({0: "n", 1: "m"}, {0: "n", 1: "m"}),
        other=floats((5, 4), (5, 4)),
    ),
    *(
        Case(name, lambda x, y, f=getattr(torch, name): f([x, y]), floats((3, 2), (3, 2)))
        for name in ("hstack", "vstack", "dstack", "column_stack")
    ),
    *(
        Case(f"{name} vectors", lambda x, y, f=getattr(torch, name): f([x, y]), floats((3,), (3,)))
        for name in ("hstack", "vstack", "dstack", "column_stack")
    ),
    *(Case(name, fn, X) for name, fn in STATIC.items()),
    Case("split dynamic", lambda x: x.split(2, dim=1), X, dynamic=DYNAMIC, other=OTHER),
    Case("chunk dynamic", lambda x: torch.cat(x.chunk(5, dim=1)[::-1], 1), X, dynamic=DYNAMIC, other=OTHER),
    Case(
        "split at a size",
        lambda x: torch.split(torch.cat([x, x * 2]), [x.shape[0], x.shape[0]]),
        X,
        dynamic=DYNAMIC,
        other=OTHER,
    ),
    Case("unbind dynamic", lambda x: x.unbind(1), X, dynamic=DYNAMIC, other=OTHER),
    Case("query key value", lambda x: x.reshape(6, 5, 2, 2).permute(2, 0, 1, 3).unbind(0), X),
]
