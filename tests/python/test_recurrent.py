"""Recurrent networks over a number of steps that the call decides: equal to PyTorch at every length of the range."""

from __future__ import annotations

import importlib.util
import os
import random

import pytest
import torch
from recurrent_models import agree, drawn_layer, states_of
from torch import nn
from torch.export import Dim

from torch2trt import _core, torch2trt

HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None
CASES = 4 * int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
FEATURES, HIDDEN, LONGEST = 5, 7, 40


class Recurrent(nn.Module):
    """A recurrent network, given its first states where `with_state`."""

    def __init__(self, kind: type[nn.RNNBase], options: dict, with_state: bool) -> None:
        super().__init__()
        self.layer = kind(FEATURES, HIDDEN, **options)
        self.with_state = with_state

    def forward(self, x, *states):
        if not self.with_state:
            return self.layer(x)
        return self.layer(x, states if len(states) > 1 else states[0])

    def inputs(self, batch: int, steps: int) -> list[torch.Tensor]:
        layer = self.layer
        x = torch.randn((batch, steps, FEATURES) if layer.batch_first else (steps, batch, FEATURES))
        if not self.with_state:
            return [x]
        return [x, *states_of(layer, batch)]

    def shapes(self, dynamic_batch: bool):
        batch, steps = (0, 1) if self.layer.batch_first else (1, 0)
        sizes = {steps: Dim("steps", min=1, max=LONGEST)}
        n = Dim("n", min=1, max=6)
        if dynamic_batch:
            sizes[batch] = n
        if not self.with_state:
            return (sizes,)
        return (sizes, tuple({1: n} if dynamic_batch else None for _ in self.inputs(1, 1)[1:]))


def drawn(rng: random.Random) -> Recurrent:
    return Recurrent(*drawn_layer(rng), rng.random() < 0.5).eval()


@pytest.mark.parametrize("case", range(CASES))
def test_any_number_of_steps(case: int) -> None:
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")
    torch.manual_seed(seed)
    rng = random.Random(seed)
    model, dynamic_batch = drawn(rng), rng.random() < 0.6
    converted = torch2trt(
        model,
        model.inputs(2, 5),
        dynamic_shapes=model.shapes(dynamic_batch),
        backend="cpu",
        target="sm_89",
        progress=False,
    )
    for batch, steps in [
        (2, 1),
        (2, LONGEST),
        (6, 17) if dynamic_batch else (2, 17),
        (1, 1) if dynamic_batch else (2, 2),
    ]:
        agree(model, converted, model.inputs(batch, steps))
    if HAS_RTX:
        assert converted.network.build(_core.ProgressBar(False)).size > 0


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("option", ["fp16_mode", "bf16_mode"])
def test_mixed_precision(kind: type[nn.RNNBase], option: str) -> None:
    model = Recurrent(kind, {"bidirectional": True}, False).eval()
    options = {"dynamic_shapes": model.shapes(True), "backend": "cpu", "target": "sm_89", "progress": False}
    converted = torch2trt(model, model.inputs(2, 5), **options, **{option: True})
    assert "Recurrent(" in str(converted.network)
    assert ("bfloat16" if option == "bf16_mode" else "float16") in str(converted.network)
    agree(model, converted, model.inputs(3, LONGEST), 2e-2 if option == "fp16_mode" else 1e-1)
    if HAS_RTX:
        assert converted.network.build(_core.ProgressBar(False)).size > 0


def test_many_static_steps_are_one_layer() -> None:
    model = Recurrent(nn.LSTM, {}, False).eval()
    converted = torch2trt(model, model.inputs(2, 200), backend="cpu", progress=False)
    assert str(converted.network).count("Recurrent(") == 1
    agree(model, converted, model.inputs(2, 200))
