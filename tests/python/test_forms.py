"""Forms of models that PyTorch's export has in another shape than a list of operators: flex_attention, derivatives,
objects among the outputs; and random cases of operators whose result depends on data.

Random cases have a fixed seed by default (TORCH2TRT_TEST_SEED); TORCH2TRT_TEST_CASES multiplies their number.
"""

from __future__ import annotations

import os
import random

import pytest
import test_operators
import torch
import torchvision
from operators import Case, Function
from operators._draw import bools, both, floats
from operators.bitwise import RANGES, words
from operators.grouped import ends
from torch import nn
from torch.nn import functional as F

import torch2trt
from torch2trt import Error, _core
from torch2trt.capture.vmap import EXPORTS_VMAP

TIMES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
SEED = int(os.environ.get("TORCH2TRT_TEST_SEED", "1"))


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(SEED)
    print(f"seed {SEED}")


def converted(module: nn.Module, inputs: tuple, **options):
    return torch2trt.torch2trt(
        module.eval(), inputs, backend="cpu", target=test_operators.TARGET, progress=False, **options
    )


def built(model_trt) -> None:
    if test_operators.BUILDER:
        assert model_trt.network.build(_core.ProgressBar(False)).size > 0


# flex_attention


def flexible(q, k, v):
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    slope = torch.arange(1, q.shape[1] + 1) * 0.1
    document = torch.arange(16) // 5
    mask = create_block_mask(
        lambda b, h, i, j: (i >= j) & (document[i] == document[j]), None, None, 16, 16, device="cpu"
    )
    return flex_attention(
        q, k, v, score_mod=lambda score, b, h, i, j: score * 0.5 + (j - i) * slope[h], block_mask=mask, enable_gqa=True
    )


def test_flex_attention_is_attention_with_scores_and_a_mask(monkeypatch):
    functions = pytest.importorskip("torch.nn.attention.flex_attention")
    # PyTorch's own calls would be compiled first, for a minute.
    monkeypatch.setattr(functions, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True, raising=False)
    draw = lambda: (torch.randn(2, 4, 16, 8), torch.randn(2, 2, 16, 8), torch.randn(2, 2, 16, 8))  # noqa: E731
    module = Function(flexible)
    if not EXPORTS_VMAP:
        with pytest.raises(Error, match="torch>=2.9") as raised:
            converted(module, draw())
        assert raised.value.code == "E0601"
        return
    model_trt = converted(module, draw())
    given = draw()
    test_operators.compare(model_trt(*given), module(*given), 1e-5)
    built(model_trt)


@pytest.mark.parametrize("largest", [None, 6], ids=["static", "dynamic batch"])
@pytest.mark.filterwarnings("ignore")
def test_mapped_functions(largest):
    module = Function(lambda x, y: torch.vmap(lambda a, b: a * b.sum() + b.flip(0), (0, None))(x, y).relu())
    draw = lambda batch: (torch.randn(batch, 4), torch.randn(4))  # noqa: E731
    ranges = {"min_shapes": [(1, 4), (4,)], "max_shapes": [(largest, 4), (4,)]} if largest else {}
    if largest and not EXPORTS_VMAP:
        with pytest.raises(Error, match="torch>=2.9") as raised:
            converted(module, draw(3), **ranges)
        assert raised.value.code == "E0601"
        return
    model_trt = converted(module, draw(3), **ranges)
    given = draw(largest or 3)
    test_operators.compare(model_trt(*given), module(*given), 1e-5)


# Derivatives


