"""What remains of a module after its conversion: its attributes, sub-modules and methods, without the weights.

A converted module is often put back into a larger model, which reads attributes of the part: `encoder.config`,
`encoder.conv1.stride`, `layer.weight.dtype`. Such reads go to a copy of the original module. Its tensors have a shape,
a dtype and a device, but no memory: computing with them is an error.

This file must not know how modules are converted or run.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from .errors import error


class Weightless(torch.Tensor):
    """A tensor with a shape, a dtype and a device, and without values."""

    @staticmethod
    def of(tensor: torch.Tensor) -> Weightless:
        """As this tensor, without its values."""
        made = torch.Tensor._make_wrapper_subclass(
            Weightless, tuple(tensor.shape), dtype=tensor.dtype, device=tensor.device, requires_grad=False
        )
        if isinstance(tensor, nn.Parameter):
            made._is_param = True
        return made

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.ops.aten.detach.default:
            return args[0]
        raise error(
            "E0604",
            f"{function} is called with a weight of a module that was converted: the converted module does not keep "
            "weights",
            "call the converted module itself, or keep the original module and call that: original = model.part",
        )

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"Weightless(shape={list(self.shape)}, dtype={self.dtype}, device={self.device})"


class Replaced:
    """A copy of a module without its weights."""

    def __init__(self, module: nn.Module) -> None:
        self._module = _without_weights(module)

    def read(self, name: str) -> Any:
        """An attribute of the module.

        Raises:
            AttributeError: as the module does.
        """
        return getattr(self._module, name)


def replaced(module: Any) -> Replaced | None:
    """A copy of a module without its weights; None for a function, and for a module that cannot be copied."""
    if not isinstance(module, nn.Module):
        return None
    try:
        return Replaced(module)
    except Exception:  # a user's class may refuse to be copied in any way
        return None


class _Hollow(TorchFunctionMode):
    """Copies tensors without their values."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.Tensor.__deepcopy__:
            tensor, memo = args
            memo[id(tensor)] = Weightless.of(tensor)
            return memo[id(tensor)]
        return function(*args, **(kwargs or {}))


def _without_weights(module: nn.Module) -> nn.Module:
    memo: dict[int, Any] = {}
    for part in module.modules():
        for table in (part._parameters, part._buffers):
            memo.update(
                {
                    id(tensor): Weightless.of(tensor)
                    for tensor in table.values()
                    if tensor is not None and id(tensor) not in memo
                }
            )
        # Hooks belong to the original, and may refer to anything.
        memo.update(
            {
                id(table): type(table)()
                for name, table in vars(part).items()
                if name.endswith("_hooks") and isinstance(table, dict)
            }
        )
    with _Hollow():
        return copy.deepcopy(module, memo)


__all__ = ["Replaced", "Weightless", "replaced"]
