"""Layers that a plugin implements.

| class | network layers |
|---|---|
| IPluginV2Layer, IPluginV3Layer | Plugin |

TensorRT asks the plugin's library which outputs it has. Here the layer declares them, by default as those of the call
that is being converted; TensorRT's answer is compared when the network is built.

This file must not know how drafts become final.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch

from .._core import Size
from .drafts import Drafts
from .dtypes import network_name
from .emit import Emitter, Ref
from .enums import LayerType
from .layer import ILayer, ITensor
from .plugins import IPluginV2, IPluginV3, _Plugin
from .values import sizes_of

_COMPUTE_DTYPES = {
    torch.float64: torch.float32,
    torch.int16: torch.int32,
    torch.int8: torch.int32,
    torch.uint8: torch.int32,
}
_FLOATS = ("float32", "float16", "bfloat16")


class Declared(NamedTuple):
    """An output of a plugin: its dtype in the network, and its sizes."""

    dtype: str
    sizes: list[Size]


def declared(outputs: Iterable[Any]) -> list[Declared]:
    """Outputs as a caller gives them: tensors of PyTorch, such as `ctx.method_return`, or pairs of a type and a shape.

    Raises:
        TypeError: an output is neither.
    """
    found = []
    for output in [outputs] if isinstance(outputs, torch.Tensor) else outputs:
        if isinstance(output, torch.Tensor):
            output = (_COMPUTE_DTYPES.get(output.dtype, output.dtype), output.shape)
        if not isinstance(output, (tuple, list)) or len(output) != 2:
            raise TypeError(f"an output of a plugin is a tensor, or a pair of a type and a shape, not {output!r}")
        found.append(Declared(network_name(output[0]), sizes_of(output[1])))
    return found


def checked(plugin: Any, kind: type, method: str) -> Any:
    """A plugin of the interface that a method takes.

    Raises:
        TypeError: it has another, or is no plugin.
    """
    if isinstance(plugin, kind):
        return plugin
    help = "make it with a creator of torch2trt.trt.get_plugin_registry()"
    if isinstance(plugin, _Plugin):
        help = "create_plugin(name, fields) makes plugins of version 2, create_plugin(name, fields, phase) of version 3"
    raise TypeError(f"{method}(): `plugin` must be an {kind.__name__}, got {type(plugin).__name__}: {help}")


class _PluginLayer(ILayer):
    """A layer whose code is in a library outside TensorRT."""

    _api = ""

    def __init__(
        self,
        network: Any,
        inputs: list[ITensor | None],
        plugin: _Plugin,
        outputs: list[Declared],
        shape_inputs: int = 0,
    ) -> None:
        self._plugin, self._declared, self._shape_inputs = plugin, outputs, shape_inputs
        self._outputs = len(outputs)
        super().__init__(network, inputs)
        self._name = plugin.layer_name or None

    @property
    def plugin(self) -> _Plugin:
        """The plugin, as it was given."""
        return self._plugin

    def _emit(self, e: Emitter, inputs: list[Ref | None]) -> list[Ref]:
        wanted, plugin = self._compute_type(), self._plugin
        dtypes = [wanted if wanted and output.dtype in _FLOATS else output.dtype for output in self._declared]
        outputs = [
            {"dtype": dtype, "dims": [_dim(size) for size in output.sizes]}
            for dtype, output in zip(dtypes, self._declared, strict=True)
        ]
        made = {} if plugin.serialized is None else {"serialized": plugin.serialized.hex()}
        return e.layer(
            "Plugin", inputs, name=plugin.plugin_type, version=plugin.plugin_version, namespace=plugin.plugin_namespace,
            api=self._api, fields=plugin.fields, shape_inputs=self._shape_inputs, outputs=outputs, **made,
        )  # fmt: skip


class IPluginV2Layer(_PluginLayer):
    """A layer of a plugin with TensorRT's second interface (`IPluginV2` and what derives from it).

    Errors: E0107 where a field's data does not fit its type. When the network is built, E0303 where no library has the
    plugin, or where it makes other outputs than the layer declares.
    """

    _kind = LayerType.PLUGIN_V2
    _api = "V2"


class IPluginV3Layer(_PluginLayer):
    """A layer of a plugin with TensorRT's third interface (`IPluginV3`), from TensorRT 10 on.

    Errors: as for IPluginV2Layer; E0107 where a shape input is no tensor of integers; E0302 where TensorRT has no such
    layers.
    """

    _kind = LayerType.PLUGIN_V3
    _api = "V3"


def _dim(size: Size) -> int | str:
    known = size.static_value
    return str(size) if known is None else known


class PluginLayers(Drafts):
    """How these layers are added to the drafts."""

    def add_plugin_v2(self, inputs: Sequence[ITensor], plugin: IPluginV2, outputs: Any = None) -> IPluginV2Layer:
        """A layer that a plugin implements; `outputs` declares what it makes, by default what the call returns."""
        values = {
            "plugin": checked(plugin, IPluginV2, "add_plugin_v2"),
            "outputs": self._declared_or(outputs),
        }
        return self._add_many(IPluginV2Layer, "add_plugin_v2", inputs, values)

    def add_plugin_v3(
        self, inputs: Sequence[ITensor], shape_inputs: Sequence[ITensor], plugin: IPluginV3, outputs: Any = None
    ) -> IPluginV3Layer:
        """A layer that a plugin implements, with shape tensors as further inputs; `outputs` as for `add_plugin_v2`."""
        values = {
            "plugin": checked(plugin, IPluginV3, "add_plugin_v3"),
            "outputs": self._declared_or(outputs),
        }
        values["shape_inputs"] = len(shape_inputs)
        return self._add_many(IPluginV3Layer, "add_plugin_v3", [*inputs, *shape_inputs], values)

    def _declared_or(self, outputs: Any) -> list[Declared]:
        return declared(self._call_outputs if outputs is None else outputs)
