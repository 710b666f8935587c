"""Padding: modes, negative amounts, amounts that depend on the input."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn, randint, randn

from operators import Case, dims


def image(*shape: int):
    return lambda: (randn(shape),)


SIZES = dims({0: "n", 2: "h", 3: "w"}, least=4)

CASES = [
    Case("zeros", lambda x: F.pad(x, (1, 2, 3, 0)), image(2, 3, 9, 6)),
    Case("value", lambda x: F.pad(x, (1, 2), value=-1.5), image(2, 3, 9, 6)),
    Case("all axes", lambda x: F.pad(x, (1, 2, 3, 0, 0, 1, 2, 0), value=7), image(2, 3, 4, 5)),
    Case("infinity", lambda x: F.pad(x, (1, 1), value=-torch.inf), image(2, 3)),
    Case("cropping", lambda x: F.pad(x, (-1, -2, -3, 0)), image(2, 3, 9, 6)),
    Case("cropping and padding", lambda x: F.pad(x, (-1, 2, 3, -4), value=2), image(2, 3, 9, 6)),
    Case("nothing", lambda x: F.pad(x, (0, 0)), image(2, 3)),
    Case("int64", lambda x: F.pad(x, (1, 2), value=-5), lambda: (randint(-(2**40), 2**40, (2, 3)),)),
    Case("bool", lambda x: F.pad(x, (1, 2), value=True), lambda: (randn(2, 3) > 0,)),
    *(
        Case(f"{mode} {rank}d", lambda x, m=mode, p=amounts: F.pad(x, p, mode=m), image(*shape))
        for mode in ("reflect", "replicate", "circular")
        for rank, amounts, shape in (
            (1, (2, 1), (2, 3, 5)),
            (2, (2, 1, 0, 3), (2, 3, 5, 6)),
            (3, (2, 1, 0, 3, 1, 1), (2, 3, 4, 5, 6)),
        )
    ),
    *(
        Case(f"{mode} cropping", lambda x, m=mode: F.pad(x, (-2, 3, 1, -1), mode=m), image(2, 3, 7, 6))
        for mode in ("reflect", "replicate", "circular")
    ),
    Case("reflect batchless", nn.ReflectionPad2d(1), image(3, 5, 6)),
    Case(
        "replicate int64",
        lambda x: F.pad(x.float(), (2, 1), mode="replicate").long(),
        lambda: (randint(0, 99, (2, 3, 5)),),
    ),
    Case(
        "dynamic", lambda x: F.pad(x, (1, 2, 3, 0), value=2), image(2, 3, 9, 6), dynamic=SIZES, other=image(3, 3, 4, 7)
    ),
    *(
        Case(
            f"{mode} dynamic",
            lambda x, m=mode: F.pad(x, (2, 1, 0, 3), mode=m),
            image(2, 3, 9, 6),
            dynamic=SIZES,
            other=image(3, 3, 4, 7),
        )
        for mode in ("reflect", "replicate", "circular")
    ),
    Case(
        "to a multiple",
        lambda x: F.pad(x, (0, -x.shape[1] % 4)),
        image(2, 6),
        dynamic=dims({1: "t"}, least=2),
        other=image(2, 9),
    ),
    Case("constant_pad_nd", lambda x: torch.ops.aten.constant_pad_nd(x, [1, 2, 0, -1], 3), image(2, 3, 5)),
    Case("_pad_circular", lambda x: torch.ops.aten._pad_circular(x, [1, 2]), image(2, 3, 5)),
    *(
        Case(f"_pad_enum {mode}", lambda x, m=mode: torch.ops.aten._pad_enum(x, [1, 2], m), image(2, 3, 5))
        for mode in range(4)
    ),
    *(
        (
            Case(
                f"{name}{rank}d",
                lambda x, f=f"{name}{rank}d", n=rank: getattr(torch.ops.aten, f)(x, [1, 2, 0, 1, 2, 1][: 2 * n]),
                image(2, 3, 4, 5, 6),
            )
            if rank == 3
            else Case(
                f"{name}{rank}d",
                lambda x, f=f"{name}{rank}d", n=rank: getattr(torch.ops.aten, f)(x, [1, 2, 0, 1][: 2 * n]),
                image(2, 3, *(5, 6)[:rank]),
            )
        )
        for name in ("reflection_pad", "replication_pad")
        for rank in (1, 2, 3)
    ),
]
