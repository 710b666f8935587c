"""Operators of torchvision's detection models."""

from __future__ import annotations

import torch
import torchvision
from torch import rand, randint, randn
from torchvision.ops import deform_conv2d, nms, ps_roi_align, ps_roi_pool, roi_align, roi_pool

from operators import Case, dims

UNBUILT = "sizes that depend on data"


def boxes(count: int = 30):
    """Draws boxes of which many overlap, and their scores."""

    def draw():
        corner = rand(count, 2) * 4
        return torch.cat([corner, corner + rand(count, 2) * 3 + 0.5], 1), randn(count)

    return draw


def regions(count: int = 6, images: int = 3, channels: int = 5):
    """Draws feature maps and regions, some of which reach outside."""

    def draw():
        corner = rand(count, 2) * 30 - 4
        box = torch.cat([corner, corner + rand(count, 2) * 20], 1)
        return randn(images, channels, 12, 9), torch.cat([randint(images, (count, 1)).float(), box], 1)

    return draw


def deformed(
    *, channels: int = 6, out: int = 4, groups: int = 1, offset_groups: int = 1, mask: bool = False, **options
):
    """A deformable convolution with a window of 3 by 2, and what draws its inputs."""
    weight = randn(out, channels // groups, 3, 2)
    plain = torch.nn.functional.conv2d(randn(1, channels // groups, 9, 8), weight, **options).shape[2:]

    def draw():
        offset = randn(2, offset_groups * 2 * 6, *plain) * 2
        extra = (rand(2, offset_groups * 6, *plain),) if mask else ()
        return randn(2, channels, 9, 8), offset, *extra

    bias = randn(out)
    return lambda x, o, m=None: deform_conv2d(x, o, weight, bias, mask=m, **options), draw


CASES = [
    Case("nms", lambda b, s: nms(b, s, 0.3), boxes(), unbuilt=UNBUILT),
    Case("nms then boxes", lambda b, s: b[nms(b, s, 0.3)] * 2, boxes(), unbuilt=UNBUILT),
    Case(
        "nms dynamic",
        lambda b, s: nms(b, s, 0.5),
        boxes(),
        dynamic=dims({0: "k"}, {0: "k"}, least=2),
        other=boxes(50),
        unbuilt=UNBUILT,
    ),
    Case("roi align", lambda x, r: roi_align(x, r, (4, 3), 0.4, 2), regions()),
    Case("roi align aligned", lambda x, r: roi_align(x, r, (4, 3), 0.4, 2, aligned=True), regions()),
    Case("roi align three samples", lambda x, r: roi_align(x, r, 2, 0.5, 3), regions()),
    Case(
        "roi align dynamic",
        lambda x, r: roi_align(x, r, 3, 0.4, 2),
        regions(),
        dynamic=dims({0: "n"}, {0: "k"}),
        other=regions(9, 2),
    ),
    Case("roi align adaptive", lambda x, r: roi_align(x, r, 3), regions()),
    Case("roi align adaptive aligned", lambda x, r: roi_align(x, r, (4, 2), 0.7, aligned=True), regions(20)),
    Case("roi align adaptive of large regions", lambda x, r: roi_align(x, r, 2, 3.0), regions(20)),
    Case("roi align adaptive of nothing", lambda x, r: roi_align(x, r[:, [0, 1, 2, 1, 4]], 2, aligned=True), regions()),
    Case(
        "roi align adaptive dynamic",
        lambda x, r: roi_align(x, r, 3, 0.4),
        regions(),
        dynamic=dims({0: "n", 2: "h", 3: "w"}, {0: "k"}, least=2),
        other=regions(9, 2),
    ),
    *(
        Case(f"ps roi align {ratio}", lambda x, r, n=ratio: ps_roi_align(x, r, (2, 3), 0.6, n), regions(9, channels=12))
        for ratio in (-1, 1, 3)
    ),
    Case("ps roi align of nothing", lambda x, r: ps_roi_align(x, r[:, [0, 1, 2, 1, 4]], 2), regions(9, channels=8)),
    Case("ps roi pool", lambda x, r: ps_roi_pool(x, r, (2, 3), 0.6), regions(9, channels=12)),
    Case("ps roi pool of halves", lambda x, r: ps_roi_pool(x, r.round(), 2, 0.5), regions(20, channels=8)),
    *(
        Case(
            f"{f.__name__} dynamic",
            lambda x, r, f=f: f(x, r, 2, 0.5),
            regions(channels=8),
            dynamic=dims({0: "n", 2: "h", 3: "w"}, {0: "k"}, least=2),
            other=regions(9, 2, channels=8),
        )
        for f in (ps_roi_align, ps_roi_pool)
    ),
    Case("roi pool", lambda x, r: roi_pool(x, r, (4, 3), 0.4), regions()),
    Case("roi pool of large regions", lambda x, r: roi_pool(x, r, (2, 3), 1.7), regions(20)),
    Case("roi pool of halves", lambda x, r: roi_pool(x, r.round(), 2, 0.5), regions(20)),
    Case("roi pool module", torchvision.ops.RoIPool(7, 1.0), regions()),
    Case(
        "roi pool dynamic",
        lambda x, r: roi_pool(x, r, 3, 0.4),
        regions(),
        dynamic=dims({0: "n"}, {0: "k"}),
        other=regions(9, 2),
    ),
    Case(
        "roi pool of unknown height",
        lambda x, r: roi_pool(x, r, 3, 0.4),
        regions(),
        dynamic=dims({2: "h"}, {}),
        refused="height or width depends",
    ),
    Case(
        "roi pool of a large image",
        lambda x, r: roi_pool(x, r, 3),
        lambda: (randn(1, 64, 300, 300), regions(2, 1)()[1]),
        refused="roi_align needs none",
    ),
    Case("deformable convolution", *deformed()),
    Case("deformable convolution strided", *deformed(stride=2, padding=1, dilation=(2, 1))),
    Case("deformable convolution masked", *deformed(mask=True)),
    Case("deformable convolution grouped", *deformed(groups=2, offset_groups=3, mask=True)),
    Case(
        "deformable convolution module",
        torchvision.ops.DeformConv2d(6, 4, (3, 2), bias=False),
        lambda: (randn(2, 6, 9, 8), randn(2, 12, 7, 7)),
    ),
]
