"""Loading converted models from files.

This file must not know the bytes of the format.
"""

from __future__ import annotations

from typing import Any

import torch

from .accepted import Path, path as checked_path
from .errors import error
from .file import engine_from, inspect, load_options
from .module import TRTModule


def load(path: Path, **options: Any) -> TRTModule:
    """A converted model from the engine file that `model_trt.save(path)` wrote.

    Args:
        path: the file.
        device: GPU to run on, as torch names them. Default: the current one. The CPU engine has none.
        use_cuda_graph: as for `torch2trt`.
        trusted: lets a version-compatible plan bring host code of its own. Only for files that you would run.
        threads: threads of the CPU engine.
        tensorrt: path of the TensorRT library to use.
        plugins: plugin libraries that a plan needs, such as "libmyplugin.so".
        onnxruntime: path of the ONNX Runtime library to use.

    Raises:
        torch2trt.Error: E0605 for a damaged file, E0604 for a plan that cannot run here, E0701 for options that do not
            fit, E0301 and E0501 where the library is missing.
    """
    path = checked_path("path", path)
    device = options.get("device")
    if isinstance(device, (str, torch.device)) and str(device) == "cpu" and not inspect(path).get("built"):
        del options["device"]  # where the CPU engine runs anyway
    return _loaded(path, options)


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


def _loaded(source: bytes | str, options: dict[str, Any]) -> TRTModule:
    made = TRTModule(*engine_from(source, None, None, load_options(**options)))
    made.run_options = {name: value for name, value in options.items() if name != "device"}
    return made


__all__ = ["load", "load_plan"]
