"""Operator suites: one file a family, each a list of cases; `test_operators.py` runs them over every backend.

A case is a small function of tensors with inputs that are drawn anew for each run. The suites know nothing of
converters or layers: they state in PyTorch what has to come out. Tolerances are the operator table's, so that the
documentation and the tests cannot disagree; a case names its own only where it joins several operators.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch

Inputs = Callable[[], tuple[torch.Tensor, ...]]


@dataclass(frozen=True)
class Case:
    """One call of an operator.

    Attributes:
        name: what is special about the case; unique in its family.
        fn: a function of tensors, or a module.
        inputs: draws the inputs of the conversion and of a run.
        dynamic: dynamic sizes, as for `torch.export.export`.
        other: draws inputs of other sizes, for a dynamic case's second run.
        tolerance: largest error relative to the largest output; by default the operator table's.
        refused: a pattern that the error has to match, for a case that must not convert.
        unbuilt: a pattern that the error has to match where TensorRT-RTX cannot build what converts.
        exact: whether to compare with PyTorch's values in float64, where those in float32 are off by the tolerance.
    """

    name: str
    fn: Callable[..., Any]
    inputs: Inputs
    dynamic: Any = None
    other: Inputs | None = None
    tolerance: float | None = None
    refused: str | None = None
    unbuilt: str | None = None
    exact: bool = False


class Function(torch.nn.Module):
    """A function of tensors as a module in evaluation mode."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        super().__init__()
        self.fn = fn
        self.eval()

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.fn(*inputs)


def dims(*axes: dict[int, str], least: int = 1) -> tuple[tuple[dict[int, Any], ...]]:
    """Dynamic sizes for `Function`: for each input a dict from axis to symbol name.

    All symbols but the batch `n` start at `least`.
    """
    symbols: dict[str, Any] = {}

    def symbol(name: str) -> Any:
        return symbols.setdefault(name, torch.export.Dim(name, min=1 if name == "n" else least, max=1024))

    return (tuple({axis: symbol(name) for axis, name in entry.items()} for entry in axes),)


@dataclass(frozen=True)
class Suite:
    """The cases of one family."""

    family: str
    cases: list[Case] = field(default_factory=list)


@cache
def suites() -> list[Suite]:
    """Every suite of this package."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return [Suite(name, importlib.import_module(f"{__name__}.{name}").CASES) for name in names]
