"""`precision="int8"` with a tolerance or a metric: finds the layers that must not be quantized, and no others."""

import importlib.util

import planted
import pytest
import torch
from archived import needs_archives
from torch import nn

from torch2trt import _core, torch2trt
from torch2trt.verify import difference

HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None
SIZE = 64


def model(*middle):
    """Layers that compute well in int8, with some in the middle that do not."""
    ends = [nn.Linear(SIZE, SIZE), nn.GELU()], [nn.Linear(SIZE, SIZE), nn.GELU(), nn.Linear(SIZE, 8)]
    return nn.Sequential(*ends[0], *middle, *ends[1]).eval()


def converted(module, samples, **options):
    options = {"backend": "cpu", "target": "sm_89", "progress": False, "calibration": samples, **options}
    return torch2trt(module, [samples[0]], int8_calib_algorithm="MINMAX_CALIBRATION", **options)


def samples(count=3):
    return [torch.randn(32, SIZE) for _ in range(count)]


@torch.no_grad()
def worst(module, model_trt, inputs):
    return max(difference(module(x), model_trt(x)) for x in inputs)


@pytest.mark.parametrize("half", [{}, {"fp16_mode": True}, {"bf16_mode": True}])
def test_finds_the_planted_layer_and_keeps_nothing_else(half):
    module, xs = model(planted.Outlier(SIZE)), samples()
    plain = converted(module, xs, precision="int8", verify=False, **half)
    assert worst(module, plain, xs) > 0.1, "nothing to find"
    made = converted(module, xs, precision="int8", tolerance=0.1, **half)
    (search,) = made.report.searches
    assert [layer for layer, _, _, _ in search["kept"]] == ["2.linear.MatrixMultiply"]
    assert search["kept"][0][2].startswith("planted.py:") and search["kept"][0][3] > 0.1
    assert search["after"] <= 0.1 < search["before"]
    assert worst(module, made, xs) == pytest.approx(search["after"], rel=1e-3)
    assert search["is_complete"] and search["evaluations"] <= 12 and search["samples"] == 3
    assert (plain.report.int8_layers, made.report.int8_layers) == (4, 3)
    if HAS_RTX:
        assert made.network.build(_core.ProgressBar(False)).size > 0


@pytest.mark.parametrize("half", [{}, {"fp16_mode": True}])
def test_the_arguments_give_the_same_network_without_a_search(half):
    module, xs = model(planted.Outlier(SIZE)), samples()
    given = {"keep_fp32": ["5"], "keep_unquantized": ["0"]}
    made = converted(module, xs, precision="int8", tolerance=0.1, **given, **half)
    (search,) = made.report.searches
    assert search["arguments"] == {
        "precision": "int8",
        **half,
        "keep_fp32": ["5"],
        "keep_unquantized": ["0", "2"],
    }
    again = converted(module, xs, **search["arguments"])
    assert str(again.network) == str(made.network)
    assert again.report.searches == []
    assert made.report.options["keep_unquantized"] == search["keep_unquantized"]
    printed = " ".join(str(made.report).split())
    assert "not in int8: 2.linear.MatrixMultiply at planted.py:" in printed
    mode = "fp16_mode=True, " if half else ""
    assert f'precision="int8", {mode}keep_fp32=["5"], keep_unquantized=["0", "2"]' in printed
    if half:
        assert made.network.half_layers == again.network.half_layers > 0
        kept = {layer for layer, _, _ in made.report.kept_float32}
        assert "2.linear.MatrixMultiply" not in kept, "it is in float16"


def test_layers_that_need_float32_are_found_first():
    module, xs = model(planted.ShiftedSoftmax(SIZE), planted.Outlier(SIZE)), samples()
    made = converted(module, xs, precision="int8", fp16_mode=True, tolerance=0.1)
    (search,) = made.report.searches
    assert [(layer, lower) for layer, lower in zip([row[0] for row in search["kept"]], search["lower"])] == [
        ("2.logits.ElementWise", "float16"),
        ("2.SoftMax", "float16"),
        *((layer, "int8") for layer in [row[0] for row in search["kept"]][2:]),
    ]
    assert "3.linear.MatrixMultiply" in {row[0] for row in search["kept"]}
    assert search["after"] <= 0.1 and worst(module, made, xs) == pytest.approx(search["after"], rel=1e-3)
    again = converted(module, xs, **search["arguments"])
    assert str(again.network) == str(made.network)


