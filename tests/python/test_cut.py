"""The cut of captured graphs into parts: each call in one part, parts in order, and PyTorch's values between them."""

from __future__ import annotations

import itertools
import os
import random

import pytest
import torch
from torch import nn

from torch2trt import _core
from torch2trt.partition.engine import with_shapes
from torch2trt.partition.nodes import inputs_of, is_size
from torch2trt.partition.parts import Values, split
from torch2trt.programs import captured_program
from torch2trt.samples import ShapeOptions, collect

CASES = 8 * int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
SEED = int(os.environ.get("TORCH2TRT_TEST_SEED", "0"))


class Drawn(nn.Module):
    """Calls on drawn values; some of their sizes depend on data."""

    def __init__(self, draw):
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.steps = [(draw.choice(list(STEPS)), draw.random(), draw.random()) for _ in range(draw.randint(4, 12))]

    def forward(self, x):
        values = [self.layer(x)]
        for name, one, other in self.steps:
            values.append(STEPS[name](self, values[int(one * len(values))], values[int(other * len(values))]))
        return values[-1], values[len(values) // 2], values[-1].shape[0]


STEPS = {
    "linear": lambda self, x, y: self.layer(x),
    "relu": lambda self, x, y: x.relu(),
    "sum": lambda self, x, y: x + y.sum(0, keepdim=True),
    "cat": lambda self, x, y: torch.cat([x, y]).tanh(),
    "found": lambda self, x, y: x[x[:, 0] > 0],
    "counted": lambda self, x, y: x.tanh() * y.shape[0] ** 0.5,
    "filled": lambda self, x, y: torch.ones(x.shape[0], 8) + y.mean(),
    "split": lambda self, x, y: x.chunk(2, 1)[0].repeat(1, 2),
    "first": lambda self, x, y: torch.cat([x, y])[: y.shape[0]],
}


def graph_of(model, x):
    sampled = collect(model, [x], None, ShapeOptions(max_batch_size=8))
    captured, _ = captured_program(model, sampled, _core.ProgressBar(False), to_cut=True)
    return captured.whole.graph


def check(graph, parts, refused):
    calls = [call for part in parts for call in part.calls]
    assert len(calls) == len(set(calls))
    assert all(not part.is_engine or not refused.keys() & set(part.calls) for part in parts)
    assert all(one.is_engine != other.is_engine for one, other in itertools.pairwise(parts))
    outputs = {value for value in graph.outputs if isinstance(value, torch.fx.Node) and not is_size(value)}
    known = set(inputs_of(graph))
    for part in parts:
        assert set(part.inputs) <= known  # what it reads was made by an earlier part
        known |= set(part.outputs)
    assert outputs <= known


@pytest.mark.filterwarnings("ignore")
def test_parts_of_drawn_graphs():
    draw, seen = random.Random(SEED), 0
    for _ in range(CASES):
        torch.manual_seed(draw.randrange(10**6))
        model = Drawn(draw).eval()
        graph = graph_of(model, torch.randn(4, 8))
        nodes = [node for node in graph.module.graph.nodes if node.op == "call_function" and not is_size(node)]
        for _ in range(4):
            refused = {node: "drawn" for node in nodes if draw.random() < 0.3}
            parts = split(graph, refused, draw.choice([1, 5]))
            check(graph, parts, refused)
            seen = max(seen, len(parts))
            x = torch.randn(draw.randint(2, 8), 8)
            values = dict(zip(inputs_of(graph), [x], strict=True))
            for part in parts:
                sizes = [size.value(with_shapes(values.values())) for size in Values(list(values)).sizes(part.sizes)]
                values.update(zip(part.outputs, part.run([values[node] for node in part.inputs], sizes), strict=True))
            with torch.no_grad():
                expected = model(x)
            for value, wanted in zip(graph.outputs[:2], expected[:2], strict=True):
                torch.testing.assert_close(values[value], wanted, equal_nan=True)
            rows = graph.outputs[2]
            got = Values(list(values)).sizes([rows])[0].value(list(values.values()))
            assert got == expected[2]
    assert seen > 3
