"""Batch, layer, group, instance and RMS normalization; vector norms; weight normalization."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn, randn

from operators import Case, dims


def image(*shape: int):
    """Draws a tensor whose mean is not zero."""
    return lambda: (randn(shape) * 2 + 1,)


def trained(module: nn.Module) -> nn.Module:
    """Gives every parameter and statistic a value of its own."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            tensor.data = torch.rand_like(tensor) + 0.5
    return module


def channels():
    """Draws an image, and weight, bias, mean and variance of its channels."""
    return randn(2, 6, 5, 4), randn(6), randn(6), randn(6), torch.rand(6) + 0.5


CASES = [
    Case("batch norm 2d", trained(nn.BatchNorm2d(6)), image(2, 6, 5, 4)),
    Case("batch norm 1d", trained(nn.BatchNorm1d(6)), image(2, 6, 5)),
    Case("batch norm of a matrix", trained(nn.BatchNorm1d(6)), image(3, 6)),
    Case("batch norm 3d", trained(nn.BatchNorm3d(6)), image(2, 6, 3, 5, 4)),
    Case("batch norm not affine", trained(nn.BatchNorm2d(6, affine=False)), image(2, 6, 5, 4)),
    Case("batch norm epsilon", trained(nn.BatchNorm2d(6, eps=0.3)), image(2, 6, 5, 4)),
    Case(
        "batch norm after convolution", trained(nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6))), image(2, 3, 5, 4)
    ),
    Case("batch norm without statistics", trained(nn.BatchNorm2d(6, track_running_stats=False)), image(3, 6, 5, 4)),
    Case(
        "batch norm of given statistics",
        lambda x, m, v: F.batch_norm(x, m, v.abs()),
        lambda: (randn(2, 6, 3), randn(6), randn(6)),
    ),
    Case(
        "batch norm dynamic",
        trained(nn.BatchNorm2d(6)),
        image(2, 6, 5, 4),
        dynamic=({0: torch.export.Dim("n", max=64), 2: torch.export.Dim("h", max=64)},),
        other=image(5, 6, 3, 4),
    ),
    Case("layer norm", trained(nn.LayerNorm(8)), image(2, 5, 8)),
    Case("layer norm two axes", trained(nn.LayerNorm((5, 8))), image(2, 5, 8)),
    Case("layer norm not affine", trained(nn.LayerNorm(8, elementwise_affine=False)), image(2, 5, 8)),
    Case("layer norm no bias", trained(nn.LayerNorm(8, bias=False)), image(2, 5, 8)),
    Case("layer norm vector", trained(nn.LayerNorm(8)), image(8)),
    Case(
        "layer norm given weights",
        lambda x, w, b: F.layer_norm(x, (8,), w, b),
        lambda: (randn(2, 5, 8), randn(8), randn(8)),
    ),
    Case(
        "layer norm dynamic",
        lambda x, w, b: F.layer_norm(x, (8,), w, b),
        lambda: (randn(2, 5, 8), randn(8), randn(8)),
        dynamic=dims({0: "n", 1: "t"}, {}, {}),
        other=lambda: (randn(4, 3, 8), randn(8), randn(8)),
    ),
    Case("group norm", trained(nn.GroupNorm(3, 6)), image(2, 6, 5, 4)),
    Case("group norm one group", trained(nn.GroupNorm(1, 6)), image(2, 6, 5, 4)),
    Case("group norm all groups", trained(nn.GroupNorm(6, 6)), image(2, 6, 5, 4)),
    Case("group norm of a matrix", trained(nn.GroupNorm(3, 6)), image(2, 6)),
    Case("group norm not affine", trained(nn.GroupNorm(3, 6, affine=False)), image(2, 6, 7)),
    Case(
        "group norm given weights",
        lambda x, w, b: F.group_norm(x, 3, w, b),
        lambda: (randn(2, 6, 8), randn(6), randn(6)),
    ),
    Case(
        "group norm dynamic",
        lambda x, w, b: F.group_norm(x, 3, w, b),
        lambda: (randn(2, 6, 8, 4), randn(6), randn(6)),
        dynamic=dims({0: "n", 2: "h", 3: "w"}, {}, {}),
        other=lambda: (randn(4, 6, 3, 7), randn(6), randn(6)),
    ),
    Case("instance norm", trained(nn.InstanceNorm2d(6, affine=True)), image(2, 6, 5, 4)),
    Case("instance norm 1d", trained(nn.InstanceNorm1d(6)), image(2, 6, 5)),
    Case("instance norm 3d", trained(nn.InstanceNorm3d(6)), image(2, 6, 3, 5, 4)),
    Case("instance norm batchless", trained(nn.InstanceNorm2d(6)), image(6, 5, 4)),
    Case(
        "instance norm running", trained(nn.InstanceNorm2d(6, affine=True, track_running_stats=True)), image(2, 6, 5, 4)
    ),
    Case("rms norm", trained(nn.RMSNorm(8)), image(2, 5, 8)),
    Case("rms norm epsilon", trained(nn.RMSNorm((5, 8), eps=0.1)), image(2, 5, 8)),
    Case("rms norm of tiny values", lambda x: F.rms_norm(x * 1e-4, (8,)), image(2, 5, 8)),
    Case("local response norm", nn.LocalResponseNorm(3), image(2, 6, 5, 4)),
    Case("native batch norm", lambda x, *p: torch.ops.aten.native_batch_norm(x, *p, False, 0.1, 1e-5)[0], channels),
    Case(
        "legit batch norm", lambda x, *p: torch.ops.aten._native_batch_norm_legit(x, *p, False, 0.1, 1e-5)[0], channels
    ),
    Case(
        "batch norm without update", lambda x, *p: torch.ops.aten._batch_norm_no_update(x, *p, 0.1, 1e-5)[0], channels
    ),
    Case(
        "native layer norm",
        lambda x, w, b: torch.ops.aten.native_layer_norm(x, (8,), w, b, 1e-5)[0],
        lambda: (randn(2, 5, 8), randn(8), randn(8)),
    ),
    Case(
        "native layer norm statistics",
        lambda x: torch.ops.aten.native_layer_norm(x, (8,), None, None, 1e-5),
        image(2, 5, 8),
        refused="statistics",
    ),
    Case(
        "native group norm",
        lambda x, w, b: torch.ops.aten.native_group_norm(x, w, b, 2, 6, 20, 3, 1e-5)[0],
        lambda: (randn(2, 6, 5, 4), randn(6), randn(6)),
    ),
    Case(
        "fused rms norm",
        lambda x, w: torch.ops.aten._fused_rms_norm(x, (8,), w, None)[0],
        lambda: (randn(2, 5, 8), randn(8)),
    ),
]
