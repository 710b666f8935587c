"""Packed sequences: equal to PyTorch at lengths other than the sample's."""

from __future__ import annotations

import importlib.util
import os
import random

import pytest
import torch
from recurrent_models import agree, drawn_layer, states_of
from torch import nn
from torch.export import Dim
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from torch2trt import Error, _core, torch2trt

HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None
CASES = 4 * int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
FEATURES, HIDDEN, LONGEST = 4, 6, 30


class Packed(nn.Module):
    """A recurrent network on a packed sequence; `total`: "input", a number, or None for the largest length."""

    def __init__(self, kind: type[nn.RNNBase], options: dict, packing: dict, total: str | int | None) -> None:
        super().__init__()
        self.layer = kind(FEATURES, HIDDEN, **options)
        self.packing, self.total, self.lengths = packing, total, None
        self.value, self.with_state = 0.0, False

    def forward(self, x, *rest):
        lengths = self.lengths or rest[0]
        first = self.packing["batch_first"]
        total = x.shape[1 if first else 0] if self.total == "input" else self.total
        packed = pack_padded_sequence(x, lengths, first, self.packing["sorted"])
        if self.with_state:
            output, last = self.layer(packed, rest[1:] if isinstance(self.layer, nn.LSTM) else rest[1])
        else:
            output, last = self.layer(packed)
        padded, found = pad_packed_sequence(output, self.packing["out_first"], self.value, total)
        return padded * 2, found, last

    def inputs(self, batch: int, steps: int) -> list[torch.Tensor]:
        x = torch.randn((batch, steps, FEATURES) if self.packing["batch_first"] else (steps, batch, FEATURES))
        lengths = torch.randint(1, steps + 1, (batch,))
        lengths = lengths.sort(descending=True).values if self.packing["sorted"] else lengths
        states = states_of(self.layer, batch) if self.with_state else []
        return [x, *([] if self.lengths else [lengths]), *states]

    def shapes(self, dynamic_batch: bool):
        n = Dim("n", min=1, max=6) if dynamic_batch else None
        batch, steps = (0, 1) if self.packing["batch_first"] else (1, 0)
        rest = [{0: n} if n else None, *[{1: n} if n else None for _ in self.inputs(2, 2)[2:]]]
        return ({steps: Dim("steps", min=1, max=LONGEST), **({batch: n} if n else {})}, tuple(rest))


def drawn(rng: random.Random) -> Packed:
    kind, options = drawn_layer(rng)
    packing = {name: rng.random() < 0.5 for name in ("batch_first", "sorted", "out_first")}
    model = Packed(kind, options, packing, rng.choice(["input", "input", LONGEST, None])).eval()
    model.with_state, model.value = rng.random() < 0.4, rng.choice([0.0, 0.0, -1.5])
    return model


@pytest.mark.parametrize("case", range(CASES))
def test_lengths(case: int) -> None:
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")
    torch.manual_seed(seed)
    rng = random.Random(seed)
    model, dynamic_batch = drawn(rng), rng.random() < 0.6
    options = {"dynamic_shapes": model.shapes(dynamic_batch)} if rng.random() < 0.8 else {}
    converted = torch2trt(model, model.inputs(3, 7), **options, backend="cpu", target="sm_89", progress=False)
    sizes = [(3, 7), (3, 7)]
    if options:
        sizes += [(3, 1), (3, LONGEST), (3, 17), *([(1, 5), (6, 9)] if dynamic_batch else [])]
    for batch, steps in sizes:
        agree(model, converted, model.inputs(batch, steps))
    if HAS_RTX and model.total is not None:
        assert converted.network.build(_core.ProgressBar(False)).size > 0


@pytest.mark.parametrize("lengths", [[7, 4, 4, 1], [5, 2, 2, 1]])
def test_constant_lengths(lengths: list[int]) -> None:
    model = Packed(
        nn.LSTM, {"bidirectional": True}, {"batch_first": True, "sorted": True, "out_first": True}, None
    ).eval()
    model.lengths = lengths
    converted = torch2trt(model, model.inputs(4, 7), backend="cpu", target="sm_89", progress=False)
    agree(model, converted, model.inputs(4, 7))
    if HAS_RTX:
        assert converted.network.build(_core.ProgressBar(False)).size > 0


def test_packing_alone_masks() -> None:
    def model(x, lengths):
        return pad_packed_sequence(pack_padded_sequence(x, lengths, True, False), True, 3.0, x.shape[1])[0] + 1

    converted = torch2trt(model, [torch.randn(3, 5, 2), torch.tensor([2, 5, 1])], backend="cpu", progress=False)
    inputs = [torch.randn(3, 5, 2), torch.tensor([4, 1, 3])]
    assert torch.equal(model(*inputs), converted(*inputs))


def test_the_functions_are_as_before_after_a_conversion() -> None:
    test_packing_alone_masks()
    packed = pack_padded_sequence(torch.randn(3, 5, 2), torch.tensor([5, 2, 1]), True)
    assert packed.data.shape == (8, 2) and packed.batch_sizes.tolist() == [3, 2, 1, 1, 1]


def test_reading_packed_data_is_refused_with_the_line() -> None:
    def model(x, lengths):
        return pack_padded_sequence(x, lengths, True).data * 2

    with pytest.raises(Error, match=r"(?s)packed sequence.*test_packed.py:\d+.*help:.*pack_padded_sequence"):
        torch2trt(model, [torch.randn(3, 5, 2), torch.tensor([5, 2, 1])], backend="cpu", progress=False)


@pytest.mark.skipif(not HAS_RTX, reason="needs TensorRT for RTX")
def test_rtx_asks_for_the_total_length() -> None:
    model = Packed(nn.GRU, {}, {"batch_first": True, "sorted": False, "out_first": True}, None).eval()
    converted = torch2trt(model, model.inputs(3, 7), backend="cpu", target="sm_89", progress=False)
    with pytest.raises(Error, match=r"(?s)test_packed.py:\d+.*help:.*total_length"):
        converted.network.build(_core.ProgressBar(False))
