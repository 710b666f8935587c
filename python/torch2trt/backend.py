"""The choice of what runs a converted model, and why.

TensorRT is chosen where it is installed, can build for the GPU, and the model lives on that GPU; whoever keeps a
model on the CPU gets an engine that takes CPU tensors. It must not know how engines are made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from . import _core


def choose(
    backend: str, target: str | None, options: dict[str, Any], samples: list[torch.Tensor], module: Any
) -> tuple[str, str]:
    """The backend, "tensorrt" or "cpu", and why."""
    if backend != "auto":
        return backend, "asked for"
    if target is not None:
        return "tensorrt", f"a plan for {target} was asked for"
    if not torch.cuda.is_available():
        return "cpu", "no CUDA device is there"
    if not any(tensor.is_cuda for tensor in _tensors(samples, module)):
        return "cpu", "the model and its inputs are on the CPU; move them to cuda for TensorRT"
    return _tensorrt(options, torch.device("cuda", options["device"]))


def _tensorrt(options: dict[str, Any], device: torch.device) -> tuple[str, str]:
    try:
        version, path, targets = _core.find_tensorrt(options)
    except _core.Error as error:
        return "cpu", _first_line(error)
    name = torch.cuda.get_device_name(device)
    major, minor = torch.cuda.get_device_capability(device)
    if targets and f"sm_{major}{minor}" not in targets:
        return "cpu", f"{version} ({path}) does not build for {name} (sm_{major}{minor})"
    return "tensorrt", f"{version} and {name} are there"


def cuda_index(samples: list[torch.Tensor], module: Any) -> int:
    """The GPU that the inputs are on, or the model, or the current one; 0 without any."""
    for tensor in _tensors(samples, module):
        if tensor.is_cuda:
            return tensor.get_device()
    return torch.cuda.current_device() if torch.cuda.is_available() else 0


def _tensors(samples: list[torch.Tensor], module: Any) -> Iterable[torch.Tensor]:
    yield from samples
    if isinstance(module, torch.nn.Module):
        yield from module.parameters()
        yield from module.buffers()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].partition("]: ")[2] or str(error)


__all__ = ["choose", "cuda_index"]
