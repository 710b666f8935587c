"""Every operator case, converted and compared with PyTorch on fresh inputs.

The CPU engine runs everywhere. Where a TensorRT is installed that builds without a GPU, the same network is also
built into a plan, which proves that TensorRT accepts every layer.
"""

from __future__ import annotations

import importlib.util
import random
from functools import cache

import pytest
import torch
from operators import Case, Function, suites

import torch2trt
from torch2trt import _core

# TensorRT-RTX builds for a GPU that is not there.
TARGET = "sm_89"
BUILDER = importlib.util.find_spec("tensorrt_rtx_libs") is not None
CASES = [pytest.param(case, id=f"{suite.family}-{case.name}") for suite in suites() for case in suite.cases]


@cache
def table() -> dict[str, float]:
    """Tolerance by operator overload."""
    return {overload: tolerance for _, overload, _, tolerance in _core.operators()}


def module_of(case: Case) -> torch.nn.Module:
    return case.fn.eval() if isinstance(case.fn, torch.nn.Module) else Function(case.fn)


def tolerance_of(case: Case, module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> float:
    """The case's own, or the largest of its operators'."""
    if case.tolerance is not None:
        return case.tolerance
    used = torch2trt.coverage(module, inputs, dynamic_shapes=case.dynamic)
    return max((table()[overload] for overload, _, _ in used), default=0.0)


def tensors(result: object) -> list[torch.Tensor]:
    if isinstance(result, torch.Tensor):
        return [result]
    return [t for item in result for t in tensors(item)] if isinstance(result, (list, tuple)) else []


def compare(actual: object, expected: object, tolerance: float) -> None:
    """The same dtypes and sizes; elements within the tolerance of the largest; infinities and NaN in place."""
    pairs = list(zip(tensors(actual), tensors(expected), strict=True))
    assert pairs, "the case returns no tensor"
    for ours, theirs in pairs:
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        ours, theirs = ours.detach().double(), theirs.detach().double()
        finite = theirs.isfinite()
        same = (ours == theirs) | (ours.isnan() & theirs.isnan())
        assert same[~finite].all(), "infinities or NaN differ"
        if finite.any():
            difference = (ours - theirs)[finite].abs().max().item()
            scale = theirs[finite].abs().max().item()
            assert difference <= tolerance * scale, f"off by {difference:.3g} of {scale:.3g}"


@pytest.fixture(autouse=True)
def seed(request: pytest.FixtureRequest) -> int:
    """A new seed for each run, shown where a test fails."""
    value = random.SystemRandom().randrange(2**31)
    torch.manual_seed(value)
    request.node.user_properties.append(("seed", value))
    print(f"seed {value}")
    return value


@pytest.mark.parametrize("case", CASES)
def test_cpu_engine(case: Case) -> None:
    module, inputs = module_of(case), case.inputs()
    if case.refused is not None:
        with pytest.raises(torch2trt.Error, match=case.refused):
            torch2trt.torch2trt(module, inputs, backend="cpu", dynamic_shapes=case.dynamic)
        return
    tolerance = tolerance_of(case, module, inputs)
    converted = torch2trt.torch2trt(module, inputs, backend="cpu", dynamic_shapes=case.dynamic, verify=False)
    for draw in (case.inputs, case.other or case.inputs):
        fresh = draw()
        with torch.no_grad():
            expected = module(*fresh)
        compare(converted(*fresh), expected, tolerance)


@pytest.mark.skipif(not BUILDER, reason="tensorrt-rtx is not installed")
@pytest.mark.parametrize("case", CASES)
def test_plan_builds(case: Case) -> None:
    if case.refused is not None:
        pytest.skip("the case is refused")
    module, inputs = module_of(case), case.inputs()
    options = {"backend": "tensorrt", "target": TARGET, "dynamic_shapes": case.dynamic}
    if case.unbuilt is not None:
        with pytest.raises(torch2trt.Error, match=case.unbuilt):
            torch2trt.torch2trt(module, inputs, **options)
        return
    assert torch2trt.torch2trt(module, inputs, **options).report.plan
