"""The backend of `torch.compile(model, backend="torch2trt")`.

    compiled = torch.compile(model, backend="torch2trt", options={"fp16_mode": True})
    with torch.no_grad():
        y = compiled(x)

Dynamo hands over one graph for each part of the model between graph breaks. Each becomes an engine, or several with
parts in PyTorch, when it is called with shapes that no engine takes. Where Dynamo has symbolic sizes, an engine takes a
range of them.

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
from .dynamo_sizes import Sizes, sizes_of
from .errors import error
from .module import TRTModule

MOST_ENGINES = 16
"""Engines of one graph; PyTorch runs it for further shapes."""

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
            help = "leave it out: the calls decide; torch._dynamo.mark_dynamic(x, 0, min=2, max=32) gives a range"
            raise error("E0701", f"option `{name}` is not for torch.compile", help)
    if mode in ("reduce-overhead", "max-autotune"):
        given.setdefault("use_cuda_graph", True)
    fixed = [getattr(example, "_dynamo_static_input_type", None) is not None for example in examples]
    return torch._dynamo.disable(_Compiled(graph, fixed, given))


class _Compiled:
    """A graph with an engine for each range of sizes, or each combination of shapes, that it was called with."""

    def __init__(self, graph: torch.fx.GraphModule, fixed: list[bool], options: dict[str, Any]) -> None:
        self.graph, self.fixed, self.options = graph, fixed, options
        self.sizes = sizes_of(graph)
        self.weights: list[tuple[Any, int]] = []
        self.engines: dict[tuple[Any, Any], TRTModule | None] = {}
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
        key = self._found(inputs)
        if key is None:
            if len(self.engines) >= MOST_ENGINES:
                reason = f"more than {MOST_ENGINES} shapes: give torch2trt() a range of shapes instead"
                return self._in_pytorch(reason, inputs)
            key = self._made(inputs)
        engine = self.engines[key]
        return self.graph(*inputs) if engine is None else engine(*self._tensors(inputs))

    def _found(self, inputs: Sequence[Any]) -> tuple[Any, Any] | None:
        """The key of the engine that takes these inputs; None without one."""
        if self.sizes is None:
            key = self._key(inputs, None)
            return key if key in self.engines else None
        values, about = self.sizes.of(inputs), self._key(inputs, self.sizes)[0]
        for key in self.engines:
            if key[0] == about and all(low <= size <= high for size, (low, high) in zip(values, key[1], strict=True)):
                return key
        return None

    def _key(self, inputs: Sequence[Any], sizes: Sizes | None, ranges: Any = ()) -> tuple[Any, Any]:
        """What an engine is for: numbers, dtypes, devices and, where sizes have no ranges, shapes."""
        named = sizes.numbers if sizes else {}
        numbers = [one for k, one in enumerate(inputs) if not isinstance(one, torch.Tensor) and k not in named]
        tensors = [(None if sizes else one.shape, one.dtype, one.device) for one in self._tensors(inputs)]
        return (bool(sizes), *numbers, *tensors), ranges

    def _tensors(self, inputs: Sequence[Any]) -> list[torch.Tensor]:
        return [
            one for one, fixed in zip(inputs, self.fixed, strict=True) if isinstance(one, torch.Tensor) and not fixed
        ]

    def _made(self, inputs: Sequence[Any]) -> tuple[Any, Any]:
        """Makes an engine for a range that holds these inputs, or for their shapes alone. Returns its key."""
        if self.sizes is not None:
            known = [ranges for about, ranges in self.engines if about[0]]
            ranges = self.sizes.ranges(self.sizes.of(inputs), known)
            made = self._converted(inputs, self.sizes, ranges)
            if made is not None:
                key = self._key(inputs, self.sizes, ranges)
                for held in [one for one in self.engines if one[0] == key[0]]:
                    del self.engines[held]  # the new one takes what it took
                self.engines[key] = made
                return key
            self.sizes = None  # each combination of shapes by itself
        key = self._key(inputs, None)
        self.engines[key] = self._converted(inputs)
        return key

    def _converted(self, inputs: Sequence[Any], sizes: Sizes | None = None, ranges: Any = ()) -> TRTModule | None:
        """An engine for these shapes, or for ranges of sizes; None where PyTorch runs the graph, which is logged."""
        bound = _Bound(self.graph, inputs, self.fixed, sizes)
        tensors = [tensor.detach() for tensor in self._tensors(inputs)]
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                made = torch2trt(bound, tensors, **self.options, **self._shapes(tensors, sizes, ranges))
        except torch._dynamo.exc.TorchDynamoException:
            raise
        except RuntimeError as refused:  # every error of this package is one, and so are most of PyTorch's
            if getattr(refused, "code", "") == "E0701":
                raise
            self._note(self._cause(refused, sizes))
            return None
        doubts = [str(one.message) for one in caught if issubclass(one.category, CaptureWarning)]
        if doubts:  # writes to buffers, decisions by values: the engine would return something else
            self._note(self._cause(doubts[0], sizes))
            return None
        return made

    def _shapes(self, tensors: list[torch.Tensor], sizes: Sizes | None, ranges: Any) -> dict[str, Any]:
        """The arguments of `torch2trt` for ranges of sizes."""
        if sizes is None:
            return {}
        lows, highs = (
            [shape for k, shape in enumerate(sizes.shapes_at(ends)) if shape is not None and not self.fixed[k]]
            for ends in zip(*ranges, strict=True)
        )
        return {"min_shapes": lows, "opt_shapes": [tuple(one.shape) for one in tensors], "max_shapes": highs}

    @staticmethod
    def _cause(reason: Any, sizes: Sizes | None) -> str:
        return f"PyTorch runs a graph: {reason}" if sizes is None else f"one engine for each shape: {reason}"

    def _in_pytorch(self, reason: str, inputs: Sequence[Any]) -> Any:
        self._note(f"PyTorch runs a graph: {reason}")
        return self.graph(*inputs)

    def _note(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            logger.warning("%s", text)


class _Bound(torch.nn.Module):
    """A graph of Dynamo's with its weights, and the numbers among its inputs, in place."""

    def __init__(
        self, graph: torch.fx.GraphModule, inputs: Sequence[Any], fixed: Sequence[bool], sizes: Sizes | None
    ) -> None:
        super().__init__()
        self.graph = graph
        self.places: list[tuple[str, Any]] = []
        for index, (value, is_fixed) in enumerate(zip(inputs, fixed, strict=True)):
            if is_fixed:
                self.register_buffer(f"weight{index}", value.detach(), persistent=False)
                self.places.append(("weight", f"weight{index}"))
            elif isinstance(value, torch.Tensor):
                self.places.append(("input", None))
            elif sizes is not None and index in sizes.numbers:
                self.places.append(("size", sizes.symbols[sizes.numbers[index]]))
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
        for index, (kind, value) in enumerate(self.places):
            if kind == "size":
                source, axis = value
                values[index] = values[source].shape[axis]
        return self.graph(*values)


__all__ = ["MOST_ENGINES", "backend"]
