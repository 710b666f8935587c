"""What a precision search compares with: the model's own outputs, or the user's metric.

The search is in the Rust half (crates/torch2trt/src/conversion/search). This file must not know how it decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from . import _core
from .arguments import Arguments
from .boundary import to_engine, to_model
from .capture import Captured
from .errors import error
from .samples import calibration_samples
from .verify import real, reference_outputs

Row = list[torch.Tensor]
"""Tensors in the order of the engine's inputs, or of its outputs."""


def searched(network: _core.Network, arguments: Arguments, captured: Captured) -> _core.Network:
    """The network of a whole model, in which the layers that the tolerance needs keep a higher precision."""
    dtypes = captured.inputs.dtypes
    rows: Iterator[Row] = iter(())
    if arguments.int8_calib_dataset is not None or arguments.quantization is not None:
        rows = (to_engine(row, dtypes) for row in calibration_samples(arguments, captured))
    sample = to_engine(captured.inputs.samples, dtypes)
    metric = None if arguments.metric is None else _metric(arguments.metric, captured)
    return network.searched(sample, rows, _reference(arguments.module, captured), metric)


def searched_part(network: _core.Network, arguments: Arguments, sample: Row) -> _core.Network:
    """The network of a part of a model, compared with itself in its own types.

    Raises:
        torch2trt.Error: E0701 where there is a metric, which is one of the whole model.
    """
    if arguments.metric is not None:
        raise error(
            "E0701",
            "`metric` was given for a model with parts in PyTorch, whose engines are searched one by one",
            "leave out `metric`: `tolerance` is then the relative error of each engine",
        )
    return network.searched(sample)


def _reference(module: torch.nn.Module, captured: Captured) -> Callable[[Row], Row]:
    """The model in PyTorch, as a function of the engine's inputs."""

    def outputs(inputs: Row) -> Row:
        return [real(tensor) for tensor in reference_outputs(module, captured, "", _at_home(inputs, captured))]

    return outputs


def _metric(metric: Callable[[list[Any]], Any], captured: Captured) -> Callable[[list[Row], list[Row]], float]:
    """The user's metric, as a function of the inputs and outputs of all samples."""

    def measured(inputs: list[Row], outputs: list[Row]) -> float:
        returned = [
            captured.outputs.unflatten(to_model(row, captured.outputs.dtypes), _at_home(given, captured))
            for given, row in zip(inputs, outputs, strict=True)
        ]
        value = metric(returned)
        try:
            return float(value)
        except (TypeError, ValueError) as refused:
            raise error(
                "E0701",
                f"`metric` returned an object of type {type(value).__name__}",
                "return a number; higher is better",
            ) from refused

    return measured


def _at_home(inputs: Row, captured: Captured) -> Row:
    """Tensors of the engine as those of the model: of its dtypes, and on the devices of the sample inputs."""
    pairs = zip(to_model(inputs, captured.inputs.dtypes), captured.inputs.samples, strict=True)
    return [tensor.to(sample.device) for tensor, sample in pairs]


__all__ = ["searched", "searched_part"]
