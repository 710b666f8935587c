"""Ranges that include an empty batch: views and copies of tensors without elements.

Random programs are drawn with a printed seed; TORCH2TRT_TEST_CASES multiplies their number.
"""

from __future__ import annotations

import os
import random

import pytest
import test_operators
import torch
from operators import Function
from torch import nn
from torch.nn import functional as F

import torch2trt

TIMES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
SEED = int(os.environ.get("TORCH2TRT_TEST_SEED", "1"))

# From [batch, length, 6] to [batch, length, 6].
STEPS = {
    "split": lambda x: x.unflatten(2, (2, 3)).permute(0, 1, 3, 2).transpose(1, 2).transpose(1, 2).flatten(2),
    "repeat": lambda x: x.repeat(1, 1, 2)[:, :, ::2],
    "repeat length": lambda x: x.repeat(1, 3, 1)[:, ::3],
    "attend": lambda x: torch.softmax(x @ x.transpose(1, 2), -1) @ x,
    "attention": lambda x: F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None]).squeeze(1),
    "normalize": lambda x: F.layer_norm(x, (6,)),
    "rows": lambda x: (x.reshape(-1, 6) * 2).view(x.shape[0], x.shape[1], 6),
    "pad": lambda x: F.pad(x, (1, 0, 0, 0))[..., :6],
    "roll": lambda x: x.roll(1, 2),
    "flip": lambda x: x.flip(1),
    "chunk": lambda x: torch.cat(x.chunk(2, 2)[::-1], 2),
    "center": lambda x: x - x.mean(1, keepdim=True),
    "gather": lambda x: x[:, :, [2, 0, 1, 5, 4, 3]],
}
ENDS = {
    "flatten": lambda x: x.flatten(1) * 2,
    "flatten and repeat": lambda x: x.flatten(1).repeat(1, 2),
    "flatten and step": lambda x: x.flatten(1)[:, ::2],
    "flatten all": lambda x: x.flatten(),
    "sum": lambda x: x.sum(0),
    "transposed": lambda x: x.transpose(0, 1).flatten(0, 1),
    "twice": lambda x: torch.cat([x, x]).flatten(1),
}


def check(model: nn.Module) -> None:
    dims = ({0: torch.export.Dim("batch", min=0, max=8), 1: torch.export.Dim("length", min=2, max=9)},)
    x = torch.randn(4, 5, 6)
    converted = torch2trt.torch2trt(model, (x,), backend="cpu", dynamic_shapes=(dims,), progress=False)
    for batch, length in ((4, 5), (0, 5), (1, 3), (8, 9), (0, 2)):
        x = torch.randn(batch, length, 6)
        got, wanted = converted(x), model(x)
        assert got.shape == wanted.shape
        if wanted.numel():
            test_operators.compare(got, wanted, 1e-4)


@pytest.mark.parametrize("end", ENDS)
def test_an_empty_batch(end: str) -> None:
    torch.manual_seed(SEED)
    check(Function(ENDS[end]))


@pytest.mark.parametrize("number", range(3 * TIMES))
def test_random_views_of_an_empty_batch(number: int) -> None:
    print(f"seed {SEED * 1000 + number}")
    draw = random.Random(SEED * 1000 + number)
    torch.manual_seed(number)
    names = [draw.choice(list(STEPS)) for _ in range(draw.randrange(1, 4))]
    end = draw.choice(list(ENDS))
    print(names, end)

    def fn(x: torch.Tensor) -> torch.Tensor:
        for name in names:
            x = STEPS[name](x)
        return ENDS[end](x)

    check(Function(fn))
