"""Partitioned models in files: a zip archive of engine files, exported programs and a description.

A part in PyTorch is an archive of `torch.export.save`, which can hold pickles and expressions that are evaluated.
Neither is read here: archives with pickles are rejected, and so are expressions with names that sizes do not have.

This file must not know how parts are made.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

import torch
from torch.export.passes import move_to_device_pass

from .. import _core
from .._core import Error
from ..arguments import LoadOptions
from ..capture.errors import one_line
from ..capture.preserve import without_guards
from ..capture.size import Size
from ..capture.views import resolve_views
from ..errors import error, first_line
from .engine import PartitionedEngine, PythonPart, Step, as_tensor
from .operators import check_operators
from .partition import Partition
from .programs import HELP, check_program

FORMAT = 1
FORMAT_OF_PYTHON = 2
"""The format of models with Python code that runs between engines."""
_DESCRIPTION = "torch2trt.json"
_CONSTANTS = "constants.pt"
_LARGEST_DESCRIPTION = 64 << 20
_MOST_GPUS = 64
"""GPUs of a machine on which a part may have been exported."""

_Moves: TypeAlias = torch.device | dict[str, str] | None
"""A device for all tensors, or one for each that they have; None: they stay."""


LoadPython = Callable[[dict[str, Any], dict[str, Any], Callable[[str], bytes]], PythonPart]
"""Makes a part of its description, of how the model is called, and of what reads a member."""


@dataclasses.dataclass(frozen=True)
class Example:
    """Inputs with which a part in PyTorch is exported: it is saved as an exported program.

    Attributes:
        shapes: the shape of each tensor, in the order in which the part reads them.
        dynamic: the axes of each that are dynamic.
        dtypes: the dtype of each.
        sizes: the sizes that it reads.
        devices: where each is.
        numbers: the positions of those that are numbers, which are 0-D tensors in a file.
        made_numbers: the positions of numbers among the results.
    """

    shapes: list[tuple[int, ...]]
    dynamic: list[list[int]]
    dtypes: list[torch.dtype]
    sizes: list[int]
    devices: list[torch.device]
    numbers: list[int]
    made_numbers: list[int]


class _OfTensors(torch.nn.Module):
    """A part with 0-D tensors in place of the numbers that it reads and makes: an exported program has no others."""

    def __init__(self, part: torch.nn.Module, example: Example) -> None:
        super().__init__()
        self.part, self.numbers, self.made_numbers = part, set(example.numbers), set(example.made_numbers)

    def forward(self, *values: Any) -> tuple[torch.Tensor, ...]:
        read = [value.item() if k in self.numbers else value for k, value in enumerate(values)]
        made = self.part(*read)
        return tuple(as_tensor(value) if k in self.made_numbers else value for k, value in enumerate(made))


def is_partitioned(source: bytes | str) -> bool:
    """Whether the bytes, or the file of this path, are of a partitioned model."""
    if isinstance(source, bytes) and not source.startswith(b"PK"):
        return False
    with suppress(Exception), _archive(source) as archive:  # of what is no zip archive, or a damaged one
        return _DESCRIPTION in archive.namelist()
    return False


def write(engine: PartitionedEngine, description: str, partitions: list[Partition]) -> bytes:
    """The bytes of a file.

    Raises:
        torch2trt.Error: E0605 for a part in PyTorch that torch.export does not save.
    """
    held = io.BytesIO()
    constants: list[torch.Tensor] = []
    results: list[Any] = []
    for result in engine.results:
        if isinstance(result, torch.Tensor):
            constants.append(result.detach().cpu())
        results.append(_written(result, len(constants) - 1))
    steps = []
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
        for number, step in enumerate(engine.steps):
            own = {"reads": step.reads, "sizes": [size.text for size in step.sizes], "last": step.last}
            for name, data in _members(step, number, own):
                archive.writestr(name, data)
            steps.append({**own, "inputs": step.input_dtypes, "outputs": step.output_dtypes})
        if constants:
            saved = io.BytesIO()
            torch.save(constants, saved)
            archive.writestr(_CONSTANTS, saved.getvalue())
        about = {
            "format": FORMAT_OF_PYTHON if engine.is_python else FORMAT,
            "device": torch.device(engine.device).type,
            "inputs": engine.inputs,
            "outputs": engine.outputs,
            "ranges": engine.ranges,
            "results": results,
            "steps": steps,
            "host": engine.host,
            "partitions": [part.described() for part in partitions],
            "description": json.loads(description),
        }
        archive.writestr(_DESCRIPTION, json.dumps(about))
    return held.getvalue()


def _members(step: Step, number: int, about: dict[str, Any]) -> list[tuple[str, bytes]]:
    """The members of a part; which they are is noted in `about`."""
    if isinstance(step.in_pytorch, PythonPart):
        about["python"], members = step.in_pytorch.saved()
        return list(members.items())
    name = about["file"] = f"part{number}.{'trt2' if step.engine else 'pt2'}"
    data = step.engine.save("{}") if step.engine else _exported(step)
    assert data is not None  # no path was given
    return [(name, data)]


def _written(result: int | Size | torch.Tensor, constant: int) -> Any:
    """An output in the description: the index of a value, the text of a size, or the index of a constant in a list."""
    return result if isinstance(result, int) else result.text if isinstance(result, Size) else [constant]


def _exported(step: Step) -> bytes:
    """A part in PyTorch as an archive of torch.export."""
    if step.source is not None:
        return step.source
    example = step.example
    assert example is not None  # Python code is saved in another way
    tensors = [
        torch.zeros(shape, dtype=dtype, device=device)
        for shape, dtype, device in zip(example.shapes, example.dtypes, example.devices, strict=True)
    ]
    auto = torch.export.Dim.AUTO
    dims = [dict.fromkeys(axes, auto) for axes in example.dynamic]
    part: Any = step.in_pytorch
    if example.numbers or example.made_numbers:
        part = _OfTensors(part, example)
    try:
        with torch.no_grad():
            program = torch.export.export(
                part, (*tensors, *example.sizes), dynamic_shapes=_arguments(part, dims, [auto] * len(example.sizes))
            )
        program._example_inputs = None  # they would be pickled
        resolve_views(program)
        saved = io.BytesIO()
        torch.export.save(program, saved)
        check_program(saved.getvalue())
    except Error as refused:
        reason = first_line(refused)
        raise error(
            "E0605", f"this PyTorch saves a part in a form that is not read back: {reason}", "use PyTorch 2.9 or later"
        ) from refused
    except Exception as refused:  # of torch.export
        reason = one_line(refused)
        raise error(
            "E0605", f"a part in PyTorch cannot be saved: {reason}", "convert it again in the process that runs it"
        ) from refused
    return saved.getvalue()


def _arguments(part: Any, dims: list[Any], sizes: list[Any]) -> tuple[Any, ...]:
    """The dynamic shapes of a part's arguments: one tuple more, where the part takes any number of them."""
    shapes = (*dims, *sizes)
    return (shapes,) if isinstance(part, _OfTensors) else shapes


