"""`torch.vmap` in models: torch.export captures it since PyTorch 2.9.

Before, some calls on the tensors of one batch entry fail, and others are left out of the graph. So it is refused there
by name. `flex_attention` calls `vmap`, too.

This file must not know how a model is captured.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._functorch import apis

from .threads import Patches, only_here

EXPORTS_VMAP = importlib.util.find_spec("torch._functorch.predispatch") is not None
"""Whether torch.export of this PyTorch captures `torch.vmap`."""


class VmapError(RuntimeError):
    """The model calls `torch.vmap`, which torch.export of this PyTorch does not capture."""

    help = "pip install 'torch>=2.9', which exports torch.vmap (flex_attention calls it, too)"


@contextmanager
def vmap_refused() -> Iterator[None]:
    """Raises `VmapError` where the model calls `torch.vmap` and this PyTorch would not export it."""
    with Patches().undone() as patches:
        if not EXPORTS_VMAP:
            patches.set(apis, "vmap_impl", only_here(apis.vmap_impl, _refuse))
        yield


def _refuse(*_: Any, **__: Any) -> None:
    raise VmapError(f"torch.export of PyTorch {torch.__version__} does not capture torch.vmap")


__all__ = ["EXPORTS_VMAP", "VmapError", "vmap_refused"]
