"""Every model of the README's table: equal to PyTorch on the CPU engine, and built for real by TensorRT-RTX.

Weights and inputs are fresh random numbers each time; the seed is printed when a test fails. What counts is the
difference to the exact result, which PyTorch computes in float64: in the deepest models PyTorch's own float32 is off by
up to 9e-5.
"""

import copy
import importlib.util
import os
import time

import pytest
import torch
from models import MODELS, build
from torch.utils import _pytree as pytree

from torch2trt import _core, torch2trt
from torch2trt.verify import difference

TOLERANCE = 1e-4
TARGET = "sm_89"
HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None


def fresh(value):
    """Another input of the same kind: new floats; integers stay within the range they had."""
    if not isinstance(value, torch.Tensor):
        return value
    if value.is_floating_point():
        return torch.randn_like(value)
    return value[..., torch.randperm(value.shape[-1])]


def exact(value):
    return value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def outputs(value):
    return [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]


IS_LONG_RUN = "TORCH2TRT_TEST_CASES" in os.environ
BETWEEN = {
    *("vgg11", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19_bn", "densenet169", "densenet201"),
    *("resnet34", "resnet101"),
}
"""Models between a smaller and a larger one of the same family: `make test-all` runs them, for some minutes."""


@pytest.mark.parametrize("name", list(MODELS))
def test_model(name):
    if name in BETWEEN and not IS_LONG_RUN:
        pytest.skip("slow: TORCH2TRT_TEST_CASES")
    seed = int(time.time())
    print(f"seed {seed}")
    model, args, kwargs = build(name, seed)
    model_trt = torch2trt(model, args, kwargs=kwargs, backend="cpu", target=TARGET, progress=False)

    assert model_trt.report.difference
    args, kwargs = pytree.tree_map(fresh, (args, kwargs))
    got = model_trt(*args, **kwargs)
    args, kwargs = pytree.tree_map(exact, (args, kwargs))
    with torch.no_grad():
        expected = copy.deepcopy(model).double()(*args, **kwargs)
    assert type(got) is type(expected)
    for e, g in zip(outputs(expected), outputs(got), strict=True):
        assert difference(e, g) <= TOLERANCE

    if HAS_RTX:
        plan = model_trt.network.build(_core.ProgressBar(False))
        assert plan.size > 1000
        warnings = [value for key, value in plan.summary if key == "warning"]
        assert not warnings, warnings
