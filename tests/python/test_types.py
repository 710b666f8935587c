"""What a type checker finds in calls. Runs where mypy is installed."""

import os
import pathlib
import subprocess
import sys

import pytest

from torch2trt.arguments import _MAPPED, Legacy

CALLS = """
import torch
from torch import nn
from torch2trt import TRTModule, load, torch2trt

model, x = nn.ReLU(), torch.ones(2)
made: TRTModule = torch2trt(model, [x], fp16_mode=True, keep_fp32=["a"], max_batch_size=8)
torch2trt(model, [x], use_onnx=True, onnx_opset=13, dla_core=0, device_types={}, int8_calib_batch_size=1)
made.save(b"path")
load("path", threads=2)
torch2trt(model, [x], fp17_mode=True)  # wrong: fp17_mode
torch2trt(model, [x], fp16_mode="yes")  # wrong: fp16_mode
torch2trt(model, [x], use_onxx=True)  # wrong: use_onxx
torch2trt(model, [x], onnx_opset="13")  # wrong: onnx_opset
"""


def test_every_argument_without_effect_has_a_type():
    assert set(Legacy.__annotations__) == set(_MAPPED) - {"strict_type_constraints"}


def test_wrong_keywords_are_found_by_mypy(tmp_path):
    package = pathlib.Path(sys.modules["torch2trt"].__file__).parent.parent
    paths = [str(package), os.environ.get("PYTHONPATH", "")]
    mypy = [sys.executable, "-m", "mypy"]
    if subprocess.run([*mypy, "--version"], capture_output=True).returncode:
        pytest.skip("mypy is not installed")
    (tmp_path / "calls.py").write_text(CALLS)
    # PyTorch itself is not checked, which takes minutes.
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\n[mypy-torch.*]\nfollow_imports = skip\n[mypy-torch]\nfollow_imports = skip\n"
    )
    options = ["--config-file", "mypy.ini", "--follow-imports=silent", "--no-error-summary", "calls.py"]
    environment = {**os.environ, "MYPYPATH": str(package), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    found = subprocess.run([*mypy, *options], cwd=tmp_path, env=environment, capture_output=True, text=True).stdout
    lines = CALLS.splitlines()
    errors = {
        int(line.split(":")[1]): line
        for line in found.splitlines()
        if ": error:" in line and line.startswith("calls.py")
    }
    assert set(errors) == {number for number, line in enumerate(lines, 1) if "# wrong" in line}, found
    for number, text in errors.items():
        assert lines[number - 1].rpartition("wrong: ")[2] in text, text