def test_int8_that_is_accurate_enough_is_measured_once():
    (search,) = converted(model(), samples(), int8_mode=True, tolerance=0.2).report.searches
    assert (search["kept"], search["evaluations"]) == ([], 1)


def test_fewer_layers_are_quantized_for_a_smaller_tolerance():
    module = nn.Sequential(*(part for _ in range(5) for part in (nn.Linear(SIZE, SIZE), nn.Tanh()))).eval()
    xs = samples()
    loss = worst(module, converted(module, xs, precision="int8"), xs)
    counts = []
    for share in (1.01, 0.7, 0.3, 0.01):
        made = converted(module, xs, precision="int8", tolerance=loss * share)
        assert worst(module, made, xs) <= loss * share * (1 + 1e-5)
        counts.append(made.report.int8_layers)
    assert counts == sorted(counts, reverse=True) and counts[0] == 5 and counts[-1] < 3


def test_a_metric_decides_what_is_quantized():
    module, xs = model(planted.Outlier(SIZE)), samples(20)
    with torch.no_grad():
        labels = [module(x).argmax(-1) for x in xs]

    def accuracy(outputs):
        return sum(float((out.argmax(-1) == label).float().mean()) for out, label in zip(outputs, labels)) / len(labels)

    made = converted(module, xs, precision="int8", metric=accuracy, tolerance=0.1, verify=False)
    (search,) = made.report.searches
    assert search["reference_metric"] == 1.0 and search["samples"] == 20
    assert search["after"] <= 0.1 < search["before"]
    assert accuracy([made(x) for x in xs]) >= 0.9
    assert search["keep_unquantized"] == ["2"]


def test_more_samples_calibrate_than_are_measured():
    """The largest values are in the last sample, beyond those that errors are measured on."""
    module, xs = model(), samples(20)
    xs[-1] = xs[-1] * 100
    made = converted(module, xs, precision="int8", tolerance=10.0, verify=False)
    assert made.report.searches[0]["samples"] == 16
    assert str(made.network) == str(converted(module, xs, precision="int8", verify=False).network)


def test_patterns_without_effect_are_reported(caplog):
    converted(model(), samples(), precision="int8", keep_unquantized=["nowhere", "0"], keep_fp32=["elsewhere"])
    assert "keep_unquantized: `nowhere` names no module" in caplog.text
    assert "keep_fp32: `elsewhere` names no module" in caplog.text
    caplog.clear()
    converted(model(), samples(), precision="fp16", keep_unquantized=["0"])
    assert "keep_unquantized has no effect without int8" in caplog.text


def test_bfloat16_is_searched_too():
    module, x = model(planted.Outlier(SIZE), planted.Cancelled()), torch.randn(16, SIZE)
    made = torch2trt(module, [x], backend="cpu", progress=False, precision="bf16", tolerance=0.05)
    (search,) = made.report.searches
    assert {layer for layer, _, _, _ in search["kept"]} >= {"3.ElementWise", "3.ElementWise_2"}
    assert search["arguments"]["precision"] == "bf16" and search["after"] <= 0.05 < search["before"]


def test_parts_are_searched_one_by_one():
    module = model(planted.Outlier(SIZE))
    made = converted(module, samples(), precision="int8", tolerance=0.1, run_in_pytorch=["4"], min_layers=1)
    assert [[layer for layer, *_ in search["kept"]] for search in made.report.searches] == [
        ["2.linear.MatrixMultiply"],
        [],
    ]


@needs_archives
def test_the_command_searches_too(command, tmp_path):
    from safetensors.torch import save_file

    module, x = model(planted.Outlier(SIZE)), torch.randn(32, SIZE)
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "m.pt2")
    save_file({"input": x}, tmp_path / "x.safetensors")
    given = ["build", tmp_path / "m.pt2", "--output", tmp_path / "m.trt2", "--backend", "cpu", "--precision", "int8"]
    given += ["--inputs", tmp_path / "x.safetensors", "--calibration-algorithm", "MINMAX_CALIBRATION", "--fp16"]
    status, shown, complaint = command(*given, "--tolerance", "0.1")
    assert status == 0, complaint
    assert "not in int8: 2.linear.MatrixMultiply" in shown
    same = "--precision int8 --fp16 --keep-unquantized '2'"
    assert f"the same without a search: {same}" in shown
    status, shown, complaint = command(
        *given, "--keep-unquantized", "2.linear.MatrixMultiply", "--keep-unquantized", "x"
    )
    assert status == 0, complaint
    assert "int8: 3 layers" in shown and "note: --keep-unquantized `x` names no module" in shown
