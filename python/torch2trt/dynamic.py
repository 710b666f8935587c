"""Ranges of input shapes: from min/opt/max shapes, a data set or a largest batch, to what torch.export is told.

An axis whose smallest and largest sizes differ becomes dynamic; torch.export finds out which dynamic axes are one
symbol. It also takes sizes of 0 and 1 for constants, so the sample that is exported has at least 2 there.

This file must not know about engines or programs.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from .errors import error

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Ranges:
    """Smallest, best and largest shape of each input tensor, in flattened order: one profile."""

    minimum: list[Shape]
    best: list[Shape]
    maximum: list[Shape]

    def axes(self, index: int) -> list[tuple[int, int, int]]:
        """(min, opt, max) of each axis of one input."""
        return list(zip(self.minimum[index], self.best[index], self.maximum[index]))


def profiles_from(samples: list[torch.Tensor], minimum: Any, best: Any, maximum: Any) -> list[Ranges]:
    """The profiles that a call asks for; none where every size is that of the samples.

    Each argument is None, one shape an input (flattened), or a list of those for several profiles. What is left out
    is the samples' shape.

    Raises:
        torch2trt.Error: E0307 where ranges do not fit the samples or are out of order.
    """
    if minimum is None and best is None and maximum is None:
        return []
    own = [tuple(sample.shape) for sample in samples]
    # Several profiles only where some argument nests one level deeper than shapes do.
    count = max(len(given) if _is_several(given) else 1 for given in (minimum, best, maximum) if given is not None)
    rows = [_per_profile(given, count, own) for given in (minimum, best, maximum)]
    return [_checked(own, Ranges(*map(list, row))) for row in zip(*rows)]


def from_batch(samples: list[torch.Tensor], largest: int) -> list[Ranges]:
    """The profile of any batch from 1 to `largest`: the first axis of every input."""
    def shape(sample: torch.Tensor, batch: int) -> Shape:
        return (batch, *sample.shape[1:]) if sample.ndim else ()

    own = [shape(sample, min(sample.shape[0], largest) if sample.ndim else 0) for sample in samples]
    return [Ranges([shape(s, 1) for s in samples], own, [shape(s, largest) for s in samples])]


def _is_several(given: Any) -> bool:
    return bool(given) and isinstance(given[0], (list, tuple)) and bool(given[0]) and not isinstance(given[0][0], int)


def _per_profile(given: Any, count: int, own: list[Shape]) -> list[list[Shape]]:
    if given is None:
        return [own] * count
    several = given if _is_several(given) else [given] * count
    if len(several) != count:
        raise error("E0307", f"{len(several)} profiles are given where {count} were expected", "give min, opt and max shapes for every profile")
    return [[tuple(int(size) for size in shape) for shape in profile] for profile in several]


def _checked(own: list[Shape], ranges: Ranges) -> Ranges:
    for name, shapes in (("min", ranges.minimum), ("opt", ranges.best), ("max", ranges.maximum)):
        if len(shapes) != len(own):
            raise error(
                "E0307",
                f"{name}_shapes has {len(shapes)} shapes, the model has {len(own)} input tensors",
                "give one shape for each input tensor, in order",
            )
        for index, (shape, sample) in enumerate(zip(shapes, own)):
            if len(shape) != len(sample):
                raise error("E0307", f"{name}_shapes[{index}] is {shape}, the sample input has shape {sample}", "give one size for each axis")
    for index in range(len(own)):
        for axis, (low, best, high) in enumerate(ranges.axes(index)):
            if not 0 <= low <= best <= high:
                raise error(
                    "E0307",
                    f"input {index}, axis {axis}: the range is {low} to {high} with {best} as the best size",
                    "min must not exceed opt, nor opt max; without opt_shapes the sample's size is the best one",
                )
    return ranges


def resized(tensor: torch.Tensor, shape: Shape) -> torch.Tensor:
    """A tensor of another shape with the tensor's own elements, repeated or cut along each axis."""
    for axis, size in enumerate(shape):
        if size != tensor.shape[axis]:
            at = torch.arange(size, device=tensor.device) % max(tensor.shape[axis], 1)
            tensor = tensor.index_select(axis, at)
    return tensor.contiguous()


def export_samples(samples: list[torch.Tensor], profiles: list[Ranges]) -> list[torch.Tensor]:
    """The samples in the shapes to export: the best ones, but at least 2 along dynamic axes."""
    first = profiles[0]
    shapes = []
    for index, best in enumerate(first.best):
        dynamic = dynamic_axes(profiles, index)
        top = [max(p.maximum[index][axis] for p in profiles) for axis in range(len(best))]
        shapes.append(tuple(max(size, min(2, top[axis])) if axis in dynamic else size for axis, size in enumerate(best)))
    return [resized(sample, shape) for sample, shape in zip(samples, shapes)]


def dynamic_axes(profiles: list[Ranges], index: int) -> set[int]:
    """The axes of an input that have more than one size in or between the profiles."""
    sizes: dict[int, set[int]] = {}
    for profile in profiles:
        for axis, (low, _, high) in enumerate(profile.axes(index)):
            sizes.setdefault(axis, set()).update((low, high))
    return {axis for axis, seen in sizes.items() if len(seen) > 1}


def export_dims(module: Any, args: tuple, kwargs: dict[str, Any], profiles: list[Ranges]) -> dict[str, Any]:
    """`dynamic_shapes` for torch.export: a tree like the arguments', a dict of axes at each tensor."""
    forward = module.forward if isinstance(module, torch.nn.Module) else module
    bound = inspect.signature(forward).bind(*args, **kwargs)
    counter = iter(range(len(profiles[0].best)))

    def leaf(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return None
        index = next(counter)
        return {axis: torch.export.Dim.AUTO for axis in sorted(dynamic_axes(profiles, index))}

    return {name: pytree.tree_map(leaf, value) for name, value in bound.arguments.items()}
