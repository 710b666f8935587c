"""The context of the converter that is running now.

A file of its own because sizes and helpers need it, and the context needs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from ..errors import error

if TYPE_CHECKING:
    from .context import ConversionContext

_ACTIVE: ContextVar[ConversionContext | None] = ContextVar("torch2trt_conversion_context", default=None)


def get_conversion_context() -> ConversionContext:
    """The context of the converter that is running.

    Raises:
        torch2trt.Error: E0108, none is running.
    """
    context = _ACTIVE.get()
    if context is None:
        raise error("E0108", "no converter is running, so there is no network to add to")
    return context


@contextmanager
def active(context: ConversionContext) -> Iterator[None]:
    """Makes a context the one of the running converter."""
    token = _ACTIVE.set(context)
    try:
        yield
    finally:
        _ACTIVE.reset(token)
