"""Sizes that PyTorch computes through floats and rounds, as integer expressions.

`int(1.7 * s)` multiplies by the float nearest to 17/10. `floordiv(17*s, 10)` gives the same for almost every size:
where `17*s` is a multiple of 10, the product of floats may round to just below the integer. So the float expression is
evaluated for every size of the range (up to `LARGEST` where the range is open), and sizes that differ are corrected by
steps, `min(max(s - 99, 0), 1)` being 1 from 100 on. A function without a simple fraction (a square root) is a sum of
such steps, as far as `_STEPS` of them reach: the range of the symbol ends there.

`crates/archive/src/rounding.rs` has the same rules for archives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..deferred import sympy

LARGEST = 2**18  # sizes that are checked where a range has no end
_STEPS = 24
_SIMPLE = 2**20  # the largest denominator of a fraction that a float is taken for


class NoForm(ValueError):
    """There is no integer form; the text names the reason."""


@dataclass(frozen=True)
class Rounded:
    """A size: `numerator` divided by `denominator`, rounded, with steps."""

    text: str
    limits: dict[str, int]
    """The largest value of each symbol for which the text is right."""


def simple(value: float) -> tuple[int, int]:
    """The fraction with the smallest denominator that rounds to this float, or the closest with one up to 2**20.

    Raises:
        NoForm: the float is an infinity or no number.
    """
    if not math.isfinite(value):
        raise NoForm(f"{value!r} is not a number")
    exact = Fraction(value)
    a, b, p, q = exact.numerator, exact.denominator, (0, 1), (1, 0)
    while b:  # the convergents of the continued fraction
        whole = a // b
        p, q = (p[1], whole * p[1] + p[0]), (q[1], whole * q[1] + q[0])
        if q[1] > _SIMPLE:
            return p[0], q[0]
        if p[1] / q[1] == value:
            break
        a, b = b, a - whole * b
    return p[1], q[1]


def values(expression: sympy.Basic, at: dict[str, np.ndarray]) -> np.ndarray:
    """The value for each combination of sizes, computed in the order and precision of PyTorch: float64.

    Raises:
        NoForm: a function that is not known here.
    """
    if expression.is_Integer:
        return np.int64(int(expression))
    if expression.is_Float or expression.is_Rational:
        return np.float64(float(expression))
    if expression.is_Symbol:
        return at[expression.name]
    name = type(expression).__name__
    compute = _NUMERIC.get(name)
    if compute is None:
        raise NoForm(f"{name} in {expression}")
    with np.errstate(all="ignore"):
        return compute(*(values(part, at) for part in expression.args))


def fitted(
    rounding: str,
    expression: sympy.Basic,
    quotient: Callable[[], tuple[str, str]],
    ranges: dict[str, tuple[int, int | None]],
) -> Rounded:
    """The integer form of a rounded float expression.

    Args:
        rounding: "floor", "ceil" or "round".
        expression: the whole, with the rounding.
        quotient: gives the text of the numerator and the denominator with simple fractions for floats; raises NoForm.
        ranges: the smallest and largest values of symbols.

    Raises:
        NoForm: no form is right for every size; the text names the reason.
    """
    symbols = sorted(symbol.name for symbol in expression.free_symbols)
    most = int(LARGEST ** (1 / max(len(symbols), 1)) + 1e-9)
    spans = {}
    for name in symbols:
        low, high = ranges.get(name, (1, None))
        low = min(low, 1)
        spans[name] = np.arange(max(low, 0), min(most, most if high is None else high) + 1, dtype=np.int64)
    grid = dict(zip(symbols, np.meshgrid(*spans.values(), indexing="ij", sparse=True))) if symbols else {}
    wanted = values(expression, grid)
    if not np.all(np.isfinite(wanted)):
        raise NoForm(f"{expression} is not a number for every size")
    ends = {name: int(span[-1]) for name, span in spans.items()}
    try:
        numerator, denominator = quotient()
        return _quotient(rounding, numerator, denominator, wanted, grid, ends)
    except NoForm:
        if len(symbols) != 1:
            raise
    return _stairs(symbols[0], spans[symbols[0]], np.broadcast_to(wanted, spans[symbols[0]].shape))


def _evaluated(text: str, grid: dict[str, np.ndarray]) -> np.ndarray:
    return eval(text, {"__builtins__": {}}, {**_GRAMMAR, **grid})


def _quotient(
    rounding: str,
    numerator: str,
    denominator: str,
    wanted: np.ndarray,
    grid: dict[str, np.ndarray],
    ends: dict[str, int],
) -> Rounded:
    over, under = _evaluated(numerator, grid), _evaluated(denominator, grid)
    if np.max(np.asarray(under, dtype=np.float64)) * LARGEST > 2**61 or np.max(np.abs(over)) > 2**60:
        raise NoForm(f"the fraction by {denominator} is too long")
    if np.any(np.asarray(under) <= 0):
        raise NoForm(f"division by {denominator}, which may be 0 or negative")
    if rounding == "round":
        text = f"floordiv(2*({numerator}) + {denominator}, 2*({denominator}))"
        even = f"{text} - mod({text}, 2)*(1 - min(mod(2*({numerator}) + {denominator}, 2*({denominator})), 1))"
        for form in (text, even):
            if np.array_equal(np.broadcast_to(_evaluated(form, grid), np.shape(wanted)), wanted):
                return Rounded(form, ends)
        numerator, denominator, over, under = (
            f"2*({numerator}) + {denominator}",
            f"2*({denominator})",
            2 * over + under,
            2 * under,
        )
    form = "ceildiv" if rounding == "ceil" else "floordiv"
    difference = np.asarray(wanted - _GRAMMAR[form](over, under))
    if not difference.any():
        return Rounded(f"{form}({numerator}, {denominator})", ends)
    if len(ends) != 1:
        raise NoForm("floats round the product of several sizes to other integers")
    symbol, sign = next(iter(ends)), 1 if rounding == "ceil" else -1
    if (
        np.any(difference * sign < 0)
        or np.any((difference != 0) & ((over % under) != 0))
        or np.abs(difference).max() > 1
    ):
        raise NoForm("floats round to other integers than fractions do")
    at = np.flatnonzero((over % under) == 0)
    steps, end = _steps(grid[symbol][at], np.abs(difference[at]), 0, ends[symbol])
    text = f"{form}({numerator} {'+' if sign > 0 else '-'} ({_stepped(symbol, 0, steps)}), {denominator})"
    return Rounded(text, {symbol: end})


def _stairs(symbol: str, sizes: np.ndarray, wanted: np.ndarray) -> Rounded:
    steps, end = _steps(sizes, wanted, int(wanted[0]), int(sizes[-1]))
    if steps and end < 4:
        raise NoForm("the size changes too often")
    return Rounded(_stepped(symbol, int(wanted[0]), steps), {symbol: end})


def _steps(sizes: np.ndarray, wanted: np.ndarray, first: int, end: int) -> tuple[list[tuple[int, int]], int]:
    """(size, change) wherever the wanted value changes, and the last size for which these are all."""
    changes = np.diff(np.concatenate([[first], wanted]))
    at = np.flatnonzero(changes)
    steps = [(int(sizes[k]), int(changes[k])) for k in at[:_STEPS]]
    return steps, int(sizes[at[_STEPS]]) - 1 if len(at) > _STEPS else end


def _stepped(symbol: str, first: int, steps: list[tuple[int, int]]) -> str:
    text = str(first) if first >= 0 else f"0 - {-first}"
    for size, change in steps:
        step = f"min(max({symbol} - {size - 1}, 0), 1)" if size > 1 else f"min({symbol}, 1)"
        text += f" {'+' if change > 0 else '-'} {step if abs(change) == 1 else f'{abs(change)}*{step}'}"
    return text


def _folded(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def fold(first: Any, *rest: Any) -> Any:
        for part in rest:
            first = function(first, part)
        return first

    return fold


def _integers(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: function(np.asarray(value, dtype=np.float64))


_GRAMMAR = {
    "floordiv": np.floor_divide,
    "ceildiv": lambda a, b: -np.floor_divide(-a, b),
    "mod": np.mod,
    "min": np.minimum,
    "max": np.maximum,
}
_NUMERIC: dict[str, Callable[..., Any]] = {
    "Add": _folded(np.add),
    "Mul": _folded(np.multiply),
    "Max": _folded(np.maximum),
    "Min": _folded(np.minimum),
    "Pow": lambda a, b: np.power(np.float64(a) if np.any(np.asarray(b) < 0) else a, b),
    "PowByNatural": np.power,
    "FloatPow": np.power,
    "FloorDiv": np.floor_divide,
    "CleanDiv": np.floor_divide,
    "CeilDiv": _GRAMMAR["ceildiv"],
    "Mod": np.mod,
    "PythonMod": np.mod,
    "ToFloat": np.float64,
    "IntTrueDiv": np.true_divide,
    "FloatTrueDiv": np.true_divide,
    "Identity": lambda a: a,
    "Abs": np.abs,
    "OpaqueUnaryFn_sqrt": np.sqrt,
    "OpaqueUnaryFn_log2": np.log2,
    "FloorToInt": _integers(np.floor),
    "floor": _integers(np.floor),
    "CeilToInt": _integers(np.ceil),
    "ceiling": _integers(np.ceil),
    "TruncToInt": _integers(np.trunc),
    "RoundToInt": _integers(np.rint),
}
