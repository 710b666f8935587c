"""Softmax and its logarithm."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from operators import Case, dims

from ._draw import floats, integers

X = floats((3, 4, 5))

CASES = [
    Case("softmax", lambda x: x.softmax(1), X),
    Case("softmax last", lambda x: x.softmax(-1), X),
    Case("softmax vector", lambda x: x.softmax(0), floats((9,))),
    Case("softmax 0-D", lambda x: x.softmax(0), floats(())),
    Case("softmax far", lambda x: (x * 100).softmax(-1), X, tolerance=1e-5),
    Case("softmax dtype", lambda x: x.softmax(0, dtype=torch.float32), integers((9,))),
    Case("softmax masked", lambda x: x.masked_fill(x > 2.5, -torch.inf).softmax(-1), floats((3, 4, 50))),
    Case("softmax dynamic", lambda x: x.softmax(2), X, dynamic=dims({0: "n", 2: "m"}), other=floats((2, 4, 9))),
    Case("softmin", lambda x: F.softmin(x, 1), X),
    Case("log_softmax", lambda x: x.log_softmax(1), X),
    Case("log_softmax far", lambda x: (x * 100).log_softmax(-1), X),
    Case("log_softmax dynamic", lambda x: x.log_softmax(0), X, dynamic=dims({0: "n", 2: "m"}), other=floats((2, 4, 9))),
]
