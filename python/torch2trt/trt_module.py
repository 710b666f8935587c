"""The original's import path of the converted module; see `module.py`."""

from .module import TRTModule

__all__ = ["TRTModule"]
