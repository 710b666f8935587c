"""Converters as users write them, one file a family, each with cases that `test_converters.py` converts with them.

The files are scripts for NVIDIA's torch2trt: plain functions of a context, registered by name. None of them knows
how torch2trt captures a model or what a network is here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from torch2trt import CONVERTERS
from torch2trt.converters import Registered

Inputs = Callable[[], tuple[torch.Tensor, ...]]


@dataclass(frozen=True)
class Case:
    """A model that calls a converted method.

    Attributes:
        name: unique in its file.
        uses: the methods whose converters must have been called.
        fn: a function of tensors, or a module.
        inputs: draws the inputs of the conversion and of a run.
        dynamic: dynamic sizes, as for `torch.export.export`.
        other: draws inputs of other sizes, for a dynamic case's second run.
        tolerance: largest error relative to the largest output.
        rtx: whether TensorRT-RTX has the layers; it has no sizes that depend on data.
    """

    name: str
    uses: tuple[str, ...]
    fn: Callable[..., Any]
    inputs: Inputs
    dynamic: Any = None
    other: Inputs | None = None
    tolerance: float = 1e-5
    rtx: bool = True


def floats(*shapes: tuple[int, ...]) -> Inputs:
    """Float tensors of both signs."""
    return lambda: tuple(torch.randn(shape) * 2 for shape in shapes)


def positive(*shapes: tuple[int, ...]) -> Inputs:
    """Float tensors away from zero."""
    return lambda: tuple(torch.rand(shape) * 3 + 0.1 for shape in shapes)


@dataclass(frozen=True)
class Script:
    """One file: what it registers, and its cases."""

    name: str
    converters: dict[str, Registered]
    cases: list[Case]


@cache
def scripts() -> list[Script]:
    """Every file of this package. Importing one registers its converters; they are taken out again."""
    found = []
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        before = dict(CONVERTERS)
        CONVERTERS.clear()
        try:
            module = importlib.import_module(f"{__name__}.{name}")
            found.append(Script(name, dict(CONVERTERS), module.CASES))
        finally:
            CONVERTERS.clear()
            CONVERTERS.update(before)
    return found
