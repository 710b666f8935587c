"""Containers that pytree does not know: dataclasses, the caches of transformers, and objects that a model returns.

This file must not know what is flattened, nor why.
"""

from __future__ import annotations

import copy
import dataclasses
import types
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils import _pytree as pytree

from .errors import CaptureError, one_line

_CACHE_HELP = "pass use_cache=False in the sample inputs, if the model has it, or return tensors only"
_PLAIN = (torch.Tensor, int, float, bool, complex, str, type(None), torch.dtype, torch.device)


def register_containers(value: Any, role: str) -> bool:
    """Teaches pytree the containers in `value` that it does not know: dataclasses and the transformers caches.

    Returns whether anything was registered.

    Raises:
        CaptureError: an object that is neither a tensor, a plain value nor a known container.
    """
    registered = _widen_cache()
    while unknown := [leaf for leaf in _known_leaves(value, role) if not isinstance(leaf, _PLAIN)]:
        _register(unknown[0], role)
        registered = True
    return registered


def register_transformers_cache() -> bool:
    """Registers the key-value cache that generative transformers models return, if transformers can."""
    try:
        from transformers.integrations.executorch import register_dynamic_cache_export_support as register
    except ImportError:  # older releases register it on import
        return False
    register()
    return True


def _known_leaves(value: Any, role: str) -> list[Any]:
    try:
        return pytree.tree_leaves(value)
    except Exception as error:  # the flatten function of a registered class, which may raise anything
        raise CaptureError(
            f"the {role} of the model cannot be decomposed: {one_line(error)}", help=_CACHE_HELP
        ) from error


def _register(leaf: Any, role: str) -> None:
    kind = type(leaf)
    if dataclasses.is_dataclass(kind):
        torch.export.register_dataclass(kind)
    elif kind.__name__ == "DynamicCache" and register_transformers_cache():
        _widen_cache()
    elif kind.__name__ == "EncoderDecoderCache":
        parts = ["self_attention_cache", "cross_attention_cache"]
        pytree.register_pytree_node(
            kind,
            lambda cache: ([getattr(cache, part) for part in parts], parts),
            lambda children, _: kind(*children),
            flatten_with_keys_fn=lambda cache: (
                [(pytree.GetAttrKey(part), getattr(cache, part)) for part in parts],
                parts,
            ),
            serialized_type_name=f"{kind.__module__}.{kind.__qualname__}",
        )
    elif role == "output" and _is_object(leaf) and _holds_tensors(leaf):
        name = f"{kind.__module__}.{kind.__qualname__}"
        pytree.register_pytree_node(
            kind, _attributes, _object_of, flatten_with_keys_fn=_attributes_with_keys, serialized_type_name=name
        )
    if kind not in pytree.SUPPORTED_NODES:
        raise CaptureError(
            f"the model has an {role} of type {kind.__module__}.{kind.__qualname__}, whose tensors cannot be reached",
            help=_CACHE_HELP
            if "Cache" in kind.__name__
            else "register the class with torch.utils._pytree.register_pytree_node, or pass and return tensors",
        )


def _widen_cache() -> bool:
    """Lets pytree flatten a `DynamicCache` of other layers than those of attention, which transformers refuses.

    Returns whether anything was changed.
    """
    kind = next((kind for kind in pytree.SUPPORTED_NODES if getattr(kind, "__name__", "") == "DynamicCache"), None)
    if kind is None or (known := pytree.SUPPORTED_NODES[kind]).flatten_fn is _flatten_cache:
        return False
    _ATTENTION.update(flatten=known.flatten_fn, keys=known.flatten_with_keys_fn, unflatten=known.unflatten_fn)
    pytree.SUPPORTED_NODES[kind] = known._replace(
        flatten_fn=_flatten_cache, unflatten_fn=_unflatten_cache, flatten_with_keys_fn=_flatten_cache_with_keys
    )
    return True


_ATTENTION: dict[str, Any] = {}
"""How transformers flattens a cache of attention layers."""


def _flatten_cache(cache: Any) -> tuple[list[Any], Any]:
    try:
        return _ATTENTION["flatten"](cache)
    except RuntimeError:
        _register_layers(cache)
        return _attributes(cache)


def _flatten_cache_with_keys(cache: Any) -> tuple[list[Any], Any]:
    try:
        return _ATTENTION["keys"](cache)
    except RuntimeError:
        _register_layers(cache)
        return _attributes_with_keys(cache)


def _unflatten_cache(children: Iterable[Any], context: Any) -> Any:
    return (_object_of if isinstance(context, _Others) else _ATTENTION["unflatten"])(children, context)


def _register_layers(cache: Any) -> None:
    for layer in cache.layers:
        if type(layer) not in pytree.SUPPORTED_NODES and _holds_tensors(layer):
            _register(layer, "output")


class _Others:
    """What an object has besides its tensors: its class, the names of those, and the other attributes."""

    def __init__(self, kind: type, names: list[str], others: dict[str, Any]) -> None:
        self.kind, self.names, self.others = kind, names, others
        self._fields = names

    def __eq__(self, other: object) -> bool:
        # The attributes may be objects that compare by identity; they decide nothing about the structure.
        return isinstance(other, _Others) and (self.kind, self.names) == (other.kind, other.names)

    def __repr__(self) -> str:
        return f"{self.kind.__name__}({', '.join(self.names)})"


def _attributes(value: Any) -> tuple[list[Any], _Others]:
    held = vars(value)
    names = [name for name, part in held.items() if _holds_tensors(part)]
    others = {name: part for name, part in held.items() if name not in names}
    return [held[name] for name in names], _Others(type(value), names, others)


def _attributes_with_keys(value: Any) -> tuple[list[Any], _Others]:
    children, context = _attributes(value)
    return [(pytree.GetAttrKey(name), child) for name, child in zip(context.names, children)], context


def _object_of(children: Iterable[Any], context: _Others) -> Any:
    made: object = object.__new__(context.kind)
    vars(made).update({name: copy.copy(part) for name, part in context.others.items()})
    vars(made).update(zip(context.names, children))
    return made


def _is_object(value: Any) -> bool:
    """Whether it is an object of a class written in Python, made of its attributes."""
    made_otherwise = (torch.Tensor, torch.nn.Module, type, types.ModuleType, types.FunctionType, types.MethodType)
    kind: type[object] = type(value)
    return hasattr(value, "__dict__") and not isinstance(value, made_otherwise) and kind.__new__ is object.__new__


def _holds_tensors(value: Any, seen: frozenset[int] = frozenset()) -> bool:
    """Whether a value is a tensor, or has one among its elements or attributes."""
    if isinstance(value, torch.Tensor):
        return True
    if id(value) in seen:
        return False
    seen = seen | {id(value)}
    if isinstance(value, dict):
        return any(_holds_tensors(part, seen) for part in value.values())
    if isinstance(value, (list, tuple)):
        return any(_holds_tensors(part, seen) for part in value)
    return _is_object(value) and any(_holds_tensors(part, seen) for part in vars(value).values())


__all__ = ["register_containers", "register_transformers_cache"]
