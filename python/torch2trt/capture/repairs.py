"""What capture meets in torch and cannot take as it is, replaced while it captures (torchvision: `detection.py`).

This file must not know what is captured.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from . import detection, flexible, packed, positions, ramps, recurrent
from .detection import Change
from .prims import functional_views
from .slices import any_bounds, is_read
from .threads import Patches, only_here

_BEFORE_2_7 = tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 7)


@contextmanager
def replaced(changes: list[Change]) -> Iterator[None]:
    """Replaces functions of modules, for the calling thread, for as long as it lasts."""
    with Patches().undone() as patches:
        for module, name, change in changes:
            original = getattr(module, name)
            patches.set(module, name, only_here(original, change(original)))
        yield


@contextmanager
def repaired() -> Iterator[None]:
    """Replaces what cannot be captured for as long as it lasts."""
    library = _fake_quantization()
    try:
        families = (
            _lstms,
            recurrent.changes,
            packed.changes,
            ramps.changes,
            detection.changes,
            flexible.changes,
            positions.changes,
            _pdist,
            _extremes,
        )
        changes = [change for family in families for change in family()]
        patched = Patches().undone()
        with _forgotten(), functional_views(), any_bounds(), _found_by_where(), replaced(changes), patched as patches:
            for function, code in packed.codes():
                patches.set_code(function, code)
            yield
    finally:
        library._destroy()


def _extremes() -> list[Change]:
    """`min` and `max` of sizes that depend on data. torch 2.6 decides which number is returned, and cannot."""
    from torch._export import non_strict_utils  # imports sympy

    if hasattr(non_strict_utils, "_tensor_min_max"):
        return []

    def change(original: Callable[..., Any], symbolic: Callable[[Any, Any], Any]) -> Callable[..., Any]:
        def extreme(*args: Any, **kwargs: Any) -> Any:
            numbers = isinstance(args[0], (int, torch.SymInt)) and not kwargs
            if numbers and any(isinstance(number, torch.SymInt) and is_read(number) for number in args):
                return functools.reduce(symbolic, args)
            return original(*args, **kwargs)

        return extreme

    functions = {"min": torch.sym_min, "max": torch.sym_max}
    return [(builtins, name, functools.partial(change, symbolic=symbolic)) for name, symbolic in functions.items()]


def _pdist() -> list[Change]:
    """Distances of all pairs, whose composite kernel takes the number of vectors for a constant."""

    def pdist(input: torch.Tensor, p: float = 2.0) -> torch.Tensor:
        return torch.ops.aten._pdist_forward(input.contiguous(), float(p))

    return [(module, "pdist", lambda _: pdist) for module in (torch, torch.nn.functional)]


@contextmanager
def _found_by_where() -> Iterator[None]:
    """`torch.where(condition)`, which torch 2.6 decomposes by a function of three arguments."""
    from torch._decomp import decomposition_table  # imports sympy

    overload = torch.ops.aten.where.default
    original = decomposition_table.get(overload)
    if original is None:
        yield
        return
    decomposition_table[overload] = only_here(original, torch.ops.aten.nonzero_numpy.default)
    try:
        yield
    finally:
        decomposition_table[overload] = original


@contextmanager
def _forgotten() -> Iterator[None]:
    """Nothing that was worked out about sizes before is used, and nothing of this after."""
    if _BEFORE_2_7:
        FakeTensorMode.cache_clear()
    try:
        yield
    finally:
        if _BEFORE_2_7:
            FakeTensorMode.cache_clear()


def _lstms() -> list[Change]:
    """What torch 2.6 gets wrong about LSTMs.

    It works out that their states have one axis more than they do. And it takes the weights of one that is exported by
    itself for attributes that `forward` assigns, and refuses, since they are swapped for fake ones meanwhile.
    """
    if not _BEFORE_2_7:
        return []
    from torch._decomp import decompositions
    from torch._functorch import aot_autograd
    from torch.export import _trace

    forgiving: list[Change] = [
        (module, "_detect_attribute_assignment", _forgiving) for module in (aot_autograd, _trace)
    ]
    return [(decompositions, "one_layer_lstm", _with_two_axes), *forgiving]


_FAKE_QUANTIZATION = (
    "fake_quantize_per_tensor_affine_cachemask",
    "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
    "fake_quantize_per_channel_affine_cachemask",
)


def _fake_quantization() -> torch.library.Library:
    """The sizes and types that fake quantization gives, where this torch does not know them."""
    library = torch.library.Library("aten", "IMPL")
    for name in _FAKE_QUANTIZATION:
        if not torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{name}", "Meta"):
            library.impl(name, _quantized_and_mask, "Meta")
    return library


def _quantized_and_mask(x: torch.Tensor, *_: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty_like(x), torch.empty_like(x, dtype=torch.bool)


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
