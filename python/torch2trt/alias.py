"""`import tensorrt` on a machine without TensorRT's Python package, for those who ask for it.

This file must not know what `torch2trt.trt` holds.
"""

from __future__ import annotations

import importlib.util
import sys

from . import trt


def install_trt_alias() -> bool:
    """Makes `import tensorrt` give `torch2trt.trt` where no package of that name is installed.

    Call it once, before the modules that import tensorrt: converters written for NVIDIA's torch2trt then run
    unchanged. Nothing does this unasked.

    Returns:
        Whether `import tensorrt` now gives `torch2trt.trt`; False where the package itself is there.
    """
    installed = sys.modules.get("tensorrt")
    if installed is None and importlib.util.find_spec("tensorrt") is None:
        sys.modules["tensorrt"] = trt
    return sys.modules.get("tensorrt") is trt
