"""Dynamic axes over random ranges: the engine equals PyTorch in the range, or E0307 reports why not."""

from __future__ import annotations

import os
import random

import pytest
import replay  # noqa: F401  (finds torch2trt)
import torch
import torch.nn.functional as F
from torch import nn

from torch2trt import Error, torch2trt
from torch2trt.verify import difference

CASES = 12 * int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
NARROW = [(1, 1), (1, 2), (2, 2), (1, 3)]


def parity(x):
    return x * 2 if x.shape[-1] % 2 == 0 else x * 3


def parity_of_another(x):
    return x.flip(-1) if x.shape[1] % 3 == 1 else x


# Each has a size guard on some axis of `x`, whose last axis is the only one with at least 4 elements.
GUARDED = {
    "parity": parity,
    "parity of another axis": parity_of_another,
    "stft": lambda x: torch.view_as_real(torch.stft(x[:, 0], 4, window=torch.ones(4), return_complex=True)),
    "unfold": lambda x: x.unfold(2, 2, 2),
    "arange of a float": lambda x: x + torch.arange(0.5, x.shape[2]),
    "interpolate": lambda x: F.interpolate(x, scale_factor=0.75),
    "pooled": lambda x: F.avg_pool1d(x, 3, 2),
    "no guard": lambda x: x.softmax(-1),
}


class Guarded(nn.Module):
    def __init__(self, function, inputs):
        super().__init__()
        self.function, self.count = function, inputs

    def forward(self, x, y=None):
        result = self.function(x)
        return result if y is None else (result, (y + 1) * y.shape[0], y.sum(-1) + x.sum())


def drawn_shapes(draw):
    """(min, sample, max) shapes of one input: two leading axes that may be 1, a last axis of at least 4."""
    ranges = []
    for axis in range(3):
        if draw.random() < 0.25:
            low = high = draw.randint(1, 3)
        elif axis < 2 and draw.random() < 0.7:
            low, high = draw.choice(NARROW)
        else:
            low = draw.randint(1, 3)
            high = low + draw.randint(1, 9)
        if axis == 2:
            low, high = low + 4, high + 4
        ranges.append((low, draw.randint(low, high), high))
    return tuple(zip(*ranges))


@pytest.mark.parametrize("case", range(CASES))
def test_a_guard_with_axes_of_any_range(case):
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    name = draw.choice(list(GUARDED))
    shapes = [drawn_shapes(draw) for _ in range(draw.randint(1, 2))]
    model = Guarded(GUARDED[name], len(shapes)).eval()
    low, samples, high = zip(*shapes)
    text = f"{name}, {low} to {high}, sample {samples}, seed {seed}"
    try:
        model_trt = torch2trt(
            model, [torch.randn(shape) for shape in samples], backend="cpu", progress=False, log_level=40,
            min_shapes=list(low), max_shapes=list(high),
        )  # fmt: skip
    except Error as refused:
        assert refused.code == "E0307" and "parity" in name, f"{text}\n{refused}"
        return
    for _ in range(3):
        inputs = [torch.randn([draw.randint(a, b) for a, b in zip(*ends)]) for ends in zip(low, high)]
        expected, got = model(*inputs), model_trt(*inputs)
        pairs = [(expected, got)] if isinstance(expected, torch.Tensor) else list(zip(expected, got, strict=True))
        for e, g in pairs:
            assert e.shape == g.shape and difference(e, g) <= 1e-4, f"{text}, {[tuple(x.shape) for x in inputs]}"
