"""`coverage`: the operators of a model, and the parts that `fallback=True` would make, as the report draws them."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from test_by_modules import Decides
from test_fallback import Adjoining, Operator, Scattered, convert
from test_fallback_models import Found
from torch import nn

from torch2trt import Error, coverage
from torch2trt.partition.engine import PartitionedEngine

HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None


@pytest.fixture
def no_engine(monkeypatch):
    """Fails where an engine is built."""

    def build(*_args, **_kwargs):
        raise AssertionError("an engine was built")

    monkeypatch.setattr(PartitionedEngine, "__init__", build)


@pytest.mark.parametrize("make", [Operator, Scattered, Adjoining])
@pytest.mark.parametrize("options", [{}, {"max_batch_size": 6}, {"run_in_pytorch": ["layers.0"], "min_layers": 1}])
def test_the_parts_are_those_of_the_conversion(make, options):
    model, x = make().eval(), torch.randn(4, 8)
    found, model_trt = coverage(model, [x], fallback=True, **options), convert(model, [x], **options)
    assert [part.kind for part in found.partitions] == [part.kind for part in model_trt.partitions]
    for drawn, made in zip(found.partitions, model_trt.partitions, strict=True):
        made.difference = None
        assert drawn == made
    drawn = [line.strip() for line in str(found).splitlines()]
    assert all(line.strip() in drawn for line in str(model_trt.report).splitlines() if "part 0: engine" in line)
    assert [row for row in found if not row[2]]
    assert "does not convert" in str(found)
    assert "operator calls run in engines" in drawn[-1]
    assert "reads" in str(found)


def test_nothing_is_built(no_engine):
    found = coverage(Operator().eval(), [torch.randn(4, 8)], fallback=True)
    assert [part.kind for part in found.partitions] == ["engine", "pytorch", "engine"]


def test_a_model_that_converts_is_one_engine():
    found = coverage(nn.Sequential(nn.Linear(8, 8), nn.ReLU()).eval(), [torch.randn(4, 8)], fallback=True)
    assert str(found).splitlines()[-2:] == [
        "part 0: engine: 2 calls, 5 layers, reads 128 bytes",
        "1 engine and 0 parts in PyTorch: 2 of 2 operator calls run in engines",
    ]
    assert not coverage(nn.Linear(8, 8).eval(), [torch.randn(4, 8)]).partitions


def test_python_code_that_decides_by_values():
    found = coverage(Decides().eval(), [torch.randn(4, 8)], fallback=True)
    assert {part.module for part in found.partitions} >= {"stem", "blocks.0"}
    assert "Decides.forward" in str(found)


@pytest.mark.skipif(not HAS_RTX, reason="TensorRT-RTX is not installed")
def test_what_a_target_lacks():
    x = [torch.randn(4, 8)]
    assert [part.kind for part in coverage(Found().eval(), x, fallback=True).partitions] == ["engine"]
    found = coverage(Found().eval(), x, fallback=True, backend="tensorrt", target="sm_89")
    assert [part.kind for part in found.partitions] == ["engine", "pytorch", "engine"]
    assert "no sizes that depend on data" in " ".join(str(found).split())


def test_arguments_that_need_fallback():
    with pytest.raises(Error) as raised:
        coverage(Operator().eval(), [torch.randn(4, 8)], min_layers=3)
    assert raised.value.code == "E0701"
    assert "`fallback=True`" in raised.value.help
    assert "`device`" in raised.value.help
