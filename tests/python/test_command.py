"""The command line on engine files of the CPU engine; crates/cli/tests has the GPU's side of it."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from importlib.metadata import entry_points

import pytest
import torch
from archived import needs_archives
from safetensors.torch import load_file, save_file
from skips import needs_installation
from torch import nn

import torch2trt_command
from torch2trt import _core, torch2trt
from torch2trt import export as torch2trt_export


class Words(nn.Module):
    """Integers and floats in, a mask and floats out."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(16, 8)

    def forward(self, ids, x):
        y = self.embedding(ids) * x
        return {"y": y, "positive": y > 0}


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    model, path = Words().eval(), tmp_path_factory.mktemp("engine") / "words.trt2"
    sample = [torch.randint(16, (2, 5)), torch.randn(2, 5, 8)]
    made = torch2trt(model, sample, backend="cpu", progress=False, max_batch_size=4)
    made.save(path)
    return model, path


def test_a_file_of_tensors_is_run(engine, command, tmp_path):
    model, path = engine
    inputs = {"ids": torch.randint(16, (3, 5)), "x": torch.randn(3, 5, 8)}
    save_file(inputs, tmp_path / "in.safetensors")
    status, stdout, complaint = command(
        "run", path, "--inputs", tmp_path / "in.safetensors", "--output", tmp_path / "out.safetensors"
    )
    assert status == 0 and complaint == "" and "y         float32[3, 5, 8]" in stdout, (stdout, complaint)
    got, wanted = load_file(tmp_path / "out.safetensors"), model(**inputs)
    assert got.keys() == wanted.keys()
    torch.testing.assert_close(got["y"], wanted["y"])
    assert torch.equal(got["positive"], wanted["positive"])


def test_random_tensors_depend_on_the_seed_only(engine, command, tmp_path):
    made = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        status, _, complaint = command(
            "run", engine[1], "--seed", seed, "--shape", "x=4x5x8", "--shape", "ids=4x5", "-o", tmp_path / name
        )
        assert status == 0, complaint
        made.append(load_file(tmp_path / name)["y"])
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2]) and made[0].shape == (4, 5, 8)


def test_info_and_bench(engine, command):
    status, stdout, _ = command("info", engine[1])
    assert status == 0
    for part in (
        "ONNX model for the CPU engine",
        "ids: int64[ids_dim0, 5]",
        "positive: bool[ids_dim0, 5, 8]",
        "ids axis 0: 1 to 4, best at 2",
        "accuracy  y (opt): ",
    ):
        assert part in stdout, stdout
    status, stdout, complaint = command("bench", engine[1], "--calls", 3, "--warmup", 1, "--threads", 1)
    assert status == 0 and "3 calls in" in stdout and "1 thread" in stdout, (stdout, complaint)


def test_bench_prints_json_and_layers(engine, command):
    arguments = ("bench", engine[1], "--calls", 6, "--streams", 2, "--shape", "x=4x5x8", "--shape", "ids=4x5")
    status, printed, complaint = command(*arguments, "--layers", "--json")
    assert status == 0, complaint
    found = json.loads(printed)
    latency = found["latency_ms"]
    assert 0 < latency["least"] <= latency["p50"] <= latency["p90"] <= latency["p99"]
    assert (found["calls"], found["streams"], found["samples_per_call"], found["device_ms"]) == (12, 2, 4, None)
    assert found["samples_per_second"] == pytest.approx(4 * found["calls_per_second"])
    assert found["inputs"] == [{"name": "ids", "type": "int64[4, 5]"}, {"name": "x", "type": "float32[4, 5, 8]"}]
    layers = found["layers"]
    assert layers["calls"] == 6 and "Gather" in {layer["kind"] for layer in layers["layers"]}
    assert 0 < sum(layer["seconds"] for layer in layers["layers"]) <= layers["seconds"]
    status, printed, _ = command(*arguments, "--layers")
    assert "of a call (mean of 6)" in printed and "samples" in printed
    started = time.perf_counter()
    status, printed, _ = command("bench", engine[1], "--duration", 0.3, "--warmup", 0, "--json")
    assert 0.3 <= json.loads(printed)["seconds"] <= time.perf_counter() - started
    assert command("bench", engine[1], "--duration", 0)[0] == 2


def test_info_lists_layers(engine, command):
    status, printed, complaint = command("info", engine[1], "--layers")
    assert status == 0 and "Gather" in printed, (printed, complaint)
    _, printed, _ = command("info", engine[1], "--layers", "--json")
    layers, manifest = json.loads(printed)["layers"], json.loads(command("info", engine[1], "--json")[1])
    assert {"Gather", "Mul"} <= {layer["kind"] for layer in layers} and "layers" not in manifest


