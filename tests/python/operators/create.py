"""Tensors from sizes and numbers."""

from __future__ import annotations

import torch

from operators import Case, dims

from ._draw import bools, floats, integers

X = floats((3, 4))
DYNAMIC = dims({0: "n", 1: "m"})
OTHER = floats((6, 5))

STATIC = {
    "arange": lambda x: x[0] + torch.arange(4),
    "arange start": lambda x: x[0] + torch.arange(3, 7),
    "arange step": lambda x: x[0] + torch.arange(9, 1, -2),
    "arange float": lambda x: x[0] + torch.arange(0, 1, 0.25),
    "arange float dtype": lambda x: x[0] + torch.arange(4, dtype=torch.float32),
    "full": lambda x: x + torch.full((4,), 2.5),
    "full_like": lambda x: torch.full_like(x, 3),
    "full large integer": lambda x: torch.full((3,), 2**60 + 1) + x[:, 0].long(),
    "full bool": lambda x: torch.full((3, 4), True) & (x > 0),
    "zeros": lambda x: torch.zeros(3, 4) + x,
    "zeros large": lambda x: torch.zeros(99, 99) + x[0, 0],
    "zeros_like": lambda x: torch.zeros_like(x, dtype=torch.int64),
    "ones": lambda x: torch.ones(3, 1) * x,
    "ones_like": lambda x: torch.ones_like(x),
    "new": lambda x: (x.new_zeros(2, 3), x.new_ones(5), x.new_full((2,), 7.0)),
    "scalar_tensor": lambda x: torch.where(x > 0, torch.scalar_tensor(2.0), x),
    "linspace": lambda x: x[0] + torch.linspace(-1, 3, 4),
    "linspace one": lambda x: x[0] + torch.linspace(-1, 3, 1),
    "linspace integers": lambda x: torch.linspace(0, 10, 7, dtype=torch.int64) + x[0, 0].long(),
    "logspace": lambda x: x[0] + torch.logspace(0, 1, 4, base=2.0),
    "linspace between tensors": lambda x: torch.linspace(x[0, 0], x[0, 1], 7),
    "linspace of truncated ends": lambda x: torch.linspace(0.7, 9.9, 5, dtype=torch.int64) + x[0, 0].long(),
    "logspace between tensors": lambda x: torch.logspace(x[0, 0], 2, 7, base=2.0),
    "arange of a truncated step": lambda x: torch.arange(1.5, 9, 2.5, dtype=torch.int64) + x[0, 0].long(),
    "eye": lambda x: x @ torch.eye(4),
    "eye rectangle": lambda x: x @ torch.eye(4, 6),
    "tril": torch.tril,
    "triu": torch.triu,
    "tril below": lambda x: x.tril(-1),
    "triu above": lambda x: x.triu(2),
    "tril batch": lambda x: torch.stack([x, x]).tril(1),
    "tril bools": lambda x: torch.ones(5, 5, dtype=torch.bool).tril() & (x[0, 0] > 0),
    "tril_indices": lambda x: torch.tril_indices(4, 3, 1) + x[0, 0].long(),
    "triu_indices": lambda x: torch.triu_indices(4, 5, -1) + x[0, 0].long(),
}

SIZES = {
    "arange": lambda x: torch.arange(x.shape[0]),
    "arange float": lambda x: torch.arange(x.shape[0], dtype=torch.float32) / 2,
    "arange start": lambda x: torch.arange(2, x.shape[0] + 2),
    "arange step": lambda x: torch.arange(0, 3 * x.shape[0], 3),
    "arange from a size": lambda x: torch.arange(x.shape[0], 2 * x.shape[0] + x.shape[1]),
    "full": lambda x: torch.full((x.shape[0], 2), 2.5),
    "full of a size": lambda x: torch.full((2, x.shape[1]), x.shape[0]),
    "zeros": lambda x: torch.zeros(x.shape[1], x.shape[0]),
    "zeros_like": lambda x: torch.zeros_like(x),
    "ones": lambda x: x.new_ones(x.shape[0]),
    "eye": lambda x: torch.eye(x.shape[0]),
    "tril": lambda x: x.tril(),
    "triu": lambda x: x.triu(1),
    "causal mask": lambda x: torch.full((x.shape[0], x.shape[0]), -torch.inf).triu(1),
    "size as a number": lambda x: x * x.shape[1],
    "size as a tensor": lambda x: torch.tensor(x.shape[0]) + x.sum().long(),
}

CASES = [
    *(Case(name, fn, X) for name, fn in STATIC.items()),
    *(Case(f"{name} dynamic", fn, X, dynamic=DYNAMIC, other=OTHER) for name, fn in SIZES.items()),
    Case("tril of bools", torch.tril, bools((3, 4))),
    Case("triu of integers", torch.triu, integers((2, 3, 4))),
]
