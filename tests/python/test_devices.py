"""Inputs that a model takes in host memory while others are on a GPU, without a GPU: the meta device stands for it."""

from __future__ import annotations

import copy
import inspect
import json
import random

import pytest
import replay  # noqa: F401  (finds torch2trt)
import torch

from torch2trt import TRTModule, torch2trt
from torch2trt.boundary import to_device
from torch2trt.capture import tree as trees
from torch2trt.tree_file import from_json, plain, to_json


class OnGpu:
    """Stands for an engine: notes on which devices it gets its inputs."""

    device, device_index = "meta", None

    def run(self, tensors, stream, out):
        self.devices = [tensor.device.type for tensor in tensors]
        return list(tensors)


@pytest.fixture
def tree_of(monkeypatch):
    """The tree of a call with these samples."""
    monkeypatch.setattr(trees, "check_tensor", lambda name, tensor: None)  # it rejects the meta device
    return lambda samples: trees.InputTree(inspect.signature(lambda *tensors: None), samples, {})


@pytest.mark.parametrize("seed", range(20))
def test_only_what_the_samples_had_in_host_memory_is_copied(seed, tree_of):
    draw = random.Random(seed)
    places = [draw.choice(["cpu", "meta"]) for _ in range(draw.randint(1, 6))]
    tree, mixed = tree_of([torch.empty(2, device=place) for place in places]), len(set(places)) > 1
    assert tree.host == ([k for k, place in enumerate(places) if place == "cpu"] if mixed else [])
    read, _ = from_json(json.loads(json.dumps(to_json(tree, plain([], ["y"])[1]))))
    assert read.host == copy.deepcopy(tree).host == tree.host
    given = [torch.empty(2, device=place) for place in places]
    moved = [tensor.device.type for tensor in to_device(given, tree.host, "meta")]
    assert moved == (["meta"] * len(places) if mixed else places)
    # Where the sample was on the GPU, nothing is copied: the engine reports the tensor.
    other = [torch.empty(2, device="meta" if place == "cpu" else "cpu") for place in places]
    moved = [tensor.device.type for tensor in to_device(other, tree.host, "meta")]
    assert moved == [tensor.device.type for tensor in other]


@pytest.mark.parametrize("dtype", [torch.int64, torch.float64])
def test_a_call_copies_before_it_casts(dtype, tree_of):
    made, engine = TRTModule(), OnGpu()
    outputs = plain([], ["x", "y"])[1]
    made._fill(engine, tree_of([torch.empty(3, device="meta"), torch.empty(3, dtype=dtype)]), outputs, None)
    assert made._host == ()  # an engine without a GPU copies nothing
    made._host = made._inputs.host
    got = made.run([torch.empty(3, device="meta"), torch.ones(3, dtype=dtype)])
    assert engine.devices == ["meta", "meta"] and got[1].dtype == (torch.float32 if dtype == torch.float64 else dtype)


def test_an_engine_in_host_memory_copies_nothing():
    made = torch2trt(lambda x, y: x + y, [torch.randn(3), torch.randn(3)], backend="cpu", progress=False)
    assert made._inputs.host == [] and made._host == ()
