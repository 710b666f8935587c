"""Explains a difference that no conversion could avoid: the model is random, or ill-conditioned on these inputs.

PyTorch is compared with itself: on the same inputs, in float64, and under perturbations as small as rounding. Where its
own result changes about as much as the engine's differs, the comparison cannot show a fault of the engine. Typical
causes are operators that choose between values (topk, sort, nms) where these are equal or nearly equal. Ties are found
by a perturbation of the values that such an operator reads.

This file must not know how engines are made or run.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from .capture.origin import is_user_code
from .errors import line_of

PERTURBATION = {None: 1e-6, "tf32": 1e-3, "float16": 2e-3, "bfloat16": 1.6e-2}
"""Relative size of a perturbation by precision: a few roundings."""

SEEDS = 4
SHARE = 0.1
"""Part of the engine's difference that PyTorch must show with itself."""

_TIES = {"topk", "kthvalue", "median", "nanmedian", "mode", "sort", "msort", "nms"}
"""Operators for which PyTorch leaves open which of several equal values comes first."""

_CHOICES = _TIES | {"argmax", "argmin", "argsort", "max", "min", "searchsorted", "bucketize", "nonzero", "multinomial"}
_STEPS = {"floor", "ceil", "round", "trunc", "sign", "sgn", "heaviside", "floor_divide", "fmod", "remainder"}


@dataclass
class Cause:
    """Why PyTorch does not agree with itself."""

    text: str
    is_random: bool = False


Run = Callable[[list[torch.Tensor], dict[str, torch.Tensor]], Any]
"""Runs the model on input tensors and with replaced parameters."""

Compare = Callable[[Any, Any], float]


def cause(
    run: Run,
    compare: Compare,
    module: torch.nn.Module,
    tensors: list[torch.Tensor],
    differs: float,
    allowed: float,
    size: float,
) -> Cause | None:
    """The cause of a difference, where PyTorch differs from itself by more than `allowed` and about as much.

    Args:
        run: runs the model.
        compare: the difference of the output in question between two results of `run`.
        module: the model.
        tensors: its inputs.
        differs: the difference between engine and PyTorch.
        allowed: what is taken for rounding.
        size: relative size of a perturbation.
    """

    def explains(own: float) -> bool:
        return own > allowed and own >= SHARE * differs

    with _Recorder() as first:
        expected = run(tensors, {})
    own = compare(expected, run(tensors, {}))
    if explains(own):
        place = next((call.place for call in first.calls if call.is_random), None)
        text = f"the model is random: two runs in PyTorch on the same inputs differ by {own:.1e}"
        return Cause(text + (f"\n  the first random operator: {place}" if place else ""), is_random=True)
    exact = _exact(run, module, tensors)
    if exact is not None and explains(own := compare(exact.value, expected)):
        text = (
            f"the model is ill-conditioned on these inputs: PyTorch's own result in float32 differs by {own:.1e} from "
            "that in float64"
        )
        return Cause(text + _chooses_otherwise(first.calls, exact.calls))
    for seed in range(SEEDS):
        draw = torch.Generator().manual_seed(seed)
        parameters = {name: _perturbed(value.detach(), draw, size) for name, value in module.named_parameters()}
        inputs = [tensor if _is_whole(tensor) else _perturbed(tensor, draw, size) for tensor in tensors]
        with _Recorder(draw, size) as second:
            own = compare(expected, run(inputs, parameters))
        if explains(own):
            text = (
                f"the model is ill-conditioned on these inputs: PyTorch's own result changes by {own:.1e} where "
                f"inputs, weights and the values that are sorted change by {size:.0e} of themselves"
            )
            return Cause(text + _chooses_otherwise(first.calls, second.calls))
    return None


def _chooses_otherwise(before: list[_Call], after: list[_Call]) -> str:
    """A line with the first operator that chooses otherwise; "" where none does."""
    place = _first_other(before, after)
    return f"\n  the first operator that then chooses otherwise: {place}" if place else ""


class _Exact(NamedTuple):
    """The result in float64, and the choices of that run."""

    value: Any
    calls: list[_Call]


