"""Ranges of input shapes: from min/opt/max shapes, a data set or a largest batch, to the arguments of torch.export.

An axis whose smallest and largest sizes differ becomes dynamic; torch.export finds out which dynamic axes are one
symbol. It also takes sizes of 0 and 1 for constants, so the sample that is exported has at least 2 there.

This file must not know about engines or programs.
"""

from __future__ import annotations

import difflib
import inspect
import numbers
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils import _pytree as pytree

from . import _core
from .accepted import brief
from .arguments import Arguments
from .capture.program import Program, Symbol
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


@dataclass(frozen=True)
class ShapeOptions:
    """The arguments of `torch2trt` that determine which sizes the engine accepts.

    `min_shapes`, `opt_shapes` and `max_shapes` are each None; one shape an input, nested as the inputs are or flat; a
    dict of shapes by input name, where those left out have the sample's sizes; or a list of such for several profiles.
    """

    min_shapes: Any = None
    opt_shapes: Any = None
    max_shapes: Any = None
    max_batch_size: int | None = None
    dynamic_shapes: Any = None
    input_names: Any = None
    """The names that the call gives the inputs; shapes can be given by these, too."""

    @classmethod
    def of(cls, arguments: Arguments) -> ShapeOptions:
        """Those of a call."""
        return cls(**{name: getattr(arguments, name) for name in cls.__dataclass_fields__})

    def by_own_names(self, own: list[str]) -> ShapeOptions:
        """The same with shapes by the model's own names."""
        renamed = {name: mine for name, mine in zip(self.input_names or [], own) if name not in own}

        def translated(given: Any) -> Any:
            if isinstance(given, dict):
                return {renamed.get(name, name): shape for name, shape in given.items()}
            if isinstance(given, list) and all(isinstance(profile, dict) for profile in given):
                return [translated(profile) for profile in given]
            return given

        shapes = {name: translated(getattr(self, name)) for name in ("min_shapes", "opt_shapes", "max_shapes")}
        return replace(self, **shapes) if renamed else self


@dataclass(frozen=True)
class _Requested:
    """What profiles are computed from: names and shapes of the inputs, and the shapes of each profile."""

    names: list[str]
    own: list[Shape]
    min: list[list[Shape]] | None
    opt: list[list[Shape]] | None
    max: list[list[Shape]] | None
    data_set: Sequence[list[Shape]]
    max_batch_size: int | None


def profiles_from(
    names: list[str], own: list[Shape], options: ShapeOptions, data_set: Sequence[list[Shape]] = ()
) -> list[Ranges]:
    """The profiles that a call asks for; none where every size is that of the sample inputs.

    Args:
        names: the names of the input tensors.
        own: their shapes in the sample inputs.
        options: what the call asks for.
        data_set: the shapes of the inputs in each sample of a data set, which are the ranges left out of `options`.

    Raises:
        torch2trt.Error: E0307 where ranges do not fit the samples or are out of order.
    """
    given = {
        end: _profiles(f"{end}_shapes", getattr(options, f"{end}_shapes"), names, own) for end in ("min", "opt", "max")
    }
    batch = None if options.max_batch_size is None else _size(options.max_batch_size)
    made = _core.shape_profiles(_Requested(names, own, **given, data_set=data_set, max_batch_size=batch))
    return [Ranges(*([tuple(shape) for shape in end] for end in ends)) for ends in made]


def _is_shape(given: Any) -> bool:
    if not isinstance(given, (tuple, list)) or (isinstance(given, list) and not given):
        return False
    return all(isinstance(size, numbers.Integral) and not isinstance(size, bool) for size in given)


def _leaves(given: Any, names: list[str], own: list[Shape]) -> list[Shape] | None:
    """The shapes of one profile, one an input; None where it is not one."""
    if isinstance(given, dict) and given and all(map(_is_shape, given.values())):
        unknown = [name for name in given if name not in names]
        if unknown:
            near = difflib.get_close_matches(str(unknown[0]), names, n=1) or names
            found = f"there is no input `{unknown[0]}` to give a shape for"
            raise error("E0307", found, f"did you mean {_listed(near)}?")
        return [_shape(given.get(name, shape)) for name, shape in zip(names, own)]
    flat = pytree.tree_leaves([given] if _is_shape(given) else given, is_leaf=_is_shape)
    shapes = [_shape(leaf) for leaf in flat if _is_shape(leaf)]
    return shapes if len(shapes) == len(flat) == len(own) else None


def _shape(given: Any) -> Shape:
    return tuple(map(_size, given))


def _size(given: Any) -> int:
    """A size as 64 bits hold it; no engine accepts the sizes beyond."""
    return max(-(2**63), min(int(given), 2**63 - 1))


def _profiles(label: str, given: Any, names: list[str], own: list[Shape]) -> list[list[Shape]] | None:
    """The shapes of every profile that an argument gives."""
    if given is None:
        return None
    try:
        return _given_profiles(label, given, names, own)
    except RecursionError:
        advice = f"give one shape for each input, such as {label}={own}"
        raise error("E0307", f"{label} contains itself", advice) from None


