"""The sample inputs as a user gives them: positional and keyword arguments, and tensors that an engine can take.

This file must not know what is done with the inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from ..accepted import keywords, shown
from .errors import InputError

_HELP = "give a list or tuple of positional arguments, a dict of keyword arguments, or one tensor"


def normalized(args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments, from what a user may call the sample inputs.

    Raises:
        InputError: for what is neither.
        torch2trt.Error: E0602 for keyword arguments that are no dictionary, or have other keys than strings.
    """
    kwargs = keywords("kwargs", kwargs)
    if isinstance(args, torch.Tensor):
        return (args,), kwargs
    if isinstance(args, Mapping):
        args = keywords("inputs", args)
        twice = [name for name in args if name in kwargs]
        if twice:
            raise InputError(f"`{twice[0]}` is given in `inputs` and in `kwargs`", help="give it in one of them")
        return (), {**args, **kwargs}
    if type(args).__module__.partition(".")[0] == "numpy":
        raise InputError(f"the sample inputs are {shown(args)}", help="give tensors: inputs=[torch.as_tensor(array)]")
    unordered = isinstance(args, (str, bytes, bytearray, set, frozenset, type, torch.nn.Module))
    if unordered or not isinstance(args, Iterable):
        none = "; inputs=[] for a model without positional arguments" if args is None else ""
        raise InputError(f"the sample inputs are {shown(args)}", help=_HELP + none)
    return tuple(args), kwargs


@contextmanager
def finite() -> Iterator[None]:
    """Reports arguments that contain themselves."""
    try:
        yield
    except RecursionError:
        raise InputError(
            "an argument contains itself", help="pass tensors, lists or dictionaries without cycles"
        ) from None


def check_tensor(name: str, tensor: torch.Tensor) -> None:
    """Rejects a tensor that has no values, or is stored in a form that no engine takes.

    Raises:
        InputError: with what it is and what to pass instead.
    """
    found = _refused(tensor)
    if found is not None:
        what, help = found
        raise InputError(f"argument `{name}` is {what}", help=help)


def check_tensors(given: Any, names: Sequence[str], argument: str) -> None:
    """Rejects what is no list of tensors that an engine can read.

    Raises:
        InputError: for something else than a list of tensors, and for a tensor as `check_tensor` does.
    """
    if not isinstance(given, (list, tuple)):
        raise InputError(
            f"`{argument}` is {shown(given)}", help=f"give a list of tensors, one for each of {', '.join(names)}"
        )
    labels = [*names, *(f"{argument}[{k}]" for k in range(len(names), len(given)))]
    for name, tensor in zip(labels, given):
        if not isinstance(tensor, torch.Tensor):
            raise InputError(f"`{name}` is {shown(tensor)}", help="give a tensor: torch.as_tensor(value)")
        check_tensor(name, tensor)


def _refused(tensor: torch.Tensor) -> tuple[str, str] | None:
    """What is wrong with a tensor, and what to do about it; None for one that can be read as it is."""
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return (
            "a tensor inside of a transform of torch.func, such as vmap or grad",
            "convert the model outside of the transform, or use the transform inside of the model",
        )
    if tensor.is_nested:
        return "a nested tensor", "an engine takes plain tensors: pass x.to_padded_tensor(0.0) and a mask"
    if tensor.layout is not torch.strided:
        return (
            f"a tensor of layout {tensor.layout}",
            "an engine takes plain tensors: pass x.to_dense(), and make it sparse inside the model if need be",
        )
    if tensor.is_quantized:
        return "a quantized tensor", "an engine takes plain tensors: pass x.dequantize()"
    if type(tensor).__name__ == "FakeTensor":
        return "a fake tensor, which has no values", "give a tensor with values, outside of FakeTensorMode"
    if tensor.is_meta:
        return (
            "on the meta device, where tensors have no values",
            "give a tensor with values, such as torch.randn(x.shape)",
        )
    if _is_wrapper(tensor):
        kind = f"{type(tensor).__module__}.{type(tensor).__qualname__}"
        return (
            f"a {kind}, which wraps other tensors",
            "an engine takes plain tensors: pass the tensor that it stands for",
        )
    return None


def _is_wrapper(tensor: torch.Tensor) -> bool:
    """Whether a class defines what operators do with its tensors, below autograd: it may hold other tensors."""
    own = type(tensor).__torch_dispatch__
    return own is not torch._C._disabled_torch_dispatch_impl and own is not torch.Tensor.__torch_dispatch__


__all__ = ["check_tensor", "check_tensors", "finite", "normalized"]
