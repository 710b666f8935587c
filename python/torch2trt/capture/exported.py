"""The captured graph as an `ExportedProgram`, which `torch.export.save` writes.

A graph of torch.export keeps its signature. That of a traced one has the model's weights and the sample's arguments.
Constants that the capture computed become inputs of the graph, too.

This file must not know what else an archive holds.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch._export.verifier import load_verifier
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import ExportedProgram
from torch.export.exported_program import ModuleCallEntry, ModuleCallSignature
from torch.export.graph_signature import (
    ConstantArgument,
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from torch.fx import Node as FxNode
from torch.utils import _pytree as pytree

from ..deferred import serialize
from .export import AtenGraph
from .live import is_number
from .origin import model_trace
from .threads import exclusive
from .tree import InputTree, OutputTree
from .views import resolve_views

_RETURNED = OutputSpec(OutputKind.USER_OUTPUT, ConstantArgument("", None), None)
_KINDS = {"parameter": InputKind.PARAMETER, "buffer": InputKind.BUFFER, "constant": InputKind.CONSTANT_TENSOR}


def exported_program(graph: AtenGraph, inputs: InputTree) -> ExportedProgram:
    """The program of a captured graph, which is changed: its constants become inputs of it."""
    base, signature = graph.exported, _call_signature(graph.exported, inputs, graph.tree)
    _lift_constants(graph)
    _settle_metadata(graph)
    if base is None:
        _set_outputs(graph)
    _erase_unused(graph)
    weights = [_weight_spec(node, *weight) for node, weight in graph.weights.items()]
    if base is None:
        input_specs = [*weights, *_add_inputs(graph, inputs)]
        output_specs = _output_specs(graph, [_RETURNED] * len(graph.outputs))
    else:
        own = {spec.arg.name: spec for spec in base.graph_signature.input_specs}
        others = [spec for spec in base.graph_signature.input_specs if spec.kind not in _KINDS.values()]
        input_specs = [*(own.get(spec.arg.name, spec) for spec in weights), *others]
        output_specs = _output_specs(graph, base.graph_signature.output_specs)
    placed = {spec.target: spec for spec in input_specs}
    tensors = {name: _parameter(tensor, kind) for name, tensor, kind in graph.weights.values()}
    is_state = {name: spec.kind is InputKind.PARAMETER or bool(spec.persistent) for name, spec in placed.items()}
    program = ExportedProgram(
        root=graph.module,
        graph=graph.module.graph,
        graph_signature=ExportGraphSignature(input_specs, output_specs),
        state_dict={name: tensor for name, tensor in tensors.items() if is_state[name]},
        range_constraints=base.range_constraints if base else {},
        module_call_graph=[ModuleCallEntry("", signature)],
        example_inputs=_example(inputs, signature.in_spec),
        constants={name: tensor for name, tensor in tensors.items() if not is_state[name]},
        verifiers=[load_verifier("TRAINING")],
    )
    resolve_views(program)
    return program


def unreturned(graph: AtenGraph) -> dict[int, str]:
    """The truth values that a graph computes and returns, by position: PyTorch writes no program with these."""
    return {k: value.name for k, value in enumerate(graph.outputs) if _is_truth(value)}


def _is_truth(value: Any) -> bool:
    return isinstance(value, FxNode) and isinstance(value.meta.get("val"), torch.SymBool)


@contextmanager
def number_functions(program: ExportedProgram | None = None) -> Iterator[None]:
    """Lets PyTorch write or read the functions of numbers in a program.

    It captures some that it does not write, such as `math.floor` (PyTorch 2.15). To read, give no `program`.
    """
    known: Any = getattr(serialize, "_SYM_OPS", set())  # private: a version without it decides itself
    nodes = program.graph.nodes if program else ()
    found = {node.target for node in nodes if node.op == "call_function" and is_number(node.meta.get("val"))}
    added = {math.floor, math.ceil, round, abs, *(one for one in found if not isinstance(one, OpOverload))} - known
    with exclusive():
        known |= added
        try:
            yield
        finally:
            known -= added


def _lift_constants(graph: AtenGraph) -> None:
    """Makes placeholders of the constants that are attributes of the graph's module."""
    nodes = graph.module.graph
    first = _first_input(graph)
    for node in [node for node in nodes.nodes if node.op == "get_attr" and node.name in graph.weights]:
        with nodes.inserting_before(first):
            constant = nodes.placeholder(f"constant_{node.name}")
        constant.meta.update(node.meta)
        graph.outputs[:] = [constant if value is node else value for value in graph.outputs]
        graph.weights[constant.name] = graph.weights.pop(node.name)
        node.replace_all_uses_with(constant)
        nodes.erase_node(node)


def _first_input(graph: AtenGraph) -> FxNode:
    """The placeholder of the first input, or what follows the placeholders."""
    nodes = list(graph.module.graph.nodes)
    return next(node for node in nodes if node.op != "placeholder" or node.name in graph.inputs)


def _weight_spec(node: str, name: str, tensor: torch.Tensor, kind: str) -> InputSpec:
    return InputSpec(_KINDS[kind], TensorArgument(node), name, persistent=True if kind == "buffer" else None)


def _parameter(tensor: torch.Tensor, kind: str) -> torch.Tensor:
    is_plain = kind == "parameter" and not isinstance(tensor, torch.nn.Parameter)
    return torch.nn.Parameter(tensor.detach(), requires_grad=False) if is_plain else tensor


