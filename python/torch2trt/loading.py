"""Loading converted models from files.

This file must not know the bytes of the format.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .accepted import Path
from .accepted import path as checked_path
from .deciding import PythonModel
from .errors import error
from .file import engine_from, inspect, load_options
from .module import TRTModule
from .partition.engine import PartitionedEngine
from .partition.file import LoadPython


def load(path: Path, *, module: torch.nn.Module | None = None, **options: Any) -> TRTModule:
    """A converted model from the engine file that `model_trt.save(path)` wrote.

    Args:
        path: the file.
        module: the model that was converted, with its weights. Needed for a model with data-dependent control flow in
            Python: its file holds engines for its sub-modules. See docs/fallback.md.
        **options: how it runs.

            - `device`: GPU to run on, as torch names them. Default: the current one. The CPU engine has none.
            - `use_cuda_graph`: as for `torch2trt`.
            - `trusted`: lets a version-compatible plan bring host code of its own. Only for files that you would run.
            - `threads`: threads of the CPU engine.
            - `tensorrt`: path of the TensorRT library to use.
            - `plugins`: plugin libraries that a plan needs, such as "libmyplugin.so".
            - `onnxruntime`: path of the ONNX Runtime library to use.

    Raises:
        torch2trt.Error: E0605 for a damaged file, E0604 for a plan that cannot run here, E0701 for options that do not
            fit, E0301 and E0501 where the library is missing.
    """
    path = checked_path("path", path)
    device = options.get("device")
    if isinstance(device, (str, torch.device)) and str(device) == "cpu" and not inspect(path).get("built"):
        del options["device"]  # where the CPU engine runs anyway
    return _loaded(path, options, module)


def load_plan(path: Path, **options: Any) -> TRTModule:
    """A plain TensorRT plan as a module: tensors in the plan's order in, one tensor or a tuple of them out.

    Args:
        path: the file, as TensorRT, trtexec or `model_trt.save_plan` wrote it.
        options: as for `load`.

    Raises:
        torch2trt.Error: E0605 for a file that cannot be read, E0604 for a plan that cannot run here, E0301 without
            TensorRT.
    """
    try:
        with open(checked_path("path", path), "rb") as file:
            plan = file.read()
    except OSError as refused:
        raise error("E0605", f"the plan cannot be read: {refused}", "give the path of a plan file") from refused
    return _loaded(plan, options)


def _loaded(source: bytes | str, options: dict[str, Any], module: Any = None) -> TRTModule:
    settled = load_options(**options)
    python = None if module is None else _into(module, options)
    made = TRTModule(*engine_from(source, None, None, settled, python))
    made.run_options = {name: value for name, value in options.items() if name != "device"}
    if module is not None:
        _settle(made)
    return made


def _settle(made: TRTModule) -> None:
    """Checks a model that was loaded into its module, and watches the module's weights.

    Raises:
        torch2trt.Error: E0701 for a file that needs no module, E0404 for a module on another device.
    """
    engine: Any = made.engine
    if not isinstance(engine, PartitionedEngine) or not engine.is_python:
        raise error("E0701", "`module` was given, and the file holds a model without Python code", "leave out `module`")
    weights = [weight for step in engine.steps for weight in step.weights]  # engines hold their values
    elsewhere = next((weight.device for weight in weights if str(weight.device) != engine.device), None)
    if elsewhere is not None:
        raise error(
            "E0404",
            f"the module is on {elsewhere}, and its engines run on {engine.device}",
            f'move it there first: module.to("{engine.device}")',
        )
    made.become(engine, weights)


def _into(module: Any, options: dict[str, Any]) -> LoadPython:
    """Puts the engines of a file in the place of a model's sub-modules."""

    def load_part(data: bytes, original: torch.nn.Module) -> TRTModule:
        return TRTModule(*engine_from(data, None, None, load_options(**options), _into(original, options)))

    def python(about: dict[str, Any], model: dict[str, Any], read: Callable[[str], bytes]) -> PythonModel:
        return PythonModel.loaded(module, about, model, read, load_part)

    return python


__all__ = ["load", "load_plan"]
