"""The original's import path of the conversions between PyTorch's and TensorRT's dtypes and devices."""

from .converters import (
    torch_device_from_trt,
    torch_device_to_trt,
    torch_dtype_from_trt,
    torch_dtype_to_trt,
    trt_int_dtype,
)

__all__ = [
    "torch_device_from_trt",
    "torch_device_to_trt",
    "torch_dtype_from_trt",
    "torch_dtype_to_trt",
    "trt_int_dtype",
]
