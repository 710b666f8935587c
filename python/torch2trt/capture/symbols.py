"""Symbolic sizes as text: from the sympy expressions of torch.export to a small stable grammar.

The grammar, all of it over integers:

    expression := ["-"] term (("+" | "-") term)*
    term       := factor ("*" factor)*
    factor     := integer | symbol | function "(" expression "," expression ")"
    function   := floordiv | min | max

The form is normal: equal sizes have equal texts, as far as sums of products go. `floordiv` rounds towards minus
infinity, as Python does. The Rust half writes it, for archives too (`crates/archive/src/sizes.rs`).

PyTorch also computes sizes through floats: the output of a resize by 1.5 is `TruncToInt(1.5*ToFloat(s))`. They become
expressions over integers that are right for every value in the range of each symbol. What has no such form raises
`Inexpressible`: a wrong size is worse than none.

This file must not know about graphs, nodes or tensors.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch

from .. import _core
from ..deferred import sympy

_WORDS = {"floordiv", "ceildiv", "mod", "min", "max"}
_UNBACKED = re.compile(r"z?uf?\d+$")
_POSITIONAL = re.compile(r"^L\['args'\]\[0\]\[(\d+)\]")
_KEYWORD = re.compile(r"^L\['args'\]\[1\](?=\[')")


class Inexpressible(ValueError):
    """The expression has no exact form in the grammar; the text of the error names the part at fault."""


def render(expression: sympy.Basic) -> int | str:
    """An integer for a constant expression, otherwise its text in the grammar.

    Raises:
        Inexpressible: a function the grammar lacks, or a float that is not exact.
    """
    return _size(expression, None)[0]


def render_in(expression: sympy.Basic, ranges: dict[str, tuple[int, int | None]], limits: dict[str, int]) -> int | str:
    """As `render`, with sizes that are computed through floats where one form is right in the whole range.

    Args:
        expression: the size.
        ranges: the smallest and largest value of each symbol.
        limits: takes the largest value of symbols for which the text is right, where that is less.

    Raises:
        Inexpressible: as `render`, or no form is right for every size.
    """
    known = tuple(sorted((symbol.name, ranges.get(symbol.name, (0, None))) for symbol in expression.free_symbols))
    size, found = _size(expression, known)
    for name, limit in found:
        limits[name] = min(limit, limits.get(name, limit))
    return size


@lru_cache(maxsize=8192)
def _size(
    expression: sympy.Basic, ranges: tuple[tuple[str, tuple[int, int | None]], ...] | None
) -> tuple[int | str, list[tuple[str, int]]]:
    try:
        return _core.symbolic_size(sympy.srepr(expression), None if ranges is None else dict(ranges))
    except ValueError as problem:
        raise Inexpressible(f"{expression}: {problem}") from None


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


def argument_paths(forward: Callable[..., Any], args: Sequence[Any]) -> list[str]:
    """Where guards have each positional argument of a call: "['x']", and "['xs'][0]" of `*xs`."""
    found: list[str] = []
    for name, parameter in inspect.signature(forward).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            found += [f"['{name}'][{k}]" for k in range(len(args) - len(found))]
            break
        found.append(f"['{name}']")
    return found[: len(args)]


def by_parameter(source: str, paths: list[str]) -> str:
    """A source with the argument by its parameter, "L['x']", where PyTorch 2.6 has it by position, "L['args'][0][0]".

    `paths` are those of `argument_paths`.
    """
    source = _KEYWORD.sub("L", source)
    return _POSITIONAL.sub(lambda found: f"L{paths[int(found[1])]}", source)


def renamed(symbol: sympy.Symbol, name: str, taken: set[str]) -> sympy.Symbol:
    """The same symbol under another name, or the closest to it that the grammar allows and is not taken."""
    name = re.sub(r"\W", "_", name)
    while name in taken or name in _WORDS or name[:1].isdigit() or _UNBACKED.match(name):
        name = f"_{name}"
    return sympy.Symbol(name, **symbol.assumptions0)
