"""Sizes whose expressions grow without end are refused in about the time of an export, with the axes and the line."""

from __future__ import annotations

import os
import time

import pytest
import torch
import torch.nn.functional as F
from test_dynamic import agree, convert, refused
from torch import nn

from torch2trt.capture import limits

TIMES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))


class Windows(nn.Module):
    """Pads to whole windows, merges pairs and does it again, as Swin Transformers do."""

    def forward(self, x):
        for _ in range(4):
            height, width = x.shape[2], x.shape[3]
            x = F.pad(x, (0, (7 - width % 7) % 7, 0, (7 - height % 7) % 7))
            x = F.avg_pool2d(x[:, :, : x.shape[2] - 2, : x.shape[3] - 2], 3, 2, 1)
        return x


def test_long_expressions_are_refused_with_the_axes(monkeypatch):
    monkeypatch.setattr(limits, "_LONG", 60)
    monkeypatch.setattr(limits, "_SECONDS", -1.0)
    monkeypatch.setattr(limits._Bounded, "share", 1e9)
    model, samples = Windows(), [torch.randn(2, 2, 40, 40)]
    ranges = {"min_shapes": [(2, 2, 20, 20)], "max_shapes": [(2, 2, 80, 80)]}
    refused(
        "E0307",
        lambda: convert(model, samples, **ranges),
        "axis 2 of `x`, axis 3 of `x`",
        "test_symbolic_limits.py",
        "static",
    )
    model_trt = convert(model, samples, max_batch_size=4)  # as the help has it
    agree(model, model_trt, torch.randn(3, 2, 40, 40))


def test_short_expressions_are_not_bounded_by_time(monkeypatch):
    monkeypatch.setattr(limits, "_SECONDS", -1.0)
    monkeypatch.setattr(limits._Bounded, "share", 1e9)
    model = nn.Sequential(nn.Conv2d(2, 2, 3, 2), nn.ReLU(), nn.Conv2d(2, 2, 3, 2)).eval()
    ranges = {"min_shapes": [(2, 2, 20, 20)], "max_shapes": [(2, 2, 80, 80)]}
    model_trt = convert(model, [torch.randn(2, 2, 40, 40)], **ranges)
    agree(model, model_trt, torch.randn(2, 2, 51, 33))


@pytest.mark.skipif(TIMES == 1, reason="slow: TORCH2TRT_TEST_CASES")
@pytest.mark.parametrize("name", ["swin_t", "swin_v2_t"])
def test_swin_transformers_are_refused_within_twice_the_time_of_an_export(name):
    models = pytest.importorskip("torchvision.models")
    model, sample = getattr(models, name)().eval(), torch.randn(1, 3, 256, 256)
    begin = time.process_time()
    convert(model, [sample], verify=False)
    static = time.process_time() - begin
    ranges = {"min_shapes": [(1, 3, 128, 128)], "max_shapes": [(1, 3, 512, 512)]}
    begin = time.process_time()
    refused(
        "E0307",
        lambda: convert(model, [sample], **ranges),
        "axis 2 of `x`, axis 3 of `x`",
        "swin_transformer.py",
        "static",
    )
    assert time.process_time() - begin < 2 * static + 5
