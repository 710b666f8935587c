"""From a network, or the parts of a model, to a module that runs, compared with PyTorch.

This file must not know how models are captured.
"""

from __future__ import annotations

import json
from typing import Any

from . import _core
from ._core import Error
from ._log import logger
from .arguments import RUN_OPTIONS
from .capture.preserve import as_module
from .conversion import Conversion, timed, verify_on_the_cpu
from .errors import brief
from .module import TRTModule
from .networks import describe, parts_of
from .replaced import replaced
from .report import Report


def engine_of(conversion: Conversion) -> TRTModule:
    """Network → module: makes the engine, compares."""
    network, captured, report = conversion.network, conversion.captured, conversion.report
    arguments, target = conversion.arguments, conversion.arguments.target
    engine: Any = None
    plan: Any = None
    with timed(report, "engine"):
        if conversion.parts is None:
            engine, plan = _built(conversion)
        if (parts := conversion.parts) is not None:
            engine, plan = (None, parts.plan) if parts.plan else (parts.engine, None)
            if engine is not None and arguments.use_cuda_graph is True and engine.device_index is not None:
                engine.replay_whole_calls()
            report.engine = parts.plan.description_for(target or "") if parts.plan else engine.description
    if plan is not None and target is None:
        with timed(report, "load"):
            engine, plan = plan.engine(), None
            report.engine = engine.description
    # Where nothing but plugins sends calls to PyTorch, the network is that of the whole model.
    is_whole = conversion.parts is None or bool(conversion.calls and conversion.calls.plugins)
    kept = network if arguments.keep_network and is_whole else None
    report.model = type(as_module(conversion.module)).__name__
    found = _found(report)
    settled = {name: found.get(name, conversion.options[name]) for name in _PATTERNS}
    report.options = json.loads(_core.recorded_options({**conversion.options, **settled}))
    made = TRTModule(engine, captured.inputs, captured.outputs, report, plan, conversion.weights, kept)
    made.run_options = {name: conversion.options[name] for name in RUN_OPTIONS}
    made.run_options["trusted"] = arguments.version_compatible  # a plan of this process
    made._replaced = replaced(as_module(conversion.module))
    if arguments.refittable:
        made.conversion_arguments = {**arguments.given(), **found}
    if arguments.verify:
        if engine is not None:
            conversion.verify(made)
        else:
            verify_on_the_cpu(conversion)
    if getattr(engine, "whole", None) is not None:
        report.cuda_graph = engine.whole.state
    return made


def _found(report: Report) -> dict[str, Any]:
    """The arguments that give what a precision search found, without a search."""
    if not report.searches:
        return {}
    every = {name: [each for search in report.searches for each in search[name]] for name in _PATTERNS}
    found = {name: list(dict.fromkeys(patterns)) for name, patterns in every.items()}
    return {"precision": None, "tolerance": None, "metric": None, **found}


_PATTERNS = ("keep_fp32", "keep_unquantized")
"""The arguments with which a search reports what it found."""


def _built(conversion: Conversion) -> tuple[Any, Any]:
    """The engine or the plan of a network that is a whole model; neither, where building it led to parts."""
    network, report = conversion.network, conversion.report
    try:
        if report.backend == "cpu":
            engine = network.cpu_engine()
            report.engine = engine.description
            return engine, None
        plan = network.build(conversion.bar)
    except Error as failed:
        refused = conversion.calls_of(failed)
        if not refused:
            raise
        logger.warning("the model cannot be built as one engine: %s", brief(failed))
        conversion.parts = parts_of(conversion, refused)
        describe(conversion)
        return None, None
    report.plan, report.engine = plan.summary, f"TensorRT plan for {conversion.arguments.target}"
    return None, plan


__all__ = ["engine_of"]
