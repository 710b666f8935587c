"""The models whose archives are read: each shows something that an archive can hold.

    module, args, kwargs, dynamic_shapes = CASES["lstm"]()

This file must not know about torch2trt.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import models
import torch
from torch import nn
from torch.export import Dim

Case = tuple[nn.Module, tuple[Any, ...], dict[str, Any], Any]


class Pair(NamedTuple):
    """A named tuple that archives know by a name."""

    first: torch.Tensor
    second: Any


torch.utils._pytree._register_namedtuple(Pair, serialized_type_name="pt2_models.Pair")


class Convolutional(nn.Module):
    """Convolutions, normalisation, pools, a residual sum."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2))
        self.body = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.head = nn.Linear(8, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.stem(image)
        x = x + torch.relu(self.body(x))
        return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))


class Recurrent(nn.Module):
    """An LSTM and its states."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 8, num_layers=2, batch_first=True, bidirectional=True)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        return self.lstm(x)


class Attention(nn.Module):
    """A transformer with tied embeddings, a causal mask and positions that follow from the length."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        self.position = nn.Embedding(64, 16)
        self.block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu", norm_first=True)
        self.head = nn.Linear(16, 50, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        length = ids.shape[1]
        x = self.embed(ids) + self.position(torch.arange(length, device=ids.device))
        mask = torch.full((length, length), float("-inf")).triu(1)
        return self.head(self.block(x, src_mask=mask))


class Weights(nn.Module):
    """Weights that do not lie in order: transposed, expanded, parts of others, shared, of other types, empty."""

    def __init__(self) -> None:
        super().__init__()
        whole = torch.randn(4, 6)
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.register_buffer("turned", torch.randn(5, 4).t())
        self.register_buffer("wide", torch.randn(4, 1).expand(4, 5))
        self.register_buffer("part", whole[1:3, ::2])
        self.register_buffer("other", whole[:, 5])
        self.register_buffer("channels", torch.randn(1, 2, 3, 3).to(memory_format=torch.channels_last))
        self.register_buffer("unsaved", torch.randn(5), persistent=False)
        self.register_buffer("scalar", torch.tensor(2.5))
        self.register_buffer("mask", torch.tensor([True, False, True, True, False]))
        self.register_buffer("empty", torch.zeros(0, 5))
        self.bfloats = nn.Parameter(torch.randn(5).bfloat16())
        self.register_buffer("halves", torch.randn(5).half())
        self.dead = nn.Parameter(torch.randn(3))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = (self.first(x) + self.second(x)) @ self.turned + self.wide[:2] * self.scalar
        y = torch.where(self.mask, y, self.unsaved) + self.bfloats.float() + self.halves.float()
        y = torch.cat([y, self.empty]) + torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
        pieces = self.part.sum() + self.other.sum()
        return {"y": y + pieces, "half": self.bfloats + self.bfloats, "image": self.channels * 2}


class Several(nn.Module):
    """Operators with several outputs, some of which nobody reads."""

    def forward(self, x: torch.Tensor) -> Any:
        values, indices = torch.topk(x, 2)
        best = x.max(dim=-1).values
        _, middle, last = torch.split(x, [1, 2, 1], dim=1)
        left, right = x.chunk(2, dim=-1)
        a, _, _ = x.unbind(0)
        return OrderedDict(v=values, i=indices), [best, middle * last.sum()], left - right, a, x.sort(stable=True)[1]


class Arguments(nn.Module):
    """What arguments can be: infinities, None in an index, dtypes, strings, numbers in a tensor's place."""

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> Any:
        masked = x.masked_fill(keep, float("-inf")).softmax(-1)
        rows = torch.tensor([1, 0])
        picked = x[:, rows]
        padded = nn.functional.pad(x, (1, 2), value=float("inf")).clamp(max=1e30)
        rounded = torch.div(x, 0.3, rounding_mode="floor") + 2 * x - (1 - x)
        counted = (x > 0).sum(dtype=torch.int32) + x.to(torch.float64).mean().to(torch.int64)
        curved = nn.functional.gelu(x, approximate="tanh") + nn.functional.elu(x, alpha=0.5)
        normed = nn.functional.layer_norm(x, (4,), eps=1e-3) + x.std(dim=1, keepdim=True, correction=0)
        return (
            masked,
            picked,
            padded,
            rounded,
            counted,
            curved,
            normed,
            x.new_zeros(2, 3),
            torch.full_like(x, True, dtype=torch.bool),
        )


class Sizes(nn.Module):
    """Sizes that follow from those of the inputs, through floats too."""

    def forward(self, x: torch.Tensor, z: torch.Tensor) -> Any:
        batch, channels, height, width = x.shape
        larger = nn.functional.interpolate(x, scale_factor=1.5, mode="nearest")
        halved = nn.functional.max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True)
        rows = x.reshape(batch * height, channels * width)[: batch // 2 + 1]
        steps = torch.arange(width * 2 - 1, device=x.device) * (height + 3)
        grown = torch.nn.functional.pad(x, (0, 8 - width % 8))
        joined = torch.cat([z, z[1:]], 0).unsqueeze(1).expand(-1, height, -1)
        return larger, halved, rows, steps, grown, joined, torch.zeros(max(batch, 3), width), x.flatten(1) * batch


class Nested(nn.Module):
    """Containers in, containers out, constants on both sides."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"q": nn.Linear(4, 4), "k": nn.ModuleList([nn.Linear(4, 4)])})

    def forward(self, x: torch.Tensor, xs: Any, scale: float = 1.0, *, mask: Any = None, flag: bool = False) -> Any:
        y = self.layers["q"](x) + self.layers["k"][0](xs["a"]) * scale + xs["b"][1]
        return Pair(y + mask if flag else y, {"same": x, "number": 3, "none": None, "size": (y.shape[0], "text")})


class Writing(nn.Module):
    """A buffer that counts calls, and gradients switched off inside."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        with torch.no_grad():
            y = self.linear(x)
            y = y * 2
        y.add_(1).relu_()
        return y + torch.nn.functional.dropout(x, 0.5, self.training)


class Memory(nn.Module):
    """Reads memory by strides, of tensors that lie in order and of one that does not."""

    def forward(self, x: torch.Tensor) -> Any:
        turned = x.t()
        return x.as_strided((2, 3), (1, 2), 1), turned.as_strided((2, 2), (1, 4), 1) + torch.stft(
            x.flatten(), 8, 4, return_complex=False, window=torch.hann_window(8)
        ).sum()


class Data(nn.Module):
    """Sizes that are found in data."""

    def forward(self, x: torch.Tensor) -> Any:
        found = torch.nonzero(x > 0)
        return found * 2, x[x > 0].sum()


class Numbers(nn.Module):
    """Numbers read out of tensors, arithmetic on them, and floats that follow from sizes."""

    def forward(self, x: torch.Tensor, i: torch.Tensor, s: torch.Tensor, flag: torch.Tensor) -> Any:
        n, f, b = i.item(), s.item(), flag.item()
        larger = torch.sym_max(n * 2, 3) + torch.sym_min(n // 2, 1) - n % 3
        scaled = x * ((n + 1) / 2 - 3) + f * 2 - torch.sym_sqrt(f * f + 1.0)
        chosen = torch.sym_ite(b, n, larger)
        sized = x * (x.shape[0] * 0.3 + 1.0 / x.shape[0])
        compared = torch.where(x > f, x, torch.full_like(x, larger)) + x.clamp(max=f, min=-2)
        numbers = n, larger + 1
        return (
            numbers,
            scaled,
            sized,
            compared,
            x[:, n] * chosen,
            x.select(1, n) - torch.full((7,), n),
            x * (f > 0.5),
            x + math.trunc(f * 3),
        )


class ReadSizes(nn.Module):
    """Sizes that are numbers read out of tensors."""

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> Any:
        mask = torch.arange(lengths.max().item())[None] < lengths[:, None]
        n = lengths[0].item()
        return mask, torch.zeros(2 * n + 1, x.shape[0]) + x[:, 0], x.repeat_interleave(lengths, 0), x[:1].expand(n, 5)


def _pt2(module: nn.Module, *args: Any, dynamic_shapes: Any = None, **kwargs: Any) -> Case:
    return module.eval(), args, kwargs, dynamic_shapes


def _built(name: str) -> Case:
    module, args, kwargs = models.build(name)
    return module, args, kwargs, None


def _ids(batch: int, length: int) -> torch.Tensor:
    return torch.randint(0, 50, (batch, length))


def _side() -> Any:
    return Dim.DYNAMIC(min=4, max=64)


CASES: dict[str, Callable[[], Case]] = {
    "convolutional": lambda: _pt2(Convolutional(), torch.randn(2, 3, 32, 32)),
    "convolutional_batch": lambda: _pt2(
        Convolutional(), torch.randn(2, 3, 32, 32), dynamic_shapes={"image": {0: Dim.DYNAMIC(min=1, max=16)}}
    ),
    "convolutional_sides": lambda: _pt2(
        Convolutional(), torch.randn(2, 3, 32, 48), dynamic_shapes=({2: _side(), 3: Dim.DYNAMIC(min=8, max=64)},)
    ),
    "lstm": lambda: _pt2(Recurrent(), torch.randn(2, 5, 6)),
    "attention": lambda: _pt2(Attention(), _ids(2, 7)),
    "attention_length": lambda: _pt2(
        Attention(), _ids(2, 7), dynamic_shapes={"ids": {0: Dim.DYNAMIC(max=8), 1: Dim.DYNAMIC(min=2, max=64)}}
    ),
    "weights": lambda: _pt2(Weights(), torch.randn(2, 4)),
    "several": lambda: _pt2(Several(), torch.randn(3, 4)),
    "arguments": lambda: _pt2(
        Arguments(), torch.randn(3, 4), torch.rand(3, 4) > torch.tensor([1.0, 0.5, 0.5, 0.5])
    ),  # a row of -inf alone is NaN
    "sizes": lambda: _pt2(
        Sizes(),
        torch.randn(2, 3, 8, 12),
        torch.randn(5, 7),
        dynamic_shapes=({0: Dim.DYNAMIC(max=32), 2: _side(), 3: _side()}, {0: Dim.DYNAMIC(min=3)}),
    ),
    "nested": lambda: _pt2(
        Nested(),
        torch.randn(2, 4),
        {"a": torch.randn(2, 4), "b": [1.5, torch.randn(4)]},
        2.0,
        mask=torch.ones(4),
        flag=True,
    ),
    "writing": lambda: _pt2(Writing(), torch.randn(2, 4)),
    "memory": lambda: _pt2(Memory(), torch.randn(4, 4)),
    "data": lambda: _pt2(Data(), torch.randn(3, 4)),
    "read_sizes": lambda: _pt2(ReadSizes(), torch.randn(3, 5), torch.tensor([2, 4, 0])),
    "read_sizes_dynamic": lambda: _pt2(
        ReadSizes(),
        torch.randn(3, 5),
        torch.tensor([2, 4, 0]),
        dynamic_shapes=({0: (rows := Dim.DYNAMIC(min=2, max=9))}, {0: rows}),
    ),
    "numbers": lambda: _pt2(Numbers(), torch.randn(5, 7, 7), torch.tensor(2), torch.tensor(0.4), torch.tensor(True)),
    "numbers_dynamic": lambda: _pt2(
        Numbers(),
        torch.randn(5, 7, 7),
        torch.tensor(2),
        torch.tensor(0.4),
        torch.tensor(True),
        dynamic_shapes=({0: Dim.DYNAMIC(min=4, max=64)}, {}, {}, {}),
    ),
    **{name: (lambda name=name: _built(name)) for name in ("resnet18", "mobilenet_v3_large", "swin_t", "bert", "gpt2")},
}
"""Every case by name: a function that makes module, args, kwargs and dynamic shapes."""