def read(
    source: bytes | str, options: LoadOptions, python: LoadPython
) -> tuple[PartitionedEngine, dict[str, Any], list[Partition]]:
    """The engine, the description that `write` was given, and the parts.

    `python` creates the part that runs Python code of a model between engines.

    Raises:
        torch2trt.Error: E0605 for a damaged file, or one with pickles; E0604 for a plan that cannot run here.
    """
    try:
        with _archive(source) as archive:
            return _read(archive, options, python)
    except Error:
        raise
    except Exception as refused:  # zip, JSON, torch.export and what is missing in the description
        raise error("E0605", f"the file of a partitioned model is damaged: {one_line(refused)}", HELP) from refused


def _read(
    archive: zipfile.ZipFile, options: LoadOptions, python: LoadPython
) -> tuple[PartitionedEngine, dict[str, Any], list[Partition]]:
    if archive.getinfo(_DESCRIPTION).file_size > _LARGEST_DESCRIPTION or archive.testzip() is not None:
        raise error("E0605", "the file of a partitioned model is damaged", HELP)
    about = json.loads(archive.read(_DESCRIPTION))
    if about["format"] not in (FORMAT, FORMAT_OF_PYTHON):
        known = f"{FORMAT} and {FORMAT_OF_PYTHON}"
        raise error("E0605", f"the file has format {about['format']}, this version reads {known}", "save it again")
    device = torch.device("cpu") if about["device"] == "cpu" else torch.device("cuda", options["device"])
    if device.type == "cuda" and not torch.cuda.is_available():
        raise error("E0604", "the model runs on a GPU, and there is none", "load it on a machine with a GPU")
    constants = []
    if _CONSTANTS in archive.namelist():
        constants = torch.load(io.BytesIO(archive.read(_CONSTANTS)), weights_only=True, map_location=device)
    host = [index for index in about.get("host", []) if isinstance(index, int)] if device.type == "cuda" else []
    moves = _moves(device, host)
    steps = [_step(one, archive, about["description"], moves, options, python) for one in about["steps"]]
    inputs, outputs = ([(name, dtype, sizes) for name, dtype, sizes in about[side]] for side in ("inputs", "outputs"))
    ranges = [[(low, high) for low, high in axes] for axes in about["ranges"]]
    results = [
        Size(result).check()
        if isinstance(result, str)
        else constants[result[0]]
        if isinstance(result, list)
        else result
        for result in about["results"]
    ]
    partitions = [Partition(**part) for part in about["partitions"]]
    nested = sum(part.kind == "engine" for part in partitions) if about["format"] == FORMAT_OF_PYTHON else 0
    made = PartitionedEngine(inputs, outputs, steps, results, ranges, device, nested, host)
    if options["use_cuda_graph"] is True and device.type == "cuda":
        made.replay_whole_calls()
    return made, about["description"], partitions


