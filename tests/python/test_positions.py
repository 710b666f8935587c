"""Indexing by 0-D tensors, numbers read out of tensors, and slices whose bounds are computed.

Random programs are drawn with a printed seed; TORCH2TRT_TEST_CASES multiplies their number.
"""

from __future__ import annotations

import os
import random

import pytest
import test_operators
import torch
from operators import Case, dims
from operators._draw import DATA_DEPENDENT, both, floats, integers

import torch2trt

TIMES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
X = floats((5, 6, 7))
I = integers((), low=-5, high=5)
NATURAL = integers((), low=0, high=3)
SCALE = floats(())


def write(x, value, *index):
    y = x.clone()
    y[index] = value
    return y


CASES = [
    Case("row", lambda x, i: x[i], both(X, I)),
    Case("column", lambda x, i: x[:, i], both(X, I)),
    Case("from the end", lambda x, i: x[..., -1 - i], both(X, NATURAL)),
    Case("select", lambda x, i: x.select(1, i), both(X, I)),
    Case("int32", lambda x, i: x[i], both(X, integers((), low=-5, high=5, dtype=torch.int32))),
    Case("computed", lambda x: x[x[:, 0, 0].argmax()], X),
    Case("two", lambda x, i, j: x[i, :, j], both(X, I, I)),
    Case("with slices", lambda x, i: x[1:4, i, None, ::2], both(X, I)),
    Case("dynamic", lambda x, i: x[:, i], both(X, integers((), low=-4, high=4)), dynamic=dims({0: "h", 1: "m"}, {}, least=4),
         other=both(floats((8, 9, 7)), integers((), low=-9, high=9))),
    Case("write", lambda x, v, i: write(x, v, slice(None), i), both(X, floats((5, 7)), I)),
    Case("write a number", lambda x, i: write(x, 2.5, i), both(X, I)),
    Case("write dynamic", lambda x, i: write(x, 2.5, slice(None), i), both(X, integers((), low=-4, high=4)),
         dynamic=dims({0: "h", 1: "m"}, {}, least=4), other=both(floats((8, 9, 7)), integers((), low=-9, high=9))),
    Case("slice", lambda x, i: x[i : i + 2], both(X, NATURAL), unbuilt=DATA_DEPENDENT),
    Case("slice from", lambda x, i: x[:, i:], both(X, I), unbuilt=DATA_DEPENDENT),
    Case("slice to", lambda x, i: x[:, :i] * 2, both(X, I), unbuilt=DATA_DEPENDENT),
    Case("slice with a step", lambda x, i: x[:, i::2], both(X, I), unbuilt=DATA_DEPENDENT),
    Case("slice to a maximum", lambda x, i: x[:, : i.max()], both(X, integers((3,), low=1, high=6)), unbuilt=DATA_DEPENDENT),
    Case("item times", lambda x, i: x * i.item(), both(X, I)),
    Case("float item times", lambda x, s: x * s.item(), both(X, SCALE)),
    Case("arithmetic", lambda x, i: x * ((i.item() + 1) / 2 - 3), both(X, I)),
    Case("float arithmetic", lambda x, s: x + (s.item() * 2 + 1) * abs(s.item()), both(X, SCALE)),
    Case("compare", lambda x, s: x > s.item(), both(X, SCALE)),
    Case("clamp", lambda x, s: x.clamp(max=s.item()), both(X, SCALE)),
    Case("full", lambda x, i: x + torch.full((7,), i.item()), both(X, I)),
    Case("full of a float", lambda x, s: x + torch.full((7,), s.item()), both(X, SCALE)),
]  # fmt: skip


@pytest.fixture(autouse=True)
def seed(request: pytest.FixtureRequest) -> int:
    """A new seed for each run, shown where a test fails."""
    value = int(os.environ.get("TORCH2TRT_TEST_SEED", "1"))
    torch.manual_seed(value)
    print(f"seed {value}")
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_position(case: Case) -> None:
    test_operators.test_operator(case)


