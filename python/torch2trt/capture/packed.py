"""Packed sequences while capturing: padded tensors together with the lengths of their sequences.

What PyTorch packs has sizes that depend on the lengths. During capture `pack_padded_sequence` returns a `Padded`
instead, the recurrent networks compute on it through operators that take the lengths, and `pad_packed_sequence`
returns the padded tensor. Models import these two functions by name, so the code of the functions is replaced.

This file must not know what is captured.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.utils import rnn

from ..deferred import symbolic_shapes
from .detection import Change
from .errors import CaptureError
from .origin import user_line


class Padded(rnn.PackedSequence):
    """A packed sequence. `padded` is `[time, batch, …]`; `longest` is known where the lengths are numbers."""

    padded: torch.Tensor
    lengths: torch.Tensor
    longest: int | None
    is_masked: bool

    def __new__(cls, padded: torch.Tensor, lengths: torch.Tensor, longest: int | None, is_masked: bool) -> Padded:
        made = tuple.__new__(cls, (padded, lengths, None, None))
        made.padded, made.lengths, made.longest, made.is_masked = padded, lengths, longest, is_masked
        return made

    def _refused(self, *_: Any) -> Any:
        raise CaptureError(
            "the model reads the data or the batch sizes of a packed sequence: their sizes depend on the lengths",
            where=user_line(),
            help="pass packed sequences from pack_padded_sequence to LSTM, GRU or RNN and to pad_packed_sequence only; "
            "apply other operations to the padded tensor",
        )

    data = batch_sizes = sorted_indices = unsorted_indices = property(_refused)
    __iter__ = __getitem__ = _refused


def changes() -> list[Change]:
    """What handles padded tensors where PyTorch packs, computes on packed sequences, and pads again."""
    return [(kind, "forward", _forward) for kind in (nn.LSTM, nn.GRU, nn.RNN)]


def codes() -> list[tuple[types.FunctionType, types.CodeType]]:
    """The functions that models import by name, and what they run while a model is captured."""
    return [(rnn.pack_padded_sequence, _pack_entry.__code__), (rnn.pad_packed_sequence, _pad_entry.__code__)]


def _copied(function: types.FunctionType) -> types.FunctionType:
    """The function with the code it has now, for calls from other threads."""
    copy = types.FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


_PACK, _PAD = _copied(rnn.pack_padded_sequence), _copied(rnn.pad_packed_sequence)


def _pack_entry(input, lengths, batch_first=False, enforce_sorted=True):  # type: ignore[no-untyped-def]
    # Runs with the global names of PyTorch's module.
    from torch2trt.capture import packed, threads

    if not threads.captures_here():
        return packed._PACK(input, lengths, batch_first, enforce_sorted)
    return packed.pack(input, lengths, batch_first)


def _pad_entry(sequence, batch_first=False, padding_value=0.0, total_length=None):  # type: ignore[no-untyped-def]
    from torch2trt.capture import packed, threads

    if not threads.captures_here():
        return packed._PAD(sequence, batch_first, padding_value, total_length)
    return packed.pad(sequence, batch_first, padding_value, total_length)


def pack(x: torch.Tensor, lengths: Any, batch_first: bool) -> Padded:
    """`pack_padded_sequence`. The order of the sequences is kept, so it makes no difference whether they are sorted."""
    longest = None
    if not isinstance(lengths, torch.Tensor):
        longest = max(lengths)
        lengths = torch.as_tensor(lengths, dtype=torch.int64, device="cpu")
    return Padded(x.transpose(0, 1) if batch_first else x, lengths.to(torch.int64), longest, False)


def pad(sequence: Padded, batch_first: bool, value: float, total: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """`pad_packed_sequence`. Without `total` the number of steps is the largest length, which may depend on data."""
    x, lengths = sequence.padded, sequence.lengths
    steps = torch.arange(x.shape[0], device=x.device)
    if value != 0 or not sequence.is_masked:
        valid = steps[:, None] < lengths.to(x.device)[None]
        x = torch.where(valid.reshape(*valid.shape, *[1] * (x.dim() - 2)), x, x.new_full((), value))
    total = sequence.longest if total is None else total
    if total is None:
        x = x.index_select(0, (steps < lengths.max().to(x.device)).nonzero().squeeze(1))
    elif not symbolic_shapes.statically_known_true(x.shape[0] == total):
        x = torch.cat([x, x.new_full((total, *x.shape[1:]), value)])[:total]
    return x.transpose(0, 1) if batch_first else x, lengths


def _forward(original: Callable[..., Any]) -> Callable[..., Any]:
    """`forward` of a recurrent network that takes padded tensors with their lengths too."""

    def forward(self: nn.RNNBase, input: Any, hx: Any = None) -> Any:
        if not isinstance(input, Padded):
            return original(self, input, hx)
        x, is_lstm = input.padded, isinstance(self, nn.LSTM)
        rows, batch = self.num_layers * (2 if self.bidirectional else 1), x.shape[1]
        if hx is None:
            hidden = x.new_zeros((rows, batch, self.proj_size or self.hidden_size))
            hx = (hidden, x.new_zeros((rows, batch, self.hidden_size))) if is_lstm else hidden
        operator = getattr(torch.ops.torch2trt, self.mode.lower())
        weights = [getattr(self, name) for name in self._flat_weights_names]
        options = (self.bias, self.num_layers, self.dropout, self.training, self.bidirectional, False)
        output, *last = operator(x, input.lengths, list(hx) if is_lstm else hx, weights, *options)
        return Padded(output, input.lengths, input.longest, True), tuple(last) if is_lstm else last[0]

    return forward
