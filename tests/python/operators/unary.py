"""Functions of one operand over their domains, near where they lose digits, and on integers."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import bools, floats, integers, positive

ANYWHERE = (
    "abs",
    "neg",
    "sign",
    "sgn",
    "exp",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "atan",
    "asinh",
    "erf",
    "erfc",
    "ceil",
    "floor",
    "round",
    "trunc",
    "fix",
    "frac",
    "square",
    "exp2",
    "expm1",
    "deg2rad",
    "rad2deg",
    "sinc",
    "positive",
    "angle",
    "signbit",
    "isnan",
    "isinf",
    "isfinite",
    "isposinf",
    "isneginf",
    "nan_to_num",
)
POSITIVE = ("log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal")
UNIT = ("asin", "acos", "atanh")


def unit(*shape: int):
    """Between -1 and 1."""
    return lambda: (torch.rand(shape) * 1.9 - 0.95,)


def tiny(*shape: int):
    """Around zero, over many magnitudes."""
    return lambda: (torch.randn(shape) * 10 ** (torch.rand(shape) * -7),)


def specials():
    """What is not a finite number, and both zeros."""
    return (torch.tensor([torch.nan, torch.inf, -torch.inf, 0.0, -0.0, 1.5, -2.5]),)


def halves():
    """Numbers in the middle between two integers."""
    return (torch.randint(-9, 9, (20,)) + 0.5,)


CASES = [
    *(Case(name, getattr(torch, name), floats((3, 4, 5))) for name in ANYWHERE),
    *(Case(name, getattr(torch, name), positive((3, 4, 5))) for name in POSITIVE),
    *(Case(name, getattr(torch, name), unit(3, 4, 5)) for name in UNIT),
    Case("acosh", torch.acosh, lambda: (torch.rand(3, 4) * 5 + 1,)),
    *(
        Case(f"{name} of integers", getattr(torch, name), integers((3, 4)))
        for name in (
            "abs",
            "neg",
            "sign",
            "ceil",
            "floor",
            "round",
            "trunc",
            "square",
            "exp",
            "sin",
            "atan",
            "erf",
            "signbit",
            "isnan",
            "isinf",
            "isfinite",
            "nan_to_num",
            "expm1",
            "deg2rad",
        )
    ),
    *(
        Case(f"{name} of integers", getattr(torch, name), integers((3, 4), low=1))
        for name in ("log", "sqrt", "rsqrt", "reciprocal", "log2")
    ),
    Case("sign of bools", torch.sign, bools((3, 4))),
    *(
        Case(f"{name} of specials", getattr(torch, name), specials)
        for name in (
            "isnan",
            "isinf",
            "isfinite",
            "isposinf",
            "isneginf",
            "nan_to_num",
            "signbit",
            "abs",
            "neg",
            "exp",
            "sqrt",
            "angle",
            "expm1",
        )
    ),
    Case("nan_to_num given", lambda x: torch.nan_to_num(x, 1.0, 2.0, -3.0), specials),
    Case("round halves", torch.round, halves),
    Case("trunc halves", torch.trunc, halves),
    Case("round decimals", lambda x: torch.round(x, decimals=2), floats((30,))),
    Case("round tens", lambda x: torch.round(x * 100, decimals=-1), floats((30,))),
    *(
        Case(f"{name} near zero relative", lambda x, f=getattr(torch, name): f(x) / x, tiny(200), tolerance=2e-6)
        for name in ("expm1", "log1p", "sin", "tanh", "atan", "sinh", "asinh")
    ),
    Case("expm1 far out", torch.expm1, lambda: (torch.linspace(-200, 80, 57) + torch.rand(57),)),
    Case("log1p edge", torch.log1p, lambda: (torch.cat([torch.rand(20) - 1, torch.tensor([-1.0, 1e8, torch.inf])]),)),
    Case("sinc at zero", torch.sinc, lambda: (torch.tensor([0.0, 1e-6, 0.5, 1.0, -2.25]),)),
    Case("logit", torch.logit, lambda: (torch.rand(30) * 0.98 + 0.01,)),
    Case("logit eps", lambda x: torch.logit(x, eps=0.1), lambda: (torch.rand(30),)),
    Case("entr", torch.special.entr, lambda: (torch.cat([torch.rand(9), torch.tensor([0.0, -1.0])]),)),
    Case("exp 0-D", torch.exp, floats(())),
    Case("exp empty", torch.exp, floats((0, 3))),
    Case("exp dynamic", torch.exp, floats((3, 4)), dynamic=dims({0: "n", 1: "m"}), other=floats((5, 2))),
    Case("exp half", lambda x: x.half().exp().float(), floats((3, 4)), tolerance=1e-3),
]