def _add_inputs(graph: AtenGraph, inputs: InputTree) -> list[InputSpec]:
    """The inputs of a traced graph, with a placeholder for each constant among the arguments."""
    nodes = graph.module.graph
    placeholders = {node.name: node for node in nodes.nodes if node.op == "placeholder"}
    after = next(node for node in nodes.nodes if node.op != "placeholder")
    tensors = iter(graph.inputs)
    specs = []
    following = [placeholders[name] for name in graph.inputs]
    for leaf in inputs.leaves:
        if leaf.is_runtime:
            following = following[1:]
            specs.append(InputSpec(InputKind.USER_INPUT, TensorArgument(next(tensors)), None))
            continue
        with nodes.inserting_before(following[0] if following else after):
            node = nodes.placeholder("constant_argument")
        node.meta["val"] = _plain(leaf.constant)
        specs.append(InputSpec(InputKind.USER_INPUT, ConstantArgument(node.name, node.meta["val"]), None))
    return specs


def _set_outputs(graph: AtenGraph) -> None:
    """Makes a traced graph return what the model returns, and nothing else."""
    _output(graph).args = (tuple(value if isinstance(value, FxNode) else _plain(value) for value in graph.outputs),)


def _erase_unused(graph: AtenGraph) -> None:
    """Removes what no output needs: calls without effects, and weights, which may be of kinds that archives lack."""
    nodes = graph.module.graph
    for node in reversed(list(nodes.nodes)):
        if (
            not node.users
            and node.op in ("call_function", "get_attr")
            and (graph.exported is None or not node.is_impure())
        ):
            nodes.erase_node(node)
    signature = graph.exported.graph_signature if graph.exported else None
    written = {spec.target for spec in signature.output_specs} if signature else set()
    for node in [node for node in nodes.nodes if node.op == "placeholder" and not node.users]:
        if node.name in graph.weights and graph.weights[node.name][0] not in written:
            del graph.weights[node.name]
            nodes.erase_node(node)


def _output(graph: AtenGraph) -> FxNode:
    return next(node for node in reversed(graph.module.graph.nodes) if node.op == "output")


def _output_specs(graph: AtenGraph, specs: Sequence[OutputSpec]) -> list[OutputSpec]:
    """The specifications with the names that the values have now."""

    def argument(value: Any, given: Any) -> Any:
        if not isinstance(value, FxNode):
            return ConstantArgument("", value)
        return dataclasses.replace(
            TensorArgument("") if isinstance(given, ConstantArgument) else given, name=value.name
        )

    output = _output(graph)
    values = [None if _is_truth(value) else value for value in output.args[0]]
    output.args = (tuple(values),)
    return [dataclasses.replace(spec, arg=argument(value, spec.arg)) for spec, value in zip(specs, values, strict=True)]


def _settle_metadata(graph: AtenGraph) -> None:
    """Leaves the traces of the model's own code; in a traced graph all tensors become those of one FakeTensorMode."""
    mode = FakeTensorMode(allow_non_fake_inputs=True) if graph.exported is None else nullcontext()
    with mode:
        for node in graph.module.graph.nodes:
            node.meta["stack_trace"] = model_trace(node.meta.get("stack_trace") or "")
            if graph.exported is None and "val" in node.meta:
                node.meta["val"] = pytree.tree_map_only(torch.Tensor, _hollow, node.meta["val"])


def _hollow(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor without values that is laid out in memory as this one."""
    steps = [(size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True)]
    space = tensor.storage_offset() + (sum(steps) + 1 if tensor.numel() else 0)
    memory = torch.empty(space, dtype=tensor.dtype, device=tensor.device)
    return memory.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())


def _plain(value: Any) -> Any:
    """A constant that archives have; None in the place of any other."""
    return value if value is None or isinstance(value, (bool, int, float, str)) else None


def _call_signature(base: ExportedProgram | None, inputs: InputTree, outputs: OutputTree) -> ModuleCallSignature:
    """How the program is called: with tensors in order where a container has no written form."""
    own = base.module_call_graph[0].signature if base else None
    in_spec, out_spec = inputs.spec, outputs.spec
    names = own.forward_arg_names if own else _argument_names(inputs)
    if not _is_written(in_spec):
        in_spec = pytree.tree_structure(((0,) * in_spec.num_leaves, {}))
        names = [f"input_{k}" for k in range(in_spec.num_leaves)]
    if not _is_written(out_spec):
        out_spec = pytree.tree_structure((0,) * out_spec.num_leaves)
    return ModuleCallSignature(own.inputs if own else [], own.outputs if own else [], in_spec, out_spec, names)


def _argument_names(inputs: InputTree) -> list[str]:
    """A name for each argument of the sample call: those of `*rest` are `rest_0` and on."""
    names = [*inputs.named(inputs.args, inputs.kwargs)]
    names = [name for name in names if name not in inputs.kwargs][: len(inputs.args)]
    rest = len(inputs.args) - len(names) + 1
    if rest > 1 and names:
        names[-1:] = [f"{names[-1]}_{k}" for k in range(rest)]
    return [*names, *inputs.kwargs]


def _is_written(spec: pytree.TreeSpec) -> bool:
    try:
        pytree.treespec_dumps(spec)
    except Exception:  # whatever a registered class's context does when it is written
        return False
    return True


def _example(inputs: InputTree, spec: pytree.TreeSpec) -> tuple[Any, Any]:
    leaves = pytree.tree_leaves(inputs.rebuild([sample.detach() for sample in inputs.samples]))
    args, kwargs = pytree.tree_unflatten(leaves, spec)
    return args, kwargs


__all__ = ["exported_program", "number_functions", "unreturned"]
