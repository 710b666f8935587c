"""`precision="fp8"`: what is computed, on which ranges, and that TensorRT-RTX builds it.

The networks, the samples and what is common to both kinds of quantization are in test_int8.
"""

import planted
import pytest
import torch
import transformers
from archived import needs_archives
from models import build
from test_int8 import Net, Residual, batches
from torch import nn

import torch2trt as package
from torch2trt import Error, _core, torch2trt
from torch2trt.verify import difference

LARGEST = 448
LAYERS = nn.Conv2d | nn.Linear


def convert(model, inputs, **options):
    return torch2trt(model, inputs, precision="fp8", **{"backend": "cpu", "progress": False, **options})


def rounded(x, scale):
    return (x / scale).clamp(-LARGEST, LARGEST).to(torch.float8_e4m3fn).to(x.dtype) * scale


def in_float8(model, samples):
    """A copy of the model whose layers read float8, by PyTorch's casts, with the ranges of the samples."""
    largest = {}

    def look(module, args):
        largest[module] = max(largest.get(module, 0.0), args[0].abs().max().item())

    layers = [module for module in model.modules() if isinstance(module, LAYERS)]
    hooks = [layer.register_forward_pre_hook(look) for layer in layers]
    for sample in samples:
        model(*sample)
    for hook in hooks:
        hook.remove()
    for layer in layers:
        scale = largest[layer] / LARGEST
        layer.register_forward_pre_hook(lambda module, args, scale=scale: (rounded(args[0], scale),))
        channels = layer.weight.detach().flatten(1).abs().amax(1).view(-1, *[1] * (layer.weight.dim() - 1))
        layer.weight.data = rounded(layer.weight.detach(), channels / LARGEST)
    return model


@torch.no_grad()
@pytest.mark.parametrize("scale", [1.0, 0.1])
@pytest.mark.parametrize("net", [Net, Residual])
def test_numbers_are_those_of_casts_in_pytorch(net, scale):
    """With samples that are too small most values saturate, which no other computation does."""
    model, x = net().eval(), torch.randn(2, 3, 8, 8)
    samples = batches(4, 2, 3, 8, 8, scale=scale)
    made = convert(model, [x], calibration=samples, verify=False)
    assert (made.report.fp8_layers, made.report.int8_layers) == (5, 0)
    plain = model(x)
    wanted = in_float8(model, samples)(x)
    largest = plain.abs().max()
    off, moved = (made(x) - wanted).abs().max() / largest, (wanted - plain).abs().max() / largest
    # A value next to the middle between two codes may become either.
    assert off < 1e-2 and moved > (1e-3 if scale == 1.0 else 3e-2), (off, moved)


@torch.no_grad()
def test_every_code_is_exact():
    """All 254 numbers of the type, and the ties between them."""
    codes = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).float()
    codes = codes[codes.isfinite()].sort().values
    x = torch.cat([codes, (codes[1:] + codes[:-1]) / 2, torch.tensor([500.0, -1e4])])[:, None]
    model = nn.Linear(1, 1, bias=False).eval()
    model.weight.data.fill_(1.0)
    made = convert(model, [x], calibration=[codes[:, None].repeat(3, 1)[: len(x)]], verify=False)
    assert torch.equal(made(x), rounded(x, 1.0))


@torch.no_grad()
@pytest.mark.parametrize("precision", ["int8", "fp8"])
@pytest.mark.parametrize("half", [{}, {"fp16_mode": True}, {"bf16_mode": True}])
def test_small_weights_are_not_lost(precision, half):
    """Ranges whose scale is next to the smallest number of float16."""
    for magnitude in (1e-1, 1e-2, 3e-3):
        model, x = nn.Linear(32, 16, bias=False).eval(), torch.randn(64, 32)
        model.weight.data = torch.randn(16, 32) * magnitude / 4
        made = torch2trt(
            model, [x], precision=precision, backend="cpu", progress=False, calibration=[x], verify=False, **half
        )
        assert difference(model(x), made(x)) < 0.1, magnitude


@pytest.mark.parametrize("target", ["sm_89", "sm_120"])
@pytest.mark.parametrize("half", [{}, {"fp16_mode": True}, {"bf16_mode": True}])
@pytest.mark.parametrize("net", [Net, Residual])
def test_tensorrt_builds_it(net, half, target):
    made = convert(net().eval(), [torch.randn(2, 3, 8, 8)], backend="tensorrt", target=target, **half)
    assert made.report.fp8_layers == 5 and made.plan


@pytest.mark.parametrize(
    ("target", "options", "dtype"),
    [
        ("sm_75", {"precision": "fp8"}, "float8_e4m3fn"),
        ("sm_86", {"precision": "fp8"}, "float8_e4m3fn"),
        ("sm_75", {"bf16_mode": True}, "bfloat16"),
    ],
)
def test_older_gpus_do_not_have_the_type(target, options, dtype):
    with pytest.raises(Error, match=f"have no {dtype}") as raised:
        torch2trt(nn.Linear(8, 8), [torch.randn(2, 8)], backend="tensorrt", target=target, progress=False, **options)
    assert raised.value.code == "E0302" and "another precision" in raised.value.help


