"""Models that other packages have quantized: they convert with their own scales, and TensorRT-RTX builds them.

torchao, NVIDIA ModelOpt and PyTorch's PT2E write quantization in operators of their own. ModelOpt's is defined here,
with the same schema, where the package is not installed.
"""

from __future__ import annotations

import importlib.util

import pytest
import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed
import torchvision
from archived import CAN_EXPORT
from torch import nn

from torch2trt import torch2trt

HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None
DECOMPOSED = torch.ops.quantized_decomposed


def modelopt():
    """ModelOpt's operator, from the package or as its schema defines it."""
    if hasattr(torch.ops.tensorrt, "quantize_op"):
        return
    library = torch.library.Library("tensorrt", "FRAGMENT")
    library.define(
        "quantize_op(Tensor input, Tensor amax, int num_bits, int exponent_bits, bool unsigned, bool narrow_range) "
        "-> Tensor"
    )

    def quantize(x, amax, num_bits, exponent_bits, unsigned, narrow_range):
        wide, amax = x.float(), amax.float()
        if exponent_bits == 4:
            scale = amax / 448
            made = (wide / scale).clamp(-448, 448).to(torch.float8_e4m3fn).float() * scale
        else:
            most = 2.0 ** (num_bits - 1 + unsigned) - 1
            scale = amax / most
            least = 0 if unsigned else -most if narrow_range else -most - 1
            made = (wide / scale).round().clamp(least, most) * scale
        return made.to(x.dtype)

    library.impl("quantize_op", quantize, "CompositeExplicitAutograd")
    library.impl("quantize_op", lambda x, *_: torch.empty_like(x), "Meta")
    globals()["_LIBRARY"] = library


modelopt()


class ModelOpt(nn.Module):
    """A convolution and a linear layer as ModelOpt leaves them: weights by channel, inputs by tensor."""

    def __init__(self, bits, exponent, dtype=torch.float32):
        super().__init__()
        self.bits, self.exponent = bits, exponent
        self.conv, self.linear = nn.Conv2d(3, 8, 3), nn.Linear(8, 5)
        self.to(dtype)
        self.register_buffer("range_conv", torch.tensor(3.5))
        self.register_buffer("range_linear", torch.tensor(1.5))
        for name in ("conv", "linear"):
            weight = getattr(self, name).weight.detach()
            ranges = weight.abs().amax(tuple(range(1, weight.dim())), keepdim=True)
            self.register_buffer(f"ranges_{name}", ranges)

    def quantized(self, x, amax, unsigned=False):
        return torch.ops.tensorrt.quantize_op(x, amax, self.bits, self.exponent, unsigned, self.exponent == 0)

    def forward(self, x):
        x = self.quantized(x, self.range_conv)
        weight = self.quantized(self.conv.weight, self.ranges_conv)
        x = torch.conv2d(x, weight, self.conv.bias).relu().mean((2, 3))
        weight = self.quantized(self.linear.weight, self.ranges_linear)
        return nn.functional.linear(self.quantized(x, self.range_linear), weight, self.linear.bias)


def build(model, inputs, layers, dtype="int8", **options):
    """Converts for the CPU engine and TensorRT-RTX; `layers` of the network quantize to the type."""
    made = torch2trt(model, inputs, backend="cpu", progress=False, **options)
    assert str(made.network).count(f": {dtype}[") == layers, made.network
    if HAS_RTX:
        torch2trt(model, inputs, backend="tensorrt", target="sm_89", progress=False, **options)
    return made


def close(got, wanted, tolerance=1e-5):
    """All but the few values next to the middle between two codes, of which either is right."""
    off = (got - wanted).abs() > tolerance * wanted.abs().max()
    assert off.float().mean() < 0.02 and (got - wanted).abs().max() < 0.1 * wanted.abs().max()


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("bits", "exponent", "name"), [(8, 0, "int8"), (8, 4, "float8_e4m3fn")])
def test_modelopt(bits, exponent, name, dtype):
    model, x = ModelOpt(bits, exponent, dtype).eval(), torch.randn(2, 3, 8, 8, dtype=dtype)
    made = build(model, [x], 4, name)
    close(made(x).float(), model(x).float(), 1e-5 if dtype == torch.float32 else 5e-2)


