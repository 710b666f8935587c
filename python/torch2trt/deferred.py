"""Imports that are made when a name is first used.

Two kinds. `lazy_names` is for packages of this project: `import torch2trt` leaves capture, converters and search to
the first conversion, and a process that only runs engines never imports them. `Deferred` is for modules of PyTorch
that import sympy, which takes longer to import than this whole package.

Threads may use a name for the first time at once: Python's import system makes all of them wait for the module.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any


def lazy_names(namespace: dict[str, Any], sources: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """A `__getattr__` for a package (PEP 562), which imports a module when the first of its names is used.

        __getattr__ = lazy_names(globals(), {"module": ["TRTModule"], "trt": []})

    The package imports the same names under `if TYPE_CHECKING`, for type checkers, editors and documentation.

    Args:
        namespace: `globals()` of the package; what is imported is stored in it, so that it is looked up once.
        sources: of each module of the package, the names that the package has from it. The modules themselves are
            names as well; "" is the package.
    """
    module_of = {name: module for module, names in sources.items() for name in names}

    def imported(name: str) -> Any:
        if name not in module_of and name not in sources:
            here = namespace["__name__"]
            raise AttributeError(f"module {here!r} has no attribute {name!r}", name=name, obj=sys.modules[here])
        value: Any = importlib.import_module(f".{module_of.get(name, name)}", namespace["__package__"])
        if name in module_of:
            value = getattr(value, name)
        namespace[name] = value
        return value

    return imported


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

__all__ = ["lazy_names", "serialize", "symbolic_shapes", "sympy", "value_ranges"]
