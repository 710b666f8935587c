"""Layers that float16 or int8 gets wrong, to plant into models: each leaves a signal of the usual size.

Of each fault, `PLANTED` has the module, and the names of its layers one of which has to stay float32.
"""

from __future__ import annotations

import torch
from torch import nn


class Cancelled(nn.Module):
    """Adds a large number and takes it away again: float16 has a spacing of 4 at 4096."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + 4096.0) - (torch.zeros_like(x[..., :1]) + 4096.0)


class LargeActivations(nn.Module):
    """Activations beyond 65504, the end of float16, that a later layer makes small again."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(size, size, bias=False), nn.Linear(size, size, bias=False)
        with torch.no_grad():
            self.up.weight.copy_(torch.eye(size) * 3e5)
            self.down.weight.copy_(torch.eye(size) / 3e5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(self.up(x))


class ShiftedSoftmax(nn.Module):
    """A softmax whose logits have a large offset in common, under which float16 loses their differences."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.logits = nn.Linear(size, size)
        with torch.no_grad():
            self.logits.bias.fill_(3000.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.softmax(self.logits(x), -1) * x.shape[-1]


class TinyVariance(nn.Module):
    """A normalization of values that differ by ten-thousandths."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.near_one = nn.Linear(size, size)
        self.norm = nn.LayerNorm(size, eps=1e-12)
        with torch.no_grad():
            self.near_one.weight.copy_(torch.eye(size) * 1e-4)
            self.near_one.bias.fill_(1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.near_one(x))


class Outlier(nn.Module):
    """A feature that is a thousand times larger than the others, which one scale of int8 for all rounds to nothing."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.scales = nn.Parameter(torch.ones(size))
        self.linear = nn.Linear(size, size, bias=False)
        with torch.no_grad():
            self.scales[0] = 1e3
            self.linear.weight.copy_(torch.eye(size))
            self.linear.weight[0, 0] = 1e-3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x * self.scales)


def after(module: nn.Module, planted: nn.Module) -> nn.Module:
    """A module with a planted one behind it."""
    return nn.Sequential(module, planted)


class RootMeanSquare(nn.Module):
    """The normalization of language models."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class Block(nn.Module):
    """A layer of a language model in the shape of Llama's: grouped attention with rotary positions, and a gate."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = RootMeanSquare(size), RootMeanSquare(size)
        self.q, self.o = nn.Linear(size, size, bias=False), nn.Linear(size, size, bias=False)
        self.k, self.v = nn.Linear(size, size // 2, bias=False), nn.Linear(size, size // 2, bias=False)
        self.gate, self.up = nn.Linear(size, 2 * size, bias=False), nn.Linear(size, 2 * size, bias=False)
        self.down = nn.Linear(2 * size, size, bias=False)

    def _rotated(self, x: torch.Tensor) -> torch.Tensor:
        width = x.shape[-1]
        rates = 1e4 ** (-torch.arange(0, width, 2, device=x.device) / width)
        angles = torch.arange(x.shape[-2], device=x.device)[:, None] * torch.cat([rates, rates])
        left, right = x.chunk(2, -1)
        return x * angles.cos() + torch.cat([-right, left], -1) * angles.sin()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.before_attention(x)
        split = lambda z, heads: z.unflatten(-1, (heads, -1)).transpose(1, 2)  # noqa: E731
        q, k, v = split(self.q(y), self.heads), split(self.k(y), self.heads // 2), split(self.v(y), self.heads // 2)
        k, v = (z.repeat_interleave(2, 1) for z in (self._rotated(k), v))
        mask = torch.full((x.shape[1], x.shape[1]), -1e4, device=x.device).triu(1)
        scores = torch.softmax(self._rotated(q) @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + mask, -1)
        x = x + self.o((scores @ v).transpose(1, 2).flatten(2))
        y = self.before_mlp(x)
        return x + self.down(torch.nn.functional.silu(self.gate(y)) * self.up(y))


class Llama(nn.Module):
    """A language model in the shape of Llama's."""

    def __init__(self, size: int = 64, layers: int = 4, heads: int = 4, words: int = 100) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, size)
        self.layers = nn.Sequential(*(Block(size, heads) for _ in range(layers)))
        self.norm, self.head = RootMeanSquare(size), nn.Linear(size, words, bias=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.layers(self.embed(ids))))
