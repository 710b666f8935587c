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
from .torch2trt import *  # noqa: F403  what scripts for NVIDIA's torch2trt take from here
from .torch2trt import __all__ as _names
from ._convert import torch2trt  # after the submodule of that name, so that the attribute is the function
from .alias import install_trt_alias
from .file import inspect
from .loading import load, load_plan
from .report import Report

__all__ = ["Error", "Report", "__version__", "inspect", "install_trt_alias", "load", "load_plan", *_names]
