"""From a program to a network in the precision that was asked for, and from a cut graph to one of each part.

This file must not know how models are captured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from . import _core
from ._log import logger
from .boundary import to_engine
from .calibration import ranges
from .capture import Captured
from .conversion import Conversion
from .converters import Calls
from .dataset_calibrator import DEFAULT_CALIBRATION_ALGORITHM
from .errors import error
from .partition import Made, make
from .ranges import magnitudes
from .samples import calibration_samples


def parts_of(conversion: Conversion, refused: dict[Any, str], calls: Calls) -> Made:
    """The parts of a model of which some calls run in PyTorch."""
    given, captured, options = conversion.given, conversion.captured, conversion.options
    if options["target"] is not None or given["refittable"]:
        other = "target" if options["target"] is not None else "refittable"
        raise error("E0701", f"`{other}` and parts in PyTorch were asked for", f"leave out `{other}`, or fallback")
    device = torch.device("cuda", options["device"]) if conversion.report.backend == "tensorrt" else torch.device("cpu")

    # Where nothing but plugins sends calls to PyTorch, nobody asked how large an engine is worth having.
    least = given["min_layers"] if given["fallback"] or given["run_in_pytorch"] else 0

    def convert(
        program: _core.Program, own: dict[str, Any], samples: list[torch.Tensor], dtypes: list[str]
    ) -> _core.Network:
        return network_of(program, {**options, **own}, calls, given, samples, dtypes, None)

    def build(network: _core.Network) -> _core.Engine:
        return network.cpu_engine() if device.type == "cpu" else network.build(conversion.bar).engine()

    return make(
        captured.to_cut(), refused, captured.inputs.samples, (options["input_names"], options["output_names"]),
        conversion.sampled.profiles, convert, build, device, least, device.type == "cuda",
    )  # fmt: skip


def network_of(
    program: _core.Program,
    options: dict[str, Any],
    calls: Calls,
    given: dict[str, Any],
    samples: list[torch.Tensor],
    dtypes: Sequence[str | None],
    captured: Captured | None,
) -> _core.Network:
    """The network of a program, in the precision that was asked for.

    `captured` is the whole model, whose calibration samples are read; the ranges of a part are those of its samples.
    """
    network = program.convert(options, calls)
    if calls.plugins and options["backend"] == "cpu":
        if captured:
            return network  # it is cut into parts, each of which gets its precision
        _reject_plugins(program, calls)
    elif calls.plugins and given["int8_mode"]:
        raise error(
            "E0701",
            "`int8_mode` was asked for, and its ranges are found on the CPU engine, which runs no plugins",
            "leave out `int8_mode`, or quantize the model before it is converted (docs/int8.md)",
        )
    if options["half"]:
        network = network.narrowed(magnitudes(network, to_engine(samples, dtypes)) if given["fp16_mode"] else {})
    if given["int8_mode"]:
        rows = calibration_samples(given["int8_calib_dataset"], given, captured) if captured else [samples]
        network = _quantized(network, given, (to_engine(row, dtypes) for row in rows))
    return network


def _reject_plugins(program: _core.Program, calls: Calls) -> None:
    """Sends calls that become plugins to PyTorch.

    Raises:
        torch2trt.Error: E0203 with their nodes, where a part has some.
    """
    plugins = {index: calls.plugins[key] for index, key in program.kept_calls() if key in calls.plugins}
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
    report.half = conversion.options["half"] if report.half_layers or report.kept_float32 else None
    report.int8_layers = sum(network.int8_layers for network in networks)
    for pattern in set.intersection(*(set(network.unmatched) for network in networks)) if networks else ():
        logger.warning("keep_fp32: `%s` names no module of the network", pattern)
    if parts is not None:
        report.partitions = parts.partitions
        logger.warning("%s", report.partition_summary())
        conversion.weights += parts.weights


def _quantized(network: _core.Network, given: dict[str, Any], samples: Iterable[list[torch.Tensor]]) -> _core.Network:
    """The network in int8, with the ranges of these samples."""
    made = network.quantized(ranges(network, samples, given["int8_calib_algorithm"] or DEFAULT_CALIBRATION_ALGORITHM))
    if not made.int8_layers:
        logger.warning("int8: the model has no convolution or product with constant weights that could be in int8")
    return made


__all__ = ["describe", "network_of", "parts_of"]
