"""From a model and its samples to a program.

This file must not know how programs are converted.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from . import _core
from ._core import Error
from .capture import Captured, ModelError, capture
from .capture.remembered import Others, is_unhashable
from .converters import CONVERTERS
from .dynamic import check_captured
from .samples import Samples


def captured_program(
    module: Any, sampled: Samples, bar: _core.ProgressBar, to_cut: bool = False, converters: bool = True
) -> tuple[Captured, _core.Program]:
    """What is captured of a model, and its program; with `to_cut`, past calls that have no form in a program.

    Without `converters`, calls that a user's converters take stay operators.
    """
    keep = [registered.method for registered in CONVERTERS.values()] if converters else []
    known = known_operators()

    def take(args: tuple[Any, ...], kwargs: dict[str, Any], others: Others | None = None) -> Captured:
        captured = capture(module, args, kwargs, sampled.dynamic_shapes, bar, keep, known, others, to_cut)
        check_captured(captured.program, sampled.profiles, captured.places)
        return captured

    captured = _take(module, sampled, take)
    sampled.settle(captured)
    builder = _core.ProgramBuilder()
    captured.walk(builder)
    program = builder.finish()
    return replace(captured, computed_in=program.computed_in()), program


def _take(module: Any, sampled: Samples, take: Callable[..., Captured]) -> Captured:
    """What `take` captures; where it is refused, with what the model remembers of earlier calls out of the way."""
    try:
        return take(sampled.args, sampled.kwargs)
    except ModelError as failed:
        if sampled.dynamic_shapes is None:
            raise
        if sampled.resized:
            raise sampled.only_as_given(module, failed) from failed
        # It may fail on the enlarged samples only; what is wrong with the dynamic shapes, torch.export reports itself.
        return take(sampled.given.args, sampled.given.kwargs)
    except Error as refused:
        if sampled.dynamic_shapes is None:
            raise
        with suppress(Error):
            others = Others(sampled.others(), keys=is_unhashable(refused.__cause__))
            return take(sampled.args, sampled.kwargs, others)
        raise


def known_operators() -> set[str]:
    """The operators that convert."""
    return {overload for _, overload, _, _ in _core.operators()}


__all__ = ["captured_program", "known_operators"]
