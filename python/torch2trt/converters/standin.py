"""The tensors a converter is given: shape, dtype and device of PyTorch's, and no values.

Values exist when the engine runs. Reading them inside a converter is an error, where the original
read those of the sample and baked them in. Parameters and buffers are not stand-ins: they are the model's own.

This file must not know how converters are called.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils import _pytree as pytree

from .._core import Size
from .sizes import IntWrapper, SizeWrapper, use_shape_wrapping


class StandIn(torch.Tensor):
    """A tensor that stands for one of the engine's. `_trt` is its counterpart in the network, once it has one."""

    _sizes: SizeWrapper

    @staticmethod
    def __new__(cls, sizes: list[IntWrapper], dtype: torch.dtype, device: torch.device) -> StandIn:
        shape = [int(size) for size in sizes]
        made = torch.Tensor._make_wrapper_subclass(cls, shape, dtype=dtype, device=device)
        made._sizes = SizeWrapper(sizes)
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @property
    def shape(self) -> Any:
        """The sizes; see `IntWrapper`."""
        return self._sizes if use_shape_wrapping.stack[0] else torch.Size(map(int, self._sizes))

    def size(self, dim: int | None = None) -> Any:
        """The sizes, or one of them."""
        return self.shape if dim is None else self.shape[dim]

    def numel(self) -> Any:
        """Number of elements."""
        return self._sizes.numel()

    nelement = numel

    def __len__(self) -> int:
        return self.shape[0]

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function._schema.name.removeprefix("aten::")
        if not (name.endswith("_like") or name.startswith("new_")):
            return _without_values(name, function, args, kwargs or {})
        # The values of something that is like a tensor do not depend on the tensor's own.
        plain = pytree.tree_map_only(cls, cls._placeholder, (args, kwargs or {}))
        return function(*plain[0], **plain[1])

    def _placeholder(self) -> torch.Tensor:
        return torch.zeros((), dtype=self.dtype, device=self.device).expand([int(size) for size in self._sizes])

    def numpy(self, *, force: bool = False) -> Any:
        """Always an error: values exist when the engine runs."""
        raise _unknown("numpy()")

    def tolist(self) -> Any:
        """Always an error: values exist when the engine runs."""
        raise _unknown("tolist()")

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        dtype = str(self.dtype).removeprefix("torch.")
        return f"{dtype}[{', '.join(str(size.size) for size in self._sizes)}]"

    __str__ = __repr__


def _without_values(name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an operator makes of stand-ins: other stand-ins, where its shape does not depend on values."""

    def hollow(tensor: torch.Tensor) -> torch.Tensor:
        return torch.empty([int(size) for size in tensor.size()], dtype=tensor.dtype, device="meta")

    meta = pytree.tree_map_only(torch.Tensor, hollow, (args, kwargs))
    device = next(leaf.device for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, StandIn))
    try:
        if "device" in meta[1]:
            device, meta[1]["device"] = meta[1]["device"] or device, torch.device("meta")
        result = function(*meta[0], **meta[1])
    except (RuntimeError, NotImplementedError):
        raise _unknown(f"{name} reads them") from None

    def stand_in(made: torch.Tensor) -> StandIn:
        return StandIn([IntWrapper(size, Size(size)) for size in made.shape], made.dtype, device)

    return pytree.tree_map_only(torch.Tensor, stand_in, result)


def _unknown(what: str) -> TypeError:
    return TypeError(f"the values of this tensor are not known while converting ({what}); those of parameters are")
