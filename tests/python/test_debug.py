"""`torch2trt.debug`: names the call that an engine gets wrong, and nothing in a model that is right."""

from __future__ import annotations

import json

import faulty
import planted
import pytest
import torch
from archived import needs_archives
from safetensors.torch import save_file
from torch import nn

import torch2trt
from torch2trt import Error, export


def debugged(case, folder=None, **options):
    """What is found of a case, on the inputs on which it is wrong."""
    module = case.make().eval()
    x = torch.randn(case.shape)
    asked = {"backend": "cpu", "log_level": 50, **case.options, **options}
    with case.plant():
        return torch2trt.debug(module, [x], on=[x * case.scale], output=folder, **asked)


@pytest.mark.parametrize("name", list(faulty.CASES))
def test_names_the_planted_fault(name, command, tmp_path):
    case = faulty.CASES[name]
    found = debugged(case, tmp_path / "fault")
    assert found.diverges
    assert (found.module, found.operator, found.kind) == (case.module, case.operator, "own"), str(found)
    assert found.layer.startswith(case.module) or found.merged
    assert found.stage == ("precision" if case.plant is faulty.overflow else "conversion")
    assert ("keep_fp32" in str(found)) == (found.stage == "precision")
    assert found.source.startswith("faulty.py:") or found.source.startswith("test_debug.py:")
    assert not found.error <= found.tolerance
    assert found.layer in [suspect.layer for suspect in found.suspects]
    assert max(map(len, str(found).replace(found.reproducer, "").splitlines())) <= 100
    status, stdout, complaint = command("debug", tmp_path / "fault", "--json")
    again = json.loads(stdout)
    assert (status, complaint) == (1, "")
    assert (again["layer"], again["source"]) == (found.layer, found.source)
    assert again["error"] is None or again["error"] > again["tolerance"]
    assert (again["error"] is None) == (found.error == float("inf")) or found.merged


@pytest.mark.parametrize("name", list(faulty.CASES))
def test_halves_name_the_same_fault(name):
    case = faulty.CASES[name]
    found = debugged(case, memory=0)
    assert (found.module, found.operator, found.kind) == (case.module, case.operator, "own"), str(found)


HEALTHY = {
    "cnn": (faulty.Cnn, faulty.IMAGES, {}),
    "cnn in float16, dynamic batch": (faulty.Cnn, faulty.IMAGES, {**faulty.HALF, **faulty.BATCH}),
    "transformer": (faulty.Transformer, faulty.TOKENS, faulty.BATCH),
    "transformer in float16": (faulty.Transformer, faulty.TOKENS, faulty.HALF),
    "rnn in bfloat16": (faulty.Rnn, faulty.STEPS, {"bf16_mode": True}),
    "writes in place": (faulty.Writes, (4, faulty.SIZE), faulty.BATCH),
    "large values that stay float32": (lambda: planted.LargeActivations(faulty.SIZE), (4, faulty.SIZE), faulty.HALF),
}


@pytest.mark.parametrize("name", list(HEALTHY))
def test_names_nothing_in_a_healthy_model(name, tmp_path):
    make, shape, options = HEALTHY[name]
    module, x = make().eval(), torch.randn(shape)
    found = torch2trt.debug(module, [x], output=tmp_path / "fault", backend="cpu", log_level=50, **options)
    assert not found.diverges
    assert (found.layer, found.error, found.suspects, found.reproducer) == (None, None, [], None)
    assert "nothing diverges" in str(found)
    assert not (tmp_path / "fault").exists()


def test_an_error_that_the_rest_amplifies():
    """Halves that differ by ten-thousandths are normalized: the rounding of their mean is what matters."""
    module, x = nn.Sequential(nn.Linear(16, 16), planted.Cancelled(), nn.Linear(16, 16)).eval(), torch.randn(4, 16)
    found = torch2trt.debug(module, [x], backend="cpu", log_level=50, fp16_mode=True)
    assert found.diverges
    assert found.module == "1"
    assert found.source.startswith("planted.py:")


class Clamped(nn.Module):
    """An overflow that a clamp hides, before one that does harm."""

    def __init__(self):
        super().__init__()
        self.wild, self.up = nn.Linear(16, 16), nn.Linear(16, 16)
        with torch.no_grad():
            self.wild.weight.mul_(2e5)
            self.up.weight.mul_(2e4)

    def forward(self, x):
        return torch.relu(self.up(torch.clamp(self.wild(x), -10, 10))) * 1e-3