def draw_index(draw: random.Random, shape: tuple[int, ...]) -> tuple[list, list[torch.Tensor]]:
    """An index expression as a list, `"i"` in the place of each 0-D tensor, and one draw of these tensors."""
    index, numbers = [], []
    for size in shape[: draw.randrange(1, len(shape) + 1)]:
        if draw.random() < 0.2:
            index.append(None)
        kind = draw.choice(["tensor", "tensor", "number", "slice", "all"])
        if kind == "tensor":
            numbers.append(torch.tensor(draw.randrange(-size, size)))
            index.append("i")
        elif kind == "number":
            index.append(draw.randrange(-size, size))
        elif kind == "slice":
            start, end = draw.choice([None, draw.randrange(-size, size)]), draw.choice([None, draw.randrange(-9, 9)])
            index.append(slice(start, end, draw.choice([None, 1, 2, 3])))
        else:
            index.append(slice(None))
    if draw.random() < 0.3:
        index.append(Ellipsis)
    return index, numbers


class Indexing(torch.nn.Module):
    def __init__(self, index: list, writes: bool):
        super().__init__()
        self.index, self.writes = index, writes

    def forward(self, x, *numbers):
        rest = iter(numbers)
        index = tuple(next(rest) if isinstance(entry, str) else entry for entry in self.index)
        if not self.writes:
            return x[index] + 1
        y = x.clone()
        y[index] = x.sum()
        return y


@pytest.mark.parametrize("number", range(6 * TIMES))
def test_random_indexing(number: int, seed: int) -> None:
    draw = random.Random(seed + number)
    shape = tuple(draw.randrange(2, 6) for _ in range(draw.randrange(1, 4)))
    index, numbers = draw_index(draw, shape)
    module = Indexing(index, draw.random() < 0.5).eval()
    print(shape, index, module.writes)
    inputs = (torch.randn(shape), *numbers)
    converted = torch2trt.torch2trt(module, inputs, backend="cpu", target=test_operators.TARGET, verify=False, progress=False)
    other = [torch.tensor(draw.choice([int(n), 0, -1])) for n in numbers]
    for given in (inputs, (torch.randn(shape), *other)):
        test_operators.compare(converted(*given), module(*given), 1e-5)


def draw_bound(draw: random.Random) -> tuple[int, int, int]:
    return draw.choice([-1, 0, 0, 1]), draw.randrange(-4, 5), draw.choice([1, 1, 2, 3])


class Slicing(torch.nn.Module):
    """A slice between bounds `a * size // d + c`."""

    def __init__(self, start, end, step: int, writes: bool):
        super().__init__()
        self.start, self.end, self.step, self.writes = start, end, step, writes

    def forward(self, x):
        size = x.shape[1]
        start, end = (None if bound is None else bound[0] * size // bound[2] + bound[1] for bound in (self.start, self.end))
        if not self.writes:
            return x[:, start : end : self.step] * 2
        y = x.clone()
        y[:, start : end : self.step] = 0.5
        return y


@pytest.mark.parametrize("number", range(6 * TIMES))
def test_random_slices_by_sizes(number: int, seed: int) -> None:
    """Slices of a dynamic axis: right for every size that the conversion accepts, or rejected with the axis."""
    draw = random.Random(seed + number)
    bounds = [draw.choice([None, draw_bound(draw)]) for _ in range(2)]
    module = Slicing(*bounds, draw.choice([1, 1, 2, 3]), draw.random() < 0.4).eval()
    print(bounds, module.step, module.writes)
    options = {"backend": "cpu", "target": test_operators.TARGET, "progress": False}
    try:
        converted = torch2trt.torch2trt(module, (torch.randn(2, 12),), dynamic_shapes={"x": {1: (9, 12, 16)}}, **options)
    except torch2trt.Error as error:
        assert "E0307" in str(error) or "E0601" in str(error), error
        return
    for size in range(9, 17):
        x = torch.randn(2, size)
        assert torch.equal(converted(x), module(x)), size