class Energy(nn.Module):
    """Forces of an energy: its negative derivative by the positions."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.layers, self.how = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)), how

    def energy(self, x):
        return self.layers(x).sum()

    def forward(self, x):
        if self.how == "grad":
            return -torch.func.grad(self.energy)(x)
        if self.how == "vjp":
            energy, derivative = torch.func.vjp(self.energy, x)
            return energy, -derivative(torch.ones_like(energy))[0]
        if self.how == "jacrev":
            return torch.func.jacrev(self.layers)(x[0])
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return -torch.autograd.grad(self.energy(x), x)[0]


@pytest.mark.parametrize("how", ["grad", "vjp", "jacrev", "autograd"])
@pytest.mark.filterwarnings("ignore")
def test_derivatives_inside_a_model(how):
    model = Energy(how).eval()
    model_trt = converted(model, (torch.randn(5, 3),))
    given = torch.randn(5, 3)
    test_operators.compare(model_trt(given), model(given), 1e-5)
    built(model_trt)


# Objects among the outputs


class Memory:
    """An object of an unregistered class."""

    def __init__(self, state, count):
        self.steps, self.state, self.history = count, {"last": state}, [state * 2, "no tensor"]


class Remembering(nn.Module):
    def forward(self, x):
        return x + 1, Memory(x * 3, 7)


def test_objects_among_the_outputs_come_back_with_their_tensors():
    model = Remembering()
    model_trt = converted(model, (torch.randn(3, 4),))
    assert model_trt.output_names == ["output.0", "output.1.state.last", "output.1.history.0"]
    given = torch.randn(3, 4)
    (sums, memory), (wanted, expected) = model_trt(given), model(given)
    assert type(memory) is Memory and memory.steps == 7 and memory.history[1] == "no tensor"
    assert torch.equal(sums, wanted) and torch.equal(memory.state["last"], expected.state["last"])
    assert torch.equal(memory.history[0], expected.history[0])


def test_the_cache_of_mamba_comes_back():
    transformers = pytest.importorskip("transformers")
    if not hasattr(transformers.cache_utils, "LinearAttentionLayer"):
        pytest.skip("this transformers has another cache")
    config = transformers.MambaConfig(vocab_size=64, hidden_size=32, num_hidden_layers=2, state_size=8)
    model = transformers.MambaForCausalLM(config).eval()
    model_trt = converted(model, (torch.randint(0, 64, (1, 7)),))
    given = torch.randint(0, 64, (1, 7))
    with torch.no_grad():
        expected, got = model(given), model_trt(given)
    assert type(got.cache) is type(expected.cache)
    test_operators.compare(got.logits, expected.logits, 1e-5)
    for ours, theirs in zip(got.cache.layers, expected.cache.layers, strict=True):
        test_operators.compare(
            [ours.conv_states[0], ours.recurrent_states[0]], [theirs.conv_states[0], theirs.recurrent_states[0]], 1e-5
        )


# Random cases


def random_write(draw: random.Random) -> Case:
    """Writes, where a mask holds, what random operators make of elements that the mask chose."""
    steps = [draw.choice([torch.relu, torch.exp, torch.neg, torch.abs, lambda t: t * 1.5 - 1,
                          lambda t: t / (t.abs() + 1)])
             for _ in range(draw.randrange(4))]  # fmt: skip
    shape = tuple(draw.randrange(1, 6) for _ in range(draw.randrange(1, 4)))
    first = draw.randrange(len(shape))
    masked = shape[first : draw.randrange(first + 1, len(shape) + 1)]
    front, two, accumulate = (slice(None),) * first, draw.random() < 0.4, draw.random() < 0.3

    def fn(x, v, mask):
        y, chosen = x.clone(), v[(*front, mask)]
        for step in steps:
            chosen = step(chosen)
        if two:
            chosen = chosen + x[(*front, mask)]
        if accumulate:
            y[(*front, mask)] += chosen
        else:
            y[(*front, mask)] = chosen
        return y

    return Case(f"write {shape} by {masked}", fn, both(floats(shape, shape), bools(masked)), tolerance=1e-6)


def random_regions(draw: random.Random) -> Case:
    bins = (draw.randrange(1, 5), draw.randrange(1, 5))
    scale, images = draw.uniform(0.1, 2.5), draw.randrange(1, 4)
    height, width, ratio = draw.randrange(2, 20), draw.randrange(2, 20), draw.choice([-1, 0, 1, 2, 3])
    kind = draw.choice(["roi_align", "ps_roi_align", "ps_roi_pool"])
    aligned = draw.random() < 0.5

    def fn(x, rois):
        if kind == "roi_align":
            return torchvision.ops.roi_align(x, rois, bins, scale, min(ratio, 0), aligned)
        options = {"sampling_ratio": ratio} if kind == "ps_roi_align" else {}
        return getattr(torchvision.ops, kind)(x, rois, bins, scale, **options)

    def inputs():
        corner = torch.rand(7, 2) * 25 - 4
        box = torch.cat([corner, corner + torch.rand(7, 2) * 15], 1)
        return torch.randn(images, 2 * bins[0] * bins[1], height, width), torch.cat(
            [torch.randint(images, (7, 1)).float(), box], 1
        )

    return Case(f"{kind} {bins} {ratio}", fn, inputs, tolerance=2e-5)


def random_volume(draw: random.Random) -> Case:
    size, points = [draw.randrange(1, 6) for _ in range(3)], [draw.randrange(1, 4) for _ in range(3)]
    mode, padding = draw.choice(["bilinear", "nearest"]), draw.choice(["zeros", "border", "reflection"])
    align = draw.random() < 0.5
    return Case(
        f"volume {size} {mode} {padding} {align}",
        lambda x, g: F.grid_sample(x, g, mode, padding, align),
        lambda: (torch.randn(2, 3, *size), torch.rand(2, *points, 3) * 6 - 3),
        tolerance=2e-5,
    )


def random_words(draw: random.Random) -> Case:
    dtype, name = draw.choice(list(RANGES)), draw.choice(["bitwise_and", "bitwise_or", "bitwise_xor"])
    if draw.random() < 0.4:
        low, high = RANGES[dtype]
        number = draw.randrange(low, high)
        return Case(f"{name} {dtype} {number}", lambda x: getattr(torch, name)(x, number), words(dtype, (50,)))
    return Case(f"{name} {dtype}", getattr(torch, name), words(dtype, (50,), (50,)))


def random_groups(draw: random.Random) -> Case:
    tokens, groups = draw.randrange(1, 12), draw.randrange(1, 6)
    return Case(
        f"{tokens} tokens of {groups} groups",
        lambda x, w, o: F.grouped_mm(x, w, offs=o),
        lambda: (torch.randn(tokens, 8), torch.randn(groups, 8, 4), ends(tokens, groups)),
        tolerance=1e-5,
    )


def random_maxima(draw: random.Random) -> Case:
    axes = draw.randrange(1, 4)
    size, output = [draw.randrange(1, 9) for _ in range(axes)], [draw.randrange(1, 6) for _ in range(axes)]
    pool = getattr(F, f"adaptive_max_pool{axes}d")
    return Case(
        f"maxima {size} to {output}",
        lambda x: pool(x, output, return_indices=True),
        lambda: ((torch.randn(2, 3, *size) * 2).round(),),
    )


@pytest.mark.parametrize(
    "kind", [random_write, random_regions, random_volume, random_words, random_groups, random_maxima]
)
def test_random_cases(kind) -> None:
    if kind is random_groups and not hasattr(F, "grouped_mm"):
        pytest.skip("this PyTorch has no grouped_mm")
    draw = random.Random(f"{kind.__name__} {SEED}")
    for _ in range(2 * TIMES):
        case = kind(draw)
        print(case.name)
        test_operators.test_operator(case)
