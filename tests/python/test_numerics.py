"""NaN and infinities in reductions, integers that wrap around, random expressions of complex numbers.

Random cases are drawn with a seed that is shown where a test fails; TORCH2TRT_TEST_CASES multiplies their number.
"""

from __future__ import annotations

import os
import random

import pytest
import replay  # noqa: F401  (finds torch2trt)
import torch
from torch import nn
from torch.nn import functional as F

import torch2trt as package
from torch2trt import torch2trt

CASES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
INF = float("inf")
EDGES = torch.tensor([float("nan"), INF, -INF, 0.0, -0.0, 3e38, -3e38, 1.0, -1.0, 5.5])
SMALL = [torch.uint8, torch.int8, torch.int16, torch.int32]
LARGE = [torch.int32, torch.int64]


class Functions(nn.Module):
    """Several functions of the same inputs, by name."""

    def __init__(self, functions):
        super().__init__()
        self.functions = functions

    def forward(self, *inputs):
        return {name: function(*inputs) for name, function in self.functions.items()}


def convert(functions, inputs, **options):
    return torch2trt(Functions(functions).eval(), inputs, backend="cpu", verify=False, progress=False, **options)


@pytest.fixture
def draw(request):
    seed = int(os.environ.get("TORCH2TRT_TEST_SEED", "1"))
    torch.manual_seed(seed)
    print(f"seed {seed}")
    return random.Random(seed)


def leaves(result):
    return [result] if isinstance(result, torch.Tensor) else [leaf for item in result for leaf in leaves(item)]


def compare(name, got, expected, inputs, tolerance=0.0):
    for ours, theirs in zip(leaves(got), leaves(expected), strict=True):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, name
        if theirs.is_complex():
            ours, theirs = torch.view_as_real(ours), torch.view_as_real(theirs.resolve_conj())
        if not theirs.is_floating_point():
            close = torch.equal(ours, theirs)
        else:
            close = torch.allclose(ours.double(), theirs.double(), rtol=tolerance, atol=tolerance, equal_nan=True)
        given = [x.tolist() if isinstance(x, torch.Tensor) else x for x in inputs]
        assert close, f"{name}: {ours.tolist()} for {theirs.tolist()} of {given}"


def special(*shape, share=0.3):
    """Normal numbers, some of which are NaN, infinite or large."""
    picked = EDGES[torch.randint(0, len(EDGES), shape)]
    return torch.where(torch.rand(shape) < share, picked, torch.randn(shape))


# Positions of NaN are compared too, where PyTorch defines them: the first NaN, or the last of a running extreme.
EXTREMES = {
    "max": lambda x: x.max(),
    "min": lambda x: x.min(),
    "amax": lambda x: x.amax(1),
    "amax of two": lambda x: x.amax((0, 1)),
    "amin": lambda x: x.amin(-1, keepdim=True),
    "max.dim": lambda x: tuple(x.max(1)),
    "max.dim 0": lambda x: tuple(x.max(0)),
    "min.dim": lambda x: tuple(x.min(-1)),
    "argmax": lambda x: x.argmax(),
    "argmax 1": lambda x: x.argmax(1),
    "argmin": lambda x: x.argmin(-1, keepdim=True),
    "aminmax": lambda x: tuple(x.aminmax(dim=1)),
    "cummax": lambda x: tuple(x.cummax(1)),
    "cummin": lambda x: tuple(x.cummin(0)),
    "norm inf": lambda x: torch.linalg.vector_norm(x, INF, 1),
    "norm -inf": lambda x: torch.linalg.vector_norm(x, -INF, 1),
    "sort": lambda x: tuple(x.sort(stable=True, dim=1)),
    "sort descending": lambda x: tuple(x.sort(stable=True, dim=-1, descending=True)),
    "topk": lambda x: x.topk(3, -1).values,
    "topk smallest": lambda x: x.topk(2, 1, largest=False).values,
    "first of topk": lambda x: x.topk(1, -1).values,
    "first of topk smallest": lambda x: x.topk(1, 1, largest=False).values,
    "kthvalue": lambda x: x.kthvalue(2, -1).values,
    "first kthvalue": lambda x: x.kthvalue(1, 1).values,
    "median": lambda x: x.median(),
    "median.dim": lambda x: x.median(-1).values,
    "any": lambda x: x.any(1),
    "all": lambda x: x.all(1),
    "count_nonzero": lambda x: x.count_nonzero(1),
    "sign": torch.sign,
    "sgn": torch.sgn,
    "threshold": lambda x: nn.functional.threshold(x, 0.1, 20.0),
    "relu": torch.relu,
    "clamp": lambda x: x.clamp(-1, 1),
}
ROUNDED = {
    "sum": lambda x: x.sum(1),
    "mean": lambda x: x.mean(1),
    "nansum": lambda x: x.nansum(-1),
    "logsumexp": lambda x: x.logsumexp(1),
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(1),
}


