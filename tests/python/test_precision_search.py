"""`precision="auto"`: finds the layers that need float32, keeps nothing else, and meets the tolerance."""

import importlib.util

import planted
import pytest
import torch
from archived import needs_archives
from torch import nn

from torch2trt import Error, _core, torch2trt
from torch2trt.verify import difference

HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None
SIZE = 64


def searched(module, args, **options):
    return torch2trt(module.eval(), args, backend="cpu", target="sm_89", progress=False, precision="auto", **options)


def found(model_trt):
    (search,) = model_trt.report.searches
    return search


def layers(middle):
    """A model with a module in the middle that computes with float16, and with one that may not."""
    return nn.Sequential(nn.Linear(SIZE, SIZE), nn.GELU(), middle, nn.Linear(SIZE, SIZE), nn.GELU(), nn.Linear(SIZE, 8))


@torch.no_grad()
def worst(module, model_trt, inputs):
    return max(difference(module(x), model_trt(x)) for x in inputs)


FAULTS = {
    "cancelled": (planted.Cancelled, ["2.ElementWise", "2.ElementWise_2"]),
    "softmax": (lambda: planted.ShiftedSoftmax(SIZE), ["2.logits.ElementWise", "2.SoftMax"]),
    "norm": (lambda: planted.TinyVariance(SIZE), ["2.near_one.ElementWise", "2.norm.Normalization"]),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_finds_the_planted_layer_and_keeps_nothing_else(fault):
    make, planted_layers = FAULTS[fault]
    module, x = layers(make()), torch.randn(16, SIZE)
    plain = torch2trt(module.eval(), [x], backend="cpu", progress=False, fp16_mode=True, verify=False)
    assert worst(module, plain, [x]) > 1e-2, "nothing to find"
    model_trt = searched(module, [x])
    search = found(model_trt)
    assert [layer for layer, _, _, _ in search["kept"]] == planted_layers
    assert search["is_complete"]
    assert search["after"] <= 1e-2 < search["before"]
    assert worst(module, model_trt, [x]) == pytest.approx(search["after"], rel=1e-3)
    assert all(without > 1e-2 for _, _, _, without in search["kept"])
    assert all(position.startswith("planted.py:") for _, _, position, _ in search["kept"])
    assert search["evaluations"] <= 25
    if HAS_RTX:
        assert model_trt.network.build(_core.ProgressBar(False)).size > 0


def test_large_activations_stay_float32_without_a_search():
    module, x = layers(planted.LargeActivations(SIZE)), torch.randn(16, SIZE)
    model_trt = searched(module, [x])
    assert found(model_trt)["kept"] == []
    assert found(model_trt)["evaluations"] == 1
    assert "2.up.MatrixMultiply" in {layer for layer, _, _ in model_trt.report.kept_float32}


def test_several_faults_in_a_language_model():
    module = planted.Llama(SIZE)
    module.layers[0].down = planted.after(module.layers[0].down, planted.LargeActivations(SIZE))
    module.layers[1].o = planted.after(module.layers[1].o, planted.ShiftedSoftmax(SIZE))
    module.layers[2].before_mlp = planted.after(module.layers[2].before_mlp, planted.TinyVariance(SIZE))
    ids = torch.randint(0, 100, (2, 12))
    model_trt = searched(module, [ids], tolerance=5e-3)
    search = found(model_trt)
    assert [layer for layer, _, _, _ in search["kept"]] == [
        *("layers.1.o.1.logits.ElementWise", "layers.1.o.1.SoftMax"),
        *("layers.2.before_mlp.1.near_one.ElementWise", "layers.2.before_mlp.1.norm.Normalization"),
    ]
    assert search["after"] <= 5e-3 < search["before"]
    kept = {layer: reason for layer, _, reason in model_trt.report.kept_float32}
    assert "were seen" in kept["layers.0.down.1.up.MatrixMultiply"]
    assert "layers.0.down.1.down.MatrixMultiply" in kept
    assert "layers.1.q.MatrixMultiply" not in kept, "what is computed from small values is in float16 again"


def test_the_patterns_give_the_same_network_without_a_search():
    module, x = layers(planted.ShiftedSoftmax(SIZE)), torch.randn(16, SIZE)
    model_trt = searched(module, [x], keep_fp32=["5"])
    search = found(model_trt)
    assert search["keep_fp32"][0] == "5"
    again = torch2trt(
        module, [x], backend="cpu", target="sm_89", progress=False, precision="fp16", keep_fp32=search["keep_fp32"]
    )
    assert str(again.network) == str(model_trt.network)
    assert model_trt.report.options["keep_fp32"] == search["keep_fp32"]
    printed = " ".join(str(model_trt.report).split())
    names = ", ".join(f'"{name}"' for name in search["keep_fp32"])
    assert f'precision="fp16", keep_fp32=[{names}]' in printed
    assert "2.logits.ElementWise at " in printed


def test_float16_that_is_accurate_enough_is_measured_once():
    search = found(searched(layers(nn.Tanh()), [torch.randn(4, SIZE)]))
    assert (search["kept"], search["evaluations"], search["samples"]) == ([], 1, 1)
    assert search["before"] == search["after"] < 1e-2


def test_samples_are_those_of_calibration():
    module = layers(planted.Cancelled())
    samples = [torch.randn(16, SIZE) * scale for scale in (1.0, 2.0, 3.0)]
    for given in (samples, [tuple(samples[:1]), *samples[1:]]):
        model_trt = searched(module, [torch.randn(16, SIZE)], calibration=given)
        assert found(model_trt)["samples"] == 3
        assert worst(module, model_trt, samples) == pytest.approx(found(model_trt)["after"], rel=1e-3)
    assert found(searched(module, [samples[0]], int8_calib_dataset=[samples[0]] * 20))["samples"] == 16


def test_a_metric_decides_what_is_kept():
    module, x = layers(planted.ShiftedSoftmax(SIZE)).eval(), torch.randn(512, SIZE)
    with torch.no_grad():
        labels = module(x).argmax(-1)
    calls = []

    def accuracy(outputs):
        calls.append(len(outputs))
        return sum(float((out.argmax(-1) == labels).float().mean()) for out in outputs) / len(outputs)

    model_trt = searched(module, [x], metric=accuracy, tolerance=0.01, calibration=[x] * 18, verify=False)
    search = found(model_trt)
    assert search["reference_metric"] == 1.0
    assert accuracy([model_trt(x)]) >= 0.99
    assert search["after"] <= 0.01 < search["before"]
    assert set(calls[:-1]) == {18}, "a metric reads all samples"
    assert len(calls[:-1]) == search["evaluations"] + 1
    indifferent = searched(module, [x], metric=lambda outputs: 1.0, verify=False)
    assert found(indifferent)["kept"] == []


class Structured(nn.Module):
    def forward(self, x):
        return {"sum": x + x, "size": x.shape[0]}


def test_a_metric_gets_what_the_model_returns():
    seen = []

    def metric(outputs):
        seen.extend(outputs)
        return torch.tensor(1.0)

    searched(Structured(), [torch.randn(3, 4, dtype=torch.float64)], metric=metric)
    assert [(set(out), out["size"], out["sum"].dtype) for out in seen] == [({"sum", "size"}, 3, torch.float64)] * 2


def test_an_integer_output_has_to_stay_equal():
    class Choice(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = layers(planted.ShiftedSoftmax(SIZE))

        def forward(self, x):
            y = self.inner(x)
            return y, y.argmax(-1)

    search = found(searched(Choice(), [torch.randn(256, SIZE)], tolerance=10.0, verify=False))
    assert search["before"] == float("inf")
    assert search["kept"]


def test_parts_are_searched_one_by_one():
    module = layers(planted.ShiftedSoftmax(SIZE))
    model_trt = searched(module, [torch.randn(16, SIZE)], run_in_pytorch=["4"], min_layers=1)
    assert [[name for name, *_ in search["kept"]] for search in model_trt.report.searches] == [
        ["2.logits.ElementWise", "2.SoftMax"],
        [],
    ]
    with pytest.raises(Error, match="parts in PyTorch") as raised:
        searched(module, [torch.randn(16, SIZE)], run_in_pytorch=["4"], min_layers=1, metric=lambda outputs: 1.0)
    assert raised.value.code == "E0701"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "half"}, "no precision `half`"),
        ({"precision": 16}, "option `precision` is 16"),
        ({"precision": "fp32", "fp16_mode": True}, "`fp32` and `fp16_mode`"),
        ({"tolerance": 1e-2}, "`tolerance` was given without a precision"),
        ({"precision": "fp32", "tolerance": 1e-2}, "`tolerance` was given without a precision"),
        ({"precision": "fp32", "metric": lambda outputs: 1.0}, "`metric` was given without a search"),
        ({"precision": "int8", "tolerance": 1e-12}, "cannot meet a tolerance of 1e-12: without int8"),
        ({"precision": "auto", "int8_mode": True}, "`auto` and `int8_mode`"),
        ({"precision": "auto", "tolerance": 0}, "option `tolerance` is 0"),
        ({"precision": "auto", "tolerance": "low"}, "option `tolerance` is 'low'"),
        ({"precision": "auto", "tolerance": 1e-12}, "cannot meet a tolerance of 1e-12"),
        ({"precision": "auto", "metric": 1}, "option `metric` is 1"),
        ({"precision": "auto", "metric": lambda outputs: "good"}, "`metric` returned an object of type str"),
        ({"precision": "auto", "metric": lambda outputs: float("nan")}, "`metric` returns NaN"),
        ({"metric": lambda outputs: 1.0}, "`metric` was given without a search"),
        ({"precision": "int8", "calibration": [], "int8_calib_dataset": []}, "both `calibration`"),
    ],
)
def test_wrong_arguments_are_rejected(options, message):
    with pytest.raises(Error) as raised:
        torch2trt(layers(nn.Tanh()).eval(), [torch.randn(4, SIZE)], backend="cpu", progress=False, **options)
    assert raised.value.code == "E0701"
    assert message in str(raised.value)
    assert raised.value.help


