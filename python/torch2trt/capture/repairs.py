"""Faults of older versions of torch that capture meets, mended while it captures.

This file must not know what is captured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch

_BEFORE_2_7 = tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 7)


@contextmanager
def repaired() -> Iterator[None]:
    """Mends what torch 2.6 gets wrong about LSTMs.

    It works out that their states have one axis more than they do. And it takes the weights of one that is exported by
    itself for attributes that `forward` assigns, and refuses, since they are swapped for fake ones meanwhile.
    """
    if not _BEFORE_2_7:
        yield
        return
    from torch._decomp import decompositions
    from torch._functorch import aot_autograd
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.export import _trace

    changes = [(decompositions, "one_layer_lstm", _with_two_axes)]
    changes += [(module, "_detect_attribute_assignment", _forgiving) for module in (aot_autograd, _trace)]
    originals = [(module, name, getattr(module, name)) for module, name, _ in changes]
    for (module, name, original), (_, _, change) in zip(originals, changes):
        setattr(module, name, change(original))
    FakeTensorMode.cache_clear()  # of what was worked out before
    try:
        yield
    finally:
        for module, name, original in originals:
            setattr(module, name, original)
        FakeTensorMode.cache_clear()


def _with_two_axes(layer: Callable[..., Any]) -> Callable[..., Any]:
    """One layer of an LSTM whose states are [batch, size]."""

    def one_layer_lstm(*args: Any, **kwargs: Any) -> Any:
        out, states = layer(*args, **kwargs)
        return out, tuple(state.squeeze(0) if state.dim() == 3 else state for state in states)

    return one_layer_lstm


def _forgiving(detector: Callable[..., Any]) -> Callable[..., Any]:
    """A detector of assigned attributes that puts them back, as it does, and does not refuse."""

    @contextmanager
    def detect(module: torch.nn.Module) -> Iterator[None]:
        detected = detector(module)
        detected.__enter__()
        try:
            yield
        finally:
            with suppress(ValueError):
                detected.__exit__(None, None, None)

    return detect
