"""Archives of `torch.export.save`, read without Python: the same program as in memory, engines, and errors."""

from __future__ import annotations

import importlib.util
import inspect
import json
import math
import os
import random
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 9):
    pytest.skip("this PyTorch saves weights as pickles", allow_module_level=True)

import operators
import pt2_models
from safetensors.torch import load_file, save_file
from torch import nn
from torch.export import Dim
from torch.utils import _pytree as pytree

import torch2trt
from torch2trt import _core
from torch2trt.capture import normalized
from torch2trt.capture.export import read_program
from torch2trt.capture.tree import InputTree
from torch2trt.capture.views import resolve_views
from torch2trt.capture.walk import walk

SEED, TIMES = (int(os.environ.get(f"TORCH2TRT_TEST_{name}", "1")) for name in ("SEED", "CASES"))
SCHEMAS = Path(__file__).parents[2] / "crates" / "archive" / "src" / "schemas.txt"
SAVE = 'torch.export.save(torch.export.export(model, args).run_decompositions({}), "model.pt2")'
HELP = f'write it with torch2trt.export(model, inputs, "model.pt2"), or save it with {SAVE}'
needs_rtx = pytest.mark.skipif(importlib.util.find_spec("tensorrt_rtx_libs") is None, reason="no TensorRT-RTX")

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: Any) -> tuple[int, str, str]:
        status = _core.run_command(["torch2trt", *map(str, arguments)], _core.site_packages())
        stdout = capfd.readouterr()
        return status, stdout.out, stdout.err

    return run


def exported(case: pt2_models.Case, functional: bool = True) -> torch.export.ExportedProgram:
    """The exported program of a case."""
    module, args, kwargs, dynamic_shapes = case
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, args, kwargs, dynamic_shapes=dynamic_shapes, strict=False)
        return program.run_decompositions({}) if functional else program


def saved(program: torch.export.ExportedProgram, folder: Path) -> Path:
    """The archive of an exported program."""
    resolve_views(program)
    path = folder / "model.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, path)
    return path


def inputs_of(case: pt2_models.Case) -> InputTree:
    module, args, kwargs, _ = case
    return InputTree(inspect.signature(module.forward), *normalized(args, kwargs))


