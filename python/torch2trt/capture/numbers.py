"""Numbers read out of tensors, and arithmetic on them, as operators on 0-D tensors.

torch.export writes `x * (t.item() + 1) / 2` with Python operators between `.item()` and what uses the number. An
integer expression is written in symbols (`symbols.py`); floats, bools and other integers become tensor operators here.

`ReadNumbers` is the part of the walk that records them; this file must not know how the rest is recorded.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import torch
from torch.fx import Node as FxNode

from .program import Arg, Symbol
from .recording import Recording
from .schema import plan
from .symbols import Inexpressible

_aten = torch.ops.aten
_READS = (_aten.item.default, _aten._local_scalar_dense.default)

_OPERATORS: dict[Any, torch._ops.OpOverload] = {
    operator.add: _aten.add.Tensor,
    operator.sub: _aten.sub.Tensor,
    operator.mul: _aten.mul.Tensor,
    operator.truediv: _aten.div.Tensor,
    operator.floordiv: _aten.floor_divide.default,
    operator.mod: _aten.remainder.Tensor,
    operator.pow: _aten.pow.Tensor_Tensor,
    operator.neg: _aten.neg.default,
    operator.abs: _aten.abs.default,
    operator.lt: _aten.lt.Tensor,
    operator.le: _aten.le.Tensor,
    operator.gt: _aten.gt.Tensor,
    operator.ge: _aten.ge.Tensor,
    operator.eq: _aten.eq.Tensor,
    operator.ne: _aten.ne.Tensor,
    operator.and_: _aten.bitwise_and.Tensor,
    operator.or_: _aten.bitwise_or.Tensor,
    operator.xor: _aten.bitwise_xor.Tensor,
    torch.sym_max: _aten.maximum.default,
    torch.sym_min: _aten.minimum.default,
    torch.sym_not: _aten.logical_not.default,
    torch.sym_ite: _aten.where.self,
    math.floor: _aten.floor.default,
    math.ceil: _aten.ceil.default,
    math.trunc: _aten.trunc.default,
    round: _aten.round.default,
    torch.sym_int: _aten.trunc.default,
}
_ROUNDINGS = (_aten.floor.default, _aten.ceil.default, _aten.trunc.default, _aten.round.default)
# torch spells the functions of `math` on symbolic numbers torch._sym_sqrt, torch._sym_exp, …
for _name in ("sqrt", "cos", "cosh", "sin", "sinh", "tan", "tanh", "asin", "acos", "atan", "exp", "log2", "floor"):
    for _function in (getattr(math, _name, None), getattr(torch, f"_sym_{_name}", None)):
        if _function is not None and hasattr(_aten, _name):
            _OPERATORS.setdefault(_function, getattr(_aten, _name).default)


class ReadNumbers(Recording):
    """Records numbers that depend on data; mixed into the walker."""

    def record_number(self, node: FxNode, value: Any) -> None:
        """Records a number that depends on data: what reads it out of a tensor, or arithmetic that has no symbols."""
        if node.target in _READS:
            self._read_number(node, value)
        elif not self._is_symbolic(value):
            self._compute_number(node, value)

    def _read_number(self, node: FxNode, value: Any) -> None:
        """`.item()`: a 0-D tensor, which is also the value of a symbol where the number is an integer."""
        expression = value.node.expr
        names: list[tuple[str, Arg]] = []
        if isinstance(value, torch.SymInt) and expression.is_Symbol:
            self._declare(value, -1)
            names = [("symbol", self._text(expression))]
        elif isinstance(value, torch.SymBool):
            # PyTorch has a bool as an integer that equals 1.
            for symbol in sorted(expression.free_symbols - self.bound, key=str):
                self._declare_symbol(symbol)
                names = [("symbol", symbol.name)]
        source = node.args[0]
        self._append(
            node, "aten.item.default", [("self", self.tensor(source)), *names], self._dtype(source.meta["val"])
        )

    def _compute_number(self, node: FxNode, value: Any) -> None:
        """Arithmetic on numbers as an operator on 0-D tensors."""
        call = _as_operator(node)
        if call is None:
            raise self._error(
                f"{getattr(node.target, '__name__', node.target)} of a number read out of a tensor is not supported",
                help="keep the number a tensor (without .item()) and compute with tensor operations",
            )
        overload, args = call
        reading = plan(overload)
        dtype = _dtype_of(value)
        # Rounding gives a float, which becomes an integer below.
        made = "float64" if overload in _ROUNDINGS and dtype == "int64" else dtype
        if len(args) == 1 and args[0] in self.ids:  # of one number: it has to be a tensor
            read = [("self", ("value", self.ids[args[0]]))]
        else:
            read = reading.read(self, args, {})
        self._append(node, reading.target, read, made)
        if isinstance(value, torch.SymInt):
            # Where it stands among sizes it needs a symbol, which the grammar has no expression for.
            symbol = f"number{len(self.program.symbols)}"
            self.program.symbols.append(Symbol(symbol, 0, None, -1))
            self.computed[node] = symbol
            self._append(node, "aten.item.default", [("self", ("value", self.ids[node])), ("symbol", symbol)], dtype)

    def _is_symbolic(self, value: Any) -> bool:
        """Whether a number is an integer expression over symbols whose values are known."""
        if not isinstance(value, torch.SymInt) or value.node.expr.free_symbols - self.bound:
            return False
        try:
            self._text(value.node.expr)
        except Inexpressible:
            return False
        return True

    def _declare_symbol(self, symbol: Any) -> None:
        """Makes a symbol known that is no size: a bool read out of a tensor."""
        self.bound.add(symbol)
        self.program.symbols.append(Symbol(symbol.name, 0, 1, -1))


def _as_operator(node: FxNode) -> tuple[torch._ops.OpOverload, tuple[Any, ...]] | None:
    """The operator on 0-D tensors that computes a node on numbers, and its arguments; None if there is none."""
    if node.kwargs:
        return None
    if node.target is torch.sym_float:
        return _aten.div.Tensor, (*node.args, 1)
    overload = _OPERATORS.get(node.target)
    if overload is None or len(node.args) != len(overload._schema.arguments) - _options(overload):
        return None
    return overload, node.args


def _options(overload: torch._ops.OpOverload) -> int:
    return sum(argument.kwarg_only for argument in overload._schema.arguments)


def _dtype_of(value: Any) -> str:
    """The dtype of the 0-D tensor that stands for a number."""
    if isinstance(value, torch.SymBool):
        return "bool"
    return "int64" if isinstance(value, torch.SymInt) else "float64"
