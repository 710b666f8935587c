"""`ctx.network`: TensorRT's INetworkDefinition over the network under construction.

Every `add_*` has TensorRT 11's name and argument names; those that TensorRT 8.6 or 10 had under other names are
available too. What it returns is a draft (drafts.py). Each is defined next to the class of its layer, in layers_*.py;
those that are several layers here are in composites.py.

This file must not know about PyTorch's methods or converters.
"""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import error
from .composites import Composites
from .layers_axes import AxesLayers
from .layers_compute import ComputeLayers
from .layers_index import IndexLayers
from .layers_move import MoveLayers
from .layers_plugin import PluginLayers
from .layers_window import WindowLayers


class INetworkDefinition(ComputeLayers, AxesLayers, WindowLayers, MoveLayers, IndexLayers, PluginLayers, Composites):
    """The network that a converter adds layers to."""

    def add_input(self, name: str = "", dtype: Any = None, shape: Any = None) -> NoReturn:
        """Inputs belong to the model.

        Raises:
            torch2trt.Error: E0108, always.
        """
        raise error("E0108", "a converter cannot add inputs to the network: they are the model's own")

    def mark_output(self, tensor: Any) -> NoReturn:
        """Outputs belong to the model.

        Raises:
            torch2trt.Error: E0108, always.
        """
        raise error(
            "E0108",
            "a converter cannot mark outputs of the network: they are the model's own",
            "set `_trt` on what the method returned: ctx.method_return._trt = layer.get_output(0)",
        )

    def __getattr__(self, name: str) -> Any:
        if name in _ABSENT:
            raise error("E0108", f"network.{name} is not supported: {_ABSENT[name]}", _ABSENT_HELP)
        raise AttributeError(f"the network has no `{name}`; docs/network-api.md lists what there is")


_ABSENT = {
    "add_plugin": "TensorRT dropped it in version 8; add_plugin_v2 replaces it",
    "add_plugin_ext": "TensorRT dropped it in version 8; add_plugin_v2 replaces it",
    "add_rnn_v2": "TensorRT dropped it in version 10",
    "add_dist_collective": "engines here run on one GPU",
}
_ABSENT_HELP = "leave the call to the built-in converters, or write it with the layers that docs/network-api.md lists"


__all__ = ["INetworkDefinition"]
