"""`torch2trt build --fallback` and what follows: models with parts in PyTorch on the command line."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_fallback import Operator, agrees, convert, kinds
from test_fallback_models import Found

from torch2trt import load

HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None


def exported(model, path, low=2, high=8):
    """Writes a model with a dynamic batch, as `torch.export.save` does."""
    batch = torch.export.Dim("batch", min=low, max=high)
    program = torch.export.export(model.eval(), (torch.randn(4, 8),), dynamic_shapes={"x": {0: batch}})
    torch.export.save(program, path)
    return model


def test_a_model_is_built_and_run(command, tmp_path):
    model = exported(Operator(), tmp_path / "model.pt2")
    status, printed, complaint = command("build", tmp_path / "model.pt2", "-o", tmp_path / "net.trt2")
    assert status == 1
    assert "E0101" in complaint
    assert "--fallback" in complaint
    build = ("build", tmp_path / "model.pt2", "--fallback", "-o", tmp_path / "net.trt2", "--backend", "cpu")
    status, printed, complaint = command(*build)
    assert status == 0, complaint
    assert "part 1: PyTorch: 1 call" in printed
    assert "aten.matrix_exp.default" in printed
    loaded = load(tmp_path / "net.trt2")
    for size in (2, 8):
        agrees(model, loaded, torch.randn(size, 8))
    assert kinds(loaded) == "epe"
    made = convert(model, [torch.randn(4, 8)], min_shapes=[(2, 8)], opt_shapes=[(4, 8)], max_shapes=[(8, 8)])
    made.save(tmp_path / "python.trt2")
    with zipfile.ZipFile(tmp_path / "net.trt2") as one, zipfile.ZipFile(tmp_path / "python.trt2") as other:
        assert one.namelist() == other.namelist()  # the same file as Python writes
    x = torch.randn(5, 8)
    save_file({"x": x}, tmp_path / "x.safetensors")
    (tmp_path / "y.safetensors").symlink_to(tmp_path / "target.safetensors")  # it is written through
    run = ("run", tmp_path / "net.trt2", "--inputs", tmp_path / "x.safetensors", "-o", tmp_path / "y.safetensors")
    status, printed, complaint = command(*run)
    assert status == 0, complaint
    assert "2 engines and 1 part in PyTorch" in printed
    assert "float32[5, 8]" in printed
    with torch.no_grad():
        torch.testing.assert_close(load_file(tmp_path / "target.safetensors")["output"], model(x))
    assert (tmp_path / "y.safetensors").is_symlink()
    status, printed, _ = command("run", tmp_path / "net.trt2", "--shape", "x=3x8", "--seed", 1)
    assert status == 0
    assert "float32[3, 8]" in printed


def test_arguments_reach_the_conversion(command, tmp_path):
    exported(Operator(), tmp_path / "model.pt2", high=None)
    build = ("build", tmp_path / "model.pt2", "-o", tmp_path / "net.trt2", "--backend", "cpu", "--fp16")
    status, _, complaint = command(*build, "--fallback")
    assert status == 1
    assert "E0307" in complaint
    unknown = "SIZE"
    assert f"--max-shape x={unknown}x8" in complaint
    status, printed, complaint = command(*build, "--run-in-pytorch", "layers.1", "--max-shape", "x=6x8")
    assert status == 0, complaint
    assert "run_in_pytorch has `layers.1`" in " ".join(printed.split())
    assert "layers in float16" in printed
    assert load(tmp_path / "net.trt2").engine.ranges == [[(2, 6), (8, 8)]]


def test_coverage_draws_the_parts(command, tmp_path):
    exported(Operator(), tmp_path / "model.pt2")
    status, printed, complaint = command("coverage", tmp_path / "model.pt2", "--fallback")
    assert status == 0, complaint
    assert "does not convert" in printed
    assert "part 1: PyTorch: 1 call" in printed
    assert printed.strip().endswith("2 engines and 1 part in PyTorch: 9 of 10 operator calls run in engines")


@pytest.mark.skipif(not HAS_RTX, reason="TensorRT-RTX is not installed")
def test_a_plan_for_another_machine(command, tmp_path):
    exported(Found(), tmp_path / "model.pt2")
    build = ("build", tmp_path / "model.pt2", "--target", "sm_89", "-o", tmp_path / "net.trt2")
    status, _, complaint = command(*build)
    assert status == 1
    assert "E0302" in complaint
    status, printed, complaint = command(*build, "--fallback")
    assert status == 0, complaint
    assert "2 TensorRT plans for sm_89 and 1 part in PyTorch" in printed
    status, printed, _ = command("coverage", tmp_path / "model.pt2", "--fallback", "--target", "sm_89")
    assert status == 0
    assert "no sizes that depend on data" in " ".join(printed.split())


def test_what_cannot_be_is_an_error(command, tmp_path):
    exported(Operator(), tmp_path / "model.pt2")
    (tmp_path / "broken.pt2").write_bytes(b"PK nothing")
    for arguments, code in (
        (("build", tmp_path / "model.pt2", "--fallback", "-o", tmp_path / "net.onnx"), "E0701"),
        (("build", tmp_path / "broken.pt2", "--fallback", "-o", tmp_path / "net.trt2"), "E0608"),
        (("coverage", tmp_path / "missing.pt2", "--fallback"), "E0608"),
    ):
        status, printed, complaint = command(*arguments)
        assert (status, printed) == (1, "")
        assert code in complaint
        assert "help:" in complaint


def test_without_pytorch_the_error_names_what_to_install(tmp_path):
    exported(Operator(), tmp_path / "model.pt2")
    convert(Operator().eval(), [torch.randn(4, 8)]).save(tmp_path / "net.trt2")
    hidden = tmp_path / "torch"
    hidden.mkdir()
    (hidden / "__init__.py").write_text("raise ImportError('hidden')")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    script = "import torch2trt_command; torch2trt_command.main()"
    for arguments in (("build", "model.pt2", "--fallback", "-o", "out.trt2"), ("run", "net.trt2")):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith("error[E0801]"), done.stderr
