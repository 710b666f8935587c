"""The reference of `gpu_table.py`: what TensorRT's own ONNX parser makes of a model.

This file must not know what torch2trt makes of it.
"""

from __future__ import annotations

import argparse
import copy
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from gpu_time import captured, difference, milliseconds


class _Plan:
    """A plan with the interface of an engine of NVIDIA's package."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def serialize(self) -> bytes:
        return self.data


def _export(model: Any, inputs: tuple[Any, ...], file: str, names: list[str]) -> None:
    """The file that TensorRT 8.6 reads: opset 17, which only the exporter by TorchScript writes for every model."""
    import torch
    from torch.onnx import JitScalarType, symbolic_helper

    def diff(g: Any, x: Any, count: Any, axis: Any, before: Any, after: Any) -> Any:
        """`aten::diff` once: the exporter has no form for it."""
        axis = symbolic_helper._get_const(axis, "i", "dim")
        parts = [part for part in (before, x, after) if not symbolic_helper._is_none(part)]
        x = g.op("Concat", *parts, axis_i=axis)
        later = symbolic_helper._slice_helper(g, x, [axis], [1], [2**63 - 1])
        return g.op("Sub", later, symbolic_helper._slice_helper(g, x, [axis], [0], [-1]))

    def cumsum(g: Any, x: Any, axis: Any, *_: Any) -> Any:
        """`aten::cumsum`, of booleans too, which ONNX cannot add."""
        if JitScalarType.from_value(x) == JitScalarType.BOOL:
            x = g.op("Cast", x, to_i=JitScalarType.INT64.onnx_type())
        return g.op("CumSum", x, axis)

    torch.onnx.register_custom_op_symbolic("aten::diff", diff, 17)
    torch.onnx.register_custom_op_symbolic("aten::cumsum", cumsum, 17)
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # its operators have no ONNX form
    try:
        model, inputs = copy.deepcopy(model).cpu(), tuple(tensor.cpu() for tensor in inputs)
        torch.onnx.export(model, inputs, file, opset_version=17, dynamo=False, input_names=names, output_names=["y"])
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def onnx_columns(
    row: dict[str, Any], model: Any, inputs: tuple[Any, ...], expected: Any, half: bool, options: argparse.Namespace
) -> None:
    """What TensorRT makes of the ONNX file of the model, by the program of crates/nvinfer/examples/onnx_plan.rs."""
    import torch

    import torch2trt

    names = [f"x{k}" for k in range(len(inputs))]
    with tempfile.TemporaryDirectory() as folder:
        file, plan = os.path.join(folder, "net.onnx"), os.path.join(folder, "net.plan")
        _export(model, inputs, file, names)
        command = [options.onnx_plan, options.tensorrt, options.onnx_parser, file, plan, *(["fp16"] if half else [])]
        if options.timing_cache:
            command.append(f"timings={options.timing_cache}.onnx")  # of its own: the ways must not help each other
        start = time.perf_counter()
        built = subprocess.run(command, capture_output=True, text=True, timeout=options.limit)
        row["onnx s"] = round(time.perf_counter() - start, 1)
        if built.returncode:
            raise RuntimeError(built.stderr[-300:])
        engine = torch2trt.TRTModule(_Plan(Path(plan).read_bytes()), input_names=names, output_names=["y"])
    # The parser of TensorRT 8.6 makes int32 of int64.
    tensors = [tensor.int() if tensor.dtype == torch.int64 else tensor for tensor in inputs]
    row["onnx diff"] = difference(expected, engine(*tensors))
    row["onnx"] = milliseconds(captured(lambda: engine(*tensors)).replay)
    print(f"  onnx     {row['onnx']:.3f} ms", flush=True)
