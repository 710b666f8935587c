"""Which call of a model an engine gets wrong: `torch2trt.debug`.

The search is in the Rust half (crates/torch2trt/src/conversion/debug). This file must not know how it is done.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

import torch

from . import _core
from ._convert import defaults
from .arguments import Arguments
from .boundary import to_engine
from .capture import Captured, normalized
from .conversion import Conversion
from .converters import CONVERTERS, Calls
from .errors import Error, error
from .program_values import ProgramValues
from .programs import captured_program
from .samples import ShapeOptions, collect
from .stages import convert


@dataclass(frozen=True)
class Values:
    """The values of a tensor.

    Attributes:
        name: the layer that computes it, or the input of the network.
        kind: type and sizes, as "float32[1, 3]".
        min: the smallest finite value; None where there is none.
        max: the largest finite value.
        largest: the largest finite magnitude.
        infinite: number of infinite values.
        nan: number of NaNs.
        count: number of values.
    """

    name: str
    kind: str
    min: float | None
    max: float | None
    largest: float | None
    infinite: int
    nan: int
    count: int

    @classmethod
    def _of(cls, found: dict[str, Any]) -> Values:
        return cls(found["name"], found["kind"], **found["range"])


@dataclass(frozen=True)
class OutputError:
    """An output of the engine against the model's: max |model - engine| / max |model|."""

    name: str
    error: float
    tolerance: float


@dataclass(frozen=True)
class Suspect:
    """A call whose result is off by more than the tolerance where its inputs are PyTorch's values."""

    layer: str
    operator: str
    source: str
    error: float


@dataclass(frozen=True)
class Failure:
    """A model that does not become an engine, reduced to what still fails.

    Attributes:
        code: that of the error, as "E0303".
        message: the error.
        calls: the layers, or the call: dicts of "layer", "operator" and "source".
        of: number of layers, or of calls, that the model has.
    """

    code: str
    message: str
    calls: list[dict[str, str]]
    of: int


@dataclass(frozen=True)
class Diagnosis:
    """What `torch2trt.debug` found. `print` shows it.

    Attributes:
        diverges: whether an output differs by more than the tolerance.
        outputs: the errors of the outputs.
        layer: the layer of the engine's network that is wrong; None where nothing diverges, or no call is to blame.
        operator: the call of the model, as "aten.conv2d.default".
        module: the path of its module.
        source: its place, as "model.py:12".
        kind: "own": from PyTorch's inputs, its result differs. "amplified": its small error is amplified by the rest of
            the model. "accumulated": no call alone is to blame, and this is the first result that differs.
        stage: of a call of kind "own", what makes it wrong: "conversion" (the converter: the network is wrong before
            any pass), "passes" (a pass, or the engine), or "precision".
        error: that of its result.
        tolerance: the largest error that is accepted.
        merged: calls that are one with it in the engine, such as a folded batch norm.
        expected: PyTorch's values of its result.
        engine: the engine's.
        inputs: PyTorch's values of what it reads.
        suspects: every call with an error of its own above the tolerance, whether it harms the outputs or not.
        failure: where no engine can be made: the error, and the layers or the call that fail alone.
        reproducer: the folder that was written.
    """

    diverges: bool
    outputs: list[OutputError]
    layer: str | None = None
    operator: str | None = None
    module: str | None = None
    source: str | None = None
    kind: str | None = None
    stage: str | None = None
    error: float | None = None
    tolerance: float | None = None
    merged: list[str] = field(default_factory=list)
    expected: Values | None = None
    engine: Values | None = None
    inputs: list[Values] = field(default_factory=list)
    suspects: list[Suspect] = field(default_factory=list)
    failure: Failure | None = None
    reproducer: str | None = None
    text: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self.text

    @classmethod
    def _of(cls, text: str, found: dict[str, Any]) -> Diagnosis:
        fault = found["fault"] or {}
        own = ("layer", "operator", "module", "source", "kind", "stage", "tolerance")
        return cls(
            diverges=found["diverges"],
            outputs=[OutputError(**{**row, "error": _error(row["error"])}) for row in found["outputs"]],
            **{name: fault.get(name) for name in own},
            error=_error(fault["error"]) if fault else None,
            merged=fault.get("merged", []),
            expected=Values._of(fault["expected"]) if fault else None,
            engine=Values._of(fault["engine"]) if fault else None,
            inputs=[Values._of(row) for row in fault.get("inputs", [])],
            suspects=[Suspect(**{**row, "error": _error(row["error"])}) for row in found["suspects"]],
            failure=Failure(**found["failure"]) if found["failure"] else None,
            reproducer=found["reproducer"],
            text=text,
        )


def _error(found: float | None) -> float:
    """JSON has no infinity."""
    return float("inf") if found is None else found


