"""From a program to a network in the precision that was asked for, and from a cut graph to one of each part.

This file must not know how models are captured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.fx import Node as FxNode

from . import _core
from ._log import logger
from .arguments import Arguments
from .boundary import to_engine
from .capture import Captured
from .conversion import Conversion
from .converters import Calls
from .errors import error
from .partition.assembly import Made
from .partition.making import Backend, make
from .partition.partition import summary
from .samples import calibration_samples
from .search import searched, searched_part


def parts_of(conversion: Conversion, refused: dict[FxNode, str]) -> Made:
    """The parts of a model of which some calls run in PyTorch."""
    captured = conversion.captured
    check_parts(conversion.arguments, captured.inputs.samples)
    names = (conversion.input_names, conversion.output_names)
    arguments, profiles, backend = conversion.arguments, conversion.sampled.profiles, _backend(conversion)
    # Where nothing but plugins sends calls to PyTorch, nobody asked how large an engine is worth having.
    least = arguments.min_layers if arguments.is_cut else 0
    return make(captured.to_cut(), refused, captured.inputs, profiles, backend, least, names)


def check_parts(arguments: Arguments, samples: Sequence[torch.Tensor]) -> None:
    """Rejects what a model with parts in PyTorch cannot be.

    Raises:
        torch2trt.Error: E0701.
    """
    if arguments.refittable:
        raise error("E0701", "`refittable` and parts in PyTorch were asked for", "leave out `refittable`, or fallback")
    if arguments.target is not None and any(sample.is_cuda for sample in samples):
        raise error(
            "E0701",
            "`target` and parts in PyTorch were asked for, and the model is on a GPU, which may be another one",
            "convert model.cpu() with inputs on the CPU; torch2trt.load moves the parts to the GPU",
        )


def _backend(conversion: Conversion) -> Backend:
    """What turns parts into engines of the backend that was chosen."""
    on_cpu, is_ahead = conversion.report.backend == "cpu", conversion.arguments.target is not None

    def convert(
        program: _core.Program, own: dict[str, Any], samples: list[torch.Tensor], dtypes: list[str]
    ) -> _core.Network:
        network = network_of(program, {**conversion.options, **own}, conversion, samples, dtypes, None)
        if not on_cpu:
            network.check_target()
        return network

    def build(network: _core.Network) -> _core.Engine | _core.Plan:
        if on_cpu:
            return network.cpu_engine()
        plan = network.build(conversion.bar)
        return plan if is_ahead else plan.engine()

    device = torch.device("cpu") if on_cpu else torch.device("cuda", conversion.device_index)
    if not conversion.to_build:
        return Backend(convert, None, None, device, not on_cpu)

    def rehearse(network: _core.Network) -> _core.Engine:
        return network.cpu_engine()

    return Backend(convert, build, rehearse if is_ahead and not on_cpu else None, device, not on_cpu)


def network_of(
    program: _core.Program,
    options: dict[str, Any],
    conversion: Conversion,
    samples: list[torch.Tensor],
    dtypes: Sequence[str | None],
    captured: Captured | None,
) -> _core.Network:
    """The network of a program, in the precision that was asked for.

    `captured` is the whole model, whose calibration samples are read; the ranges of a part are those of its samples.
    """
    arguments, calls = conversion.arguments, conversion.calls
    assert calls is not None
    network = program.convert(options, calls)
    if calls.plugins and conversion.report.backend == "cpu":
        if captured:
            return network  # it is cut into parts, each of which gets its precision
        _reject_plugins(program, calls)
    elif calls.plugins and arguments.quantization is not None:
        raise error(
            "E0701",
            f"{arguments.quantization} was asked for; its ranges are found on the CPU engine, which runs no plugins",
            f"leave out {arguments.quantization}, or quantize the model before it is converted (docs/int8.md)",
        )
    elif calls.plugins and arguments.is_searched:
        raise error(
            "E0701",
            "a precision search was asked for, and it is measured on the CPU engine, which runs no plugins",
            'pass precision="fp16" without `tolerance` and `metric`, and name what stays float32 in `keep_fp32`',
        )
    if arguments.half is None and arguments.quantization is None:
        return network
    if arguments.is_searched:
        network = (
            searched(network, arguments, captured)
            if captured
            else searched_part(network, arguments, to_engine(samples, dtypes))
        )
        for note in network.notes:
            logger.warning("%s", note)
        return network
    rows = calibration_samples(arguments, captured) if captured else iter([samples])
    network = network.precise(to_engine(samples, dtypes), (to_engine(row, dtypes) for row in rows))
    for note in network.notes:
        logger.warning("%s", note)
    return network


def _reject_plugins(program: _core.Program, calls: Calls) -> None:
    """Sends calls that become plugins to PyTorch.

    Raises:
        torch2trt.Error: E0203 with their nodes, where a part has some.
    """
    plugins = {index: calls.plugins[key] for index, key in program.opaque_calls() if key in calls.plugins}
    if plugins:
        failed = error("E0203", f"the CPU engine runs no plugins ({', '.join(sorted({*plugins.values()}))})")
        failed.nodes = [*plugins]
        raise failed


def describe(conversion: Conversion) -> None:
    """What the networks are, in the report."""
    report, parts = conversion.report, conversion.parts
    networks = [conversion.network] if parts is None else parts.networks
    report.layers = sum(network.layer_count for network in networks)
    report.weight_bytes = sum(network.weight_bytes for network in networks)
    report.half_layers = sum(network.half_layers for network in networks)
    report.kept_float32 = [row for network in networks for row in network.kept_float32]
    report.half = conversion.arguments.half if report.half_layers or report.kept_float32 else None
    report.searches = [network.search for network in networks if network.search is not None]
    quantized = [network.quantized for network in networks if network.quantized is not None]
    report.int8_layers = sum(count for name, count in quantized if name == "int8")
    report.quantizes = any(network.is_quantized for network in networks)
    report.fp8_layers = sum(count for name, count in quantized if name == "fp8")
    for option, pattern in set.intersection(*(set(network.unmatched) for network in networks)) if networks else ():
        logger.warning("%s: `%s` names no module or layer of the network", option, pattern)
    if parts is not None:
        report.partitions = parts.partitions
        if conversion.to_build:
            logger.warning("%s; print(model_trt.report) shows why", summary(parts.partitions))
        conversion.weights += parts.weights


__all__ = ["check_parts", "describe", "network_of", "parts_of"]
