"""Exported graphs that are made functional without a second trace: the same values, or left as they were."""

from __future__ import annotations

import os
import random

import pytest
import torch
from replay import Function
from torch import nn
from torch.nn.attention.flex_attention import flex_attention

from torch2trt.capture import capture
from torch2trt.capture.functional import made_functional
from torch2trt.capture.vmap import EXPORTS_VMAP

CASES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
SEED = int(os.environ.get("TORCH2TRT_TEST_SEED", "1"))

WRITES = {
    "relu_": lambda x, y: x.relu_(),
    "add_": lambda x, y: x.add_(y),
    "add_ itself": lambda x, y: x.add_(x),
    "mul_ number": lambda x, y: x.mul_(1.5),
    "sub_ alpha": lambda x, y: x.sub_(y, alpha=2),
    "clamp_": lambda x, y: x.clamp_(-1, 1),
    "sigmoid_": lambda x, y: x.sigmoid_(),
    "masked_fill_": lambda x, y: x.masked_fill_(y > 0, 0.25),
    "copy_": lambda x, y: x.copy_(y),
    "fill_": lambda x, y: x.fill_(0.5),
    "zero_": lambda x, y: x.zero_(),
    "gt_": lambda x, y: x.gt_(y),
    "leaky_relu_": lambda x, y: nn.functional.leaky_relu_(x, 0.2),
    "dropout_": lambda x, y: nn.functional.dropout(x, 0.5, training=False, inplace=True),
    "detach_": lambda x, y: x.detach_(),
    "transposed, of a part": lambda x, y: x[0].t_().add_(1),
    "part": lambda x, y: x[:, 1:].mul_(2),
    "assigned part": lambda x, y: x.__setitem__((slice(None), 0), y[:, 1]),
    "of half precision": lambda x, y: x.add_(y.to(torch.float16)),
}
VIEWS = {
    "view": lambda x: x.view(-1, 4).reshape(3, 4, 4),
    "transpose": lambda x: x.transpose(1, 2),
    "slice": lambda x: torch.cat([x[:, :2], x[:, 2:]], 1),
    "chunk": lambda x: torch.cat(x.chunk(2, 1), 1),
    "contiguous": lambda x: x.contiguous(),
    "to": lambda x: x.to(torch.float32),
    "expand": lambda x: x[:1].expand(3, 4, 4),
    "dropout": lambda x: nn.functional.dropout(x, 0.5, training=False),
    "flip": lambda x: x.flip(0),
    "neg": lambda x: -x,
    "clone": lambda x: x.clone(),
    "squeeze": lambda x: x[None].squeeze(0),
}


def drawn(draw):
    """A function of two tensors that writes in place to values and to views of them, and reads them."""
    kinds, writes, views = ("write", "view", "sum"), list(WRITES), list(VIEWS)
    steps = [
        (draw.choice(kinds), draw.choice(writes), draw.choice(views), draw.random(), draw.random())
        for _ in range(draw.randint(2, 9))
    ]
    read = [draw.random() < 0.5 for _ in steps]

    def function(x, y):
        values = [x + 1, y * 2]
        for kind, write, view, first, second in steps:
            one, other = values[int(first * len(values))], values[int(second * len(values))]
            if kind == "write":
                WRITES[write](one, other.clone())
            elif kind == "view":
                values.append(VIEWS[view](one))
            else:
                values.append(one + other)
        chosen = (value.clone() for value, is_read in zip(values, [True, *read], strict=False) if is_read)
        return (*chosen, values[-1])

    return function, [step[:3] for step in steps]


def exported(function, *inputs):
    with torch.no_grad():
        return torch.export.export(Function(lambda _, *args: function(*args)), inputs, strict=False)


def judged(program):
    """Whether a program was made functional, and the module of its graph."""
    done = made_functional(program.graph, None)
    program.graph.lint()
    return done, torch.fx.GraphModule(program.graph_module, program.graph)


def writes(graph):
    schemas = (getattr(node.target, "_schema", None) for node in graph.nodes)
    return [schema.name for schema in schemas if schema is not None and schema.is_mutable]


@pytest.mark.parametrize("case", range(60 * CASES))
def test_drawn_writes_give_the_same_values(case):
    draw = random.Random(1000 * SEED + case)
    function, steps = drawn(draw)
    x, y = torch.randn(3, 4, 4), torch.randn(3, 4, 4)
    try:
        expected = function(x.clone(), y.clone())
    except RuntimeError:  # a write to memory that overlaps itself
        return
    program = exported(function, x, y)
    before = str(program.graph)
    done, module = judged(program)
    if not done:
        assert str(program.graph) == before
        return
    assert writes(module.graph) == []
    for other in ((x, y), (torch.randn(3, 4, 4), torch.randn(3, 4, 4))):
        expected = function(*(value.clone() for value in other))
        for got, wanted in zip(module(*other), expected, strict=True):
            assert got.dtype == wanted.dtype
            torch.testing.assert_close(got, wanted, rtol=0, atol=0, equal_nan=True, msg=lambda text: f"{text}\n{steps}")


