"""PyTorch to TensorRT.

    from torch2trt import torch2trt

    model_trt = torch2trt(model, [x])
    y = model_trt(x)

`torch2trt` captures the model, converts it and makes an engine: TensorRT where the model is on a GPU and
TensorRT is there, the CPU engine elsewhere. The result is a `TRTModule`, called like the model. Errors are
`torch2trt.Error` with a stable code and a help line.
"""

from __future__ import annotations

from . import requirements as _requirements  # noqa: F401  first: it reports a missing or old PyTorch

# isort: split
from . import converters, trt
from ._core import Error, __version__
from .alias import install_trt_alias
from .archive import export as export
from .building import keep_builder
from .converters import *  # noqa: F403  the names that scripts for NVIDIA's torch2trt take from here
from .debugging import debug as debug
from .file import inspect as inspect
from .loading import load as load
from .loading import load_plan
from .report import Report
from .torch2trt import (
    DEFAULT_CALIBRATION_ALGORITHM,
    Dataset,
    DatasetCalibrator,
    Flatten,
    Flattener,
    FolderDataset,
    ListDataset,
    TensorBatchDataset,
    TRTModule,
    Unflatten,
    Version,
    coverage,
    np,
    torch,
    torch_version,
    trt_version,
)

# isort: split
from ._convert import torch2trt  # after the submodule of that name, so that the attribute is the function

# What a star takes: the names that scripts for NVIDIA's torch2trt take, and none that Python's own modules have.
__all__ = [
    "DEFAULT_CALIBRATION_ALGORITHM",
    "Dataset",
    "DatasetCalibrator",
    "Error",
    "Flatten",
    "Flattener",
    "FolderDataset",
    "ListDataset",
    "Report",
    "TRTModule",
    "TensorBatchDataset",
    "Unflatten",
    "Version",
    "__version__",
    "coverage",
    "install_trt_alias",
    "keep_builder",
    "load_plan",
    "np",
    "torch",
    "torch2trt",
    "torch_version",
    "trt",
    "trt_version",
]
__all__ += converters.__all__

# Public as well, but not for a star: Python's own modules have these names, or they are documented as modules.
_NOT_STARRED = ("converters", "debug", "export", "inspect", "load")


def __dir__() -> list[str]:
    """The public names: not the modules and helpers that importing them leaves behind."""
    dunders = (name for name in globals() if name.startswith("__") and name.endswith("__"))
    return sorted({*__all__, *_NOT_STARRED, *dunders})
