"""Complex numbers inside a model: rotary embeddings and the arithmetic around spectra."""

from __future__ import annotations

import torch
from operators import Case, dims

from ._draw import both, floats, positive

PAIR = floats((3, 4, 2), (3, 4, 2))


def on_pairs(fn):
    """A function of complex tensors, on real ones with an axis of parts, in and out."""
    def real(*tensors):
        y = fn(*(torch.view_as_complex(x) for x in tensors))
        return torch.view_as_real(y) if y.is_complex() else y
    return real


def rotary(x):
    """Rotary position embedding as Llama's authors wrote it."""
    n, t, d = x.shape
    angles = torch.outer(torch.arange(t).float(), 1 / 100 ** (torch.arange(d // 2) / d))
    turned = torch.view_as_complex(x.reshape(n, t, d // 2, 2)) * torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flatten(2)


CASES = [
    *(Case(name, on_pairs(fn), PAIR) for name, fn in {
        "add": lambda x, y: x + y,
        "sub": lambda x, y: torch.sub(x, y, alpha=2),
        "mul": lambda x, y: x * y,
        "div": lambda x, y: x / y,
        "mul broadcast": lambda x, y: x[:, None] * y[0],
        "mul number": lambda x, y: x * 3 + y,
        "mul imaginary": lambda x, y: x * 2j + y,
        "add real": lambda x, y: x + y.real,
        "mul real": lambda x, y: x * y.imag,
        "div by real": lambda x, y: x / (y.abs() + 1),
        "abs": lambda x, y: (x + y).abs(),
        "angle": lambda x, y: (x - y).angle(),
        "conj": lambda x, y: (x.conj() * y),
        "neg": lambda x, y: -x,
        "sum": lambda x, y: (x * y).sum(-1),
        "mean kept": lambda x, y: (x * y).mean(0, keepdim=True),
        "view": lambda x, y: x.reshape(2, 6),
        "transpose": lambda x, y: x.transpose(-1, 0),
        "permute": lambda x, y: x[None].permute(2, -3, 1),
        "slice": lambda x, y: x[:, 1:-1],
        "select": lambda x, y: x[:, -1],
        "index": lambda x, y: x[[2, 0], [1, 3]],
        "unsqueeze and expand": lambda x, y: x.unsqueeze(-1).expand(-1, -1, 3),
        "cat": lambda x, y: torch.cat([x, y], -1),
        "stack": lambda x, y: torch.stack([x, y], 1),
    }.items()),
    Case("complex and parts", lambda x, y: (torch.complex(x, y).real, torch.complex(x, y).imag * 2), floats((3, 4), (3, 4))),
    Case("polar", lambda r, a: torch.view_as_real(torch.polar(r, a)), both(positive((3, 4)), floats((3, 4)))),
    Case("rotary", rotary, floats((2, 5, 8)), tolerance=1e-5),
    Case("rotary dynamic", rotary, floats((2, 5, 8)), dynamic=dims({0: "n", 1: "t"}, least=2), other=floats((3, 9, 8)), tolerance=1e-5),
    Case("no converter", lambda x, y: torch.view_as_real(torch.complex(x, y).exp()), floats((3,), (3,)),
         refused="(?s)1 operator has no converter for complex numbers.*aten.exp.default of complex numbers  x1 .*view_as_real"),
    Case("no converter at all", lambda x, y: torch.view_as_real(torch.complex(x, y).exp()) + torch.special.zeta(x, y)[:, None],
         floats((3,), (3,)), refused="(?s)2 operators have no converter .*aten.exp.default of complex numbers.*special.zeta"),
    Case("product of complex matrices", on_pairs(torch.matmul), floats((3, 4, 2), (4, 5, 2)),
         refused="aten.matmul.default of complex numbers"),
    Case("complex output", lambda x, y: torch.view_as_real(torch.complex(x, y)), floats((3,), (3,))),
]
