"""Convolutions and transposed convolutions: ranks, strides, paddings, groups, batchless inputs."""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn, randn

from operators import Case, dims


def image(*shape: int):
    return lambda: (randn(shape),)


LARGE = dims({0: "n", 2: "h", 3: "w"}, least=4)

CASES = [
    Case("1d", nn.Conv1d(4, 6, 3, padding=1), image(2, 4, 9)),
    Case("2d", nn.Conv2d(4, 6, 3, 2, 1), image(2, 4, 9, 8)),
    Case("3d", nn.Conv3d(4, 6, 3, (1, 2, 1), 1), image(2, 4, 5, 9, 8)),
    Case("no bias", nn.Conv2d(4, 6, (3, 1), bias=False), image(2, 4, 9, 8)),
    Case("groups", nn.Conv2d(4, 8, 3, groups=4), image(2, 4, 9, 8)),
    Case("dilated", nn.Conv2d(4, 6, 3, dilation=(2, 1)), image(2, 4, 9, 8)),
    Case("batchless", nn.Conv2d(4, 6, 3), image(4, 9, 8)),
    Case("1d batchless", nn.Conv1d(4, 6, 3), image(4, 9)),
    Case("same", nn.Conv2d(4, 6, (4, 3), padding="same"), image(2, 4, 9, 8)),
    Case("valid", nn.Conv2d(4, 6, (4, 3), padding="valid"), image(2, 4, 9, 8)),
    Case("reflect", nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), image(2, 4, 9, 8)),
    Case("circular", nn.Conv1d(4, 6, 3, padding=1, padding_mode="circular"), image(2, 4, 9)),
    Case(
        "given weight",
        lambda x, w, b: F.conv2d(x, w, b, padding=1),
        lambda: (randn(2, 4, 9, 8), randn(6, 4, 3, 3), randn(6)),
    ),
    Case("dynamic", nn.Conv2d(4, 6, 3, 2, 1), image(2, 4, 9, 8), dynamic=(LARGE[0][0],), other=image(3, 4, 5, 12)),
    Case("transposed 1d", nn.ConvTranspose1d(4, 6, 3, 2, 1), image(2, 4, 9)),
    Case("transposed 2d", nn.ConvTranspose2d(4, 6, 3, 2, 1), image(2, 4, 9, 8)),
    Case("transposed 3d", nn.ConvTranspose3d(4, 6, 3, 2), image(2, 4, 3, 5, 4)),
    Case("transposed groups", nn.ConvTranspose2d(4, 6, 3, 2, groups=2), image(2, 4, 9, 8)),
    Case("transposed dilated", nn.ConvTranspose2d(4, 6, 3, dilation=2), image(2, 4, 9, 8)),
    Case("transposed output padding", nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1), image(2, 4, 9, 8)),
    Case("transposed output beyond padding", nn.ConvTranspose2d(4, 6, 3, 2, 0, output_padding=1), image(2, 4, 9, 8)),
    Case("transposed no bias beyond", nn.ConvTranspose1d(4, 6, 2, 3, 0, 2, bias=False), image(2, 4, 9)),
    Case("transposed batchless", nn.ConvTranspose2d(4, 6, 2, 2), image(4, 5, 4)),
    Case(
        "transposed given kernel, stride and dilation",
        lambda x, w: F.conv_transpose2d(x, w, stride=(1, 2), dilation=(2, 1)),
        lambda: (randn(2, 4, 6, 5), randn(4, 3, 2, 3)),
    ),
    Case(
        "transposed 3d given kernel, groups, stride and dilation",
        lambda x, w, b: F.conv_transpose3d(x, w, b, (2, 1, 3), (1, 0, 2), (1, 0, 1), 2, (2, 3, 2)),
        lambda: (randn(1, 4, 3, 4, 3), randn(4, 3, 2, 3, 2), randn(6)),
    ),
    Case(
        "transposed 3d groups, stride and dilation",
        nn.ConvTranspose3d(4, 6, (2, 3, 1), (1, 2, 2), groups=2, dilation=(3, 1, 2)),
        image(2, 4, 3, 4, 3),
    ),
    Case(
        "transposed dynamic",
        nn.ConvTranspose2d(4, 6, 3, 2, 1),
        image(2, 4, 9, 8),
        dynamic=(LARGE[0][0],),
        other=image(3, 4, 5, 12),
    ),
]
