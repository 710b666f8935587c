"""The original's import path of the call and its converters; see `_convert.py` and `converters/`."""

from ._convert import coverage, torch2trt
from .module import TRTModule

__all__ = ["TRTModule", "coverage", "torch2trt"]
