"""The original's import path of the call, the converters' tools and the classes around them.

Nothing is defined here: `_convert.py` has the call, `converters/` the tools, `dataset.py`, `flattener.py` and
`module.py` the classes. `np`, `torch` and `trt` are here because scripts take them from here with a star. The package's
attribute of the same name is the function, as it was in the original.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from . import converters
from .deferred import lazy_names

if TYPE_CHECKING:
    from . import trt
    from ._convert import torch2trt
    from .converters import *  # noqa: F403  the names that scripts for NVIDIA's torch2trt take from here
    from .covered import coverage
    from .dataset import Dataset, FolderDataset, ListDataset, TensorBatchDataset
    from .dataset_calibrator import DEFAULT_CALIBRATION_ALGORITHM, DatasetCalibrator
    from .flatten_module import Flatten, Unflatten
    from .flattener import Flattener
    from .module import TRTModule
    from .version_utils import Version, torch_version, trt_version

__all__ = [
    "DEFAULT_CALIBRATION_ALGORITHM", "Dataset", "DatasetCalibrator", "Flatten", "Flattener", "FolderDataset",
    "ListDataset", "TRTModule", "TensorBatchDataset", "Unflatten", "Version", "coverage", "np", "torch", "torch2trt",
    "torch_version", "trt", "trt_version",
]  # fmt: skip
__all__ += converters.__all__

if not TYPE_CHECKING:
    __getattr__ = lazy_names(globals(), {"": __all__})  # the package has all of them
