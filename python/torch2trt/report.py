"""What a conversion did: stages, times, engine, accuracy.

This file must not know how any of it was done.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ._core import write_report
from .accepted import Path
from .accepted import path as checked_path
from .partition.partition import Partition
from .partition.partition import rows as part_rows
from .profiling import LayerTimes


@dataclass
class Report:
    """What a conversion did. `print(model_trt.report)` shows it."""

    backend: str = ""
    """"cpu" or "tensorrt"."""
    reason: str = ""
    """Why that backend was chosen."""
    nodes: int = 0
    """Operator calls in the captured program."""
    operators: dict[str, int] = field(default_factory=dict)
    """Calls of each operator overload."""
    layers: int = 0
    """Layers of the network that was built."""
    weight_bytes: int = 0
    """Bytes of the network's constants."""
    half: str | None = None
    """The type of half precision that was asked for: "float16" or "bfloat16"."""
    half_layers: int = 0
    """Layers that compute in it."""
    kept_float32: list[tuple[str, str, str]] = field(default_factory=list)
    """Layers that stay float32 all the same: (layer, module, reason)."""
    searches: list[dict[str, Any]] = field(default_factory=list)
    """What a precision search found, for each engine: "tolerance", "reference_metric", "before" and "after" (the loss
    without and with the layers that it keeps), "kept" (layer, module, position, loss without it), "lower", "keep_fp32",
    "keep_unquantized", "arguments", "evaluations", "samples", "is_complete". docs/mixed-precision.md explains them."""
    int8_layers: int = 0
    """Layers that read int8."""
    fp8_layers: int = 0
    """Layers that read float8."""
    quantizes: bool = False
    """Whether values are quantized: because of the options, or as the model does itself."""
    traced_because: str | None = None
    """Why torch.export was not used; None when it was."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Seconds each stage took: "capture", "convert", "engine", "verify"."""
    engine: str = ""
    """One line: what runs."""
    difference: dict[str, float] = field(default_factory=dict)
    """Largest difference to PyTorch on the sample inputs, relative to the largest output, by output name."""
    fresh_difference: dict[str, float] = field(default_factory=dict)
    """The same on fresh values: drawn within the samples' ranges, so that nothing depends on the samples themselves."""
    compared_on: str = ""
    """What was compared with PyTorch, where that is not the engine itself: a plan for another GPU cannot run here."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Comparisons that were not made, and why."""
    options: dict[str, Any] = field(default_factory=dict)
    """The options of the build that were not left at their defaults."""
    cuda_graph: str = ""
    """What of a call of a partitioned model is one CUDA graph, and why no more; empty where none was asked for."""
    plan: list[tuple[str, str]] = field(default_factory=list)
    """What TensorRT built, as (name, value) pairs."""
    partitions: list[Partition] = field(default_factory=list)
    """The engines and the parts in PyTorch, in the order in which they run; empty where one engine runs everything."""

    model: str = ""
    """Class of the model."""
    times: LayerTimes | None = None
    """What `model_trt.profile` measured last."""
    facts: list[str] = field(default_factory=list, repr=False, compare=False)
    """What the engines hold, as JSON: interface, network, memory."""
    recorded: list[tuple[str, str]] = field(default_factory=list, repr=False)
    """What the file of a loaded engine records of its conversion."""

    @property
    def is_quantized(self) -> bool:
        """Whether the options quantized layers, with ranges from samples."""
        return bool(self.int8_layers or self.fp8_layers)

    def save(self, path: Path) -> None:
        """Writes the report as one HTML file, with the network as a graph that folds by module. See docs/report.md.

        Times are in it where `model_trt.profile(inputs)` measured them before.

        Raises:
            torch2trt.Error: E0605 where the file cannot be written.
        """
        engines = [json.loads(facts) for facts in self.facts]
        if self.times is not None and len(engines) == 1:
            engines[0]["times"] = self.times.described()
        if len(engines) > 1:
            engines = [{**engine, "name": f"engine {k}"} for k, engine in enumerate(engines)]
        source = {
            "title": self.model or "Engine",
            "description": self.description(),
            "engines": engines,
            "parts": [part.described() for part in self.partitions],
        }
        write_report(json.dumps(source), checked_path("path", path))

    def description(self) -> dict[str, Any]:
        """What engine files record of the conversion, without the structure of calls."""
        where = " (CPU engine)" if self.compared_on else ""
        return {
            "options": self.options,
            "accuracy": {name + where: value for name, value in self.difference.items() if value < float("inf")},
            "conversion": self.recorded or [row for row in self._rows() if row[1] and row[0] != _ACCURACY],
            "kept_float32": self.kept_float32,
        }

    def __str__(self) -> str:
        return table(self._rows())

    def _rows(self) -> list[tuple[str, str]]:
        size = f"{self.layers} layers from {self.nodes} operator calls, {self.weight_bytes / 1e6:.1f} MB of weights"
        rows = [
            ("backend", f"{self.backend} ({self.reason})"),
            ("engine", self.engine),
            ("network", size if self.layers else ""),
            ("time", ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in self.seconds.items())),
        ]
        if self.half:
            kept = len(self.kept_float32)
            rows.append(("precision", f"{self.half_layers} layers in {self.half}, {kept} kept in float32"))
            rows += [("float32", line) for line in self._kept_by_cause()]
        for found in self.searches:
            rows += found["rows"]
            if found["kept"]:
                rows.append(("without a search", ", ".join(map(_argument, found["arguments"].items()))))
        if self.int8_layers:
            rows.append(("int8", f"{self.int8_layers} layers"))
        if self.fp8_layers:
            rows.append(("fp8", f"{self.fp8_layers} layers"))
        if self.traced_because:
            rows.append(("traced", f"fixed shapes, because {self.traced_because}"))
        rows += part_rows(self.partitions)
        rows += [("CUDA graph", self.cuda_graph), ("verified", self.compared_on)]
        rows += [(_ACCURACY, f"{value:.1e}  {name}") for name, value in self.difference.items()]
        rows += [("on fresh values", f"{value:.1e}  {name}") for name, value in self.fresh_difference.items()]
        rows += [("not compared", f"{what}: {why}") for what, why in self.skipped.items()]
        rows += self.plan
        return rows

    def _kept_by_cause(self) -> list[str]:
        """A line for each cause that keeps layers in float32; causes that differ in a number or a name are one."""
        causes: dict[str, list[tuple[str, str]]] = {}
        for layer, _, reason in self.kept_float32:
            causes.setdefault(_VARIES.sub("…", reason), []).append((layer, reason))
        lines = []
        for cause, layers in causes.items():
            reasons = {reason for _, reason in layers}
            names = ", ".join(layer for layer, _ in layers[:_LISTED])
            more = f" and {len(layers) - _LISTED} more" if len(layers) > _LISTED else ""
            lines.append(f"{names}{more}: {reasons.pop() if len(reasons) == 1 else cause}")
        return lines


def _argument(argument: tuple[str, Any]) -> str:
    """An argument as Python writes it."""
    name, value = argument
    return f"{name}={value if isinstance(value, bool) else json.dumps(value)}"


_ACCURACY = "max relative error"
_WIDTH = 100
_LISTED = 8
"""Layers that a cause lists by name."""
_VARIES = re.compile(r"`[^`]*`|(?<!\w)\d[\d.e+-]*")


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Rows of a name and a value, names aligned; those without a value are left out."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(_row(name, value, width) for name, value in rows if value)


def _row(name: str, value: str, width: int) -> str:
    """A row, wrapped under its value. Words that are longer than a line stay whole, so that they can be copied."""
    head = f"{name:>{width}}: "
    return textwrap.fill(
        value,
        _WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def facts_of(engine: Any) -> list[str]:
    """What a report shows of an engine, a plan, or each of several engines, as JSON."""
    facts = getattr(engine, "facts", [])
    return [facts] if isinstance(facts, str) else facts
