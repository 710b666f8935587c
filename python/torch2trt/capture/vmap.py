"""`torch.vmap` in models: torch.export captures it since PyTorch 2.9.

Before, it meets the tensors of one batch entry and fails on them in one of several ways. `flex_attention` calls `vmap`,
too.

This file must not know how a model is captured.
"""

from __future__ import annotations

import importlib.util
import traceback

import torch
from torch._functorch import vmap

EXPORTS_VMAP = importlib.util.find_spec("torch._functorch.predispatch") is not None
"""Whether torch.export of this PyTorch captures `torch.vmap`."""


def help_with_vmap(refusal: BaseException) -> str | None:
    """What to do where torch.export failed inside of `torch.vmap`; None where that is not why."""
    frames = traceback.walk_tb(refusal.__traceback__)
    if EXPORTS_VMAP or all(frame.f_code.co_filename != vmap.__file__ for frame, _ in frames):
        return None
    return (
        "pip install 'torch>=2.9', which exports torch.vmap (flex_attention calls it, too); this is PyTorch "
        f"{torch.__version__}"
    )


__all__ = ["EXPORTS_VMAP", "help_with_vmap"]