class Quantized(nn.Module):
    """A convolution or linear layer of another model, with ranges that were seen."""

    def __init__(self, layer, largest, exponent):
        super().__init__()
        self.layer, self.exponent = layer, exponent
        weight = layer.weight.detach()
        self.register_buffer("input_range", largest)
        self.register_buffer("weight_range", weight.abs().amax(tuple(range(1, weight.dim())), keepdim=True))

    def quantized(self, x, amax):
        return torch.ops.tensorrt.quantize_op(x, amax, 8, self.exponent, False, self.exponent == 0)

    def forward(self, x):
        x, weight = self.quantized(x, self.input_range), self.quantized(self.layer.weight, self.weight_range)
        if isinstance(self.layer, nn.Linear):
            return nn.functional.linear(x, weight, self.layer.bias)
        return self.layer._conv_forward(x, weight, self.layer.bias)


def quantize(model, x, exponent):
    """Replaces the convolutions and linear layers of a model, in place."""
    largest = {}

    def look(module, args):
        largest[module] = args[0].abs().amax()

    layers = {name: m for name, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    hooks = [layer.register_forward_pre_hook(look) for layer in layers.values()]
    model(x)
    for hook in hooks:
        hook.remove()
    for name, layer in layers.items():
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, Quantized(layer, largest[layer], exponent))


@torch.no_grad()
@pytest.mark.parametrize("exponent", [0, 4], ids=["int8", "fp8"])
def test_deep_models_are_verified_as_quantized(exponent):
    """PyTorch in float32 and in float64 differ as much: a number between two codes becomes either."""
    model = torchvision.models.resnet18().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 1.5)
    x = torch.randn(2, 3, 64, 64)
    quantize(model, x, exponent)
    made = torch2trt(model, [x], backend="cpu", progress=False)
    assert made.report.quantizes and not made.report.is_quantized
    assert max(made.report.difference.values()) < 0.2 and made.report.fresh_difference
    plain = torch2trt(nn.Linear(3, 3).eval(), [torch.randn(2, 3)], backend="cpu", progress=False)
    assert not plain.report.quantizes


@torch.no_grad()
@pytest.mark.parametrize("bits", [4, 6])
@pytest.mark.parametrize("unsigned", [False, True])
def test_modelopt_of_other_widths_is_computed_in_float(bits, unsigned):
    class Narrow(nn.Module):
        def forward(self, x):
            return torch.ops.tensorrt.quantize_op(x, torch.tensor(2.0), bits, 0, unsigned, False) * 3

    x = torch.randn(4, 7)
    close(build(Narrow().eval(), [x], 0)(x), Narrow()(x))