def moderate(x):
    """Without the large finite numbers, whose sums depend on the order."""
    return torch.where(x.isfinite(), x.clamp(-9, 9), x)


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 4, 1), (2, 3, 7)])
def test_nan_and_infinities_in_reductions(shape, draw, tmp_path):
    # `topk` needs as many elements as it takes.
    functions = {k: f for k, f in {**EXTREMES, **ROUNDED}.items() if shape[-1] > 2 or k not in ("topk", "kthvalue")}
    made = convert(functions, [special(*shape)])
    made.save(tmp_path / "model.engine")
    for converted in (made, package.load(tmp_path / "model.engine")):
        for _ in range(4 * CASES):
            x = special(*shape, share=draw.choice([0.0, 0.05, 0.3, 1.0]))
            for values, table in ((x, EXTREMES), (moderate(x), ROUNDED)):
                got = converted(values)
                for name in functions.keys() & table.keys():
                    compare(name, got[name], functions[name](values), [values], 1e-4 if table is ROUNDED else 0.0)


ACTIVATIONS = {
    "hardshrink": F.hardshrink,
    "softshrink": F.softshrink,
    "tanhshrink": F.tanhshrink,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "elu": F.elu,
    "celu": F.celu,
    "selu": F.selu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "logsigmoid": F.logsigmoid,
    "softsign": F.softsign,
    "prelu": lambda x: F.prelu(x, torch.tensor([0.25])),
    "rrelu": F.rrelu,
    "glu": lambda x: F.glu(x, 0),
}


def test_nan_and_infinities_in_activations(draw):
    converted = convert(ACTIVATIONS, [special(4, 5)])
    for _ in range(4 * CASES):
        x = moderate(special(4, 5, share=draw.choice([0.0, 0.3, 1.0])))
        got = converted(x)
        for name, function in ACTIVATIONS.items():
            compare(name, got[name], function(x), [x], 1e-5)


def test_nan_with_dynamic_sizes(draw):
    fixed = ("sort", "topk", "kthvalue", "topk smallest", "cummax")
    functions = {k: f for k, f in EXTREMES.items() if k not in fixed}
    rows = torch.export.Dim("rows", min=1, max=64)
    made = convert(functions, [special(3, 4, 5)], dynamic_shapes=(({1: rows},),))
    for _ in range(6 * CASES):
        x = special(3, draw.randint(1, 9), 5, share=draw.choice([0.05, 0.3, 1.0]))
        got = made(x)
        for name, function in functions.items():
            compare(name, got[name], function(x), [x])


