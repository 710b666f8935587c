"""The sizes of recurrent networks while capturing, for any number of steps.

PyTorch works out what `lstm`, `gru` and `rnn` return by running their steps one by one, which fixes the number of
steps to that of the sample. Only the sizes are needed here: the operators stay whole in the graph.

This file must not know what is captured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from .detection import Change


def changes() -> list[Change]:
    """What stands for one layer in one direction, where PyTorch runs it step by step."""
    from torch._decomp import decompositions

    layers = {"one_layer_lstm": _lstm, "mkldnn_one_layer_lstm": _lstm, "one_layer_rnn": _rnn}
    return [(decompositions, name, _sizes(layer)) for name, layer in layers.items() if hasattr(decompositions, name)]


def _sizes(sizes: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A layer that only has the right sizes, for tensors without values."""

    def change(layer: Callable[..., Any]) -> Callable[..., Any]:
        def one_layer(inp: torch.Tensor, hidden: Any, params: Any, has_biases: bool, *args: Any, **kwargs: Any) -> Any:
            if type(inp) in (torch.Tensor, torch.nn.Parameter):
                return layer(inp, hidden, params, has_biases, *args, **kwargs)
            return sizes(inp, hidden, params, has_biases)

        return one_layer

    return change


def _outputs(inp: torch.Tensor, params: Any, size: int) -> torch.Tensor:
    """`[steps, batch, size]`, of the type that the input and the weights give."""
    gates = functional.linear(inp, params[0])
    return gates.new_empty((*gates.shape[:-1], size))


def _lstm(inp: torch.Tensor, hidden: Any, params: Any, has_biases: bool) -> Any:
    state, cell = hidden[0], hidden[1]
    return _outputs(inp, params, params[1].shape[1]), (state.clone(), cell.clone())


def _rnn(inp: torch.Tensor, hidden: torch.Tensor, params: Any, has_biases: bool) -> Any:
    return _outputs(inp, params, params[1].shape[1]), hidden.clone()
