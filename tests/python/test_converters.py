"""Every converter of `converters/`, used on models: equal to PyTorch on the CPU engine, and built by TensorRT-RTX.

Inputs and weights are fresh on each run; the seed is shown where a test fails.
"""

from __future__ import annotations

import importlib.util
import random

import pytest
import torch
from converters import Case, Script, scripts
from operators import Function
from torch.utils import _pytree as pytree

from torch2trt import CONVERTERS, Error, _core, torch2trt
from torch2trt.converters import Calls
from torch2trt.verify import difference

HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None
CASES = [pytest.param(script, case, id=f"{script.name}-{case.name}") for script in scripts() for case in script.cases]
DYNAMIC = [pytest.param(*param.values, id=param.id) for param in CASES if param.values[1].dynamic is not None]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch):
    """No converters but those a test registers, and a new seed."""
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")
    torch.manual_seed(seed)
    before = dict(CONVERTERS)
    CONVERTERS.clear()
    yield
    CONVERTERS.clear()
    CONVERTERS.update(before)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The methods whose converters have run."""
    names: set[str] = set()
    convert = Calls.convert

    def spy(self, site, network):
        names.add(self.name(site.key))
        return convert(self, site, network)

    monkeypatch.setattr(Calls, "convert", spy)
    return names


def compare(got: object, expected: object, tolerance: float) -> None:
    """The same structure, constants, dtypes and shapes; elements within the tolerance of the largest."""
    ours, spec = pytree.tree_flatten(got)
    theirs, wanted = pytree.tree_flatten(expected)
    assert spec == wanted
    assert any(isinstance(leaf, torch.Tensor) for leaf in theirs), "the case returns no tensor"
    for mine, leaf in zip(ours, theirs):
        if isinstance(leaf, torch.Tensor):
            assert mine.dtype == leaf.dtype
            assert difference(leaf, mine) <= tolerance
        else:
            assert mine == leaf


def check(script: Script, case: Case, called: set[str], dynamic: object) -> None:
    CONVERTERS.update(script.converters)
    whole = isinstance(case.fn, torch.nn.Module)
    module = case.fn.eval() if whole else Function(case.fn)
    if dynamic is not None and whole:
        dynamic = dynamic[0]  # written for Function, whose inputs are one tuple
    converted = torch2trt(
        module, case.inputs(), backend="cpu", target="sm_89", dynamic_shapes=dynamic, verify=False, progress=False
    )
    assert converted.report.traced_because is None
    assert set(case.uses) <= called
    for draw in (case.inputs, case.other) if dynamic is not None and case.other else (case.inputs,):
        fresh = draw()
        with torch.no_grad():
            expected = module(*fresh)
        compare(converted(*fresh), expected, case.tolerance)
    if HAS_RTX and case.rtx:
        plan = converted.network.build(_core.ProgressBar(False))
        assert plan.size > 1000
    elif HAS_RTX:
        with pytest.raises(Error, match="sizes that depend on data"):
            converted.network.build(_core.ProgressBar(False))


@pytest.mark.parametrize(("script", "case"), CASES)
def test_static(script: Script, case: Case, called: set[str]) -> None:
    check(script, case, called, None)


OLD = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 7)
LIMITED = {"avg_pool2d", "convolution with a tensor for a kernel", "max_pool2d"}
"""An older PyTorch limits their sizes to those that divide as the sample's do: E0601."""


@pytest.mark.parametrize(("script", "case"), DYNAMIC)
def test_dynamic(script: Script, case: Case, called: set[str]) -> None:
    if OLD and case.name in LIMITED:
        pytest.skip("this PyTorch limits the sizes")
    check(script, case, called, case.dynamic)


def test_there_are_sixty() -> None:
    functions = {entry.position for script in scripts() for entry in script.converters.values()}
    names = {name for script in scripts() for name in script.converters}
    assert len(functions) >= 60 and len(names) >= 100
