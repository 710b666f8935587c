"""What a model decided by sizes, of an exported program that has no record of it (PyTorch 2.6).

The shape environment of the export keeps every decision as an expression of symbols. Here they become the text that
later versions write: Python expressions of `L`, the arguments by name.

This file must not know what the guards are for.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor

from ..deferred import sympy
from .symbols import sources

_POSITIONAL = re.compile(r"L\['args'\]\[0\]\[(\d+)\]")
_KEYWORD = re.compile(r"L\['args'\]\[1\](?=\[')")


def size_guards(program: torch.export.ExportedProgram, parameters: Collection[str]) -> list[str]:
    """The decisions by sizes of the inputs; empty where this version of PyTorch does not keep them.

    The `parameters` are those of the model that have arguments, in order.
    """
    from torch.utils._sympy.printers import PythonPrinter  # imports sympy

    environment = _environment(program)
    printer = PythonPrinter()
    texts = []
    for guard in getattr(environment, "guards", ()):
        named = {symbol: _named(environment, symbol, list(parameters)) for symbol in guard.expr.free_symbols}
        if all(named.values()):
            texts.append(printer.doprint(guard.expr.xreplace(named)))
    return list(dict.fromkeys(texts))


def _environment(program: torch.export.ExportedProgram) -> Any:
    values = (node.meta.get("val") for node in program.graph.nodes)
    return next((value.fake_mode.shape_env for value in values if isinstance(value, FakeTensor)), None)


def _named(environment: Any, symbol: Any, parameters: list[str]) -> Any:
    """A symbol with the text of the input's size for its name; None of one that no input has."""
    found = sources(environment, symbol)
    if not found:
        return None
    text = _KEYWORD.sub("L", found[0])
    if match := _POSITIONAL.match(text):
        position = int(match[1])
        if position >= len(parameters):  # one of any number of arguments
            return None
        text = f"L['{parameters[position]}']{text[match.end() :]}"
    return sympy.Symbol(text, integer=True)


__all__ = ["size_guards"]
