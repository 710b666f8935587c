"""Checks PyTorch before the package imports it: installed, importable and new enough.

The wheel does not require PyTorch on Linux on ARM, where a Jetson has NVIDIA's own build and pip would replace it. So
the check is made at import. ONNX Runtime is checked where it is loaded (E0501). This file must not import the rest of
the package, which needs PyTorch.
"""

from __future__ import annotations

import importlib
import re
from importlib.machinery import PathFinder

from . import _core

MINIMUM = (2, 6)

_INSTALL = "pip install 'torch>=2.6' (on a Jetson: NVIDIA's build of PyTorch for its JetPack, not the one from PyPI)"


class RequirementError(_core.Error, ImportError):
    """A package that torch2trt needs is missing, too old or broken. Also an `ImportError`, since it ends an import."""


def check(name: str = "torch", minimum: tuple[int, int] = MINIMUM) -> None:
    """Raises E0801 if PyTorch is missing, cannot be imported, or is older than `minimum`."""
    try:
        module = importlib.import_module(name)
    except (ImportError, OSError) as reason:
        spec = PathFinder.find_spec(name)
        if spec is None:
            raise _error("PyTorch is not installed", _INSTALL) from None
        raise _error(
            f"PyTorch is installed but cannot be imported\n  {spec.origin}: {reason}",
            f"python -c 'import {name}' must work first; a missing library is one that this build of PyTorch needs",
        ) from reason
    version = str(getattr(module, "__version__", ""))
    if not is_at_least(version, minimum):
        wanted = ".".join(map(str, minimum))
        where = getattr(module, "__file__", None)
        raise _error(f"PyTorch {version or '(no version)'} is too old: torch2trt needs {wanted}\n  {where}", _INSTALL)


def is_at_least(version: str, minimum: tuple[int, int]) -> bool:
    """Compares the first two numbers, so that 2.6.0a0+nv24.12 counts as 2.6."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= minimum


def _error(message: str, help: str) -> RequirementError:
    error = RequirementError(f"error[E0801]: {message}\nhelp: {help}")
    error.code, error.message, error.help = "E0801", message, help
    return error


check()
