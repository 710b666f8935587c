"""Containers that pytree does not know: dataclasses and the caches of transformers.

This file must not know what is flattened, nor why.
"""

from __future__ import annotations

import dataclasses
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
    registered = False
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
            f"the {role} of the model cannot be taken apart: {one_line(error)}", help=_CACHE_HELP
        ) from error


def _register(leaf: Any, role: str) -> None:
    kind = type(leaf)
    if dataclasses.is_dataclass(kind):
        torch.export.register_dataclass(kind)
    elif kind.__name__ == "DynamicCache" and register_transformers_cache():
        pass
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
    if kind not in pytree.SUPPORTED_NODES:
        raise CaptureError(
            f"the model has an {role} of type {kind.__module__}.{kind.__qualname__}, whose tensors cannot be reached",
            help=_CACHE_HELP
            if "Cache" in kind.__name__
            else "register the class with torch.utils._pytree.register_pytree_node, or pass and return tensors",
        )


__all__ = ["register_containers", "register_transformers_cache"]
