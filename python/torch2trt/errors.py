"""Errors raised by the Python half, in the shape of the Rust half's.

This file must not know who raises them.
"""

from __future__ import annotations

import linecache
import re
import sys

from ._core import Error

_LAYER = re.compile(r" layer `.*` \(.*\)(?=: )")
_PACKAGE = __name__.partition(".")[0]


def error(code: str, message: str, help: str | None = None) -> Error:
    """An `Error` with its code, message and help line."""
    text = f"error[{code}]: {message}" + (f"\nhelp: {help}" if help else "")
    made = Error(text)
    made.code, made.message, made.place, made.help, made.nodes = code, message, None, help, []
    return made


def body(raised: BaseException) -> str:
    """What an exception reports, without the code and the help of an `Error`."""
    message = getattr(raised, "message", None)
    if message is None:
        return str(raised)
    where, facts = getattr(raised, "where", ""), getattr(raised, "facts", ())
    return "\n  ".join([message, *([f"at {where}"] if where else []), *facts])


def first_line(raised: BaseException) -> str:
    """The first line of what an exception reports, without its code."""
    return body(raised).partition("\n")[0]


def brief(raised: BaseException) -> str:
    """The first line without the name of a layer: layers that fail alike are one."""
    return _LAYER.sub(" layer", first_line(raised))


def outside() -> tuple[str, int]:
    """File and line of the innermost call that is not of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def line_of(file: str, line: int) -> str:
    """`file:line: what stands there`."""
    return f"{file}:{line}: {linecache.getline(file, line).strip()}".removesuffix(": ")


__all__ = ["Error", "body", "brief", "error", "first_line", "line_of", "outside"]