def test_an_exception_of_a_metric_is_the_users_own():
    def broken(outputs):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        searched(layers(nn.Tanh()), [torch.randn(4, SIZE)], metric=broken)


@pytest.mark.parametrize(
    ("precision", "mode"), [("fp16", "fp16_mode"), ("bf16", "bf16_mode"), ("int8", "int8_mode"), ("fp32", None)]
)
def test_names_of_precisions_stand_for_the_modes(precision, mode):
    module, x = layers(nn.Tanh()).eval(), torch.randn(4, SIZE)
    named = torch2trt(module, [x], backend="cpu", progress=False, verify=False, precision=precision)
    modes = {mode: True} if mode else {}
    assert str(named.network) == str(
        torch2trt(module, [x], backend="cpu", progress=False, verify=False, **modes).network
    )


@needs_archives
def test_the_command_searches_too(command, tmp_path):
    from safetensors.torch import save_file

    module, x = layers(planted.ShiftedSoftmax(SIZE)).eval(), torch.randn(16, SIZE)
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "m.pt2")
    save_file({"input": x}, tmp_path / "x.safetensors")
    given = ["build", tmp_path / "m.pt2", "--output", tmp_path / "m.trt2", "--backend", "cpu", "--precision", "auto"]
    status, shown, complaint = command(*given, "--inputs", tmp_path / "x.safetensors", "--tolerance", "5e-3")
    assert status == 0, complaint
    assert "needs float32: 2.logits.ElementWise" in shown
    assert "--precision fp16 --keep-fp32 '2.logits.ElementWise' --keep-fp32 '2.SoftMax'" in shown
    status, _, complaint = command(*given)
    assert status == 1
    assert "needs sample inputs" in complaint
    status, _, complaint = command(*given[:-1], "fp4")
    assert status == 2
    assert "there is no precision `fp4`" in complaint
