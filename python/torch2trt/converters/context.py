"""What a converter gets: the call it converts, and the network it adds to.

This file must not know how calls are captured.
"""

from __future__ import annotations

import logging
from typing import Any

import torch

from .._log import logger
from ..trt import DeviceType, INetworkDefinition
from .active import get_conversion_context


class ConversionContext:
    """One call, for its converter.

    Attributes:
        network: TensorRT's network API; see docs/network-api.md.
        method_args: positional arguments. `method_args[0]` of a `forward` is the module. Tensors have PyTorch's
            shape, dtype and device, and `_trt` is their counterpart in the network; parameters, buffers and
            constants are the model's own, with values and without `_trt`.
        method_kwargs: keyword arguments.
        method_return: what the method returned. The converter sets `_trt` of each tensor in it.
        method_str: the method's name.
        torch2trt_kwargs: the arguments of the `torch2trt()` call.
        lock: whether calls inside this one are left to this converter.
    """

    def __init__(
        self, network: INetworkDefinition, torch2trt_kwargs: dict[str, Any], method_str: str, module_name: str
    ) -> None:
        self.network = network
        self.method_args: tuple[Any, ...] = ()
        self.method_kwargs: dict[str, Any] = {}
        self.method_return: Any = None
        self.method_str = method_str
        self.torch2trt_kwargs = torch2trt_kwargs
        self.lock = True
        self.logger: logging.Logger = logger
        self.builder_config = None
        self._module_name = module_name

    def current_module_name(self) -> str:
        """Path of the module whose `forward` made the call, such as "layer1.0.conv1"; "" for the model itself."""
        return self._module_name

    def current_module(self) -> torch.nn.Module | None:
        """The module whose `forward` made the call; None where the model is a function."""
        model = self.torch2trt_kwargs.get("module")
        if not isinstance(model, torch.nn.Module):
            return None
        return model.get_submodule(self._module_name) if self._module_name else model

    def get_module_name(self, module: torch.nn.Module) -> str:
        """Path of a module in the model.

        Raises:
            KeyError: it is not part of the model.
        """
        model = self.torch2trt_kwargs.get("module")
        named = model.named_modules() if isinstance(model, torch.nn.Module) else ()
        for name, part in named:
            if part is module:
                return name
        raise KeyError(f"{type(module).__name__} is not a module of the model")

    def current_device_type(self) -> DeviceType:
        """What runs the layers: the GPU."""
        return DeviceType.GPU


def get_arg(ctx: ConversionContext, name: str, pos: int, default: Any) -> Any:
    """An argument of the call, however it was passed: by name, at a position, or left out."""
    if name in ctx.method_kwargs:
        return ctx.method_kwargs[name]
    return ctx.method_args[pos] if pos < len(ctx.method_args) else default


__all__ = ["ConversionContext", "get_arg", "get_conversion_context"]
