"""Interpolation: modes, sizes and factors, aligned corners, antialiasing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import randn

from operators import Case, dims


def image(*shape: int):
    return lambda: (randn(shape),)


def resize(mode: str, **options):
    return lambda x: F.interpolate(x, mode=mode, **options)


SIZES = dims({0: "n", 2: "h", 3: "w"}, least=2)
SMALL, TALL = image(2, 3, 9, 6), image(4, 3, 5, 11)

CASES = [
    *(
        Case(f"{mode} {what}", resize(mode, **options), SMALL)
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic")
        for what, options in {
            "to a size": {"size": (13, 20)},
            "to a smaller size": {"size": (4, 5)},
            "by two": {"scale_factor": 2},
            "by a half": {"scale_factor": 0.5},
            "by 1.7": {"scale_factor": 1.7},
            "by 1.7 recomputed": {"scale_factor": 1.7, "recompute_scale_factor": True},
            "by two factors": {"scale_factor": (3.0, 0.7)},
            "to one": {"size": (1, 1)},
            "to the same": {"size": (9, 6)},
        }.items()
    ),
    *(
        Case(f"{mode} aligned {size}", resize(mode, size=size, align_corners=True), SMALL)
        for mode in ("bilinear", "bicubic")
        for size in ((13, 20), (4, 5), (1, 12))
    ),
    *(
        Case(f"{mode} antialiased {what}", resize(mode, antialias=True, **options), image(2, 3, 17, 12))
        for mode in ("bilinear", "bicubic")
        for what, options in {
            "smaller": {"size": (5, 7)},
            "larger": {"size": (23, 15)},
            "mixed": {"size": (23, 5)},
            "by 0.3": {"scale_factor": 0.3},
            "aligned": {"size": (5, 7), "align_corners": True},
        }.items()
    ),
    Case("linear 1d", resize("linear", size=13), image(2, 3, 9)),
    Case("linear 1d by 2.5", resize("linear", scale_factor=2.5), image(2, 3, 9)),
    Case("linear 1d aligned", resize("linear", size=13, align_corners=True), image(2, 3, 9)),
    Case("nearest 1d", resize("nearest", size=13), image(2, 3, 9)),
    Case("nearest 1d by two", resize("nearest", scale_factor=2), image(2, 3, 9)),
    Case("nearest 3d", resize("nearest", size=(5, 6, 14)), image(2, 3, 4, 9, 7)),
    Case("nearest 3d by two", resize("nearest", scale_factor=2), image(2, 3, 4, 5, 7)),
    Case("trilinear", resize("trilinear", size=(5, 6, 14)), image(2, 3, 4, 9, 7)),
    Case("trilinear aligned", resize("trilinear", size=(5, 6, 14), align_corners=True), image(2, 3, 4, 9, 7)),
    Case("area", resize("area", size=(5, 4)), SMALL),
    Case(
        "nearest uint8",
        resize("nearest", size=(13, 20)),
        lambda: (torch.randint(0, 255, (2, 3, 9, 6), dtype=torch.uint8),),
    ),
    Case("bilinear by two dynamic", resize("bilinear", scale_factor=2), SMALL, dynamic=SIZES, other=TALL),
    Case(
        "bilinear by a half dynamic",
        resize("bilinear", scale_factor=0.5),
        SMALL,
        dynamic=dims({0: "n", 2: "h", 3: "w"}, least=4),
        other=TALL,
    ),
    Case("bilinear to a size dynamic", resize("bilinear", size=(13, 20)), SMALL, dynamic=SIZES, other=TALL),
    Case(
        "bilinear aligned dynamic",
        resize("bilinear", scale_factor=3, align_corners=True),
        SMALL,
        dynamic=SIZES,
        other=TALL,
    ),
    Case(
        "bilinear to another's size",
        lambda x, y: F.interpolate(x, size=y.shape[2:], mode="bilinear"),
        lambda: (randn(2, 3, 9, 6), randn(2, 1, 13, 20)),
        dynamic=dims({2: "h", 3: "w"}, {2: "a", 3: "b"}, least=2),
        other=lambda: (randn(2, 3, 5, 11), randn(2, 1, 4, 7)),
    ),
    Case("nearest by two dynamic", resize("nearest", scale_factor=2), SMALL, dynamic=SIZES, other=TALL),
    Case(
        "nearest to another's size",
        lambda x, y: F.interpolate(x, size=y.shape[2:], mode="nearest"),
        lambda: (randn(2, 3, 9, 6), randn(2, 1, 18, 12)),
        dynamic=dims({2: "h", 3: "w"}, {2: "a", 3: "b"}, least=2),
        other=lambda: (randn(2, 3, 5, 11), randn(2, 1, 10, 22)),
    ),
    Case("bicubic by two dynamic", resize("bicubic", scale_factor=2), SMALL, dynamic=SIZES, other=TALL),
    Case(
        "antialiased dynamic",
        resize("bilinear", size=(5, 4), antialias=True),
        SMALL,
        dynamic=SIZES,
        other=TALL,
    ),
    *(
        Case(
            f"{name}{rank}d sizes and factors {given}",
            lambda x, op=getattr(torch.ops.aten, f"{name}{rank}d"), corners=corners, given=given, n=rank: op.default(
                x, [7, 11, 4][:n], *corners, *([1.5, 2.2, 0.7][:n] if given else [])
            ),
            image(2, 3, *(5, 5, 6)[:rank]),
            tolerance=1e-5,
        )  # torch.export takes some of them apart
        for given in (False, True)
        for name, ranks, corners in (
            ("upsample_nearest", (1, 2, 3), ()),
            ("_upsample_nearest_exact", (1, 2, 3), ()),
            ("upsample_linear", (1,), (False,)),
            ("upsample_bilinear", (2,), (False,)),
            ("upsample_trilinear", (3,), (False,)),
            ("upsample_bicubic", (2,), (False,)),
        )
        for rank in ranks
    ),
    *(
        Case(
            f"{name} antialiased sizes and factors",
            lambda x, op=getattr(torch.ops.aten, f"_upsample_{name}2d_aa").default: op(x, [7, 4], False, 1.5, 0.7),
            image(2, 3, 5, 6),
        )
        for name in ("bilinear", "bicubic")
    ),
    Case(
        "lanczos antialiased smaller",
        lambda x: torch.ops.aten._upsample_lanczos2d_aa(x, [5, 7], False),
        image(2, 3, 17, 12),
    ),
    Case(
        "lanczos antialiased by factors",
        lambda x: torch.ops.aten._upsample_lanczos2d_aa.vec(x, None, False, [0.4, 1.7]),
        image(2, 3, 17, 12),
    ),
    Case("nearest-exact 1d", resize("nearest-exact", size=13), image(2, 3, 9)),
    Case("nearest-exact 3d", resize("nearest-exact", size=(5, 6, 14)), image(2, 3, 4, 9, 7)),
]
