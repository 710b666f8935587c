"""Scaled dot-product attention: masks, causality, scale, grouped queries, queries that attend to nothing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import rand, randn

from operators import Case, dims


def qkv(queries: int = 5, keys: int = 7, *, batch: int = 2, heads: int = 3, features: int = 8, mask=None):
    """Draws query, key, value and, where `mask` makes one from its sizes, a mask."""

    def draw():
        q, k, v = (randn(batch, heads, n, features) for n in (queries, keys, keys))
        return (q, k, v) if mask is None else (q, k, v, mask(batch, heads, queries, keys))

    return draw


def grouped():
    return randn(2, 8, 5, 4), randn(2, 2, 7, 4), randn(2, 2, 7, 4)


def attend(q, k, v, mask=None, **options):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, **options)


def some_dead(batch, heads, queries, keys):
    """A bool mask whose first query may attend to nothing."""
    mask = rand(batch, 1, queries, keys) > 0.3
    mask[:, :, 0] = False
    return mask


def padding(batch, heads, queries, keys):
    """A bool mask of keys, as padded batches have it."""
    return torch.arange(keys) < torch.randint(1, keys + 1, (batch, 1, 1, 1))


def windows(queries: int = 4, keys: int = 4, count: int = 8):
    """Draws query, key and value of windows of one image and one head."""
    return lambda: tuple(randn(1, 1, count, n, 16) for n in (queries, keys, keys))


def hiera(q, k, v):
    """Attention within windows and what follows it in Hiera."""
    y = (q @ k.transpose(-1, -2)).softmax(-1) @ v
    return y.transpose(1, 3).reshape(1, -1, 16) @ v[0, 0, 0].T


TIME = dims({0: "n", 2: "l"}, {0: "n", 2: "s"}, {0: "n", 2: "s"})

CASES = [
    Case("plain", attend, qkv()),
    Case("no heads", attend, lambda: (randn(2, 5, 8), randn(2, 7, 8), randn(2, 7, 4))),
    Case("matrices", attend, lambda: (randn(5, 8), randn(7, 8), randn(7, 4))),
    Case("scale", lambda q, k, v: attend(q, k, v, scale=0.3), qkv()),
    Case("causal", lambda q, k, v: attend(q, k, v, is_causal=True), qkv(6, 6)),
    Case("causal longer keys", lambda q, k, v: attend(q, k, v, is_causal=True), qkv(4, 7)),
    Case("causal longer queries", lambda q, k, v: attend(q, k, v, is_causal=True), qkv(7, 4)),
    Case("float mask", attend, qkv(mask=lambda b, h, q, k: randn(q, k))),
    Case(
        "float mask of -inf",
        attend,
        qkv(mask=lambda b, h, q, k: randn(b, 1, q, k).where(rand(b, 1, q, k) > 0.3, -torch.inf)),
    ),
    Case(
        "float mask dead",
        attend,
        qkv(mask=lambda *n: torch.zeros(n[0], 1, *n[2:]).masked_fill(~some_dead(*n), -torch.inf)),
    ),
    Case("bool mask", attend, qkv(mask=padding)),
    Case("bool mask dead", attend, qkv(mask=some_dead)),
    Case("constant mask", lambda q, k, v: attend(q, k, v, torch.ones(5, 7, dtype=torch.bool).tril(2)), qkv()),
    Case("constant mask dead", lambda q, k, v: attend(q, k, v, torch.ones(5, 7, dtype=torch.bool).tril(-1)), qkv()),
    Case("grouped queries", lambda q, k, v: attend(q, k, v, enable_gqa=True), grouped),
    Case("windows", hiera, windows()),
    Case(
        "windows dynamic",
        hiera,
        windows(),
        dynamic=dims({2: "w", 3: "l"}, {2: "w", 3: "s"}, {2: "w", 3: "s"}),
        other=windows(3, 5, 6),
    ),
    Case("dropout", lambda q, k, v: attend(q, k, v, dropout_p=0.1), qkv(), refused="dropout_p"),
    Case("dynamic", attend, qkv(), dynamic=TIME, other=qkv(3, 9, batch=4)),
    Case(
        "dynamic causal",
        lambda q, k, v: attend(q, k, v, is_causal=True),
        qkv(6, 6),
        dynamic=dims({0: "n", 2: "l"}, {0: "n", 2: "l"}, {0: "n", 2: "l"}),
        other=qkv(9, 9, batch=1),
    ),
    Case(
        "dynamic bool mask",
        attend,
        qkv(mask=some_dead),
        dynamic=dims({0: "n", 2: "l"}, {0: "n", 2: "s"}, {0: "n", 2: "s"}, {0: "n", 2: "l", 3: "s"}),
        other=qkv(3, 9, batch=4, mask=some_dead),
    ),
    Case(
        "flash on a CPU",
        lambda q, k, v: torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, is_causal=True)[0],
        qkv(6, 6),
    ),
    Case(
        "flash on a CPU masked",
        lambda q, k, v, m: torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, attn_mask=m)[0],
        qkv(mask=lambda b, h, q, k: randn(b, 1, q, k)),
    ),
    Case(
        "math", lambda q, k, v: torch.ops.aten._scaled_dot_product_attention_math(q, k, v, is_causal=True)[0], qkv(6, 6)
    ),
]
