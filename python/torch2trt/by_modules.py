"""Models whose Python code decides by the values of tensors: Python runs that code, and engines the modules inside.

torch.export captures one way through `if x.sum() > 0` or a loop that data end, so such a model is not captured as a
whole. Its sub-modules are converted one by one, for the shapes that calls on the samples give them, and take the place
of the originals in a copy of the model's structure. A call that does not fit an engine runs the original.

This file must not know graphs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ._core import Error
from .capture import Captured
from .capture.containers import register_containers
from .capture.fork import Fork
from .capture.given import finite
from .capture.preserve import as_module, settle_mode
from .capture.program import Input, Node, Origin, Output, Program, Symbol, dtype_name
from .capture.tree import RUNTIME, InputTree, OutputTree
from .deciding import COMPUTED, Converted, PythonModel
from .dynamic import Ranges, resized
from .errors import brief, error
from .module import TRTModule
from .partition.assembly import Made
from .partition.engine import PartitionedEngine, Step, as_tensor
from .partition.partition import Partition
from .samples import Samples

Convert = Callable[[nn.Module, tuple[Any, ...], dict[str, Any], dict[str, Any]], TRTModule]
"""Converts a sub-module: with sample arguments, keyword arguments and the arguments of `torch2trt` about shapes."""


@dataclass
class _Calls:
    """The calls of one sub-module: the arguments of the first, and the shapes of all."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    structure: Any
    shapes: list[list[tuple[int, ...]]] = field(default_factory=list)
    is_uniform: bool = True


def by_modules(
    module: Any, sampled: Samples, device: torch.device, refused: Error, convert: Convert
) -> tuple[Captured, Made]:
    """Converts the sub-modules of a model.

    Args:
        module: the model.
        sampled: its samples and ranges.
        device: where it runs.
        refused: why it is not captured as a whole.
        convert: converts a sub-module.

    Returns:
        What stands for a captured model, and the parts.

    Raises:
        torch2trt.Error: `refused`, where no sub-module converts.
    """
    copy = Fork(as_module(module)).module
    settle_mode(copy)
    inputs = InputTree(inspect.signature(copy.forward), sampled.args, sampled.kwargs)
    parts: list[Partition] = []
    reasons: list[str] = []
    with torch.no_grad():
        recorded, result = _recorded(copy, inputs, sampled)
        _convert_children(copy, "", recorded, convert, parts, reasons, {})
    if not parts:
        raise refused
    with finite():
        register_containers(result, "output")
    leaves, spec = pytree.tree_flatten(result)
    tree = OutputTree(spec, [RUNTIME if isinstance(leaf, COMPUTED) else leaf for leaf in leaves], inputs.names)
    for index, leaf in enumerate(leaves):
        if isinstance(leaf, (bool, int, float)):  # it may be another for other inputs
            tree.set_read(index)
    outputs = [as_tensor(leaf) for leaf in leaves if isinstance(leaf, COMPUTED)]
    returned = [dtype_name(tensor) for tensor in outputs]
    tree.dtypes = returned

    run = PythonModel(as_module(module), copy, inputs, spec)
    profiles = sampled.profiles
    program = _program(inputs, tree, outputs, profiles)
    weights = run.weights
    dtypes = list(inputs.dtypes)
    step = Step(None, run, list(range(len(inputs.names))), [], dtypes, list(returned), [], weights)
    engine = PartitionedEngine(
        [(item.name, item.dtype, [str(dim) for dim in item.dims]) for item in program.inputs],
        [(name, dtype, []) for name, dtype in zip(tree.names, returned, strict=True)],
        [step],
        [len(inputs.names) + k for k in range(len(outputs))],
        [[(low, high) for low, _, high in _axes(profiles, inputs, k)] for k in range(len(inputs.names))],
        device,
        sum(part.kind == "engine" for part in parts),
        inputs.host,
    )
    name = type(as_module(module)).__name__
    parts.append(Partition("pytorch", 0, reasons={brief(refused): [f"{name}.forward", *reasons]}))
    engine.partitions = parts
    captured = Captured(program, inputs, tree, computed_in=[[str(dtype)] for dtype in returned])
    return captured, Made(engine, parts, [], weights)


def _recorded(module: nn.Module, inputs: InputTree, sampled: Samples) -> tuple[dict[int, _Calls], Any]:
    """Each sub-module's calls on the samples and at the ends of the ranges, and the model's result for the samples."""
    recorded: dict[int, _Calls] = {}
    hooks = [part.register_forward_pre_hook(_recorder(recorded), with_kwargs=True) for part in module.modules()]
    try:
        args, kwargs = inputs.rebuild([sample.detach().clone() for sample in inputs.samples])
        result = module(*args, **kwargs)
        for shapes in (shapes for profile in sampled.profiles for shapes in (profile.minimum, profile.maximum)):
            tensors = [resized(sample.detach(), shape) for sample, shape in zip(inputs.samples, shapes, strict=True)]
            args, kwargs = inputs.rebuild(tensors)
            module(*args, **kwargs)
    finally:
        for hook in hooks:
            hook.remove()
    return recorded, result


