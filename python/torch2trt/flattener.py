"""Nested values as flat lists and back, for tuples, lists and dicts.

Same class and methods as in NVIDIA's torch2trt. A schema is the value's structure with the position of each leaf.

This file must not know what the leaves are used for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _like(value: Any, items: list[Any]) -> Any:
    """A list, tuple or named tuple of the value's own type."""
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)


class Flattener:
    """Flattens values of one structure. Leaves that do not meet the condition are left out, and come back as None."""

    def __init__(self, schema: Any, size: int) -> None:
        self._schema = schema
        self._size = size

    @staticmethod
    def from_value(value: Any, condition: Callable[[Any], bool] = _is_tensor) -> Flattener:
        """The flattener for values like this one."""
        count = 0

        def schema(value: Any) -> Any:
            nonlocal count
            if condition(value):
                count += 1
                return count - 1
            if isinstance(value, (list, tuple)):
                return _like(value, [schema(item) for item in value])
            if isinstance(value, dict):
                return type(value)((key, schema(item)) for key, item in value.items())
            return None

        made = schema(value)
        return Flattener(made, count)

    @staticmethod
    def from_dict(state: dict[str, Any]) -> Flattener:
        """The inverse of `dict`."""
        return Flattener(state["schema"], state["size"])

    def dict(self) -> dict[str, Any]:
        """The flattener as plain values."""
        return {"schema": self._schema, "size": self._size}

    @property
    def schema(self) -> Any:
        """The structure, with positions for leaves and None for what is left out."""
        return self._schema

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    def __len__(self) -> int:
        return self._size

    def flatten(self, value: Any) -> list[Any]:
        """The leaves of a value of this structure, in order."""
        flat: list[Any] = [None] * self._size
        self._fill(self._schema, value, flat)
        return flat

    def _fill(self, schema: Any, value: Any, flat: list[Any]) -> None:
        if isinstance(schema, int):
            flat[schema] = value
        elif isinstance(schema, (list, tuple)):
            for part, item in zip(schema, value, strict=True):
                self._fill(part, item, flat)
        elif isinstance(schema, dict):
            for key, part in schema.items():
                self._fill(part, value[key], flat)

    def unflatten(self, flat: list[Any]) -> Any:
        """A value of this structure with these leaves."""
        if len(flat) != self._size:
            raise ValueError(f"{self._size} values are needed, {len(flat)} were given")

        def build(schema: Any) -> Any:
            if isinstance(schema, int):
                return flat[schema]
            if isinstance(schema, (list, tuple)):
                return _like(schema, [build(part) for part in schema])
            if isinstance(schema, dict):
                return type(schema)((key, build(part)) for key, part in schema.items())
            return None

        return build(self._schema)
