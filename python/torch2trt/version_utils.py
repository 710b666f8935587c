"""Versions that compare with text, `trt_version() >= "8.0"`, as converters for NVIDIA's torch2trt ask for them.

This file must not know which TensorRT is installed: a converter is given the same network API with every one.
"""

from __future__ import annotations

import torch
from torch.torch_version import TorchVersion as Version

from . import trt


def trt_version() -> Version:
    """The version of TensorRT whose network API converters are given."""
    return Version(trt.__version__)


def torch_version() -> Version:
    """PyTorch's version."""
    return Version(torch.__version__)


__all__ = ["Version", "torch_version", "trt_version"]