def test_convolutions_take_a_byte_a_weight():
    model, args, _ = build("resnet18")
    made = convert(model, list(args))
    assert made.report.fp8_layers >= 19 and max(made.report.difference.values()) < 0.2
    assert "fp8" in str(made.report) and made.report.options["fp8"]
    plan = convert(model, list(args), fp16_mode=True, backend="tensorrt", target="sm_89").plan
    assert len(plan.serialize()) < 1.5 * sum(p.numel() for p in model.parameters())


@torch.no_grad()
def test_transformers():
    """Products of three axes, of one layer: in deep models, values next to the middle of two codes add up."""
    config = transformers.BertConfig(
        vocab_size=99, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    model, ids = transformers.BertModel(config).eval(), torch.randint(99, (2, 12))
    made = convert(model, [ids], verify=False)
    assert made.report.fp8_layers == 7
    convert(model, [ids], fp16_mode=True, backend="tensorrt", target="sm_89", verify=False)
    got, plain = made(ids).last_hidden_state, model(ids).last_hidden_state
    wanted = in_float8(model, [[ids]])(ids).last_hidden_state
    assert difference(wanted, got) < 5e-2 and (wanted - got).abs().mean() < (wanted - plain).abs().mean() / 10


def test_sizes_may_be_dynamic_and_engines_are_saved(tmp_path):
    model, samples = Net().eval(), [[torch.randn(n, 3, 8, 8)] for n in (1, 4, 3)]
    made = convert(model, [torch.randn(4, 3, 8, 8)], calibration=samples, max_batch_size=6)
    made.save(tmp_path / "net.trt2")
    x = torch.randn(6, 3, 8, 8)
    assert torch.equal(package.load(tmp_path / "net.trt2")(x), made(x))


@torch.no_grad()
@pytest.mark.parametrize("half", [{}, {"fp16_mode": True}])
def test_a_search_finds_the_layer_that_must_not_be_quantized(half):
    """Channels 2^24 apart: more than the type distinguishes, as the exponents of int8's outliers are not."""

    class Scaled(nn.Module):
        def __init__(self, powers):
            super().__init__()
            self.linear = nn.Linear(64, 64)
            self.register_buffer("scale", torch.linspace(-powers / 2, powers / 2, 64).exp2())
            self.linear.weight.data /= self.scale

        def forward(self, x):
            return self.linear(x * self.scale)

    xs = [torch.randn(32, 64) for _ in range(3)]
    ends = [nn.Linear(64, 64), nn.GELU()], [nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 8)]
    module = nn.Sequential(*ends[0], Scaled(24), *ends[1]).eval()
    made = convert(module, [xs[0]], calibration=xs, tolerance=0.15, **half)
    (search,) = made.report.searches
    assert [layer for layer, _, _, _ in search["kept"]] == ["2.linear.MatrixMultiply"], str(made.report)
    assert search["lower"] == ["fp8"] and search["after"] <= 0.15 < search["before"]
    assert made.report.fp8_layers == 3 and search["arguments"]["precision"] == "fp8"
    chosen = {"backend": "cpu", "progress": False, "calibration": xs, **search["arguments"]}
    again = torch2trt(module, [xs[0]], **chosen)
    assert torch.equal(again(xs[1]), made(xs[1]))
    # What int8 cannot distinguish, float8 can.
    module = nn.Sequential(*ends[0], planted.Outlier(64), *ends[1]).eval()
    loss = {
        name: difference(
            module(xs[0]),
            torch2trt(module, [xs[0]], precision=name, calibration=xs, backend="cpu", progress=False, verify=False)(
                xs[0]
            ),
        )
        for name in ("int8", "fp8")
    }
    assert loss["fp8"] < 0.1 < loss["int8"], loss


@needs_archives
@torch.no_grad()
@pytest.mark.parametrize("algorithm", [None, "LEGACY_CALIBRATION"])
def test_the_command_line_gives_the_same_numbers(tmp_path, algorithm):
    torch.manual_seed(0)
    save = pytest.importorskip("safetensors.torch").save_file
    model, x, y = Net().eval(), torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    items = [torch.randn(2, 3, 8, 8) for _ in range(3)]
    (folder := tmp_path / "samples").mkdir()
    for index, item in enumerate(items):
        save({"x": item}, folder / f"{index}.safetensors")
    package.export(model, [x], tmp_path / "model.pt2", progress=False)
    chosen = ["--calibration-algorithm", algorithm] if algorithm else []
    options = ["--precision", "fp8", *chosen, "--calibration", folder, "--output", tmp_path / "net.trt2"]
    arguments = ["torch2trt", "build", tmp_path / "model.pt2", "--backend", "cpu", *options]
    assert _core.run_command([str(one) for one in arguments], _core.site_packages()) == 0
    wanted = convert(model, [x], calibration=items, int8_calib_algorithm=algorithm, verify=False)
    made = package.load(tmp_path / "net.trt2")
    assert wanted.report.fp8_layers == 5 and made.report.options["fp8"]
    assert torch.equal(made(y), wanted(y))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"refittable": True}, "both fp8 and `refittable`"),
        ({"int8_mode": True}, "`fp8` and `int8_mode`"),
        ({"int8_calib_algorithm": "ENTROPY_CALIBRATION"}, "is for int8"),
    ],
)
def test_options_that_exclude_each_other(options, message):
    with pytest.raises(Error, match=message) as raised:
        convert(nn.Linear(3, 3).eval(), [torch.randn(2, 3)], **options)
    assert raised.value.code == "E0701" and raised.value.help
