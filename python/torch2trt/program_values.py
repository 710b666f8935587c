"""PyTorch's values of the calls of a captured program, for one call of the model.

The captured graph runs operator by operator. This file must not know what the values are for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.fx import Interpreter
from torch.fx import Node as FxNode

from .boundary import to_engine, to_model
from .capture import Captured
from .capture.opaque import with_originals
from .undefined import zeros_where_undefined
from .verify import real, reference_outputs

Place = tuple[int, int]
"""A value of a program: index of the node, and which of its outputs."""


class ProgramValues:
    """The values of the calls of a model in PyTorch.

    Attributes:
        known: the values that PyTorch has.
    """

    def __init__(self, module: torch.nn.Module, captured: Captured, inputs: list[torch.Tensor]) -> None:
        """The values for these input tensors, which are the model's own."""
        whole = captured.to_cut()
        self._module, self._captured, self._inputs = module, captured, inputs
        self._graph = whole.graph
        self._runs = with_originals(whole.graph.module, captured.opaque_calls)
        # Several nodes of a program may come from one call; the last has its result.
        nodes = {origin: index for index, origin in enumerate(whole.walked.origins)}
        self._names = {index: origin.name for origin, index in nodes.items()}
        outputs = {index: whole.walked.program.nodes[index].outputs for index in self._names}
        self.known = [
            (index, k) for index, made in outputs.items() for k, output in enumerate(made) if output is not None
        ]

    def outputs(self) -> list[torch.Tensor]:
        """The outputs of the model itself, in the order of the engine's."""
        return [real(tensor) for tensor in reference_outputs(self._module, self._captured, "", self._inputs)]

    def program_outputs(self) -> list[torch.Tensor]:
        """The same as the captured program computes them."""
        return self.outputs_with([], None)

    def values(self, wanted: Sequence[Place]) -> list[torch.Tensor]:
        """Values in host memory, in types that engines have."""
        run = self._run({self._names[index] for index, _ in wanted})
        return [_for_engine(_element(run.kept[self._names[index]], k)) for index, k in wanted]

    def outputs_with(self, replaced: Sequence[Place], by: torch.Tensor | None) -> list[torch.Tensor]:
        """The outputs of the program where these values are replaced by a tensor of an engine."""
        results = [value.name for value in self._graph.outputs if isinstance(value, FxNode)]
        changes: dict[str, set[int]] = {}
        for index, k in replaced:
            changes.setdefault(self._names[index], set()).add(k)
        run = self._run(set(results), changes, by)
        leaves = zip(self._graph.outputs, self._captured.outputs.leaves, strict=True)
        names = [value.name for value, leaf in leaves if leaf.is_runtime]
        return [real(torch.as_tensor(run.kept[name])) for name in names] or self.outputs()

    def _run(
        self, keep: set[str], changes: dict[str, set[int]] | None = None, by: torch.Tensor | None = None
    ) -> _Recorder:
        given = dict(zip(self._graph.inputs, (tensor.clone() for tensor in self._inputs), strict=True))
        given |= {name: tensor for name, (_, tensor, _) in self._graph.weights.items()}
        recorder = _Recorder(self._runs, given, keep, changes or {}, by)
        with torch.no_grad(), zeros_where_undefined(self._captured.program):
            recorder.run()
        return recorder


class _Recorder(Interpreter):
    """Runs a graph and keeps the values of some nodes."""

    def __init__(
        self,
        module: torch.fx.GraphModule,
        given: dict[str, torch.Tensor],
        keep: set[str],
        changes: dict[str, set[int]],
        by: torch.Tensor | None,
    ) -> None:
        super().__init__(module)
        self.given, self.keep, self.changes, self.by = given, keep, changes, by
        self.kept: dict[str, Any] = {}

    def run_node(self, n: FxNode) -> Any:
        if n.op in ("placeholder", "get_attr") and n.name in self.given:
            value = self.given[n.name]
        elif n.op == "placeholder":
            value = n.meta.get("val")  # a constant among the arguments
        else:
            value = super().run_node(n)
        if self.by is not None and n.name in self.changes:
            value = _changed(value, self.changes[n.name], self.by)
        if n.name in self.keep:
            self.kept[n.name] = value
        return value


def _changed(value: Any, places: set[int], by: torch.Tensor) -> Any:
    """A result with a tensor of an engine in some places."""
    if isinstance(value, (list, tuple)):
        return [_as(item, by) if k in places else item for k, item in enumerate(value)]
    return _as(value, by)


def _as(value: Any, by: torch.Tensor) -> Any:
    """A tensor of an engine in the place of a value of the model."""
    if not isinstance(value, torch.Tensor):
        return type(value)(by.item())
    (made,) = to_model([by], [str(value.dtype).removeprefix("torch.")])
    return made.to(value.device, value.dtype)


def _element(value: Any, k: int) -> Any:
    return value[k] if isinstance(value, (list, tuple)) else value


def _for_engine(value: Any) -> torch.Tensor:
    tensor = torch.as_tensor(value).detach()
    (made,) = to_engine([tensor], [str(tensor.dtype).removeprefix("torch.")])
    return real(made).contiguous()


__all__ = ["ProgramValues"]
