"""What a capture returns: the program of a model, and the structure of its inputs and outputs.

This file must not know how models are captured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx import Node as FxNode
from torch.utils import _pytree as pytree

from .export import AtenGraph
from .intercept import OpaqueCall
from .lenient import walk_all
from .limits import Places
from .opaque import opaque_nodes
from .program import Program
from .tree import InputTree, OutputTree
from .walk import Walked


@dataclass(frozen=True)
class Whole:
    """A captured graph, and its program, in which calls without a form are nodes that nothing converts."""

    graph: AtenGraph
    walked: Walked


@dataclass(frozen=True)
class Captured:
    """A captured model: its program, and the structure of its inputs and outputs."""

    program: Program
    inputs: InputTree
    outputs: OutputTree
    traced_because: str | None = None
    """Why torch.export was not used; None when it was. A traced program has the sample's shapes and decisions."""
    opaque_calls: dict[int, OpaqueCall] = field(default_factory=dict)
    """The calls that were kept whole, by the `key` of their node."""
    constants: dict[int, dict[int, torch.Tensor]] = field(default_factory=dict)
    """Of each, the tensor arguments that follow from the model's weights alone, by position."""
    places: Places = field(default_factory=dict)
    """The lines of the model that fixed or limited a dynamic size, by input name and axis."""
    guards: list[str] = field(default_factory=list)
    """What the model decided by sizes, as `AtenGraph.guards` has it."""
    fixed: list[str] = field(default_factory=list)
    """Numbers that a traced run read out of the sample inputs, as `AtenGraph.fixed` has it."""
    graph: AtenGraph | None = None
    """The graph itself; None of a model that was not captured as a whole."""
    whole: Whole | None = None
    """The graph with its program, where it was captured to be cut into parts."""
    computed_in: list[list[str]] = field(default_factory=list)
    """Of each output that is computed, the half-precision types in which the model computes it."""

    def in_pytorch(self, calls: Mapping[int, str]) -> dict[FxNode, str]:
        """The nodes of opaque calls that run in PyTorch, by key, with the reason: the plugins that they become."""
        nodes = opaque_nodes(self.graph.module.graph) if self.graph is not None else {}
        return {nodes[key]: f"the CPU engine runs no plugins ({plugins})" for key, plugins in calls.items()}

    def to_cut(self) -> Whole:
        """The graph to be cut into parts."""
        if self.whole is not None:
            return self.whole
        assert self.graph is not None
        return Whole(self.graph, walk_all(self.graph, self.input_names, self.inputs.samples, lambda *_: None))

    def walk(self, builder: Any) -> None:
        """Hands the program to `builder` (see `program.py` for its methods)."""
        self.program.emit(builder)

    @property
    def in_spec(self) -> pytree.TreeSpec:
        """The pytree structure of (args, kwargs), arguments bound to the signature of forward."""
        return self.inputs.spec

    @property
    def out_spec(self) -> pytree.TreeSpec:
        """The pytree structure of the return value."""
        return self.outputs.spec

    @property
    def input_names(self) -> list[str]:
        """Names of the input tensors: the parameters of forward, with a path where nested ("xs.0")."""
        return self.inputs.names

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs that are computed (constants have none), distinct from the input names."""
        return self.outputs.names

    def flatten_inputs(self, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> list[torch.Tensor]:
        """The tensors of a call, in the order of `input_names`.

        Raises:
            InputError: the arguments differ from the sample's in structure or in a constant.
        """
        return self.inputs.flatten(args, kwargs)

    def unflatten_outputs(self, values: Sequence[Any], inputs: Sequence[torch.Tensor] | None = None) -> Any:
        """The model's own return value, from one value per name in `output_names`, and the call's tensors for sizes."""
        return self.outputs.unflatten(values, inputs)


__all__ = ["Captured", "Whole"]