@pytest.mark.parametrize("memory", [None, 0])
def test_what_does_no_harm_is_not_named(memory):
    module, x = Clamped().eval(), torch.rand(4, 16)
    found = torch2trt.debug(module, [x * 1e-6], on=[x], backend="cpu", log_level=50, fp16_mode=True, memory=memory)
    assert found.diverges
    assert found.module == "up", str(found)
    if memory is None:  # a half that agrees is not looked into
        assert [suspect.layer.split(".")[0] for suspect in found.suspects][:2] == ["wild", "up"]
    assert "other results with large errors of their own" in str(found)


def test_the_help_helps():
    case = faulty.CASES["overflow: linear"]
    module, x = case.make().eval(), torch.randn(case.shape)
    options = {"backend": "cpu", "log_level": 50, "fp16_mode": True}
    kept: list[str] = []
    for _ in range(4):
        found = torch2trt.debug(module, [x], on=[x * case.scale], keep_fp32=kept, **options)
        if not found.diverges:
            break
        kept.append(found.layer)
    assert kept
    assert not found.diverges, str(found)


def test_the_error_is_held_to_a_given_one():
    module, x = faulty.Transformer().eval(), torch.randn(faulty.TOKENS)
    found = torch2trt.debug(module, [x], backend="cpu", log_level=50, fp16_mode=True, max_error=1e-5)
    assert found.diverges
    assert found.tolerance == 1e-5


def test_a_model_with_parts_in_pytorch_is_rejected():
    module, x = faulty.Cnn().eval(), torch.randn(faulty.IMAGES)
    with pytest.raises(Error) as refused:
        torch2trt.debug(module, [x], backend="cpu", run_in_pytorch=["blocks.0"], log_level=50)
    assert refused.value.code == "E0701"


def test_a_random_model_is_rejected():
    class Noisy(nn.Module):
        def forward(self, x):
            return x + torch.rand_like(x)

    with pytest.raises(Error) as refused:
        torch2trt.debug(Noisy(), [torch.randn(4)], backend="cpu", log_level=50)
    assert refused.value.code == "E0702"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A model that overflows on large inputs, as an archive, and small and large inputs."""
    folder = tmp_path_factory.mktemp("debug")
    module = faulty.Products("linear").eval()
    x = torch.randn(4, faulty.SIZE)
    export(module, [x], folder / "net.pt2")
    save_file({"x": x}, folder / "small.safetensors")
    save_file({"x": x * 2e3}, folder / "large.safetensors")
    return folder


@needs_archives
def test_the_command_names_an_overflow(command, archive, tmp_path):
    common = ("debug", archive / "net.pt2", "--backend", "cpu", "--inputs", archive / "large.safetensors")
    status, stdout, complaint = command(*common)
    assert (status, complaint) == (0, "")
    assert "nothing diverges" in stdout
    status, stdout, complaint = command(*common, "--fp16", "--json", "--output", tmp_path / "fault")
    found = json.loads(stdout)
    assert (status, complaint) == (1, "")
    assert found["diverges"]
    assert (found["fault"]["module"], found["fault"]["operator"]) == ("middle", "aten.linear.default")
    assert found["fault"]["engine"]["range"]["infinite"] > 0
    for options in ((), ("--memory", 0), ("--samples", archive / "small.safetensors")):
        status, stdout, _ = command(*common, "--fp16", *options)
        assert status == 1
        assert "layer    middle.MatrixMultiply" in stdout
    status, stdout, _ = command(*common, "--fp16", "--samples", archive / "large.safetensors")
    assert status == 0, stdout
    assert command("debug", tmp_path / "fault")[0] == 1


def test_a_folder_that_is_no_reproducer(command, tmp_path):
    status, _, complaint = command("debug", tmp_path)
    assert status == 1
    assert "E0605" in complaint


def test_a_call_that_does_not_convert_is_left_alone(command, tmp_path):
    class Model(nn.Module):
        def forward(self, x):
            return torch.linalg.eigvalsh(torch.relu(x) @ x.mT).sum(-1) + 1

    found = torch2trt.debug(Model(), [torch.randn(2, 3, 3)], backend="cpu", output=tmp_path / "fault", log_level=50)
    assert not found.diverges
    assert found.failure.code == "E0101"
    (call,) = found.failure.calls
    assert call["operator"].startswith("aten._linalg_eigh") or "eig" in call["operator"]
    assert call["source"].startswith("test_debug.py:")
    assert "E0101" in str(found) and "fail alone" in str(found)
    program = (tmp_path / "fault/program.txt").read_text()
    assert "aten.relu" not in program and "eig" in program
    status, stdout, _ = command("debug", tmp_path / "fault")
    assert status == 1
    assert "E0101" in stdout
