"""Slices of dynamic axes, at every size of the range: bounds inside the axis for some sizes, beyond it for others."""

from __future__ import annotations

import os
import random

import pytest
import replay  # noqa: F401  (finds torch2trt)
import torch
from torch import nn
from torch._subclasses import fake_impls

from torch2trt import Error, torch2trt
from torch2trt.verify import difference

KERNEL = torch.ops.aten.slice.Tensor in fake_impls.op_implementations_dict
"""Whether PyTorch infers the sizes of slices without a decision whether there are none."""
maybe_empty = pytest.mark.skipif(not KERNEL, reason="this PyTorch limits an axis to sizes with elements in a slice")

CASES = 8 * int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
SEED = int(os.environ.get("TORCH2TRT_TEST_SEED", "1"))

# Bounds that follow from the size of the axis.
COMPUTED = {
    "n": lambda n: n,
    "n//2": lambda n: n // 2,
    "(n+1)//2": lambda n: (n + 1) // 2,
    "n-3": lambda n: n - 3,
    "-2n": lambda n: -2 * n,
    "3n": lambda n: 3 * n,
    "n//3+1": lambda n: n // 3 + 1,
}


class Sliced(nn.Module):
    def __init__(self, start, stop, step, axis):
        super().__init__()
        self.start, self.stop, self.step, self.axis = start, stop, step, axis

    def forward(self, x):
        size = x.shape[self.axis]
        start, stop = (COMPUTED[b](size) if isinstance(b, str) else b for b in (self.start, self.stop))
        part = x[start : stop : self.step] if self.axis == 0 else x[:, start : stop : self.step]
        return torch.cat([part, x], self.axis) * 2


def check(module, low, high, sample):
    """Equal to PyTorch at every size from `low` to `high`."""
    shape = lambda n: (n, 3) if module.axis == 0 else (2, n, 3)  # noqa: E731
    converted = torch2trt(
        module.eval(),
        [torch.randn(shape(sample))],
        backend="cpu",
        min_shapes=[shape(low)],
        max_shapes=[shape(high)],
        progress=False,
        log_level=40,
    )
    for size in range(low, high + 1):
        x = torch.randn(shape(size))
        got, expected = converted(x), module(x)
        assert got.shape == expected.shape, f"size {size}"
        assert difference(expected, got) <= 1e-5, f"size {size}"


@pytest.mark.parametrize(
    ("start", "stop", "step"),
    [
        (-3, 8, 2),
        pytest.param(-7, -2, 2, marks=maybe_empty),
        (None, 4, 1),
        pytest.param(5, None, 1, marks=maybe_empty),
        (1, 6, 3),
        pytest.param("n-3", None, 1, marks=maybe_empty),
        (None, "n-3", 1),
        ("-2n", "n//3+1", 2),
    ],
)
def test_bounds_hold_for_every_size(start, stop, step):
    check(Sliced(start, stop, step, 0), 1, 10, 6)


@pytest.mark.parametrize("case", range(CASES))
def test_drawn_bounds(case):
    draw = random.Random(SEED * 1000 + case)
    torch.manual_seed(case)
    bound = lambda: draw.choice([None, *range(-6, 7), *range(-6, 7), *COMPUTED])  # noqa: E731
    low = draw.randint(2, 4)  # torch.export decides for a size of 1 as for larger ones
    high = low + draw.randint(1, 8)
    module = Sliced(bound(), bound(), draw.randint(1, 4), draw.randint(0, 1))
    print(f"x[{module.start}:{module.stop}:{module.step}] on axis {module.axis}, {low}..{high}, seed {SEED}")
    try:
        check(module, low, high, draw.randint(low, high))
    except Error as refused:  # PyTorch decides by sizes whether the part is contiguous, and that is reported
        assert refused.code == "E0307", refused
        assert module.axis == 1 or isinstance(module.start, str) or isinstance(module.stop, str), refused


class OfFound(nn.Module):
    """Slices of rows whose number depends on data, the largest of them, and how many that is."""

    def forward(self, x):
        rows = x[x[:, 0] > 0]
        largest = rows[:, 1].topk(min(4, rows.shape[0])).values
        return rows[:5], rows[1:], rows[-3:], rows[2:4], rows[::2], rows[:-1], rows[:1], rows[:, 1:3], largest


def test_slices_of_a_size_that_depends_on_data():
    model = OfFound().eval()
    converted = torch2trt(model, [torch.randn(12, 4)], backend="cpu", progress=False, log_level=40)
    for count in range(13):
        x = torch.randn(12, 4)
        x[:, 0] = torch.where(torch.arange(12) < count, 1.0, -1.0)[torch.randperm(12)]
        for got, expected in zip(converted(x), model(x), strict=True):
            assert torch.equal(got, expected), count
