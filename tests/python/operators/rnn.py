"""Recurrent networks: layers, directions, biases, projections, single cells."""

from __future__ import annotations

import torch
from torch import nn, randn

from operators import Case


def sequence(*shape: int):
    return lambda: (randn(shape),)


def with_state(kind: type[nn.Module], **options):
    """A network that is given its first state."""
    module = kind(6, 4, **options)

    def run(x, h, c):
        return module(x, (h, c)) if kind is nn.LSTM else module(x, h)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, x, h, c):
            return run(x, h, c)

    return Model()


KINDS = {
    "lstm": (nn.LSTM, {}),
    "gru": (nn.GRU, {}),
    "tanh": (nn.RNN, {}),
    "relu": (nn.RNN, {"nonlinearity": "relu"}),
}

CASES = [
    *(
        Case(f"{name} {what}", kind(6, 4, **options, **more), sequence(5, 3, 6))
        for name, (kind, options) in KINDS.items()
        for what, more in {
            "plain": {},
            "two layers both ways": {"num_layers": 2, "bidirectional": True},
            "no biases": {"bias": False},
            "batch first": {"batch_first": True},
            "dropout in evaluation": {"num_layers": 2, "dropout": 0.5},
        }.items()
    ),
    *(Case(f"{name} batchless", kind(6, 4, **options), sequence(5, 6)) for name, (kind, options) in KINDS.items()),
    Case("lstm projected", nn.LSTM(6, 8, 2, proj_size=3, bidirectional=True), sequence(5, 3, 6)),
    Case("lstm state", with_state(nn.LSTM, num_layers=2), lambda: (randn(5, 3, 6), randn(2, 3, 4), randn(2, 3, 4))),
    Case("gru state", with_state(nn.GRU, num_layers=2), lambda: (randn(5, 3, 6), randn(2, 3, 4), randn(1))),
    Case(
        "lstm dynamic batch",
        nn.LSTM(6, 4, bidirectional=True),
        sequence(5, 3, 6),
        dynamic=({1: torch.export.Dim("n", max=64)},),
        other=sequence(5, 7, 6),
    ),
    Case("lstm cell", nn.LSTMCell(6, 4), sequence(3, 6)),
    Case("gru cell", nn.GRUCell(6, 4), sequence(3, 6)),
    Case("gru cell no bias", nn.GRUCell(6, 4, bias=False), sequence(3, 6)),
    Case("tanh cell", nn.RNNCell(6, 4), sequence(3, 6)),
    Case("relu cell", nn.RNNCell(6, 4, nonlinearity="relu"), sequence(3, 6)),
    Case(
        "packed",
        lambda x, h, w, v: torch.ops.aten.gru.data(x, torch.tensor([2, 2, 1]), h, [w, v], False, 1, 0.0, False, False),
        lambda: (randn(5, 6), randn(1, 2, 4), randn(12, 6), randn(12, 4)),
        refused="packed",
    ),
]
