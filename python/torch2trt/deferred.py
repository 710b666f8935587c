"""Modules that are imported when they are first used, because all of them import sympy.

sympy takes longer to import than this whole package, and a process that only loads and runs engines needs none of it.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any


class Deferred(ModuleType):
    """Stands for a module by its name; reading an attribute imports it."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self.__name__), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import sympy
    from torch._export.serde import serialize
    from torch.fx.experimental import symbolic_shapes
    from torch.utils._sympy import value_ranges
else:
    sympy = Deferred("sympy")
    serialize = Deferred("torch._export.serde.serialize")
    symbolic_shapes = Deferred("torch.fx.experimental.symbolic_shapes")
    value_ranges = Deferred("torch.utils._sympy.value_ranges")

__all__ = ["serialize", "symbolic_shapes", "sympy", "value_ranges"]
