"""The plugin libraries that conversions and engines load.

This file must not know TensorRT's network API.
"""

from __future__ import annotations

from collections.abc import Iterable

REGISTERED: list[str] = []
"""Libraries that were named to the plugin registry, in order. Every conversion and every engine loads them."""


def named_plugins(libraries: Iterable[str] = ()) -> list[str]:
    """The plugin libraries that a conversion or an engine loads: those named to the registry, then these."""
    return [*REGISTERED, *libraries]


__all__ = ["REGISTERED", "named_plugins"]