def walked(program: torch.export.ExportedProgram, case: pt2_models.Case) -> _core.Program:
    """The program that the walk in memory makes."""
    inputs = inputs_of(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = read_program(program, inputs)
    builder = _core.ProgramBuilder()
    walk(graph, inputs.names, inputs.samples, lambda stage, done, total: None).emit(builder)
    return builder.finish()


def tensors_for(case: pt2_models.Case, path: Path) -> dict[str, torch.Tensor]:
    """Writes the sample inputs of a case, by name, and returns them."""
    tree = inputs_of(case)
    tensors = {
        name: sample.detach().contiguous().clone() for name, sample in zip(tree.names, tree.samples, strict=True)
    }
    save_file(tensors, path)
    return tensors


def runtime_leaves(value: Any) -> list[torch.Tensor]:
    return [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]


def assert_close(got: torch.Tensor, wanted: torch.Tensor, tolerance: float = 1e-4) -> None:
    assert got.shape == wanted.shape and got.dtype == wanted.dtype
    wanted, got = wanted.detach().double(), got.detach().double()
    if wanted.numel():
        assert (got - wanted).abs().max() <= tolerance * max(wanted.abs().max().item(), 1e-6)


@pytest.mark.parametrize("name", pt2_models.CASES)
def test_the_program_is_that_of_the_walk_in_memory(name: str, tmp_path: Path) -> None:
    case = pt2_models.CASES[name]()
    program = exported(case)
    read, in_memory = _core.read_archive(saved(program, tmp_path)), walked(program, case)
    assert str(read).splitlines() == str(in_memory).splitlines()
    assert read.coverage() == in_memory.coverage()
    if all(converts for _, _, converts in read.coverage()):
        # Constants are in it by their values, or by a digest of them.
        assert str(read.convert({})).splitlines() == str(in_memory.convert({})).splitlines()


@pytest.mark.parametrize("suite", operators.suites(), ids=lambda suite: suite.family)
def test_operators_are_those_of_the_walk_in_memory(suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some cases of each family of operators, others in each run."""
    # An archive does not have the names of Dims.
    monkeypatch.setattr(sys.modules["torch2trt.capture.walk"], "given_name", lambda dim: None)
    cases = [case for case in suite.cases if case.refused is None]
    for chosen in random.SystemRandom().sample(cases, min(2, len(cases))):
        module = chosen.fn.eval() if isinstance(chosen.fn, nn.Module) else operators.Function(chosen.fn)
        case: pt2_models.Case = (module, tuple(chosen.inputs()), {}, chosen.dynamic)
        try:
            program = exported(case)
        except Exception as refused:  # some cases are traced, as torch.export does not take them
            print(f"{chosen.name}: {type(refused).__name__}")
            continue
        read, in_memory = _core.read_archive(saved(program, tmp_path)), walked(program, case)
        if all(converts for _, _, converts in read.coverage()):
            # What an archive calls `inputs_0` is the first of `*inputs`.
            in_memory_lines = str(in_memory).replace("inputs.", "inputs_").splitlines()
            assert str(read).splitlines() == in_memory_lines, chosen.name


def draw_number(draw: random.Random, depth: int = 3) -> Callable[[Any, Any, Any, Any], Any]:
    """Arithmetic on an integer, a float and a bool that are read out of tensors, and on a size."""
    if not depth or draw.random() < 0.15:
        fixed = draw.choice([2, 3, 0.5, -1.25])
        return draw.choice([lambda n, f, b, h: n, lambda n, f, b, h: f, lambda n, f, b, h: h, lambda n, f, b, h: fixed])
    left, right = draw_number(draw, depth - 1), draw_number(draw, depth - 1)
    whole = draw.randrange(2, 5)
    return draw.choice(
        [
            lambda *v: left(*v) + right(*v),
            lambda *v: left(*v) - right(*v),
            lambda *v: left(*v) * right(*v),
            lambda *v: left(*v) / (right(*v) * right(*v) + 1),
            lambda *v: -left(*v),
            lambda *v: torch.sym_max(left(*v), right(*v)),
            lambda *v: torch.sym_min(left(*v), right(*v)),
            lambda n, f, b, h: torch.sym_ite(b, n, 1 - n) * left(n, f, b, h),
            lambda n, f, b, h: n // whole + left(n, f, b, h),
            lambda n, f, b, h: n % whole - left(n, f, b, h),
            lambda n, f, b, h: math.trunc(f * whole) + left(n, f, b, h),
        ]
    )


@pytest.mark.parametrize("seed", range(3 * TIMES))
def test_arithmetic_on_numbers_read_out_of_tensors(seed: int, command: Command, tmp_path: Path) -> None:
    seed = SEED * 1000 + seed
    print(f"seed {seed}")
    draw = random.Random(seed)
    torch.manual_seed(seed)
    number, other, fill = draw_number(draw), draw_number(draw), draw_number(draw, 2)

    class Model(nn.Module):
        def forward(self, x: torch.Tensor, i: torch.Tensor, s: torch.Tensor, flag: torch.Tensor) -> Any:
            read = (i.item(), s.item(), flag.item(), x.shape[0])
            filled = x + torch.full((4,), fill(*read), dtype=torch.float32)
            return x * number(*read), filled, x[:, i.item()] > other(*read), i.item() * 2

    dynamic = draw.choice([None, ({0: Dim.DYNAMIC(min=2, max=9)}, {}, {}, {})])
    case: pt2_models.Case = (
        Model(),
        (torch.randn(5, 4), torch.tensor(2), torch.tensor(0.4), torch.tensor(True)),
        {},
        dynamic,
    )
    program = exported(case)
    path, engine = saved(program, tmp_path), tmp_path / "net.trt2"
    read, in_memory = _core.read_archive(path), walked(program, case)
    assert str(read).splitlines() == str(in_memory).splitlines()
    assert str(read.convert({})).splitlines() == str(in_memory.convert({})).splitlines()
    status, _, complaint = command("build", path, "-o", engine, "--backend", "cpu")
    assert status == 0, complaint
    made = torch2trt.load(engine)
    for _ in range(4):
        x = torch.randn(draw.randrange(2, 10) if dynamic else 5, 4)
        numbers = torch.tensor(draw.randrange(-4, 4)), torch.randn(()), torch.tensor(draw.random() < 0.5)
        *got, number_got = made(x, *numbers)
        *wanted, number_wanted = Model()(x, *numbers)
        for found, tensor in zip(got, wanted, strict=True):
            assert_close(found, tensor)
        assert number_got == number_wanted and type(number_got) is int


def test_gradients_switched_off_inside_change_nothing(tmp_path: Path) -> None:
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> Any:
            with torch.no_grad():
                y = self.linear(x)
                z = y * 2
            return self.linear(y + z), z

    model = Frozen().eval()
    program = torch.export.export(model, (torch.randn(2, 4),), strict=False)
    assert "wrap_with_set_grad_enabled" in str(program.graph)
    read = _core.read_archive(saved(program, tmp_path))
    assert [overload for overload, _, _ in read.coverage()] == [
        "aten.linear.default",
        "aten.add.Tensor",
        "aten.mul.Tensor",
    ]
    assert "higher_order" not in str(read)


@pytest.mark.parametrize(
    "name", ["convolutional", "lstm", "attention", "weights", "several", "arguments", "nested", "writing", "memory"]
)
def test_an_engine_is_built_and_loaded(name: str, command: Command, tmp_path: Path) -> None:
    case = pt2_models.CASES[name]()
    module, args, kwargs, _ = case
    path, engine = saved(exported(case), tmp_path), tmp_path / "net.trt2"
    status, stdout, complaint = command("build", path, "--output", engine, "--backend", "cpu")
    assert status == 0, complaint
    for part in ("operator calls, ", "using the CPU engine: asked for", f"{engine}: ", "compared with nothing"):
        assert part in stdout, stdout
    if name == "writing":
        assert "note: the model writes to `calls`" in stdout
    wanted = module(*args, **kwargs)
    # By name, from a file of tensors.
    tensors_for(case, tmp_path / "in.safetensors")
    status, _, complaint = command(
        "run", engine, "--inputs", tmp_path / "in.safetensors", "--output", tmp_path / "out.safetensors"
    )
    assert status == 0, complaint
    made, got = torch2trt.load(engine), load_file(tmp_path / "out.safetensors")
    for output, tensor in zip(made.output_names, runtime_leaves(wanted), strict=True):
        assert_close(got[output], tensor)
    # As the model is called, with what the model returns.
    returned = made(*args, **kwargs)
    if name != "several":  # it returns an OrderedDict, whose structure stays behind
        assert pytree.tree_structure(returned) == pytree.tree_structure(wanted)
    for found, tensor in zip(runtime_leaves(returned), runtime_leaves(wanted), strict=True):
        assert_close(found, tensor)


def test_classes_that_have_no_written_form_become_a_dictionary(command: Command, tmp_path: Path) -> None:
    case = pt2_models.CASES["several"]()
    command("build", saved(exported(case), tmp_path), "-o", tmp_path / "net.trt2", "--backend", "cpu")
    returned = torch2trt.load(tmp_path / "net.trt2")(*case[1])
    assert list(returned) == [
        "output.0.v",
        "output.0.i",
        "output.1.0",
        "output.1.1",
        "output.2",
        "output.3",
        "output.4",
    ]


def test_dynamic_sizes_stay_dynamic(command: Command, tmp_path: Path) -> None:
    case = pt2_models.CASES["attention_length"]()
    path, engine = saved(exported(case), tmp_path), tmp_path / "net.trt2"
    assert command("build", path, "-o", engine, "--backend", "cpu", "--max-shape", "ids=6x20")[0] == 0
    _, stdout, _ = command("info", engine)
    assert "ids axis 0: " in stdout and "to 6" in stdout and "to 20, best at 7" in stdout, stdout
    made = torch2trt.load(engine)
    for batch, length in ((2, 2), (6, 20), (3, 11)):
        ids = torch.randint(0, 50, (batch, length))
        assert_close(made(ids), case[0](ids))
    with pytest.raises(torch2trt.Error, match="E0402"):
        made(torch.randint(0, 50, (2, 21)))


def test_half_precision_is_compared_on_inputs(command: Command, tmp_path: Path) -> None:
    class Wide(nn.Module):
        """One of its layers goes beyond float16."""

        def __init__(self) -> None:
            super().__init__()
            self.large, self.small = nn.Linear(4, 8, bias=False), nn.Linear(4, 64)
            self.large.weight.data.fill_(3e4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.small(x), self.large(x).abs().sqrt()

    case: pt2_models.Case = (Wide().eval(), (torch.rand(2, 4) + 1,), {}, None)
    path, engine, inputs = saved(exported(case), tmp_path), tmp_path / "net.trt2", tmp_path / "in.safetensors"
    tensors_for(case, inputs)
    status, stdout, complaint = command(
        "build", path, "-o", engine, "--backend", "cpu", "--fp16", "--inputs", inputs, "--keep-fp32", "nowhere*"
    )
    assert status == 0, complaint
    assert (
        "float16: " in stdout
        and "\n  large" in stdout
        and "max relative error " in stdout
        and "`nowhere*` names no module" in stdout
    ), stdout
    manifest = torch2trt.inspect(engine)
    assert manifest["options"] == {"half": "float16", "keep_fp32": ["nowhere*"]}
    half, full = manifest["accuracy"].values()
    assert 0 < half < 5e-2 and full < 1e-6
    status, stdout, _ = command("build", path, "-o", engine, "--backend", "cpu", "--bf16")
    assert status == 0 and "bfloat16: " in stdout and torch2trt.inspect(engine)["options"] == {"half": "bfloat16"}


def test_expected_outputs_are_compared(command: Command, tmp_path: Path) -> None:
    case = pt2_models.CASES["convolutional_batch"]()
    path, engine, inputs = saved(exported(case), tmp_path), tmp_path / "net.trt2", tmp_path / "in.safetensors"
    tensors_for(case, inputs)
    output = case[0](*case[1])
    for name, tensor in (("right", output), ("wrong", output + output.abs().max() / 100), ("missing", None)):
        save_file({"other" if tensor is None else "output": output if tensor is None else tensor}, tmp_path / name)
    build = ("build", path, "-o", engine, "--backend", "cpu", "--inputs", inputs, "--expected")
    status, stdout, complaint = command(*build, tmp_path / "right")
    assert status == 0 and "max relative error " in stdout, stdout + complaint
    assert list(torch2trt.inspect(engine)["accuracy"]) == ["output"]
    status, _, complaint = command(*build, tmp_path / "wrong")
    assert (
        status == 1 and complaint.startswith("error[E0702]: output `output` differs from ") and "--inputs" in complaint
    )
    status, _, complaint = command(*build, tmp_path / "missing")
    assert status == 1 and "has no tensor `output`" in complaint, complaint


def test_an_onnx_model_alone(command: Command, tmp_path: Path) -> None:
    import onnxruntime

    case = pt2_models.CASES["convolutional_batch"]()
    status, stdout, complaint = command("build", saved(exported(case), tmp_path), "--onnx", tmp_path / "net.onnx")
    assert status == 0 and "net.onnx: ONNX model" in stdout, complaint
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    image = torch.randn(5, 3, 32, 32)
    (got,) = session.run(None, {"image": image.numpy()})
    assert_close(torch.from_numpy(got), case[0](image))


@needs_rtx
@pytest.mark.parametrize("name", ["convolutional_batch", "attention_length"])
def test_a_plan_for_another_gpu(name: str, command: Command, tmp_path: Path) -> None:
    case = pt2_models.CASES[name]()
    path, engine = saved(exported(case), tmp_path), tmp_path / "net.trt2"
    status, stdout, complaint = command("build", path, "-o", engine, "--target", "sm_89", "--fp16")
    assert status == 0, complaint
    assert "using TensorRT: a plan for sm_89 was asked for" in stdout and "TensorRT layers" in stdout, stdout
    manifest = torch2trt.inspect(engine)
    assert manifest["built"]["gpu"] == "sm_89" and manifest["options"] == {"half": "float16", "target": "sm_89"}
    assert command("plan", engine, "--output", tmp_path / "net.plan")[0] == 0
    assert (tmp_path / "net.plan").stat().st_size > 1000


@needs_rtx
def test_a_plan_needs_largest_sizes(command: Command, tmp_path: Path) -> None:
    case = pt2_models.CASES["sizes"]()
    path, engine = saved(exported(case), tmp_path), tmp_path / "net.trt2"
    status, _, complaint = command("build", path, "-o", engine, "--target", "sm_89")
    assert status == 1 and complaint.startswith("error[E0307]: axis 0 of input `z` has no largest size"), complaint
    assert "help: give it: --max-shape z=z_dim0x7, with a number" in complaint
    # The CPU engine takes any.
    assert command("build", path, "-o", engine, "--backend", "cpu")[0] == 0
    made, (x, z) = torch2trt.load(engine), (torch.randn(3, 3, 10, 6), torch.randn(9, 7))
    for got, wanted in zip(made(x, z), case[0](x, z), strict=True):
        assert_close(got, wanted)


class Unknown(nn.Module):
    """Calls operators that do not convert, and one that does."""

    def forward(self, x: torch.Tensor) -> Any:
        values = torch.linalg.eigvals(x)
        return torch.relu(x) + values.abs(), torch.linalg.eigvals(x).abs()


def test_operators_that_do_not_convert_are_listed(command: Command, tmp_path: Path) -> None:
    path = saved(exported((Unknown(), (torch.randn(3, 3),), {}, None)), tmp_path)
    status, stdout, complaint = command("coverage", path)
    assert status == 1 and complaint == "", complaint
    assert "aten.linalg_eigvals.default  x2  does not convert" in stdout and "3 of 4 operators convert" in stdout, (
        stdout
    )
    status, _, complaint = command("build", path, "-o", tmp_path / "net.trt2")
    assert status == 1 and complaint.startswith("error[E0101]: ") and "test_pt2.py:" in complaint, complaint
    assert f"help: `torch2trt coverage {path}` lists all operators" in complaint, complaint
    case = pt2_models.CASES["lstm"]()
    status, stdout, _ = command("coverage", saved(exported(case), tmp_path))
    assert (
        status == 0
        and stdout.startswith("aten.zeros.default  x2\naten.lstm.input     x1\n")
        and stdout.endswith("\n2 of 2 operators convert\n")
    ), stdout


def test_a_program_that_writes_is_refused(command: Command, tmp_path: Path) -> None:
    path = saved(exported(pt2_models.CASES["convolutional"](), functional=False), tmp_path)
    status, _, complaint = command("build", path, "-o", tmp_path / "net.trt2")
    assert status == 1 and complaint.startswith("error[E0610]: the archive's program is not functional"), complaint
    assert "aten.relu_.default" in complaint and complaint.splitlines()[-1] == f"help: {HELP}"


def test_a_plain_export_that_is_functional_converts(command: Command, tmp_path: Path) -> None:
    case = pt2_models.CASES["lstm"]()
    assert (
        command(
            "build", saved(exported(case, functional=False), tmp_path), "-o", tmp_path / "net.trt2", "--backend", "cpu"
        )[0]
        == 0
    )
    got, _ = torch2trt.load(tmp_path / "net.trt2")(*case[1])
    assert_close(got, case[0](*case[1])[0])


def rewritten(path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> Path:
    """The archive with other entries; None drops one."""
    made = path.with_name("changed.pt2")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            if (entry := change(name, old.read(name))) is not None:
                new.writestr(*entry)
    return made


def model_with(change: Callable[[dict[str, Any]], None]) -> Callable[[str, bytes], tuple[str, bytes]]:
    """Changes the graph's JSON."""

    def entry(name: str, content: bytes) -> tuple[str, bytes]:
        if not name.endswith("models/model.json"):
            return name, content
        data = json.loads(content)
        change(data)
        return name, json.dumps(data).encode()

    return entry


def _set(data: Any, value: Any, *path: Any) -> None:
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = value


GRAPH = ("graph_module", "graph")
OLDER = "save it again with a newer PyTorch"
BROKEN: dict[str, tuple[Callable[[str, bytes], tuple[str, bytes] | None], str, str]] = {
    "major version": (model_with(lambda data: _set(data, 9, "schema_version", "major")), "E0609", "export schema 9."),
    "pickled weights": (
        lambda name, content: (name.replace("weights/model_weights_config.json", "weights/model.pt"), content),
        "E0609", OLDER,
    ),
    "flat layout": (
        lambda name, content: (name.replace("models/model.json", "serialized_exported_program.json"), content),
        "E0609", OLDER,
    ),
    "big-endian": (
        lambda name, content: (name, b"big" if name.endswith("byteorder") else content),
        "E0609", "byte order is `big`",
    ),
    "no weights": (
        lambda name, content: None if "/weights/weight_" in name else (name, content), "E0608", "has no entry",
    ),
    "short weights": (
        lambda name, content: (name, content[:-4] if "/weights/weight_" in name else content), "E0608", "beyond the ",
    ),
    "no graph": (model_with(lambda data: data.pop("graph_module")), "E0608", "graph_module"),
    "wrong types": (model_with(lambda data: _set(data, "nodes", *GRAPH, "nodes")), "E0608", "model.json"),
    "undefined": (
        model_with(lambda data: data["graph_module"]["graph"]["nodes"].reverse()), "E0608", "nothing before defines it",
    ),
    "unknown argument": (
        model_with(lambda data: _set(data, "newer", *GRAPH, "nodes", 0, "inputs", 0, "name")),
        "E0601", "has an argument `newer`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_archives(name: str, command: Command, tmp_path: Path) -> None:
    change, code, part = BROKEN[name]
    case: pt2_models.Case = (nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), (torch.randn(1, 3),), {}, None)
    path = rewritten(saved(exported(case), tmp_path), change)
    status, stdout, complaint = command("build", path, "-o", tmp_path / "net.trt2")
    assert (status, stdout) == (1, "") and complaint.startswith(f"error[{code}]: "), complaint
    assert part in complaint and "\nhelp: " in complaint, complaint


def test_an_archive_is_no_engine_file(command: Command, tmp_path: Path) -> None:
    path = saved(exported(pt2_models.CASES["lstm"]()), tmp_path)
    for name in ("info", "run", "bench"):
        status, stdout, complaint = command(name, path)
        assert (status, stdout) == (1, "") and complaint.startswith("error[E0605]: this is a zip archive"), complaint
        assert "torch2trt build" in complaint
    with pytest.raises(torch2trt.Error, match="torch2trt build") as raised:
        torch2trt.load(path)
    assert raised.value.code == "E0605"


def test_files_that_are_no_archives(command: Command, tmp_path: Path) -> None:
    path = saved(exported(pt2_models.CASES["lstm"]()), tmp_path)
    content = path.read_bytes()
    cut, torch_file, text = tmp_path / "cut.pt2", tmp_path / "model.pt", tmp_path / "text.pt2"
    cut.write_bytes(content[: len(content) // 2])
    torch.save(nn.Linear(2, 2).state_dict(), torch_file)
    text.write_text("not that")
    for wrong in (cut, torch_file, text, tmp_path, tmp_path / "nowhere.pt2"):
        status, _, complaint = command("coverage", wrong)
        assert status == 1 and complaint.startswith("error[E0608]: ") and "\nhelp: " in complaint, complaint
    changed = bytearray(content)
    at = content.find(b"schema_version")
    changed[at] ^= 1
    cut.write_bytes(changed)
    status, _, complaint = command("coverage", cut)
    assert status == 1 and "error[E0608]: the archive is damaged: the checksum of entry" in complaint, complaint


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("--max-shape", "image=32x3x32x32"), "E0307", "to 32, and the model was exported for "),
        (("--max-shape", "image=4x3x64x32"), "E0307", "exported for 32 only"),
        (("--max-shape", "x=4x3x32x32"), "E0307", "its inputs are image"),
        (("--onnxruntime", "/nowhere/libonnxruntime.so"), "E050", "/nowhere"),
        (("--backend", "tensorrt", "--tensorrt", "/nowhere"), "E0301", "/nowhere"),
        (("--inputs", "/nowhere/in.safetensors"), "E0607", "/nowhere"),
        (("--fp16", "--inputs", __file__), "E0607", "safetensors"),
    ],
)
def test_options_that_do_not_fit(
    arguments: tuple[str, ...], code: str, part: str, command: Command, tmp_path: Path
) -> None:
    path = saved(exported(pt2_models.CASES["convolutional_batch"]()), tmp_path)
    status, _, complaint = command("build", path, "-o", tmp_path / "net.trt2", *arguments)
    assert status == 1 and complaint.startswith(f"error[{code}") and part in complaint, complaint
    assert not (tmp_path / "net.trt2").exists()


def test_a_target_is_for_plans_that_are_built_later(command: Command, tmp_path: Path) -> None:
    """As in Python, where the network is still there to be built."""
    path = saved(exported(pt2_models.CASES["convolutional"]()), tmp_path)
    status, stdout, complaint = command(
        "build", path, "-o", tmp_path / "net.trt2", "--backend", "cpu", "--target", "sm_89"
    )
    assert status == 0 and "target sm_89 is for plans that are built later" in stdout, stdout + complaint
    model, args = pt2_models.CASES["convolutional"]()[:2]
    made = torch2trt.torch2trt(model, args, backend="cpu", target="sm_89", progress=False)
    assert "target sm_89 is for plans that are built later" in made.report.reason


def test_an_engine_file_that_cannot_be_written(command: Command, tmp_path: Path) -> None:
    path = saved(exported(pt2_models.CASES["convolutional"]()), tmp_path)
    status, _, complaint = command("build", path, "-o", tmp_path / "nowhere" / "net.trt2", "--backend", "cpu")
    assert status == 1 and complaint.startswith("error[E0605]: ") and "help: give --output a path" in complaint, (
        complaint
    )


def test_control_flow_is_refused_with_its_place(command: Command, tmp_path: Path) -> None:
    class Branching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cond(x.sum() > 0, lambda y: y + 1, lambda y: y - 1, (x,))

    path = saved(exported((Branching(), (torch.randn(3),), {}, None)), tmp_path)
    status, _, complaint = command("build", path, "-o", tmp_path / "net.trt2")
    assert status == 1 and complaint.startswith("error[E0601]: higher_order.cond (control flow"), complaint
    assert "choose with torch.where" in complaint


def _parts(schema: Any) -> list[tuple[str, str, Any]]:
    return [
        (item.name, str(item.real_type), item.default_value if item.has_default_value() else "required", item.N)
        for item in schema.arguments
    ]


def test_the_table_of_schemas_is_that_of_the_installed_pytorch() -> None:
    for module in ("transformers.integrations.moe", "test_quantized_models"):  # they register operators
        importlib.import_module(module)
    lines = SCHEMAS.read_text().splitlines()
    table = {(parsed.name, parsed.overload_name): parsed for parsed in map(torch._C.parse_schema, lines)}
    known = [overload for _, overload, _, _ in _core.operators()]
    assert len(table) == len(lines) == len(known)
    for overload in known:
        namespace, name, suffix = overload.split(".")
        installed = getattr(getattr(getattr(torch.ops, namespace), name), suffix)._schema
        ours = table[(f"{namespace}::{name}", "" if suffix == "default" else suffix)]
        assert _parts(ours) == _parts(installed), overload
