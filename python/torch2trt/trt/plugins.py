"""Plugins under the names of TensorRT's Python package: fields, creators, the registry.

    creator = trt.get_plugin_registry().get_plugin_creator("MyScale", "1", "")
    fields = trt.PluginFieldCollection([trt.PluginField("factor", np.float32([2]), trt.PluginFieldType.FLOAT32)])
    layer = ctx.network.add_plugin_v2([x._trt], creator.create_plugin("scale", fields))

A creator here records what a plugin is created with; TensorRT's own creator makes it when the network is built. So a
network with plugins can be described where neither TensorRT nor the plugin's library is installed.

This file must not know about layers or networks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np
import torch

from .. import _core, _log
from .._core import Error
from ..accepted import path as checked_path
from ..errors import error
from ..plugin_libraries import REGISTERED
from .enums import PluginFieldType, TensorRTPhase, member
from .values import is_sequence

_NUMPY = {
    "FLOAT16": np.float16,
    "FLOAT32": np.float32,
    "FLOAT64": np.float64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "CHAR": np.uint8,
    "DIMS": np.int64,
}
"""The types that numpy has; elements of the others are given as bytes or in an integer type of their width."""

_BYTES = {"BF16": 2, "FP8": 1}
_MAX_DIMS = 8


class PluginField:
    """An attribute that a plugin is created with: its name, its elements (an array, a number, text), their type."""

    def __init__(self, name: str = "", data: Any = None, type: Any = PluginFieldType.UNKNOWN) -> None:
        self.name, self.data, self.type = name, data, member(PluginFieldType, type)

    @property
    def size(self) -> int:
        """Number of elements."""
        return 0 if self.data is None else _length(_elements(self), self.type)

    def __repr__(self) -> str:
        return f"PluginField({self.name!r}, {self.data!r}, {self.type.name})"


class PluginFieldCollection(list[PluginField]):
    """The attributes that a plugin is created with, or those that a creator knows."""


def _elements(field: Any) -> np.ndarray:
    """The elements of a field, of its type.

    Raises:
        TypeError: the data has elements of another width.
    """
    kind, data = member(PluginFieldType, field.type).name, field.data
    if isinstance(data, torch.Tensor):
        data = data.detach().cpu()
        data = data.view(torch.int16).numpy() if data.dtype == torch.bfloat16 else data.numpy()
    if kind == "DIMS":
        return _records(data)
    if isinstance(data, str):
        data = data.encode()
    if isinstance(data, (bytes, bytearray, memoryview)):
        data = np.frombuffer(data, np.uint8)
    typed = isinstance(data, (np.ndarray, np.generic))
    array = np.asarray(data) if typed else np.asarray(data, _NUMPY.get(kind))
    if kind == "CHAR" and array.dtype.kind == "S":
        array = np.frombuffer(array.tobytes(), np.uint8)
    width = _BYTES.get(kind) or np.dtype(_NUMPY.get(kind, array.dtype)).itemsize
    if array.dtype.itemsize != width or array.dtype.hasobject:
        raise TypeError(f"field `{field.name}` is {kind}, and its data has elements of type {array.dtype}")
    return np.ascontiguousarray(array)


def _records(data: Any) -> np.ndarray:
    """Shapes as nine numbers each: the rank, then eight sizes."""
    items = list(data)
    shapes = items if items and all(is_sequence(item) for item in items) else [items]
    records: np.ndarray[Any, Any] = np.zeros((len(shapes), 1 + _MAX_DIMS), np.int64)
    for record, shape in zip(records, shapes, strict=True):
        sizes = [int(size) for size in shape]
        if len(sizes) > _MAX_DIMS:
            raise TypeError(f"a shape has {len(sizes)} sizes, TensorRT's have at most {_MAX_DIMS}")
        record[: 1 + len(sizes)] = [len(sizes), *sizes]
    return records


def _length(elements: np.ndarray, kind: PluginFieldType) -> int:
    return len(elements) if kind is PluginFieldType.DIMS else int(elements.size)


def field_in_network(field: Any) -> dict[str, Any]:
    """A field as the network has it.

    Raises:
        TypeError: it is no field, or its data does not fit its type.
    """
    missing = [name for name in ("name", "data", "type") if not hasattr(field, name)]
    if missing or field.data is None:
        raise TypeError(f"{field!r} is no PluginField with a name, data and a type")
    kind, elements = member(PluginFieldType, field.type), _elements(field)
    little = elements.astype(elements.dtype.newbyteorder("<"), copy=False)
    name = kind.name.capitalize()
    return {"name": str(field.name), "kind": name, "length": _length(elements, kind), "data": little.tobytes().hex()}


class _Plugin:
    """What a plugin is created with.

    Attributes:
        plugin_type: its name.
        plugin_version, plugin_namespace: by which, with the name, its creator is found.
        fields: what it is created with.
        serialized: what it is made of in place of fields.
    """

    def __init__(self, creator: IPluginCreator, name: str, fields: Iterable[Any]) -> None:
        self.plugin_type, self.plugin_version = creator.name, creator.plugin_version
        self.plugin_namespace = creator.plugin_namespace
        self.layer_name = name
        self.serialized: bytes | None = None
        self.fields = [field_in_network(field) for field in fields]

    @property
    def title(self) -> str:
        """Namespace, name and version, as messages have them."""
        separator = "::" if self.plugin_namespace else ""
        return f"{self.plugin_namespace}{separator}{self.plugin_type} {self.plugin_version}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.title}>"


class IPluginV2(_Plugin):
    """A plugin for `add_plugin_v2`."""


class IPluginV3(_Plugin):
    """A plugin for `add_plugin_v3`."""


class IPluginCreator:
    """Records what plugins of one name and version are created with."""

    def __init__(self, name: str, plugin_version: str, plugin_namespace: str = "") -> None:
        self.name, self.plugin_version, self.plugin_namespace = name, plugin_version, plugin_namespace

    @property
    def field_names(self) -> PluginFieldCollection:
        """The fields that TensorRT's creator knows, without data; none where its library is not loaded."""
        own = (self.name, self.plugin_version, self.plugin_namespace)
        try:
            fields = _core.plugin_fields(_REGISTRY._options(), *own)
        except Error as missing:
            _log.logger.info("%s: %s", self.name, str(missing).splitlines()[0])
            return PluginFieldCollection()
        return PluginFieldCollection(
            PluginField(name, None, PluginFieldType[kind or "UNKNOWN"]) for name, kind in fields
        )

    def create_plugin(self, name: str, field_collection: Iterable[Any] | None = None, phase: Any = None) -> Any:
        """A plugin: `IPluginV2`; where a phase is given, `IPluginV3`.

        Raises:
            TypeError: a field's data does not fit its type.
        """
        if phase is None:
            return IPluginV2(self, name, field_collection or ())
        if member(TensorRTPhase, phase) is not TensorRTPhase.BUILD:
            raise error("E0108", "a plugin is created for the phase RUNTIME", "give trt.TensorRTPhase.BUILD")
        return IPluginV3(self, name, field_collection or ())

    def deserialize_plugin(self, name: str, serialized_plugin: Any) -> IPluginV2:
        """A plugin of what one of its kind serialized."""
        made = IPluginV2(self, name, ())
        made.serialized = bytes(serialized_plugin)
        return made

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.plugin_version}>"


