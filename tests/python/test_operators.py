"""Every operator case, converted and compared with PyTorch on fresh inputs.

The CPU engine runs everywhere. Where a TensorRT is installed that builds without a GPU, the same network is also
built into a plan, which proves that TensorRT accepts every layer.
"""

from __future__ import annotations

import importlib.util
import os
import random
from functools import cache

import pytest
import torch
from operators import Case, Function, suites

import torch2trt
from torch2trt import _core

# TensorRT-RTX builds for a GPU that is not there.
TARGET = "sm_89"
# Pairs of draws for each case.
DRAWS = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
BUILDER = importlib.util.find_spec("tensorrt_rtx_libs") is not None
CASES = [pytest.param(case, id=f"{suite.family}-{case.name}") for suite in suites() for case in suite.cases]


@cache
def table() -> dict[str, float]:
    """Tolerance by operator overload."""
    return {overload: tolerance for _, overload, _, tolerance in _core.operators()}


def module_of(case: Case) -> torch.nn.Module:
    return case.fn.eval() if isinstance(case.fn, torch.nn.Module) else Function(case.fn)


def tolerance_of(case: Case, operators: dict[str, int]) -> float:
    """The case's own, or the largest of its operators'."""
    if case.tolerance is not None:
        return case.tolerance
    return max((table()[overload] for overload in operators), default=0.0)


def tensors(result: object) -> list[torch.Tensor]:
    if isinstance(result, torch.Tensor):
        return [result]
    return [t for item in result for t in tensors(item)] if isinstance(result, (list, tuple)) else []


def in_float64(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """The values in float64, rounded to float32."""
    return module(*(tensor.double() if tensor.is_floating_point() else tensor for tensor in inputs)).float()


def compare(actual: object, expected: object, tolerance: float) -> None:
    """The same dtypes and sizes; elements within the tolerance of the largest; infinities and NaN in place."""
    pairs = list(zip(tensors(actual), tensors(expected), strict=True))
    assert pairs, "the case returns no tensor"
    for ours, theirs in pairs:
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        if theirs.is_complex():
            ours, theirs = torch.view_as_real(ours.resolve_conj()), torch.view_as_real(theirs.resolve_conj())
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
def test_operator(case: Case) -> None:
    module, inputs = module_of(case), case.inputs()
    options = {"backend": "cpu", "target": TARGET, "dynamic_shapes": case.dynamic, "verify": False, "progress": False}
    if case.refused is not None:
        with pytest.raises(torch2trt.Error, match=case.refused):
            torch2trt.torch2trt(module, inputs, **options)
        return
    converted = torch2trt.torch2trt(module, inputs, **options)
    tolerance = tolerance_of(case, converted.report.operators)
    for draw in (case.inputs, case.other or case.inputs) * DRAWS:
        fresh = draw()
        with torch.no_grad():
            expected = in_float64(module, fresh) if case.exact else module(*fresh)
        compare(converted(*fresh), expected, tolerance)
    if BUILDER:
        build(case, converted.network)


def build(case: Case, network: _core.Network) -> None:
    """TensorRT-RTX builds the same network, or refuses it in the words that the case expects."""
    if case.unbuilt is not None:
        with pytest.raises(torch2trt.Error, match=case.unbuilt):
            network.build(_core.ProgressBar(False))
        return
    assert network.build(_core.ProgressBar(False)).size > 0
