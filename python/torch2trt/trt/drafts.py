"""The drafts of one converter: layers that may change until it returns, and how they become final.

`INetworkDefinition` (network.py) adds them. What a tensor is, is inferred from the drafts behind it; when the
converter has returned, `_finish` adds those that lead to its outputs to the network.

This file must not know which layers there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from .._core import Error, Size, TensorInfo, UserNetwork
from ..errors import error
from .emit import Commit
from .layer import ILayer, ITensor, SizesLayer


class Drafts:
    """The layers that a converter has added so far."""

    def __init__(self, lent: UserNetwork, operator: str, conversion: Any = None) -> None:
        """`lent` is the network, `operator` what its layers come from; tensors go with one `conversion`."""
        self._lent = lent
        self._operator = operator
        self._conversion = conversion
        self._layers: list[ILayer] = []
        self._known: dict[int, TensorInfo] = {}
        self._call_outputs: list[Any] = []
        """The tensors that the call being converted returns, for layers that declare their outputs."""
        self._owned: list[torch.Tensor] = []
        """Tensors of the model that were given a `_trt`, for whoever runs the converter to take it back."""

    # What TensorRT's network has besides layers

    @property
    def name(self) -> str:
        """The operator being converted."""
        return self._operator

    @property
    def num_layers(self) -> int:
        """Number of layers this converter has added so far."""
        return len(self._layers)

    @property
    def _plugins(self) -> list[str]:
        """The plugins of this converter's layers, each once."""
        return list(dict.fromkeys(layer.plugin.title for layer in self._layers if hasattr(layer, "plugin")))

    @property
    def has_implicit_batch_dimension(self) -> bool:
        """False: batch is an axis like any other since TensorRT 10."""
        return False

    @property
    def _network(self) -> Drafts:
        """Itself: the original wrapped TensorRT's network in one of its own."""
        return self

    def get_layer(self, index: int) -> ILayer:
        """A layer this converter has added."""
        return self._layers[index]

    def __len__(self) -> int:
        return len(self._layers)

    def __getitem__(self, index: int) -> ILayer:
        return self._layers[index]

    # How they are added

    def _add(
        self, kind: type, method: str, values: dict[str, Any] | None = None, optional: Any = (), **tensors: Any
    ) -> Any:
        inputs = [*optional, *(self._checked(tensor, method, name) for name, tensor in tensors.items())]
        return kind(self, inputs, **(values or {}))

    def _add_many(self, kind: type, method: str, tensors: Iterable[Any], values: dict[str, Any]) -> Any:
        inputs = [self._checked(tensor, method, f"inputs[{k}]") for k, tensor in enumerate(tensors)]
        if not inputs:
            raise TypeError(f"{method}(): `inputs` is empty")
        return kind(self, inputs, **values)

    def _with_indices(self, layer: Any, output: int, indices_type: Any) -> Any:
        if indices_type is not None:
            layer.set_output_type(output, indices_type)
        return layer

    def _adopt(self, layer: ILayer) -> int:
        if not layer._hidden:
            self._layers.append(layer)
        return len(self._layers) - 1

    def _sizes(self, sizes: list[Size]) -> ITensor:
        """A 1-D int64 tensor that holds sizes."""
        return SizesLayer(self, [], sizes=sizes).get_output(0)

    def _tensor(self, id: int) -> ITensor:
        """A tensor that the network already has."""
        return ITensor(self, None, 0, id)

    def _checked(self, tensor: Any, method: str, argument: str) -> ITensor:
        """The tensor, if it is one of this network.

        Raises:
            TypeError: it is no tensor of a network.
            torch2trt.Error: E0108, it belongs to another conversion.
        """
        if not isinstance(tensor, ITensor):
            raise TypeError(f"{method}(): `{argument}` must be a tensor of the network, got {_described(tensor)}")
        if tensor._network is self:
            return tensor
        if tensor._network._conversion is self._conversion is not None and tensor._id is not None:
            return self._tensor(tensor._id)
        raise error(
            "E0108",
            f"{method}(): `{argument}` ({tensor.name}) never became part of this network",
            "a converter's tensors last until it returns, and only those that lead to an output are kept: "
            "make it again, or pass it through the model",
        )

    def _infer(self, tensor: ITensor) -> TensorInfo:
        """What is known of a tensor, for the attributes as they are now."""
        for layer in self._needed([tensor]):
            try:
                layer._infer([None if t is None else self._inferred(t) for t in layer._needs()])
            except Error as problem:
                _about(layer, problem)
                raise
        return self._inferred(tensor)

    def _inferred(self, tensor: ITensor) -> TensorInfo:
        if tensor._layer is not None:
            return tensor._layer._inferred()[tensor._index]
        id = _existing(tensor)
        if id not in self._known:
            self._known[id] = self._lent.tensor(id)
        return self._known[id]

    def _needed(self, tensors: Iterable[ITensor]) -> list[ILayer]:
        """The drafts behind tensors, each after those it uses.

        Raises:
            torch2trt.Error: E0107, a layer uses its own output.
        """
        order: dict[ILayer, None] = {}
        begun: set[ILayer] = set()
        stack = [(tensor._layer, False) for tensor in tensors if tensor._layer is not None]
        while stack:
            layer, ready = stack.pop()
            if ready:
                order[layer] = None
            elif layer not in order:
                if layer in begun:
                    raise error("E0107", f"{type(layer).__name__} `{layer.name}` uses its own output")
                begun.add(layer)
                stack.append((layer, True))
                inputs = (tensor._layer for tensor in layer._needs() if tensor is not None)
                stack.extend((used, False) for used in inputs if used is not None and used not in order)
        return list(order)

    def _finish(self, outputs: list[ITensor | None]) -> list[int | None]:
        """Adds the drafts that lead to outputs, and those that have none; gives the outputs' ids."""
        ids: dict[tuple[ILayer, int], int] = {}
        wanted = [output for output in outputs if output is not None]
        effects = [layer for layer in self._layers if layer._effect]
        used = [tensor for layer in effects for tensor in layer._inputs if tensor is not None]
        for layer in [*self._needed([*used, *wanted]), *effects]:
            inputs = [None if t is None else self._id(t, ids) for t in layer._needs()]
            try:
                made = layer._typed(Commit(self._lent, self._operator).within(layer._name), inputs)
            except (TypeError, ValueError) as problem:
                located = type(problem)(f"{type(layer).__name__} `{layer.name}`: {problem}")
                _about(layer, located)
                raise located from None
            except Error as problem:
                _about(layer, problem)
                raise
            for index, id in enumerate(made):
                ids[layer, index] = layer._made[index]._id = id
        return [None if output is None else self._id(output, ids) for output in outputs]

    @staticmethod
    def _id(tensor: ITensor, ids: dict[tuple[ILayer, int], int]) -> int:
        return _existing(tensor) if tensor._layer is None else ids[tensor._layer, tensor._index]


def _existing(tensor: ITensor) -> int:
    """The id of a tensor without a layer: the network has it already."""
    assert tensor._id is not None
    return tensor._id


def _about(layer: ILayer, problem: Exception) -> None:
    """Notes which layer an error is about."""
    vars(problem)["layer"] = layer


def layer_of(problem: Exception) -> ILayer | None:
    """The layer that an error of `Drafts` is about."""
    found = vars(problem).get("layer")
    return found if isinstance(found, ILayer) else None


def _described(value: Any) -> str:
    if value is None:
        return "None: the `_trt` of something that no converter made"
    if isinstance(value, torch.Tensor):
        hint = "pass its `_trt`" if hasattr(value, "_trt") else "make a constant of it with add_missing_trt_tensors"
        return f"a torch.Tensor: {hint}"
    if isinstance(value, ILayer):
        return "a layer: pass its get_output(0)"
    return type(value).__name__
