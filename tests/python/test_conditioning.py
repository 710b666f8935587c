"""The cause of a difference: a fault of the engine, a random model, or one that is ill-conditioned on its inputs."""

import importlib.util
import os
import random

import pytest
import torch
from torch import nn

from torch2trt import Error, TRTModule, tensorrt_converter, torch2trt
from torch2trt.conditioning import cause
from torch2trt.converters import CONVERTERS
from torch2trt.verify import difference

CASES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
RTX = pytest.mark.skipif(importlib.util.find_spec("tensorrt_rtx_libs") is None, reason="needs TensorRT-RTX")


def convert(model, inputs, **options):
    return torch2trt(model, inputs, **{"backend": "cpu", "progress": False, **options})


class Chooses(nn.Module):
    """Gathers the rows whose scores come first."""

    def __init__(self, how, k, bias):
        super().__init__()
        self.how, self.k, self.bias = how, k, bias

    def forward(self, x, scores):
        scores = torch.relu(scores) + self.bias
        index = scores.topk(self.k).indices if self.how == "topk" else scores.sort(descending=True).indices[: self.k]
        return x[index]


@pytest.mark.parametrize("seed", range(3 * CASES))
def test_ties_are_no_bug_of_the_converter(seed):
    draw = random.Random(seed)
    torch.manual_seed(seed)
    rows = draw.randint(80, 300)
    model = Chooses(draw.choice(["topk", "sort"]), draw.randint(5, 20), draw.choice([0.0, -1.4, 3.0])).eval()
    inputs = [torch.randn(rows, 4), -torch.rand(rows)]
    try:
        convert(model, inputs)
    except Error as found:  # which of equal values come first is open, so they may agree
        text = str(found)
        assert found.code == "E0702" and "bug" not in text and "ill-conditioned" in text and "trained" in found.help
        assert f"{model.how} at {__file__}" in text, text
        convert(model, inputs, verify=False)  # the help works
    else:
        assert model.how == "sort", "topk of PyTorch has another order"


def test_ties_on_fresh_values_only_are_no_error():
    """The first fresh values are nearer to the smallest one, so that all scores become zero; others are taken."""
    torch.manual_seed(0)
    scores = torch.rand(200)
    scores[:12] = 9 - torch.arange(12) / 4
    made = convert(Chooses("topk", 8, 0.0), [torch.randn(200, 4), scores - 6.1])
    assert max(made.report.difference.values()) == 0
    assert max(made.report.fresh_difference.values()) == 0


class Amplifies(nn.Module):
    """Reduces and amplifies: the rounding of the sum decides."""

    def __init__(self, gain):
        super().__init__()
        self.layer, self.gain = nn.Linear(4096, 8), gain

    def forward(self, x):
        return torch.sin(self.layer(x) * self.gain)


@pytest.mark.parametrize("seed", range(2 * CASES))
def test_amplified_rounding(seed):
    torch.manual_seed(seed)
    model, x = Amplifies(10 ** random.Random(seed).uniform(5, 7)).eval(), torch.randn(4, 4096)
    with pytest.raises(Error, match="ill-conditioned") as found:
        convert(model, [x])
    assert found.value.code == "E0702" and "otherwise" not in str(found.value)
    convert(Amplifies(1.0).eval(), [x])


@pytest.mark.parametrize("seed", range(2 * CASES))
def test_a_wrong_engine_is_still_a_bug(seed, monkeypatch):
    torch.manual_seed(seed)
    rows = random.Random(seed).randint(20, 100)
    model, inputs = Chooses("topk", 5, 1.0).eval(), [torch.randn(rows, 4), torch.rand(rows)]
    run = TRTModule.run
    monkeypatch.setattr(TRTModule, "run", lambda self, tensors: [out.flip(0) for out in run(self, tensors)])
    with pytest.raises(Error, match="bug in torch2trt") as found:
        convert(model, inputs)
    assert "ill-conditioned" not in str(found.value)


