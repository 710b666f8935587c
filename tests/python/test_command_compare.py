"""`torch2trt compare` on the CPU engine: engine files, archives and ONNX models of the same and of other weights."""

import json

import pytest
import torch
from archived import needs_archives
from torch import nn

from torch2trt import export as torch2trt_export
from torch2trt import torch2trt

pytestmark = needs_archives

CALLS = ("--calls", 10, "--warmup", 1)


def model(factor=1.0):
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)).eval()
    made[3].weight.data *= factor
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same model as an engine file, as a file of an engine in float16, an archive, and an ONNX model."""
    folder, x = tmp_path_factory.mktemp("compare"), torch.randn(2, 3, 8, 8)
    torch2trt(model(), [x], backend="cpu", progress=False).save(folder / "net.trt2")
    torch2trt(model(), [x], backend="cpu", progress=False, fp16_mode=True).save(folder / "half.trt2")
    torch2trt(model(1.01), [x], backend="cpu", progress=False).save(folder / "other.trt2")
    torch2trt_export(model(), [x], folder / "net.pt2")
    torch.onnx.export(model(), (x,), folder / "net.onnx", dynamo=False, input_names=["x"], output_names=["y"])
    return folder


def compared(command, *arguments):
    status, stdout, complaint = command("compare", *arguments, "--json", *CALLS)
    assert not complaint, complaint
    return status, json.loads(stdout)


def test_files_of_every_kind_agree(command, files):
    names = ["net.trt2", "net.pt2", "net.onnx", "half.trt2"]
    status, found = compared(command, *(files / name for name in names), "--backend", "cpu")
    assert status == 0
    assert found["problems"] == []
    assert [engine["name"].rpartition("/")[2] for engine in found["engines"]] == names
    first, archive, onnx, half = found["engines"]
    assert first["outputs"] == []
    assert archive["outputs"][0]["difference"] == 0
    assert archive["layers"]["added"] == archive["layers"]["removed"] == []
    assert 0 <= onnx["outputs"][0]["difference"] < 1e-5
    # Rounding to float16 shows, and its precision explains it.
    assert 1e-6 < half["outputs"][0]["difference"] < half["outputs"][0]["allowed"] == 5e-2
    assert half["layers"]["added"]
    for engine in found["engines"]:
        assert engine["bench"]["calls"] == 10
        assert engine["bytes"] > 0
        assert engine["activation_bytes"] is None
        assert engine["slowdown"] > 0


def test_another_model_is_a_problem(command, files):
    status, found = compared(command, files / "net.trt2", files / "other.trt2")
    assert status == 1
    assert len(found["problems"]) == 1
    assert 1e-3 < found["engines"][1]["outputs"][0]["difference"] < 0.1
    assert compared(command, files / "net.trt2", files / "other.trt2", "--max-error", 0.1)[0] == 0
    status, stdout, _ = command("compare", files / "net.trt2", files / "other.trt2", *CALLS)
    assert status == 1
    assert "problem: " in stdout


def test_half_precision_is_held_to_a_given_error(command, files):
    status, found = compared(command, files / "net.trt2", files / "half.trt2", "--max-error", 1e-6)
    assert status == 1
    assert "1e-6 is allowed" in found["problems"][0]


def test_a_slower_engine_is_a_problem_where_that_is_asked_for(command, files):
    status, found = compared(command, files / "net.trt2", files / "net.trt2", "--max-slowdown", 1e-9)
    assert status == 1
    assert all("times as slow" in problem for problem in found["problems"])


def test_layers_that_changed_are_listed(command, files):
    status, stdout, _ = command("compare", files / "net.trt2", files / "half.trt2", "--layers", *CALLS)
    assert status == 0
    assert any(line.startswith("+  ") and line.endswith("Cast") for line in stdout.splitlines()), stdout


def test_what_cannot_be_compared_is_an_error(command, files, tmp_path):
    torch2trt(nn.Linear(4, 4).eval(), [torch.randn(2, 4)], backend="cpu", progress=False).save(tmp_path / "small.trt2")
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x08\x12\xff")
    for arguments, code, words in (
        ([files / "net.trt2"], "E0701", "nothing to compare it with"),
        ([files / "net.trt2", tmp_path / "small.trt2"], "E0701", "has the inputs float32[4]"),
        ([files / "net.trt2", tmp_path / "broken.onnx"], "E0605", "broken.onnx"),
        ([files / "net.trt2", tmp_path / "missing.trt2"], "E0605", "missing.trt2"),
        ([files / "net.trt2", "--other-tensorrt", "libnvinfer.so"], "E0701", "no engine runs with TensorRT"),
    ):
        status, _, complaint = command("compare", *arguments, *CALLS)
        assert status == 1
        assert code in complaint, complaint
        assert words in complaint, complaint


def test_the_comparison_is_written_as_a_page(command, files, tmp_path):
    page = tmp_path / "compare.html"
    status, _, _ = command(
        "compare", files / "net.trt2", files / "half.trt2", files / "other.trt2", "--html", page, *CALLS
    )
    text = page.read_text()
    assert status == 1
    assert text.count("<h2>Outputs of ") == 2
    assert "<td>Cast</td>" in text
    assert "problem: " in text
    status, _, complaint = command("compare", files / "net.trt2", files / "half.trt2", "--html", tmp_path, *CALLS)
    assert status == 1
    assert "E0605" in complaint
