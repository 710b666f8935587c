"""What a model decided by sizes, of an exported program that has no record of it (PyTorch 2.6).

The shape environment of the export keeps every decision as an expression of symbols. Here they become the text that
later versions write: Python expressions of `L`, the arguments by name.

This file must not know what the guards are for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor

from ..deferred import sympy
from .symbols import by_parameter, sources


def size_guards(program: torch.export.ExportedProgram, paths: list[str]) -> list[str]:
    """The decisions by sizes of the inputs; empty where this version of PyTorch does not keep them.

    `paths` are those of the positional arguments (`argument_paths`).
    """
    from torch.utils._sympy.printers import PythonPrinter  # imports sympy

    environment = _environment(program)
    printer = PythonPrinter()
    texts = []
    for guard in getattr(environment, "guards", ()):
        named = {symbol: _named(environment, symbol, paths) for symbol in guard.expr.free_symbols}
        if all(named.values()):
            texts.append(printer.doprint(guard.expr.xreplace(named)))
    return list(dict.fromkeys(texts))


def _environment(program: torch.export.ExportedProgram) -> Any:
    values = (node.meta.get("val") for node in program.graph.nodes)
    return next((value.fake_mode.shape_env for value in values if isinstance(value, FakeTensor)), None)


def _named(environment: Any, symbol: Any, paths: list[str]) -> Any:
    """A symbol with the text of the input's size for its name; None of one that no input has."""
    found = sources(environment, symbol)
    return sympy.Symbol(by_parameter(found[0], paths), integer=True) if found else None


__all__ = ["size_guards"]
