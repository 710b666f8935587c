"""Changes of type, copies, and what does nothing in inference."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from operators import Case, dims

from ._draw import bools, floats, integers

FLOAT = floats((3, 4))

CASES = [
    Case("float to int64", lambda x: x.long(), lambda: (torch.randn(40) * 10,)),
    Case("float to int32", lambda x: x.int(), lambda: (torch.randn(40) * 10,)),
    Case("float to bool", lambda x: x.bool(), lambda: (torch.tensor([0.0, -0.0, 0.3, -2.0, 1e-30]),)),
    Case("float to half and back", lambda x: x.half().float(), FLOAT),
    Case("float to bfloat16 and back", lambda x: x.bfloat16().float(), FLOAT),
    Case("float to uint8", lambda x: x.abs().mul(50).to(torch.uint8), FLOAT),
    Case("int64 to float", lambda x: x.float(), integers((3, 4))),
    Case("int64 to int32", lambda x: x.int(), integers((3, 4))),
    Case("int64 to bool", lambda x: x.bool(), integers((30,), low=-1, high=2)),
    Case("bool to float", lambda x: x.float(), bools((3, 4))),
    Case("bool to int64", lambda x: x.long(), bools((3, 4))),
    Case("uint8 input", lambda x: x.float() / 255, integers((3, 4), low=0, high=256, dtype=torch.uint8)),
    Case("to itself", lambda x: x.float() + 1, FLOAT),
    Case("type_as", lambda x, y: x.type_as(y), lambda: (torch.randn(3), torch.ones(2, dtype=torch.int64))),
    Case("clone", lambda x: x.clone(), FLOAT),
    Case("contiguous", lambda x: x.t().contiguous(), FLOAT),
    Case("detach", lambda x: x.detach() * 2, FLOAT),
    Case("dropout", lambda x: F.dropout(x, 0.5, training=False), FLOAT),
    Case("dropout module", torch.nn.Dropout(0.3), FLOAT),
    Case(
        "dropout that drops", lambda x: F.dropout(x, 0.5, training=True), FLOAT, refused=r"self\.training.*\.eval\(\)"
    ),
    Case("copy", lambda x, y: x.clone().copy_(y), lambda: (torch.randn(3, 4), torch.arange(4))),
    Case("fill", lambda x: torch.empty_like(x).fill_(2.5), FLOAT),
    Case("fill tensor", lambda x, v: x.clone().fill_(v), floats((3, 4), ())),
    Case("zero", lambda x: x.clone().zero_() + 1, FLOAT),
    Case("constant tensor", lambda x: x + torch.tensor([1.0, 2.0, 3.0, 4.0]), FLOAT),
    Case(
        "fill dynamic",
        lambda x: torch.empty_like(x).fill_(2.5),
        FLOAT,
        dynamic=dims({0: "n", 1: "m"}),
        other=floats((7, 2)),
    ),
    Case("output is input", lambda x: (x, x + 1), FLOAT),
]
