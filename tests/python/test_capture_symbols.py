"""The text of symbolic sizes, judged by value: what is printed must evaluate as in sympy."""

from __future__ import annotations

import itertools
import random
import re

import pytest
import replay  # noqa: F401  (finds torch2trt)
import sympy
from torch.utils._sympy import functions as torch_functions

from torch2trt.capture.symbols import Inexpressible, render

A, B, C = (sympy.Symbol(name, integer=True, positive=True) for name in ("s0", "s1", "s77"))
FUNCTIONS = {
    "floordiv": lambda a, b: a // b,
    "ceildiv": lambda a, b: -(-a // b),
    "mod": lambda a, b: a % b,
    "min": min,
    "max": max,
}
TOKENS = re.compile(r"floordiv|ceildiv|mod|min|max|s\d+|\d+|[-+*(),]| ")


def evaluate(text: int | str, sizes: dict[str, int]) -> int:
    return text if isinstance(text, int) else eval(text, {"__builtins__": {}}, {**FUNCTIONS, **sizes})


def random_expression(depth: int) -> sympy.Basic:
    if depth == 0:
        return random.choice([A, B, C, sympy.Integer(random.randint(-9, 9))])
    left, right = random_expression(depth - 1), random_expression(depth - 1)
    positive = sympy.Integer(random.randint(1, 7))
    return random.choice(
        [
            lambda: left + right,
            lambda: left - right,
            lambda: left * right,
            lambda: left**2,
            lambda: torch_functions.FloorDiv(left, positive),
            lambda: torch_functions.PythonMod(left, positive),
            lambda: torch_functions.Max(left, right),
            lambda: torch_functions.Min(left, right),
        ]
    )()


def test_random_expressions_evaluate_as_in_sympy():
    seed = random.randrange(2**32)
    random.seed(seed)
    for _ in range(300):
        expression = random_expression(3)
        text = render(expression)
        if isinstance(text, str):
            assert "".join(TOKENS.findall(text)) == text, f"{text} leaves the grammar (seed {seed})"
        for values in itertools.product((1, 2, 7), repeat=3):
            sizes = dict(zip(("s0", "s1", "s77"), values))
            # Not subs: going through half-replaced expressions, it meets Min(2*s, 8) % 6, which PyTorch takes for 0.
            expected = expression.xreplace(dict(zip((A, B, C), map(sympy.Integer, values))))
            assert evaluate(text, sizes) == int(expected), f"{expression} at {sizes} (seed {seed})"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (sympy.Integer(-3), -3),
        (2 * A, "2*s0"),
        (-A, "-s0"),
        (A - 2 * B - 3, "s0 - 2*s1 - 3"),
        (3 * (A + 1) * B, "3*s0*s1 + 3*s1"),
        (A**3, "s0*s0*s0"),
        (torch_functions.FloorDiv(A + 1, 2), "floordiv(s0 + 1, 2)"),
        (torch_functions.CleanDiv(A, B), "floordiv(s0, s1)"),
        (A / 2 + sympy.Rational(1, 2), "floordiv(s0 + 1, 2)"),
        (torch_functions.CeilToInt(torch_functions.IntTrueDiv(A, B)), "floordiv(s0 + s1 - 1, s1)"),
        (torch_functions.FloorToInt(torch_functions.IntTrueDiv(A, sympy.Integer(4))), "floordiv(s0, 4)"),
        (torch_functions.TruncToInt(sympy.Float(1.5) * torch_functions.ToFloat(A)), "floordiv(3*s0, 2)"),
        (torch_functions.TruncToInt(sympy.Float(2.0) * torch_functions.ToFloat(A)), "2*s0"),
        (torch_functions.Max(A, B, C), "max(s77, max(s0, s1))"),
    ],
)
def test_known_forms(expression, text):
    assert render(expression) == text


@pytest.mark.parametrize(
    "expression",
    [
        torch_functions.TruncToInt(sympy.Float(0.3) * torch_functions.ToFloat(A)),
        torch_functions.TruncToInt(sympy.Float(1.5) * torch_functions.ToFloat(A - 5)),
        torch_functions.FloatPow(torch_functions.ToFloat(A), sympy.Float(0.5)),
        sympy.Piecewise((A, A > B), (B, True)),
        A**B,
    ],
)
def test_what_is_not_exact_is_refused(expression):
    with pytest.raises(Inexpressible):
        render(expression)
