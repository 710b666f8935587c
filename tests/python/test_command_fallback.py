"""`torch2trt build --fallback` and what follows: models with parts in PyTorch on the command line."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys
import zipfile

import pytest
import torch
from archived import needs_archives
from safetensors.torch import load_file, save_file
from test_fallback import CASES, SEED, Operator, agrees, convert, kinds
from test_fallback_models import Found
from torch import nn
from torch.utils import _pytree as pytree

from torch2trt import inspect, load

pytestmark = needs_archives

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
    assert " least -" in printed
    assert " mean " in printed


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
    assert printed.strip().endswith("2 engines and 1 part in PyTorch: 8 of 9 operator calls run in engines")


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


class Nested(nn.Module):
    """A model of all tensors and numbers in its arguments, whatever their structure, with a part in PyTorch."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x, data, *rest, scale=1.0, **more):
        x = self.first(x)
        for k, leaf in enumerate(pytree.tree_leaves((data, rest, more))):
            if isinstance(leaf, (torch.Tensor, int)):
                x = x + leaf / (k + 2)
        spread = torch.matrix_exp(torch.diag_embed(x.tanh())).sum(-1)
        return {"y": self.last(spread * x) * scale, "features": [x]}


def arguments(draw):
    """Arguments of `Nested`: tensors, numbers, text and None in nested containers."""

    def value(depth):
        kind = draw.choice(
            ["tensor", "tensor", "vector", "int", "text", "none", "list", "tuple", "dict"][: 9 - 3 * depth]
        )
        if kind in ("list", "tuple"):
            made = [value(depth + 1) for _ in range(draw.randint(1, 2))]
            return made if kind == "list" else tuple(made)
        if kind == "dict":
            return {name: value(depth + 1) for name in draw.sample(["b", "a", "mask"], 2)}
        plain = {"int": draw.randint(2, 5), "text": "mode", "none": None}
        return plain[kind] if kind in plain else torch.randn(*[(4, 8), (8,)][kind == "vector"])

    args = [torch.randn(4, 8), value(0), *(value(1) for _ in range(draw.randint(0, 2)))]
    kwargs = {name: value(0) for name in draw.sample(["z", "extra"], draw.randint(0, 2))}
    if draw.random() < 0.5:
        kwargs["scale"] = draw.choice([torch.randn(8), 0.5])
    return tuple(args), kwargs


