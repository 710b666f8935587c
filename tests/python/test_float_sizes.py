"""Sizes that a model computes through floats: one integer form, equal to PyTorch's size for every size of the range."""

from __future__ import annotations

import math
import os
import random

import pytest
import sympy
import torch
import torch.nn.functional as F
from test_capture_symbols import FUNCTIONS, A, B, evaluate
from test_dynamic import Op, agree, convert, refused
from torch import nn
from torch.utils._sympy import functions as torch_functions

from torch2trt import _core
from torch2trt.capture.symbols import Inexpressible, render_in

TIMES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
ROUNDINGS = {
    "TruncToInt": math.trunc,
    "FloorToInt": math.floor,
    "CeilToInt": math.ceil,
    "RoundToInt": round,
}


def test_random_factors_give_the_sizes_of_python():
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    refusals = 0
    for _ in range(40 * TIMES):
        factor = draw.choice(
            [draw.randint(1, 400) / 100, draw.randint(1, 50) / draw.randint(1, 50), draw.uniform(0.1, 4)]
        )
        name, high = draw.choice(list(ROUNDINGS)), draw.choice([3, 100, 2000])
        expression = getattr(torch_functions, name)(sympy.Float(factor) * torch_functions.ToFloat(A))
        limits: dict[str, int] = {}
        try:
            text = render_in(expression, {"s0": (2, high)}, limits)
        except Inexpressible:
            refusals += 1
            continue
        for size in range(1, min(high, limits.get("s0", high)) + 1):
            assert evaluate(text, {"s0": size}) == ROUNDINGS[name](factor * size), (
                f"{name}({factor}*{size}), seed {seed}: {text}"
            )
    assert refusals <= 4 * TIMES, f"{refusals} refused, seed {seed}"


@pytest.mark.parametrize("factor", [0.29, 0.57, 0.58, 1.1, 1.13, 2.3, 1 / 3, 2 / 3])
@pytest.mark.parametrize("name", ROUNDINGS)
def test_floats_that_round_to_other_integers(factor, name):
    """`int(0.29 * 100)` is 28."""
    limits: dict[str, int] = {}
    expression = getattr(torch_functions, name)(sympy.Float(factor) * torch_functions.ToFloat(A))
    text = render_in(expression, {"s0": (2, 5000)}, limits)
    sizes, code = range(1, limits.get("s0", 5000) + 1), compile(str(text), "<size>", "eval")
    assert len(sizes) >= 100
    assert [eval(code, {**FUNCTIONS, "s0": size}) for size in sizes] == [
        ROUNDINGS[name](factor * size) for size in sizes
    ]


def test_roots_are_steps():
    limits: dict[str, int] = {}
    root = torch_functions.FloorToInt(torch_functions.FloatPow(torch_functions.ToFloat(A), sympy.Float(0.5)))
    text = render_in(root, {"s0": (2, 300)}, limits)
    assert [evaluate(text, {"s0": size}) for size in range(1, 301)] == [math.isqrt(size) for size in range(1, 301)]
    assert render_in(root + B, {"s0": (2, 300)}, {}).endswith("s1") or "s1" in render_in(root + B, {"s0": (2, 300)}, {})


