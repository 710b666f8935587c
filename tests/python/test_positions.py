"""Indexing by 0-D tensors, numbers read out of tensors, and slices whose bounds are computed.

Random programs are drawn with a printed seed; TORCH2TRT_TEST_CASES multiplies their number.
"""

from __future__ import annotations

import ctypes
import os
import random

import numpy as np
import pytest
import test_operators
import torch
from operators import Case, dims
from operators._draw import DATA_DEPENDENT, both, floats, integers

import torch2trt

TIMES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
X = floats((5, 6, 7))
I = integers((), low=-5, high=5)  # noqa: E741
NATURAL = integers((), low=0, high=3)
SCALE = floats(())


def write(x, value, *index):
    y = x.clone()
    y[index] = value
    return y


def added(x, *index):
    """A write in place through a subscript."""
    y = x.clone()
    y[index].add_(1)
    return y


def narrowed(x, value, start):
    """A write in place through `narrow`."""
    y = x.clone()
    y.narrow(1, start, 2).copy_(value)
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
    Case("dynamic", lambda x, i: x[:, i], both(X, integers((), low=-4, high=4)),
         dynamic=dims({0: "h", 1: "m"}, {}, least=4),
         other=both(floats((8, 9, 7)), integers((), low=-9, high=9))),
    Case("write", lambda x, v, i: write(x, v, slice(None), i), both(X, floats((5, 7)), I)),
    Case("write a number", lambda x, i: write(x, 2.5, i), both(X, I)),
    Case("write dynamic", lambda x, i: write(x, 2.5, slice(None), i), both(X, integers((), low=-4, high=4)),
         dynamic=dims({0: "h", 1: "m"}, {}, least=4), other=both(floats((8, 9, 7)), integers((), low=-9, high=9))),
    Case("write at a read number", lambda x, v, i: write(x, v, Ellipsis, i.item(), slice(None)),
         both(X, floats((5, 7)), I)),
    Case("write in place", lambda x, i: added(x, slice(None), i), both(X, I)),
    Case("write a slice", lambda x, v, i: write(x, v, slice(None), slice(i, i + 2)),
         both(X, floats((5, 2, 7)), NATURAL)),
    Case("write a slice of read numbers", lambda x, v, i: write(x, v, slice(i.item(), i.item() + 2)),
         both(X, floats((6, 7)), NATURAL)),
    Case("write a slice from the end", lambda x, v, i: write(x, v, slice(-3 - i, -1 - i)),
         both(X, floats((2, 6, 7)), NATURAL)),
    Case("write a slice with a step", lambda x, v, i: write(x, v, slice(None), slice(i, i + 4, 2)),
         both(X, floats((5, 2, 7)), NATURAL)),
    Case("write two slices", lambda x, v, i, j: write(x, v, slice(i, i + 2), j, slice(j, j + 3)),
         both(X, floats((2, 3)), NATURAL, NATURAL)),
    Case("write a slice dynamic", lambda x, v, i: write(x, v, slice(None), slice(i, i + 2)),
         both(X, floats((5, 2, 7)), NATURAL), dynamic=dims({0: "h", 1: "m"}, {0: "h"}, {}, least=4),
         other=both(floats((8, 9, 7)), floats((8, 2, 7)), integers((), low=0, high=7))),
    Case("write a slice in place", lambda x, i: added(x, slice(i, i + 2)), both(X, I), unbuilt=DATA_DEPENDENT),
    Case("move a slice", lambda x, i, j: write(x, x[:, j : j + 2], slice(None), slice(i, i + 2)),
         both(X, NATURAL, NATURAL),
         unbuilt=DATA_DEPENDENT),
    Case("add to a slice", lambda x, v, i: x[:, i : i + 2] + v, both(X, floats((5, 2, 7)), NATURAL)),
    Case("narrow", lambda x, i: x.narrow(0, i, 2), both(X, integers((), low=-3, high=3))),
    Case("narrow at a read number", lambda x, i: torch.narrow(x, 1, i.item(), 3), both(X, NATURAL)),
    Case("write through narrow", lambda x, v, i: narrowed(x, v, i), both(X, floats((5, 2, 7)), NATURAL)),
    Case("narrow dynamic", lambda x, i: x.narrow(1, i, 3) * 2, both(X, NATURAL),
         dynamic=dims({0: "h", 1: "m"}, {}, least=4),
         other=both(floats((8, 9, 7)), integers((), low=-9, high=7))),
    Case("with an index", lambda x, i: x[i, :, [0, 2, 1]], both(X, I)),
    Case("write with an index", lambda x, i: write(x, 0.5, i, slice(None), [0, 2, 1]), both(X, I)),
    Case("slice", lambda x, i: x[i : i + 2], both(X, NATURAL), unbuilt=DATA_DEPENDENT),
    Case("slice from", lambda x, i: x[:, i:], both(X, I), unbuilt=DATA_DEPENDENT),
    Case("slice to", lambda x, i: x[:, :i] * 2, both(X, I), unbuilt=DATA_DEPENDENT),
    Case("slice with a step", lambda x, i: x[:, i::2], both(X, I), unbuilt=DATA_DEPENDENT),
    Case("slice to a maximum", lambda x, i: x[:, : i.max()], both(X, integers((3,), low=1, high=6)),
         unbuilt=DATA_DEPENDENT),
    Case("item times", lambda x, i: x * i.item(), both(X, I)),
    Case("float item times", lambda x, s: x * s.item(), both(X, SCALE)),
    Case("arithmetic", lambda x, i: x * ((i.item() + 1) / 2 - 3), both(X, I)),
    Case("float arithmetic", lambda x, s: x + (s.item() * 2 + 1) * abs(s.item()), both(X, SCALE)),
    Case("compare", lambda x, s: x > s.item(), both(X, SCALE)),
    Case("clamp", lambda x, s: x.clamp(max=s.item()), both(X, SCALE)),
    Case("int", lambda x, i: x[:, int(i)], both(X, I)),
    Case("int of a float", lambda x, s: x * (abs(int(s * 3.7)) + 1), both(X, SCALE)),
    Case("int slice", lambda x, v, i: write(x, v, slice(None), slice(int(i), int(i) + 2)),
         both(X, floats((5, 2, 7)), NATURAL)),
    Case("float", lambda x, s: x * float(s) + float(x.sum()), both(X, SCALE)),
    Case("float of an integer", lambda x, i: x * float(i) / 2, both(X, I)),
    Case("float clamp", lambda x, s: x.clamp(min=-abs(float(s)), max=float(s.abs()) + 1), both(X, SCALE)),
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
    """An index expression as a list, and one draw of the 0-D tensors in it: `"i"` stands for one, and `("i", length,
    step)` for a slice that starts there."""
    index, numbers = [], []
    for size in shape[: draw.randrange(1, len(shape) + 1)]:
        if draw.random() < 0.2:
            index.append(None)
        kind = draw.choice(["tensor", "tensor", "window", "number", "slice", "all"])
        if kind == "tensor":
            numbers.append(torch.tensor(draw.randrange(-size, size)))
            index.append("i")
        elif kind == "window":
            numbers.append(torch.tensor(draw.randrange(-size, size)))
            index.append(("i", draw.randrange(1, 4), draw.choice([1, 1, 2])))
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
    """Reads, or writes a number or a tensor, which has the axes of size 1 that broadcasting allows."""

    def __init__(self, index: list, writes: bool, reads_numbers: bool, value: torch.Tensor | None):
        super().__init__()
        self.index, self.writes, self.reads_numbers = index, writes, reads_numbers
        self.value = value

    def entry(self, entry, rest):
        if isinstance(entry, str):
            return next(rest)
        return slice(start := next(rest), start + entry[1], entry[2]) if isinstance(entry, tuple) else entry

    def forward(self, x, *numbers):
        rest = iter([number.item() for number in numbers] if self.reads_numbers else numbers)
        index = tuple(self.entry(entry, rest) for entry in self.index)
        if not self.writes:
            return x[index] + 1
        y = x.clone()
        y[index] = x.sum() if self.value is None else self.value
        return y


