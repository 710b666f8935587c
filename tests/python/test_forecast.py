"""`coverage(…, device=…)`: memory and time on a GPU that is not at hand, in Python and on the command line."""

from __future__ import annotations

import importlib.util
import json
import re

import pytest
import torch
import torchvision
from archived import needs_archives
from torch import nn

import torch2trt
from torch2trt import Error, coverage

HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None


class Mixes(nn.Module):
    """A convolution, a residual addition, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stem = torch.relu(self.stem(x))
        return self.head((torch.relu(self.block(stem)) + stem).mean((2, 3)))


def products(batch: int) -> int:
    return batch * (16 * 16 * 9 * (3 * 8 + 8 * 8) + 8 * 5)


def test_memory_is_that_of_the_largest_shape_and_work_that_of_the_best():
    model, x = Mixes().eval(), torch.randn(2, 3, 16, 16)
    small, large = (coverage(model, [x], device="L4", **more).forecast for more in ({}, {"max_batch_size": 64}))
    assert small.weight_bytes == sum(weight.nbytes for weight in model.parameters())
    assert large.activation_bytes == 32 * small.activation_bytes
    assert large.interface_bytes == 32 * small.interface_bytes == 64 * 4 * (3 * 256 + 5)
    assert large.weight_bytes == small.weight_bytes
    assert 0 <= large.operations - small.operations < large.operations * 0.01
    assert 2 * products(2) < small.operations < 2.1 * products(2)
    assert small.seconds == pytest.approx(sum(kernel["seconds"] for kernel in small.kernels))
    assert small.fits
    assert small.memory_bytes > small.weight_bytes + small.activation_bytes


def test_float16_halves_memory():
    model, x = Mixes().eval(), torch.randn(2, 3, 16, 16)
    single, half = (coverage(model, [x], device="L4", fp16_mode=fp16).forecast for fp16 in (False, True))
    assert half.weight_bytes == single.weight_bytes / 2
    assert half.activation_bytes <= single.activation_bytes
    assert half.seconds < single.seconds


def test_a_faster_device_is_faster_and_a_large_model_does_not_fit():
    model, x = Mixes().eval(), torch.randn(2, 3, 16, 16)
    slow, fast = (coverage(model, [x], device=name).forecast for name in ("T4", "h200"))
    assert fast.seconds < slow.seconds
    assert (slow.device, fast.device) == ("T4", "H200")
    assert not coverage(model, [x], device="Orin Nano", max_batch_size=1 << 20).forecast.fits


def test_the_table_lists_kernels_and_sums():
    found = coverage(torchvision.models.resnet18(weights=None).eval(), [torch.randn(1, 3, 224, 224)], device="H100 SXM")
    assert "3.6 G" in str(found), "ResNet-18 has 1.8 G products"
    assert re.search(r"^\d+ others ", str(found.forecast), re.MULTILINE)
    assert len(found.forecast.table().splitlines()) == len(found.forecast.kernels) + 5
    assert "resnet.py" in found.forecast.kernels[0]["origin"]


def test_errors():
    model, x = Mixes().eval(), torch.randn(2, 3, 16, 16)
    with pytest.raises(Error, match="no specifications of a device `L5`") as raised:
        coverage(model, [x], device="L5")
    assert raised.value.code == "E0701"
    with pytest.raises(Error, match="parts in PyTorch have no forecast") as raised:
        coverage(model, [x], device="L4", fallback=True)
    assert raised.value.code == "E0701"


def test_a_model_that_does_not_convert_has_no_forecast():
    class Unsupported(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvalsh(x + x)

    found = coverage(Unsupported().eval(), [torch.randn(4, 4)], device="L4")
    assert found.forecast is None
    assert not all(converts for _, _, converts in found)


@needs_archives
def test_the_command_line_prints_the_same(command, tmp_path):
    model, x = Mixes().eval(), torch.randn(2, 3, 16, 16)
    torch2trt.export(model, [x], tmp_path / "model.pt2", max_batch_size=8)
    found = coverage(model, [x], device="A10", max_batch_size=8).forecast
    status, printed, complaint = command("coverage", tmp_path / "model.pt2", "--device", "a10")
    assert status == 0, complaint
    assert str(found) in printed
    _, printed, _ = command("coverage", tmp_path / "model.pt2", "--device", "a10", "--layers")
    assert found.table() in printed
    _, printed, _ = command("coverage", tmp_path / "model.pt2", "--device", "a10", "--json")
    written = json.loads(printed)
    assert written["converts"]
    assert written["forecast"]["kernels"] == found.kernels
    _, printed, _ = command("coverage", tmp_path / "model.pt2", "--json")
    assert json.loads(printed)["forecast"] is None
    narrowed = ("--bf16", "--max-shape", "x=4x3x16x16")
    _, printed, _ = command("coverage", tmp_path / "model.pt2", "--device", "a10", "--json", *narrowed)
    assert json.loads(printed)["forecast"]["weight_bytes"] == found.weight_bytes / 2
    assert json.loads(printed)["forecast"]["interface_bytes"] == found.interface_bytes / 2
    assert command("coverage", tmp_path / "model.pt2", "--device", "a11")[0] == 1


@pytest.mark.skipif(not HAS_RTX, reason="TensorRT-RTX is not installed")
@pytest.mark.parametrize("name", ["resnet18", "vgg11", "efficientnet_b0"])
def test_the_context_of_a_plan_takes_what_was_forecast(name):
    model, x = getattr(torchvision.models, name)(weights=None).eval(), [torch.randn(4, 3, 224, 224)]
    found = coverage(model, x, device="L4").forecast
    options = {"verify": False, "progress": False, "engine_cache": "off"}
    made = torch2trt.torch2trt(model, x, backend="tensorrt", target="sm_89", **options)
    measured = float(dict(made.report.plan)["memory"].split()[0]) * 1e6
    assert found.activation_bytes + found.scratch_bytes == pytest.approx(measured, rel=0.2)
