"""The sample inputs of a call and the ranges asked for: what to export with, and what to compare on.

This file must not know how a model is captured or converted.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from . import accepted
from ._log import logger
from .arguments import Arguments
from .boundary import extra_axes
from .capture import Captured, ModelError, normalized
from .capture.errors import one_line
from .capture.origin import place_of
from .capture.preserve import as_module, preserved, settle_mode
from .capture.tree import InputTree
from .dataset import Dataset
from .dynamic import (
    Ranges,
    Shape,
    ShapeOptions,
    dynamic_axes,
    export_dims,
    export_samples,
    other_shapes,
    profiles_from,
    resized,
    with_room,
)
from .errors import Error, body, error
from .footprint import cut_inputs
from .module import TRTModule


@dataclass
class Samples:
    """Sample inputs in the shapes to capture with, and the profiles; no profiles where every size is fixed."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    profiles: list[Ranges]
    given: InputTree
    """The inputs of the call; where there are dynamic shapes, others may be exported."""
    dynamic_shapes: Any = None
    """For torch.export."""
    resized: bool = False
    """Whether others are, because of min, opt and max shapes or a largest batch."""

    def ranges(
        self, names: Sequence[str], dtypes: Sequence[str | None] = ()
    ) -> list[dict[str, list[tuple[int, int, int]]]]:
        """The profiles by the names of the engine's inputs, as the Rust options have them."""
        return [
            {name: [*profile.axes(k), *extra_axes(dtypes, k)] for k, name in enumerate(names)}
            for profile in self.profiles
        ]

    def settle(self, captured: Captured) -> None:
        """Makes a profile of torch.export's Dims, where those gave the sizes."""
        if self.dynamic_shapes is not None and not self.profiles:
            self.profiles = _from_dims(captured, [tuple(sample.shape) for sample in self.given.samples])

    def others(self) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
        """Calls of other sizes than those to capture with: the largest, then ones that differ from these on every
        dynamic axis.

        The sizes of the second avoid 2 where they can: torch.export takes a size that is not 2 for one of at least 3.
        """
        exported = self.tensors()
        if self.profiles:
            profile = cut_inputs(self.profiles[0], exported)
            differing = [
                tuple(_other(size, low, high) for size, (low, _, high) in zip(tensor.shape, profile.axes(k)))
                for k, tensor in enumerate(exported)
            ]
            wanted = [profile.maximum, differing]
        else:
            arguments = self.given.named(self.args, self.kwargs)
            wanted = other_shapes(exported, arguments, self.dynamic_shapes)
        for shapes in wanted:
            yield self.given.rebuild([sample.detach() for sample in _resized(self.given.samples, shapes)])

    def tensors(self) -> list[torch.Tensor]:
        """The tensors of the samples, in the shapes to capture with."""
        return [leaf for leaf in pytree.tree_leaves((self.args, self.kwargs)) if isinstance(leaf, torch.Tensor)]

    def only_as_given(self, module: Any, failed: ModelError) -> Error:
        """The error for a model that fails at the sizes that are exported: what fixes them, where it runs as given."""
        module, given = as_module(module), self.given
        try:
            with preserved(module, values=True), torch.no_grad():
                settle_mode(module, warn=False)
                args, kwargs = given.rebuild([sample.detach().clone() for sample in given.samples])
                module(*args, **kwargs)
        except Exception:  # the user's code may raise anything
            return failed
        tensors = self.tensors()
        fixed = [
            f"axis {axis} of `{name}` at {size}"
            for name, sample, other in zip(given.names, given.samples, tensors)
            for axis, (size, exported) in enumerate(zip(sample.shape, other.shape))
            if size != exported
        ]
        shapes = [", ".join(str(list(tensor.shape)) for tensor in part) for part in (given.samples, tensors)]
        cause = failed.__cause__ or failed
        return error(
            "E0307",
            f"the model runs at the sample's shapes {shapes[0]}, but fails in PyTorch at {shapes[1]}, which the "
            "ranges include"
            f"\n  {one_line(cause)}{place_of(cause)}",
            f"this line fixes {' and '.join(fixed)}: write it with the input's own size, such as x.view(x.shape[0], "
            "...), or convert without max_batch_size and without min_shapes and max_shapes",
        )

    def cases(self, captured: Captured, profiles: list[Ranges]) -> Iterator[tuple[str, list[torch.Tensor], bool]]:
        """What to compare on: the samples, or each profile's smallest, best and largest shapes.

        `profiles` are these, or narrower ones where the largest shapes do not fit in memory: the last of each case is
        whether its shapes are others than those that were asked for.
        """
        samples = [sample.detach() for sample in captured.inputs.samples]
        if not self.profiles:
            yield "", samples, False
        for k, (asked, profile) in enumerate(zip(self.profiles, profiles)):
            prefix = f"profile {k} " if len(self.profiles) > 1 else ""
            yield f"{prefix}min", _resized(samples, profile.minimum), False
            yield f"{prefix}opt", _resized(samples, profile.best), profile.best != asked.best
            cut = profile.maximum != asked.maximum
            yield f"{prefix}{'largest compared' if cut else 'max'}", _resized(samples, profile.maximum), cut


