"""What a network will need on a GPU that is not at hand, as the Rust half forecasts it.

This file must not know how the numbers come about.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from . import _core


@dataclass
class Forecast:
    """Memory and time of a model on a GPU, by its public specifications.

    `print` draws the slowest kernels and the sums.
    """

    device: str
    """The GPU."""
    weight_bytes: int
    """Bytes of the weights."""
    activation_bytes: int
    """Bytes of the activations that are stored at a time, at the largest shapes."""
    scratch_bytes: int
    """Bytes of scratch space of an execution context."""
    interface_bytes: int
    """Bytes of the inputs and outputs, at the largest shapes."""
    memory_bytes: int
    """All device memory of the model and one execution context, with what the CUDA context takes."""
    fits: bool
    """Whether the GPU has that memory."""
    operations: int
    """Floating-point operations of a call, two for each product, at the optimal shapes."""
    seconds: float
    """The least time of a call at the optimal shapes: no kernel is faster than its operations, reads and writes."""
    kernels: list[dict[str, Any]] = field(repr=False)
    """The kernels in execution order: their layers, origin, operations, bytes, seconds, and what bounds these."""
    _tables: tuple[str, str] = field(repr=False)

    @classmethod
    def of(cls, network: _core.Network, device: str) -> Forecast:
        """Of a network on the GPU of this name.

        Raises:
            torch2trt.Error: E0307 for a size without an upper bound, E0701 for a GPU without specifications.
        """
        short, whole, text = network.forecast(device)
        found = json.loads(text)
        names = [name for name in cls.__dataclass_fields__ if name != "_tables"]
        return cls(**{name: found[name] for name in names}, _tables=(short, whole))

    def table(self) -> str:
        """A row for each kernel in execution order, then the sums."""
        return self._tables[1]

    def __str__(self) -> str:
        return self._tables[0]


__all__ = ["Forecast"]
