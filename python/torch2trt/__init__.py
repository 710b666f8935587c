"""PyTorch to TensorRT.

    from torch2trt import torch2trt

    model_trt = torch2trt(model, [x])
    y = model_trt(x)

`torch2trt` captures the model, converts it and makes an engine: TensorRT where the model is on a GPU and
TensorRT is there, the CPU engine elsewhere. The result is a `TRTModule`, called like the model. Errors are
`torch2trt.Error` with a stable code and a help line.

Importing the package checks PyTorch and registers the operators of archives. Each public name imports its module when
it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import requirements as _requirements  # noqa: F401  first: it reports a missing or old PyTorch

# isort: split
import numpy as np
import torch

from . import archive_operators as _archive_operators  # noqa: F401  registers them
from . import converters
from . import torch2trt as _original_path  # noqa: F401  now, since a later import would replace the function
from ._core import Error, __version__
from .deferred import lazy_names

if TYPE_CHECKING:
    from . import capture as capture
    from . import trt
    from ._convert import torch2trt
    from .alias import install_trt_alias
    from .archive import export as export
    from .building import keep_builder
    from .converters import *  # noqa: F403  the names that scripts for NVIDIA's torch2trt take from here
    from .covered import coverage
    from .dataset import Dataset, FolderDataset, ListDataset, TensorBatchDataset
    from .dataset_calibrator import DEFAULT_CALIBRATION_ALGORITHM, DatasetCalibrator
    from .debugging import debug as debug
    from .file import inspect as inspect
    from .flatten_module import Flatten, Unflatten
    from .flattener import Flattener
    from .loading import load as load
    from .loading import load_plan
    from .module import TRTModule
    from .report import Report
    from .version_utils import Version, torch_version, trt_version
else:
    del torch2trt  # the module: the attribute is the function, as in NVIDIA's torch2trt
    __getattr__ = lazy_names(
        globals(),
        {
            "capture": [],
            "trt": [],
            "_convert": ["torch2trt"],
            "alias": ["install_trt_alias"],
            "archive": ["export"],
            "building": ["keep_builder"],
            "converters": converters.__all__,
            "covered": ["coverage"],
            "dataset": ["Dataset", "FolderDataset", "ListDataset", "TensorBatchDataset"],
            "dataset_calibrator": ["DEFAULT_CALIBRATION_ALGORITHM", "DatasetCalibrator"],
            "debugging": ["debug"],
            "file": ["inspect"],
            "flatten_module": ["Flatten", "Unflatten"],
            "flattener": ["Flattener"],
            "loading": ["load", "load_plan"],
            "module": ["TRTModule"],
            "report": ["Report"],
            "version_utils": ["Version", "torch_version", "trt_version"],
        },
    )

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
