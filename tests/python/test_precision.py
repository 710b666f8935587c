"""float16 and bfloat16: as accurate as PyTorch's own half precision, and float32 where that would go wrong.

Weights and inputs are fresh random numbers each time; the seed is printed when a test fails.
"""

import copy
import importlib.util
import logging
import time

import pytest
import torch
import torchvision
from models import build
from torch import nn
from torch.utils import _pytree as pytree

from torch2trt import Error, TRTModule, _core, torch2trt
from torch2trt.programs import captured_program
from torch2trt.samples import ShapeOptions, collect
from torch2trt.verify import difference

MODES = {"fp16_mode": torch.float16, "bf16_mode": torch.bfloat16}
INPUTS = 4
"""An error of rounding is a matter of luck on one input; the largest over a few is a property of the model."""
HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None


def small_vit():
    vit = torchvision.models.VisionTransformer(
        image_size=64, patch_size=16, num_layers=4, num_heads=4, hidden_dim=128, mlp_dim=256, num_classes=20
    )
    for name, parameter in vit.named_parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, float(name.endswith("weight")), 0.1)
        elif "weight" in name:
            nn.init.kaiming_normal_(parameter, nonlinearity="linear")
    return vit.eval(), (torch.randn(2, 3, 64, 64),), {}


def model(name):
    seed = int(time.time())
    print(f"seed {seed}")
    torch.manual_seed(seed)
    return small_vit() if name == "vit" else build(name, seed)


def converted(module, args, kwargs=None, **options):
    # Accuracy is what the test looks at: nothing is to stop it before.
    return torch2trt(
        module, args, kwargs=kwargs, backend="cpu", target="sm_89", progress=False, verify=False, **options
    )


def tensors(value):
    return [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]


@torch.no_grad()
def own_half(half, args, kwargs, dtype):
    """What a module that is in half precision computes from inputs that are converted to it."""

    def to(leaf):
        return leaf.to(dtype) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf

    args, kwargs = pytree.tree_map(to, (args, kwargs))
    return tensors(half(*args, **kwargs))


def fresh(args):
    """Other inputs of the same kind: random numbers, or the same token ids in another order."""
    mixed = lambda ids: ids.flatten()[torch.randperm(ids.numel())].view_as(ids)  # noqa: E731
    return tuple(torch.randn_like(arg) if arg.is_floating_point() else mixed(arg) for arg in args)


@pytest.mark.parametrize("mode", list(MODES))
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "vit", "bert"])
def test_no_more_than_twice_the_error_of_pytorchs_own_half_precision(name, mode):
    module, args, kwargs = model(name)
    model_trt = converted(module, args, kwargs, **{mode: True})
    half = copy.deepcopy(module).to(MODES[mode])
    errors = []  # of each output: ours and theirs, for each of the inputs
    for _ in range(INPUTS):
        with torch.no_grad():
            expected, got = tensors(module(*args, **kwargs)), tensors(model_trt(*args, **kwargs))
        assert [g.dtype for g in got] == [e.dtype for e in expected]
        own = own_half(half, args, kwargs, MODES[mode])
        errors.append([(difference(e, g), difference(e, h)) for e, g, h in zip(expected, got, own, strict=True)])
        args = fresh(args)
    for pairs in zip(*errors, strict=True):
        ours, theirs = (max(values) for values in zip(*pairs, strict=True))
        assert 1e-6 < ours <= 2 * theirs, f"{ours:.2e} against {theirs:.2e}"
    if HAS_RTX:
        plan = model_trt.network.build(_core.ProgressBar(False))
        weights = sum(p.numel() for p in module.parameters())
        assert plan.size < 3 * weights + 4_000_000, "the plan holds float32 weights"


def test_kept_modules_stay_float32():
    module, args, _ = model("resnet18")
    with torch.no_grad():
        expected = module(*args)
    everything = converted(module, args, fp16_mode=True, keep_fp32=["*"])
    assert everything.report.half_layers == 0
    assert difference(expected, everything(*args)) < 1e-5

    part = converted(module, args, fp16_mode=True, keep_fp32=["layer?.0.conv1", "fc"])
    kept = {module for _, module, reason in part.report.kept_float32 if "keep_fp32" in reason}
    assert kept == {f"layer{k}.0.conv1" for k in range(1, 5)} | {"fc"}
    printed = " ".join(str(part.report).split())
    assert "fc" in printed
    assert "of keep_fp32" in printed
    assert 1e-6 < difference(expected, part(*args)) < 1e-2


def test_a_pattern_that_matches_nothing_is_reported(caplog):
    with caplog.at_level(logging.WARNING, "torch2trt"):
        converted(nn.Sequential(nn.Linear(4, 4)), (torch.randn(2, 4),), fp16_mode=True, keep_fp32=["layer9", "0"])
    assert [record.getMessage() for record in caplog.records if "layer9" in record.getMessage()]
    assert not [record for record in caplog.records if "`0`" in record.getMessage()]


def test_both_modes_at_once_are_refused():
    with pytest.raises(Error) as refused:
        converted(nn.ReLU(), (torch.randn(2),), fp16_mode=True, bf16_mode=True)
    assert refused.value.code == "E0701"


class RootMeanSquare(nn.Module):
    """As language models write it; the squares overflow float16 at inputs above 256."""

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(size) + 0.5)
        self.linear = nn.Linear(size, size)

    def forward(self, x):
        return self.linear(x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight)


class Masked(nn.Module):
    """Attention with the mask that transformers make: the lowest float32 where nothing is to be seen."""

    def forward(self, x, mask):
        bias = (1.0 - mask[:, None, :].to(x.dtype)) * torch.finfo(torch.float32).min
        return torch.softmax(x @ x.transpose(1, 2) / x.shape[-1] ** 0.5 + bias, -1) @ x


