"""Where a tensor's elements lie in memory, for operators that read memory and not elements.

A program has no memory: a value of it is sizes and elements in order. What `as_strided` reads is worked out from the
strides that the model's own tensor has. This file must not know about programs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


def is_in_order(tensor: torch.Tensor) -> bool:
    """Whether the elements lie one after the other, from the beginning of their memory."""
    return tensor.is_contiguous() and tensor.storage_offset() == 0


def elements_at(
    tensor: torch.Tensor, size: Sequence[int], stride: Sequence[int], offset: int | None
) -> torch.Tensor | None:
    """Which elements of a tensor, counted in order, `tensor.as_strided(size, stride, offset)` reads.

    Returns:
        int64 of sizes `size`, or None where it reads memory that is not the tensor's.
    """
    offset = tensor.storage_offset() if offset is None else offset
    own = (tuple(tensor.shape), tensor.stride(), tensor.storage_offset())
    ends = (
        start + sum((n - 1) * step for n, step in zip(sizes, steps))
        for sizes, steps, start in (own, (size, stride, offset))
    )
    memory = torch.arange(max(0, *ends) + 1)
    places = memory.as_strided(*own).flatten()
    memory = torch.full_like(memory, -1).index_put((places,), torch.arange(tensor.numel()))
    found = memory.as_strided(size, stride, offset).clone(memory_format=torch.contiguous_format)
    return None if bool((found < 0).any()) else found


__all__ = ["elements_at", "is_in_order"]