@pytest.mark.parametrize("number", range(6 * TIMES))
def test_random_indexing(number: int, seed: int) -> None:
    draw = random.Random(seed + number)
    shape = tuple(draw.randrange(2, 6) for _ in range(draw.randrange(1, 4)))
    index, numbers = draw_index(draw, shape)
    module = Indexing(index, draw.random() < 0.6, draw.random() < 0.3, None).eval()
    if module.writes and draw.random() < 0.6:
        module.writes = False
        written = module(torch.randn(shape), *numbers)
        module.writes, module.value = True, torch.randn([size if draw.random() < 0.6 else 1 for size in written.shape])
    print(shape, index, module.writes, module.reads_numbers, None if module.value is None else module.value.shape)
    inputs = (torch.randn(shape), *numbers)
    converted = torch2trt.torch2trt(
        module, inputs, backend="cpu", target=test_operators.TARGET, verify=False, progress=False
    )
    other = [torch.tensor(draw.choice([int(n), 0, -1])) for n in numbers]
    for given in (inputs, (torch.randn(shape), *other)):
        try:
            expected = module(*given)
        except RuntimeError:  # a slice of another length than what is written to it
            continue
        test_operators.compare(converted(*given), expected, 1e-5)


def draw_bound(draw: random.Random) -> tuple[int, int, int]:
    return draw.choice([-1, 0, 0, 1]), draw.randrange(-4, 5), draw.choice([1, 1, 2, 3])


