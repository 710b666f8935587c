"""The package's log: one logger, shown on standard error unless the application configured logging itself.

TensorRT's own messages go to `torch2trt.tensorrt`, ONNX Runtime's to `torch2trt.onnxruntime`. Their errors are raised
and TensorRT's warnings stand in the report anyway, so both are shown only to those who ask for debugging. This file
must not know what is logged.
"""

from __future__ import annotations

import logging

from . import _core

VERBOSE = 5
"""The level of what TensorRT calls verbose: every tactic that it tries."""

logger = logging.getLogger("torch2trt")
_libraries = [logging.getLogger(f"torch2trt.{name}") for name in ("tensorrt", "onnxruntime")]


def show(level: int = logging.INFO) -> None:
    """Makes messages of `level` and above visible where nobody else takes them."""
    logger.setLevel(level)
    for library in _libraries:
        library.setLevel(level if level <= logging.DEBUG else logging.CRITICAL + 1)
    _core.set_log_level(level)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        logger.addHandler(handler)