class Resized(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.options = options

    def forward(self, x):
        return F.interpolate(x, **self.options)


MODES = [
    {"mode": "nearest"},
    {"mode": "nearest-exact"},
    {"mode": "bilinear"},
    {"mode": "bilinear", "align_corners": True},
    {"mode": "bicubic"},
    {"mode": "bilinear", "antialias": True},
    {"mode": "bicubic", "antialias": True},
]


@pytest.mark.parametrize("case", range(5 * TIMES))
def test_resized_by_random_factors(case):
    seed = int(os.environ.get("TORCH2TRT_TEST_SEED", "1")) + case
    draw = random.Random(seed)
    factor = draw.choice([draw.uniform(0.3, 2.5), draw.choice([1.7, 0.3, 1 / 3, 0.75, 1.1, 0.7])])
    options = {**draw.choice(MODES), "scale_factor": factor}
    if draw.random() < 0.4:
        options["recompute_scale_factor"] = True
    try:
        model, tried = Resized(options), f"{options}, seed {seed}"
        model_trt = convert(model, [torch.randn(1, 2, 18, 20)], min_shapes=[(1, 2, 8, 8)], max_shapes=[(1, 2, 40, 40)])
        for _ in range(4):
            agree(model, model_trt, torch.randn(1, 2, draw.randint(8, 40), draw.randint(8, 40)))
    except BaseException:
        print(tried)
        raise


def test_integers_are_resized_to_sizes_of_the_input():
    model = Resized({"scale_factor": 1.5})
    model_trt = convert(model, [torch.randint(0, 9, (1, 2, 8, 8), dtype=torch.uint8)], max_shapes=[(1, 2, 20, 20)])
    agree(model, model_trt, torch.randint(0, 9, (1, 2, 13, 17), dtype=torch.uint8))


@pytest.mark.parametrize(
    "function", [lambda h: math.floor(h * 0.7), lambda h: math.ceil(h * 0.3), lambda h: round(h * 0.7)]
)
def test_slices_by_rounded_sizes(function):
    model = Op(lambda x: x[:, : function(x.shape[1])]).eval()
    model_trt = convert(model, [torch.randn(2, 9, 6)], min_shapes=[(2, 4, 6)], max_shapes=[(2, 30, 6)])
    for length in range(4, 31):
        agree(model, model_trt, torch.randn(2, length, 6))


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


ROUNDED = {
    "int": lambda h, f: int(h * f),
    "int of a quotient": lambda h, f: int(h / f),
    "int of a float": lambda h, f: int(float(h) * f) + 1,
    "int of round": lambda h, f: round(h * f),
    "floor": lambda h, f: math.floor(h * f),
    "ceil": lambda h, f: math.ceil(h / f),
    "root": lambda h, f: int(math.sqrt(h)) + int(h**0.5),
    "size": lambda h, f: int(h) // 2 + 1,
}
USES = {
    "resize": lambda x, n, f: F.interpolate(x, size=(n, 5), mode="bilinear"),
    "antialiased": lambda x, n, f: F.interpolate(x, size=(n, x.shape[3]), mode="bicubic", antialias=True),
    "slice": lambda x, n, f: x[:, :, : n % x.shape[2] + 1],
    "arange": lambda x, n, f: x[:, :, :1] + torch.arange(n)[:, None],
    "arange to a float": lambda x, n, f: x[:, :, :1] + torch.arange(0, x.shape[2] * f)[:, None],
    "linspace": lambda x, n, f: x[:, :, :1] * torch.linspace(-f, f, n)[:, None],
    "logspace": lambda x, n, f: x[:, :, :1] * torch.logspace(-1, f, n, base=2.0)[:, None],
    "zeros": lambda x, n, f: torch.cat([x, x.new_zeros(1, 2, n, 1).expand(-1, -1, -1, x.shape[3])], 2),
    "factor": lambda x, n, f: x * (x.shape[2] * f) + x.shape[3] / 3 - 1 / math.sqrt(n + 0.5),
    "full": lambda x, n, f: x + torch.full((x.shape[2], 1), x.shape[2] / (n + f)),
    "grid": lambda x, n, f: transformed(x, [1, 2, n + 1, x.shape[3]], f > 1),
    "grid of the image": lambda x, n, f: transformed(x, x.shape, f > 1),
}


def transformed(x, size, align_corners):
    theta = torch.tensor([[[0.9, 0.1, 0.05], [-0.2, 1.1, 0.0]]])
    return F.grid_sample(x, F.affine_grid(theta, size, align_corners=align_corners), align_corners=align_corners)


@pytest.mark.parametrize("case", range(len(USES) * TIMES))
def test_random_arithmetic_on_sizes(case):
    seed = int(os.environ.get("TORCH2TRT_TEST_SEED", "1")) + case
    draw = random.Random(seed)
    factor = draw.choice([draw.uniform(0.3, 2.5), draw.choice([0.3, 1 / 3, 3.0, 0.7, 1.1, 2.0])])
    (rounded, size), (use, made) = draw.choice(list(ROUNDED.items())), list(USES.items())[case % len(USES)]
    model = Function(lambda x: made(x, size(x.shape[2], factor), factor)).eval()
    try:
        model_trt = convert(model, [torch.randn(1, 2, 18, 20)], min_shapes=[(1, 2, 8, 8)], max_shapes=[(1, 2, 40, 40)])
        for _ in range(4):
            agree(model, model_trt, torch.randn(1, 2, draw.randint(8, 40), draw.randint(8, 40)))
    except BaseException:
        print(f"{use} by {rounded} of {factor}, seed {seed}")
        raise


def test_builtins_stay_what_they_are_in_a_model_that_rounds_sizes():
    def model(x):
        assert isinstance(3, int) and not isinstance(2.5, int) and isinstance(2.5, float) and issubclass(bool, int)
        assert int == int  # noqa: E721
        assert int("7", 8) == 7 and int.from_bytes(b"1", "big") == 49 and float("inf") > 0
        return x[:, : int(x.shape[1] * 0.6)]

    model_trt = convert(Function(model).eval(), [torch.randn(2, 9, 6)], min_shapes=[(2, 8, 6)], max_shapes=[(2, 30, 6)])
    for length in (8, 15, 30):
        agree(Function(model), model_trt, torch.randn(2, length, 6))
    assert "int" not in globals() and math.sqrt(4) == 2.0


def test_floats_that_depend_on_sizes_are_operands():
    model = Function(lambda x: x * (x.shape[1] * 0.3)).eval()
    model_trt = convert(model, [torch.randn(2, 9, 6)], max_shapes=[(2, 30, 6)])
    for length in (9, 17, 30):
        agree(model, model_trt, torch.randn(2, length, 6))


def test_a_size_without_an_exact_form_is_refused_by_axis():
    model = Function(lambda x: x[:, : int(math.sqrt(x.shape[1] * x.shape[2]))]).eval()
    ranges = {"min_shapes": [(2, 6, 6)], "max_shapes": [(2, 30, 30)]}
    refused("E0307", lambda: convert(model, [torch.randn(2, 9, 6)], **ranges), "axis 1 of `x`", "static")


def test_archives_have_the_same_forms(tmp_path):
    """The reader of archives checks sizes for the same range, by the same rules."""
    test_pt2 = pytest.importorskip("test_pt2")
    draw = random.Random(int(os.environ.get("TORCH2TRT_TEST_SEED", "1")))
    for _ in range(3 * TIMES):
        factor = draw.choice([draw.uniform(0.3, 2.5), draw.choice([0.3, 1 / 3, 0.29, 0.7, 1.1, 1.7])])
        made = draw.choice(
            [
                lambda x, f: F.interpolate(x, scale_factor=f),
                lambda x, f: F.interpolate(x, size=(math.trunc(x.shape[2] * f), 5)) + math.trunc(x.shape[2] / f),
                lambda x, f: torch.cat([x, x.new_zeros(1, 2, math.trunc(x.shape[2] / f), 20)], 2),
            ]
        )
        model = Function(lambda x: made(x, factor))
        dims = ({2: torch.export.Dim("h", min=8, max=draw.choice([40, 3000]))},)
        case = (model.eval(), (torch.randn(1, 2, 18, 20),), {}, dims)
        program = test_pt2.exported(case)
        read, in_memory = _core.read_archive(test_pt2.saved(program, tmp_path)), test_pt2.walked(program, case)
        assert str(read).replace("x_dim2", "h").splitlines() == str(in_memory).splitlines(), f"{factor}"
