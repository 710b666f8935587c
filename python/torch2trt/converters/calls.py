"""Runs the users' converters: one call of the model at a time, while the network is made.

The Rust side asks `Calls.convert` for each node that stands for a opaque call. This file gives the converter its
context, sees to it that every output has become part of the network, and reports what went wrong in words that name
the converter, its line, and the call in the model.
"""

from __future__ import annotations

import inspect
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch.utils import _pytree as pytree

from .._core import CallSite, Error, Size, UserNetwork
from ..capture import Captured, OpaqueCall
from ..capture.intercept import TARGET, decode
from ..capture.symbols import render
from ..errors import body, error, line_of
from ..trt import INetworkDefinition, ITensor
from ..trt.drafts import layer_of
from ..trt.dtypes import from_network_name, network_name
from ..trt.layer import ILayer
from .active import active
from .context import ConversionContext
from .registry import Registered
from .sizes import IntWrapper
from .standin import StandIn

_COMPUTE_DTYPES = {"float64": "float32", "int16": "int32", "int8": "int32", "uint8": "int32"}
_KINDS = (("float32", "float16", "bfloat16"), ("int32", "int64"), ("bool",))


def listed(rows: list[tuple[str, int, bool]], opaque_calls: Mapping[int, OpaqueCall]) -> list[tuple[str, int, bool]]:
    """The rows of a coverage list, opaque calls under the names of their methods."""
    methods = Counter(call.method.name for call in opaque_calls.values())
    ours = [row for row in rows if row[0] != TARGET]
    calls = [(name, count, True) for name, count in methods.items()] if len(ours) != len(rows) else []
    return sorted([*ours, *calls], key=lambda row: (-row[1], row[0]))


class Described(NamedTuple):
    """A tensor as PyTorch has it."""

    dtype: str
    sizes: list[Size]

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.sizes))}]"


class Place(NamedTuple):
    """Where in the model a call is."""

    module: str
    file: str
    line: int
    function: str

    def __str__(self) -> str:
        parts = [self.module or "the model", f"{self.file}:{self.line} in {self.function}" if self.file else ""]
        return ", ".join(filter(None, parts))


class Calls:
    """The opaque calls of a captured model and the converters for them."""

    def __init__(self, captured: Captured, converters: Mapping[str, Registered], kwargs: dict[str, Any]) -> None:
        """`converters` are those the model was captured for, `kwargs` the arguments of `torch2trt()`."""
        self.opaque_calls = captured.opaque_calls
        self.converters = dict(converters)
        self.kwargs = {"int8_mode": False, **kwargs, **kwargs.get("legacy", {})}
        self.constants = captured.constants
        self.plugins: dict[int, str] = {}
        """The calls whose converters added layers of plugins, by key, with the plugins' names."""

    def name(self, key: int) -> str:
        """The method of a call."""
        return self.opaque_calls[key].method.name

    def tensors(self) -> list[torch.Tensor]:
        """Parameters and buffers that converters may have lent to the network."""
        modules = {part for call in self.opaque_calls.values() for part in _modules(call)}
        return [tensor for part in modules for tensor in (*part.parameters(), *part.buffers())]

    def convert(self, site: CallSite, lent: UserNetwork) -> list[int | None]:
        """Converts one call: the ids of the network's tensors that are its outputs, None where nothing uses one.

        Raises:
            torch2trt.Error: E0108, the converter failed, or left an output without its counterpart.
        """
        call = _Call(self, site, lent)
        try:
            with active(call.context):
                returned = call.registered.converter(call.context)
        except Exception as failure:  # the user's code may raise anything
            raise call.failed(failure) from failure
        finally:
            call.clean_up()
        if plugins := call.network._plugins:
            self.plugins[site.key] = ", ".join(plugins)
        return call.outputs(returned)


