"""Every error code is raised by a test, and the fields of an error agree with its text.

The examples of docs/errors.md raise most codes; test_docs.py runs them. `RAISES` has a case for each other code that
Python can raise here, and `ELSEWHERE` names the test of a code that needs another set-up. A new code without a test
fails here, and so does a test that is gone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
import torch
from test_docs import EXAMPLE, SECTIONS
from test_engine_file import _forged
from torch import nn

from torch2trt import Error, _core, load, tensorrt_converter, torch2trt, trt
from torch2trt.capture.errors import CaptureError
from torch2trt.converters.registry import CONVERTERS
from torch2trt.errors import body, error, first_line

ROOT = Path(__file__).resolve().parents[2]

DOCUMENTED = {code for code, _, section in SECTIONS if EXAMPLE.search(section)}

ELSEWHERE = {
    "E0107": "tests/python/test_user_converters.py::test_attention_that_is_wrong",
    "E0201": "crates/torch2trt/tests/codes.rs::a_malformed_network",
    "E0202": "crates/torch2trt/tests/codes.rs::a_pass_that_fails",
    "E0303": "crates/torch2trt/tests/codes.rs::a_network_that_tensorrt_refuses",
    "E0304": "crates/torch2trt/tests/codes.rs::a_cancelled_build",
    "E0306": "tests/python/test_plugins.py::test_a_library_that_is_missing_is_named",
    "E0407": "tests/python/test_error_codes.py::test_an_engine_of_the_parent_process",
    "E0501": "tests/python/test_call.py::test_missing_libraries_name_every_place",
    "E0607": "tests/python/test_pt2.py::test_files_that_are_no_archives",
    "E0609": "tests/python/test_pt2.py::test_files_that_are_no_archives",
    "E0610": "tests/python/test_pt2.py::test_a_program_that_writes_is_refused",
    "E0801": "tests/python/test_requirements.py::test_reports_a_missing_pytorch",
}


@pytest.fixture(autouse=True)
def no_converters() -> Iterator[None]:
    before = dict(CONVERTERS)
    yield
    CONVERTERS.clear()
    CONVERTERS.update(before)


def _program(target: str, args: list[tuple[str, object]], dtype: str, dims: list[int]) -> _core.Program:
    """A program of one call on a float32 tensor of 2 x 3, recorded as if PyTorch had returned this."""
    builder = _core.ProgramBuilder()
    x = builder.input("x", "float32", [2, 3])
    outputs = [("y", dtype, dims)]
    [y] = builder.node(target, [("self", ("value", x)), *args], outputs, "block.act", "model.py", 7, "forward")
    builder.output(("value", y))
    return builder.finish()


def converter_contradiction(_: Path) -> None:
    _program("aten.relu.default", [], "float32", [2, 4]).convert({})


def output_dtype(_: Path) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("scale", torch.zeros(3).to(torch.float8_e5m2))

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x + 1, self.scale

    torch2trt(Model(), [torch.randn(3)], backend="cpu", progress=False)


def bad_program(_: Path) -> None:
    builder = _core.ProgramBuilder()
    builder.node("aten.relu.default", [("self", ("value", 5))], [("y", "float32", [2])], "", "model.py", 7, "forward")


def onnx_unsupported(_: Path) -> None:
    @tensorrt_converter("torch.nn.functional.grid_sample")
    def wraps(ctx: object) -> None:
        layer = ctx.network.add_grid_sample(ctx.method_args[0]._trt, ctx.method_args[1]._trt)
        layer.sample_mode = trt.SampleMode.WRAP
        ctx.method_return._trt = layer.get_output(0)

    def model(x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        return nn.functional.grid_sample(x, grid, align_corners=False)

    inputs = [torch.randn(1, 2, 3, 4), torch.rand(1, 5, 6, 2)]
    torch2trt(model, inputs, backend="cpu", progress=False)


def onnx_runtime_refused(tmp_path: Path) -> None:
    torch2trt(nn.ReLU(), [torch.randn(2, 3)], backend="cpu", progress=False).save(tmp_path / "model.trt2")
    forged = _forged((tmp_path / "model.trt2").read_bytes(), lambda model: model.replace(b"Relu", b"Rule"))
    (tmp_path / "forged.trt2").write_bytes(forged)
    load(tmp_path / "forged.trt2")


def onnx_runtime_loaded(tmp_path: Path) -> None:
    torch2trt(nn.ReLU(), [torch.randn(2, 3)], backend="cpu", progress=False)
    other = str(tmp_path / "libonnxruntime.so")
    torch2trt(nn.ReLU(), [torch.randn(2, 3)], backend="cpu", progress=False, onnxruntime=other)


def device(_: Path) -> None:
    torch2trt(nn.ReLU(), [torch.randn(2, 3)], backend="cpu", progress=False)(torch.empty(2, 3, device="meta"))


RAISES: dict[str, Callable[[Path], None]] = {
    "E0103": converter_contradiction,
    "E0105": output_dtype,
    "E0106": bad_program,
    "E0203": onnx_unsupported,
    "E0404": device,
    "E0502": onnx_runtime_loaded,
    "E0503": onnx_runtime_refused,
}


@pytest.mark.parametrize("code", RAISES)
def test_raises(code: str, tmp_path: Path) -> None:
    with pytest.raises(Error) as raised:
        RAISES[code](tmp_path)
    assert raised.value.code == code, raised.value
    agrees(raised.value)


def agrees(raised: Error) -> None:
    """The text of an error is its fields, each once."""
    assert raised.message
    assert "error[" not in raised.message
    assert raised.help != ""
    end = f"\nhelp: {raised.help}" if raised.help else ""
    assert str(raised) == f"error[{raised.code}]: {body(raised)}{end}"
    assert first_line(raised) == str(raised).split("\n")[0].removeprefix(f"error[{raised.code}]: ")
    assert raised.place is None or raised.place.split(" ")[-1] in str(raised)


_FORKS = """
import os, sys
import torch
from torch2trt import Error, torch2trt
model = torch2trt(torch.nn.ReLU(), [torch.ones(2, 3)], backend="cpu", threads=2, progress=False)
if os.fork() == 0:
    try:
        model(torch.ones(2, 3))
    except Error as error:
        print(error.code, error.message, error.help, sep="|", flush=True)
    os._exit(0)
