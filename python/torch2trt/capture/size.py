"""A size among the outputs: a Python number that follows from the shapes of a call's inputs.

An engine returns tensors, so such an output is an expression over the sizes of the inputs, written as Python text
(`s0_1` is axis 1 of input 0), which an engine file holds too. What a file holds is checked before it is evaluated.

This file must not know graphs.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import CodeType
from typing import Any

import torch

from ..deferred import sympy
from .symbols import Inexpressible

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "ceil": math.ceil,
    "float": float,
    "floor": math.floor,
    "max": max,
    "min": min,
    "round": round,
    "sqrt": math.sqrt,
    "trunc": math.trunc,
}
_SCOPE: dict[str, Any] = {"__builtins__": {}, **_FUNCTIONS}
_SIZE = re.compile(r"s(\d+)_(\d+)")
_NODES = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Load, ast.Constant),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)
_LONGEST = 4000
_LARGEST_POWER = 8
_MOST_POWERS = 8


@dataclass(frozen=True)
class Size:
    """A number that is an expression over the sizes of the inputs."""

    text: str

    def value(self, tensors: Sequence[torch.Tensor]) -> int | float | bool:
        """The number for a call with these input tensors."""
        names = {name: int(tensors[k].shape[axis]) for name, k, axis in self.reads}
        return eval(self._code, _SCOPE, names)  # checked in `_code`

    @cached_property
    def reads(self) -> list[tuple[str, int, int]]:
        """The sizes that it reads: the name, the tensor and the axis of each."""
        found = [(name, _SIZE.fullmatch(name)) for name in self._code.co_names]
        return [(name, int(match[1]), int(match[2])) for name, match in found if match]

    @cached_property
    def _code(self) -> CodeType:
        """The compiled expression.

        Raises:
            ValueError: the text is no arithmetic on sizes.
        """
        if len(self.text) > _LONGEST:
            raise ValueError("the expression of a size is too long")
        tree = ast.parse(self.text, mode="eval")
        powers = 0
        for node in ast.walk(tree):
            known = isinstance(node, _NODES) and not isinstance(node, (ast.LShift, ast.MatMult))
            if isinstance(node, ast.Constant):
                known = type(node.value) in (bool, int, float)
            elif isinstance(node, ast.Call):
                known = isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
                powers += 1
                known = _is_small_power(node.right)
            if not known or powers > _MOST_POWERS:
                raise ValueError(f"`{self.text[:80]}` is no arithmetic on sizes")
        return compile(tree, "<size>", "eval")

    def check(self) -> Size:
        """Itself, where the text can be evaluated.

        Raises:
            ValueError: the text is no arithmetic on sizes.
        """
        try:
            _ = self._code
        except (SyntaxError, RecursionError, MemoryError) as problem:
            raise ValueError(f"`{self.text[:80]}` is no arithmetic on sizes") from problem
        return self


def _is_small_power(exponent: ast.expr) -> bool:
    """Whether it is a number that sizes may be raised to."""
    value = exponent.value if isinstance(exponent, ast.Constant) else None
    return isinstance(value, (int, float)) and 0 <= value <= _LARGEST_POWER


def size_of(expression: sympy.Basic, shapes: Sequence[Sequence[Any]]) -> Size:
    """The size that torch.export writes as `expression`; `shapes` are those of the inputs, with its symbolic sizes.

    Raises:
        Inexpressible: an operation that has no exact counterpart here, or a symbol that no input has.
    """
    names: dict[Any, str] = {}
    for plain in (True, False):
        for k, shape in enumerate(shapes):
            for axis, dim in enumerate(shape):
                if isinstance(dim, torch.SymInt):
                    _name(names, dim.node.expr, f"s{k}_{axis}", plain)
    return Size(_text(expression, names)).check()


def _name(names: dict[Any, str], dim: Any, name: str, plain: bool) -> None:
    """Notes what the symbol of an axis is: the axis itself, or what a multiple of it and a number make of it."""
    if dim.is_Symbol:
        names.setdefault(dim, name)
    elif not plain and len(dim.free_symbols) == 1:
        (symbol,) = dim.free_symbols
        factor, offset = dim.coeff(symbol, 1), dim.subs(symbol, 0)
        if factor.is_Integer and offset.is_Integer and dim == factor * symbol + offset:
            names.setdefault(symbol, f"(({name} - ({offset})) // {factor})")


def _text(value: Any, names: Mapping[Any, str]) -> str:
    if value in names:
        return names[value]
    if value.is_Integer or isinstance(value, (sympy.logic.boolalg.BooleanTrue, sympy.logic.boolalg.BooleanFalse)):
        return f"({value})"
    if value.is_Rational:
        return f"({value.p} / {value.q})"
    if value.is_Float:
        return f"({float(value)!r})"
    parts = [_text(part, names) for part in value.args]
    if isinstance(value, sympy.core.relational.Relational):
        return f"({parts[0]} {value.rel_op} {parts[1]})"
    template = _TEMPLATES.get(type(value).__name__)
    if template is None or not parts:
        raise Inexpressible(f"{type(value).__name__} in {value}")
    return template(*parts)


def _joined(operator: str) -> Callable[..., str]:
    return lambda *parts: f"({f' {operator} '.join(parts)})"


def _called(name: str) -> Callable[..., str]:
    return lambda *parts: f"{name}({', '.join(parts)})"


def _power(base: str, exponent: str) -> str:
    number = ast.literal_eval(exponent) if exponent.strip("(-)").isdigit() else None
    if number is None or abs(number) > _LARGEST_POWER:
        raise Inexpressible(f"{base} to the power {exponent}")
    return f"({base} ** {number})" if number >= 0 else f"(1 / {base} ** {-number})"


_TEMPLATES: dict[str, Callable[..., str]] = {
    "Add": _joined("+"),
    "Mul": _joined("*"),
    "And": _joined("and"),
    "Or": _joined("or"),
    "Not": lambda a: f"(not {a})",
    "Pow": _power,
    "PowByNatural": _power,
    "FloatPow": _power,
    "FloorDiv": _joined("//"),
    "CleanDiv": _joined("//"),
    "CeilDiv": lambda a, b: f"(-(-{a} // {b}))",
    "Mod": _joined("%"),
    "PythonMod": _joined("%"),
    "ModularIndexing": lambda a, b, c: f"({a} // {b} % {c})",
    "IntTrueDiv": _joined("/"),
    "FloatTrueDiv": _joined("/"),
    "Max": _called("max"),
    "Min": _called("min"),
    "Abs": _called("abs"),
    "ToFloat": _called("float"),
    "floor": _called("floor"),
    "ceiling": _called("ceil"),
    "FloorToInt": _called("floor"),
    "CeilToInt": _called("ceil"),
    "TruncToInt": _called("trunc"),
    "TruncToFloat": lambda a: f"float(trunc({a}))",
    "RoundToInt": _called("round"),
    "RoundDecimal": _called("round"),
    "OpaqueUnaryFn_sqrt": _called("sqrt"),
    "Identity": lambda a: a,
}
"""sympy's classes, and those that PyTorch adds to them, by name: their module moved between versions."""


__all__ = ["Size", "size_of"]
