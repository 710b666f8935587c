"""Symbolic sizes as text: from the sympy expressions of torch.export to a small stable grammar.

The grammar, all of it over integers:

    expression := term (("+" | "-") term)*
    term       := factor ("*" factor)*
    factor     := integer | symbol | "(" expression ")" | function "(" expression ("," expression)+ ")"
    function   := floordiv | ceildiv | mod | min | max        (two arguments each)

Integer literals are never negative ("0 - 3"), powers are written out as products, and the order of terms
depends only on the expression. `floordiv` and `mod` round towards minus infinity, as Python does.

PyTorch also computes sizes through floats: the output of a resize by 1.5 is `TruncToInt(1.5*ToFloat(s))`.
Those are exact fractions whenever the float is a dyadic number, and are written as one division; others
are checked for every size of the range (`rounding.py`). What cannot be written exactly raises
`Inexpressible`: a wrong size is worse than none.

The classes that PyTorch adds to sympy are matched by name, because their module moved between versions.

This file must not know about graphs, nodes or tensors.
"""

from __future__ import annotations

import re
from functools import lru_cache, reduce
from typing import Any

import torch

from ..deferred import sympy
from . import rounding

# A scale such as 0.3 is, as a float, a fraction over 2**54; multiplying by it rounds, so the division would
# not give the size that PyTorch computes. Denominators up to this bound are exact for every size below 2**32.
_LARGEST_DENOMINATOR = 2**20
_WORDS = {"floordiv", "ceildiv", "mod", "min", "max"}
_UNBACKED = re.compile(r"z?uf?\d+$")


class Inexpressible(ValueError):
    """The expression has no exact form in the grammar; the text of the error names the part at fault."""


@lru_cache(maxsize=8192)
def render(expression: sympy.Basic) -> int | str:
    """An integer for a constant expression, otherwise its text in the grammar.

    Raises:
        Inexpressible: a function the grammar lacks, or a float that is not exact.
    """
    if expression.is_Integer:
        return int(expression)
    return _text(expression)


def render_in(expression: sympy.Basic, ranges: dict[str, tuple[int, int | None]], limits: dict[str, int]) -> int | str:
    """As `render`, with sizes that are computed through floats where one form is right in the whole range.

    Args:
        expression: the size.
        ranges: the smallest and largest value of each symbol.
        limits: takes the largest value of symbols for which the text is right, where that is less.

    Raises:
        Inexpressible: as `render`, or no form is right for every size.
    """
    try:
        return render(expression)
    except Inexpressible:
        if expression.is_Integer or any(is_unbacked(symbol) for symbol in expression.free_symbols):
            raise
    known = tuple(sorted((symbol.name, *ranges.get(symbol.name, (0, None))) for symbol in expression.free_symbols))
    text, found = _render_rounded(expression, known)
    for name, limit in found:
        limits[name] = min(limit, limits.get(name, limit))
    return text


@lru_cache(maxsize=1024)
def _render_rounded(expression: sympy.Basic, known: tuple) -> tuple[str, list[tuple[str, int]]]:
    """The text with each rounded float expression replaced by a stand-in symbol, and these by their integer forms."""
    ranges = {name: (low, high) for name, low, high in known}
    forms: dict[sympy.Symbol, rounding.Rounded] = {}

    def replaced(part: sympy.Basic) -> sympy.Basic:
        kind = _ROUNDINGS.get(type(part).__name__)
        if kind is None:
            return part.func(*map(replaced, part.args)) if part.args else part
        try:
            _text(part)
            return part
        except Inexpressible:
            pass
        try:
            form = rounding.fitted(kind, part, lambda: _simple_quotient(part.args[0]), ranges)
        except rounding.NoForm as problem:
            raise Inexpressible(str(problem)) from None
        stand_in = sympy.Symbol(f"rounded_{len(forms)}_", integer=True, nonnegative=True)
        forms[stand_in] = form
        return stand_in

    text = str(_text(replaced(expression)))
    for stand_in, form in forms.items():
        text = text.replace(stand_in.name, f"({form.text})")
    limits: dict[str, int] = {}
    for form in forms.values():
        for name, limit in form.limits.items():
            limits[name] = min(limit, limits.get(name, limit))
    return text, sorted(limits.items())