def collect(module: Any, inputs: Any, kwargs: dict[str, Any] | None, options: ShapeOptions) -> Samples:
    """The samples and profiles of a call.

    Raises:
        torch2trt.Error: E0307 where ranges do not fit the samples or each other, E0601 where the samples do not fit
            the model's signature, E0602 for an empty data set.
    """
    module = as_module(module)
    _check_parts(module)
    signature = inspect.signature(module.forward)
    dataset = inputs if isinstance(inputs, Dataset) else None
    if dataset is not None:
        if len(dataset) == 0:
            raise error("E0602", "the data set is empty", "insert at least one sample first")
        inputs = dataset[0]
    tree = InputTree(signature, *normalized(inputs, kwargs))
    options = options.by_own_names(tree.names)
    observed = [] if dataset is None else _shapes_of(tree, dataset, kwargs)
    own = [tuple(sample.shape) for sample in tree.samples]
    profiles = profiles_from(tree.names, own, options, observed)
    if options.dynamic_shapes is not None:
        try:
            return _with_dims(module, tree, profiles, options.dynamic_shapes)
        except RecursionError:
            raise error("E0307", "`dynamic_shapes` contains itself", "give a dict of axes for each input") from None
    if not profiles:
        return Samples(tree.args, tree.kwargs, profiles, tree)
    args, kwargs = tree.rebuild(export_samples(tree.samples, profiles))
    if not any(dynamic_axes(profiles, k) for k in range(len(tree.samples))):
        return Samples(args, kwargs, [], tree)
    made = Samples(args, kwargs, profiles, tree, export_dims(signature, args, kwargs, profiles))
    made.resized = any(sample.shape != other.shape for sample, other in zip(tree.samples, made.tensors()))
    return made


def _check_parts(module: torch.nn.Module) -> None:
    """Rejects a model that a converted module is a part of.

    Raises:
        torch2trt.Error: E0601 with its path.
    """
    for path, part in module.named_modules():
        if isinstance(part, TRTModule):
            raise error(
                "E0601",
                f"{f'`{path}`' if path else 'the model'} is a converted module: it holds an engine, and no PyTorch "
                "code to capture",
                "convert the original module"
                + (f", or put it back into the model first: model.{path} = original" if path else ""),
            )


def calibration_samples(arguments: Arguments, captured: Captured) -> Iterator[list[torch.Tensor]]:
    """The tensors of each call to calibrate on: of a data set or an iterable, or of the sample inputs.

    Raises:
        torch2trt.Error: E0602 for an item that is no input of the model, or where there are no items.
    """
    dataset = arguments.int8_calib_dataset
    if dataset is None and isinstance(arguments.inputs, Dataset):
        dataset = arguments.inputs
    if dataset is None:
        logger.warning(
            "%s: the ranges are those of the sample inputs; give `calibration` typical ones", arguments.quantization
        )
        yield [sample.detach() for sample in captured.inputs.samples]
        return
    count = 0
    for item in _items(dataset):
        yield _inputs_of(item, count, arguments.kwargs, captured.inputs)
        count += 1
    if count == 0:
        raise error("E0602", "`int8_calib_dataset` is empty", "give it at least one sample")