class Slicing(torch.nn.Module):
    """A slice between bounds `a * size // d + c`."""

    def __init__(self, start, end, step: int, writes: bool):
        super().__init__()
        self.start, self.end, self.step, self.writes = start, end, step, writes

    def forward(self, x):
        size = x.shape[1]
        start, end = (
            None if bound is None else bound[0] * size // bound[2] + bound[1] for bound in (self.start, self.end)
        )
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
        converted = torch2trt.torch2trt(
            module, (torch.randn(2, 12),), dynamic_shapes={"x": {1: (9, 12, 16)}}, **options
        )
    except torch2trt.Error as error:
        assert "E0307" in str(error) or "E0601" in str(error), error
        return
    for size in range(9, 17):
        x = torch.randn(2, size)
        assert torch.equal(converted(x), module(x)), size


def is_number(value):
    return isinstance(value, int) or type(value) == float or issubclass(type(value), (int, float))  # noqa: E721


class Converting(torch.nn.Module):
    """`int` and `float` are also names of classes."""

    def forward(self, x, s):
        scale: float = float("2.5") if is_number(3) and is_number(2.5) and not is_number("3") else 0.0
        return x * scale + float(s) * int("2") + int.from_bytes(b"\x02", "big")


def test_int_and_float_remain_classes_while_they_read_tensors() -> None:
    module = Converting().eval()
    given = (torch.randn(3), torch.tensor(1.5))
    converted = torch2trt.torch2trt(module, given, backend="cpu", target=test_operators.TARGET, progress=False)
    test_operators.compare(converted(given[0], torch.tensor(-0.5)), module(given[0], torch.tensor(-0.5)), 1e-5)
    assert "int" not in globals() and "float" not in globals()


class Rows(torch.nn.Module):
    def forward(self, x, i):
        return x[i] + 1


@pytest.mark.parametrize("overridden", [False, True])
def test_tensors_are_no_sequences_after_a_conversion(overridden) -> None:
    """C code would take tensors for sequences if `Tensor.__getitem__` had been an attribute once."""
    before = dict(vars(torch.Tensor))
    module = Rows().eval()
    given = (torch.randn(3, 2), torch.tensor(1))
    added = torch2trt.tensorrt_converter("torch.Tensor.__getitem__")(convert_subscript) if overridden else None
    try:
        converted = torch2trt.torch2trt(module, given, backend="cpu", progress=False)
    finally:
        if added:
            del torch2trt.CONVERTERS["torch.Tensor.__getitem__"]
    torch.testing.assert_close(converted(given[0], torch.tensor(2)), module(given[0], torch.tensor(2 - overridden)))
    assert dict(vars(torch.Tensor)) == before
    assert not ctypes.pythonapi.PySequence_Check(ctypes.py_object(given[0]))
    assert torch.tensor([torch.tensor(3), 4]).tolist() == [3, 4]


def convert_subscript(ctx) -> None:
    """The row of the sample, whatever the input."""
    layer = ctx.network.add_gather(
        ctx.method_args[0]._trt, ctx.network.add_constant((), np.array(1, np.int32)).get_output(0), 0
    )
    ctx.method_return._trt = layer.get_output(0)