def _simple_quotient(value: sympy.Basic) -> tuple[str, str]:
    """The texts of numerator and denominator, with the simplest fraction for each float."""

    def fraction(part: sympy.Basic) -> sympy.Basic:
        if part.is_Float:
            return sympy.Rational(*rounding.simple(float(part)))
        return part.func(*map(fraction, part.args)) if part.args and type(part).__name__ not in _ROUNDINGS else part

    try:
        numerator, denominator = _fraction(fraction(value))
        return _text(numerator), _text(denominator)
    except Inexpressible as problem:
        raise rounding.NoForm(str(problem)) from None


def is_unbacked(symbol: sympy.Symbol) -> bool:
    """Whether the symbol is a size found in data (`u0`), rather than one given by the inputs (`s0`)."""
    return _UNBACKED.match(symbol.name) is not None


def given_name(dim: torch.SymInt) -> str | None:
    """The name of the `torch.export.Dim` that made a size of an input dynamic; None for `Dim.AUTO` and its like."""
    environment = dim.node.shape_env
    # Private: where a version of PyTorch lacks it, or keeps it elsewhere, there is no name.
    names = getattr(environment, "source_name_to_debug_name", {})
    return next((names[source] for source in sources(environment, dim.node.expr) if source in names), None)


def sources(environment: Any, symbol: sympy.Symbol) -> list[str]:
    """Where a shape environment has a symbol from: "L['x'].size()[0]"; empty where PyTorch does not record it."""
    found = getattr(environment, "var_to_sources", {}).get(symbol, ())
    return [source.name if isinstance(source.name, str) else source.name() for source in found]


def renamed(symbol: sympy.Symbol, name: str, taken: set[str]) -> sympy.Symbol:
    """The same symbol under another name, or the closest to it that the grammar allows and is not taken."""
    name = re.sub(r"\W", "_", name)
    while name in taken or name in _WORDS or name[:1].isdigit() or _UNBACKED.match(name):
        name = f"_{name}"
    return sympy.Symbol(name, **symbol.assumptions0)


def _text(expression: sympy.Basic) -> str:
    negative, text = _signed(expression)
    return f"0 - {text}" if negative else text


def _signed(expression: sympy.Basic) -> tuple[bool, str]:
    """The sign and the text of a term, so that sums can print `a - b`."""
    if expression.is_Integer:
        return expression < 0, str(abs(int(expression)))
    if expression.is_Symbol:
        return False, expression.name
    if expression.is_Add or expression.is_Mul:
        if any(_is_fractional(part) for part in expression.args):
            return False, _divide("floordiv", expression)
        return (False, _sum(expression)) if expression.is_Add else _product(expression)
    if expression.is_Pow:
        return False, _power(*expression.args)
    name = type(expression).__name__
    function = _FUNCTIONS.get(name)
    if function is None:
        raise Inexpressible(f"{name} in {expression}")
    return False, function(*expression.args)


def _is_fractional(part: sympy.Basic) -> bool:
    if part.is_Rational:
        return not part.is_Integer
    if part.is_Pow:
        return part.args[1].is_negative
    return part.is_Mul and any(_is_fractional(inner) for inner in part.args)


def _sum(expression: sympy.Add) -> str:
    added, subtracted = [], []
    for part in expression.args:
        negative, text = _signed(part)
        (subtracted if negative else added).append((part.is_Integer, text))
    # Constants last, the rest by text: sympy's own order depends on how the expression was built.
    first = " + ".join(text for _, text in sorted(added)) or "0"
    return first + "".join(f" - {text}" for _, text in sorted(subtracted))


def _product(expression: sympy.Mul) -> tuple[bool, str]:
    coefficient, rest = expression.as_coeff_Mul()
    factors = sorted(_factor(part) for part in sympy.Mul.make_args(rest))
    if abs(coefficient) != 1:
        factors.insert(0, str(abs(int(coefficient))))
    return coefficient < 0, "*".join(factors)