def _step(
    one: dict[str, Any],
    archive: zipfile.ZipFile,
    description: dict[str, Any],
    moves: _Moves,
    options: LoadOptions,
    python: LoadPython,
) -> Step:
    """A part of a file."""
    sizes = [Size(text).check() for text in one["sizes"]]
    dtypes = (one["inputs"], one["outputs"])
    if "python" in one:
        part = python(one["python"], description["model"], archive.read)
        return Step(None, part, one["reads"], sizes, *dtypes, one["last"], part.weights)
    data, engine, program = archive.read(one["file"]), None, None
    if one["file"].endswith(".trt2"):
        engine, _ = _core.load_engine(data, options)
    else:
        check_program(data)
        check_operators(data)
        program = torch.export.load(io.BytesIO(data))
        program = _module(program if moves is None else move_to_device_pass(program, moves))
    weights = [] if program is None else list(program.state_dict().values())
    return Step(engine, program, one["reads"], sizes, *dtypes, one["last"], weights, source=data)


def _module(program: torch.export.ExportedProgram) -> torch.fx.GraphModule:
    """The module of a part, which takes and returns tensors in order: a call does not check its arguments again."""
    module = without_guards(program)
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    module.recompile()
    return module


def _moves(device: torch.device, host: list[int]) -> _Moves:
    """Where the tensors of the parts in PyTorch go: a part may have been exported on another device.

    With inputs in host memory, what was exported on the CPU stays there.
    """
    if device.type == "cpu":
        return None
    if not host:
        return device
    return {name: str(device) for name in ("cuda", *(f"cuda:{index}" for index in range(_MOST_GPUS)))}


def describe(path: str) -> dict[str, Any]:
    """The description in a file: interface, parts, options and accuracy.

    Raises:
        torch2trt.Error: E0605 for a damaged file.
    """
    try:
        with _archive(path) as archive:
            about: dict[str, Any] = json.loads(archive.read(_DESCRIPTION))
    except Exception as refused:  # zip and JSON
        raise error("E0605", f"the file of a partitioned model is damaged: {one_line(refused)}", HELP) from refused
    return {**about, **about.pop("description")}


def _archive(source: bytes | str) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)


__all__ = ["Example", "describe", "is_partitioned", "read", "write"]
