"""Complex numbers: inputs, outputs, weights, rotary embeddings and the arithmetic around spectra."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from operators import Case, dims

from ._draw import both, complexes, floats, positive

PAIR = floats((3, 4, 2), (3, 4, 2))
COMPLEX = complexes((3, 4), (3, 4))
TURN = torch.polar(torch.ones(4), torch.arange(4.0))


def written(x, y):
    """A slice and a row of `y` written to a copy of `x`."""
    z = torch.zeros_like(x)
    z[:, 1:3] = y[:, :2]
    z[0] = x[0]
    return z


class Weighted(nn.Module):
    """A complex parameter and a complex buffer."""

    def __init__(self, dtype):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 3, dtype=dtype))
        self.register_buffer("offset", torch.randn(3, dtype=dtype).conj())

    def forward(self, x):
        return x @ self.weight + self.offset


class Rotary(nn.Module):
    """Rotary position embedding with a table of `torch.polar`, as in Llama's reference code."""

    def __init__(self):
        super().__init__()
        angles = torch.outer(torch.arange(16.0), 1 / 100 ** (torch.arange(4) / 4))
        self.register_buffer("table", torch.polar(torch.ones_like(angles), angles))

    def forward(self, x):
        pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        turned = pairs * self.table[: x.shape[1]].view(1, x.shape[1], 1, -1)
        return torch.view_as_real(turned).flatten(3).type_as(x)


