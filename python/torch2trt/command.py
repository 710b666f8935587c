"""What the command line asks of PyTorch: models with parts in PyTorch are built, described and run here.

This file must not know how models are cut.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ._convert import torch2trt
from ._core import Error, write_file
from .capture.errors import one_line
from .covered import coverage
from .errors import error
from .loading import load

_NO_END = 2**31 - 1


def run(text: str) -> int:
    """Runs a command that is described in JSON. Returns the exit status."""
    request = json.loads(text)
    try:
        _COMMANDS[request["command"]](request)
    except Error as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


def _build(request: dict[str, Any]) -> None:
    program = _program(request["file"])
    inputs = _inputs(program, request["inputs"])
    model, arguments = program.module(), {name: value for name, value in request["arguments"].items() if value}
    if arguments["backend"] != "cpu" and "target" not in arguments and torch.cuda.is_available():
        device = torch.device("cuda", request["device"])
        inputs = [tensor.to(device) for tensor in inputs]
        model = torch.export.passes.move_to_device_pass(program, device).module()
    shapes = _ranges(program, inputs, request["ranges"])
    made = torch2trt(model, inputs, fallback=True, input_names=_names(program), **shapes, **arguments)
    print(made.report)
    made.save(request["output"])
    print(f"{request['output']}: {made.report.engine}")


def _coverage(request: dict[str, Any]) -> None:
    program = _program(request["file"])
    arguments = {name: value for name, value in request["arguments"].items() if value}
    inputs = _inputs(program, None)
    shapes = _ranges(program, inputs, {"min": {}, "opt": {}, "max": {}})
    print(coverage(program.module(), inputs, fallback=True, **shapes, **arguments))


def _run(request: dict[str, Any]) -> None:
    arguments = {name: value for name, value in request["arguments"].items() if value}
    made = load(request["file"], trusted=request["trusted"], **arguments)
    device = torch.device(made.engine.device)
    if request["inputs"]:
        inputs = [tensor.to(device) for tensor in _tensors(request["inputs"], made.input_names)]
    else:
        inputs = _random(made.engine, request["shapes"], request["seed"])
    outputs = dict(zip(made.output_names, made.run(inputs), strict=True))
    print(made.engine.description)
    for name, tensor in outputs.items():
        print(f"{name}  {str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}")
    if request["output"]:
        content = _safetensors().save({name: tensor.contiguous().cpu() for name, tensor in outputs.items()})
        write_file(request["output"], content)


def _random(engine: Any, shapes: dict[str, list[int]], seed: int) -> list[torch.Tensor]:
    """Numbers between -1 and 1, integers and truth values that are 0 or 1; the smallest sizes where none are given."""
    generator, made = torch.Generator().manual_seed(seed), []
    for (name, dtype, _), axes in zip(engine.inputs, engine.ranges, strict=True):
        shape = shapes.get(name, [max(low, 1) if low != high else low for low, high in axes])
        kind = getattr(torch, dtype)
        is_float = kind.is_floating_point or kind.is_complex
        drawn = torch.rand(shape, generator=generator) * 2 - 1
        drawn = drawn if is_float else drawn > 0
        made.append(drawn.to(kind).to(engine.device))
    return made


def _program(path: str) -> torch.export.ExportedProgram:
    """The program in an archive.

    Raises:
        torch2trt.Error: E0608 for what PyTorch does not read.
    """
    try:
        return torch.export.load(path)
    except Exception as refused:
        raise error(
            "E0608", f"{path} cannot be read by this PyTorch: {one_line(refused)}", "give what torch.export.save wrote"
        ) from refused


def _names(program: torch.export.ExportedProgram) -> list[str]:
    return [name for name in program.graph_signature.user_inputs if isinstance(name, str)]


def _inputs(program: torch.export.ExportedProgram, path: str | None) -> list[torch.Tensor]:
    """Sample inputs: those of a file, or those that the model was exported with.

    Raises:
        torch2trt.Error: E0601 for a model that is not called with tensors alone, E0602 without inputs.
    """
    if path:
        return _tensors(path, _names(program))
    args, kwargs = program.example_inputs or ((), {})
    if kwargs or not args or not all(isinstance(one, torch.Tensor) for one in args):
        raise error(
            "E0601",
            "only models that are called with tensors in order can have parts in PyTorch here",
            "convert it in Python: torch2trt(model, inputs, fallback=True)",
        )
    return list(args)


def _tensors(path: str, names: Sequence[str]) -> list[torch.Tensor]:
    """The tensors of these names in a file.

    Raises:
        torch2trt.Error: E0602 where one is missing, E0607 for what is no such file, E0801 without safetensors.
    """
    library = _safetensors()
    try:
        given = library.load_file(path)
    except Exception as refused:
        raise error("E0607", f"{path} cannot be read: {one_line(refused)}", "give a safetensors file") from refused
    missing = [name for name in names if name not in given]
    if missing:
        raise error("E0602", f"{path} has no tensor `{missing[0]}`", "its tensors need the names of the inputs")
    return [given[name] for name in names]


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError as missing:
        raise error("E0801", "files of tensors need safetensors", "pip install safetensors") from missing
    return safetensors.torch


def _ranges(
    program: torch.export.ExportedProgram, inputs: list[torch.Tensor], asked: dict[str, dict[str, list[int]]]
) -> dict[str, Any]:
    """The arguments of `torch2trt` about shapes: the ranges of the export, and what is asked for in their place."""
    names = _names(program)
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    found: dict[str, list[tuple[int, ...]]] = {"min": [], "opt": [], "max": []}
    is_dynamic = False
    for name, tensor in zip(names, inputs, strict=True):
        sizes = nodes[name].meta["val"].shape
        limits = [_limits(program, size) for size in sizes]
        is_dynamic |= any(low != high for low, high in limits)
        low, high = ([limit[k] for limit in limits] for k in (0, 1))
        for end, default in (("min", low), ("opt", list(tensor.shape)), ("max", high)):
            found[end].append(tuple(asked[end].get(name, default)))
        endless = [axis for axis, size in enumerate(found["max"][-1]) if size == _NO_END]
        if endless:
            shape = "x".join("SIZE" if axis in endless else str(size) for axis, size in enumerate(found["max"][-1]))
            raise error(
                "E0307", f"axis {endless[0]} of `{name}` has no largest size", f"give it: --max-shape {name}={shape}"
            )
    return {f"{end}_shapes": shapes for end, shapes in found.items()} if is_dynamic else {}


def _limits(program: torch.export.ExportedProgram, size: Any) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    known = program.range_constraints.get(size.node.expr)
    if known is None:
        return 1, _NO_END
    return max(int(known.lower), 1), int(known.upper) if known.upper.is_Integer else _NO_END


_COMMANDS: dict[str, Callable[[dict[str, Any]], None]] = {
    "build --fallback": _build,
    "coverage --fallback": _coverage,
    "run": _run,
}

__all__ = ["run"]