def called(module):
    """Runs a module with other parameters, as verification does."""

    def run(given, parameters):
        with torch.no_grad():
            return torch.func.functional_call(module, parameters, tuple(given))

    return run


class NearlyEqual(nn.Module):
    """Chooses among scores that differ by less than float32 rounds: by thousands of terms of both signs."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.layer = nn.Linear(4096, 64)
        with torch.no_grad():
            self.layer.weight.copy_(torch.randn(4096).expand(64, -1))
            self.layer.bias.copy_(torch.linspace(0, 1e-6, 64)[torch.randperm(64)])

    def forward(self, x, values):
        scores = self.layer(x)
        if self.how == "topk":
            return values[scores.topk(4).indices]
        return values[getattr(torch, self.how)(scores, -1)]


@pytest.mark.parametrize("how", ["topk", "argmax", "argmin"])
def test_near_ties_are_judged_in_float64(how):
    torch.manual_seed(0)
    module, inputs = NearlyEqual(how).eval(), [torch.randn(8, 4096), torch.randn(64)]
    why = cause(called(module), difference, module, inputs, 0.5, 1e-3, 1e-6)
    assert "in float32 differs by" in why.text
    assert "from that in float64" in why.text
    assert f"chooses otherwise: {how} at {__file__}" in why.text
    assert not why.is_random
    assert [parameter.dtype for parameter in module.parameters()] == [torch.float32] * 2


def test_a_model_that_float64_confirms_has_no_cause():
    torch.manual_seed(0)
    module, inputs = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64)).eval(), [torch.randn(8, 64)]
    assert cause(called(module), difference, module, inputs, 0.5, 1e-3, 1e-6) is None


def test_a_model_that_does_not_run_in_float64_is_perturbed():
    torch.manual_seed(0)

    class Needs(NearlyEqual):
        def forward(self, x, values):
            assert x.dtype == torch.float32
            return super().forward(x, values)

    module, inputs = Needs("argmax").eval(), [torch.randn(8, 4096), torch.randn(64)]
    why = cause(called(module), difference, module, inputs, 0.5, 1e-3, 1e-6)
    assert "weights and the values that are sorted change" in why.text


def test_a_random_model():
    def run(tensors, _parameters):
        return tensors[0] + torch.rand(3)

    found = cause(run, difference, nn.Identity(), [torch.randn(3)], 0.5, 1e-3, 1e-6)
    assert found.is_random and f"rand at {__file__}" in found.text


@RTX
def test_a_plan_for_another_gpu_is_compared_on_the_cpu_engine():
    model, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval(), torch.randn(1, 3, 8, 8)
    ahead = {"backend": "tensorrt", "target": "sm_89"}
    for options, most in (({}, 1e-5), ({"fp16_mode": True}, 5e-2)):
        report = convert(model, [x], **ahead, **options).report
        assert max(report.difference.values()) < most and report.fresh_difference
        assert "did not run here" in report.compared_on and "did not run here" in " ".join(str(report).split())
    without = convert(model, [x], **ahead, verify=False).report
    assert not without.difference and not without.compared_on
    skipped = convert(model, [x], **ahead, onnxruntime="/nowhere").report
    assert "built for another GPU" in skipped.skipped["sample inputs"] and not skipped.compared_on
    assert not convert(model, [x]).report.compared_on


@RTX
def test_a_wrong_plan_for_another_gpu_is_found():
    known = dict(CONVERTERS)
    try:

        @tensorrt_converter("torch.nn.ReLU.forward")
        def does_nothing(ctx):
            ctx.method_return._trt = ctx.network.add_identity(ctx.method_args[1]._trt).get_output(0)

        with pytest.raises(Error, match="E0702"):
            convert(nn.Sequential(nn.ReLU()).eval(), [torch.randn(64, 4)], backend="tensorrt", target="sm_89")
    finally:
        CONVERTERS.clear()
        CONVERTERS.update(known)
