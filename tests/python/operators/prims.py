"""PyTorch's primitives, as decompositions of exported programs leave them."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import bools, floats, integers

P = torch.ops.prims
X = floats((3, 4))
PAIR = lambda: (*X(), *X())  # noqa: E731
POSITIVE = lambda: (X()[0].abs() + 0.5,)  # noqa: E731
DYNAMIC = dims({0: "n", 1: "m"})

UNARY = ("abs", "ceil", "cos", "erf", "exp", "floor", "neg", "sign", "sin", "tanh", "trunc")
OF_POSITIVE = ("log", "log1p", "reciprocal", "rsqrt", "sqrt")
BINARY = ("add", "atan2", "div", "eq", "fmax", "ge", "lt", "maximum", "minimum", "mul", "sub")

FORMS = {
    "sum": lambda x: P.sum(x, [1]),
    "sum of all": lambda x: P.sum(x.abs(), [0, 1]),
    "amax": lambda x: P.amax(x, [0]),
    "prod": lambda x: P.prod(x, [0, 1]),
    "var": lambda x: P.var(x, [1], 1.0),
    "broadcast_in_dim": lambda x: P.broadcast_in_dim(x, [x.shape[0], 5, x.shape[1]], [0, 2]) * 2,
    "broadcast_in_dim of ones": lambda x: P.broadcast_in_dim(x[:, :1], [2, x.shape[0], 3], [1, 2]),
    "transpose": lambda x: P.transpose(x, [1, 0]) + 1,
    "squeeze": lambda x: P.squeeze(x[:, None], [1]) + 1,
    "collapse": lambda x: P.collapse(x, 0, 1),
    "reshape": lambda x: P.reshape(x, [x.shape[1], x.shape[0]]),
    "rev": lambda x: P.rev(x, [0]),
    "cat": lambda x: P.cat([x, x], 1),
    "where": lambda x: P.where(x > 0, x, P.neg(x)),
    "convert_element_type": lambda x: P.convert_element_type(x, torch.int64),
    "iota": lambda x: (
        x[:, 0] * P.iota(x.shape[0], start=2, step=3, dtype=torch.int64, device="cpu", requires_grad=False)
    ),
}

CASES = [
    *(Case(name, lambda x, name=name: getattr(P, name)(x), X) for name in UNARY),
    *(Case(name, lambda x, name=name: getattr(P, name)(x), POSITIVE) for name in OF_POSITIVE),
    *(Case(name, lambda x, y, name=name: getattr(P, name)(x, y), PAIR) for name in BINARY),
    *(Case(name, fn, X) for name, fn in FORMS.items()),
    *(Case(f"{name} dynamic", fn, X, dynamic=DYNAMIC, other=floats((6, 5))) for name, fn in FORMS.items()),
    Case("div of integers", lambda x: P.div(x, P.add(P.abs(x), 1 + x * 0)), integers((7,))),
    Case("shift_left", lambda x: P.shift_left(x, x * 0 + 2), integers((5,), low=0)),
    Case("split_dim", lambda x: P.split_dim(x, 1, 2) + 1, X),
    Case("bitwise_and", lambda x, y: P.bitwise_and(x, y), bools((3, 4), (3, 4))),
]
