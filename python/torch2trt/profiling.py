"""How long the layers of an engine take.

This file must not know how an engine is timed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ._core import Engine
from .errors import error


@dataclass(frozen=True)
class LayerTime:
    """The time of one layer."""

    name: str
    """The layer of the network, or those that were fused into one."""
    operator: str
    """Its ONNX operator on the CPU engine; empty on TensorRT."""
    seconds: float
    """Mean of the calls."""


@dataclass(frozen=True)
class LayerTimes:
    """How long each layer took. `print` draws a table, slowest first."""

    seconds: float
    """Mean of a call, layers and what is between them."""
    layers: list[LayerTime]
    """The layers in the order of execution."""
    calls: int
    """Number of calls."""
    rest: str
    """What takes the part of a call that is in no layer."""
    _table: str

    @classmethod
    def of(cls, engine: Any, tensors: list[torch.Tensor], calls: int) -> LayerTimes:
        """Times an engine on its inputs in order.

        Raises:
            torch2trt.Error: as calls do; E0701 for the parts of a model, which have no single list of layers.
        """
        if not isinstance(engine, Engine):
            raise error(
                "E0701",
                "a model with parts in PyTorch has no single list of layers",
                "use torch.profiler, or profile a module that converts as a whole",
            )
        seconds, layers, table, rest = engine.layer_times(tensors, calls)
        return cls(seconds, [LayerTime(*layer) for layer in layers], calls, rest, table)

    def described(self) -> dict[str, Any]:
        """The times as the report reads them."""
        layers = [{"name": one.name, "kind": one.operator, "seconds": one.seconds} for one in self.layers]
        return {"calls": self.calls, "seconds": self.seconds, "layers": layers, "rest": self.rest}

    def __str__(self) -> str:
        return self._table


def arguments_of(inputs: Any) -> tuple[Any, ...]:
    """The arguments of a call from `inputs` as `torch2trt` takes them."""
    return tuple(inputs) if isinstance(inputs, (list, tuple)) else (inputs,)


__all__ = ["LayerTime", "LayerTimes", "arguments_of"]
