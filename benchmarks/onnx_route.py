"""The reference of `gpu_table.py`: what TensorRT's own ONNX parser makes of a model.

This file must not know what torch2trt makes of it.
"""

from __future__ import annotations

import argparse
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


def onnx_columns(
    row: dict[str, Any], model: Any, inputs: tuple[Any, ...], expected: Any, half: bool, options: argparse.Namespace
) -> None:
    """What TensorRT makes of the ONNX file of the model, by the program of crates/nvinfer/examples/onnx_plan.rs."""
    import torch

    import torch2trt

    names = [f"x{k}" for k in range(len(inputs))]
    with tempfile.TemporaryDirectory() as folder:
        file, plan = os.path.join(folder, "net.onnx"), os.path.join(folder, "net.plan")
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # its operators have no ONNX form
        try:
            torch.onnx.export(
                model, inputs, file, opset_version=17, dynamo=False, input_names=names, output_names=["y"]
            )
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
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
