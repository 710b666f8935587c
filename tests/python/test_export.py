"""`torch2trt.export` and the command `export`: archives that convert to the network of the call in memory.

The suites of operators and models go through archives in `archived.py`. Tested here is what an archive records
besides the program.
"""

from __future__ import annotations

import json
import math
import random
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from archived import CAN_EXPORT, both_ways
from safetensors.torch import load_file, save_file
from torch import nn
from torch.export import Dim
from torch.utils import _pytree as pytree

import torch2trt
from torch2trt import _core

if not CAN_EXPORT:
    pytest.skip("this PyTorch saves weights as pickles", allow_module_level=True)

EXTRA = "torch2trt_export.json"


class Pair(NamedTuple):
    first: torch.Tensor
    size: int


class Structured(nn.Module):
    """Nested inputs, and every kind of output: tensors, sizes, numbers, truth values, constants and text."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: torch.Tensor, more: dict[str, Any], *rest: torch.Tensor, scale: float = 2.0) -> Any:
        y = self.linear(x) * scale + more["bias"] + sum(rest)
        count = more["count"].sum().item()
        return {"y": Pair(y, x.shape[0]), "numbers": [count, count > 3, 7, "text", None], "more": OrderedDict(z=y * 2)}


class Traced(nn.Module):
    """torch.export refuses it."""

    def forward(self, x: torch.Tensor, flag: bool) -> Any:
        if x.sum() > 0 and flag:
            x = x + 1
        return x * float(x.max()), x.shape[0]


class Written(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return (x + 1).masked_fill_(x > 0, 2.0) + self.calls * 0


def structured() -> tuple[Any, ...]:
    rows = torch.randn(3, 4)
    return rows, {"bias": torch.randn(4), "count": torch.tensor([1, 2])}, torch.randn(3, 4), torch.randn(4)


class Sizes(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        return x.shape[0], x.shape[0] * 2.5, True


class Turn(nn.Module):
    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z * 1j


class Views(nn.Module):
    """Weights that are stored conjugated or negated."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, dtype=torch.complex64).conj())
        self.register_buffer("buffer", torch.randn(3, dtype=torch.complex64).conj().imag)
        self.register_buffer("transient", torch.randn(3, dtype=torch.complex64).conj().imag, persistent=False)
        self.constant = torch.randn(3, dtype=torch.complex64).conj().imag

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.view_as_real(x * self.weight).sum(-1) * self.buffer + self.transient * self.constant


Model = tuple[nn.Module, Callable[[], tuple[Any, ...]], dict[str, Any]]
ROWS, WIDTH = Dim("rows", max=9), Dim("width", min=2, max=8)
MODELS: dict[str, Model] = {
    "structured": (Structured(), structured, {"kwargs": {"scale": 0.5}}),
    "traced": (Traced(), lambda: (torch.rand(2, 3), True), {"verify": False}),
    "written": (Written(), lambda: (torch.randn(2, 3),), {}),
    "batch": (
        nn.Linear(3, 2),
        lambda: (torch.randn(2, 3),),
        {"max_batch_size": 5, "input_names": ["rows"], "output_names": ["y"]},
    ),
    "sizes only": (Sizes(), lambda: (torch.randn(2, 3),), {"max_batch_size": 5}),
    "named": (nn.Tanh(), lambda: (torch.randn(4, 6),), {"dynamic_shapes": {"input": {0: ROWS, 1: WIDTH}}}),
    "profiles": (
        nn.Tanh(),
        lambda: (torch.randn(4, 6),),
        {"min_shapes": [[(1, 6)], [(4, 6)]], "max_shapes": [[(4, 6)], [(9, 6)]]},
    ),
    "complex": (Turn(), lambda: (torch.randn(3, dtype=torch.complex64),), {}),
    "views": (Views(), lambda: (torch.randn(2, 3, dtype=torch.complex64),), {}),
    "double": (nn.Tanh(), lambda: (torch.randn(3, dtype=torch.float64),), {}),
}


def quiet(function: Any, *args: Any, **kwargs: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, progress=False, **kwargs)


def assert_same(got: Any, wanted: Any) -> None:
    found, spec = pytree.tree_flatten(got)
    expected, expected_spec = pytree.tree_flatten(wanted)
    assert spec == expected_spec
    for one, other in zip(found, expected, strict=True):
        assert type(one) is type(other)
        if isinstance(other, torch.Tensor):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        else:
            assert one == other