class Fourier(nn.Module):
    """The spectral convolution of a Fourier neural operator: complex weights on the lowest frequencies."""

    def __init__(self):
        super().__init__()
        self.low = nn.Parameter(torch.rand(3, 4, 3, 3, dtype=torch.cfloat))
        self.high = nn.Parameter(torch.rand(3, 4, 3, 3, dtype=torch.cfloat))

    def forward(self, x):
        spectrum = torch.fft.rfft2(x)
        out = torch.zeros(x.shape[0], 4, x.shape[2], x.shape[3] // 2 + 1, dtype=torch.cfloat, device=x.device)
        out[:, :, :3, :3] = torch.einsum("bixy,ioxy->boxy", spectrum[:, :, :3, :3], self.low)
        out[:, :, -3:, :3] = torch.einsum("bixy,ioxy->boxy", spectrum[:, :, -3:, :3], self.high)
        return torch.fft.irfft2(out, s=x.shape[-2:])


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
    *(
        Case(name, on_pairs(fn), PAIR)
        for name, fn in {
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
            "conj": lambda x, y: x.conj() * y,
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
        }.items()
    ),
    Case(
        "complex and parts",
        lambda x, y: (torch.complex(x, y).real, torch.complex(x, y).imag * 2),
        floats((3, 4), (3, 4)),
    ),
    Case("polar", lambda r, a: torch.view_as_real(torch.polar(r, a)), both(positive((3, 4)), floats((3, 4)))),
    Case("rotary", rotary, floats((2, 5, 8)), tolerance=1e-5),
    Case(
        "rotary dynamic",
        rotary,
        floats((2, 5, 8)),
        dynamic=dims({0: "n", 1: "t"}, least=2),
        other=floats((3, 9, 8)),
        tolerance=1e-5,
    ),
    *(
        Case(name, fn, COMPLEX, tolerance=1e-5)
        for name, fn in {
            "exp": lambda x, y: (x.exp(), y),
            "log": lambda x, y: (x.log(), (x * y).log()),
            "pow": lambda x, y: (x**2, x**3, y**-1, (x + 3) ** -2, x**1, y**2.0),
            "reciprocal and square": lambda x, y: (x.reciprocal(), y.square()),
            "sums and means": lambda x, y: (x.sum(), y.mean(), x.sum(0), y.mean(-1, keepdim=True)),
            "matmul": lambda x, y: (x @ y.mT, x[0] @ y[1], x @ y[0], x[0] @ y.T),
            "batched matmul": lambda x, y: (x[None] @ y.mT[None], torch.bmm(x[None], y.mT[None].conj())),
            "linear": lambda x, y: (F.linear(x, y), F.linear(x, y, x[0, :3]), F.linear(x[0], y, y[1, :3])),
            "einsum": lambda x, y: (
                torch.einsum("bi,oi->bo", x, y),
                torch.einsum("ij->ji", x),
                torch.einsum("bi,bi->", x, y),
            ),
            "comparison": lambda x, y: (x == y, x != y, x == x.clone(), torch.eq(x.real + 0j, x.real)),
            "where": lambda x, y: (torch.where(x.real > 0, x, y), torch.where(x.imag > y.imag, x.conj(), y)),
            "slice write": lambda x, y: (written(x, y), written(y, x.exp())),
            "index_put": lambda x, y: (
                x.index_put((torch.tensor([2, 0]),), y[:2]),
                x.index_put((torch.tensor([1]), torch.tensor([3])), y[0, :1], accumulate=True),
            ),
            "split": lambda x, y: (*x.split(3, -1), *y.split([1, 2]), *x.unbind(0), *y.chunk(2, 1)),
            "flip": lambda x, y: (x.flip(0), y.flip(-1, 0)),
            "created": lambda x, y: (
                torch.zeros_like(x),
                torch.ones_like(y) * x,
                torch.full((2, 2), 1 - 2j) + x[:2, :2],
            ),
            "cat with real": lambda x, y: torch.cat([x, y.real], -1),
            "constant": lambda x, y: x * TURN + y,
        }.items()
    ),
    *(
        Case(
            f"{name} dynamic",
            fn,
            COMPLEX,
            dynamic=dims({0: "n"}, {0: "n"}),
            other=complexes((5, 4), (5, 4)),
            tolerance=1e-5,
        )
        for name, fn in {
            "exp": lambda x, y: (x.exp(), y),
            "matmul": lambda x, y: x @ y.mT,
            "write": lambda x, y: (written(x, y), x.sum(0)),
            "cat and split": lambda x, y: torch.cat([x, y], 1).split(3, -1),
        }.items()
    ),
    Case(
        "complex128",
        lambda x, y: (x * y, x.sum(), x.abs(), y.conj()),
        complexes((3, 4), (3, 4), dtype=torch.complex128),
        tolerance=1e-5,
    ),
    Case("lazy conjugate", lambda x: (x.conj(), x * 2), lambda: (complexes((3, 4))()[0].conj(),)),
    Case("parameter", Weighted(torch.complex64), complexes((2, 5)), tolerance=1e-5),
    Case("double parameter", Weighted(torch.complex128), complexes((2, 5), dtype=torch.complex128), tolerance=1e-5),
    Case("rotary by polar on pairs", Rotary(), floats((2, 6, 3, 8)), tolerance=1e-5),
    Case(
        "rotary by polar on pairs dynamic",
        Rotary(),
        floats((2, 6, 3, 8)),
        dynamic=({0: torch.export.Dim("n", max=64), 1: torch.export.Dim("t", min=2, max=16)},),
        other=floats((3, 9, 3, 8)),
        tolerance=1e-5,
    ),
    Case("fourier layer", Fourier(), floats((2, 3, 8, 8)), tolerance=1e-4),
    Case(
        "fourier layer dynamic",
        Fourier(),
        floats((2, 3, 8, 8)),
        dynamic=dims({0: "n"})[0],
        other=floats((4, 3, 8, 8)),
        tolerance=1e-4,
    ),
    Case(
        "no converter",
        lambda x, y: torch.complex(x, y).acosh(),
        floats((3,), (3,)),
        refused="(?s)1 operator has no converter for complex numbers.*aten.acosh.default of complex numbers  x1 "
        ".*view_as_real",
    ),
    Case(
        "no converter at all",
        lambda x, y: torch.view_as_real(torch.complex(x, y).acosh()) + torch.special.zeta(x, y)[:, None],
        floats((3,), (3,)),
        refused="(?s)2 operators have no converter .*aten.acosh.default of complex numbers.*special.zeta",
    ),
    Case("exp of pairs", on_pairs(torch.exp), floats((3, 2)), tolerance=1e-5),
    Case("product of complex matrices", on_pairs(torch.matmul), floats((3, 4, 2), (4, 5, 2)), tolerance=1e-5),
    Case("complex output", torch.complex, floats((3,), (3,))),
    Case(
        "complex output of a sum",
        lambda x, y: torch.complex(x, y).exp() + torch.complex(y, x),
        floats((3,), (3,)),
        tolerance=1e-5,
    ),
]
