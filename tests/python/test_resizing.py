"""`resize_` and `resize_as_`: the elements that are defined, in the order of memory.

Random programs are drawn with a printed seed; TORCH2TRT_TEST_CASES multiplies their number.
"""

from __future__ import annotations

import math
import os
import random

import pytest
import test_operators
import torch
from operators import Case, dims
from operators._draw import both, floats, integers

from torch2trt import torch2trt

TIMES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
SEED = int(os.environ.get("TORCH2TRT_TEST_SEED", "1"))
OLD = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 12)
X = floats((5, 4))


def defined(x, *size):
    """What is defined after resizing a copy."""
    count = x.numel()
    return x.clone().resize_(*size).flatten()[:count] * 2


def copied(x, *size):
    """A larger tensor that is filled afterwards."""
    y = x.clone().resize_(*size)
    y.copy_(torch.arange(y.numel()).reshape(y.shape) * x.sum())
    return y + 1


CASES = [
    Case("smaller", lambda x: x.clone().resize_(2, 3) * 2, X),
    Case("as many", lambda x: x.clone().resize_(2, 10) * 2, X),
    Case("larger", lambda x: defined(x, 6, 7), X),
    Case("larger and filled", lambda x: x.clone().resize_(6, 7).fill_(1.5) + x.sum(), X),
    Case("larger and copied to", lambda x: copied(x, 8, 3), X),
    Case("of integers", lambda x: defined(x, 6, 7), integers((5, 4), low=-5, high=5)),
    Case("of bools", lambda x: (x > 0).resize_(3, 4) | False, X),
    Case("of a turned tensor", lambda x: x.t().clone().resize_(3, 5) * 2, X),
    Case("of nothing", lambda x: torch.empty(0).resize_(2, 3).copy_(x[:2, :3]) * 2, X),
    Case("as another", lambda x, y: x.clone().resize_as_(y) * 2, both(X, floats((3, 4)))),
    Case("functional", lambda x: torch.ops.aten.resize(x, [5, 5]).flatten()[:20] * 2, X),
    Case("dynamic smaller", lambda x: x.clone().resize_(x.shape[0], 3) * 2, X,
         dynamic=dims({0: "b"}, least=2), other=floats((7, 4))),
    Case("dynamic larger", lambda x: defined(x, x.shape[0] + 2, 6), X,
         dynamic=dims({0: "b"}, least=2), other=floats((7, 4))),
    Case("dynamic to a fixed size", lambda x: x.clone().resize_(2, 3) * 2, X,
         dynamic=dims({0: "b"}, least=3), other=floats((7, 4))),
    Case("dynamic filled", lambda x: copied(x, 2 * x.shape[0], 5), X,
         dynamic=dims({0: "b"}, least=2), other=floats((7, 4))),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_resizing(case: Case) -> None:
    if case.name == "dynamic to a fixed size" and OLD:
        pytest.skip("this PyTorch does not export it")
    torch.manual_seed(SEED)
    test_operators.test_operator(case)


def resized(order, size, factor):
    """Resizes a permuted copy, then reads what is defined."""

    def fn(x):
        y = x.permute(order).clone()
        y.resize_([x.shape[0] * factor, *size] if factor else size)
        return y.flatten()[: x.numel()] + 1

    return fn


@pytest.mark.parametrize("number", range(4 * TIMES))
def test_random_resizing(number: int) -> None:
    print(f"seed {SEED * 1000 + number}")
    draw = random.Random(SEED * 1000 + number)
    shape = [draw.randrange(2, 5) for _ in range(draw.randrange(1, 4))]
    order = draw.sample(range(len(shape)), len(shape))
    size = [draw.randrange(1, 6) for _ in range(draw.randrange(1, 4))]
    factor = draw.choice([0, 0, 1, 2])
    dynamic = dims({0: "b"}, least=5) if factor and draw.random() < 0.7 else None
    if dynamic:
        shape[0] = 7  # unlike other sizes, so that torch.export takes none of them for it
    other = floats((shape[0] + 3, *shape[1:])) if dynamic else None
    print(shape, order, size, factor, dynamic, math.prod(size))
    fn = resized(order, size, factor)
    test_operators.test_operator(Case("drawn", fn, floats(tuple(shape)), dynamic=dynamic, other=other))


@pytest.mark.parametrize("dtype", [torch.float32, torch.int32])
@pytest.mark.parametrize("size", [(10,), (7, 7), (5, 5, 5), (3,)], ids=str)
def test_undefined_elements_are_compared_as_zeros(size, dtype):
    def model(x):
        return torch.ops.aten.resize_.default(x + 1, size) * 2

    x = torch.arange(5, dtype=dtype)
    torch.full((4096,), 7e8).abs()  # what new memory may hold
    model_trt = torch2trt(model, [x], backend="cpu", progress=False)
    got = model_trt(x)
    count = min(5, got.numel())
    assert got.shape == size
    assert torch.equal(got.flatten()[:count], (x + 1).flatten()[:count] * 2)
    assert not got.flatten()[count:].any()
    assert set(model_trt.report.difference.values()) == {0.0}
