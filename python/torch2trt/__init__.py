"""PyTorch to TensorRT.

    from torch2trt import torch2trt

    model_trt = torch2trt(model, [x])
    y = model_trt(x)

`torch2trt` captures the model, converts it and makes an engine: TensorRT where it and a GPU are there, the CPU
engine elsewhere. The result is a `TRTModule`, called like the model. Errors are `torch2trt.Error` with a stable
code and a help line.
"""

from __future__ import annotations

from ._core import Error, __version__
from ._convert import coverage, torch2trt
from .module import TRTModule
from .report import Report

__all__ = ["Error", "Report", "TRTModule", "__version__", "coverage", "torch2trt"]
