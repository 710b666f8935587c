"""TensorRT's names, for converters, on machines with or without TensorRT's Python package.

    from torch2trt import trt

    layer = ctx.network.add_activation(input=x._trt, type=trt.ActivationType.RELU)

The enumerations, sizes, weights and layer classes of `import tensorrt as trt`, under the same names. Where a script
has `import tensorrt` and the package is not installed, `torch2trt.install_trt_alias()` makes that import find this.

Engines are not built through these names: `torch2trt()` does that.
"""

from __future__ import annotations

from typing import Any

from ..dataset_calibrator import CalibrationAlgoType  # of versions before 11, for scripts that name it
from . import (
    control,
    enums,
    layers_attention,
    layers_axes,
    layers_compute,
    layers_experts,
    layers_index,
    layers_move,
    layers_plugin,
    layers_window,
)
from .control import IIfConditional, ILoop
from .dtypes import DataType
from .enums import *  # noqa: F403  every public name of enums.py is TensorRT's
from .layer import ILayer, ITensor
from .network import INetworkDefinition
from .plugins import (
    IPluginCreator,
    IPluginCreatorV3One,
    IPluginRegistry,
    IPluginV2,
    IPluginV3,
    PluginField,
    PluginFieldCollection,
    get_plugin_registry,
    init_libnvinfer_plugins,
)
from .values import (
    Dims,
    Dims2,
    Dims3,
    Dims4,
    DimsHW,
    ILogger,
    Logger,
    Permutation,
    Weights,
    nptype,
    volume,
)

__version__ = "11.0.0"
"""The version whose network API this is."""

float32 = DataType.FLOAT
float16 = DataType.HALF
bfloat16 = DataType.BF16
int64 = DataType.INT64
int32 = DataType.INT32
int8 = DataType.INT8
uint8 = DataType.UINT8
bool = DataType.BOOL
fp8 = DataType.FP8
int4 = DataType.INT4
fp4 = DataType.FP4
e8m0 = DataType.E8M0

_FAMILIES = (
    (layers_compute, layers_axes),
    (layers_move, layers_index),
    (layers_window,),
    (layers_attention,),
    (layers_experts,),
    (layers_plugin,),
    (control,),
)
LAYERS: dict[str, type[ILayer]] = {
    name: value
    for family in _FAMILIES
    for name, value in sorted((item for module in family for item in vars(module).items()), key=lambda item: item[0])
    if name.startswith("I") and isinstance(value, type) and issubclass(value, ILayer) and value is not ILayer
}
"""The layer classes, by name."""
globals().update(LAYERS)

_ENGINES = {
    "Builder", "Runtime", "OnnxParser", "ICudaEngine", "IExecutionContext", "IBuilderConfig", "Refitter",
    "BuilderFlag", "NetworkDefinitionCreationFlag", "OnnxParserFlag",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _ENGINES:
        raise AttributeError(
            f"torch2trt.trt has no `{name}`: it has what converters need; torch2trt() builds and runs engines. "
            "Install TensorRT's own package for the rest of its API"
        )
    raise AttributeError(f"torch2trt.trt has no `{name}`")


__all__ = [
    *(name for name, value in vars(enums).items() if name[0].isupper() and value in enums.ALL),
    *LAYERS,
    "CalibrationAlgoType", "DataType", "Dims", "Dims2", "Dims3", "Dims4", "DimsHW", "IIfConditional", "ILayer",
    "ILogger", "ILoop", "INetworkDefinition", "IPluginCreator", "IPluginCreatorV3One", "IPluginRegistry", "IPluginV2",
    "IPluginV3", "ITensor", "PluginField", "PluginFieldCollection", "get_plugin_registry", "init_libnvinfer_plugins",
    "Logger", "Permutation", "Weights", "bfloat16", "bool", "e8m0", "float16", "float32", "fp4", "fp8", "int32",
    "int4", "int64", "int8", "nptype", "uint8", "volume",
]  # fmt: skip