def debug(
    module: Any,
    inputs: Any,
    *,
    on: Any = None,
    max_error: float | None = None,
    memory: int | None = None,
    output: str | os.PathLike[str] | None = None,
    **arguments: Any,
) -> Diagnosis:
    """Names the call of a model that an engine gets wrong, on the inputs of one call.

        print(torch2trt.debug(model, [x], fp16_mode=True))

    The model is converted as `torch2trt` converts it. Each call of the engine's network then gets PyTorch's values as
    inputs, and its result is compared with PyTorch's. Of those that differ, the first that makes the outputs wrong is
    named.

    Args:
        module: the model, as for `torch2trt`.
        inputs: sample inputs, as for `torch2trt`.
        on: the inputs on which the engine is wrong. Default: the sample inputs.
        max_error: the largest relative error that is accepted, max |PyTorch - engine| / max |PyTorch|. Default: what
            the precision explains.
        memory: MiB of values that are compared at a time. Where they do not fit, the network is halved, and halves
            whose results agree are left alone. Default: half of the free memory.
        output: a folder for a reproducer: the part of the network that is wrong, its inputs, and the right result.
            `torch2trt debug FOLDER` runs it.
        arguments: further arguments of `torch2trt`.

    A model that cannot be converted or built is reduced to the call, or the smallest network, that fails alone.

    Raises:
        torch2trt.Error: as `torch2trt`, but for E0702 and errors of single calls and of builds; E0701 for a model with
            parts in PyTorch; E0702 where the captured program differs from the model in PyTorch itself.
    """
    known = defaults()
    given = {name: value for name, value in arguments.items() if name in known}
    legacy = {name: value for name, value in arguments.items() if name not in known}
    asked = {**known, "progress": False, **given, "module": module, "inputs": inputs, "legacy": legacy}
    checked, folder = Arguments.of(asked), None if output is None else os.fspath(output)
    try:
        conversion = convert(checked, to_build=False)
    except Error as failed:
        if failed.code not in _OF_CALLS or (reduced := _reduced(checked, folder)) is None:
            raise
        return reduced
    if conversion.parts is not None or conversion.calls is None:
        raise error(
            "E0701",
            "a model with parts in PyTorch was given: each of its engines is a model of its own",
            "leave out fallback, or debug the module that an engine is made from",
        )
    captured = conversion.captured
    tensors = _tensors(conversion, on)
    values = ProgramValues(module, captured, tensors)
    _check_program(values, captured)
    builder = _core.ProgramBuilder()
    captured.walk(builder)
    plain = builder.finish().convert(conversion.options, conversion.calls, plainly=True)
    computed_in = sorted({dtype for dtypes in captured.computed_in for dtype in dtypes})
    text, found = conversion.network.debug(
        plain, to_engine(tensors, captured.inputs.dtypes), values, computed_in, max_error, memory, folder
    )
    return Diagnosis._of(text, json.loads(found))


_OF_CALLS = ("E0101", "E0102", "E0103", "E0107")
"""Errors about a call that does not convert."""


def _reduced(arguments: Arguments, folder: str | None) -> Diagnosis | None:
    """The call that does not convert, alone."""
    sampled = collect(arguments.module, arguments.inputs, arguments.kwargs, ShapeOptions.of(arguments))
    captured, program = captured_program(arguments.module, sampled, _core.ProgressBar(False))
    options = {**arguments.declared(), "backend": "cpu", "site_packages": _core.site_packages()}
    found = program.debug(options, Calls(captured, CONVERTERS, arguments.given()), folder)
    return None if found is None else Diagnosis._of(found[0], json.loads(found[1]))


def _tensors(conversion: Conversion, on: Any) -> list[torch.Tensor]:
    """The inputs to debug on, in the order of the model's."""
    if on is None:
        return [sample.detach() for sample in conversion.sampled.given.samples]
    return conversion.captured.flatten_inputs(*normalized(on, conversion.arguments.kwargs))


def _check_program(values: ProgramValues, captured: Captured) -> None:
    """Rejects a program that is not the model's: no engine of it can be right.

    Raises:
        torch2trt.Error: E0702.
    """
    pairs = zip(values.outputs(), values.program_outputs(), captured.outputs.names, captured.computed_in, strict=True)
    for expected, got, name, computed_in in pairs:
        compared = _core.compare(expected, got, computed_in, None, False, expected.is_cuda)
        if not compared.is_rounding:
            raise error(
                "E0702",
                f"output `{name}` of the captured program differs from the model in PyTorch: relative error "
                f"{compared.difference:.1e}",
                "pass random numbers as inputs; a model without any is captured wrong: please report it",
            )


__all__ = ["Diagnosis", "Failure", "OutputError", "Suspect", "Values", "debug"]
