"""The choice of what runs a converted model, and why.

TensorRT is chosen where it is installed, can build for the GPU, and the model lives on that GPU; whoever keeps a
model on the CPU gets an engine that takes CPU tensors. It must not know how engines are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from . import _core


def choose(
    backend: str, target: str | None, options: Mapping[str, Any], samples: list[torch.Tensor], module: Any
) -> tuple[str, str]:
    """The backend, "tensorrt" or "cpu", and why."""
    on_gpu = any(tensor.is_cuda for tensor in _tensors(samples, module))
    reason = None if on_gpu else "the model and its inputs are on the CPU; move them to cuda for TensorRT"
    options = {**options, "backend": backend, "target": target}
    return _core.choose_backend(options, reason if torch.cuda.is_available() else "no CUDA device is there")


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


__all__ = ["choose", "cuda_index"]
