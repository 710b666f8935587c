"""The help for operators without a converter: names that `@tensorrt_converter` accepts.

This file must not know how a converter is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import Error, body, error
from .registry import _method

_SPACES = ("linalg", "special", "fft")
_SUFFIXES = ("_fallback", "_forward", "_functional", "_copy")
_FALLBACK = "pass fallback=True to run these calls in PyTorch"
_SHOWN = 3
"""How many names are proposed at most."""


def advised(refused: Error, missing: Iterable[str]) -> Error:
    """The error with help that names converters to register for these overloads; other errors as they are."""
    overloads = list(missing)
    message, help = body(refused), getattr(refused, "help", None) or ""
    if refused.code not in ("E0101", "E0102") or not getattr(refused, "nodes", None):
        return refused
    if refused.code != "E0101" or not overloads or "tensorrt_converter" not in help:
        # Of complex numbers, for example.
        return error(refused.code, message, f"{help}, or {_FALLBACK}" if help else _FALLBACK)
    found = [name for name in map(registrable, overloads) if name]
    names = list(dict.fromkeys(found))[:_SHOWN]
    listed = f"{_FALLBACK}; torch2trt.coverage(model, inputs) lists all operators"
    if not names:
        return error(
            "E0101", message, f"write a converter for the module around it (docs/custom-converters.md), or {listed}"
        )
    decorators = " and ".join(f'@tensorrt_converter("{name}")' for name in names)
    return error("E0101", message, f"register {'one' if len(names) == 1 else 'them'} with {decorators}, or {listed}")


def registrable(overload: str) -> str | None:
    """The name by which Python code calls an operator, such as "torch.linalg.svd"; None where it has none."""
    namespace, _, rest = overload.partition(".")
    for name in _names(namespace, rest.partition(".")[0]):
        try:
            method = _method(name, True)
        except Error:
            continue
        if not isinstance(method.function, type):
            return name
    return None


def _names(namespace: str, operator: str) -> Iterator[str]:
    """Where an operator may be found, the likeliest first."""
    if namespace not in ("aten", "prims", "torchvision"):
        yield f"torch.ops.{namespace}.{operator}"
        return
    public = operator.lstrip("_")
    forms = [public, *(public.removesuffix(suffix) for suffix in _SUFFIXES if public.endswith(suffix)), operator]
    for form in dict.fromkeys(forms):
        if namespace == "torchvision":
            yield f"torchvision.ops.{form}"
            continue
        for space in _SPACES:
            if form.startswith(f"{space}_"):
                yield f"torch.{space}.{form.removeprefix(f'{space}_')}"
        # Operators are written to by functions whose names end in an underscore; programs hold them without.
        for owner in ("torch", "torch.nn.functional", "torch.Tensor"):
            yield f"{owner}.{form}"
        for owner in ("torch", "torch.Tensor"):
            yield f"{owner}.{form}_"


__all__ = ["advised", "registrable"]
