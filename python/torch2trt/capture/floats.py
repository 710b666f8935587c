"""Floats that follow from sizes (`h * 0.3`, `1 / math.sqrt(n)`) as operators on 0-D tensors.

An argument that is a number has no form for such a float: it may only be an integer expression (`symbols.py`). As a 0-D
tensor that the engine computes from its shapes it is an operand like any other.

`SizedFloats` is the part of the walk that records them; this file must not know how the rest is recorded.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node as FxNode

from .errors import CaptureError
from .numbers import _OPERATORS, _options
from .recording import Recording
from .schema import plan
from .symbols import is_unbacked

_aten = torch.ops.aten


def is_sized_float(value: Any) -> bool:
    """Whether a number is a float that depends on sizes of the inputs alone."""
    if not isinstance(value, torch.SymFloat):
        return False
    symbols = value.node.expr.free_symbols
    return bool(symbols) and not any(map(is_unbacked, symbols))


class SizedFloats(Recording):
    """Records floats that depend on sizes; mixed into the walker."""

    def record_float(self, node: FxNode) -> None:
        """Records the operator that computes a float. Without one, whatever uses the number is refused."""
        if node.target is torch.sym_float and len(node.args) == 1:
            found = self._as_tensor(node, node.args[0])
            if found is not None:
                self.ids[node] = found
            return
        overload = _OPERATORS.get(node.target)
        if overload is None or node.kwargs or len(node.args) != len(overload._schema.arguments) - _options(overload):
            return
        operands = [self._as_tensor(node, arg) for arg in node.args]
        if None not in operands:
            names = [argument.name for argument in overload._schema.arguments]
            pairs = [(name, ("value", operand)) for name, operand in zip(names, operands)]
            self._append(node, plan(overload).target, pairs, "float64")

    def _as_tensor(self, node: FxNode, number: Any) -> int | None:
        """The 0-D tensor of an operand; None where it has no form."""
        value = number.meta.get("val") if isinstance(number, FxNode) else number
        if isinstance(value, torch.SymFloat):
            known = self.ids.get(number)
            return known if isinstance(known, int) else None
        if not isinstance(value, (bool, int, float, torch.SymInt)):
            return None
        reading = plan(_aten.scalar_tensor.default)
        try:
            args = reading.read(self, (number,), {"dtype": torch.float64})
        except CaptureError:
            return None
        made = self._append(node, reading.target, args, "float64")
        del self.ids[node]
        return made


__all__ = ["SizedFloats", "is_sized_float"]
