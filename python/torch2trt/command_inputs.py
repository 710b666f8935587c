"""The inputs of a command that PyTorch runs: those of a saved program, of a file of tensors, or random ones.

This file must not know how models are cut.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.export.graph_signature import (
    ConstantArgument,
    SymBoolArgument,
    SymFloatArgument,
    SymIntArgument,
    TensorArgument,
)
from torch.utils import _pytree as pytree
from torch.utils._sympy.value_ranges import bound_sympy

from .capture.errors import one_line
from .capture.preserve import module_of
from .capture.tree import InputTree
from .errors import error

_NO_END = 2**31 - 1


@dataclass
class Call:
    """A call of a saved program.

    Attributes:
        args, kwargs: its arguments.
        names: the name of each tensor: "x", or "batch.image" where nested.
        tensors: the tensors.
        sizes: the sizes of each tensor in the program: numbers, or symbolic sizes.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    names: list[str]
    tensors: list[torch.Tensor]
    sizes: list[Sequence[Any]]

    @classmethod
    def of(cls, program: torch.export.ExportedProgram, path: str | None) -> Call:
        """A call on the tensors of a file, or on those of the export; on random ones where it has none.

        Raises:
            torch2trt.Error: E0602 where the file lacks an input, E0607 where it cannot be read.
        """
        inputs = [spec.arg for spec in program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"]
        nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
        spec = program.call_spec.in_spec
        assert spec is not None
        args, kwargs = program.example_inputs or _invented(inputs, nodes, spec)
        signature = inspect.signature(module_of(program).forward)
        tree = InputTree(signature, args, kwargs)
        positions, named = pytree.tree_unflatten(range(len(inputs)), spec)
        order = pytree.tree_leaves(list(signature.bind(*positions, **named).arguments.values()))
        sizes = [nodes[inputs[k].name].meta["val"].shape for k in order if isinstance(inputs[k], TensorArgument)]
        tensors = tensors_of(path, tree.names) if path else list(tree.samples)
        for given, leaf in zip(inputs, pytree.tree_leaves((args, kwargs)), strict=True):
            if isinstance(given, (SymIntArgument, SymFloatArgument, SymBoolArgument)):
                print(f"note: `{given.name}` is fixed at {leaf}: only tensors are inputs of engines")
        return cls(*tree.rebuild(tensors), tree.names, tensors, sizes)

    def moved(self, device: torch.device) -> None:
        """Moves the tensors to a device."""
        self.args, self.kwargs, self.tensors = pytree.tree_map_only(
            torch.Tensor, lambda tensor: tensor.to(device), (self.args, self.kwargs, self.tensors)
        )

    def shapes(self, program: torch.export.ExportedProgram, asked: dict[str, dict[str, list[int]]]) -> dict[str, Any]:
        """The arguments of `torch2trt` about shapes: the ranges of the export, and what is asked for in their place.

        Raises:
            torch2trt.Error: E0602 for shapes of an input that the model does not have, E0307 where a size has no end.
        """
        _check_names([name for shapes in asked.values() for name in shapes], self.names)
        found: dict[str, dict[str, tuple[int, ...]]] = {"min": {}, "opt": {}, "max": {}}
        is_dynamic = False
        for name, tensor, sizes in zip(self.names, self.tensors, self.sizes, strict=True):
            limits = [_limits(program, size) for size in sizes]
            is_dynamic |= any(low != high for low, high in limits)
            low, high = ([limit[k] for limit in limits] for k in (0, 1))
            for end, default in (("min", low), ("opt", list(tensor.shape)), ("max", high)):
                found[end][name] = tuple(asked[end].get(name, default))
            _check_end(name, found["max"][name])
        return {f"{end}_shapes": shapes for end, shapes in found.items()} if is_dynamic else {}


def _invented(inputs: list[Any], nodes: dict[str, Any], spec: pytree.TreeSpec) -> tuple[Any, Any]:
    """Arguments for a program that was saved without samples."""
    generator = torch.Generator().manual_seed(0)

    def made(argument: Any) -> Any:
        if isinstance(argument, ConstantArgument):
            return argument.value
        value = nodes[argument.name].meta["val"]
        if not isinstance(value, torch.Tensor):
            return value if isinstance(value, (bool, int, float)) else value.node.hint
        return drawn(
            [size if isinstance(size, int) else size.node.hint for size in value.shape], value.dtype, generator
        )

    args, kwargs = pytree.tree_unflatten([made(argument) for argument in inputs], spec)
    return args, kwargs


def _check_end(name: str, shape: tuple[int, ...]) -> None:
    """Rejects a largest shape that is not known.

    Raises:
        torch2trt.Error: E0307 where an axis has no largest size.
    """
    endless = [axis for axis, size in enumerate(shape) if size == _NO_END]
    if endless:
        text = "x".join("SIZE" if axis in endless else str(size) for axis, size in enumerate(shape))
        raise error(
            "E0307", f"axis {endless[0]} of `{name}` has no largest size", f"give it: --max-shape {name}={text}"
        )


def _limits(program: torch.export.ExportedProgram, size: Any) -> tuple[int, int]:
    """The smallest and the largest size of an axis."""
    if isinstance(size, int):
        return size, size
    known = program.range_constraints.get(size.node.expr)
    if known is None:
        known = bound_sympy(size.node.expr, program.range_constraints)
    low, high = known.lower, known.upper
    is_open = not high.is_Integer or int(high) >= _NO_END
    return max(int(low), 1) if low.is_Integer else 1, _NO_END if is_open else int(high)


def random_inputs(engine: Any, shapes: dict[str, list[int]], seed: int) -> list[torch.Tensor]:
    """Numbers between -1 and 1, integers and truth values that are 0 or 1.

    Sizes that are not given are those of inputs with the same symbol, or the smallest.

    Raises:
        torch2trt.Error: E0602 for a shape of an input that the engine does not have.
    """
    _check_names(shapes, engine.input_names)
    symbols = {
        text: size
        for name, _, dims in engine.inputs
        for text, size in zip(dims, shapes.get(name, ()), strict=False)
        if text.isidentifier()
    }
    generator, made = torch.Generator().manual_seed(seed), []
    for (name, dtype, dims), axes in zip(engine.inputs, engine.ranges, strict=True):
        texts = dims if len(dims) == len(axes) else [""] * len(axes)
        known = [
            symbols.get(text, max(low, 1) if low != high else low)
            for text, (low, high) in zip(texts, axes, strict=True)
        ]
        made.append(drawn(shapes.get(name, known), getattr(torch, dtype), generator).to(engine.device))
    return made


def drawn(shape: Sequence[int], dtype: torch.dtype, generator: torch.Generator) -> torch.Tensor:
    """Random numbers between -1 and 1; 0 or 1 where they are integers or truth values."""
    values = torch.rand(shape, generator=generator) * 2 - 1
    return (values if dtype.is_floating_point or dtype.is_complex else values > 0).to(dtype)


def _check_names(given: Sequence[str] | dict[str, Any], known: Sequence[str]) -> None:
    """Rejects names that are not those of inputs.

    Raises:
        torch2trt.Error: E0602 for a name that no input has.
    """
    for name in given:
        if name not in known:
            raise error("E0602", f"the model has no input `{name}`", f"its inputs are {', '.join(known)}")


def tensors_of(path: str, names: Sequence[str]) -> list[torch.Tensor]:
    """The tensors of these names in a file.

    Raises:
        torch2trt.Error: E0602 where one is missing, E0607 for what is no such file, E0801 without safetensors.
    """
    given = file_tensors(path)
    missing = [name for name in names if name not in given]
    if missing:
        listed = ", ".join(given)
        raise error(
            "E0602",
            f"{path} has no tensor `{missing[0]}`; it has {listed}",
            f"its tensors need the names of the inputs: {', '.join(names)}",
        )
    return [given[name] for name in names]


def file_tensors(path: str) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, by name.

    Raises:
        torch2trt.Error: E0607 for what is no such file, E0801 without safetensors.
    """
    library = safetensors()
    try:
        given: dict[str, torch.Tensor] = library.load_file(path)
    except Exception as refused:  # of the system, and of the package
        raise error("E0607", f"{path} cannot be read: {one_line(refused)}", "give a safetensors file") from refused
    return given


def safetensors() -> Any:
    """The package that reads and writes files of tensors.

    Raises:
        torch2trt.Error: E0801 where it is missing.
    """
    try:
        import safetensors.torch
    except ImportError as missing:
        raise error("E0801", "files of tensors need safetensors", "pip install safetensors") from missing
    return safetensors.torch


__all__ = ["Call", "random_inputs", "safetensors", "tensors_of"]