def extra(path: Path, change: Any) -> Path:
    """The archive with another extra file: `change` is its text, or a function of its content."""
    made = path.with_name("changed.pt2")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith(EXTRA):
                content = change if isinstance(change, bytes) else json.dumps(change(json.loads(content))).encode()
            new.writestr(name, content)
    return made


@pytest.mark.parametrize("name", MODELS)
def test_an_engine_of_the_archive_is_the_engine_of_the_model(name: str, command: Any, tmp_path: Path) -> None:
    model, inputs, arguments = MODELS[name]
    model, args = model.eval(), inputs()
    path, engine = tmp_path / "model.pt2", tmp_path / "net.trt2"
    quiet(torch2trt.export, model, args, path, **arguments)
    made = quiet(torch2trt.torch2trt, model, args, backend="cpu", **arguments)
    status, printed, complaint = command("build", path, "-o", engine, "--backend", "cpu")
    assert status == 0, complaint
    made.save(tmp_path / "python.trt2")
    found, expected = (torch2trt.inspect(file) for file in (engine, tmp_path / "python.trt2"))
    for key in ("interface", "model", "source"):
        assert found[key] == expected[key], key
    loaded = torch2trt.load(engine)
    kwargs = arguments.get("kwargs", {})
    assert_same(loaded(*args, **kwargs), made(*args, **kwargs))
    for note in ("torch.export refused", "decisions by values") if name == "traced" else ():
        assert f"{note}" in printed, printed
    if name == "written":
        assert "note: the model writes to calls when it runs" in printed, printed


@pytest.mark.parametrize("name", ["batch", "named", "written", "traced", "views"])
def test_pytorch_loads_the_archive(name: str, tmp_path: Path) -> None:
    model, inputs, arguments = MODELS[name]
    args = inputs()
    quiet(torch2trt.export, model.eval(), args, tmp_path / "model.pt2", **arguments)
    loaded = torch.export.load(tmp_path / "model.pt2").module(check_guards=False)
    with torch.no_grad():
        got, wanted = loaded(*args), model(*args)
    torch.testing.assert_close(pytree.tree_leaves(got)[0], pytree.tree_leaves(wanted)[0])


class Rounding(nn.Module):
    """Sizes through floats, and numbers read out of a tensor."""

    def __init__(self, rounding: Callable[[Any], int], factor: float) -> None:
        super().__init__()
        self.rounding, self.factor = rounding, factor

    def forward(self, x: torch.Tensor, n: torch.Tensor) -> Any:
        count, size = n.item(), self.rounding(x.shape[0] * self.factor)
        return x * count, torch.zeros(size + 2) + count, size, count > 2


