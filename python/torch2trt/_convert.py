"""The call: capture, convert, engine, verify.

Holds the order of the stages and the choice of the backend; every stage is somewhere else.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch

from . import _core, accepted, arguments
from ._log import logger, show
from .arguments import OPTIONS, Legacy, take_legacy
from .backend import choose, cuda_index
from .boundary import described
from .by_modules import by_modules
from .capture import Captured, ModelError, ValuesDecideError, capture
from .capture.remembered import Others, is_unhashable
from .conversion import Conversion, timed
from .dynamic import check_captured
from .engines import engine_of
from .errors import Error, error
from .footprint import check_ranges
from .converters import CONVERTERS, Calls
from .converters.advice import advised
from .converters.calls import listed
from .module import TRTModule
from .networks import describe, network_of, parts_of
from .partition.refusals import refusals
from .report import Report
from .samples import Samples, ShapeOptions, collect
from .trt.plugins import named_plugins

if TYPE_CHECKING:
    from typing_extensions import Unpack


def torch2trt(
    module: torch.nn.Module,
    inputs: Any,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    log_level: Any = logging.INFO,
    fp16_mode: bool = False,
    max_workspace_size: int | None = None,
    strict_type_constraints: bool = False,
    keep_network: bool = True,
    *,
    min_shapes: Any = None,
    opt_shapes: Any = None,
    max_shapes: Any = None,
    max_batch_size: int | None = None,
    dynamic_shapes: Any = None,
    kwargs: dict[str, Any] | None = None,
    backend: str = "auto",
    target: str | None = None,
    optimization_level: int | None = None,
    avg_timing_iterations: int | None = None,
    build_threads: int | None = None,
    tactic_sources: Sequence[Any] | None = None,
    verify: bool = True,
    progress: bool = True,
    threads: int | None = None,
    tensorrt: str | None = None,
    plugins: Sequence[str] = (),
    onnxruntime: str | None = None,
    use_cuda_graph: bool | str = "auto",
    version_compatible: bool = False,
    hardware_compatible: bool = False,
    refittable: bool = False,
    timing_cache: str | bool = True,
    engine_cache: str | bool = True,
    bf16_mode: bool = False,
    keep_fp32: Sequence[str] = (),
    int8_mode: bool = False,
    int8_calib_dataset: Any = None,
    int8_calib_algorithm: Any = None,
    fallback: bool = False,
    run_in_pytorch: Sequence[str] = (),
    min_layers: int = 5,
    **legacy: Unpack[Legacy],
) -> TRTModule:
    """Converts a PyTorch model.

    Args:
        module: the model, in evaluation mode; or a function of tensors.
        inputs: sample inputs: a list or tuple of positional arguments, a dict of keyword arguments, one tensor, or a
            `Dataset` of samples, whose shapes are then the ranges.
        input_names: names of the engine's input tensors, in order. Default: those of `forward`'s parameters.
        output_names: names of the engine's output tensors, in order.
        log_level: what is shown on standard error (a `logging` level, or TensorRT's `Logger.Severity`); what TensorRT
            itself says from `logging.DEBUG` on.
        fp16_mode: compute in float16 where that is safe. The report says what stays float32, and why.
        max_workspace_size: bytes of device memory that a layer may use while it runs.
        strict_type_constraints: accepted; every network is strongly typed.
        keep_network: keep the network, for `model_trt.network`.
        min_shapes: smallest shape of each input tensor, in order or nested as the inputs are; a dict of shapes by
            input name (the model's, or that of `input_names`); or a list of those, one a profile.
        opt_shapes: the shapes that TensorRT tunes for, as `min_shapes`. Default: those of the sample inputs.
        max_shapes: largest shape of each input tensor, as `min_shapes`.
        max_batch_size: makes the batch dynamic, from 1 to this: the first axis of the first input, and of every other
            input that has the same size there.
        dynamic_shapes: as for `torch.export.export`, which then decides which axes are dynamic. Default: every size is
            that of the sample inputs.
        kwargs: further sample inputs, passed by keyword.
        backend: "tensorrt", "cpu", or "auto": TensorRT where it is installed and the model or its inputs are on a
            GPU that it builds for, the CPU engine elsewhere.
        target: GPU to build for, such as "sm_89". Default: the GPU of this machine. Naming one needs no GPU.
        optimization_level: 0 (build fast) to 5 (search long).
        avg_timing_iterations: how often TensorRT times each tactic. Default: 8.
        build_threads: threads of a TensorRT build. Default: one, as TensorRT has it; all cores where 8.6 is refused kernels.
        tactic_sources: where TensorRT takes tactics from: names ("CUBLAS", "CUBLAS_LT", "CUDNN",
            "EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS") or values of TensorRT's `TacticSource`. Default: TensorRT's
            own choice, without those whose libraries are not there.
        verify: run the model and the engine on the sample inputs, at the ends of every range, and on fresh values
            within the samples' own ranges, and compare.
        progress: show a bar on standard error while it is a terminal.
        threads: threads of the CPU engine. Default: one for each physical core.
        tensorrt: path of the TensorRT library to use.
        plugins: plugin libraries to load before a network is built for TensorRT, such as "libmyplugin.so". See
            docs/plugins.md.
        onnxruntime: path of the ONNX Runtime library to use.
        use_cuda_graph: replay calls from CUDA graphs: True from the first call of a shape on, "auto" from the third
            on where that is faster (inputs and outputs up to 16 MiB), False never. A graph takes device memory for
            its inputs and outputs, and copies them; tensors that keep coming at the same addresses are used in place.
        version_compatible: the plan runs with later versions of TensorRT too.
        hardware_compatible: the plan runs on other GPUs too, from Ampere on.
        refittable: the weights of the plan can be replaced after the build.
        timing_cache: the file where TensorRT keeps how long its tactics took; True for one in the user's cache folder,
            for this TensorRT and GPU, False for none. Builds of layers that were timed before are several times faster.
        engine_cache: the folder where plans are kept, so that the same model is not built again; True for one in the
            user's cache folder, False for none. Together up to 8 GiB; those used longest ago go first.
        bf16_mode: compute in bfloat16 where that is safe, instead of float16.
        keep_fp32: modules that stay float32 in these modes and in int8: paths such as "layer4.0", where `*` stands for
            any characters and `?` for one.
        int8_mode: convolutions and products with constant weights read int8. See docs/int8.md.
        int8_calib_dataset: samples to find the ranges of int8 on: a `Dataset`, or anything with a length and items,
            each the inputs of one call. Default: the sample inputs, which tell little.
        int8_calib_algorithm: how: a `CalibrationAlgoType`, TensorRT's own, or its name. Default: `ENTROPY_CALIBRATION_2`.
        fallback: run in PyTorch what does not convert, and the rest in engines; the report lists the parts, and why each call
            of a part in PyTorch is there. See docs/fallback.md.
        run_in_pytorch: modules that run in PyTorch: paths such as "roi_heads" or "layers.*.router". Implies `fallback`.
        min_layers: with `fallback`, an engine of fewer operator calls joins the parts in PyTorch around it. Views do not
            count; a convolution or matrix multiplication is enough for an engine.
        legacy: the other arguments of NVIDIA's torch2trt; see docs/migrating.md.

    Returns:
        A module that is called like the model and returns what it returns.

    Raises:
        torch2trt.Error: with a stable `code` and `help`; see docs/errors.md.
    """
    given = dict(locals())
    return engine_of(convert(given))


def defaults() -> dict[str, Any]:
    """The arguments of `torch2trt` as they are where they are not given."""
    parameters = inspect.signature(torch2trt).parameters.values()
    given = {p.name: None if p.default is p.empty else p.default for p in parameters if p.kind is not p.VAR_KEYWORD}
    return {**given, "legacy": {}}


def convert(given: dict[str, Any], to_build: bool = True) -> Conversion:
    """Model → network, for the arguments of `torch2trt` by name.

    Without `to_build`, the parts of a model that runs in PyTorch in part are described, and no engine is built.
    """
    given = dict(given)
    module, legacy = given.pop("module"), given.pop("legacy")
    given.update(accepted.checked(given))
    show(given["log_level"])
    named = {**legacy, "strict_type_constraints": given["strict_type_constraints"]}
    take_legacy(named, list(inspect.signature(torch2trt).parameters))
    if given["fp16_mode"] and given["bf16_mode"]:
        raise error("E0701", "both `fp16_mode` and `bf16_mode` were asked for", "choose one of them")
    if given["int8_mode"] and given["refittable"]:
        raise error(
            "E0701", "both `int8_mode` and `refittable` were asked for", "new weights need new ranges: convert again"
        )
    report, bar = Report(), _core.ProgressBar(given["progress"])
    shapes = ShapeOptions(**{name: given[name] for name in ShapeOptions.__dataclass_fields__})
    sampled = collect(module, given["inputs"], given["kwargs"], shapes)
    conversion = Conversion(module, sampled, report, bar, given, to_build)
    with timed(report, "capture"):
        try:
            program = _capture(conversion)
        except ValuesDecideError as refused:
            program = None
            _by_modules(conversion, legacy, refused)
    conversion.options = _options(conversion)
    if program is not None:
        _convert_program(conversion, program, legacy)
    describe(conversion)
    return conversion


def _capture(conversion: Conversion) -> _core.Program:
    """Model → program; chooses the backend."""
    given, report, module = conversion.given, conversion.report, conversion.module
    to_cut = given["fallback"] or bool(given["run_in_pytorch"])
    conversion.captured, program = captured_program(module, conversion.sampled, conversion.bar, to_cut)
    captured, profiles = conversion.captured, conversion.sampled.profiles
    report.nodes, report.traced_because = program.node_count, captured.traced_because
    conversion.operators = listed(program.coverage(), captured.kept)
    report.operators = {overload: calls for overload, calls, _ in conversion.operators}
    check_ranges(captured.program, profiles, "cpu")
    _choose(conversion, captured.inputs.samples)
    check_ranges(captured.program, profiles, report.backend)
    logger.info("using %s: %s", "the CPU engine" if report.backend == "cpu" else "TensorRT", report.reason)
    if rounded := described(captured.input_names, captured.inputs.dtypes):
        logger.warning("%s", rounded)
    return program


def _choose(conversion: Conversion, tensors: list[torch.Tensor]) -> None:
    given = conversion.given
    where = {"device": cuda_index(tensors, conversion.module), "site_packages": _core.site_packages()}
    options = {**where, "tensorrt": given["tensorrt"]}
    report = conversion.report
    report.backend, report.reason = choose(given["backend"], given["target"], options, tensors, conversion.module)


def _convert_program(conversion: Conversion, program: _core.Program, legacy: Any) -> None:
    """Program → network, or parts."""
    given, captured, options = conversion.given, conversion.captured, conversion.options
    calls = Calls(captured, CONVERTERS, {**given, "module": conversion.module, "legacy": legacy})
    conversion.calls = calls
    conversion.weights = [*(weight.tensor for weight in captured.program.weights), *calls.tensors()]
    refused = refusals(captured.whole, _known(), given["run_in_pytorch"]) if captured.whole else {}
    with timed(conversion.report, "convert"):
        if not refused:
            try:
                inputs = captured.inputs
                conversion.network = network_of(program, options, calls, given, inputs.samples, inputs.dtypes, captured)
                if conversion.report.backend == "cpu" and calls.plugins:
                    refused = captured.in_pytorch(calls.plugins)
                elif captured.whole is not None and conversion.report.backend == "tensorrt":
                    conversion.network.check_target()
            except Error as failed:
                refused = conversion.calls_of(failed)
                if not refused:
                    missing = (name for name, _, converts in conversion.operators if not converts)
                    raise advised(failed, missing) from failed.__cause__
        if refused:
            conversion.parts = parts_of(conversion, refused)


def _by_modules(conversion: Conversion, legacy: Any, refused: Error) -> None:
    """The conversion of a model whose Python code runs in PyTorch."""
    given, sampled, report = conversion.given, conversion.sampled, conversion.report
    if given["target"] is not None:
        raise error(
            "E0701",
            "`target` was given for a model whose Python code decides by values, which runs in this process",
            "leave out `target`, and convert on the machine that runs the model",
        ) from refused
    tensors = sampled.tensors()
    _choose(conversion, tensors)
    on_gpu = report.backend == "tensorrt"
    device = torch.device("cuda", cuda_index(tensors, conversion.module)) if on_gpu else torch.device("cpu")
    inherited = {
        **{name: value for name, value in given.items() if name not in _OF_THE_WHOLE},
        "backend": report.backend,
        "log_level": max(given["log_level"], logging.WARNING),
    }

    def convert_part(part: torch.nn.Module, args: Any, kwargs: dict[str, Any], shapes: dict[str, Any]) -> TRTModule:
        return torch2trt(part, args, kwargs=kwargs, fallback=True, **inherited, **shapes, **legacy)

    conversion.captured, conversion.parts = by_modules(conversion.module, sampled, device, refused, convert_part)
    show(given["log_level"])


_OF_THE_WHOLE = (
    *("inputs", "input_names", "output_names", "kwargs", "min_shapes", "opt_shapes", "max_shapes", "max_batch_size"),
    *("dynamic_shapes", "backend", "fallback", "refittable"),
)
"""Arguments that are about the whole model, and not about its sub-modules."""


def _options(conversion: Conversion) -> dict[str, Any]:
    """The options as the Rust half reads them: those that are declared there, and what it cannot know."""
    given, captured = conversion.given, conversion.captured
    inputs, outputs = arguments.names(given, captured.input_names, captured.output_names)
    return {
        **{option.name: given[option.name] for option in OPTIONS if option.name in given},
        "backend": conversion.report.backend,
        "input_names": inputs,
        "output_names": outputs,
        "verbose": given["log_level"] < logging.DEBUG,
        "plugins": named_plugins(given["plugins"]),
        "device": cuda_index(captured.inputs.samples, conversion.module),
        "site_packages": _core.site_packages(),
        "profiles": conversion.sampled.ranges(inputs, captured.inputs.dtypes),
    }


def captured_program(
    module: Any, sampled: Samples, bar: _core.ProgressBar, to_cut: bool = False
) -> tuple[Captured, _core.Program]:
    """What is captured of a model, and its program; with `to_cut`, past calls that have no form in a program."""
    keep = [registered.method for registered in CONVERTERS.values()]
    known = _known()

    def take(args: tuple[Any, ...], kwargs: dict[str, Any], others: Others | None = None) -> Captured:
        captured = capture(module, args, kwargs, sampled.dynamic_shapes, bar, keep, known, others, to_cut)
        check_captured(captured.program, sampled.profiles, captured.places)
        return captured

    captured = _take(module, sampled, take)
    sampled.settle(captured)
    builder = _core.ProgramBuilder()
    captured.walk(builder)
    return captured, builder.finish()


def _known() -> set[str]:
    """The operators that convert."""
    return {overload for _, overload, _, _ in _core.operators()}


def _take(module: Any, sampled: Samples, take: Callable[..., Captured]) -> Captured:
    """What `take` captures; where it is refused, with what the model remembers of earlier calls out of the way."""
    try:
        return take(sampled.args, sampled.kwargs)
    except ModelError as failed:
        if sampled.given is None:
            raise
        if sampled.resized:
            raise sampled.only_as_given(module, failed) from failed
        # It may not go with the samples that were made larger. What is wrong with the dynamic shapes, torch.export knows.
        return take(sampled.given.args, sampled.given.kwargs)
    except Error as refused:
        if sampled.dynamic_shapes is None:
            raise
        with suppress(Error):
            others = Others(sampled.others(), keys=is_unhashable(refused.__cause__))
            return take(sampled.args, sampled.kwargs, others)
        raise


__all__ = ["Conversion", "captured_program", "convert", "defaults", "torch2trt"]
