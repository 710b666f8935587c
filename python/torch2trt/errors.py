"""Errors raised by the Python half, in the shape of the Rust half's.

This file must not know who raises them.
"""

from __future__ import annotations

from ._core import Error


def error(code: str, message: str, help: str | None = None) -> Error:
    """An `Error` with its code, message and help line."""
    text = f"error[{code}]: {message}" + (f"\nhelp: {help}" if help else "")
    made = Error(text)
    made.code, made.help = code, help
    return made