def _given_profiles(label: str, given: Any, names: list[str], own: list[Shape]) -> list[list[Shape]]:
    one = _leaves(given, names, own)
    if one is not None:
        return [one]
    parts = given if isinstance(given, (list, tuple)) else []
    several = [None if _is_shape(part) else _leaves(part, names, own) for part in parts]
    profiles = [profile for profile in several if profile is not None]
    if not profiles or len(profiles) < len(several):
        raise error(
            "E0307",
            f"{label} is {brief(given, 200)}; the model has {len(own)} input tensors: {_listed(names)}",
            f"give one shape for each of them, in order, such as {label}={own}",
        )
    return profiles


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def resized(tensor: torch.Tensor, shape: Shape) -> torch.Tensor:
    """A tensor of another shape with the tensor's elements, repeated or cut along each axis; zeros if it has none."""
    if not tensor.numel():
        return tensor.new_zeros(shape)
    for axis, size in enumerate(shape):
        if size != tensor.shape[axis]:
            at = torch.arange(size, device=tensor.device) % tensor.shape[axis]
            tensor = tensor.index_select(axis, at)
    return tensor.contiguous()


def export_samples(samples: list[torch.Tensor], profiles: list[Ranges]) -> list[torch.Tensor]:
    """The samples in the shapes to export: the best ones, but at least 2 along dynamic axes."""
    first = profiles[0]
    shapes = []
    for index, best in enumerate(first.best):
        dynamic = dynamic_axes(profiles, index)
        top = [max(p.maximum[index][axis] for p in profiles) for axis in range(len(best))]
        sizes = (max(size, min(2, top[axis])) if axis in dynamic else size for axis, size in enumerate(best))
        shapes.append(tuple(sizes))
    return [resized(sample, shape) for sample, shape in zip(samples, shapes)]


def dynamic_axes(profiles: list[Ranges], index: int) -> set[int]:
    """The axes of an input that have more than one size in or between the profiles."""
    sizes: dict[int, set[int]] = {}
    for profile in profiles:
        for axis, (low, _, high) in enumerate(profile.axes(index)):
            sizes.setdefault(axis, set()).update((low, high))
    return {axis for axis, seen in sizes.items() if len(seen) > 1}


