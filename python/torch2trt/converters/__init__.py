"""Your own converters, as NVIDIA's torch2trt has them.

    import torch2trt
    from torch2trt import tensorrt_converter, trt

    @tensorrt_converter("torch.nn.ReLU.forward")
    def convert_relu(ctx):
        layer = ctx.network.add_activation(input=ctx.method_args[1]._trt, type=trt.ActivationType.RELU)
        ctx.method_return._trt = layer.get_output(0)

`CONVERTERS` lists them. The files: `registry` (names and functions), `context` (what a converter gets), `sizes` and
`standin` (the ints and tensors it is given), `helpers` (what it is written with), `calls` (how it is run).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..deferred import lazy_names

if TYPE_CHECKING:
    from .active import get_conversion_context
    from .calls import Calls as Calls
    from .context import ConversionContext, get_arg
    from .helpers import (
        add_missing_trt_tensors,
        add_trt_constant,
        broadcast_trt_tensors,
        check_torch_dtype,
        set_layer_precision,
        torch_device_from_trt,
        torch_device_to_trt,
        torch_dim_resolve_negative,
        torch_dim_to_trt_axes,
        torch_dtype_from_trt,
        torch_dtype_to_trt,
        trt_,
        trt_int_dtype,
        trt_num_inputs,
        trt_num_outputs,
    )
    from .registry import CONVERTERS, tensorrt_converter
    from .registry import Registered as Registered
    from .sizes import IntWrapper, SizeWrapper, make_int_wrapper, make_size_wrapper, use_shape_wrapping, wrap_ints
else:
    __getattr__ = lazy_names(
        globals(),
        {
            "active": ["get_conversion_context"],
            "calls": ["Calls"],
            "context": ["ConversionContext", "get_arg"],
            "helpers": [
                "add_missing_trt_tensors",
                "add_trt_constant",
                "broadcast_trt_tensors",
                "check_torch_dtype",
                "set_layer_precision",
                "torch_device_from_trt",
                "torch_device_to_trt",
                "torch_dim_resolve_negative",
                "torch_dim_to_trt_axes",
                "torch_dtype_from_trt",
                "torch_dtype_to_trt",
                "trt_",
                "trt_int_dtype",
                "trt_num_inputs",
                "trt_num_outputs",
            ],
            "registry": ["CONVERTERS", "Registered", "tensorrt_converter"],
            "sizes": [
                "IntWrapper",
                "SizeWrapper",
                "make_int_wrapper",
                "make_size_wrapper",
                "use_shape_wrapping",
                "wrap_ints",
            ],
        },
    )

__all__ = [
    "CONVERTERS",
    "ConversionContext",
    "IntWrapper",
    "SizeWrapper",
    "add_missing_trt_tensors",
    "add_trt_constant",
    "broadcast_trt_tensors",
    "check_torch_dtype",
    "get_arg",
    "get_conversion_context",
    "make_int_wrapper",
    "make_size_wrapper",
    "set_layer_precision",
    "tensorrt_converter",
    "torch_device_from_trt",
    "torch_device_to_trt",
    "torch_dim_resolve_negative",
    "torch_dim_to_trt_axes",
    "torch_dtype_from_trt",
    "torch_dtype_to_trt",
    "trt_",
    "trt_int_dtype",
    "trt_num_inputs",
    "trt_num_outputs",
    "use_shape_wrapping",
    "wrap_ints",
]