@pytest.mark.parametrize("case", range(max(CASES // 2, 1)))
def test_inputs_of_any_structure_are_named_as_without_parts(case, command, tmp_path):
    draw = random.Random(SEED + case)
    torch.manual_seed(case)
    model, (args, kwargs) = Nested().eval(), arguments(draw)
    batch = torch.export.Dim("batch", min=2, max=8)
    dims = pytree.tree_map(
        lambda leaf: {0: batch} if isinstance(leaf, torch.Tensor) and leaf.dim() == 2 else None, (args, kwargs)
    )
    shapes = {"x": dims[0][0], "data": dims[0][1], **dims[1]}
    if args[2:]:
        shapes["rest"] = dims[0][2:]
    more = {name: dims[1][name] for name in kwargs if name != "scale"}
    shapes = {name: dim for name, dim in shapes.items() if name not in more} | ({"more": more} if more else {})
    is_dynamic = draw.random() < 0.7
    program = torch.export.export(model, args, kwargs, dynamic_shapes=shapes if is_dynamic else None)
    if draw.random() < 0.3:
        program._example_inputs = None
    torch.export.save(program, tmp_path / "model.pt2")

    build = ("build", tmp_path / "model.pt2", "--fallback", "-o", tmp_path / "net.trt2", "--backend", "cpu")
    size = draw.choice([2, 5, 8]) if is_dynamic else 4
    fresh = pytree.tree_map_only(
        torch.Tensor, lambda t: torch.randn(size, 8) if t.dim() == 2 else torch.randn(8), (args, kwargs)
    )
    status, _printed, complaint = command(*build)
    assert status == 0, (SEED + case, complaint)
    made = load(tmp_path / "net.trt2")
    assert kinds(made) == "epe"
    with torch.no_grad():
        expected, got = model(*fresh[0], **fresh[1]), made(*fresh[0], **fresh[1])
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)

    # The names are those of a file that the program without Python writes: Rust reads the archive there.
    plain = torch.export.export(Sum(), args, kwargs)
    torch.export.save(plain, tmp_path / "plain.pt2")
    status, _, complaint = command("build", tmp_path / "plain.pt2", "-o", tmp_path / "plain.trt2", "--backend", "cpu")
    assert status == 0, complaint
    names = [one["name"] for one in inspect(tmp_path / "plain.trt2")["interface"]["inputs"]]
    assert made.input_names == names
    tensors = made._inputs.flatten(*fresh)
    save_file(dict(zip(names, tensors, strict=True)), tmp_path / "in.safetensors")
    for line in (
        (*build, "--inputs", tmp_path / "in.safetensors"),
        ("run", tmp_path / "net.trt2", "--inputs", tmp_path / "in.safetensors", "-o", tmp_path / "out.safetensors"),
    ):
        status, _, complaint = command(*line)
        assert status == 0, complaint
    outputs = load_file(tmp_path / "out.safetensors")
    torch.testing.assert_close(
        [outputs[name] for name in made.output_names], pytree.tree_leaves(expected), rtol=1e-5, atol=1e-5
    )


class Sum(nn.Module):
    """The arguments of `Nested` in a model that converts."""

    def forward(self, x, data, *rest, scale=1.0, **more):
        for leaf in pytree.tree_leaves((data, rest, scale, more)):
            if isinstance(leaf, (torch.Tensor, int, float)):
                x = x + leaf
        return x


def test_a_number_that_was_exported_as_dynamic_is_fixed(command, tmp_path):
    class Scaled(Operator):
        def forward(self, x, n):
            return super().forward(x) * n

    program = torch.export.export(
        Scaled().eval(), (torch.randn(4, 8), 3), dynamic_shapes=(None, torch.export.Dim.DYNAMIC)
    )
    torch.export.save(program, tmp_path / "model.pt2")
    build = ("build", tmp_path / "model.pt2", "--fallback", "-o", tmp_path / "net.trt2", "--backend", "cpu")
    status, printed, complaint = command(*build)
    assert status == 0, complaint
    assert "note: `n` is fixed at 3" in printed


def test_a_file_is_described(command, tmp_path):
    exported(Operator(), tmp_path / "model.pt2")
    build = ("build", tmp_path / "model.pt2", "--fallback", "-o", tmp_path / "net.trt2", "--backend", "cpu", "--fp16")
    assert command(*build)[0] == 0
    status, printed, complaint = command("info", tmp_path / "net.trt2")
    assert status == 0, complaint
    rows = [line.split(None, 1) for line in printed.splitlines()]
    assert [
        rows[0][0],
        rows[0][1].rpartition(", ")[0],
    ] == ["engine", "2 engines and 1 part in PyTorch, for the CPU: 8 of 9 operator calls run in engines"]
    for words in (
        "input     x: float32[",
        "sizes     x axis 0: 2 to 8",
        "output    output: float32[",
        "part 1    PyTorch: 1 call, reads ",
        "no converter: aten.matrix_exp.default (",
        'option    half: "float16"',
        "accuracy  output (max): max relative error ",
    ):
        assert words in printed, printed
    assert "part 0    engine: " in printed
    assert " layers, reads " in printed
    assert " max relative error " in printed
    status, printed, complaint = command("info", tmp_path / "net.trt2", "--json")
    about = json.loads(printed)
    assert about["partitions"] == inspect(tmp_path / "net.trt2")["partitions"]
    content = (tmp_path / "net.trt2").read_bytes()
    for wrong in (
        content.replace(b'"partitions"', b'"partitionz"'),
        content[:-4],
        content.replace(b'"ranges"', b'"r"'),
    ):
        (tmp_path / "broken.trt2").write_bytes(wrong)
        status, printed, complaint = command("info", tmp_path / "broken.trt2")
        assert (status, printed) == (1, "")
        assert complaint.startswith("error[E0605]")


def test_a_file_is_timed(command, tmp_path):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.operator = Operator()

        def forward(self, x, ids):
            return self.operator(x) * ids

    batch = torch.export.Dim("batch", min=2, max=8)
    example = (torch.randn(4, 8), torch.ones(4, 1, dtype=torch.int64))
    program = torch.export.export(Two().eval(), example, dynamic_shapes=({0: batch}, {0: batch}))
    torch.export.save(program, tmp_path / "model.pt2")
    build = ("build", tmp_path / "model.pt2", "--fallback", "-o", tmp_path / "net.trt2", "--backend", "cpu")
    assert command(*build)[0] == 0
    bench = ("bench", tmp_path / "net.trt2", "--calls", 5, "--warmup", 1, "--cuda-graph", "never")
    status, printed, complaint = command(*bench, "--shape", "x=3x8")
    assert status == 0, complaint
    rows = dict(line.split("  ", 1) for line in printed.splitlines())
    assert rows["engine"].strip() == "2 engines and 1 part in PyTorch, on cpu"
    assert "x: float32[3, 8]" in printed
    assert "ids: int64[3, 1]" in printed
    least, median, most = (float(rows[name].split()[0]) for name in ("least", "p50", "p99"))
    assert 0 < least <= median <= most
    assert rows["timed"].strip().startswith("5 calls in ")
    assert rows["per second"].strip().endswith(" samples")
    status, printed, _ = command(*bench, "--shape", "x=3x8", "--json")
    found = json.loads(printed)
    assert (found["calls"], found["samples_per_call"], found["device_ms"]) == (5, 3, None)
    assert found["samples_per_second"] == pytest.approx(3 * found["calls_per_second"])
    status, _, complaint = command("bench", tmp_path / "net.trt2", "--duration", 0.1, "--shape", "x=3x8")
    assert status == 0, complaint
    for line, code in (
        ((*bench, "--shape", "y=3x8"), "E0602"),
        ((*bench, "--layers"), "E0701"),
        ((*bench, "--streams", 2), "E0701"),
        ((*bench, "--shape", "x=9x8"), "E0402"),
        (("plan", tmp_path / "net.trt2", "--output", tmp_path / "a.plan"), "E0605"),
    ):
        status, printed, complaint = command(*line)
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

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        )

    for line in (("build", "model.pt2", "--fallback", "-o", "out.trt2"), ("run", "net.trt2"), ("bench", "net.trt2")):
        done = run(*line)
        assert done.returncode == 1
        assert done.stderr.startswith("error[E0801]"), done.stderr
    done = run("info", "net.trt2")
    assert done.returncode == 0, done.stderr
    assert "part 1    PyTorch: 1 call" in done.stdout
