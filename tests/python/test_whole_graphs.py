"""Whole calls of partitioned models in CUDA graphs: which are captured, and what happens where one cannot be."""

from __future__ import annotations

import logging

import pytest
import torch
from test_fallback import Numbers, Operator, SizesByData, convert
from torch import nn

from torch2trt.partition.graphs import MOST_GRAPHS, WholeCall, obstacle

GPU = torch.device("cuda", 0)


def run(inputs):
    return [inputs[0] * 2]


class Record:
    """Captures calls as a GPU would; `refuses` returns whether shapes cannot be captured."""

    def __init__(self, refuses=lambda shape: False):
        self.refuses, self.shapes, self.replays = refuses, [], 0

    def __call__(self, function, inputs):
        self.shapes.append(tuple(inputs[0].shape))
        if self.refuses(self.shapes[-1]):
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore")
        self.function = function
        return self

    def replay(self, inputs):
        self.replays += 1
        return self.function(inputs)


def whole_call(function, obstacle, record, is_capturing=lambda: False):
    return WholeCall(function, obstacle, record, is_capturing)


def test_each_combination_of_shapes_is_captured_once():
    record = Record()
    whole = whole_call(run, None, record)
    for size in (1, 2, 1, 2, 2):
        x = torch.randn(size, 3)
        assert torch.equal(whole([x])[0], x * 2)
    assert record.shapes == [(1, 3), (2, 3)]
    assert record.replays == 5
    assert whole.state == "one for the whole call"


def test_further_shapes_run_part_by_part():
    whole = whole_call(run, None, Record())
    answers = [whole([torch.randn(size, 3)]) for size in range(1, MOST_GRAPHS + 3)]
    assert [answer is None for answer in answers] == [False] * MOST_GRAPHS + [True] * 2
    assert whole([torch.randn(1, 3)]) is not None


def test_a_call_that_cannot_be_captured_is_tried_once(caplog):
    record = Record(lambda shape: shape[0] == 2)
    whole = whole_call(run, None, record)
    assert whole([torch.randn(1, 3)]) is not None
    with caplog.at_level(logging.WARNING, "torch2trt"):
        assert whole([torch.randn(2, 3)]) is None
    assert whole([torch.randn(2, 3)]) is None
    assert record.shapes == [(1, 3), (2, 3)]
    assert whole.state.startswith("one for each engine: a part cannot be captured: RuntimeError: CUDA")
    assert whole.state in caplog.text


def test_a_call_inside_of_a_capture_runs_part_by_part():
    record = Record()
    assert whole_call(run, None, record, lambda: True)([torch.randn(1, 3)]) is None
    assert record.shapes == []


def test_an_obstacle_keeps_calls_from_being_captured():
    record = Record()
    whole = whole_call(run, "aten.nonzero.default reads values on the host", record)
    assert whole([torch.randn(1, 3)]) is None
    assert record.shapes == []
    assert "nonzero" in whole.state


def on_gpu(model, inputs):
    """The parts in PyTorch of a model, with the device of a GPU in what is known of their tensors."""
    parts = [step.in_pytorch for step in convert(model.eval(), inputs).engine.steps if step.engine is None]
    for node in (node for part in parts for node in part.graph.nodes):
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and value.device.type == "cpu":
            node.meta["val"] = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")
    return parts


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Operator(), None),
        (SizesByData(), "has a size that depends on data"),
        (Numbers(), "reads values on the host"),
    ],
)
def test_what_the_host_reads_is_an_obstacle(model, reason):
    found = obstacle(on_gpu(model, [torch.randn(4, 8)]), GPU)
    assert (found is None) == (reason is None), found
    assert reason is None or reason in found


def test_tensors_on_the_cpu_are_an_obstacle():
    engine = convert(Operator().eval(), [torch.randn(4, 8)]).engine
    parts = [step.in_pytorch for step in engine.steps if step.engine is None]
    assert "runs on the CPU" in obstacle(parts, GPU)
    assert obstacle(parts, torch.device("cpu")) == "the model runs on the CPU"
    assert obstacle([nn.Identity()], GPU) == "Python code runs between the engines"


def test_a_partitioned_engine_replays_what_is_captured():
    model_trt = convert(Operator().eval(), [torch.randn(4, 8)])
    x, record = torch.randn(4, 8), Record()
    expected = model_trt(x)
    model_trt.engine.whole = whole_call(lambda inputs: model_trt.engine._run_parts(inputs, None), None, record)
    assert torch.equal(model_trt(x), expected)
    out = [torch.empty(4, 8)]
    assert model_trt.run([x], out) == out
    assert torch.equal(out[0], expected)
    assert record.replays == 2
