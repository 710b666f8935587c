"""What the command line asks of PyTorch: exports, and all commands for models with parts in PyTorch.

This file must not know how models are cut.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from . import command_export
from ._convert import torch2trt
from ._core import Error, describe_calls, write_file
from .capture.errors import one_line
from .capture.exported import number_functions
from .capture.preserve import module_of
from .command_inputs import Call, random_inputs, safetensors, tensors_of
from .covered import coverage
from .errors import error
from .loading import load
from .module import TRTModule


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
    call = Call.of(program, request["inputs"])
    model, arguments = module_of(program), request["arguments"]  # those that are not at their defaults
    if arguments["backend"] != "cpu" and "target" not in arguments and torch.cuda.is_available():
        device = torch.device("cuda", request["device"])
        call.moved(device)
        model = module_of(torch.export.passes.move_to_device_pass(program, device))
    shapes = call.shapes(program, request["ranges"])
    made = torch2trt(model, call.args, kwargs=call.kwargs, fallback=True, **shapes, **arguments)
    print(made.report)
    made.save(request["output"])
    print(f"{request['output']}: {made.report.engine}")


def _export(request: dict[str, Any]) -> None:
    command_export.run(request, _program(request["model"]) if os.path.isfile(request["model"]) else None)


def _coverage(request: dict[str, Any]) -> None:
    program = _program(request["file"])
    arguments = {name: value for name, value in request["arguments"].items() if value}
    call = Call.of(program, None)
    shapes = call.shapes(program, request["ranges"])
    print(coverage(module_of(program), call.args, call.kwargs, fallback=True, **shapes, **arguments))


def _run(request: dict[str, Any]) -> None:
    made, inputs = _loaded(request)
    outputs = dict(zip(made.output_names, made.run(inputs), strict=True))
    print(made._runnable().description)
    print(_columns([[name, _kind(tensor), *_values(tensor)] for name, tensor in outputs.items()]))
    if request["output"]:
        content = safetensors().save({name: tensor.contiguous().cpu() for name, tensor in outputs.items()})
        write_file(request["output"], content)


def _bench(request: dict[str, Any]) -> None:
    if request["layers"] or request["streams"] != 1:
        raise error(
            "E0701",
            "--layers and --streams are for models without parts in PyTorch",
            "leave them out, or use torch.profiler in Python",
        )
    started = time.perf_counter()
    made, inputs = _loaded(request)
    loaded = time.perf_counter() - started
    device, duration = torch.device(made._runnable().device), request["duration"]

    def call() -> tuple[float, float]:
        """Seconds of a call until its outputs, and until it was enqueued."""
        begun = time.perf_counter()
        made.run(inputs)
        enqueued = time.perf_counter()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - begun, enqueued - begun

    for _ in range(request["warm_up"]):
        call()
    calls: list[tuple[float, float]] = []
    begun = time.perf_counter()
    while len(calls) < request["calls"] if duration is None else time.perf_counter() - begun < duration:
        calls.append(call())
    samples = next((tensor.shape[0] for tensor in inputs if tensor.dim()), None)
    rows, text = describe_calls(calls, time.perf_counter() - begun, samples)
    named = list(zip(made.input_names, inputs, strict=True))
    if request["json"]:
        types = [{"name": name, "type": _kind(tensor)} for name, tensor in named]
        about = {"engine": made._runnable().description, "load_seconds": loaded, "inputs": types, "layers": None}
        print(json.dumps({**json.loads(text), **about}, indent=2))
        return
    head = [["engine", made._runnable().description], ["loaded in", f"{loaded:.2f} s"]]
    head += [["input", f"{name}: {_kind(tensor)}"] for name, tensor in named]
    print(_columns([*head, ["warm-up", f"{request['warm_up']} calls"], *map(list, rows)]))


def _loaded(request: dict[str, Any]) -> tuple[TRTModule, list[torch.Tensor]]:
    """The model of a file, and the inputs of a call."""
    arguments = {name: value for name, value in request["arguments"].items() if value is not None}
    made = load(request["file"], trusted=request["trusted"], **arguments)
    if not request["inputs"]:
        return made, random_inputs(made.engine, request["shapes"], request["seed"])
    return made, [tensor.to(made._runnable().device) for tensor in tensors_of(request["inputs"], made.input_names)]


def _kind(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def _values(tensor: torch.Tensor) -> list[str]:
    """How large the numbers of a tensor are, as `torch2trt run` prints them for other files."""
    if tensor.is_complex() or (tensor.element_size() == 1 and tensor.dtype.is_floating_point):
        return []
    numbers = tensor.detach().double().flatten()
    known = numbers[~numbers.isnan()]
    missing = numbers.numel() - known.numel()
    note = [f"{missing} are not a number"] if missing else []
    if not known.numel():
        return ["", "", "", *note] if note else []
    return [f"least {known.min():.6f}", f"largest {known.max():.6f}", f"mean {known.mean():.6f}", *note]


def _columns(rows: list[list[str]]) -> str:
    """Rows in columns, two spaces apart."""
    count = max(map(len, rows), default=0)
    widths = [max(len(row[k]) for row in rows if k < len(row)) for k in range(count)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows
    )


def _program(path: str) -> torch.export.ExportedProgram:
    """The program in an archive.

    Raises:
        torch2trt.Error: E0608 for what PyTorch does not read.
    """
    try:
        with number_functions():
            return torch.export.load(path)
    except Exception as refused:
        raise error(
            "E0608", f"{path} cannot be read by this PyTorch: {one_line(refused)}", "give what torch.export.save wrote"
        ) from refused


_COMMANDS: dict[str, Callable[[dict[str, Any]], None]] = {
    "bench": _bench,
    "build --fallback": _build,
    "coverage --fallback": _coverage,
    "export": _export,
    "run": _run,
}

__all__ = ["run"]
