"""Names of a model's outputs, from the structure of its return value.

This file must not know about graphs.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch.utils import _pytree as pytree


def output_names(spec: pytree.TreeSpec, taken: set[str]) -> Iterator[str]:
    """A name for each leaf, different from those that are taken."""
    for path in _spec_paths(spec):
        name = ".".join(path)
        if not name or path[0].isdigit():
            name = ".".join(("output", *path))
        # Inputs and outputs share one namespace in an engine.
        while name in taken:
            name = f"output.{name}"
        taken.add(name)
        yield name


def _spec_paths(spec: pytree.TreeSpec) -> Iterator[tuple[str, ...]]:
    if spec.is_leaf():
        yield ()
        return
    children = spec.children() if hasattr(spec, "children") else spec.children_specs
    for name, child in zip(_child_names(spec, len(children)), children):
        for path in _spec_paths(child):
            yield (name, *path)


def _child_names(spec: pytree.TreeSpec, count: int) -> list[str]:
    """Names from what pytree keeps about a container: dictionary keys, or the fields of a named tuple."""
    context = spec.context
    candidates = [context, getattr(context, "_fields", None)]
    if isinstance(context, (list, tuple)):
        candidates.extend(context)
    for names in candidates:
        if isinstance(names, (list, tuple)) and len(names) == count and all(isinstance(n, str) for n in names):
            return list(names)
    return [str(i) for i in range(count)]


__all__ = ["output_names"]
