"""Models with data-dependent control flow in Python, and engines in the place of sub-modules.

A file holds the engines and where they belong, and no Python code. It is loaded into a model of the same structure and
weights.

This file must not know how sub-modules are converted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from . import tree_file
from ._core import Error
from ._log import logger
from .capture.fork import Fork
from .capture.preserve import as_module, settle_mode
from .capture.tree import InputTree
from .errors import brief, error
from .module import TRTModule
from .partition.engine import PartitionedEngine, PythonPart, as_tensor
from .partition.file import write

COMPUTED = (torch.Tensor, bool, int, float)
"""What the Python code may compute; other values that it returns are those of the samples."""

_DOES_NOT_FIT = ("E0401", "E0402", "E0403", "E0404", "E0602")

Load = Callable[[bytes, nn.Module], TRTModule]
"""The model of an engine file's bytes; the module is the one that was converted."""


class Converted(nn.Module):
    """A sub-module that runs in an engine, and in PyTorch where a call does not fit the engine."""

    def __init__(self, engine: TRTModule, original: nn.Module, path: str) -> None:
        super().__init__()
        self.engine = engine
        self.path = path
        self.__dict__["_original"] = original  # no sub-module: it is not part of the copy
        self._is_noted = False

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As the original."""
        try:
            return self.engine(*args, **kwargs)
        except Error as refused:
            if refused.code not in _DOES_NOT_FIT:
                raise
            if not self._is_noted:
                self._is_noted = True
                logger.warning(
                    "`%s` runs in PyTorch for a call that does not fit its engine: %s", self.path, brief(refused)
                )
            return self.__dict__["_original"](*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """Attributes of the original."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["_original"], name)


class PythonModel(PythonPart):
    """The Python code of a model, with engines in the place of sub-modules.

    Attributes:
        module: the copy of the model's structure that runs.
        weights: weights that are constants of engines. Those that the Python code reads may change; engines of this
            process notice by themselves when theirs do.
    """

    def __init__(self, original: nn.Module, module: nn.Module, inputs: InputTree, returned: Any) -> None:
        """Runs `module`, a copy of `original`; `returned` is the structure of its results."""
        self.module = module
        self.weights: list[torch.Tensor] = []
        self._original, self._inputs, self._returned = original, inputs, returned

    def __call__(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        """What the model computes for these tensors, in order.

        Raises:
            torch2trt.Error: E0407 where it returns another structure than for the samples.
        """
        args, kwargs = self._inputs.rebuild(list(tensors))
        found, structure = pytree.tree_flatten(self.module(*args, **kwargs))
        if structure != self._returned:
            raise error(
                "E0407", "the model returned another structure than for the samples", "return tensors of one structure"
            )
        return [as_tensor(leaf) for leaf in found if isinstance(leaf, COMPUTED)]

    def saved(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The description for a file, and the engine files by their names.

        Raises:
            torch2trt.Error: E0605 for arguments with no written form.
        """
        engines: dict[int, dict[str, Any]] = {}
        members: dict[str, bytes] = {}
        for path, part in self.module.named_modules(remove_duplicate=False):
            if not isinstance(part, Converted):
                continue
            if id(part) not in engines:
                name = f"module{len(engines)}.trt2"
                members[name] = _engine_file(part.engine)
                engines[id(part)] = {"file": name, "paths": []}
            engines[id(part)]["paths"].append(path)
        about = {
            "class": _class_of(self._original),
            "call": tree_file.structure_to_json(self._inputs.spec),
            "engines": list(engines.values()),
        }
        about["weights"] = {name: _digest(weight) for name, weight in _weights(self._original, about)}
        return about, members

    @classmethod
    def loaded(
        cls, module: Any, about: dict[str, Any], model: dict[str, Any], data: Callable[[str], bytes], load: Load
    ) -> PythonModel:
        """The engines of a file in a copy of a model's structure.

        Args:
            module: the model.
            about: the description that `saved` returned.
            model: how the model is called: its inputs and outputs.
            data: the bytes of an engine file by its name.
            load: loads an engine file.

        Raises:
            torch2trt.Error: E0605 for a model of another structure or with other weights.
        """
        name = about["class"].rpartition(".")[2]
        original = as_module(module)
        _check(original, about, name)
        copy = Fork(original).module
        settle_mode(copy)
        for engine in about["engines"]:
            first = original.get_submodule(engine["paths"][0])
            converted = Converted(load(data(engine["file"]), first), first, engine["paths"][0])
            for path in engine["paths"]:
                parent, _, child = path.rpartition(".")
                copy.get_submodule(parent)._modules[child] = converted
        tree_file.register_dataclasses(model["outputs"].get("spec"))
        inputs, outputs = tree_file.from_json(model)
        inputs.spec = tree_file.structure_from_json(about["call"])
        made = cls(original, copy, inputs, outputs.spec)
        for engine in about["engines"]:
            first = original.get_submodule(engine["paths"][0])
            made.weights += [*first.parameters(), *first.buffers()]
        return made


def _engine_file(engine: TRTModule) -> bytes:
    """The bytes of a sub-module's engine file."""
    saved: Any = engine.engine
    description = engine._description()
    is_cut = isinstance(saved, PartitionedEngine)
    data: bytes = write(saved, description, saved.partitions) if is_cut else saved.save(description)
    return data


def _class_of(module: nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _weights(module: nn.Module, about: dict[str, Any]) -> Iterator[tuple[str, torch.Tensor]]:
    """The parameters, and the buffers in engines: Python code may write to the others in each call."""
    yield from module.named_parameters()
    inside = tuple(f"{path}." for engine in about["engines"] for path in engine["paths"])
    yield from ((name, buffer) for name, buffer in module.named_buffers() if name.startswith(inside))


def _digest(weight: torch.Tensor) -> str:
    """Dtype, shape and a checksum of the values."""
    values = weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
    dtype = str(weight.dtype).removeprefix("torch.")
    return f"{dtype}{list(weight.shape)} {hashlib.sha256(values).hexdigest()[:32]}"


def _check(module: nn.Module, about: dict[str, Any], name: str) -> None:
    """Rejects a model of another structure or with other weights than those of the file.

    Raises:
        torch2trt.Error: E0605.
    """
    parts = {path for path, _ in module.named_modules(remove_duplicate=False)}
    for path in (path for engine in about["engines"] for path in engine["paths"]):
        if path not in parts:
            raise error(
                "E0605",
                f"the model has no sub-module `{path}`, for which the file has an engine",
                f"give the model that was converted, a `{name}`",
            )
    own, expected = dict(_weights(module, about)), about["weights"]
    if differing := sorted(own.keys() ^ expected.keys()):
        raise error(
            "E0605",
            f"the model's weights have other names than those of the file, such as `{differing[0]}`",
            f"give the model that was converted, a `{name}`",
        )
    for weight in own:
        if _digest(own[weight]) != expected[weight]:
            raise error(
                "E0605",
                f"`{weight}` of the model differs from the weight that was converted",
                "load the same checkpoint into the model first (module.load_state_dict), or convert the model again",
            )


__all__ = ["COMPUTED", "Converted", "PythonModel"]