def test_doctor_prints_json(command):
    status, printed, _ = command("doctor", "--json")
    found = json.loads(printed)
    assert status == 0 and found["runs_engines"]
    assert found["onnxruntime"]["version"] in command("doctor")[1]
    _, printed, _ = command("doctor", "--json", "--onnxruntime", "/nowhere/libonnxruntime.so")
    assert json.loads(printed)["onnxruntime"].get("code") in (None, "E0501", "E0502")


@needs_archives
def test_a_verbose_build_shows_its_log(tmp_path, command):
    torch2trt_export(nn.Linear(4, 4).eval(), [torch.randn(2, 4)], tmp_path / "model.pt2")
    build = ("build", tmp_path / "model.pt2", "--backend", "cpu", "--output", tmp_path / "model.trt2")
    assert "pass=" not in command(*build)[2]
    status, _, log = command(*build, "-v")
    assert status == 0 and 'pass="fold"' in log, log


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("run", "--shape", "x=5x5x8", "--shape", "ids=5x5"), "E0402"),
        (("run", "--shape", "x=2x5x8", "--shape", "ids=3x5"), "E0402"),
        (("plan", "--output", "a.plan"), "E0605"),
        (("bench", "--onnxruntime", "/nowhere/libonnxruntime.so"), None),
    ],
)
def test_errors(engine, command, arguments, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, stdout, complaint = command(arguments[0], engine[1], *arguments[1:])
    assert (
        status == 1 and stdout == "" and complaint.startswith(f"error[{code or 'E050'}") and "\nhelp: " in complaint
    ), complaint


def test_it_is_a_program():
    made = subprocess.run([sys.executable, "-m", "torch2trt", "--version"], capture_output=True, text=True)
    assert (made.returncode, made.stdout) == (0, f"torch2trt {_core.__version__}\n"), made.stderr


@needs_installation
def test_the_program_does_not_import_pytorch(tmp_path):
    """Which takes seconds; the libraries of installed packages are found all the same."""
    (scripts,) = entry_points(group="console_scripts", name="torch2trt")
    report = "import sys, atexit; atexit.register(lambda: print('torch' in sys.modules))"
    code = f"{report}; from {scripts.module} import main; main()"
    made = subprocess.run([sys.executable, "-c", code, "doctor"], capture_output=True, text=True, cwd=tmp_path)
    assert made.returncode == 0 and "CPU engine: ONNX Runtime " in made.stdout, made
    assert made.stdout.splitlines()[-1] == "False"


def test_an_incomplete_installation_is_reported(monkeypatch):
    monkeypatch.setattr(torch2trt_command, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="install it again"):
        torch2trt_command.main()


COMMANDS = {
    "build": ["build", "m.pt2", "--backend", "cpu", "-o", "a.trt2"],
    "run": ["run", "e.trt2"],
    "bench": ["bench", "e.trt2"],
    "coverage": ["coverage", "m.pt2"],
    "debug": ["debug", "m.pt2", "--fp16"],
    "info": ["info", "e.trt2"],
}


@needs_archives
@pytest.mark.parametrize("name", COMMANDS)
def test_an_interrupt_ends_every_command(name, command, tmp_path):
    model = torch.nn.Linear(512, 512).eval()
    program = torch.export.export(model, (torch.randn(2, 512),)).run_decompositions({})
    torch.export.save(program, tmp_path / "m.pt2")
    if "e.trt2" in COMMANDS[name]:
        assert command("build", tmp_path / "m.pt2", "--backend", "cpu", "-o", tmp_path / "e.trt2")[0] == 0
    start = "import torch2trt_command as c; print('ready', flush=True); c.main()"
    package = pathlib.Path(_core.__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")])}
    for delay in (0.05, 0.2):
        options = {
            "cwd": tmp_path,
            "env": environment,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
        }
        with subprocess.Popen([sys.executable, "-c", start, *COMMANDS[name]], **options) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            complaint = process.communicate(timeout=60)[1]
        assert process.returncode in (-signal.SIGINT, 0), complaint  # 130 in a shell; 0 for what was done before
        assert "Traceback" not in complaint and "panicked" not in complaint, complaint
    if name == "build":
        assert command("build", tmp_path / "m.pt2", "--backend", "cpu", "-o", tmp_path / "a.trt2")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} <= {"m.pt2", "e.trt2", "a.trt2"}
