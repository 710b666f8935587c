"""Fourier transforms against PyTorch's: sizes even and odd, cut and filled, in every norm."""

from __future__ import annotations

import torch
from torch import fft

from operators import Case, dims

from ._draw import floats

X = floats((3, 8, 9))


def real(fn):
    """A complex result as a real one."""
    return lambda *x: torch.view_as_real(fn(*x))


CASES = [
    Case("rfft", real(fft.rfft), X),
    Case("rfft of an axis", real(lambda x: fft.rfft(x, dim=1)), X),
    Case("rfft cut", real(lambda x: fft.rfft(x, n=5)), X),
    Case("rfft filled", real(lambda x: fft.rfft(x, n=12)), X),
    *(
        Case(f"rfft {norm}", real(lambda x, norm=norm: fft.rfft(x, norm=norm)), X)
        for norm in ("forward", "backward", "ortho")
    ),
    *(
        Case(f"irfft {norm}", lambda x, norm=norm: fft.irfft(fft.rfft(x), norm=norm), X)
        for norm in ("forward", "backward", "ortho")
    ),
    Case("there and back", lambda x: fft.irfft(fft.rfft(x), n=9), X),
    Case("there and back even", lambda x: fft.irfft(fft.rfft(x, dim=1), dim=1), X),
    Case("fft", real(fft.fft), X),
    Case("fft twice", lambda x: fft.fft(fft.fft(x, dim=-1), dim=-2).real, X),
    Case("fft and ifft", lambda x: fft.ifft(fft.fft(x)).real, X),
    Case("rfft2", real(lambda x: fft.rfft2(x, norm="ortho")), X),
    Case("irfft2", lambda x: fft.irfft2(fft.rfft2(x), s=(8, 9)), X),
    Case("fftn", real(lambda x: fft.fftn(x, dim=(0, 2))), X),
    Case("ifftn", real(lambda x: fft.ifftn(torch.complex(x, x + 1))), X),
    Case("rfftn and irfftn", lambda x: fft.irfftn(fft.rfftn(x, dim=(1, 2)), s=(8, 9), dim=(1, 2)), X),
    Case("shift", lambda x: fft.ifftshift(fft.fftshift(fft.fft(x), dim=-1) * 2).real, X),
    Case("shift of real", lambda x: (fft.fftshift(x), fft.ifftshift(x, dim=2)), X),
    Case("vector", real(fft.rfft), floats((16,))),
    Case("batch dynamic", real(fft.rfft), X, dynamic=dims({0: "n", 1: "m"}), other=floats((2, 5, 9))),
    Case(
        "global filter",
        lambda x, w: fft.irfft2(fft.rfft2(x, norm="ortho") * torch.view_as_complex(w), s=(8, 9), norm="ortho"),
        floats((3, 8, 9), (8, 5, 2)),
    ),
    Case(
        "stft", lambda x: torch.stft(x, 16, 4, window=torch.hann_window(16), return_complex=True).abs(), floats((2, 64))
    ),
    Case(
        "stft short window",
        real(lambda x, w: torch.stft(x, 16, 5, 10, window=w, center=False, return_complex=True)),
        floats((2, 64), (10,)),
    ),
    Case(
        "stft normalized",
        real(lambda x: torch.stft(x, 8, window=torch.ones(8), normalized=True, onesided=False, return_complex=True)),
        floats((30,)),
    ),
    Case(
        "stft dynamic",
        real(lambda x: torch.stft(x, 16, 4, window=torch.hann_window(16), center=False, return_complex=True)),
        floats((2, 64)),
        dynamic=dims({0: "n", 1: "t"}, least=32),
        other=floats((3, 101)),
    ),
    Case("too long", real(fft.fft), floats((1, 5000)), refused="matrix"),
]
