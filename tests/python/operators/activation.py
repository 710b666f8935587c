"""Activations, with parameters other than the defaults and inputs large enough to overflow a careless formula."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn, randint, randn

from operators import Case, dims


def draw():
    return (randn(4, 33) * 4,)


def far():
    """Draws values for which exp overflows in float32."""
    return (randn(4, 33) * 200,)


PLAIN = {
    "relu": F.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "hardtanh": lambda x: F.hardtanh(x, -0.5, 2.0),
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "elu": F.elu,
    "elu scaled": lambda x: torch.ops.aten.elu(x, 0.7, 1.3, 0.4),
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 0.7),
    "leaky relu": lambda x: F.leaky_relu(x, 0.2),
    "softplus": F.softplus,
    "softplus beta": lambda x: F.softplus(x, 2.0, 3.0),
    "log sigmoid": F.logsigmoid,
    "hardshrink": lambda x: F.hardshrink(x, 0.7),
    "softshrink": lambda x: F.softshrink(x, 0.7),
    "threshold": lambda x: F.threshold(x, 0.1, -20.0),
    "softsign": F.softsign,
    "tanhshrink": F.tanhshrink,
    "glu": lambda x: F.glu(x[:, :32]),
    "glu axis 0": lambda x: F.glu(x, 0),
    "rrelu": F.rrelu,
}

CASES = [
    *(Case(name, fn, draw) for name, fn in PLAIN.items()),
    *(Case(f"{name} far", PLAIN[name], far) for name in ("sigmoid", "silu", "mish", "softplus", "log sigmoid", "elu")),
    Case("prelu", nn.PReLU(), draw),
    Case("prelu channels", nn.PReLU(6), lambda: (randn(2, 6, 5, 4),)),
    Case("prelu given", F.prelu, lambda: (randn(2, 6, 5), randn(6))),
    Case("relu int64", F.relu, lambda: (randint(-9, 9, (3, 4)),)),
    Case("relu6 int64", F.relu6, lambda: (randint(-9, 9, (3, 4)),)),
    Case("rrelu training", lambda x: F.rrelu(x, training=True), draw, refused="training"),
    Case("hardtanh int64", lambda x: F.hardtanh(x, -2, 3), lambda: (randint(-9, 9, (3, 4)),)),
    Case("sigmoid int64", torch.sigmoid, lambda: (randint(-9, 9, (3, 4)),)),
    Case("gelu dynamic", F.gelu, draw, dynamic=dims({0: "n"}), other=lambda: (randn(7, 33),)),
]