def _exact(run: Run, module: torch.nn.Module, tensors: list[torch.Tensor]) -> _Exact | None:
    """The model in float64; None where it has nothing in float32, or does not run in float64."""
    named = itertools.chain(module.named_parameters(), module.named_buffers())
    state = {name: value.detach().double() for name, value in named if value.dtype == torch.float32}
    inputs = [tensor.double() if tensor.dtype == torch.float32 else tensor for tensor in tensors]
    if not state and all(wide is given for wide, given in zip(inputs, tensors)):
        return None
    try:
        with _Recorder() as recorder:
            value = run(inputs, state)
    except Exception:  # the model's code may need float32, and may raise anything
        return None
    return _Exact(value, recorder.calls)


@dataclass
class _Call:
    """A call whose result is a choice, or random."""

    name: str
    place: str
    chosen: list[torch.Tensor]
    is_random: bool


class _Recorder(TorchDispatchMode):
    """Records the choices of a run. With a generator it perturbs the values that are sorted, which breaks ties."""

    def __init__(self, draw: torch.Generator | None = None, size: float = 0.0) -> None:
        super().__init__()
        self.calls: list[_Call] = []
        self._draw, self._size = draw, size

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = function._schema.name.partition("::")[2]
        if self._draw is not None and name in _TIES and not kwargs.get("stable"):
            at = 1 if name == "nms" else 0  # the scores; its boxes stay
            args = tuple(_broken(arg, self._draw, self._size) if index == at else arg for index, arg in enumerate(args))
        result = function(*args, **kwargs)
        is_random = torch.Tag.nondeterministic_seeded in function.tags
        chosen = [leaf.detach().clone() for leaf in pytree.tree_leaves(result) if _is_choice(leaf, name)]
        leaves = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if is_random or (chosen and any(leaf.is_floating_point() for leaf in leaves)):
            self.calls.append(_Call(name, f"{name} {_line()}".strip(), chosen, is_random))
        return result


def _is_choice(leaf: Any, name: str) -> bool:
    """Whether a result can jump: integers and bools computed from floats, and steps."""
    if not isinstance(leaf, torch.Tensor) or leaf.layout is not torch.strided or leaf.is_meta:
        return False
    return name in _STEPS or not (leaf.is_floating_point() or leaf.is_complex())


def _first_other(before: list[_Call], after: list[_Call]) -> str | None:
    """The first call that chooses otherwise: one that sorts, else another choice, else a comparison or a cast."""
    others = []
    for left, right in zip(before, after):
        if left.name != right.name:
            break
        pairs = zip(left.chosen, right.chosen)
        if any(a.shape != b.shape or not torch.equal(a, b) for a, b in pairs):
            others.append(left)
    tied = [call for call in others if call.name in _TIES]
    named = [call for call in others if call.name in _CHOICES]
    return next((call.place for call in tied or named or others), None)


def _line() -> str:
    """`at file:line: code` of the innermost frame in the model's code; "" where all of it is torch's."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") not in (__name__, f"{__package__}.verify"):
        if is_user_code(frame.f_code.co_filename):
            return "at " + line_of(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return ""


def _noise(value: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    return (2 * torch.rand(value.shape, generator=draw) - 1).to(value.device)


def _perturbed(value: torch.Tensor, draw: torch.Generator, size: float) -> torch.Tensor:
    """Each element changed by up to `size` of itself, or by a rounding of its dtype where that is more."""
    if not value.is_floating_point() or value.layout is not torch.strided or value.is_meta:
        return value
    size = max(size, 2 * torch.finfo(value.dtype).eps)
    return (value.double() * (1 + size * _noise(value, draw))).to(value.dtype)


def _broken(value: Any, draw: torch.Generator, size: float) -> Any:
    """The same, and zeros become other tiny numbers, too."""
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        return value
    tiny = 1e-6 if value.dtype == torch.float16 else 1e-12
    return torch.where(value == 0, (tiny * _noise(value, draw)).to(value.dtype), _perturbed(value, draw, size))


def _is_whole(tensor: torch.Tensor) -> bool:
    """Whether a float tensor holds whole numbers, which may be indices or flags."""
    return not tensor.is_floating_point() or bool((tensor == tensor.round()).all())


__all__ = ["Cause", "cause"]
