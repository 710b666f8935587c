"""Sizes among the outputs, with dynamic shapes: Python numbers that follow from the shapes of a call."""

import math
import operator
import os
import random

import pytest
import torch
from torch import nn

import torch2trt as package
from torch2trt import Error, torch2trt
from torch2trt.capture.size import Size
from torch2trt.verify import difference

CASES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))


def convert(model, inputs, **options):
    return torch2trt(model, inputs, backend="cpu", progress=False, **options)


def agrees(model, model_trt, *args):
    expected, got = model(*args), model_trt(*args)
    found, spec = torch.utils._pytree.tree_flatten(got)
    wanted, wanted_spec = torch.utils._pytree.tree_flatten(expected)
    assert str(spec) == str(wanted_spec).replace("TreeSpec(Size,", "TreeSpec(tuple,")  # torch.export has no torch.Size
    for e, g in zip(wanted, found, strict=True):
        if isinstance(e, torch.Tensor):
            assert difference(e, g) < 1e-5
        else:
            assert type(e) is type(g) and e == g, (e, g)


def everything(x):
    n, m = x.shape[0], x.shape[1]
    numbers = {
        "n": n,
        "numel": x.numel(),
        "half": n / 2,
        "mixed": n // 2 + m * 3 - 1,
        "large": n > 3,
        "most": max(n, m),
    }
    return x * 2, numbers, x.shape, [n % 3, (n + m) ** 2, torch.sym_int(m * 0.5), n == m]


def test_sizes_among_the_outputs(tmp_path):
    model_trt = convert(everything, [torch.randn(4, 6)], min_shapes=[(1, 1)], max_shapes=[(9, 8)])
    model_trt.save(tmp_path / "sizes.engine")
    loaded = package.load(tmp_path / "sizes.engine")
    for shape in [(4, 6), (1, 1), (9, 8), (3, 3), (7, 2)]:
        agrees(everything, model_trt, torch.randn(shape))
        agrees(everything, loaded, torch.randn(shape))


def test_outputs_that_are_sizes_only(tmp_path):
    for k, model in enumerate(
        (lambda x: x.shape[1], lambda x: (x.numel(), x.shape[0] > 2), lambda x: {"a": x.shape[0] / 4})
    ):
        model_trt = convert(model, [torch.randn(3, 5)], min_shapes=[(2, 2)], max_shapes=[(9, 8)])
        model_trt.save(tmp_path / f"{k}.engine")
        for made in (model_trt, package.load(tmp_path / f"{k}.engine")):
            for shape in [(3, 5), (2, 2), (9, 8)]:
                agrees(model, made, torch.randn(shape))


def test_a_number_that_python_fixes_is_compared():
    function = lambda x: (x, operator.index(math.floor(x.shape[1] * 0.5)))  # noqa: E731
    with pytest.raises(Error, match=r"(?s)decides by sizes.*output.1. is \d+ in PyTorch, and 3 in") as raised:
        convert(function, [torch.randn(4, 6)], min_shapes=[(4, 2)], max_shapes=[(4, 8)])
    assert raised.value.code == "E0307"


def test_the_integer_part_of_a_float_is_a_size():
    class Model(nn.Module):
        def forward(self, x):
            return x, int(x.shape[1] * 0.5), int(x.shape[1] / 3)

    model_trt = convert(Model(), [torch.randn(4, 6)], min_shapes=[(4, 2)], max_shapes=[(4, 8)])
    for n in range(2, 9):
        agrees(Model(), model_trt, torch.randn(4, n))


def test_an_axis_that_is_a_multiple():
    class Model(nn.Module):
        def forward(self, x):
            return x.reshape(-1, 2, x.shape[1]).sum(1), x.shape[0], x.shape[0] // 2

    half = torch.export.Dim("half", min=2, max=6)
    model_trt = convert(Model(), [torch.randn(4, 3)], dynamic_shapes=({0: 2 * half},))
    for n in (4, 8, 12):
        agrees(Model(), model_trt, torch.randn(n, 3))


def arithmetic(draw, depth=3):
    """A random expression over n and m."""
    if depth == 0 or draw.random() < 0.2:
        return draw.choice(["n", "m", str(draw.randint(1, 7))])
    a, b = arithmetic(draw, depth - 1), arithmetic(draw, depth - 1)
    k = draw.randint(1, 6)
    forms = [
        "({a} + {b})",
        "({a} - {b})",
        "({a} * {b})",
        "({a} // {k})",
        "({a} % {k})",
        "max({a}, {b})",
        "min({a}, {b})",
    ]
    return draw.choice(forms).format(a=a, b=b, k=k)


def test_random_arithmetic_on_sizes():
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    for _ in range(3 * CASES):
        texts = [arithmetic(draw) for _ in range(4)]
        code = compile(f"({', '.join(texts)},)", "<sizes>", "eval")

        def model(x, code=code):
            return x + 1, eval(code, {"n": x.shape[0], "m": x.shape[1], "max": max, "min": min})

        model_trt = convert(model, [torch.randn(4, 6)], min_shapes=[(2, 2)], max_shapes=[(20, 30)])
        for _ in range(5):
            agrees(model, model_trt, torch.randn(draw.randint(2, 20), draw.randint(2, 30)))


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "s0_0.__class__",
        "[0]",
        "9 ** 9 ** 9",
        "s0_0 ** 'a'",
        "s0_0 ** 1j",
        "s0_0 ** None",
        "(lambda: 0)()",
        "s0_0 << 99",
        "max(s0_0, key=s0_0)",
        "'a' * 9",
        "(",
    ],
)
def test_a_forged_size_is_rejected(text):
    with pytest.raises(ValueError):  # noqa: PT011  each has words of its own
        Size(text).check()
    tree = {
        "inputs": {"parameters": [], "specs": [], "leaves": [], "plain": 0},
        "outputs": {"leaves": [{"name": "y", "size": text}], "spec": None},
    }
    with pytest.raises(Error) as raised:
        package.tree_file.from_json(tree)
    assert raised.value.code == "E0605"
