"""The operators that this package adds to PyTorch's for programs in files: recurrent networks on packed sequences.

An archive of `torch2trt.export`, and a part in PyTorch of an engine file, may call them. Importing the package
registers them, so that `torch.export.load` reads these files.

This file must not know how models are captured.
"""

from __future__ import annotations

from typing import Any

import torch

_LIBRARY = torch.library.Library("torch2trt", "FRAGMENT")


def _define(name: str, states: int) -> None:
    """`aten::{name}.input` with the lengths of the sequences; outputs past a length are zero."""
    hx = "Tensor[] hx" if states > 1 else "Tensor hx"
    outputs = ", ".join(["Tensor"] * (states + 1))
    _LIBRARY.define(
        f"{name}(Tensor input, Tensor lengths, {hx}, Tensor[] params, bool has_biases, int num_layers, float dropout, "
        f"bool train, bool bidirectional, bool batch_first) -> ({outputs})"
    )

    def computed(
        x: torch.Tensor, lengths: torch.Tensor, hx: Any, params: Any, *options: Any
    ) -> tuple[torch.Tensor, ...]:
        lengths, order = lengths.cpu().sort(descending=True)
        back = order.argsort()
        data, sizes = torch._VF._pack_padded_sequence(x.index_select(1, order.to(x.device)), lengths, False)
        hx = [state.index_select(1, order.to(x.device)) for state in ([hx] if states == 1 else hx)]
        layers = getattr(torch._VF, name)
        output, *last = layers(data, sizes, hx if states > 1 else hx[0], params, *options[:-1])
        output, _ = torch._VF._pad_packed_sequence(output, sizes, False, 0.0, x.shape[0])
        return tuple(made.index_select(1, back.to(x.device)) for made in (output, *last))

    def sizes(x: torch.Tensor, lengths: torch.Tensor, hx: Any, params: Any, *options: Any) -> tuple[torch.Tensor, ...]:
        features = params[1].shape[1] * (2 if options[4] else 1)
        output = x.new_empty((x.shape[0], x.shape[1], features))
        return output, *(torch.empty_like(state) for state in ([hx] if states == 1 else hx))

    _LIBRARY.impl(name, computed, "CompositeExplicitAutograd")
    torch.library.register_fake(f"torch2trt::{name}", sizes, lib=_LIBRARY)


for _name in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
    _define(_name, 2 if _name == "lstm" else 1)