def _items(dataset: Any) -> Iterator[Any]:
    """The samples of a data set with a length and items, or of anything that can be iterated, such as a DataLoader."""
    if (
        hasattr(dataset, "__len__")
        and hasattr(dataset, "__getitem__")
        and not isinstance(dataset, (dict, torch.Tensor))
    ):
        for index in range(len(dataset)):
            yield dataset[index]
        return
    yield from accepted.collection("int8_calib_dataset", dataset)


def _inputs_of(item: Any, index: int, kwargs: dict[str, Any] | None, inputs: InputTree) -> list[torch.Tensor]:
    """The tensors of one sample."""
    if not isinstance(item, (torch.Tensor, list, tuple, dict)):
        raise error(
            "E0602",
            f"sample {index} of `int8_calib_dataset` is a {type(item).__name__}",
            "give tensors, or tuples or dicts of the model's inputs",
        )
    try:
        return inputs.flatten(*normalized(item, kwargs))
    except Error as refused:
        raise error(
            "E0602",
            f"sample {index} of `int8_calib_dataset` does not fit the model: {body(refused)}",
            "give the model's inputs only, without labels: int8_calib_dataset=((x,) for x, label in loader)",
        ) from refused


def _other(size: int, low: int, high: int) -> int:
    """A size within the range that is not this one, where there is one."""
    return next(
        (other for other in (high, low, (low + high) // 2) if other not in (2, size)), low if size != low else high
    )


def _with_dims(module: torch.nn.Module, tree: InputTree, profiles: list[Ranges], dynamic_shapes: Any) -> Samples:
    """The samples in shapes that torch.export takes with these `dynamic_shapes`."""
    if isinstance(dynamic_shapes, (str, bytes)):
        raise error(
            "E0601",
            f"`dynamic_shapes` is {accepted.shown(dynamic_shapes)}",
            "give a dict by parameter, or a tuple with an entry for each: dynamic_shapes=({0: Dim('batch', max=8)},)",
        )
    if isinstance(dynamic_shapes, torch.export.ShapesCollection):
        with suppress(Exception):  # it knows tensors by identity; what it refuses, it will refuse in torch.export too
            dynamic_shapes = dynamic_shapes.dynamic_shapes(module, tree.args, tree.kwargs)
    arguments = inspect.signature(module.forward).bind(*tree.args, **tree.kwargs).arguments
    samples = with_room(tree.samples, arguments, dynamic_shapes)
    return Samples(*tree.rebuild(samples), profiles, tree, dynamic_shapes)


def _shapes_of(tree: InputTree, dataset: Dataset, kwargs: dict[str, Any] | None) -> list[list[Shape]]:
    """The shapes of the inputs in each sample."""
    samples = (tree.flatten(*normalized(dataset[index], kwargs)) for index in range(len(dataset)))
    return [[tuple(tensor.shape) for tensor in sample] for sample in samples]


def _from_dims(captured: Captured, own: list[tuple[int, ...]]) -> list[Ranges]:
    """The profile of what was captured, with the caller's own shapes as the best where they are in range; none where a
    range is open, or a size is a multiple or the like of another.
    """
    symbols = {symbol.name: symbol for symbol in captured.program.symbols}
    dims = [given.dims for given in captured.program.inputs]
    used = {dim for shape in dims for dim in shape if not isinstance(dim, int)}
    if not used or any(name not in symbols or symbols[name].max is None for name in used):
        return []

    def shapes(end: str) -> list[tuple[int, ...]]:
        return [tuple(d if isinstance(d, int) else getattr(symbols[d], end) for d in shape) for shape in dims]

    low, best, high = shapes("min"), shapes("hint"), shapes("max")
    ends = [pair for shape in zip(low, own, high) for pair in zip(*shape)]
    return [Ranges(low, own if all(a <= size <= b for a, size, b in ends) else best, high)]


def _resized(samples: list[torch.Tensor], shapes: list[tuple[int, ...]]) -> list[torch.Tensor]:
    return [resized(sample, shape) for sample, shape in zip(samples, shapes)]


__all__ = ["Samples", "ShapeOptions", "collect"]