@torch.no_grad()
@pytest.mark.parametrize(("bits", "exponent"), [(8, 0), (8, 4), (4, 0)])
def test_modelopt_with_ranges_from_data_or_of_blocks(bits, exponent):
    class Blocks(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("ranges", torch.rand(4, 3, 1) + 0.5)

        def forward(self, x):
            def quantized(x, amax):
                return torch.ops.tensorrt.quantize_op(x, amax, bits, exponent, False, False)

            blocks = quantized(x.view(4, 3, 2), self.ranges).view(4, 6)
            return blocks, quantized(x, x.abs().amax(-1, keepdim=True)), quantized(x, x.abs().max())

    x = torch.randn(4, 6)
    model = Blocks().eval()
    made = torch2trt(model, [x], backend="cpu", progress=False)
    if HAS_RTX:
        torch2trt(model, [x], backend="tensorrt", target="sm_89", progress=False)
    for got, wanted in zip(made(x), model(x), strict=True):
        close(got, wanted)


class Decomposed(nn.Module):
    """A linear layer between codes, as PT2E leaves it: activations of a tensor, weights of a channel."""

    def __init__(self, least=-128, zero=0, dtype=torch.int8):
        super().__init__()
        linear = nn.Linear(6, 5)
        scales = linear.weight.detach().abs().amax(1) / 127
        zeros = torch.zeros(5, dtype=torch.int64)
        codes = DECOMPOSED.quantize_per_channel(linear.weight.detach(), scales, zeros, 0, -127, 127, torch.int8)
        for name, value in {"codes": codes, "scales": scales, "zeros": zeros, "bias": linear.bias.detach()}.items():
            self.register_buffer(name, value)
        self.range = (0.03, zero, least, least + 255 if least != -127 else 127, dtype)

    def forward(self, x):
        codes = DECOMPOSED.quantize_per_tensor(x, *self.range)
        x = DECOMPOSED.dequantize_per_tensor(codes.view(-1, 6), *self.range)
        weight = DECOMPOSED.dequantize_per_channel(self.codes, self.scales, self.zeros, 0, -127, 127, torch.int8)
        x = nn.functional.linear(x, weight, self.bias).relu()
        codes = DECOMPOSED.quantize_per_tensor(x, *self.range)
        return DECOMPOSED.dequantize_per_tensor(codes, *self.range), codes


@torch.no_grad()
@pytest.mark.parametrize(
    ("options", "layers"),
    [
        ({}, 3),
        ({"least": -127}, 3),
        ({"zero": 5}, 1),  # computed in float, but for the weights
        ({"least": 0, "zero": 120, "dtype": torch.uint8}, 1),
    ],
)
def test_pt2e(options, layers):
    model, x = Decomposed(**options).eval(), torch.randn(3, 4, 6)
    made = build(model, [x], layers)
    for got, wanted in zip(made(x), model(x), strict=True):
        assert got.dtype == wanted.dtype
        close(got.float(), wanted.float())


@torch.no_grad()
def test_float8_is_a_type_of_tensors():
    class Cast(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("codes", (torch.randn(6, 5) * 30).to(torch.float8_e4m3fn))

        def forward(self, x):
            small = x.to(torch.float8_e4m3fn)
            weight = self.codes.t().to(torch.float32) * 0.01
            return small.to(torch.float32), small.view(-1, 6), nn.functional.linear(x.clamp(-9, 9), weight)

    x = torch.randn(4, 6) * 100
    x[0, :5] = torch.tensor([463.9, 464.0, 464.1, -1e9, float("nan")])
    model = Cast().eval()
    made = torch2trt(model, [x], backend="cpu", progress=False, verify=False)
    # Older versions of PyTorch make NaN of what is larger.
    for got, wanted in zip(made(x), model(x.clamp(-448, 448)), strict=True):
        assert got.dtype == wanted.dtype
        torch.testing.assert_close(got.float(), wanted.float(), equal_nan=True)
    if HAS_RTX:
        torch2trt(model, [x], backend="tensorrt", target="sm_89", progress=False, verify=False)


class Composite(nn.Module):
    """An operator of another package that is made of PyTorch's own."""

    def forward(self, x):
        return torch.ops.torch2trt_composite.scaled(x, 3.0) + 1


@torch.no_grad()
def test_operators_that_are_made_of_others_are_taken_apart():
    library = torch.library.Library("torch2trt_composite", "FRAGMENT")
    library.define("scaled(Tensor x, float factor) -> Tensor")
    library.impl("scaled", lambda x, factor: (x * factor).softmax(-1).round(decimals=2), "CompositeImplicitAutograd")
    x = torch.randn(3, 4)
    made = torch2trt(Composite(), [x], backend="cpu", progress=False)
    assert "torch2trt_composite.scaled.default" not in made.report.operators
    torch.testing.assert_close(made(x), Composite()(x))


@pytest.mark.skipif(not CAN_EXPORT, reason="this PyTorch is older than those of torchao")
@torch.no_grad()
@pytest.mark.parametrize(
    "config",
    ["Int8WeightOnlyConfig", "Int8DynamicActivationInt8WeightConfig", "Float8WeightOnlyConfig", "IntxWeightOnlyConfig"],
)
def test_torchao(config):
    quantization = pytest.importorskip("torchao.quantization")
    model = nn.Sequential(nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 8)).eval()
    quantization.quantize_(model, getattr(quantization, config)())
    x = torch.randn(4, 64)
    made = torch2trt(model, [x], backend="cpu", progress=False)
    close(made(x), model(x))
    if HAS_RTX:
        torch2trt(model, [x], backend="tensorrt", target="sm_89", progress=False)
