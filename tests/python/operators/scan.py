"""Running sums, products, extremes."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import bools, distinct, floats, integers, positive

X = floats((3, 7, 5))

CASES = [
    Case("cumsum", lambda x: x.cumsum(1), X),
    Case("cumsum last", lambda x: x.cumsum(-1), X),
    Case("cumsum integers", lambda x: x.cumsum(0), integers((9, 3), low=-(2**40), high=2**40)),
    Case("cumsum bools", lambda x: x.cumsum(1), bools((3, 9))),
    Case("cumsum dtype", lambda x: x.cumsum(0, dtype=torch.float32), integers((9,))),
    Case("cumsum dynamic", lambda x: x.cumsum(1), X, dynamic=dims({0: "n", 1: "m"}), other=floats((2, 9, 5))),
    Case("position ids", lambda m: (m.cumsum(1) * m).long() + 1, integers((3, 9), low=0, high=2)),
    Case("cumprod", lambda x: x.cumprod(1), positive((3, 9))),
    Case("cumprod integers", lambda x: x.cumprod(0), integers((9,), low=1, high=5)),
    Case("cumprod one", lambda x: x.cumprod(0), floats((1, 3))),
    Case("logcumsumexp", lambda x: x.logcumsumexp(1), X),
    Case("cummax", lambda x: x.cummax(1), distinct((3, 9))),
    Case("cummin", lambda x: x.cummin(0), distinct((9, 3))),
    Case("cummax ties", lambda x: x.cummax(1), integers((3, 20), low=0, high=4)),
    Case("diff", lambda x: x.diff(dim=1), X),
    Case("diff twice", lambda x: x.diff(n=2, dim=0), X),
    Case("diff with ends", lambda x: x.diff(dim=1, prepend=x[:, :2], append=x[:, -1:]), X),
    Case("diff bools", lambda x: x.diff(), bools((3, 9))),
    Case("diff dynamic", lambda x: x.diff(dim=1), X, dynamic=dims({1: "m"}, least=3), other=floats((3, 9, 5))),
    Case(
        "cumprod of unknown length", lambda x: x.cumprod(1), X, dynamic=dims({1: "m"}), refused="depends on input sizes"
    ),
]
