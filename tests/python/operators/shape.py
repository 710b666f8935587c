"""Views: sizes, order of axes, repetition; static and symbolic."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import floats, integers

X = floats((2, 3, 4))
OTHER = floats((5, 3, 6))
NM = dims({0: "n", 2: "m"})

STATIC = {
    "view": lambda x: x.view(6, 4),
    "view infer": lambda x: x.view(2, -1),
    "reshape of transposed": lambda x: x.transpose(0, 2).reshape(-1),
    "reshape to ones": lambda x: x.reshape(1, 2, 3, 1, 4),
    "flatten": lambda x: x.flatten(1),
    "unflatten": lambda x: x.unflatten(2, (2, 2)),
    "ravel": lambda x: x.ravel(),
    "unsqueeze": lambda x: x.unsqueeze(1).unsqueeze(-1),
    "squeeze": lambda x: x[:, :1].squeeze(1),
    "squeeze all": lambda x: x[:1, :1].squeeze(),
    "squeeze dims": lambda x: x[:1, :1].squeeze((0, 1)),
    "squeeze of other sizes": lambda x: x.squeeze(1),
    "permute": lambda x: x.permute(2, 0, 1),
    "permute negative": lambda x: x.permute(-1, 0, -2),
    "transpose": lambda x: x.transpose(-1, 0),
    "t": lambda x: x[0].t(),
    "T": lambda x: x[0].T,
    "mT": lambda x: x.mT,
    "adjoint": lambda x: x.adjoint(),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "movedim": lambda x: x.movedim(0, 2),
    "movedim list": lambda x: x.movedim((0, 1), (2, 0)),
    "expand": lambda x: x[:, :1].expand(2, 5, 4),
    "expand front": lambda x: x.expand(3, -1, -1, 4),
    "expand_as": lambda x: x[:1].expand_as(x),
    "broadcast_to": lambda x: torch.broadcast_to(x[0, 0], (5, 4)),
    "broadcast_tensors": lambda x: torch.broadcast_tensors(x, x[:, :1], x[0]),
    "repeat": lambda x: x.repeat(2, 1, 3),
    "repeat front": lambda x: x.repeat(2, 1, 1, 2),
    "tile": lambda x: x.tile(2, 2),
    "repeat_interleave": lambda x: x.repeat_interleave(3, dim=1),
    "repeat_interleave flat": lambda x: x.repeat_interleave(2),
    "meshgrid ij": lambda x: torch.meshgrid(x[0, 0], x[0, :, 0], x[:, 0, 0], indexing="ij"),
    "meshgrid xy": lambda x: torch.meshgrid(x[0, 0], x[0, :, 0], indexing="xy"),
    "atleast": lambda x: (torch.atleast_1d(x[0, 0, 0]), torch.atleast_2d(x[0, 0]), torch.atleast_3d(x[0])),
    "0-D": lambda x: x[0, 0, 0].view(1, 1).expand(2, 3),
    "attention heads": lambda x: x.view(2, 3, 2, 2).transpose(1, 2).reshape(4, 3, 2),
}

DYNAMIC = {
    "view": lambda x: x.reshape(x.shape[0] * 3, x.shape[2]),
    "view to one": lambda x: x.reshape(-1),
    "view two ways": lambda x: x.flatten().view(x.shape[2] * 3, x.shape[0]),
    "flatten": lambda x: x.flatten(0, 1),
    "flatten last": lambda x: x.flatten(1),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "unsqueeze middle": lambda x: x.unsqueeze(1).unsqueeze(3),
    "squeeze": lambda x: x[:, :1].squeeze(1),
    "permute": lambda x: x.permute(2, 0, 1),
    "permute and flatten": lambda x: x.permute(2, 0, 1).flatten(0, 1),
    "expand": lambda x: x[:1, :1].expand(x.shape[0], 5, x.shape[2]),
    "repeat": lambda x: x.repeat(2, 1, 3),
    "repeat by a size": lambda x: x[:1].repeat(x.shape[0], 1, 1),
    "repeat_interleave": lambda x: x.repeat_interleave(3, dim=2),
    "meshgrid": lambda x: torch.meshgrid(x[:, 0, 0], x[0, 0], indexing="ij"),
    "attention heads": lambda x: x.transpose(1, 2).reshape(x.shape[0], x.shape[2], 3, 1).transpose(1, 2),
}

CASES = [
    *(Case(name, fn, X) for name, fn in STATIC.items()),
    *(Case(f"{name} dynamic", fn, X, dynamic=NM, other=OTHER) for name, fn in DYNAMIC.items()),
    Case("view integers", lambda x: x.view(-1), integers((2, 3))),
    Case("view empty", lambda x: x.view(3, 0), floats((0, 3))),
    Case("bits of another type", lambda x: x.view(torch.int32), X, refused="bits"),
]
