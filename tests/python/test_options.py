"""Options are declared once: Python's signature, the command line and the engine file have the same."""

import inspect
import json

import pytest
import torch
from archived import needs_archives
from torch import nn

from torch2trt import Error, _core, torch2trt
from torch2trt.arguments import OPTIONS

DECLARED = {option.name: option for option in OPTIONS}

OBJECTS = {
    *("module", "inputs", "kwargs", "int8_calib_dataset", "calibration"),  # --inputs, --calibration
    "metric",  # a function
    *("dynamic_shapes", "min_shapes", "opt_shapes", "max_shapes"),  # the archive, --min-shape, --opt-shape, --max-shape
    *("log_level", "keep_network", "strict_type_constraints"),  # of Python's logging, of `model_trt`, without effect
}
"""Arguments that are Python objects, or about some."""


def parameters():
    found = inspect.signature(torch2trt).parameters.values()
    return {one.name: one.default for one in found if one.kind is not one.VAR_KEYWORD}


def test_every_argument_that_is_no_object_is_declared():
    assert set(parameters()) - OBJECTS == set(DECLARED) - {"device"}, "a model brings its device"


def test_defaults_are_those_of_the_declaration():
    for name, default in parameters().items():
        if name in DECLARED and default is not None:
            wanted = list(default) if isinstance(default, tuple) else default
            assert json.loads(DECLARED[name].default) == wanted, name
    given = {name: value for name, value in parameters().items() if name in DECLARED}
    assert json.loads(_core.recorded_options(given)) == {}


def test_every_flag_is_one_of_the_command(command):
    status, help, _ = command("build", "--help")
    assert status == 0
    for option in OPTIONS:
        assert f"--{option.flag}" in help, option.name


def test_a_name_that_is_none_is_an_error():
    with pytest.raises(Error, match="no option `best`") as raised:
        _core.recorded_options({"best": 1})
    assert raised.value.code == "E0701"


@needs_archives
def test_the_command_takes_every_option(command, tmp_path):
    model = nn.Linear(3, 2).eval()
    batch = {"input": {0: torch.export.Dim("batch", min=1, max=8)}}
    torch.export.save(torch.export.export(model, (torch.randn(2, 3),), dynamic_shapes=batch), tmp_path / "m.pt2")
    flags = [
        *("--backend", "cpu", "--input-name", "x", "--output-name", "y", "--max-batch-size", "5", "--bf16"),
        *("--keep-fp32", "last", "--workspace", "1M", "--optimization-level", "2", "--avg-timing-iterations", "3"),
        *("--build-threads", "2", "--threads", "1", "--tactic-sources", "CUBLAS,CUDNN", "--timing-cache", "off"),
        *("--engine-cache", tmp_path / "plans", "--cuda-graph", "never", "--version-compatible"),
        *("--hardware-compatible", "--refittable", "--min-layers", "2", "--no-verify", "--no-progress"),
    ]
    status, _, complaint = command("build", tmp_path / "m.pt2", "--output", tmp_path / "net.trt2", *flags)
    assert status == 0, complaint
    manifest = json.loads(_core.read_manifest(str(tmp_path / "net.trt2")))
    assert [manifest["interface"][side][0]["name"] for side in ("inputs", "outputs")] == ["x", "y"]
    assert manifest["options"] == {
        "half": "bfloat16",
        "keep_fp32": ["last"],
        "max_workspace_size": 2**20,
        "optimization_level": 2,
        "avg_timing_iterations": 3,
        "tactic_sources": ["CUBLAS", "CUDNN"],
        "version_compatible": True,
        "hardware_compatible": True,
        "refittable": True,
    }
    names = ["--input-name", "y", "--output-name", "y"]
    status, _, complaint = command("build", tmp_path / "m.pt2", "--output", tmp_path / "n.trt2", *names)
    assert status == 1
    assert "two tensors would be named `y`" in complaint