class Rotary(nn.Module):
    """Angles of positions in the thousands, which float16 rounds to multiples of 4."""

    def __init__(self):
        super().__init__()
        self.register_buffer("frequency", 1e4 ** (-torch.arange(0, 32) / 32))

    def forward(self, x, position):
        angle = position[..., None].float() @ self.frequency[None]
        return torch.cat([x * angle.cos(), x * angle.sin()], -1)


class Wide(nn.Module):
    """Activations near a million, as large language models have, that a normalization brings back."""

    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(64, 64), nn.Linear(64, 64)
        self.norm = nn.LayerNorm(64)
        nn.init.normal_(self.up.weight, std=2000.0)

    def forward(self, x):
        return self.down(self.norm(x.relu() + self.up(x)))


DELICATE = {
    "wide": lambda: (Wide(), (torch.randn(3, 64) * 20,)),
    "root mean square": lambda: (RootMeanSquare(512), (torch.randn(3, 512) * 2000,)),
    "tiny root mean square": lambda: (RootMeanSquare(512), (torch.randn(3, 512) * 1e-4,)),
    "masked": lambda: (Masked(), (torch.randn(2, 6, 16), torch.tensor([[1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0]]))),
    "rotary": lambda: (Rotary(), (torch.randn(5, 32), torch.randint(4000, 9000, (5,)))),
    "layer norm": lambda: (nn.Sequential(nn.LayerNorm(256), nn.Linear(256, 8)), (torch.randn(3, 256) * 3000 + 500,)),
    "log softmax": lambda: (nn.Sequential(nn.Linear(64, 999), nn.LogSoftmax(-1)), (torch.randn(3, 64),)),
    "variance": lambda: (Variance(), (torch.randn(3, 1000) * 100,)),
}


class Variance(nn.Module):
    def forward(self, x):
        return x.var(-1), x.std(-1)


@pytest.mark.parametrize("mode", list(MODES))
@pytest.mark.parametrize("name", list(DELICATE))
def test_what_overflows_or_vanishes_in_float16_does_not(name, mode):
    torch.manual_seed(seed := int(time.time()))
    print(f"seed {seed}")
    module, args = DELICATE[name]()
    model_trt = converted(module.eval(), args, **{mode: True})
    with torch.no_grad():
        expected, got = tensors(module(*args)), tensors(model_trt(*args))
    for e, g in zip(expected, got, strict=True):
        assert difference(e, g) < (5e-3 if mode == "fp16_mode" else 4e-2), str(model_trt.report)


DECOMPOSED = {
    "inverse": torch.linalg.inv,
    "solve": lambda x: torch.linalg.solve(x, torch.ones(4, 1)),
    "det": torch.det,
    "lu": torch.linalg.lu,
    "cholesky": torch.linalg.cholesky,
    "triangle": lambda x: torch.linalg.solve_triangular(x, x, upper=True),
    "histogram": lambda x: torch.histc(x, 100),
    "bessel": torch.special.i1,
}


@pytest.mark.parametrize("mode", list(MODES))
@pytest.mark.parametrize("name", list(DECOMPOSED))
def test_what_half_precision_would_ruin_is_computed_in_float32(name, mode):
    torch.manual_seed(seed := int(time.time()))
    print(f"seed {seed}")
    x = torch.randn(5, 4, 4)
    args = (x @ x.mT + 4 * torch.eye(4),)
    model_trt = converted(DECOMPOSED[name], args, **{mode: True})
    for e, g in zip(tensors(DECOMPOSED[name](*args)), tensors(model_trt(*args)), strict=True):
        assert difference(e, g) < 1e-5, str(model_trt.report)


def test_inputs_and_outputs_keep_their_types():
    module, args = nn.Linear(8, 8).eval(), (torch.randn(2, 8),)
    assert converted(module, args, fp16_mode=True)(*args).dtype == torch.float32
    module, args = module.half(), (args[0].half(),)
    model_trt = converted(module, args, fp16_mode=True)
    assert model_trt(*args).dtype == torch.float16
    assert not model_trt.report.kept_float32


class Casts(nn.Module):
    """One output by way of bfloat16, one without, one whose input is of bfloat16 only on its way."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(32, 128), nn.GELU(), nn.Linear(128, 32))
        self.last = nn.Linear(32, 8)

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            y = self.first(x)
        return self.last(y.float()), self.last(x), self.last(x.bfloat16()[:, :].float())


def test_what_a_model_computes_in_bfloat16_itself_is_compared_so():
    model, x = Casts().eval(), torch.randn(4, 32)
    shapes = ShapeOptions()
    captured, _ = captured_program(model, collect(model, [x], None, shapes), _core.ProgressBar(False))
    assert captured.computed_in == [["bfloat16"], [], []]
    torch2trt(model, [x], backend="cpu", progress=False)


@pytest.mark.parametrize("output", range(3))
def test_an_error_next_to_bfloat16_is_found(output, monkeypatch):
    """Only the output that is computed in bfloat16 may be off by more than float32 explains."""
    model, x = Casts().eval(), torch.randn(4, 32)
    run = TRTModule.run

    def off(self, tensors, *args, **kwargs):
        outputs = list(run(self, tensors, *args, **kwargs))
        with torch.no_grad():
            outputs[output] = model(*tensors)[output] * 1.02
        return outputs

    monkeypatch.setattr(TRTModule, "run", off)
    if output == 0:
        torch2trt(model, [x], backend="cpu", progress=False)
        return
    with pytest.raises(Error, match=r"E0702(.|\n)*1e-3 is allowed"):
        torch2trt(model, [x], backend="cpu", progress=False)
