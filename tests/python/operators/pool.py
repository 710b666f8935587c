"""Pooling: windows, padding, ceil mode, dilation, and adaptive windows that divide or overlap."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import randn

from operators import Case, dims


def image(*shape: int):
    return lambda: (randn(shape),)


SIZES = dims({0: "n", 2: "h", 3: "w"}, least=4)
HALF = torch.export.Dim("half", min=2, max=512)
# In ceil mode PyTorch decides at export whether the last window is dropped: the parity has to stay.
ODD = (({2: 2 * HALF - 1},),)

CASES = [
    Case("max 2d", lambda x: F.max_pool2d(x, 3, 2, 1), image(2, 3, 11, 8)),
    Case("max 1d", lambda x: F.max_pool1d(x, 3, 2, 1), image(2, 3, 11)),
    Case("max 3d", lambda x: F.max_pool3d(x, 2, 2), image(2, 3, 6, 8, 5)),
    Case("max default stride", lambda x: F.max_pool2d(x, (2, 3)), image(2, 3, 11, 8)),
    Case("max batchless", lambda x: F.max_pool2d(x, 3, 2, 1), image(3, 11, 8)),
    Case("max 1d batchless", lambda x: F.max_pool1d(x, 2), image(3, 11)),
    Case("max ceil", lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), image(2, 3, 12, 8)),
    Case("max ceil padded", lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), image(2, 3, 12, 9)),
    Case("max ceil drops a window", lambda x: F.max_pool2d(x, 2, 3, 1, ceil_mode=True), image(2, 3, 9, 10)),
    Case("max of negative values", lambda x: F.max_pool2d(-x.abs() - 1, 3, 2, 1), image(2, 3, 11, 8)),
    Case("max dilated", lambda x: F.max_pool2d(x, 3, 2, 1, dilation=2), image(2, 3, 11, 12)),
    Case("max dilated ceil", lambda x: F.max_pool2d(x, 2, 3, 1, dilation=3, ceil_mode=True), image(2, 3, 11, 12)),
    Case("max int64", lambda x: F.max_pool2d(x, 3, 2, 1), lambda: (torch.randint(-(2**40), 0, (2, 3, 7, 7)),)),
    Case("max indices unused", lambda x: F.max_pool2d(x, 2, return_indices=True)[0], image(2, 3, 8, 8)),
    Case("max indices", lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True), image(2, 3, 8, 7)),
    Case("max indices of equals", lambda x: F.max_pool2d(x.round(), 3, 2, return_indices=True), image(2, 3, 8, 7)),
    Case("max indices dilated ceil", lambda x: F.max_pool2d(x, 2, 3, 1, 2, True, True), image(2, 3, 11, 12)),
    Case("max indices 1d", lambda x: F.max_pool1d(x, 3, 2, return_indices=True), image(2, 3, 8)),
    Case("max indices 3d batchless", lambda x: F.max_pool3d(x, 2, return_indices=True), image(3, 4, 6, 5)),
    Case(
        "max indices dynamic",
        lambda x: F.max_pool2d(x, 2, return_indices=True),
        image(2, 3, 8, 7),
        dynamic=SIZES,
        other=image(4, 3, 5, 10),
    ),
    Case("max unpool", lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), image(2, 3, 8, 6)),
    Case("max unpool 1d", lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2), image(2, 3, 8)),
    Case("max unpool 3d", lambda x: F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2), image(2, 3, 4, 8, 6)),
    Case(
        "adaptive max indices",
        lambda x: F.adaptive_max_pool2d(x, 3, return_indices=True),
        image(2, 3, 8, 8),
    ),
    Case("adaptive max indices 1d", lambda x: F.adaptive_max_pool1d(x, 4, return_indices=True), image(2, 3, 10)),
    Case(
        "adaptive max indices 3d",
        lambda x: F.adaptive_max_pool3d(x, (2, 1, 5), return_indices=True),
        image(2, 3, 5, 4, 7),
    ),
    Case(
        "adaptive max indices of equals",
        lambda x: F.adaptive_max_pool2d(x.round(), (3, 2), return_indices=True),
        image(2, 3, 9, 8),
    ),
    Case(
        "adaptive max indices dynamic",
        lambda x: F.adaptive_max_pool2d(x, (3, 2), return_indices=True),
        image(2, 3, 8, 7),
        dynamic=SIZES,
        other=image(4, 3, 5, 10),
    ),
    Case(
        "max dynamic", lambda x: F.max_pool2d(x, 3, 2, 1), image(2, 3, 11, 8), dynamic=SIZES, other=image(4, 3, 6, 13)
    ),
    Case(
        "max ceil dynamic",
        lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True),
        image(2, 3, 11, 8),
        dynamic=ODD,
        other=image(2, 3, 5, 8),
    ),
    Case(
        "max dilated dynamic",
        lambda x: F.max_pool2d(x, 2, 2, 1, 2),
        image(2, 3, 11, 8),
        dynamic=SIZES,
        other=image(4, 3, 6, 13),
    ),
    Case("average 2d", lambda x: F.avg_pool2d(x, 3, 2, 1), image(2, 3, 11, 8)),
    Case("average 1d", lambda x: F.avg_pool1d(x, 3, 2, 1), image(2, 3, 11)),
    Case("average 3d", lambda x: F.avg_pool3d(x, 2, 2), image(2, 3, 6, 8, 5)),
    Case("average batchless", lambda x: F.avg_pool2d(x, 3, 2, 1), image(3, 11, 8)),
    Case("average without padding", lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), image(2, 3, 11, 8)),
    Case("average ceil", lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True), image(2, 3, 12, 8)),
    Case("average ceil padded", lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), image(2, 3, 12, 9)),
    Case(
        "average ceil padded excluded",
        lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        image(2, 3, 12, 9),
    ),
    Case("average ceil drops a window", lambda x: F.avg_pool2d(x, 2, 3, 1, ceil_mode=True), image(2, 3, 9, 10)),
    Case("average divisor", lambda x: F.avg_pool2d(x, 3, 2, 1, divisor_override=5), image(2, 3, 11, 8)),
    Case(
        "average divisor ceil",
        lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, divisor_override=5),
        image(2, 3, 12, 9),
    ),
    Case("average 3d ceil", lambda x: F.avg_pool3d(x, 3, 2, 1, ceil_mode=True), image(2, 3, 6, 7, 8)),
    Case(
        "average dynamic",
        lambda x: F.avg_pool2d(x, 3, 2, 1),
        image(2, 3, 11, 8),
        dynamic=SIZES,
        other=image(4, 3, 6, 13),
    ),
    Case(
        "average ceil dynamic",
        lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
        image(2, 3, 11, 8),
        dynamic=ODD,
        other=image(2, 3, 5, 8),
    ),
    Case("lp", lambda x: F.lp_pool2d(x, 2, 3), image(2, 3, 11, 8)),
    *(
        Case(f"adaptive {name} to {size}", lambda x, f=f, size=size: f(x, size), image(2, 3, 12, 8))
        for name, f in (("average", F.adaptive_avg_pool2d), ("max", F.adaptive_max_pool2d))
        for size in (1, (6, 4), (5, 3), (12, 1), (1, 3), (None, 4), (15, 9))
    ),
    Case("adaptive average 1d", lambda x: F.adaptive_avg_pool1d(x, 5), image(2, 3, 12)),
    Case("adaptive average 1d even", lambda x: F.adaptive_avg_pool1d(x, 4), image(2, 3, 12)),
    Case("adaptive average 3d", lambda x: F.adaptive_avg_pool3d(x, (2, 3, 5)), image(2, 3, 6, 7, 8)),
    Case("adaptive average batchless", lambda x: F.adaptive_avg_pool2d(x, (5, 4)), image(3, 12, 8)),
    Case("adaptive max 1d", lambda x: F.adaptive_max_pool1d(x, 5), image(2, 3, 12)),
    Case("adaptive max 3d", lambda x: F.adaptive_max_pool3d(x, (2, 3, 5)), image(2, 3, 6, 7, 8)),
    Case("adaptive max batchless", lambda x: F.adaptive_max_pool2d(x, (5, 4)), image(3, 12, 8)),
    Case(
        "adaptive average to one dynamic",
        lambda x: F.adaptive_avg_pool2d(x, 1),
        image(2, 3, 12, 8),
        dynamic=SIZES,
        other=image(4, 3, 5, 9),
    ),
    Case(
        "adaptive average dynamic",
        lambda x: F.adaptive_avg_pool2d(x, (5, 3)),
        image(2, 3, 12, 8),
        dynamic=SIZES,
        other=image(4, 3, 4, 17),
    ),
    Case(
        "adaptive max dynamic",
        lambda x: F.adaptive_max_pool2d(x, (5, 3)),
        image(2, 3, 12, 8),
        dynamic=SIZES,
        other=image(4, 3, 4, 17),
    ),
    Case("_adaptive_avg_pool2d", lambda x: torch.ops.aten._adaptive_avg_pool2d(x, [5, 4]), image(2, 3, 12, 8)),
    Case("_adaptive_avg_pool3d", lambda x: torch.ops.aten._adaptive_avg_pool3d(x, [2, 3, 5]), image(2, 3, 6, 7, 8)),
]
