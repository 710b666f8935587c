"""Pixel and channel shuffles, grid sampling, sliding windows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import rand, randn

from operators import Case, dims


def image(*shape: int):
    return lambda: (randn(shape),)


def sampled(*, points: int = 7):
    """Draws an image and points, some of them outside it."""
    return lambda: (randn(2, 3, 9, 6), rand(2, points, 5, 2) * 2.4 - 1.2)


SIZES = dims({0: "n", 2: "h", 3: "w"}, least=3)


def volume(count: int = 2, size: tuple[int, int, int] = (4, 5, 6), points: int = 3):
    """Draws volumes, and points of which some are outside."""
    return lambda: (randn(count, 2, *size), rand(count, points, 3, 2, 3) * 4 - 2)


CASES = [
    Case("pixel shuffle", lambda x: F.pixel_shuffle(x, 2), image(2, 12, 5, 4)),
    Case("pixel shuffle batchless", lambda x: F.pixel_shuffle(x, 3), image(9, 5, 4)),
    Case("pixel shuffle two batches", lambda x: F.pixel_shuffle(x, 2), image(2, 3, 8, 5, 4)),
    Case(
        "pixel shuffle dynamic",
        lambda x: F.pixel_shuffle(x, 2),
        image(2, 12, 5, 4),
        dynamic=SIZES,
        other=image(3, 12, 4, 7),
    ),
    Case("pixel unshuffle", lambda x: F.pixel_unshuffle(x, 2), image(2, 3, 6, 4)),
    Case("pixel unshuffle batchless", lambda x: F.pixel_unshuffle(x, 2), image(3, 6, 4)),
    Case("channel shuffle", lambda x: F.channel_shuffle(x, 3), image(2, 6, 5, 4)),
    Case(
        "channel shuffle dynamic",
        lambda x: F.channel_shuffle(x, 3),
        image(2, 6, 5, 4),
        dynamic=SIZES,
        other=image(3, 6, 4, 7),
    ),
    *(
        Case(
            f"grid sample {mode} {padding} {align}",
            lambda x, g, m=mode, p=padding, a=align: F.grid_sample(x, g, mode=m, padding_mode=p, align_corners=a),
            sampled(),
        )
        for mode in ("bilinear", "nearest", "bicubic")
        for padding in ("zeros", "border", "reflection")
        for align in (False, True)
    ),
    Case(
        "grid sample dynamic",
        lambda x, g: F.grid_sample(x, g, align_corners=False),
        sampled(),
        dynamic=dims({}, {1: "p"}),
        other=sampled(points=3),
    ),
    Case(
        "grid sample volume",
        lambda x, g: F.grid_sample(x, g, align_corners=False),
        volume(),
        dynamic=dims({0: "n", 2: "d", 3: "h", 4: "w"}, {0: "n", 1: "p"}, least=2),
        other=volume(3, (3, 7, 5), 6),
    ),
    *(
        Case(
            f"grid sample volume {mode} {padding} {align}",
            lambda x, g, m=mode, p=padding, a=align: F.grid_sample(x, g, m, p, a),
            volume(),
        )
        for mode in ("bilinear", "nearest")
        for padding in ("zeros", "border", "reflection")
        for align in (False, True)
    ),
    Case(
        "grid sample thin volume",
        lambda x, g: F.grid_sample(x, g, "bilinear", "reflection", True),
        volume(2, (1, 2, 1)),
    ),
    *(
        Case(
            f"affine grid {size} {align}",
            lambda t, s=size, a=align: F.affine_grid(t, s, align_corners=a),
            image(2, d, d + 1),
        )
        for size, d in (((2, 3, 5, 7), 2), ((2, 3, 1, 7), 2), ((2, 3, 4, 5, 6), 3))
        for align in (False, True)
    ),
    Case(
        "affine grid dynamic",
        lambda t: F.affine_grid(t, (t.shape[0], 3, 5, 7), align_corners=False),
        image(2, 2, 3),
        dynamic=dims({0: "n"}),
        other=image(3, 2, 3),
    ),
    Case("unfold", lambda x: F.unfold(x, 3), image(2, 3, 9, 6)),
    Case(
        "unfold all", lambda x: F.unfold(x, (3, 2), dilation=(1, 2), padding=(1, 2), stride=(2, 1)), image(2, 3, 9, 6)
    ),
    Case("unfold batchless", lambda x: F.unfold(x, 2, padding=1), image(3, 9, 6)),
    Case(
        "unfold dynamic",
        lambda x: F.unfold(x, 3, padding=1, stride=2),
        image(2, 3, 9, 6),
        dynamic=SIZES,
        other=image(3, 3, 4, 7),
    ),
    Case("fold", lambda x: F.fold(x, (9, 6), 3), image(2, 27, 28)),
    Case(
        "fold all",
        lambda x: F.fold(x, (9, 6), (3, 2), dilation=(1, 2), padding=(1, 2), stride=(2, 1)),
        image(2, 18, 40),
    ),
    Case("fold batchless", lambda x: F.fold(x, (6, 4), 2, stride=2), image(12, 6)),
    Case("native channel shuffle", lambda x: torch.ops.aten.native_channel_shuffle(x, 3), image(2, 6, 5, 4)),
    Case("grid sampler 2d", lambda x, g: torch.ops.aten.grid_sampler_2d(x, g, 0, 0, True), sampled()),
    Case(
        "grid sampler 3d",
        lambda x, g: torch.ops.aten.grid_sampler_3d(x, g, 0, 0, True),
        volume(),
    ),
]
