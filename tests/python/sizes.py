"""Fresh inputs of other sizes for a model, from its sample inputs.

    args, kwargs = of_sizes((args, kwargs), {0: 3})      # a batch of 3

This file must not know about torch2trt.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils import _pytree as pytree


def of_sizes(value: Any, sizes: dict[int, int]) -> Any:
    """The same structure with new tensors that have these sizes: axis to size.

    Floats are normally distributed; integers are drawn from the sample's, so that they stay valid indices or masks.
    """
    return pytree.tree_map(lambda leaf: _tensor(leaf, sizes) if isinstance(leaf, torch.Tensor) else leaf, value)


def _tensor(sample: torch.Tensor, sizes: dict[int, int]) -> torch.Tensor:
    shape = [sizes.get(axis, size) for axis, size in enumerate(sample.shape)]
    if sample.is_floating_point():
        return torch.randn(shape, dtype=sample.dtype)
    return sample.flatten()[torch.randint(sample.numel(), shape)]
