"""Random recurrent layers, their states, and the comparison of a converted one with PyTorch."""

from __future__ import annotations

import random

import torch
from torch import nn
from torch.utils import _pytree as pytree

PROJECTED = 3


def drawn_layer(rng: random.Random) -> tuple[type[nn.RNNBase], dict]:
    """A class of layer, and its options."""
    kind = rng.choice([nn.LSTM, nn.GRU, nn.RNN])
    options = {
        "num_layers": rng.choice([1, 2]),
        "bidirectional": rng.random() < 0.5,
        "batch_first": rng.random() < 0.5,
        "bias": rng.random() < 0.7,
    }
    if kind is nn.RNN:
        options["nonlinearity"] = rng.choice(["tanh", "relu"])
    if kind is nn.LSTM and rng.random() < 0.4:
        options["proj_size"] = PROJECTED
    return kind, options


def states_of(layer: nn.RNNBase, batch: int) -> list[torch.Tensor]:
    """First states: one, or two of an LSTM."""
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    first = torch.randn(rows, batch, layer.proj_size or layer.hidden_size)
    return [first, *([torch.randn(rows, batch, layer.hidden_size)] if isinstance(layer, nn.LSTM) else [])]


def agree(model, converted, inputs, tolerance=1e-5) -> None:
    with torch.no_grad():
        expected = pytree.tree_leaves(model(*inputs))
    for e, got in zip(expected, pytree.tree_leaves(converted(*inputs)), strict=True):
        assert e.shape == got.shape and e.dtype == got.dtype
        assert (e - got).abs().max() <= tolerance * e.abs().max(), (
            f"at {[tuple(x.shape) for x in inputs]}, {inputs[1:2]}"
        )
