"""The call: capture, convert, engine, verify.

Holds the order of the stages and the choice of the backend; every stage is somewhere else.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from . import _core
from ._log import logger, show
from .capture import Captured, capture
from .module import TRTModule
from .report import Report
from .verify import check


def torch2trt(
    module: torch.nn.Module,
    inputs: Any,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    log_level: int = logging.INFO,
    *,
    kwargs: dict[str, Any] | None = None,
    backend: str = "auto",
    target: str | None = None,
    dynamic_shapes: Any = None,
    max_workspace_size: int | None = None,
    optimization_level: int | None = None,
    avg_timing_iterations: int | None = None,
    keep_network: bool = True,
    verify: bool = True,
    progress: bool = True,
    threads: int | None = None,
    tensorrt: str | None = None,
    onnxruntime: str | None = None,
) -> TRTModule:
    """Converts a PyTorch model.

    Args:
        module: the model, in evaluation mode; or a function of tensors.
        inputs: sample inputs: a list or tuple of positional arguments, a dict of keyword arguments, or one tensor.
        input_names: names of the engine's input tensors, in order. Default: those of `forward`'s parameters.
        output_names: names of the engine's output tensors, in order.
        log_level: what is shown on standard error (a `logging` level).
        kwargs: further sample inputs, passed by keyword.
        backend: "tensorrt", "cpu", or "auto": TensorRT where it and a GPU are there, the CPU engine elsewhere.
        target: GPU to build for, such as "sm_89". Default: the GPU of this machine. Naming one needs no GPU.
        dynamic_shapes: as for `torch.export.export`. Default: every size is that of the sample inputs.
        max_workspace_size: bytes of device memory that a layer may use while it runs.
        optimization_level: 0 (build fast) to 5 (search long).
        avg_timing_iterations: how often TensorRT times each tactic.
        keep_network: keep the network, for `model_trt.network`.
        verify: run the model and the engine on the sample inputs and compare.
        progress: show a bar on standard error while it is a terminal.
        threads: threads of the CPU engine. Default: one for each physical core.
        tensorrt: path of the TensorRT library to use.
        onnxruntime: path of the ONNX Runtime library to use.

    Returns:
        A module that is called like the model and returns what it returns.

    Raises:
        torch2trt.Error: with a stable `code` and `help`; see docs/errors.md.
    """
    show(log_level)
    report = Report()
    bar = _core.ProgressBar(progress)
    with _timed(report, "capture"):
        captured, program = _captured(module, inputs, kwargs, dynamic_shapes, bar)
        report.nodes, report.traced_because = program.node_count, captured.traced_because
    weights = [weight.tensor for weight in captured.program.weights]
    options = {
        "input_names": list(input_names or captured.input_names),
        "output_names": list(output_names or captured.output_names),
        "backend": backend,
        "target": target,
        "max_workspace_size": max_workspace_size,
        "optimization_level": optimization_level,
        "avg_timing_iterations": avg_timing_iterations,
        "threads": threads,
        "tensorrt": tensorrt,
        "onnxruntime": onnxruntime,
        "site_packages": _site_packages(),
    }
    with _timed(report, "convert"):
        network = program.convert(options)
        report.layers, report.weight_bytes = network.layer_count, network.weight_bytes
    report.backend, report.reason = _choose(backend, target)
    logger.info("using %s: %s", "the CPU engine" if report.backend == "cpu" else "TensorRT", report.reason)
    engine, plan = None, None
    with _timed(report, "engine"):
        if report.backend == "cpu":
            engine = network.cpu_engine()
            report.engine = engine.description
        else:
            plan = network.build(bar)
            report.plan, report.engine = plan.summary, f"TensorRT plan for {target or 'this GPU'}"
    addresses = set(engine.borrowed) if engine else set()
    borrowed = [weight for weight in weights if weight.data_ptr() in addresses]
    kept = network if keep_network else None
    made = TRTModule(engine, captured.inputs, captured.outputs, report, plan, borrowed, kept)
    if verify and engine:
        with _timed(report, "verify"):
            check(module, made, captured, report)
    return made


def coverage(
    module: torch.nn.Module, inputs: Any, kwargs: dict[str, Any] | None = None, dynamic_shapes: Any = None
) -> list[tuple[str, int, bool]]:
    """Every operator the model uses: (overload, number of calls, whether it converts). Builds nothing."""
    _, program = _captured(module, inputs, kwargs, dynamic_shapes, _core.ProgressBar(False))
    return program.coverage()


def _captured(
    module: Any, inputs: Any, kwargs: dict[str, Any] | None, dynamic_shapes: Any, bar: _core.ProgressBar
) -> tuple[Captured, _core.Program]:
    captured = capture(module, inputs, kwargs, dynamic_shapes, bar)
    builder = _core.ProgramBuilder()
    captured.walk(builder)
    return captured, builder.finish()


def _choose(backend: str, target: str | None) -> tuple[str, str]:
    """The backend and why."""
    if backend != "auto":
        return backend, "asked for"
    if target is not None:
        return "tensorrt", f"a plan for {target} was asked for"
    return "cpu", "no CUDA device is there"


def _site_packages() -> list[str]:
    """Folders where wheels lie that carry native libraries."""
    return [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]


@contextmanager
def _timed(report: Report, stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    report.seconds[stage] = time.perf_counter() - start


__all__ = ["coverage", "torch2trt"]
