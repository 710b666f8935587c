"""The call: arguments, and what they mean. The stages are in `stages.py` and `engines.py`."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from .arguments import Arguments, Legacy
from .engines import engine_of
from .module import TRTModule
from .stages import convert

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
    precision: str | None = None,
    tolerance: float | None = None,
    metric: Callable[[list[Any]], float] | None = None,
    calibration: Any = None,
    keep_unquantized: Sequence[str] = (),
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
            itself logs from `logging.DEBUG` on.
        fp16_mode: compute in float16 where that is safe. The report lists what stays float32, and why.
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
        build_threads: threads of a TensorRT build. Default: one, as TensorRT has it; all cores where 8.6 is refused
            kernels.
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
        keep_fp32: modules and layers that stay float32 in these modes and in int8: paths such as "layer4.0" or
            "layer4.0.SoftMax", where `*` stands for any characters and `?` for one.
        int8_mode: convolutions and products with constant weights read int8. See docs/int8.md.
        int8_calib_dataset: samples to find the ranges of int8 on: a `Dataset`, or anything with a length and items,
            each the inputs of one call. Default: the sample inputs, which represent few values.
        int8_calib_algorithm: how: a `CalibrationAlgoType`, TensorRT's own, or its name. Default:
            `ENTROPY_CALIBRATION_2` for int8, `MINMAX_CALIBRATION` for fp8.
        fallback: run in PyTorch what does not convert, and the rest in engines; the report lists the parts, and why
            each call of a part in PyTorch is there. See docs/fallback.md.
        run_in_pytorch: modules that run in PyTorch: paths such as "roi_heads" or "layers.*.router". Implies `fallback`.
        min_layers: with `fallback`, an engine of fewer operator calls joins the parts in PyTorch around it. Views do
            not count; a convolution or matrix multiplication is enough for an engine.
        precision: "fp32", "fp16", "bf16" or "int8", as the modes; "fp8", as "int8" in floats of eight bits (E4M3); or
            "auto": float16, with the fewest layers in float32 that keep the outputs within `tolerance`. See
            docs/mixed-precision.md.
        tolerance: the largest relative error of an output, max |engine - PyTorch| / max |PyTorch|; with a metric, how
            much lower than PyTorch's it may be. The fewest layers that need a higher precision for that are searched
            for: with "auto" and "fp16" those in float32, with "int8" and "fp8" those that are not quantized. Default:
            no search; 1e-2 with precision="auto" and with a metric.
        metric: a function from the outputs of all samples (a list of what the model returns for each, in order) to a
            number; higher is better. It is a search, as `tolerance` is.
        calibration: samples for a search, int8 and fp8: the same as `int8_calib_dataset`.
        keep_unquantized: modules and layers that are not quantized, and keep the precision of the other layers: paths
            and patterns as in `keep_fp32`.
        legacy: the other arguments of NVIDIA's torch2trt; see docs/migrating.md.

    Returns:
        A module that is called like the model and returns what it returns.

    Raises:
        torch2trt.Error: with a stable `code` and `help`; see docs/errors.md.
    """
    return engine_of(convert(Arguments.of(locals())))


def defaults() -> dict[str, Any]:
    """The arguments of `torch2trt` as they are where they are not given."""
    parameters = inspect.signature(torch2trt).parameters.values()
    given = {p.name: None if p.default is p.empty else p.default for p in parameters if p.kind is not p.VAR_KEYWORD}
    return {**given, "legacy": {}}


__all__ = ["defaults", "torch2trt"]
