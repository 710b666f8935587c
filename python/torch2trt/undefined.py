"""PyTorch's values of a model whose tensors have undefined elements: `resize_` to a larger size leaves memory as it is.

A converted model has zeros there. So has PyTorch while it is compared with.

This file must not know what is compared.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from .capture import Program

_RESIZES = ("aten.resize.", "aten.resize_as.")
_IN_PLACE = (torch.ops.aten.resize_.default, torch.ops.aten.resize_as_.default)


def zeros_where_undefined(program: Program) -> AbstractContextManager[Any]:
    """Fills the new elements of tensors that a model resizes; nothing for a program that resizes none."""
    return _Zeros() if any(node.target.startswith(_RESIZES) for node in program.nodes) else nullcontext()


class _Zeros(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function not in _IN_PLACE:
            return function(*args, **(kwargs or {}))
        before = args[0].numel()
        resized = function(*args, **(kwargs or {}))
        if resized.numel() > before:
            resized.as_strided((resized.numel() - before,), (1,), resized.storage_offset() + before).zero_()
        return resized


__all__ = ["zeros_where_undefined"]
