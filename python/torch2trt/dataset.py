"""Sets of sample inputs: what dynamic shapes and the ranges of int8 are derived from.

Same classes and methods as in NVIDIA's torch2trt. An item is the list (or tuple, or dict) of one call's inputs.

This file must not know how samples are used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from .errors import error
from .flattener import Flattener

Shapes = list[tuple[int, ...]]


class Dataset(torch.utils.data.Dataset):
    """Samples of a model's inputs. Subclasses give `__len__` and `__getitem__`."""

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError

    def getitem_flat(self, index: int) -> list[torch.Tensor]:
        """The tensors of one sample, in flattened order."""
        return self.flattener.flatten(self[index])

    @property
    def flattener(self) -> Flattener:
        """How samples are flattened; that of the first sample."""
        if len(self) == 0:
            raise error("E0602", "the data set is empty", "insert at least one sample first")
        if not hasattr(self, "_flattener"):
            self._flattener = Flattener.from_value(self[0])
        return self._flattener

    def num_inputs(self) -> int:
        """Number of tensors in a sample."""
        return len(self.getitem_flat(0))

    def shapes(self, flat: bool = False) -> Any:
        """For each input, the shapes it has in all samples."""
        columns = [self.getitem_flat(i) for i in range(len(self))]
        found = [[tuple(tensor.shape) for tensor in column] for column in zip(*columns)]
        return found if flat else self.flattener.unflatten(found)

    def _statistic(self, reduce: Callable[[Shapes], tuple[int, ...]], flat: bool) -> Any:
        found = [reduce(shapes) for shapes in self.shapes(flat=True)]
        return found if flat else self.flattener.unflatten(found)

    def min_shapes(self, flat: bool = False) -> Any:
        """Smallest size of each axis of each input."""
        return self._statistic(lambda shapes: tuple(map(min, zip(*shapes))), flat)

    def max_shapes(self, flat: bool = False) -> Any:
        """Largest size of each axis of each input."""
        return self._statistic(lambda shapes: tuple(map(max, zip(*shapes))), flat)

    def median_numel_shapes(self, flat: bool = False) -> Any:
        """The shape with the median number of elements, of each input."""

        def median(shapes: Shapes) -> tuple[int, ...]:
            return sorted(shapes, key=lambda shape: torch.Size(shape).numel())[len(shapes) // 2]

        return self._statistic(median, flat)

    def infer_dynamic_axes(self, flat: bool = False) -> Any:
        """The axes of each input whose size differs between samples."""
        pairs = zip(self.min_shapes(flat=True), self.max_shapes(flat=True))
        found = [[axis for axis, (low, high) in enumerate(zip(*pair)) if low != high] for pair in pairs]
        return found if flat else self.flattener.unflatten(found)


class ListDataset(Dataset):
    """Samples in a list."""

    def __init__(self, items: list[Any] | None = None) -> None:
        self.items = list(items or [])

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]

    def insert(self, item: Any) -> None:
        """Adds a sample."""
        self.items.append(item)

    @contextmanager
    def record(self, module: torch.nn.Module) -> Iterator[ListDataset]:
        """Adds the inputs of every call of `module` inside the block."""
        with _recording(module, self.insert):
            yield self


class TensorBatchDataset(Dataset):
    """Samples stored as one batch of each input; a sample is a slice of length 1 of the first axis."""

    def __init__(self, tensors: Any = None) -> None:
        self.tensors = tensors

    def __len__(self) -> int:
        return 0 if self.tensors is None else len(self._flat()[0])

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        return self._structure().unflatten([tensor[index : index + 1] for tensor in self._flat()])

    def _structure(self) -> Flattener:
        return Flattener.from_value(self.tensors)

    def _flat(self) -> list[torch.Tensor]:
        return self._structure().flatten(self.tensors)

    def insert(self, tensors: Any) -> None:
        """Adds a batch of samples."""
        if self.tensors is None:
            self.tensors = tensors
            return
        added = self._structure().flatten(tensors)
        joined = [torch.cat(pair, dim=0) for pair in zip(self._flat(), added)]
        self.tensors = self._structure().unflatten(joined)

    @contextmanager
    def record(self, module: torch.nn.Module) -> Iterator[TensorBatchDataset]:
        """Adds the inputs of every call of `module` inside the block."""
        with _recording(module, self.insert):
            yield self


class FolderDataset(Dataset):
    """Samples in files of a folder, `input_0.pth`, `input_1.pth` and so on."""

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        self.folder = folder

    def _paths(self) -> list[str]:
        names = [name for name in os.listdir(self.folder) if name.startswith("input_") and name.endswith(".pth")]
        return [os.path.join(self.folder, name) for name in sorted(names, key=lambda name: int(name[6:-4]))]

    def __len__(self) -> int:
        return len(self._paths())

    def __getitem__(self, index: int) -> Any:
        return torch.load(self._paths()[index], weights_only=True)

    def insert(self, item: Any) -> None:
        """Writes a sample."""
        torch.save(item, os.path.join(self.folder, f"input_{len(self)}.pth"))

    @contextmanager
    def record(self, module: torch.nn.Module) -> Iterator[FolderDataset]:
        """Adds the inputs of every call of `module` inside the block."""
        with _recording(module, self.insert):
            yield self


@contextmanager
def _recording(module: torch.nn.Module, insert: Callable[[Any], None]) -> Iterator[None]:
    def hook(_: torch.nn.Module, args: tuple[Any, ...]) -> None:
        insert(list(args))

    handle = module.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()
