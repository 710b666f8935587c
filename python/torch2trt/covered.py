"""What of a model converts, without an engine: its operators, and the parts that `fallback=True` would make.

This file must not know how a model is cut.
"""

from __future__ import annotations

from typing import Any

from . import _core
from ._convert import defaults
from ._core import Error
from .arguments import Arguments
from .converters.calls import listed
from .errors import error
from .forecast import Forecast
from .partition.partition import Partition, rows, summary
from .programs import captured_program
from .report import table
from .samples import ShapeOptions, collect
from .stages import convert


class Coverage(list[tuple[str, int, bool]]):
    """The operators of a model: (overload, number of calls, whether it converts). `print` draws it.

    Attributes:
        partitions: with `fallback=True`, the engines and the parts in PyTorch, in the order in which they would run.
        forecast: with `device`, memory and time on that GPU; None where an operator does not convert.
    """

    def __init__(
        self,
        operators: list[tuple[str, int, bool]],
        partitions: list[Partition] | None = None,
        forecast: Forecast | None = None,
    ) -> None:
        super().__init__(operators)
        self.partitions, self.forecast = partitions or [], forecast

    def __str__(self) -> str:
        names, counts = (max((len(str(row[k])) for row in self), default=0) for k in (0, 1))
        lines = [
            f"{name:{names}}  x{calls:<{counts}}  {'' if converts else 'does not convert'}".rstrip()
            for name, calls, converts in self
        ]
        if self:
            lines.append(f"{sum(converts for _, _, converts in self)} of {len(self)} operators convert")
        if self.partitions:
            lines += [table(rows(self.partitions)), summary(self.partitions)]
        if self.forecast:
            lines += ["", str(self.forecast)]
        return "\n".join(lines)


def coverage(
    module: Any,
    inputs: Any,
    kwargs: dict[str, Any] | None = None,
    dynamic_shapes: Any = None,
    *,
    fallback: bool = False,
    device: str | None = None,
    **arguments: Any,
) -> Coverage:
    """Every operator that a model uses, and whether it converts. Builds nothing.

    Args:
        module: the model, as for `torch2trt`.
        inputs: sample inputs, as for `torch2trt`.
        kwargs: keyword arguments of the model.
        dynamic_shapes: as for `torch.export`.
        fallback: also cut the model into engines and parts in PyTorch, as `torch2trt(…, fallback=True)` does. A model
            whose Python code decides by values is converted module by module, which builds their engines.
        device: also memory and time on this GPU, such as "L4" or "H100 SXM", by its public specifications. Memory is
            that of the largest shapes, time that of the optimal ones.
        arguments: with `fallback` or `device`, further arguments of `torch2trt`, such as `target`, `max_batch_size`,
            `fp16_mode`, `run_in_pytorch` and `min_layers`.

    Raises:
        torch2trt.Error: where the model cannot be captured; with `fallback`, E0101 where no call is left for an engine;
            E0701 for a device without specifications.
    """
    if not fallback and device is None:
        if arguments:
            names = ", ".join(f"`{name}`" for name in arguments)
            problem = f"{names}: arguments of coverage with `fallback` or `device` only"
            raise error("E0701", problem, "add `fallback=True`, or `device` with the name of a GPU")
        return _listed(module, inputs, kwargs, dynamic_shapes)
    if fallback and device is not None:
        problem = "`fallback` and `device` were given, and parts in PyTorch have no forecast"
        raise error("E0701", problem, "leave one of them out")
    known = defaults()
    given = {name: value for name, value in arguments.items() if name in known}
    legacy = {name: value for name, value in arguments.items() if name not in known}
    own = {"module": module, "inputs": inputs, "kwargs": kwargs, "dynamic_shapes": dynamic_shapes}
    asked = {**known, "progress": False, **given, **own, "fallback": fallback, "legacy": legacy}
    if device is not None:
        return _with_forecast(asked, device)
    conversion = convert(Arguments.of(asked), to_build=False)
    if conversion.parts is not None:
        return Coverage(conversion.operators, conversion.parts.partitions)
    size = sum(sample.nbytes for sample in conversion.captured.inputs.samples)
    whole = Partition("engine", conversion.report.nodes, conversion.report.layers, size)
    return Coverage(conversion.operators, [whole])


def _listed(module: Any, inputs: Any, kwargs: dict[str, Any] | None, dynamic_shapes: Any) -> Coverage:
    """The operators alone."""
    sampled = collect(module, inputs, kwargs, ShapeOptions(dynamic_shapes=dynamic_shapes))
    captured, program = captured_program(module, sampled, _core.ProgressBar(False))
    return Coverage(listed(program.coverage(), captured.opaque_calls))


def _with_forecast(asked: dict[str, Any], device: str) -> Coverage:
    """The operators, and what the network needs on a device; the operators alone where some do not convert."""
    try:
        conversion = convert(Arguments.of(asked), to_build=False)
    except Error as refused:
        if refused.code != "E0101":
            raise
        return _listed(asked["module"], asked["inputs"], asked["kwargs"], asked["dynamic_shapes"])
    assert conversion.network is not None
    return Coverage(conversion.operators, forecast=Forecast.of(conversion.network, device))


__all__ = ["Coverage", "coverage"]
