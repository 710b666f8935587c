"""Several conversions in a row without loading TensorRT's kernels for each.

This file must not know how an engine is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import _core
from .file import load_options


@contextmanager
def keep_builder(device: Any = None, tensorrt: str | None = None, target: str | None = None) -> Iterator[None]:
    """Keeps TensorRT's builder, and with it the kernels it has loaded, from one conversion to the next.

        with torch2trt.keep_builder():
            encoder_trt = torch2trt(encoder, [x])
            decoder_trt = torch2trt(decoder, [y])

    TensorRT 8.6 takes some 10 s to load its kernels, before every build that finds none loaded. Kept, they take some
    3 GB of host memory and 0.7 GB of the GPU's until the block ends.

    Args:
        device: the GPU that is built on, as torch names them. Default: the current one.
        tensorrt: path of the TensorRT library, as for `torch2trt`.
        target: the GPU that is built for, where it is another machine's.

    Raises:
        torch2trt.Error: E0301 without TensorRT, E0604 without the GPU.
    """
    kept = _core.RetainedBuilder({**load_options(device=device, tensorrt=tensorrt), "target": target})
    try:
        yield
    finally:
        kept.close()


__all__ = ["keep_builder"]
