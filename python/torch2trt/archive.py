"""`torch2trt.export`: everything that a conversion captures, as a `.pt2` archive that `torch2trt build` converts.

The archive is one of `torch.export.save`. An extra file holds what an exported program has no place for: the structure
of inputs and outputs, the names of dynamic dimensions, the ranges that were asked for, and the warnings of the capture.
`crates/archive/src/captured.rs` reads it.

This file must not know how models are captured or converted.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Sequence
from typing import Any

import torch

from . import _core, tree_file
from ._convert import defaults
from ._core import Error
from ._log import logger
from .accepted import Path
from .accepted import path as checked_path
from .arguments import Arguments, tensor_names
from .boundary import described
from .capture import Captured
from .capture.errors import noting, one_line
from .capture.exported import exported_program, number_functions, unreturned
from .conversion import Conversion, verify_on_the_cpu
from .errors import error, first_line
from .footprint import check_ranges
from .programs import captured_program
from .report import Report
from .samples import Samples, ShapeOptions, collect
from .version_utils import torch_version

EXTRA = "torch2trt_export.json"
"""The extra file of an archive."""

VERSION = 1
"""Of that file. Readers reject versions that they do not know."""


def export(
    module: torch.nn.Module,
    inputs: Any,
    path: Path,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    *,
    min_shapes: Any = None,
    opt_shapes: Any = None,
    max_shapes: Any = None,
    max_batch_size: int | None = None,
    dynamic_shapes: Any = None,
    kwargs: dict[str, Any] | None = None,
    verify: bool = True,
    progress: bool = True,
) -> None:
    """Writes a model into a `.pt2` archive that `torch2trt build` converts without Python.

    The archive holds what `torch2trt` captures of the model, so that both convert to the same network.
    `torch.export.load` reads it, too. Converters of your own are not applied: their calls stay operators of PyTorch.

    Args:
        module: the model, as for `torch2trt`; or a `torch.export.ExportedProgram`.
        inputs: sample inputs, as for `torch2trt`.
        path: where to write the archive, such as "model.pt2".
        input_names: names of the engine's input tensors, in order. Default: those of `forward`'s parameters.
        output_names: names of the engine's output tensors, in order.
        min_shapes: smallest shape of each input tensor, as for `torch2trt`.
        opt_shapes: the shapes that TensorRT tunes for. Default: those of the sample inputs.
        max_shapes: largest shape of each input tensor.
        max_batch_size: makes the batch dynamic, from 1 to this.
        dynamic_shapes: as for `torch.export.export`, which then decides which axes are dynamic.
        kwargs: further sample inputs, passed by keyword.
        verify: compare the model with the CPU engine, as `torch2trt` does, where every operator converts.
        progress: show a bar on standard error while it is a terminal.

    Raises:
        torch2trt.Error: where the model cannot be captured, or its program cannot be written; E0605 where the
            path cannot be written to; E0702 where the CPU engine differs from the model.
    """
    given = dict(locals())
    if torch_version() < "2.9":
        raise error("E0801", f"archives need PyTorch 2.9; this is {torch.__version__}", "pip install --upgrade torch")
    target = checked_path("path", given.pop("path"))
    arguments = Arguments.of({**defaults(), **given, "backend": "cpu"})
    bar = _core.ProgressBar(arguments.progress)
    with noting() as notes:
        shapes = ShapeOptions(**{name: getattr(arguments, name) for name in ShapeOptions.__dataclass_fields__})
        sampled = collect(module, arguments.inputs, arguments.kwargs, shapes)
        captured, program = captured_program(module, sampled, bar, converters=False)
    check_ranges(captured.program, sampled.profiles, "cpu")
    if rounded := described(captured.input_names, captured.inputs.dtypes):
        logger.warning("%s", rounded)
    chosen = tensor_names(arguments, captured.input_names, captured.output_names)
    if arguments.verify:
        conversion = Conversion(arguments, sampled, Report(), bar)
        conversion.captured = captured
        _verify(conversion, program, chosen)
    write(captured, sampled, chosen, notes, target)


Names = tuple[list[str], list[str]]
"""Of the engine's inputs and outputs."""


def _verify(conversion: Conversion, program: _core.Program, chosen: Names) -> None:
    """Compares the CPU engine with the model.

    Raises:
        torch2trt.Error: E0702 where they differ, E0307 where the model decides otherwise at other sizes.
    """
    ranges = conversion.sampled.ranges(chosen[0], conversion.captured.inputs.dtypes)
    options = {"input_names": chosen[0], "output_names": chosen[1], "profiles": ranges}
    try:
        conversion.network = program.convert({**options, "site_packages": _core.site_packages()})
    except Error as refused:
        logger.warning("the archive was not compared with the model: %s", first_line(refused))
        return
    verify_on_the_cpu(conversion)


def write(captured: Captured, sampled: Samples, chosen: Names, notes: Sequence[str], path: str) -> None:
    """Writes the archive of a captured model; `chosen` are the names of the engine's inputs and outputs.

    Raises:
        torch2trt.Error: E0601 and E0605, as `export`.
    """
    assert captured.graph is not None
    about = {
        "version": VERSION,
        "writer": f"torch2trt {_core.__version__}",
        "model": tree_file.to_json(captured.inputs, captured.outputs),
        "symbols": captured.program.renamed,
        "input_names": chosen[0],
        "output_names": chosen[1],
        "profiles": sampled.ranges(captured.input_names, captured.inputs.dtypes),
        "notes": list(notes),
        "unreturned": unreturned(captured.graph),
    }
    path = os.path.realpath(path)
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise OSError(f"{path} is not a regular file")
        # Next to the archive, which is replaced at once: the writer would leave half a file behind.
        with tempfile.TemporaryDirectory(prefix=".torch2trt-", dir=os.path.dirname(path)) as folder:
            made = os.path.join(folder, "model.pt2")
            _save(captured, made, {EXTRA: json.dumps(about)})
            os.replace(made, path)
    except OSError as refused:
        raise error(
            "E0605", f"the archive cannot be written: {refused}", "choose a path in a folder that exists"
        ) from refused


def _save(captured: Captured, path: str, extra: dict[str, str]) -> None:
    assert captured.graph is not None
    quiet = logging.getLogger("torch.export")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with torch.no_grad():
            program = exported_program(captured.graph, captured.inputs)
        with number_functions(program):
            torch.export.save(program, path, extra_files=extra)
    except OSError:
        raise
    except Exception as refused:  # whatever the serializer does not know
        raise error(
            "E0601",
            f"torch.export.save cannot write the captured program: {one_line(refused)}",
            "convert the model in this process: torch2trt(model, inputs).save(path) writes an engine file",
        ) from refused
    finally:
        quiet.setLevel(level)


__all__ = ["export"]