class _Call:
    """One call while it is converted."""

    def __init__(self, calls: Calls, site: CallSite, lent: UserNetwork) -> None:
        self.call: OpaqueCall = calls.opaque_calls[site.key]
        self.method = self.call.method
        self.registered = calls.converters[self.method.name]
        self.place, self.hints = Place(*site.place), site.hints
        self.network = INetworkDefinition(lent, self.method.name, calls)
        self.given = [Described(*tensor) for tensor in site.tensors]
        self.wanted = [None if output is None else Described(*output) for output in site.outputs]
        own = len(site.ids) - self.call.inner
        self.inner = site.ids[own:]
        constants = calls.constants[site.key]
        self.tensors = [
            constants[k] if k in constants else self._argument(k, id) for k, id in enumerate(site.ids[:own])
        ]
        self.made = [self._output(k) for k in range(len(self.call.samples))]
        self.network._call_outputs = self.made[: len(self.made) - len(self.call.hidden)]
        self.context = ConversionContext(self.network, calls.kwargs, self.method.name, self.place.module)
        self.result = self._call(site.sizes)

    def _call(self, sizes: list[Size]) -> Any:
        """Gives the context the call's arguments and result; returns the latter."""
        numbers = [self._int(size) for size in sizes]
        filled = {"tensor": self.tensors, "argument": self.tensors, "size": numbers, "output": self.made}
        context = self.context
        context.method_args = tuple(decode(self.call.args, filled))
        context.method_kwargs = decode(self.call.kwargs, filled)
        context.method_return = decode(self.call.result, filled)
        context.lock = self.method.hides
        return context.method_return

    def _argument(self, index: int, id: int) -> StandIn:
        made = self._stand_in(self.given[index], self.call.devices[index])
        made._trt = self.network._tensor(id)
        return made

    def _int(self, size: Size) -> IntWrapper:
        value = size.value(self.hints)
        return IntWrapper(1 if value is None else value, size)

    def _stand_in(self, described: Described, device: torch.device) -> StandIn:
        sizes = [self._int(size) for size in described.sizes]
        return StandIn(sizes, getattr(torch, described.dtype), device)

    def _output(self, index: int) -> StandIn:
        sample, wanted = self.call.samples[index], self.wanted[index]
        if wanted is None:
            sizes = [Size(n) if type(n) is int else Size.parse(str(render(n.node.expr))) for n in sample.shape]
            wanted = Described(str(sample.dtype).removeprefix("torch."), sizes)
        made = self._stand_in(wanted, sample.device)
        if index < len(self.inner):
            made._trt = self.network._tensor(self.inner[index])
        return made

    # Outputs

    def outputs(self, returned: Any) -> list[int | None]:
        """The ids of the outputs, of PyTorch's dtypes and sizes."""
        try:
            tensors = [self._counterpart(k, returned) for k in range(len(self.made))]
            return self.network._finish(tensors)
        except Error as problem:
            raise problem if problem.code == "E0108" else self.failed(problem) from problem
        except (TypeError, ValueError) as problem:
            raise self.failed(problem) from problem

    def _counterpart(self, index: int, returned: Any) -> ITensor | None:
        wanted = self.wanted[index]
        if wanted is None:
            return None
        made = self._holder(index)
        tensor = getattr(made, "_trt", None)
        if tensor is None:
            raise self._forgotten(index, returned)
        if not isinstance(tensor, ITensor):
            hint = "layer.get_output(0)" if isinstance(tensor, ILayer) else "a tensor of ctx.network"
            kind = type(tensor).__name__
            raise self.error(f"set `_trt` of {self._which(index)} to {kind}, which is no tensor", f"set it to {hint}")
        return self._fitting(self.network._checked(tensor, self._which(index), "_trt"), index, wanted)

    def _holder(self, index: int) -> Any:
        """The object that carries an output's `_trt`: converters may put others in the place of ours."""
        hidden = index - (len(self.made) - len(self.call.hidden))
        if hidden >= 0:
            return self.tensors[self.call.hidden[hidden]]
        if self.context.method_return is self.result:
            return self.made[index]
        ours, theirs = pytree.tree_leaves(self.result), pytree.tree_leaves(self.context.method_return)
        where = next(k for k, leaf in enumerate(ours) if leaf is self.made[index])
        return theirs[where] if where < len(theirs) else None

    def _fitting(self, tensor: ITensor, index: int, wanted: Described) -> ITensor:
        info = tensor._info
        dtype = _COMPUTE_DTYPES.get(wanted.dtype, wanted.dtype)
        alike = any(info.dtype in kind and dtype in kind for kind in _KINDS)
        if not alike or len(info.dims) != len(wanted.sizes) or not all(map(self._same, info.dims, wanted.sizes)):
            raise self.error(
                f"made {info} of {self._which(index)}, in PyTorch it is {wanted}",
                "sizes follow the model's inputs only while they are IntWrappers: int() and numpy forget it"
                if any(size.static_value is None for size in wanted.sizes)
                else None,
            )
        if info.dtype == dtype:
            return tensor
        # TensorRT 8 and 10 did this on their own.
        return self.network.add_cast(tensor, from_network_name(network_name(getattr(torch, dtype)))).get_output(0)

    def _same(self, made: Size, wanted: Size) -> bool:
        if made == wanted:
            return True
        if made.static_value is not None:
            # A number where PyTorch has an expression is right for the sample alone.
            return False
        made_value, wanted_value = made.value(self.hints), wanted.value(self.hints)
        return made_value is None or wanted_value is None or made_value == wanted_value

    # Errors

    def _which(self, index: int) -> str:
        return "the output" if len(self.made) == 1 else f"output {index}"

    def _forgotten(self, index: int, returned: Any) -> Error:
        if isinstance(returned, (ITensor, ILayer)):
            hint = "a converter's return value is not looked at; assign it: ctx.method_return._trt = ..."
        else:
            hint = "set it before the converter returns: ctx.method_return._trt = layer.get_output(0)"
        return self.error(f"did not set `_trt` of {self._which(index)}, {self.wanted[index]}", hint)

    def failed(self, failure: Exception) -> Error:
        """The error for an exception of the converter."""
        what = str(failure.args[0]) if isinstance(failure, KeyError) and failure.args else body(failure)
        help = getattr(failure, "help", None)
        if isinstance(failure, Error):
            return self.error(f"failed: {what}", help or None, failure)
        missing = isinstance(failure, AttributeError) and "'_trt'" in what
        if missing:
            help = (
                "only tensors that depend on the model's inputs have `_trt`; use add_missing_trt_tensors for the others"
            )
        return self.error(f"raised {type(failure).__name__}: {what}", help or None, failure)

    def error(self, what: str, help: str | None, failure: Exception | None = None) -> Error:
        """An error that names the converter, its line, and the call in the model."""
        converter = self.registered.converter
        name = getattr(converter, "__name__", type(converter).__name__)
        lines = [f"converter `{name}` of {self.method.name} {what}"]
        lines.append(f"  converter: {self.registered.position}")
        if line := _raised_at(failure, converter):
            lines.append(f"  raised at: {line}")
        elif failure is not None and (layer := layer_of(failure)):
            lines.append(f"  layer added at: {line_of(*layer._added_at)}")
            help = help or "docs/network-api.md lists what each layer takes"
        lines += [f"  call: {self.place}", f"  arguments: {self._arguments()}"]
        return error("E0108", "\n".join(lines), help)

    def _arguments(self) -> str:
        args = [_brief(arg) for arg in self.context.method_args]
        kwargs = [f"{name}={_brief(arg)}" for name, arg in self.context.method_kwargs.items()]
        return ", ".join([*args, *kwargs])

    def clean_up(self) -> None:
        """Takes `_trt` off the model's own tensors: the next conversion has another network."""
        own = [t for t in self.tensors if not isinstance(t, StandIn)]
        parts = [tensor for part in _modules(self.call) for tensor in (*part.parameters(), *part.buffers())]
        for tensor in (*own, *parts, *self.network._owned):
            vars(tensor).pop("_trt", None)


def _modules(call: OpaqueCall) -> Iterable[torch.nn.Module]:
    return [leaf for leaf in pytree.tree_leaves((call.args, call.kwargs)) if isinstance(leaf, torch.nn.Module)]


def _raised_at(failure: Exception | None, converter: Any) -> str:
    """The innermost line of the converter's own file that an exception went through."""
    code = getattr(inspect.unwrap(converter), "__code__", None)
    if failure is None or code is None:
        return ""
    frames = [f for f in traceback.extract_tb(failure.__traceback__) if f.filename == code.co_filename]
    return line_of(frames[-1].filename, frames[-1].lineno or 0) if frames else ""


def _brief(value: Any, limit: int = 60) -> str:
    if isinstance(value, torch.Tensor) and not isinstance(value, StandIn):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, torch.nn.Module):
        return type(value).__name__
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