def test_random_arithmetic_on_sizes_goes_both_ways(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Functions of numbers that torch.export.save does not know by itself."""
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for _ in range(3):
        model = Rounding(draw.choice([math.floor, math.ceil, round, math.trunc]), draw.choice([0.3, 0.7, 1.5, 2.25]))
        inputs = [torch.randn(7, 2), torch.tensor(draw.randrange(6))]
        with both_ways(monkeypatch, tmp_path) as different:
            dynamic = ({0: Dim("rows", min=3, max=9)}, {})
            made = quiet(torch2trt.torch2trt, model, inputs, backend="cpu", dynamic_shapes=dynamic)
        assert not different, different
        assert_same(made(*inputs), model(*inputs))


def test_ranges_may_be_narrowed_and_names_be_replaced(command: Any, tmp_path: Path) -> None:
    path, engine = tmp_path / "model.pt2", tmp_path / "net.trt2"
    quiet(torch2trt.export, nn.Linear(3, 2), [torch.randn(2, 3)], path, max_batch_size=8, input_names=["rows"])
    build = ("build", path, "-o", engine, "--backend", "cpu")
    assert command(*build, "--max-shape", "input=4x3", "--output-name", "y")[0] == 0
    loaded = torch2trt.load(engine)
    assert [*loaded.input_names, *loaded.output_names] == ["rows", "y"]
    assert loaded(torch.randn(4, 3)).shape == (4, 2)
    with pytest.raises(torch2trt.Error, match="E0402"):
        loaded(torch.randn(5, 3))
    status, _, complaint = command(*build, "--max-shape", "input=9x3")
    assert status == 1
    assert complaint.startswith("error[E0307]"), complaint


def test_operators_without_a_converter_are_reported_by_build(command: Any, tmp_path: Path) -> None:
    class Unknown(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvals(x).abs()

    quiet(torch2trt.export, Unknown(), [torch.randn(3, 3)], tmp_path / "model.pt2")
    status, _, complaint = command("build", tmp_path / "model.pt2", "-o", tmp_path / "net.trt2")
    assert status == 1, complaint
    assert complaint.startswith("error[E0101]: "), complaint
    assert "test_export.py:" in complaint, complaint
    assert "aten.linalg_eigvals.default" in complaint, complaint
    assert "help: `torch2trt coverage" in complaint, complaint
    assert not (tmp_path / "net.trt2").exists()


def test_calls_of_custom_converters_stay_operators(tmp_path: Path) -> None:
    called = []

    @torch2trt.tensorrt_converter("torch.nn.functional.relu")
    def convert_relu(ctx: Any) -> None:
        called.append(ctx)

    try:
        quiet(torch2trt.export, nn.ReLU(), [torch.randn(3)], tmp_path / "model.pt2")
    finally:
        torch2trt.converters.CONVERTERS.pop("torch.nn.functional.relu", None)
    assert not called
    assert [name for name, _, _ in _core.read_archive(tmp_path / "model.pt2").coverage()] == ["aten.relu.default"]


EMPTY = {"inputs": {"leaves": []}, "outputs": {"leaves": []}}
BROKEN: dict[str, tuple[Any, str, str]] = {
    "no JSON": (b"{", "E0608", "torch2trt_export.json"),
    "no object": (b"[]", "E0608", "torch2trt_export.json"),
    "nothing in it": (b'{"version": 1}', "E0608", "missing field"),
    "newer": (lambda data: {**data, "version": 2, "writer": "torch2trt 9.0"}, "E0609", "written by torch2trt 9.0"),
    "another model": (lambda data: {**data, "model": EMPTY}, "E0608", "0 inputs"),
    "names": (lambda data: {**data, "symbols": [1]}, "E0608", "torch2trt_export.json"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_damaged_or_newer_extra_file_is_rejected(name: str, command: Any, tmp_path: Path) -> None:
    change, code, part = BROKEN[name]
    quiet(torch2trt.export, nn.Linear(3, 2), [torch.randn(2, 3)], tmp_path / "model.pt2")
    status, printed, complaint = command("build", extra(tmp_path / "model.pt2", change), "-o", tmp_path / "net.trt2")
    assert (status, printed) == (1, ""), complaint
    assert complaint.startswith(f"error[{code}]: "), complaint
    assert part in complaint, complaint
    assert "\nhelp: " in complaint, complaint


def test_a_model_that_differs_from_its_capture_is_not_written(tmp_path: Path) -> None:
    class Decides(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2 if x.shape[0] % 4 == 0 else x

    with pytest.raises(torch2trt.Error, match=r"E0307.*the model decides by sizes"):
        quiet(torch2trt.export, Decides(), [torch.randn(3, 2)], tmp_path / "model.pt2", max_batch_size=9)
    assert not list(tmp_path.iterdir())


def test_paths_that_cannot_be_written_to(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "nowhere" / "model.pt2", "E0605"), (tmp_path, "E0605"), ("", "E0701")):
        with pytest.raises(torch2trt.Error) as raised:
            quiet(torch2trt.export, nn.Tanh(), [torch.randn(3)], path)
        assert raised.value.code == code
    (tmp_path / "link.pt2").symlink_to(tmp_path / "model.pt2")
    quiet(torch2trt.export, nn.Tanh(), [torch.randn(3)], tmp_path / "link.pt2")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link.pt2", "model.pt2"]


NETS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.linear = nn.Linear(3, width)

    def forward(self, x, mask=None):
        return self.linear(x) if mask is None else self.linear(x) * mask

net = Net()

def text():
    return "text"
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the working folder with models."""
    name = f"nets_{random.SystemRandom().randrange(2**31)}"
    (tmp_path / f"{name}.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    return name


def test_the_command_exports_models_of_python(nets: str, command: Any, tmp_path: Path) -> None:
    for model, inputs in (
        (f"{nets}:net", ("--input", "2x3")),
        (f"{nets}:Net", ("--input", "2x3:float32", "--input", "mask=2x4:bool")),
        (f"{nets}:Net(width=5)", ("--input", "x=2x3", "--max-batch-size", "8", "--input-name", "rows")),
    ):
        status, printed, complaint = command("export", model, *inputs, "-o", "model.pt2")
        assert status == 0, complaint
        assert "model.pt2: " in printed, complaint
        status, _, complaint = command("build", "model.pt2", "-o", "net.trt2", "--backend", "cpu")
        assert status == 0, complaint
    loaded = torch2trt.load("net.trt2")
    assert loaded.input_names == ["rows"]
    assert loaded(torch.randn(8, 3)).shape == (8, 5)
    module = __import__(nets)
    save_file(module.net.state_dict(), tmp_path / "weights.safetensors")
    torch.save(module.net.state_dict(), tmp_path / "weights.pth")
    x = torch.randn(2, 3)
    save_file({"x": x}, tmp_path / "in.safetensors")
    for weights in ("weights.safetensors", "weights.pth"):
        status, _, complaint = command(
            "export", f"{nets}:Net", "--weights", weights, "--inputs", "in.safetensors", "-o", "model.pt2"
        )
        assert status == 0, complaint
        assert command("build", "model.pt2", "-o", "net.trt2", "--backend", "cpu")[0] == 0
        assert command("run", "net.trt2", "--inputs", "in.safetensors", "-o", "out.safetensors")[0] == 0
        torch.testing.assert_close(load_file("out.safetensors")["output"], module.net(x).detach(), rtol=1e-4, atol=1e-5)


def test_the_command_repairs_archives_of_pytorch(command: Any, tmp_path: Path) -> None:
    class InPlace(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x * 2).relu_()

    plain, path = tmp_path / "plain.pt2", tmp_path / "model.pt2"
    batch = {0: Dim("batch", min=1, max=8)}
    torch.export.save(torch.export.export(InPlace(), (torch.randn(2, 3),), dynamic_shapes=(batch,)), plain)
    status, _, complaint = command("build", plain, "-o", tmp_path / "net.trt2", "--backend", "cpu")
    assert status == 1, complaint
    assert "E0610" in complaint, complaint
    status, _, complaint = command("export", plain, "-o", path)
    assert status == 0, complaint
    assert command("build", path, "-o", tmp_path / "net.trt2", "--backend", "cpu")[0] == 0
    x = torch.randn(7, 3)
    torch.testing.assert_close(torch2trt.load(tmp_path / "net.trt2")(x), InPlace()(x))


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("{nets}:nothing", "--input", "2x3"), "E0701", "no attribute `nothing`|has no attribute 'nothing'"),
        (("no_such_module_anywhere:net", "--input", "2x3"), "E0701", "No module named"),
        (("{nets}:text", "--input", "2x3"), "E0701", "is a str, and no nn.Module"),
        (("{nets}:Net(width=open('x'))", "--input", "2x3"), "E0701", "there is no model"),
        (("{nets}:Net(depth=3)", "--input", "2x3"), "E0601", "cannot be created"),
        (("{nets}:net",), "E0602", "no sample inputs"),
        (("{nets}:net", "--input", "2x3:float31"), "E0701", "no dtype `float31`"),
        (("{nets}:net", "--inputs", "nowhere.safetensors"), "E0607", "nowhere"),
        (("{nets}:net", "--input", "2x3", "--weights", "nowhere.pth"), "E0607", "nowhere"),
        (("{nets}:net", "--input", "2x3", "--weights", __file__), "E0607", "no weights for the model"),
        (("{nets}:net", "--input", "2x3", "--weights", "{file}.safetensors"), "E0607", "cannot be read"),
        (("{nets}:net", "--input", "2x3", "--weights", "{file}.pth"), "E0607", "lacks `"),
        (("{nets}:net", "--inputs", "{file}.safetensors"), "E0607", "cannot be read"),
        (("{nets}:net", "--input", "2x4"), "E0601", "fails on the sample inputs"),
    ],
)
def test_commands_that_name_no_model(
    arguments: tuple[str, ...], code: str, part: str, nets: str, command: Any, tmp_path: Path
) -> None:
    file = str(tmp_path / "wrong")
    Path(file + ".safetensors").write_bytes(b"not tensors")
    torch.save({"other": torch.zeros(1)}, file + ".pth")
    given = [text.replace("{nets}", nets).replace("{file}", file) for text in arguments]
    status, printed, complaint = command("export", *given, "-o", "model.pt2")
    assert (status, printed) == (1, ""), complaint
    assert complaint.startswith(f"error[{code}]: "), complaint
    assert any(one in complaint for one in part.split("|")), complaint
    assert "\nhelp: " in complaint, complaint
    assert not Path("model.pt2").exists()
