"""The backend of `torch.compile(model, backend="torch2trt")`.

    compiled = torch.compile(model, backend="torch2trt", options={"fp16_mode": True})
    with torch.no_grad():
        y = compiled(x)

Dynamo hands over one graph for each part of the model between graph breaks. Each becomes an engine, or several with
parts in PyTorch, when it is called with shapes that it was not called with before.

This file must not know how models are converted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ._convert import torch2trt
from ._log import logger
from .capture import CaptureWarning
from .errors import error
from .module import TRTModule

MOST_ENGINES = 16
"""Shapes of one graph that get an engine; PyTorch runs it for further ones."""

_DEFAULTS = {"fallback": True, "progress": False, "verify": False}
_SHAPES = ("min_shapes", "opt_shapes", "max_shapes", "max_batch_size", "dynamic_shapes")
_OURS = ("input_names", "output_names", "kwargs", *_SHAPES)
"""Arguments that Dynamo's calls decide."""


def backend(
    graph: torch.fx.GraphModule,
    examples: Sequence[Any],
    *,
    options: dict[str, Any] | None = None,
    mode: str | None = None,
) -> Callable[..., Any]:
    """Compiles a graph of Dynamo's.

    Args:
        graph: the graph; its weights are inputs.
        examples: inputs as Dynamo has them.
        options: arguments of `torch2trt()`, besides those about shapes and names. `fallback` is on, `verify` off.
        mode: "reduce-overhead" and "max-autotune" replay CUDA graphs from the first call on.

    Raises:
        torch2trt.Error: E0701 for an option that does not exist, or that Dynamo's calls decide.
    """
    given = {**_DEFAULTS, **(options or {})}
    for name in _OURS:
        if name in given:
            help = "leave it out: each combination of shapes has an engine of its own"
            raise error("E0701", f"option `{name}` is not for torch.compile", help)
    if mode in ("reduce-overhead", "max-autotune"):
        given.setdefault("use_cuda_graph", True)
    fixed = [getattr(example, "_dynamo_static_input_type", None) is not None for example in examples]
    return torch._dynamo.disable(_Compiled(graph, fixed, given))


class _Compiled:
    """A graph with an engine for each combination of shapes that it was called with."""

    def __init__(self, graph: torch.fx.GraphModule, fixed: list[bool], options: dict[str, Any]) -> None:
        self.graph, self.fixed, self.options = graph, fixed, options
        self.weights: list[tuple[Any, int]] = []
        self.engines: dict[tuple[Any, ...], TRTModule | None] = {}
        self._noted: set[str] = set()

    def __call__(self, *inputs: Any) -> Any:
        if torch.is_grad_enabled() and any(isinstance(one, torch.Tensor) and one.requires_grad for one in inputs):
            return self._in_pytorch("gradients may be needed: call the compiled model under torch.no_grad()", inputs)
        weights = [one for one, fixed in zip(inputs, self.fixed, strict=True) if fixed]
        if len(weights) != len(self.weights) or any(
            new is not old or new._version != version for new, (old, version) in zip(weights, self.weights, strict=True)
        ):
            self.engines.clear()
            self.weights = [(weight, 0 if weight.is_inference() else weight._version) for weight in weights]
        tensors = self._tensors(inputs)
        numbers = tuple(one for one in inputs if not isinstance(one, torch.Tensor))
        key = (numbers, *((tensor.shape, tensor.dtype, tensor.device) for tensor in tensors))
        if key not in self.engines:
            if len(self.engines) >= MOST_ENGINES:
                reason = f"more than {MOST_ENGINES} shapes: give torch2trt() a range of shapes instead"
                return self._in_pytorch(reason, inputs)
            self.engines[key] = self._converted(inputs)
        engine = self.engines[key]
        return self.graph(*inputs) if engine is None else engine(*tensors)

    def _tensors(self, inputs: Sequence[Any]) -> list[torch.Tensor]:
        return [
            one for one, fixed in zip(inputs, self.fixed, strict=True) if isinstance(one, torch.Tensor) and not fixed
        ]

    def _converted(self, inputs: Sequence[Any]) -> TRTModule | None:
        """An engine for these shapes; None where PyTorch runs the graph, which is logged."""
        bound = _Bound(self.graph, inputs, self.fixed)
        tensors = [tensor.detach() for tensor in self._tensors(inputs)]
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                made = torch2trt(bound, tensors, **self.options)
        except torch._dynamo.exc.TorchDynamoException:
            raise
        except RuntimeError as refused:  # every error of this package is one, and so are most of PyTorch's
            if getattr(refused, "code", "") == "E0701":
                raise
            self._note(f"PyTorch runs a graph: {refused}")
            return None
        doubts = [str(one.message) for one in caught if issubclass(one.category, CaptureWarning)]
        if doubts:  # writes to buffers, decisions by values: the engine would return something else
            self._note(f"PyTorch runs a graph: {doubts[0]}")
            return None
        return made

    def _in_pytorch(self, reason: str, inputs: Sequence[Any]) -> Any:
        self._note(f"PyTorch runs a graph: {reason}")
        return self.graph(*inputs)

    def _note(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            logger.warning("%s", text)


class _Bound(torch.nn.Module):
    """A graph of Dynamo's with its weights, and the numbers among its inputs, in place."""

    def __init__(self, graph: torch.fx.GraphModule, inputs: Sequence[Any], fixed: Sequence[bool]) -> None:
        super().__init__()
        self.graph = graph
        self.places: list[tuple[str, Any]] = []
        for index, (value, is_fixed) in enumerate(zip(inputs, fixed, strict=True)):
            if is_fixed:
                self.register_buffer(f"weight{index}", value.detach(), persistent=False)
                self.places.append(("weight", f"weight{index}"))
            elif isinstance(value, torch.Tensor):
                self.places.append(("input", None))
            else:
                self.places.append(("number", value))
        self.eval()

    def forward(self, *tensors: torch.Tensor) -> Any:
        """The graph's outputs for the inputs that are no weights."""
        remaining = iter(tensors)
        values = [
            next(remaining) if kind == "input" else getattr(self, value) if kind == "weight" else value
            for kind, value in self.places
        ]
        return self.graph(*values)


__all__ = ["MOST_ENGINES", "backend"]
