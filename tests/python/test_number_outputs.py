"""Numbers among the outputs that are read out of data: `return y, n.item() > 2`; and tensors filled with such numbers.

Random programs are drawn with a printed seed; TORCH2TRT_TEST_CASES multiplies their number.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
import test_operators
import torch
from operators import Case, Function, dims
from operators._draw import both, floats, integers
from torch.utils import _pytree as pytree

import torch2trt

TIMES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
SEED = int(os.environ.get("TORCH2TRT_TEST_SEED", "1"))
X, N, S = floats((5, 4)), integers((), low=-5, high=5), floats(())
ROWS = ({0: torch.export.Dim("rows", min=2, max=9)}, {})

MODELS = {
    "integer": (lambda x, n: (x * 2, n.item()), torch.int64),
    "float": (lambda x, n: {"y": x * 2, "n": n.item()}, torch.float32),
    "bool": (lambda x, n: (x * 2, n.item()), torch.bool),
    "alone": (lambda x, n: n.item(), torch.int64),
    "arithmetic": (lambda x, n: (n.item() * 2 + 1, [x * n.item(), n.item() / 4]), torch.int64),
    "comparison": (lambda x, n: (x * 2, n.item() > 2, n.item() == 0), torch.int64),
    "negation": (lambda x, n: (x * 2, torch.sym_not(n.item() > 0)), torch.float32),
    "with a size": (lambda x, n: (n.item() + x.shape[0], x.shape[0], x.sum()), torch.int64),
    "size compared with a number": (lambda x, n: (x * 2, n.item() <= x.shape[0]), torch.int64),
    "of a computed tensor": (lambda x, n: (x * 2, (x > 0).sum().item(), x.max().item()), torch.int64),
}


def assert_equal(got: Any, wanted: Any) -> None:
    assert pytree.tree_structure(got) == pytree.tree_structure(wanted)
    for found, item in zip(pytree.tree_leaves(got), pytree.tree_leaves(wanted), strict=True):
        assert type(found) is type(item)
        if isinstance(item, torch.Tensor):
            test_operators.compare(found, item, 1e-5)
        else:
            assert found == pytest.approx(item, rel=1e-5)


def drawn(dtype: torch.dtype) -> torch.Tensor:
    if dtype is torch.bool:
        return torch.rand(()) < 0.5
    return torch.randint(-5, 6, ()) if dtype is torch.int64 else torch.randn((), dtype=dtype)


@pytest.mark.parametrize("dynamic", [None, ROWS], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", MODELS)
def test_numbers_are_outputs(name: str, dynamic: Any, tmp_path) -> None:
    torch.manual_seed(SEED)
    fn, dtype = MODELS[name]
    model = Function(fn)
    shapes = None if dynamic is None else (dynamic,)
    given = torch.randn(5, 4), drawn(dtype)
    converted = torch2trt.torch2trt(model, given, backend="cpu", dynamic_shapes=shapes, progress=False)
    converted.save(tmp_path / "net.trt2")
    for made in (converted, torch2trt.load(tmp_path / "net.trt2")):
        for rows in (5, 5) if dynamic is None else (5, 2, 9):
            given = torch.randn(rows, 4), drawn(dtype)
            assert_equal(made(*given), model(*given))


@pytest.mark.parametrize("number", range(3 * TIMES))
def test_random_numbers_are_outputs(number: int) -> None:
    print(f"seed {SEED * 1000 + number}")
    draw = random.Random(SEED * 1000 + number)

    def term(i: Any, s: Any, h: Any) -> Any:
        a, b = draws[0].choice([i, s, h, 2, 0.5]), draws[0].choice([i, h, 3])
        return draws[0].choice([a + b, a * b, torch.sym_max(a, b), torch.sym_not(a > b), a <= b, i - b])

    def fn(x: torch.Tensor, i: torch.Tensor, s: torch.Tensor) -> Any:
        draws[0] = random.Random(SEED * 1000 + number)
        numbers = i.item(), s.item(), x.shape[0]
        return [term(*numbers) for _ in range(count)], x + 1

    draws, count = [draw], draw.randrange(1, 4)
    shapes = draw.choice([None, ((*ROWS, {}),)])
    given = torch.randn(5, 4), drawn(torch.int64), drawn(torch.float32)
    model = Function(fn)
    converted = torch2trt.torch2trt(model, given, backend="cpu", dynamic_shapes=shapes, progress=False)
    for _ in range(4):
        rows = draw.randrange(2, 10) if shapes else 5
        given = torch.randn(rows, 4), drawn(torch.int64), drawn(torch.float32)
        assert_equal(converted(*given), model(*given))


FILLED = [
    Case("full", lambda x, n: torch.full((2, 3), n.item()), both(X, N)),
    Case("full of a tensor", lambda x, n: torch.full((x.shape[0], 3), n), both(X, S),
         dynamic=dims({0: "b"}, {}), other=both(floats((7, 4)), S)),
    Case("full of another dtype", lambda x, n: torch.full((2, 3), n.item(), dtype=torch.float32), both(X, N)),
    Case("full_like", lambda x, n: torch.full_like(x, n.item()), both(X, S),
         dynamic=dims({0: "b"}, {}), other=both(floats((7, 4)), S)),
    Case("new_full", lambda x, n: x.new_full((3,), n.item()), both(X, N)),
    Case("fill", lambda x, n: x.clone().fill_(n.item()), both(X, S)),
    Case("masked_fill", lambda x, n: x.masked_fill(x > 0, n.item()), both(X, S)),
]  # fmt: skip


@pytest.mark.parametrize("case", FILLED, ids=lambda case: case.name)
def test_filled_with_a_number(case: Case) -> None:
    torch.manual_seed(SEED)
    test_operators.test_operator(case)
