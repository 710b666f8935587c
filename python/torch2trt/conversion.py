"""One call of `torch2trt` between its stages, and its comparison with PyTorch.

This file must not know how models are captured or engines are made.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx import Node as FxNode

from . import _core
from .arguments import Arguments
from .capture import Captured
from .converters import Calls
from .dynamic import Ranges, resized
from .errors import Error, brief, first_line
from .footprint import Room
from .guards import Guards
from .module import TRTModule
from .partition.assembly import Made
from .partition.refusals import REFUSED
from .report import Report
from .samples import Samples
from .verify import check, check_elsewhere, check_fresh


@dataclass
class Conversion:
    """One call of `torch2trt`, up to the network.

    Attributes:
        arguments: those of the call.
        sampled: the sample inputs and ranges.
        report: what is known so far.
        bar: shows progress.
        to_build: whether engines are built; otherwise parts are described only.
        captured: what was captured of the model.
        operators: of each operator of the model, the overload, the number of calls and whether it converts.
        options: the options for the Rust half, which alone reads them.
        device_index: the GPU of the model and its inputs.
        input_names: the names of the engine's inputs.
        output_names: those of its outputs.
        network: the TensorRT-level network; None where there are parts.
        weights: the model's tensors that the network may borrow.
        calls: the user's converters; None of a model whose Python code decides by values.
        parts: engines and parts in PyTorch, where a part of the model runs there.
    """

    arguments: Arguments
    sampled: Samples
    report: Report
    bar: _core.ProgressBar
    to_build: bool = True
    captured: Captured = field(init=False)
    operators: list[tuple[str, int, bool]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    device_index: int = 0
    input_names: list[str] = field(default_factory=list)
    output_names: list[str] = field(default_factory=list)
    network: Any = None
    weights: list[torch.Tensor] = field(default_factory=list)
    calls: Calls | None = None
    parts: Made | None = None

    @property
    def module(self) -> Any:
        """The model."""
        return self.arguments.module

    def calls_of(self, failed: Error) -> dict[FxNode, str]:
        """The calls that an error names, with the reason, where the model may be cut around them; none elsewhere."""
        whole = self.captured.whole
        if whole is None or failed.code not in REFUSED:
            return {}
        return dict.fromkeys((whole.walked.origins[index] for index in failed.nodes), brief(failed))

    def verify(self, made: TRTModule) -> None:
        """Compares with the model on the samples, or at the ends of every range, and on fresh values.

        Raises:
            torch2trt.Error: E0702 where they differ by more than the precision explains.
        """
        with timed(made.report, "verify"):
            guards, room = Guards(self.captured), Room(self.captured.program, torch.device(made._runnable().device))
            asked = self.sampled.profiles
            profiles = [room.cut(profile) for profile in asked]
            for label, tensors, is_cut in self.sampled.cases(self.captured, profiles):
                decision = guards.failing([tuple(tensor.shape) for tensor in tensors])
                check(self.module, made, self.captured, label, tensors, decision, is_cut)
            self._verify_elsewhere(made, guards, room, profiles)
            for wide, profile in zip(asked, profiles, strict=True):
                if wide != profile:
                    taken = ", ".join(str(list(shape)) for shape in profile.maximum)
                    made.report.skipped["sizes above " + taken] = room.reason(wide.maximum)
            check_fresh(self.module, made, self.captured)

    def _verify_elsewhere(self, made: TRTModule, guards: Guards, room: Room, profiles: list[Ranges]) -> None:
        """Compares at sizes where the model decides otherwise than at the sample's, as far as these fit in memory."""
        samples = [sample.detach() for sample in self.captured.inputs.samples]
        for shapes, decision in guards.elsewhere(profiles):
            tensors = [resized(sample, shape) for sample, shape in zip(samples, shapes, strict=True)]
            check_elsewhere(self.module, made, self.captured, tensors, decision)
        if profiles != self.sampled.profiles:
            for shapes, decision in guards.elsewhere(self.sampled.profiles):
                if not room.fits(shapes):
                    made.report.skipped[f"sizes at which `{decision}` is decided otherwise"] = room.reason(shapes)


def verify_on_the_cpu(conversion: Conversion) -> None:
    """Compares the network of a plan that cannot run here, as the CPU engine computes it with the same roundings.

    Raises:
        torch2trt.Error: E0702 and E0307, as `Conversion.verify`.
    """
    captured, report = conversion.captured, conversion.report
    try:
        engine = conversion.parts.engine if conversion.parts else conversion.network.cpu_engine()
        report.compared_on = _ON_THE_CPU
        conversion.verify(TRTModule(engine, captured.inputs, captured.outputs, report, None, conversion.weights))
    except Error as refused:
        if refused.code in ("E0702", "E0307"):
            raise
        report.compared_on = ""
        report.skipped["sample inputs"] = (
            f"built for another GPU, and the CPU engine cannot run the network ({first_line(refused)})"
        )


_ON_THE_CPU = "on the CPU engine; the plan itself was built for another GPU and did not run here"


@contextmanager
def timed(report: Report, stage: str) -> Iterator[None]:
    """Adds the seconds of a stage to the report."""
    start = time.perf_counter()
    yield
    report.seconds[stage] = time.perf_counter() - start


__all__ = ["Conversion", "timed", "verify_on_the_cpu"]
