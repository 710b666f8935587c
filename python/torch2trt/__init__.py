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
from .alias import install_trt_alias
from .converters import *  # noqa: F403  the names that scripts for NVIDIA's torch2trt take from here
from .converters import __all__ as _converters
from .module import TRTModule
from .report import Report

__all__ = ["Error", "Report", "TRTModule", "__version__", "coverage", "install_trt_alias", "torch2trt", *_converters]