def _factor(expression: sympy.Basic) -> str:
    text = _text(expression)
    return f"({text})" if expression.is_Add or text.startswith("0 - ") else text


def _power(base: sympy.Basic, exponent: sympy.Basic) -> str:
    if not (exponent.is_Integer and 1 <= int(exponent) <= 8):
        raise Inexpressible(f"({base}) to the power {exponent}")
    return "*".join([_factor(base)] * int(exponent))


def _call(name: str, *arguments: sympy.Basic) -> str:
    texts = sorted(map(_text, arguments)) if name in ("min", "max") else list(map(_text, arguments))
    return reduce(lambda left, right: f"{name}({left}, {right})", texts)


def _divide(name: str, value: sympy.Basic) -> str:
    numerator, denominator = _fraction(value)
    return _text(numerator) if denominator == 1 else _call(name, numerator, denominator)


def _truncate(value: sympy.Basic) -> str:
    numerator, denominator = _fraction(value)
    if not (numerator.is_nonnegative and denominator.is_positive):
        raise Inexpressible(f"truncation of {value}, which may be negative")
    return _divide("floordiv", value)


def _fraction(value: sympy.Basic) -> tuple[sympy.Basic, sympy.Basic]:
    """A real-valued expression as an exact quotient of two integer-valued ones."""
    name = type(value).__name__
    if value.is_Rational:
        return sympy.Integer(value.p), sympy.Integer(value.q)
    if value.is_Float:
        numerator, denominator = float(value).as_integer_ratio()
        if denominator > _LARGEST_DENOMINATOR:
            raise Inexpressible(f"{float(value)!r} is not an exact binary fraction")
        return sympy.Integer(numerator), sympy.Integer(denominator)
    if name == "ToFloat":
        return _fraction(value.args[0])
    if name in ("IntTrueDiv", "FloatTrueDiv"):
        (a, b), (c, d) = map(_fraction, value.args)
        return a * d, b * c
    if value.is_Mul:
        pairs = [_fraction(part) for part in value.args]
        return sympy.Mul(*(a for a, _ in pairs)), sympy.Mul(*(b for _, b in pairs))
    if value.is_Add:
        return reduce(_add_fractions, map(_fraction, value.args))
    if value.is_Pow and value.args[1].is_Integer:
        a, b = _fraction(value.args[0])
        exponent = int(value.args[1])
        return (a**exponent, b**exponent) if exponent > 0 else (b**-exponent, a**-exponent)
    if value.is_integer is False or name.startswith("Float"):
        raise Inexpressible(f"{name} in {value}")
    return value, sympy.Integer(1)


def _add_fractions(left: tuple, right: tuple) -> tuple[sympy.Basic, sympy.Basic]:
    (a, b), (c, d) = left, right
    return (a + c, b) if b == d else (a * d + c * b, b * d)


_FUNCTIONS = {
    "FloorDiv": lambda a, b: _call("floordiv", a, b),
    "CleanDiv": lambda a, b: _call("floordiv", a, b),
    "CeilDiv": lambda a, b: _call("ceildiv", a, b),
    "Mod": lambda a, b: _call("mod", a, b),
    "PythonMod": lambda a, b: _call("mod", a, b),
    "ModularIndexing": lambda a, b, c: f"mod({_call('floordiv', a, b)}, {_text(c)})",
    "Max": lambda *parts: _call("max", *parts),
    "Min": lambda *parts: _call("min", *parts),
    "Abs": lambda a: _call("max", a, -a),
    "PowByNatural": _power,
    "Identity": lambda a: _text(a),
    "floor": lambda a: _divide("floordiv", a),
    "FloorToInt": lambda a: _divide("floordiv", a),
    "ceiling": lambda a: _divide("ceildiv", a),
    "CeilToInt": lambda a: _divide("ceildiv", a),
    "TruncToInt": _truncate,
}

_ROUNDINGS = {
    "TruncToInt": "floor",
    "FloorToInt": "floor",
    "floor": "floor",
    "CeilToInt": "ceil",
    "ceiling": "ceil",
    "RoundToInt": "round",
}
