"""Layers that several composites are written with.

This file must not know which composites there are.
"""

from __future__ import annotations

import torch

from .._core import Size
from .emit import Emitter, Ref
from .enums import ElementWiseOperation, FillOperation, SampleMode
from .values import is_dynamic


def of(e: Emitter, op: ElementWiseOperation, a: Ref, b: Ref) -> Ref:
    """An element-wise layer of two operands."""
    return e.one("ElementWise", [a, b], op=op)


def product(e: Emitter, a: Ref, b: Ref) -> Ref:
    """The product, element by element."""
    return of(e, ElementWiseOperation.PROD, a, b)


def sliced(e: Emitter, x: Ref, start: list[int], size: list[Size], stride: list[int]) -> Ref:
    """A slice whose sizes may depend on the inputs; a stride of 0 repeats."""
    dynamic = is_dynamic(size)
    given = [x, None, e.sizes(size)] if dynamic else [x]
    known = [] if dynamic else [n.static_value for n in size]
    return e.one("Slice", given, start=start, size=known, stride=stride, mode=SampleMode.STRICT_BOUNDS)


def ramp(e: Emitter, size: Size) -> Ref:
    """0, 1, 2, …: int64."""
    if size.static_value is not None:
        return e.constant(torch.arange(size.static_value))
    fields = {"op": FillOperation.LINSPACE, "dims": [], "dtype": "int64", "alpha": 0.0, "beta": 1.0}
    return e.one("Fill", [e.sizes([size])], **fields)