def _recorder(recorded: dict[int, _Calls]) -> Callable[..., None]:
    def hook(part: nn.Module, args: Any, kwargs: Any) -> None:
        leaves, structure = pytree.tree_flatten((args, kwargs))
        known = recorded.get(id(part))
        if known is None:
            copies = [leaf.detach().clone() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
            own, named = pytree.tree_unflatten(copies, structure)
            known = recorded[id(part)] = _Calls(tuple(own), dict(named), structure)
        known.is_uniform = known.is_uniform and structure == known.structure
        known.shapes.append([tuple(leaf.shape) for leaf in leaves if isinstance(leaf, torch.Tensor)])

    return hook


def _convert_children(
    parent: nn.Module,
    path: str,
    recorded: dict[int, _Calls],
    convert: Convert,
    parts: list[Partition],
    reasons: list[str],
    known: dict[int, nn.Module],
) -> None:
    """Puts engines in the place of sub-modules; where one does not convert, in the place of those inside of it."""
    for name, child in list(parent.named_children()):
        own = f"{path}.{name}" if path else name
        calls = recorded.get(id(child))
        if id(child) in known:
            parent._modules[name] = known[id(child)]
            continue
        if calls is None and any(True for _ in child.parameters()) and not _is_container(child):
            reasons.append(f"{own} (not called on the samples)")
            continue
        if calls is not None and any(True for _ in child.parameters()):
            try:
                made = convert(child, calls.args, calls.kwargs, _shapes(calls))
            except Error as refused:
                reasons.append(f"{own} ({brief(refused)})")
            else:
                known[id(child)] = parent._modules[name] = Converted(made, child, own)
                report = made.report
                part = Partition("engine", report.nodes, report.layers, module=own)
                part.difference = max(report.difference.values(), default=None)
                parts.append(part)
                continue
        _convert_children(child, own, recorded, convert, parts, reasons, known)


def _is_container(module: nn.Module) -> bool:
    return isinstance(module, (nn.ModuleList, nn.ModuleDict)) or type(module).forward is nn.Module.forward


def _shapes(calls: _Calls) -> dict[str, Any]:
    """The arguments about shapes for a sub-module: from the smallest to the largest that calls had.

    Raises:
        torch2trt.Error: E0601 where calls have arguments of different structures or ranks.
    """
    ranks = {tuple(map(len, shapes)) for shapes in calls.shapes}
    if not calls.is_uniform or len(ranks) > 1:
        raise error(
            "E0601", "calls have arguments of different structures", "call it with the same arguments everywhere"
        )
    rows = list(zip(*calls.shapes, strict=True))
    low = [tuple(map(min, zip(*shapes, strict=True))) for shapes in rows]
    high = [tuple(map(max, zip(*shapes, strict=True))) for shapes in rows]
    return {} if low == high else {"min_shapes": low, "opt_shapes": calls.shapes[0], "max_shapes": high}


def _axes(profiles: list[Ranges], inputs: InputTree, index: int) -> Iterator[tuple[int, int, int]]:
    """Smallest, best and largest size of each axis of an input, over all profiles."""
    if not profiles:
        yield from ((size, size, size) for size in inputs.samples[index].shape)
        return
    for rows in zip(*(profile.axes(index) for profile in profiles), strict=True):
        lows, bests, highs = zip(*rows, strict=True)
        yield min(lows), bests[0], max(highs)


def _program(inputs: InputTree, tree: OutputTree, outputs: list[torch.Tensor], profiles: list[Ranges]) -> Program:
    """A program of one call, whose inputs have the ranges of the samples."""
    program = Program()
    for k, (name, dtype) in enumerate(zip(inputs.names, inputs.dtypes, strict=True)):
        dims: list[Any] = []
        for axis, (low, best, high) in enumerate(_axes(profiles, inputs, k)):
            if low == high:
                dims.append(low)
                continue
            dims.append(f"{name}_dim{axis}")
            program.symbols.append(Symbol(dims[-1], low, high, best))
        program.inputs.append(Input(k, name, str(dtype), dims))
    ids = [len(inputs.names) + k for k in range(len(outputs))]
    described = [Output(name, str(dtype), None) for name, dtype in zip(tree.names, tree.dtypes, strict=True)]
    args = [(f"arg{k}", ("value", k)) for k in range(len(inputs.names))]
    program.nodes.append(Node("torch2trt.python.default", args, [*described], [*ids], Origin()))
    program.outputs = [("value", id) for id in ids]
    return program


__all__ = ["by_modules"]
