"""One CUDA graph for the whole call of a partitioned model: engines and parts in PyTorch.

A graph replays the same kernels on the same memory. So inputs are copied to where the graph reads them, and outputs are
copied from where it writes them. What the host reads while a call runs cannot be in it.

This file must not know how parts came to be.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch.fx import GraphModule

from .._log import logger
from ..capture.errors import one_line
from ..capture.symbols import is_unbacked
from .nodes import symbols_of

MOST_GRAPHS = 8
"""Combinations of input shapes that get a graph; further calls run part by part."""

_WARM_UP = 3
_READ_BY_THE_HOST = ("item", "_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "equal")

Run = Callable[[list[torch.Tensor]], list[torch.Tensor]]


class Recorded(Protocol):
    """A call that was captured."""

    def replay(self, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The outputs for these inputs, in memory of their own."""


class WholeCall:
    """Replays whole calls from CUDA graphs, one for each combination of input shapes.

    Attributes:
        obstacle: why calls run part by part; None where they are replayed.
    """

    def __init__(
        self,
        run: Run,
        obstacle: str | None,
        record: Callable[[Run, Sequence[torch.Tensor]], Recorded] | None = None,
        is_capturing: Callable[[], bool] = torch.cuda.is_current_stream_capturing,
    ) -> None:
        """Replays calls of `run`.

        Args:
            run: runs all parts.
            obstacle: why a call cannot be captured; None where it may be.
            record: captures a call for inputs. Default: a `CudaGraph`.
            is_capturing: whether the caller captures the call already.
        """
        self.obstacle = obstacle
        self._run, self._record, self._is_capturing = run, record or CudaGraph, is_capturing
        self._recorded: dict[tuple[Any, ...], Recorded] = {}
        self._lock = threading.Lock()

    @property
    def state(self) -> str:
        """One line for the report."""
        if self.obstacle is not None:
            return f"one for each engine: {self.obstacle}"
        return "one for the whole call"

    def __call__(self, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor] | None:
        """The outputs of a call; None where it has to run part by part."""
        if self.obstacle is not None or self._is_capturing():
            return None
        key = tuple(tensor.shape for tensor in inputs)
        with self._lock:
            recorded = self._recorded.get(key) or self._captured(key, inputs)
            return None if recorded is None else recorded.replay(inputs)

    def _captured(self, key: tuple[Any, ...], inputs: Sequence[torch.Tensor]) -> Recorded | None:
        if len(self._recorded) >= MOST_GRAPHS:
            return None
        try:
            made = self._recorded[key] = self._record(self._run, inputs)
        except RuntimeError as failed:  # of CUDA, where something in the call cannot be captured
            self.obstacle = f"a part cannot be captured: {one_line(failed)}"
            logger.warning("use_cuda_graph: %s", self.state)
            return None
        return made


class CudaGraph:
    """A whole call in one CUDA graph."""

    def __init__(self, run: Run, inputs: Sequence[torch.Tensor]) -> None:
        """Captures a call.

        Raises:
            RuntimeError: something in it cannot be captured.
        """
        self._inputs = [tensor.clone() for tensor in inputs]
        stream, device = torch.cuda.Stream(inputs[0].device), inputs[0].device
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):  # libraries allocate their workspaces in the first calls
                run(self._inputs)
        torch.cuda.current_stream(device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
                self._outputs = run(self._inputs)
        except BaseException:
            _clean_up(self._graph, device)
            raise
        self._done = torch.cuda.Event()
        self._device = device

    def replay(self, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The outputs for these inputs, on the current stream."""
        stream = torch.cuda.current_stream(self._device)
        stream.wait_event(self._done)  # of a call on another stream, which uses the same memory
        with torch.cuda.device(self._device):
            torch._foreach_copy_(self._inputs, list(inputs))
            self._graph.replay()
            made = [output.clone() for output in self._outputs]
        self._done.record(stream)
        return made


_FAILED: list[torch.cuda.CUDAGraph] = []
"""Captures that failed. PyTorch's allocator goes on asking them which allocations are theirs: they must stay."""


def _clean_up(graph: torch.cuda.CUDAGraph, device: torch.device) -> None:
    """After a capture that failed, PyTorch takes its random generator for one that is being captured, and refuses it.

    A copy of the generator's state, with its seed and position, takes the place of the one that the capture used.
    """
    _FAILED.append(graph)
    generator = torch.cuda.default_generators[torch.cuda._utils._get_device_index(device, optional=True)]
    generator.graphsafe_set_state(generator.clone_state())


def obstacle(parts: Sequence[Any], device: torch.device) -> str | None:
    """Why a call of these parts in PyTorch cannot be captured, as far as their graphs show; None where it may be."""
    if device.type != "cuda":
        return "the model runs on the CPU"
    for part in parts:
        if not isinstance(part, GraphModule):
            return "Python code runs between the engines"
        for node in part.graph.nodes:
            if node.op == "call_function" and (reason := _obstacle(node)):
                return f"{node.target} {reason}"
    return None


def _obstacle(node: torch.fx.Node) -> str | None:
    if isinstance(node.target, torch._ops.HigherOrderOperator):
        return "decides on the host"
    if getattr(node.target, "_opname", "") in _READ_BY_THE_HOST:
        return "reads values on the host"
    value = node.meta.get("val")
    made = value if isinstance(value, (list, tuple)) else [value]
    tensors = [tensor for tensor in made if isinstance(tensor, torch.Tensor)]
    if tensors and any(map(is_unbacked, symbols_of(node))):
        return "has a size that depends on data"
    return "runs on the CPU" if any(tensor.device.type == "cpu" for tensor in tensors) else None


__all__ = ["MOST_GRAPHS", "CudaGraph", "WholeCall", "obstacle"]