class IPluginCreatorV3One(IPluginCreator):
    """Records what plugins with TensorRT's third interface are created with."""

    def create_plugin(
        self, name: str, field_collection: Iterable[Any] | None = None, phase: Any = TensorRTPhase.BUILD
    ) -> Any:
        """An `IPluginV3`."""
        return super().create_plugin(name, field_collection, phase)


class IPluginRegistry:
    """The plugin creators of this process, and the libraries that conversions load."""

    error_recorder = None
    parent_search_enabled = True

    def __init__(self) -> None:
        self.libraries = REGISTERED

    def _options(self) -> dict[str, Any]:
        return {"plugins": self.libraries, "site_packages": _core.site_packages()}

    def _registered(self, own: bool = False) -> list[tuple[str, str, str, bool]]:
        """What TensorRT's registry has; nothing where there is no TensorRT."""
        try:
            return _core.plugin_creators(self._options(), own)
        except Error as missing:
            if missing.code not in ("E0301", "E0302"):
                raise
            return []

    @property
    def all_creators(self) -> list[IPluginCreator]:
        """The creators that TensorRT has registered; none where there is no TensorRT."""
        kinds = (IPluginCreator, IPluginCreatorV3One)
        return [kinds[is_v3](name, version, space) for name, version, space, is_v3 in self._registered()]

    all_creators_recursive = all_creators

    @property
    def plugin_creator_list(self) -> list[IPluginCreator]:
        """Those of plugins for `add_plugin_v2`."""
        return [creator for creator in self.all_creators if not isinstance(creator, IPluginCreatorV3One)]

    def get_plugin_creator(self, type: str, version: str, plugin_namespace: str = "") -> IPluginCreator:
        """The creator of plugins of a name and version.

        It need not be registered yet: its library is loaded when the network is built for TensorRT, and may be missing
        on this machine.
        """
        return IPluginCreator(str(type), str(version), str(plugin_namespace))

    get_creator = get_plugin_creator

    def load_library(self, plugin_path: Any) -> str:
        """Names a plugin library; it is loaded now where TensorRT is installed, and by every conversion from now on.

        Raises:
            torch2trt.Error: E0306, it cannot be loaded.
        """
        library = checked_path("plugin_path", plugin_path)
        if library not in self.libraries:
            self.libraries.append(library)
            try:
                self._registered()
            except Error:
                self.libraries.remove(library)
                raise
        return library

    def deregister_library(self, handle: str) -> None:
        """Leaves a library out of later conversions. What is loaded stays loaded."""
        self.libraries.remove(handle)

    def register_creator(self, creator: Any, plugin_namespace: str = "") -> NoReturn:
        """Plugins written in Python are not supported.

        Raises:
            torch2trt.Error: E0108, always.
        """
        raise error(
            "E0108",
            f"a plugin creator in Python ({type(creator).__name__}) was registered, and engines call no Python",
            "write the plugin in C++, and name its library: plugins=[...]",
        )


_REGISTRY = IPluginRegistry()


def get_plugin_registry() -> IPluginRegistry:
    """The registry of plugin creators."""
    return _REGISTRY


def init_libnvinfer_plugins(logger: Any = None, namespace: str = "") -> bool:
    """Loads the plugins that TensorRT ships. Conversions load them by themselves where a network has one.

    Returns:
        Whether they are loaded: False where there is no TensorRT, or one without plugins.
    """
    try:
        return bool(_REGISTRY._registered(own=True))
    except Error as missing:
        _log.logger.info("TensorRT's own plugins are not loaded: %s", str(missing).splitlines()[0])
        return False


__all__ = [
    "IPluginCreator",
    "IPluginCreatorV3One",
    "IPluginRegistry",
    "IPluginV2",
    "IPluginV3",
    "PluginField",
    "PluginFieldCollection",
    "get_plugin_registry",
    "init_libnvinfer_plugins",
]