def test_a_good_share_of_drawn_programs_is_judged():
    share = 0
    for case in range(40):
        function, _ = drawn(random.Random(case))
        try:
            share += judged(exported(function, torch.randn(3, 4, 4), torch.randn(3, 4, 4)))[0]
        except RuntimeError:
            continue
    assert share > 10


FUNCTIONAL = {
    "relu_ of a sum": lambda x: (x + 1).relu_() * 2,
    "twice": lambda x: (x + 1).relu_().mul_(2).add_(x),
    "a view before, read before": lambda x: [y := x + 1, z := y.view(-1).sum(), y.relu_()][2] + z,
    "a view after": lambda x: [y := x + 1, y.relu_(), y.view(-1)][2] * 2,
    "the written tensor by its first name": lambda x: [y := x + 1, y.relu_(), y * 3][2],
    "a constant": lambda x: x + torch.tensor([1.0, 2.0]),
    "copy_ of a whole tensor": lambda x: [y := torch.empty_like(x), y.copy_(x * 2), y + 1][2],
    "masked_fill_ by a mask": lambda x: (x * 1).masked_fill_(x > 0, 3.0),
}
LEFT = {
    "an input": lambda x: x.relu_() + 1,
    "a view that is read later": lambda x: [y := x + 1, z := y.view(-1), y.relu_(), z + 1][3],
    "an alias that no schema declares": lambda x: [
        y := x + 1,
        z := torch.einsum("ij->ji", y),
        y.mul_(2),
        z + 1,
    ][3],
    "the rest of a split": lambda x: [parts := (x + 1).split(1), parts[0].mul_(2), parts[0] + parts[1]][2],
    "a part": lambda x: [y := x + 1, y[0].relu_(), y * 2][2],
    "a comparison in place": lambda x: (x + 1).gt_(0) * 2,
    "another dtype": lambda x: (x.to(torch.float16) + 1).mul_(x),
    "dropout in training": lambda x: nn.functional.dropout(x, 0.5, training=True),
    "complex numbers": lambda x: torch.view_as_real(torch.complex(x, x) * 2),
    "a size that follows from values": lambda x: x[x > 0] * 2,
    "operators with functions": lambda x: flex_attention(*[x[None, None]] * 3, score_mod=lambda s, b, h, i, j: s + i),
}


@pytest.mark.parametrize("name", FUNCTIONAL)
def test_writes_that_become_functional(name):
    x = torch.randn(2, 2)
    done, module = judged(exported(FUNCTIONAL[name], x))
    assert done
    assert writes(module.graph) == []
    others = [node for node in module.graph.nodes if node.op == "placeholder"][:-1]  # constants come before the inputs
    if not others:
        torch.testing.assert_close(module(x)[0], FUNCTIONAL[name](x.clone()))


@pytest.mark.parametrize("name", LEFT)
def test_writes_that_need_a_trace(name):
    if name == "operators with functions" and not EXPORTS_VMAP:
        pytest.skip("this PyTorch does not export flex_attention, which calls vmap")
    program = exported(LEFT[name], torch.randn(2, 2).abs() + 0.1)
    before = str(program.graph)
    assert not judged(program)[0]
    assert str(program.graph) == before


def test_unknown_operators_need_a_trace():
    program = exported(lambda x: (x + 1).relu_(), torch.randn(2))
    assert not made_functional(program.graph, {"aten.add.Tensor"})
    assert made_functional(program.graph, {"aten.add.Tensor", "aten.relu.default"})


def test_models_are_captured_without_a_second_trace(monkeypatch):
    """A convolutional network and a transformer: neither asks for PyTorch's decomposition."""

    def refuse(*_):
        raise AssertionError("traced again")

    monkeypatch.setattr(torch.export.ExportedProgram, "run_decompositions", refuse)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(), nn.Flatten())
    captured = capture(layers.eval(), (torch.randn(2, 3, 8, 8),))
    assert captured.traced_because is None
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    shapes = ({1: torch.export.Dim("tokens", min=2, max=16)},)
    assert capture(encoder, (torch.randn(2, 4, 8),), dynamic_shapes=shapes).traced_because is None