def random_pool(draw, axes):
    """A pooling of so many axes, with windows that reach into the padding, are dilated or hang over the end."""
    functions = torch.nn.functional
    size = [draw.randint(1, 3) for _ in range(axes)]
    if draw.random() < 0.4:
        pool = {1: functions.adaptive_max_pool1d, 2: functions.adaptive_max_pool2d, 3: functions.adaptive_max_pool3d}[
            axes
        ]
        return lambda x: pool(x, size, return_indices=True)
    pool = {1: functions.max_pool1d, 2: functions.max_pool2d, 3: functions.max_pool3d}[axes]
    stride, dilation = [draw.randint(1, 3) for _ in size], [draw.choice([1, 1, 2]) for _ in size]
    padding, ceil = [draw.randint(0, k // 2) for k in size], draw.random() < 0.3
    return lambda x: pool(x, size, stride, padding, dilation, ceil, return_indices=True)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_nan_and_infinities_in_pools(axes, draw, tmp_path):
    # The values alone are other layers than the values with their positions.
    pools = {f"pool {k}": random_pool(draw, axes) for k in range(6 * CASES)}
    functions = {**pools, **{f"values of {name}": lambda x, pool=pool: pool(x)[0] for name, pool in pools.items()}}
    shape = [2, 3, *(draw.randint(5, 7) for _ in range(axes))]
    made = convert(functions, [special(*shape)])
    made.save(tmp_path / "model.engine")
    for converted in (made, package.load(tmp_path / "model.engine")):
        for _ in range(4 * CASES):
            x = special(*shape, share=draw.choice([0.0, 0.05, 0.3, 1.0]))
            x = torch.where(
                torch.rand(shape) < draw.choice([0.0, 0.6, 0.95]), torch.tensor(draw.choice([-INF, float("nan")])), x
            )
            got = converted(x)
            for name, function in functions.items():
                compare(name, got[name], function(x), [x])


def test_nan_and_infinities_in_pools_with_dynamic_sizes(draw):
    functions = torch.nn.functional
    pools = {
        "window": lambda x: functions.max_pool2d(x, 3, 2, 1, return_indices=True),
        "values": lambda x: functions.max_pool2d(x, 3, 2, 1),
        "chain": lambda x: functions.max_pool2d(functions.max_pool2d(x, 3, 1, 1), 2),
        "adaptive": lambda x: functions.adaptive_max_pool2d(x, (3, 2), return_indices=True),
        "adaptive values": lambda x: functions.adaptive_max_pool2d(x, (3, 2)),
        "whole": lambda x: functions.adaptive_max_pool2d(x, 1),
    }
    height, width = (torch.export.Dim(name, min=4, max=64) for name in ("height", "width"))
    made = convert(pools, [special(2, 3, 8, 9)], dynamic_shapes=(({2: height, 3: width},),))
    for _ in range(6 * CASES):
        x = special(2, 3, draw.randint(4, 9), draw.randint(4, 9), share=draw.choice([0.05, 0.3, 1.0]))
        got = made(x)
        for name, function in pools.items():
            compare(name, got[name], function(x), [x])


def test_nan_passes_a_convolution_and_a_pool(draw):
    """Values in ONNX Runtime's blocked layout, and a chain of pools, of which only the first is searched."""
    convolution = nn.Conv2d(3, 32, 3, padding=1, bias=False)
    head = nn.Conv2d(96, 4, 1)

    def function(x):
        x = torch.relu(convolution(x))
        pool = torch.nn.functional.max_pool2d
        first, second = pool(x, 5, 1, 2), pool(pool(x, 5, 1, 2), 5, 1, 2)
        return pool(head(torch.cat([x, first, second], 1)), 2)

    with torch.no_grad():
        made = convert({"pools": function}, [torch.randn(1, 3, 16, 16)])
        for _ in range(4 * CASES):
            x = torch.randn(1, 3, 16, 16)
            x[torch.rand(x.shape) < draw.choice([0.0, 0.002])] = draw.choice([float("nan"), INF])
            compare("pools", made(x)["pools"], function(x), [x], 1e-4)


def integers(dtype, *shape):
    """The whole range, or small numbers, with the ends of the range."""
    limits = torch.iinfo(dtype)
    low, high = (limits.min, limits.max) if random.random() < 0.5 else (max(limits.min, -9), 9)
    x = torch.randint(low, min(high + 1, 2**63 - 1), shape).to(dtype)
    ends = torch.tensor([limits.min, limits.max, 0, 1], dtype=dtype)[torch.randint(0, 4, shape)]
    return torch.where(torch.rand(shape) < 0.2, ends, x)


def nonzero(x):
    """Divisors: not 0, and not -1, which overflows with the least number of a signed type."""
    excluded = (x == 0) | (x == -1) if x.dtype.is_signed else x == 0
    return torch.where(excluded, torch.full_like(x, 3), x)


ARITHMETIC = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "rsub": lambda x, y: 100 - x,
    "alpha": lambda x, y: torch.add(x, y, alpha=3),
    "mul": lambda x, y: x * y,
    "mul number": lambda x, y: x * 7,
    "neg": lambda x, y: -x,
    "square": lambda x, y: x.square(),
    "cube": lambda x, y: x**3,
    "shift left": lambda x, y: x << 3,
    "shift right": lambda x, y: x >> 2,
    "shift by tensor": lambda x, y: x << (y % 4),
    "right by tensor": lambda x, y: x >> (y % 7),
    "floor_divide": lambda x, y: x // nonzero(y),
    "trunc divide": lambda x, y: torch.div(x, nonzero(y), rounding_mode="trunc"),
    "remainder": lambda x, y: x % nonzero(y),
    "fmod": lambda x, y: torch.fmod(x, nonzero(y)),
    "divide by number": lambda x, y: (x // 3, x % 3, x // 5),
    "abs": lambda x, y: x.abs(),
    "minimum": lambda x, y: torch.minimum(x, y),
    "clamp": lambda x, y: x.clamp(2, 90),
    "where": lambda x, y: torch.where(x > y, x, y),
    "sum": lambda x, y: (x.sum(), x.sum(1)),
    "sum in type": lambda x, y: x.sum(1, dtype=x.dtype),
    "prod": lambda x, y: x.prod(1),
    "cumsum in type": lambda x, y: x.cumsum(1, dtype=x.dtype),
    "float": lambda x, y: x.float() / 3,
    "narrow": lambda x, y: ((x.int() * 3).to(torch.uint8), (x.int() + 7).to(torch.int8), (x.int() * 3).to(torch.int16)),
    "comparison": lambda x, y: (x + y > x, x * y == y),
    "amax": lambda x, y: (x.amax(1), x.argmax(1)),
    "cat": lambda x, y: torch.cat([x, y + 1]),
    "fill": lambda x, y: torch.full_like(x, 7) * x,
}
BINARY = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x * 5 - y,
    lambda x, y: torch.minimum(x, y),
    lambda x, y: x // nonzero(y), lambda x, y: x % nonzero(y), lambda x, y: x << (y % 4), lambda x, y: x >> (y % 4),
    lambda x, y: torch.maximum(x, y), lambda x, y: torch.where(x < y, x, y),
]  # fmt: skip


@pytest.mark.parametrize("dtype", SMALL)
def test_small_integers_wrap_around(dtype, draw, tmp_path):
    def expression(seed):
        def function(x, y):
            choose, values = random.Random(seed), [x, y]
            for _ in range(6):
                left, right = choose.choice(values), choose.choice(values)
                values.append(choose.choice(BINARY)(left, right))
            return values[-1]

        return function

    random.seed(draw.random())
    functions = {
        **ARITHMETIC,
        **{f"expression {seed}": expression(seed) for seed in (draw.random() for _ in range(4 * CASES))},
    }
    if not dtype.is_signed:
        del functions["abs"]
    made = convert(functions, [integers(dtype, 3, 4), integers(dtype, 3, 4)])
    made.save(tmp_path / "model.engine")
    for converted in (made, package.load(tmp_path / "model.engine")):
        for _ in range(4 * CASES):
            x, y = integers(dtype, 3, 4), integers(dtype, 3, 4)
            got = converted(x, y)
            for name, function in functions.items():
                compare(name, got[name], function(x, y), [x, y], 1e-6 if name == "float" else 0.0)


# A number next to a small integer becomes one of its type, as -1 becomes 255; the bounds of a clamp do not.
WITH_NUMBER = {
    "compare": lambda x, n: (x == n, x != n, x < n, x <= n, x > n, x >= n, n < x),
    "arithmetic": lambda x, n: (x + n, x - n, n - x, x * n),
    "divide": lambda x, n: (x // n, x % n, torch.fmod(x, n), torch.div(x, n, rounding_mode="trunc")),
    "divided": lambda x, n: (n // x.clamp(min=1), n % x.clamp(min=1)),
    "bits": lambda x, n: (x & n, x | n, x ^ n),
    "0-d": lambda x, n: (
        torch.maximum(x, torch.tensor(n)),
        x < torch.tensor(n),
        x // torch.tensor(n),
        torch.isin(x, n),
    ),
    "0-d sum": lambda x, n: (x == x.sum() + n, torch.minimum(x, x.sum() * n), x - x.sum()),
    "true divide": lambda x, n: (x / n, x * (n + 0.5), x > n + 0.5),
    "clamp": lambda x, n: x.clamp(max=abs(n)),
}
# PyTorch stores these numbers in an unsigned type where they are negative, and refuses all others out of its range.
STORED = {
    "where": lambda x, n: torch.where(x > 5, x, n),
    "full_like": lambda x, n: torch.full_like(x, n) // 2,
    "masked_fill": lambda x, n: x.masked_fill(x > 5, n),
    "fill": lambda x, n: x.clone().fill_(n) // 3,
    "index_fill": lambda x, n: x.index_fill(1, torch.tensor([0]), n),
    "scatter": lambda x, n: x.scatter(1, torch.tensor([[0]]), n),
    "new_full": lambda x, n: x.new_full((2,), n) // 2,
    "pad": lambda x, n: nn.functional.pad(x, (1, 1), value=n),
}


@pytest.mark.parametrize("dtype", SMALL[:3])
def test_numbers_with_small_integers_wrap_around(dtype, draw):
    random.seed(draw.random())
    bits, low = torch.iinfo(dtype).bits, torch.iinfo(dtype).min
    for _ in range(CASES):
        numbers = [-1, 2**bits - 1, draw.randint(-(2 ** (bits + 1)), 2 ** (bits + 1))]
        numbers = [n for n in numbers if n % 2**bits]
        functions = {f"{name} {n}": lambda x, f=f, n=n: f(x, n) for name, f in WITH_NUMBER.items() for n in numbers}
        stored = [-1, draw.randint(1 - 2**bits if low == 0 else low, 2 ** (bits - 1) - 1)]
        functions |= {f"{name} {n}": lambda x, f=f, n=n: f(x, n) for name, f in STORED.items() for n in stored}
        if not dtype.is_signed:
            functions.pop("pad -1"), functions.pop(f"pad {stored[1]}", None)
        made = convert(functions, [integers(dtype, 3, 4)])
        for _ in range(4):
            x = integers(dtype, 3, 4)
            # The least number divided by -1 overflows.
            x = torch.where(x == low, torch.ones_like(x), x) if low else x
            got = made(x)
            for name, function in functions.items():
                compare(name, got[name], function(x), [x], 1e-6)


CONTRACTIONS = {
    "sum": lambda x, y: (x.sum(), x.sum(0, keepdim=True), x.sum(-1)),
    "sum of two axes": lambda x, y: (x[None] * y[:, None]).sum((0, 2)),
    "sum in int32": lambda x, y: x.sum(1, dtype=torch.int32),
    "prod": lambda x, y: (x.prod(), x.prod(0, keepdim=True), x.prod(1)),
    "prod in int32": lambda x, y: x.prod(1, dtype=torch.int32),
    "cumsum": lambda x, y: (x.cumsum(1), x.cumsum(0, dtype=x.dtype)),
    "add, sub": lambda x, y: (x + y, x - y, 100 - x, torch.add(x, y, alpha=3)),
    "mul, neg, abs": lambda x, y: (x * y, x * -7, -x, x.abs()),
    "count": lambda x, y: ((x > y).sum(), (x > y).sum(1, dtype=torch.int32), x.count_nonzero(0)),
    "distance": lambda x, y: (x - y).abs().sum(-1),
    "nansum": lambda x, y: x.nansum(1),
}
# These need known sizes, or sizes that match.
PRODUCTS = {
    "cumprod": lambda x, y: (x.cumprod(1), x.cumprod(0, dtype=x.dtype)),
    "matmul": lambda x, y: (x @ y.mT, x @ y[0], torch.dot(x[0], y[1])),
    "batched": lambda x, y: torch.baddbmm(x[None, :, :3], x[None], y.mT[None]),
    "einsum": lambda x, y: torch.einsum("ij,kj->ki", x, y),
    "addmm": lambda x, y: torch.addmm(x[:, :3], x, y.mT),
    "power": lambda x, y: torch.linalg.matrix_power(x[:, :3], 3),
    "trace": lambda x, y: x[:, :3].trace(),
    "scatter_add": lambda x, y: x.scatter_add(1, (y % 4).long(), y),
    "scatter_reduce": lambda x, y: x.scatter_reduce(1, (y % 4).long(), y, "prod"),
    "index_add": lambda x, y: x.index_add(0, torch.tensor([0, 0, 1]), y),
    "accumulate": lambda x, y: x.index_put((torch.tensor([0, 0, 1]),), y, accumulate=True),
}


@pytest.mark.parametrize("dtype", LARGE)
def test_sums_and_products_of_integers_wrap_around(dtype, draw, tmp_path):
    random.seed(draw.random())
    functions = {**CONTRACTIONS, **PRODUCTS}
    made = convert(functions, [integers(dtype, 3, 5), integers(dtype, 3, 5)])
    made.save(tmp_path / "model.engine")
    for converted in (made, package.load(tmp_path / "model.engine")):
        for _ in range(6 * CASES):
            x, y = integers(dtype, 3, 5), integers(dtype, 3, 5)
            got = converted(x, y)
            for name, function in functions.items():
                compare(name, got[name], function(x, y), [x, y])


@pytest.mark.parametrize("dtype", LARGE)
def test_sums_and_products_of_integers_wrap_around_with_dynamic_sizes(dtype, draw):
    random.seed(draw.random())
    rows, columns = (torch.export.Dim(name, min=2, max=64) for name in ("rows", "columns"))
    sizes = {0: rows, 1: columns}
    inputs = [integers(dtype, 3, 5), integers(dtype, 3, 5)]
    made = convert(CONTRACTIONS, inputs, dynamic_shapes=((sizes, sizes),))
    for _ in range(6 * CASES):
        shape = draw.randint(2, 9), draw.randint(2, 9)
        # Odd numbers, whose products do not soon become 0.
        x, y = integers(dtype, *shape) | 1, integers(dtype, *shape)
        got = made(x, y)
        for name, function in CONTRACTIONS.items():
            compare(name, got[name], function(x, y), [x, y])


def test_a_long_sum_of_large_integers_is_exact():
    made = convert({"sum": lambda x: (x.sum(), x.sum(0), x.sum(1))}, [torch.zeros(3, 70000, dtype=torch.int64)])
    x = torch.randint(-(2**63), 2**63 - 1, (3, 70000))
    compare("sum", made(x)["sum"], (x.sum(), x.sum(0), x.sum(1)), [x.shape])


@pytest.mark.parametrize("dtype", SMALL)
def test_floats_within_the_range_become_small_integers(dtype, draw):
    limits = torch.iinfo(dtype)
    reach = float(min(limits.max, 2**24))
    least = float(max(limits.min, -(2**24)))
    made = convert({"cast": lambda x: x.to(dtype), "scaled": lambda x: (x / 2).round().to(dtype)}, [torch.rand(64)])
    for _ in range(4 * CASES):
        x = torch.rand(64) * (reach - least) + least
        x[0], x[1], x[2] = least, reach, 0.5
        got = made(x)
        compare("cast", got["cast"], x.to(dtype), [x])
        compare("scaled", got["scaled"], (x / 2).round().to(dtype), [x])


COMPLEX_STEPS = [
    lambda x, y: x + y, lambda x, y: x - 2j * y, lambda x, y: x * y, lambda x, y: x / (y.abs() + 1),
    lambda x, y: x.conj(),
    lambda x, y: x @ y.mT / 4, lambda x, y: (x / (1 + x.abs())).exp(), lambda x, y: (x * x.conj() + 1).log(),
    lambda x, y: x.mT,
    lambda x, y: torch.where(x.real > y.imag, x, y), lambda x, y: torch.cat([x[:2], y[2:]]), lambda x, y: x.flip(0),
    lambda x, y: torch.complex(x.real, y.imag), lambda x, y: torch.view_as_complex(torch.view_as_real(y).contiguous()),
    lambda x, y: x - x.mean(0, keepdim=True), lambda x, y: y.sum(-1, keepdim=True) / 3 + x, lambda x, y: x.roll(1, 0),
    lambda x, y: torch.polar(x.abs(), y.angle()), lambda x, y: torch.einsum("ij,kj->ik", x, y) / 4,
    lambda x, y: x.real + 1j * y,
    lambda x, y: x[[3, 1, 0, 2]], lambda x, y: x.slice_scatter(y[:2], 0, 1, 3),
    lambda x, y: x / (1 + (y * y.conj()).real),
]  # fmt: skip


@pytest.mark.parametrize("number", range(2))
def test_random_complex_expressions(number, draw, tmp_path):
    def expression(seed):
        def function(x, y):
            choose, values = random.Random(seed), [x, y]
            for _ in range(5):
                made = choose.choice(COMPLEX_STEPS)(choose.choice(values), choose.choice(values))
                values.append(made / (1 + made.abs()))
            return values[-1], values[-1].abs()

        return function

    functions = {f"expression {seed}": expression(seed) for seed in (draw.random() for _ in range(6))}
    dtype = (torch.complex64, torch.complex128)[number]
    for _ in range(CASES):
        made = convert(functions, [torch.randn(4, 4, dtype=dtype), torch.randn(4, 4, dtype=dtype)])
        made.save(tmp_path / "model.engine")
        for converted in (made, package.load(tmp_path / "model.engine")):
            x, y = torch.randn(4, 4, dtype=dtype), torch.randn(4, 4, dtype=dtype)
            got = converted(x, y)
            for name, function in functions.items():
                compare(name, got[name], function(x, y), [x, y], 1e-4)
