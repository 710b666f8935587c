"""What the report shows of a part of a partitioned model.

This file must not know how parts are made or run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Partition:
    """One part of a partitioned model.

    Attributes:
        kind: "engine" or "pytorch".
        calls: operator calls in it.
        layers: layers of its network; 0 of a part in PyTorch.
        bytes: bytes of the tensors that it reads, at the sizes of the samples; None where a size depends on data.
        reasons: of a part in PyTorch: each reason, with the calls that it applies to and their lines.
        difference: of an engine: max abs error / max abs reference of its outputs on the inputs that PyTorch gives it.
        module: the sub-module that it is, where Python code that decides by values runs around it.
    """

    kind: str
    calls: int
    layers: int = 0
    bytes: int | None = None
    reasons: dict[str, list[str]] = field(default_factory=dict)
    difference: float | None = None
    module: str = ""

    def described(self) -> dict[str, Any]:
        """The part as JSON, which has no number for an error that is not finite."""
        finite = self.difference is None or math.isfinite(self.difference)
        return {**asdict(self), "difference": self.difference if finite else None}

    def __str__(self) -> str:
        reads = "" if self.bytes is None else f", reads {_size(self.bytes)}"
        if self.kind == "engine":
            error = "" if self.difference is None else f", max relative error {self.difference:.1e}"
            head = f"engine of `{self.module}`" if self.module else "engine"
            return f"{head}: {_calls(self.calls)}, {self.layers} layers{reads}{error}"
        shown = [f"{_listed(calls)}: {reason}" for reason, calls in self.reasons.items()]
        calls = f"{_calls(self.calls)}{reads}; " if self.calls else ""
        return f"PyTorch: {calls}" + "; ".join(shown)


def rows(partitions: Sequence[Partition]) -> list[tuple[str, str]]:
    """A name and a line for each part."""
    return [(f"part {k}", str(part)) for k, part in enumerate(partitions)]


def summary(partitions: Sequence[Partition]) -> str:
    """One line: how much of a model runs in engines."""
    engines = [part for part in partitions if part.kind == "engine"]
    others = len(partitions) - len(engines)
    calls, total = (sum(part.calls for part in parts) for parts in (engines, partitions))
    return (
        f"{len(engines)} engine{'s' * (len(engines) != 1)} and {others} part{'s' * (others != 1)} in PyTorch: "
        f"{calls} of {total} operator calls run in engines"
    )


_LISTED = 3


def _calls(count: int) -> str:
    return f"{count} call{'s' * (count != 1)}"


def _listed(calls: list[str]) -> str:
    more = f" and {len(calls) - _LISTED} more" if len(calls) > _LISTED else ""
    return ", ".join(calls[:_LISTED]) + more


def _size(count: int) -> str:
    return (
        f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB" if count >= 1000 else f"{count} bytes"
    )


__all__ = ["Partition", "rows", "summary"]
