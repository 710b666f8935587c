"""Fake quantization, by TensorRT's layers and written out."""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F

from operators import Case, dims

from ._draw import floats

X = floats((2, 6, 5, 5))
DYNAMIC = dims({0: "n"})
OTHER = floats((5, 6, 5, 5))

# Of three digits, so that no input is between two steps for one way of rounding and not for the other.
SCALES = torch.tensor([0.013, 0.021, 0.034, 0.055, 0.089, 0.144])
NONE, ZEROS = torch.zeros(6, dtype=torch.int32), torch.tensor([3, 0, -4, 1, 7, -2], dtype=torch.int32)


def tensor(x: torch.Tensor, scale: float, zero: int, least: int, most: int) -> torch.Tensor:
    return torch.fake_quantize_per_tensor_affine(x, scale, zero, least, most)


def channels(x: torch.Tensor, zeros: torch.Tensor, axis: int, least: int, most: int) -> torch.Tensor:
    return torch.fake_quantize_per_channel_affine(x, SCALES, zeros, axis, least, most)


class Trained(torch.nn.Module):
    """A convolution as quantization-aware training leaves it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(6, 8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scales = torch.linspace(0.001, 0.003, 8)
        weight = torch.fake_quantize_per_channel_affine(self.conv.weight, scales, torch.zeros(8), 0, -127, 127)
        return F.conv2d(tensor(x, 0.05, 0, -128, 127), weight, self.conv.bias).relu()


def prepared(observing: bool) -> torch.nn.Module:
    """A model as torch.ao.quantization makes it ready for training, with the ranges of some data."""
    model = torch.nn.Sequential(torch.nn.Conv2d(6, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(72, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of another package that comes after this one
        model.train().qconfig = torch.ao.quantization.get_default_qat_qconfig("x86")
        model = torch.ao.quantization.prepare_qat(model)
    model(torch.randn(4, 6, 5, 5) * 2)
    return model.eval() if observing else model.eval().apply(torch.ao.quantization.disable_observer)


CASES = [
    Case("int8", lambda x: tensor(x, 0.031, 0, -128, 127), X),
    Case("int8 without -128", lambda x: tensor(x, 0.013, 0, -127, 127), X),
    Case("uint8", lambda x: tensor(x, 0.027, 97, 0, 255), X),
    Case("four bits", lambda x: tensor(x, 0.41, 0, -8, 7), X),
    Case("a zero point", lambda x: tensor(x, 0.031, 5, -128, 127), X),
    Case("scale in a tensor", lambda x: torch.fake_quantize_per_tensor_affine(
        x, torch.tensor([0.031]), torch.zeros(1, dtype=torch.int32), -128, 127), X),
    Case("scale from data", lambda x: torch.fake_quantize_per_tensor_affine(
        x, x.abs().amax() / 127.25, torch.zeros((), dtype=torch.int32), -128, 127), X),
    Case("channels", lambda x: channels(x, NONE, 1, -128, 127), X),
    Case("channels without -128", lambda x: channels(x, NONE, 1, -127, 127), X),
    Case("channels with zero points", lambda x: channels(x, ZEROS, 1, -128, 127), X),
    Case("channels of uint8", lambda x: channels(x, ZEROS + 8, 1, 0, 255), X),
    Case("dynamic", lambda x: channels(tensor(x, 0.031, 0, -128, 127), NONE, 1, -128, 127), X,
         dynamic=DYNAMIC, other=OTHER),
    Case("a trained convolution", Trained(), X, tolerance=1e-5),
    Case("torch.ao.quantization", prepared(observing=False), X, tolerance=1e-5),
    Case("an observer at work", prepared(observing=True), X, refused="disable_observer"),
]  # fmt: skip
