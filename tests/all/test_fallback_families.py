"""Whole models with parts in PyTorch, and whole models through `torch.compile`; both are too slow for `make test`.

A model whose package is missing is skipped.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import pytest
import test_operators
import torch
import torchvision
from test_value_sizes import Speech

import torch2trt

RTX = {"backend": "tensorrt", "target": "sm_89"}

TORCHVISION = (
    *("alexnet", "resnet18", "resnet50", "vgg11", "squeezenet1_0", "googlenet", "shufflenet_v2_x1_0", "mobilenet_v2"),
    *("mobilenet_v3_small", "mnasnet1_0", "efficientnet_b0", "regnet_y_400mf", "convnext_tiny", "vit_b_32", "swin_t"),
)
TIMM = (
    *("mobilenetv3_small_050", "ghostnet_050", "repvgg_a0", "deit_tiny_patch16_224", "mixer_s32_224", "resnest14d"),
    *("hrnet_w18_small", "coat_lite_tiny", "pit_ti_224", "levit_128s", "efficientformerv2_s0", "xcit_nano_12_p16_224"),
    *("poolformer_s12", "edgenext_xx_small", "fastvit_t8"),
)


def convert(model: torch.nn.Module, inputs: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch2trt.torch2trt(model, inputs, progress=False, fallback=True, **options)


def made(package: str, name: str) -> torch.nn.Module:
    """A model with random weights, whose statistics are those of random images."""
    torch.manual_seed(0)
    if package == "timm":
        timm = pytest.importorskip("timm")
        model: torch.nn.Module = timm.create_model(name, pretrained=False)
    else:
        options = {"init_weights": False} if name == "googlenet" else {}
        model = getattr(torchvision.models, name)(weights=None, **options)
    model.train()
    with torch.no_grad():
        for _ in range(2):
            model(torch.randn(2, 3, 224, 224))
    return model.eval()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("package", "name"), [("torchvision", name) for name in TORCHVISION] + [("timm", name) for name in TIMM]
)
def test_a_compiled_model_agrees_with_eager(package: str, name: str) -> None:
    model = made(package, name)
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="torch2trt", options={"backend": "cpu"})
    for batch in (1, 1, 2):
        x = torch.randn(batch, 3, 224, 224)
        with torch.no_grad():
            test_operators.compare([compiled(x)], [model(x)], 1e-4)


@pytest.mark.skipif(importlib.util.find_spec("tensorrt_rtx_libs") is None, reason="TensorRT-RTX is not installed")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize("is_dynamic", [False, True], ids=["static", "dynamic length"])
def test_speech_with_plans_for_rtx(stochastic: bool, is_dynamic: bool) -> None:
    """The decoder has a computed length without a largest value: PyTorch runs it, and an engine all before."""
    torch.manual_seed(0)
    model = Speech(stochastic).eval()
    given = torch.randint(1, 30, (2, 9)), torch.ones(2, 9, dtype=torch.int64)
    ranges = {"min_shapes": [(2, 6)] * 2, "max_shapes": [(2, 16)] * 2} if is_dynamic else {}
    with pytest.raises(torch2trt.Error) as raised:
        torch2trt.torch2trt(model, given, progress=False, **RTX, **ranges)
    assert raised.value.code == "E0302"
    assert "fallback=True" in raised.value.help
    model_trt = convert(model, given, **RTX, **ranges)
    kinds = [part.kind for part in model_trt.partitions]
    assert kinds[0] == "engine"
    assert "pytorch" in kinds
    assert max(model_trt.report.difference.values()) < 1e-4
    reasons = {reason for part in model_trt.partitions for reason in part.reasons}
    assert any("has no largest value" in reason for reason in reasons)