def export_dims(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any], profiles: list[Ranges]
) -> dict[str, Any]:
    """`dynamic_shapes` for torch.export: a tree like the arguments', a dict of axes at each tensor."""
    bound = signature.bind(*args, **kwargs)
    counter = iter(range(len(profiles[0].best)))

    def leaf(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return None
        index = next(counter)
        return dict.fromkeys(sorted(dynamic_axes(profiles, index)), torch.export.Dim.AUTO)

    def tree(value: Any) -> Any:
        """The same structure; containers of a library, such as caches, as lists, for they hold tensors only."""
        children, spec = pytree.tree_flatten(value, is_leaf=lambda part: part is not value)
        if spec.is_leaf():
            return leaf(value)
        if isinstance(value, (dict, list, tuple)):
            return pytree.tree_unflatten([tree(child) for child in children], spec)
        return [tree(child) for child in children]

    return {name: tree(value) for name, value in bound.arguments.items()}


def with_room(samples: list[torch.Tensor], arguments: dict[str, Any], dynamic_shapes: Any) -> list[torch.Tensor]:
    """The samples, with 2 along axes of size 1 that `dynamic_shapes` gives a `Dim` or `Dim.DYNAMIC`.

    `Dim.AUTO` leaves such an axis to torch.export, and sizes derived from others (`2 * batch`) would have to grow with
    them: with any of these the samples stay as they are. So they do where torch.export will refuse what is given.
    """
    if any(_kind(dim) == "DerivedDim" for dim in pytree.tree_leaves(dynamic_shapes)):
        return samples
    shapes = [list(sample.shape) for sample in samples]
    for shape, dims in zip(shapes, _at_tensors(arguments, dynamic_shapes)):
        for axis, dim in _by_axis(dims):
            if not isinstance(axis, int) or not -len(shape) <= axis < len(shape) or shape[axis] != 1:
                continue
            if _kind(dim) == "AUTO":
                return samples
            if _kind(dim) in ("Dim", "DYNAMIC") and _takes(dim, 1) and _takes(dim, 2):
                shape[axis] = 2
    pairs = zip(samples, map(tuple, shapes))
    return [sample if sample.shape == shape else resized(sample, shape) for sample, shape in pairs]


def other_shapes(samples: list[torch.Tensor], arguments: dict[str, Any], dynamic_shapes: Any) -> list[list[Shape]]:
    """Shapes that differ from the samples' along every axis that `dynamic_shapes` makes dynamic: by one, then with
    sizes that the ranges exclude, or that torch.export never takes for a dynamic size, as far as there are such.
    """
    differing, outside = ([list(sample.shape) for sample in samples] for _ in range(2))
    for index, dims in enumerate(_at_tensors(arguments, dynamic_shapes)):
        for axis, dim in _by_axis(dims):
            rank = samples[index].dim()
            if isinstance(axis, int) and -rank <= axis < rank and _kind(dim) in _DYNAMIC:
                size, high = samples[index].shape[axis], getattr(dim, "max", None)
                differing[index][axis] = size + 1 if _takes(dim, size + 1) else size - 1
                outside[index][axis] = high + 1 if isinstance(high, int) and high < 4 * size + 8 else 1
    return [[tuple(shape) for shape in shapes] for shapes in (differing, outside)]


_DYNAMIC = ("AUTO", "DYNAMIC", "Dim", "DerivedDim")


def _at_tensors(value: Any, dims: Any) -> Iterator[Any]:
    """What `dynamic_shapes` has for each tensor, in flattened order; None where it has nothing."""
    if isinstance(value, torch.Tensor):
        yield dims
        return
    children, spec = pytree.tree_flatten(value, is_leaf=lambda part: part is not value)
    if spec.is_leaf():
        return
    parts: Sequence[Any] = [None] * len(children)
    if isinstance(value, Mapping) and isinstance(dims, Mapping):
        parts = [dims.get(key) for key in value]
    elif isinstance(dims, (tuple, list)) and len(dims) == len(children):
        parts = dims
    for child, part in zip(children, parts):
        yield from _at_tensors(child, part)


def _by_axis(dims: Any) -> Iterable[tuple[Any, Any]]:
    return dims.items() if isinstance(dims, Mapping) else enumerate(dims if isinstance(dims, (tuple, list)) else ())


def _kind(dim: Any) -> str:
    """`"AUTO"`, `"STATIC"` or `"DYNAMIC"`; otherwise the name of its class: `"Dim"`, `"DerivedDim"`, `"int"`."""
    hint = getattr(dim, "type", dim)  # the hint itself before torch 2.7
    return getattr(hint, "name", None) or type(dim).__name__.lstrip("_")


def _takes(dim: Any, size: int) -> bool:
    low, high = getattr(dim, "min", None), getattr(dim, "max", None)
    return (low is None or low <= size) and (high is None or size <= high)


def check_captured(program: Program, profiles: list[Ranges], places: Mapping[tuple[str, int], str]) -> None:
    """Compares what was asked for with what torch.export found out about the model.

    Args:
        program: what was captured; its dims show which axes stayed dynamic, its symbols in which range.
        profiles: what was asked for.
        places: the line of the model that fixed an axis of an input or limited it, where that is known.

    Raises:
        torch2trt.Error: E0307 for axes that the model fixes to one size or limits to fewer, with the line that does,
            and for axes that are one size in the model but have different ranges.
    """
    symbols = {symbol.name: symbol for symbol in program.symbols}
    wrong: list[str] = []
    for index, given in enumerate(program.inputs):
        for axis in sorted(dynamic_axes(profiles, index)):
            low = min(profile.minimum[index][axis] for profile in profiles)
            high = max(profile.maximum[index][axis] for profile in profiles)
            allowed = _allowed(given.dims[axis], symbols, low, high)
            if allowed:
                place = places.get((given.name, axis))
                at = f", because of {place}" if place else ""
                wrong.append(
                    f"input `{given.name}`, axis {axis}: {low}..{high} was asked for, the model allows {allowed}{at}"
                )
    if wrong:
        raise error(
            "E0307",
            "the model does not allow every size that was asked for\n  " + "\n  ".join(wrong),
            "give these axes the sizes that the model allows, or write the model without the fixed size: x.shape[0] "
            "for len(x) and int(x.size(0))",
        )
    _check_shared(program, profiles)


def _allowed(dim: int | str, symbols: dict[str, Symbol], low: int, high: int) -> str | None:
    """The sizes that the model allows where they do not cover low..high."""
    if isinstance(dim, int):
        return f"{dim} only"
    symbol = symbols.get(dim)
    if symbol is None:
        return None  # a multiple or the like of another axis: verified by running
    # torch.export never looks at sizes of 0 and 1, so that its ranges start at 2 without meaning it.
    if (symbol.min > 2 and low < symbol.min) or (symbol.max is not None and high > symbol.max):
        return f"{symbol.min}..{'' if symbol.max is None else symbol.max}"
    return None


def _check_shared(program: Program, profiles: list[Ranges]) -> None:
    for profile in profiles:
        first: dict[str, tuple[str, int, tuple[int, int, int]]] = {}
        for index, given in enumerate(program.inputs):
            for axis, (dim, asked) in enumerate(zip(given.dims, profile.axes(index))):
                if isinstance(dim, int):
                    continue
                name, other, range_ = first.setdefault(dim, (given.name, axis, asked))
                if asked != range_:
                    raise error(
                        "E0307",
                        f"axis {other} of `{name}` and axis {axis} of `{given.name}` are one size in the model, but "
                        f"were given the (min, opt, max) sizes {range_} and {asked}",
                        "give both the same sizes",
                    )
