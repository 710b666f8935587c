"""The stages of a call up to the network: samples, capture, backend, network or parts.

This file must not know how any stage is done.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import torch

from . import _core
from ._core import Error
from ._log import logger, show
from .arguments import Arguments, tensor_names
from .backend import choose, cuda_index
from .boundary import described
from .by_modules import by_modules
from .capture import ValuesDecideError
from .conversion import Conversion, timed
from .converters import CONVERTERS, Calls
from .converters.advice import advised
from .converters.calls import listed
from .engines import engine_of
from .errors import error
from .footprint import check_ranges
from .module import TRTModule
from .networks import describe, network_of, parts_of
from .partition.refusals import refusals
from .plugin_libraries import named_plugins
from .programs import captured_program, known_operators
from .report import Report
from .samples import ShapeOptions, collect


def convert(arguments: Arguments, to_build: bool = True) -> Conversion:
    """Model → network.

    Without `to_build`, the parts of a model that runs in PyTorch in part are described, and no engine is built.
    """
    show(arguments.log_level)
    report, bar = Report(), _core.ProgressBar(arguments.progress)
    sampled = collect(arguments.module, arguments.inputs, arguments.kwargs, ShapeOptions.of(arguments))
    conversion = Conversion(arguments, sampled, report, bar, to_build)
    with timed(report, "capture"):
        try:
            program = _capture(conversion)
        except ValuesDecideError as refused:
            program = None
            _by_modules(conversion, refused)
    _settle_options(conversion)
    if program is not None:
        _convert_program(conversion, program)
    describe(conversion)
    return conversion


def _capture(conversion: Conversion) -> _core.Program:
    """Model → program; chooses the backend."""
    report, to_cut = conversion.report, conversion.arguments.is_cut
    conversion.captured, program = captured_program(conversion.module, conversion.sampled, conversion.bar, to_cut)
    captured, profiles = conversion.captured, conversion.sampled.profiles
    report.nodes, report.traced_because = program.node_count, captured.traced_because
    conversion.operators = listed(program.coverage(), captured.opaque_calls)
    report.operators = {overload: calls for overload, calls, _ in conversion.operators}
    check_ranges(captured.program, profiles, "cpu")
    _choose(conversion, captured.inputs.samples)
    check_ranges(captured.program, profiles, report.backend)
    logger.info("using %s: %s", "the CPU engine" if report.backend == "cpu" else "TensorRT", report.reason)
    if rounded := described(captured.input_names, captured.inputs.dtypes):
        logger.warning("%s", rounded)
    return program


def _choose(conversion: Conversion, tensors: list[torch.Tensor]) -> None:
    arguments, module, report = conversion.arguments, conversion.module, conversion.report
    where = {"device": cuda_index(tensors, module), "site_packages": _core.site_packages()}
    options = {**where, "tensorrt": arguments.tensorrt}
    report.backend, report.reason = choose(arguments.backend, arguments.target, options, tensors, module)


def _convert_program(conversion: Conversion, program: _core.Program) -> None:
    """Program → network, or parts."""
    arguments, captured = conversion.arguments, conversion.captured
    calls = Calls(captured, CONVERTERS, arguments.given())
    conversion.calls = calls
    conversion.weights = [*(weight.tensor for weight in captured.program.weights), *calls.tensors()]
    refused = refusals(captured.whole, known_operators(), arguments.run_in_pytorch) if captured.whole else {}
    with timed(conversion.report, "convert"):
        if not refused:
            try:
                inputs = captured.inputs
                conversion.network = network_of(
                    program, conversion.options, conversion, inputs.samples, inputs.dtypes, captured
                )
                if conversion.report.backend == "cpu" and calls.plugins:
                    refused = captured.in_pytorch(calls.plugins)
                elif captured.whole is not None and conversion.report.backend == "tensorrt":
                    conversion.network.check_target()
            except Error as failed:
                refused = conversion.calls_of(failed)
                if not refused:
                    missing = (name for name, _, converts in conversion.operators if not converts)
                    raise advised(failed, missing) from failed.__cause__
        if refused:
            conversion.parts = parts_of(conversion, refused)


def _by_modules(conversion: Conversion, refused: Error) -> None:
    """The conversion of a model whose Python code runs in PyTorch."""
    arguments, sampled, report = conversion.arguments, conversion.sampled, conversion.report
    if arguments.target is not None:
        raise error(
            "E0701",
            "`target` was given for a model whose Python code decides by values, which runs in this process",
            "leave out `target`, and convert on the machine that runs the model",
        ) from refused
    tensors = sampled.tensors()
    _choose(conversion, tensors)
    on_gpu = report.backend == "tensorrt"
    device = torch.device("cuda", cuda_index(tensors, conversion.module)) if on_gpu else torch.device("cpu")
    quiet = max(arguments.log_level, logging.WARNING)
    inherited = replace(arguments, **_OF_A_PART, backend=report.backend, log_level=quiet)

    def convert_part(part: torch.nn.Module, args: Any, kwargs: dict[str, Any], shapes: dict[str, Any]) -> TRTModule:
        return engine_of(convert(replace(inherited, module=part, inputs=args, kwargs=kwargs, **shapes)))

    conversion.captured, conversion.parts = by_modules(conversion.module, sampled, device, refused, convert_part)
    show(arguments.log_level)


_OF_A_PART: dict[str, Any] = {
    **dict.fromkeys(("input_names", "output_names", "min_shapes", "opt_shapes", "max_shapes")),
    "max_batch_size": None,
    "dynamic_shapes": None,
    "fallback": True,
    "refittable": False,
}
"""Arguments of the conversion of a sub-module that differ from those of the whole model."""


def _settle_options(conversion: Conversion) -> None:
    """Completes the options: those that are declared in the Rust half, and what it cannot know."""
    arguments, captured = conversion.arguments, conversion.captured
    inputs, outputs = tensor_names(arguments, captured.input_names, captured.output_names)
    conversion.input_names, conversion.output_names = inputs, outputs
    conversion.device_index = cuda_index(captured.inputs.samples, conversion.module)
    conversion.options = {
        **arguments.declared(),
        "backend": conversion.report.backend,
        "input_names": inputs,
        "output_names": outputs,
        "verbose": arguments.log_level < logging.DEBUG,
        "plugins": named_plugins(arguments.plugins),
        "device": conversion.device_index,
        "site_packages": _core.site_packages(),
        "profiles": conversion.sampled.ranges(inputs, captured.inputs.dtypes),
    }


__all__ = ["convert"]
