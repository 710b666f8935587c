"""Engine files and plans: from bytes to what a `TRTModule` holds.

This file must not know the bytes of the format, nor how engines are made.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch

from . import _core, tree_file
from .accepted import Path, checked, rejected, shown
from .accepted import path as checked_path
from .arguments import LoadOptions
from .capture.tree import InputTree, OutputTree
from .errors import error
from .partition.engine import PartitionedEngine
from .partition.file import LoadPython, describe, is_partitioned, read
from .plugin_libraries import named_plugins
from .report import Report

Parts = tuple[_core.Engine | PartitionedEngine, InputTree, OutputTree, Report]
"""What a module is filled with."""


def inspect(path: Path) -> dict[str, Any]:
    """The manifest of an engine file: versions, GPU, names, shapes, dtypes, options, accuracy. Needs no GPU.

    Raises:
        torch2trt.Error: E0605 for what is no engine file, or a damaged one.
    """
    path = checked_path("path", path)
    return describe(path) if is_partitioned(path) else json.loads(_core.read_manifest(path))


def load_options(
    device: Any = None,
    use_cuda_graph: bool | str = "auto",
    trusted: bool = False,
    threads: int | None = None,
    tensorrt: str | None = None,
    plugins: Sequence[str] = (),
    onnxruntime: str | None = None,
) -> LoadOptions:
    """The options of loading, as the Rust half reads them.

    Raises:
        torch2trt.Error: E0701 for a device that is no GPU, or fewer than 1 thread.
    """
    given = {
        "use_cuda_graph": use_cuda_graph,
        "trusted": trusted,
        "threads": threads,
        "tensorrt": tensorrt,
        "onnxruntime": onnxruntime,
        "plugins": plugins,
    }
    taken = checked(given)
    return LoadOptions(
        device=_index(device),
        use_cuda_graph=taken["use_cuda_graph"],
        trusted=taken["trusted"],
        threads=taken["threads"],
        tensorrt=taken["tensorrt"],
        plugins=named_plugins(taken["plugins"]),
        onnxruntime=taken["onnxruntime"],
        site_packages=_core.site_packages(),
    )


def engine_from(
    source: bytes | str,
    input_names: list[str] | None,
    output_names: list[str] | None,
    options: LoadOptions | None = None,
    python: LoadPython | None = None,
) -> Parts:
    """An engine from an engine file (bytes or path), or from the bytes of a plain plan.

    `python` creates the part that runs Python code of a model between engines.

    Raises:
        torch2trt.Error: E0605 for a damaged file or names that are not the engine's, E0604 for a plan that cannot
            run here.
    """
    options = options or load_options()
    if is_partitioned(source):
        return _from_parts(source, options, python or _without_module)
    if isinstance(source, bytes) and not _core.is_engine_file(source):
        return _from_plan(source, input_names, output_names, options)
    engine, text = _core.load_engine(source, options)
    manifest = json.loads(text)
    inputs, outputs = tree_file.from_json(manifest.get("model") or {})
    built = manifest.get("built")
    report = Report(
        backend="tensorrt" if built else "cpu",
        reason="as saved",
        engine=engine.description,
        difference=manifest.get("accuracy", {}),
        options=manifest.get("options", {}),
        recorded=[(name, value) for name, value in manifest.get("conversion", [])],
        plan=[("built by", built["tensorrt"]), ("built for", built["gpu"])] if built else [],
    )
    return engine, inputs, outputs, report


def _without_module(about: dict[str, Any], model: dict[str, Any], data: Any) -> Any:
    """Rejects a file that needs the Python code of its model.

    Raises:
        torch2trt.Error: E0605.
    """
    raise error(
        "E0605",
        f"the file holds engines for sub-modules of `{about['class'].rpartition('.')[2]}`, and not its Python code",
        "give the model that was converted, with its weights: torch2trt.load(path, module=model)",
    )


def _from_parts(source: bytes | str, options: LoadOptions, python: LoadPython) -> Parts:
    engine, description, partitions = read(source, options, python)
    inputs, outputs = tree_file.from_json(description.get("model") or {})
    report = Report(
        backend="cpu" if engine.device_index is None else "tensorrt",
        reason="as saved",
        engine=engine.description,
        difference=description.get("accuracy", {}),
        options=description.get("options", {}),
        recorded=[(name, value) for name, value in description.get("conversion", [])],
        partitions=partitions,
    )
    engine.partitions = partitions
    return engine, inputs, outputs, report


def _from_plan(
    plan: bytes, input_names: list[str] | None, output_names: list[str] | None, options: LoadOptions
) -> Parts:
    engine = _core.load_plan(plan, options)
    for side, given, ios in (("inputs", input_names, engine.inputs), ("outputs", output_names, engine.outputs)):
        own = [name for name, _, _ in ios]
        if given is not None and list(given) != own:
            raise error(
                "E0605", f"the plan's {side} are {own}, and {list(given)} were given", "give them in the plan's order"
            )
    trees = tree_file.plain([name for name, _, _ in engine.inputs], [name for name, _, _ in engine.outputs])
    report = Report(backend="tensorrt", reason="a plan was given", engine=engine.description)
    return (engine, *trees, report)


def bytes_of(data: Any, key: str) -> bytes:
    """The bytes of an engine in a state dict.

    Raises:
        torch2trt.Error: E0605 for what is no engine.
    """
    with suppress(Exception):  # a tensor without memory, or a buffer of another kind
        if isinstance(data, torch.Tensor) and data.dtype == torch.uint8:
            return data.cpu().contiguous().numpy().tobytes()
        if isinstance(data, (bytes, bytearray, memoryview)):
            return bytes(data)
    raise error(
        "E0605",
        f"`{key}` in the state dict is {shown(data)}, and no engine",
        "load what model_trt.state_dict() returned",
    )


def _index(device: Any) -> int:
    given = device
    try:
        if isinstance(device, bool):
            raise TypeError
        device = (
            torch.device("cuda", device)
            if isinstance(device, int)
            else torch.device("cuda" if device is None else device)
        )
    except Exception as refused:  # what torch raises differs from value to value
        raise rejected("device", given, 'give a GPU such as device="cuda:0", or leave it out') from refused
    if device.type != "cuda":
        raise error(
            "E0701",
            f"`device` is {device}, and TensorRT runs on GPUs",
            'give a GPU such as device="cuda:0", or leave it out',
        )
    if device.index is not None:
        return device.index
    return torch.cuda.current_device() if torch.cuda.is_available() else 0


__all__ = ["Parts", "bytes_of", "engine_from", "inspect", "load_options"]