os.wait()
"""


def test_an_engine_of_the_parent_process() -> None:
    done = subprocess.run([sys.executable, "-c", _FORKS], capture_output=True, text=True, timeout=120, check=True)
    code, message, help = done.stdout.strip().split("|")
    assert code == "E0407"
    assert "forked" in message
    assert "spawn" in help


def test_every_code_is_raised() -> None:
    codes = [code for code, _ in _core.error_codes()]
    raised = [*DOCUMENTED, *RAISES, *ELSEWHERE]
    assert sorted(raised) == sorted(set(raised)), "listed twice"
    assert sorted(raised) == codes


@pytest.mark.parametrize("code", ELSEWHERE)
def test_the_test_of_a_code_exists(code: str) -> None:
    path, _, name = ELSEWHERE[code].partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert code in text
    assert re.search(rf"^ *(def|fn) {name}\(", text, re.MULTILINE), f"{path} has no test {name}"


def _text(random: Random) -> str:
    """Words of errors in any order, among them those that texts were once split at."""
    words = ["error[E0101]: ", "]: ", "\nhelp: ", "a: b", "\n  at m.py:3", "é", "`x`", " "]
    return "x" + "".join(random.choice(words) for _ in range(random.randrange(6)))


@pytest.mark.parametrize("seed", range(20 * int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))))
def test_fields_are_not_read_from_texts(seed: int) -> None:
    random = Random(seed)
    message, help = _text(random), random.choice([None, _text(random)])
    made = error("E0602", message, help)
    assert (made.code, made.message, made.help, body(made)) == ("E0602", message, help, message)
    assert first_line(made) == message.partition("\n")[0]
    where, facts = random.choice(["", "m.py:3"]), [_text(random) for _ in range(random.randrange(3))]
    captured = CaptureError(message, where=where, facts=facts, help=help or "")
    assert body(captured) == "\n  ".join([message, *([f"at {where}"] if where else []), *facts])
    assert str(captured) == f"error[E0601]: {body(captured)}" + (f"\nhelp: {help}" if help else "")
    # Rust's half, by a name that it cites.
    with pytest.raises(Error) as raised:
        _core.infer("{}", [])
    assert "error[" not in raised.value.message
    with pytest.raises(Error) as raised:
        _program("aten.relu.default", [], "float32", [2, 3]).convert({message: 1})
    assert (raised.value.message, raised.value.help) == (
        f"there is no option `{message}`",
        "docs/options.md lists every option",
    )
    assert raised.value.code == "E0701"


def test_an_option_with_a_wrong_path_has_one_code_and_its_help() -> None:
    with pytest.raises(Error) as raised:
        torch2trt(nn.ReLU(), [torch.randn(2, 3)], backend="tensorrt", tensorrt=3, progress=False)
    agrees(raised.value)
    assert raised.value.code == "E0701"
