"""What capture reports when it cannot go on, or when the result is not quite the model.

One shape for every message: a first line that stands alone, where it happened, the facts, and a last line
with what to do. Callers that want the parts (the command line, the Rust facade) read the attributes.

This file must not know how capturing works.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .._core import Error
from ..errors import body, outside


class CaptureError(Error):
    """The model could not be captured.

    Attributes:
        code: "E0601"; "E0602" for the arguments of a call, "E0307" for sizes.
        message: one line that can be understood without the rest.
        where: the node, module path or source line, or "" when it concerns the whole model.
        facts: what was found, one line each.
        help: what to change, or "".
    """

    code = "E0601"
    help: str

    def __init__(self, message: str, *, where: str = "", facts: Iterable[str] = (), help: str = "") -> None:
        self.message = message
        self.where = where
        self.facts = tuple(facts)
        self.help = help
        self.place = where or None
        self.nodes: list[int] = []
        super().__init__(f"error[{self.code}]: {body(self)}" + (f"\nhelp: {help}" if help else ""))


class InputError(CaptureError):
    """A call passed arguments that do not fit the ones the model was captured with."""

    code = "E0602"


class SizeError(CaptureError):
    """A size has no exact form over the range of a dynamic axis."""

    code = "E0307"


class InputDtypeError(CaptureError):
    """An input has a dtype that engines do not accept."""

    code = "E0104"


class UnsupportedError(CaptureError):
    """An operator has an argument or a result that engines do not support."""

    code = "E0102"


class ModelError(CaptureError):
    """The model itself fails on the sample inputs."""


class ValuesDecideError(CaptureError):
    """Python code of the model decides by the values of its inputs."""


class CaptureWarning(UserWarning):
    """The captured program differs from the model in a way the user should know about."""


def warn(message: str) -> None:
    """A CaptureWarning at the user's call: the first line outside of this package."""
    if (noted := _noted.get()) is not None:
        noted.append(message)
    warnings.warn_explicit(message, CaptureWarning, *outside())


@contextmanager
def noting() -> Iterator[list[str]]:
    """Lists every CaptureWarning that is given inside."""
    found: list[str] = []
    token = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(token)


_noted: ContextVar[list[str] | None] = ContextVar("noted", default=None)


def one_line(error: BaseException, limit: int = 300) -> str:
    """The type and the first line of `error`, short enough for a message of ours."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    text = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"
