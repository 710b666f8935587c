"""Calls that are kept whole: one opaque node instead of the operators inside.

While a model is captured, the methods somebody asked for are replaced where their names find them: the attribute
of a class (`torch.nn.ReLU.forward`, `torch.Tensor.__add__`), of a module (`torch.add`, a user's function), and
references to them that were taken before (`from torch.nn.functional import gelu`); other threads call the originals. A
call becomes a node

    torch2trt::call(Tensor[] tensors, SymInt[] sizes, int key) -> Tensor[]

which holds the tensors and the symbolic sizes among its arguments; everything else about it is the `OpaqueCall` record
behind `key`. What the call returns is found by running the original once without recording, on copies, so that
writing in place is seen and becomes a value of its own. Calls inside a opaque call are not looked at.

The node survives decomposition. This file must not know who asks for a call to be kept, or why.
"""

from __future__ import annotations

import inspect
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch._guards import detect_fake_mode
from torch._ops import OpOverload, OpOverloadPacket
from torch._subclasses.fake_tensor import FakeTensor
from torch._subclasses.functional_tensor import FunctionalTensor
from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing, get_proxy_mode
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from .symbols import is_unbacked
from .threads import Patches, only_here

_OWN = ("aten::", "prim::", "prims::")
"""Namespaces whose overloads torch itself compares by identity while it captures."""

TARGET = "torch2trt.call.default"
"""The target of a opaque call in a program."""


class Method(NamedTuple):
    """Something callable that is found by name: `getattr(owner, attribute)`."""

    name: str
    """As the user wrote it: "torch.nn.ReLU.forward"."""
    owner: Any
    """The class or module that has it."""
    attribute: str
    function: Callable[..., Any]
    """The original."""
    hides: bool = True
    """Whether the operators inside are left out. Otherwise they are captured too, and the call's outputs are theirs
    unless the converter of the call decides otherwise."""


@dataclass(frozen=True)
class Slot:
    """Where a value stands that is known only later: entry `index` of the node's tensors, sizes or outputs."""

    kind: str
    """"tensor", "size", "output", or "argument": the same object as that tensor argument."""
    index: int


@dataclass(frozen=True)
class Items:
    """A torch.Size or a slice that holds slots."""

    make: Callable[..., Any]
    values: tuple[Any, ...]


@dataclass(frozen=True)
class OpaqueCall:
    """One opaque call."""

    method: Method
    args: Any
    """Positional arguments, a `Slot` in the place of each tensor and symbolic size."""
    kwargs: Any
    result: Any
    """What it returned, a `Slot` in the place of each tensor."""
    devices: tuple[torch.device, ...]
    """Of each tensor argument."""
    hidden: tuple[int, ...]
    """Outputs of the node that the caller does not see: the new values of tensor arguments written in place, by index
    of the argument. They follow the visible outputs."""
    inner: int
    """Number of tensors, at the end of the node's, that are the results of the operators inside."""
    samples: tuple[torch.Tensor, ...]
    """What the outputs look like: fake tensors, or real ones where real tensors are traced."""


_OPAQUE_CALLS: dict[int, OpaqueCall] = {}
_KEYS = itertools.count()
_LIBRARY = torch.library.Library("torch2trt", "FRAGMENT")
_LIBRARY.define("call(Tensor[] tensors, SymInt[] sizes, int key) -> Tensor[]")


def _run(tensors: list[torch.Tensor], sizes: list[int], key: int) -> list[torch.Tensor]:
    return [sample.clone() for sample in _OPAQUE_CALLS[key].samples]


def _run_fake(tensors: list[torch.Tensor], sizes: list[int], key: int) -> list[torch.Tensor]:
    return [_hollow(sample) for sample in _OPAQUE_CALLS[key].samples]


def _hollow(sample: torch.Tensor) -> torch.Tensor:
    """A fake tensor like a sample. A size that only data decides is another one on each run of the node."""
    if not any(map(_is_found, sample.shape)):
        return torch.empty_strided(sample.shape, sample.stride(), dtype=sample.dtype, device=sample.device)
    context = torch.library.get_ctx()
    shape = [context.new_dynamic_size() if _is_found(size) else size for size in sample.shape]
    return torch.empty(shape, dtype=sample.dtype, device=sample.device)


def _is_found(size: int | torch.SymInt) -> bool:
    return isinstance(size, torch.SymInt) and any(map(is_unbacked, size.node.expr.free_symbols))


_LIBRARY.impl("call", _run, "CompositeExplicitAutograd")
torch.library.register_fake("torch2trt::call", _run_fake, lib=_LIBRARY)


class Interceptor:
    """Keeps calls of some methods whole while it is active; `kept` has what is known of each, by key."""

    def __init__(self, methods: Iterable[Method] = ()) -> None:
        self.methods = list(methods)
        self.opaque_calls: dict[int, OpaqueCall] = {}
        self._inside = False

    @contextmanager
    def active(self) -> Iterator[None]:
        """Replaces the methods, and puts them back."""
        if not self.methods:
            yield
            return
        # torch keeps tables of its own functions by identity; they are made now, before anything is replaced.
        torch.overrides.resolve_name(torch.relu)
        with Patches().undone() as patches, _ByReference(self):
            for method in self.methods:
                self._replace(method, patches)
            yield

    def release(self) -> None:
        """Forgets the calls. Graphs that hold their nodes can no longer be traced."""
        for key in self.opaque_calls:
            _OPAQUE_CALLS.pop(key, None)

    def _replace(self, method: Method, patches: Patches) -> None:
        if isinstance(method.function, OpOverloadPacket) and not method.function._qualified_op_name.startswith(_OWN):
            self._replace_overloads(method, method.function, patches)
        original = inspect.getattr_static(method.owner, method.attribute)
        made: object = self._wrapped(method)
        if isinstance(original, (staticmethod, classmethod)):
            made = type(original)(self._wrapped(method._replace(function=original.__func__)))
        patches.set(method.owner, method.attribute, made)
        if isinstance(method.owner, ModuleType) and method.owner.__name__.partition(".")[0] != "torch":
            for module in list(sys.modules.values()):
                names = [
                    name for name, value in list(getattr(module, "__dict__", {}).items()) if value is method.function
                ]
                for name in names:
                    patches.set(module, name, made)

    def _replace_overloads(self, method: Method, packet: OpOverloadPacket, patches: Patches) -> None:
        """Replaces an operator where it is called by overload, also by what `torch.library.custom_op` returned."""
        overloads = {getattr(packet, name) for name in packet.overloads()}
        called = OpOverload.__call__

        def call(overload: OpOverload, /, *args: Any, **kwargs: Any) -> Any:
            if overload not in overloads:
                return called(overload, *args, **kwargs)
            return self.call(method._replace(function=partial(called, overload)), args, kwargs)

        patches.set(OpOverload, "__call__", only_here(called, call))

    def _wrapped(self, method: Method) -> Callable[..., Any]:
        def opaque(*args: Any, **kwargs: Any) -> Any:
            return self.call(method, args, kwargs)

        return only_here(method.function, opaque)

    def call(self, method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The call as one node, where the model makes it and it returns tensors; otherwise the call itself."""
        # Without a tracer at the top, it is torch that calls, on its way through some operator.
        if self._inside or get_proxy_mode() is None or _is_constant(args, kwargs):
            return method.function(*args, **kwargs)
        if not method.hides:
            return self._next_to_operators(method, args, kwargs)
        self._inside = True
        try:
            found = _probe(method, args, kwargs)
        finally:
            self._inside = False
        if not found.samples:
            return method.function(*args, **kwargs)
        encoded = _encode((args, kwargs))
        tensors = encoded.tensors
        key = self._record(method, encoded, found)
        outputs = torch.ops.torch2trt.call(tensors, encoded.sizes, key)
        visible = len(outputs) - len(found.written)
        for index, value in zip(found.written, outputs[visible:]):
            tensors[index].copy_(value)
        return decode(found.result, {"output": outputs, "argument": tensors})

    def _next_to_operators(self, method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The operators inside, and a node after them that may replace their results."""
        result = method.function(*args, **kwargs)
        flat, spec = pytree.tree_flatten(result)
        inner = [leaf for leaf in flat if isinstance(leaf, torch.Tensor)]
        if not inner:
            return result
        encoded = _encode((args, kwargs))
        numbers = itertools.count()
        slots = [Slot("output", next(numbers)) if isinstance(leaf, torch.Tensor) else leaf for leaf in flat]
        found = _Found(pytree.tree_unflatten(slots, spec), tuple(map(_plain, inner)), ())
        key = self._record(method, encoded, found, len(inner))
        outputs = torch.ops.torch2trt.call([*encoded.tensors, *inner], encoded.sizes, key)
        return decode(found.result, {"output": outputs})

    def _record(self, method: Method, encoded: _Encoded, found: _Found, inner: int = 0) -> int:
        args, kwargs = encoded.value
        key = next(_KEYS)
        devices = tuple(tensor.device for tensor in encoded.tensors)
        self.opaque_calls[key] = _OPAQUE_CALLS[key] = OpaqueCall(
            method, args, kwargs, found.result, devices, found.written, inner, found.samples
        )
        return key


class _ByReference(TorchFunctionMode):
    """Sees the functions of torch that are called through a reference taken before they were replaced."""

    def __init__(self, interceptor: Interceptor) -> None:
        super().__init__()
        self.interceptor = interceptor
        self.methods = {method.function: method for method in interceptor.methods}

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        method = self.methods.get(function)
        if method is None:
            return function(*args, **(kwargs or {}))
        return self.interceptor.call(method, args, kwargs or {})


class _Found(NamedTuple):
    """What running the original showed."""

    result: Any
    samples: tuple[torch.Tensor, ...]
    written: tuple[int, ...]
    """Tensor arguments that were written in place."""


def _probe(method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Found:
    """Runs the original on copies, unrecorded."""
    with disable_proxy_modes_tracing(), torch.no_grad(), _unnamed_sizes(args, kwargs):
        encoded = _encode((args, kwargs))
        copies = [tensor.clone() for tensor in encoded.tensors]
        versions = [copy._version for copy in copies]
        args, kwargs = decode(encoded.value, {"tensor": copies, "size": encoded.sizes})
        flat, spec = pytree.tree_flatten(method.function(*args, **kwargs))
        written = tuple(k for k, copy in enumerate(copies) if copy._version != versions[k] or _was_written(copy))
        slots: list[Any] = []
        samples: list[torch.Tensor] = []
        for leaf in flat:
            same = next((k for k in written if copies[k] is leaf), None)
            if same is not None:
                slots.append(Slot("argument", same))
            elif isinstance(leaf, torch.Tensor):
                slots.append(Slot("output", len(samples)))
                samples.append(_plain(leaf))
            else:
                slots.append(leaf)
        samples.extend(_plain(copies[k]) for k in written)
    return _Found(pytree.tree_unflatten(slots, spec), tuple(samples), written)


def _unnamed_sizes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> AbstractContextManager[Any]:
    """Sizes found in data need not come from a node here: the node will have its own."""
    mode = detect_fake_mode(pytree.tree_leaves((args, kwargs)))
    shapes = mode.shape_env if mode is not None else None
    return shapes.ignore_fresh_unbacked_symbols() if shapes is not None else nullcontext()


def _was_written(copy: torch.Tensor) -> bool:
    """Whether a functional tensor, which has no version counter of its own, was written to since it was made."""
    return isinstance(copy, FunctionalTensor) and torch._functionalize_has_data_mutation(copy.elem)


def _is_constant(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether nothing of the model goes into a call: `torch.tensor(3.0)`, whose result is a constant as it is."""
    encoded = _encode((args, kwargs))
    modules = (isinstance(leaf, torch.nn.Module) for leaf in pytree.tree_leaves((args, kwargs)))
    return not encoded.tensors and not encoded.sizes and not any(modules)


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor that kernels see."""
    if isinstance(tensor, FunctionalTensor):
        tensor = tensor.from_functional()
    elif torch._is_functional_tensor(tensor):  # of a trace by functorch: it must not outlive its transform
        torch._sync(tensor)
        tensor = torch._from_functional_tensor(tensor)
    return tensor if isinstance(tensor, FakeTensor) else tensor.detach()


class _Encoded(NamedTuple):
    """A value with slots for its tensors and symbolic sizes."""

    value: Any
    tensors: list[torch.Tensor]
    sizes: list[torch.SymInt]


def _encode(value: Any) -> _Encoded:
    """The value with slots for its tensors and symbolic sizes."""
    tensors: list[torch.Tensor] = []
    sizes: list[torch.SymInt] = []

    def leaf(item: Any) -> Any:
        if isinstance(item, torch.Tensor):
            tensors.append(item)
            return Slot("tensor", len(tensors) - 1)
        if isinstance(item, torch.SymInt):
            sizes.append(item)
            return Slot("size", len(sizes) - 1)
        if isinstance(item, torch.Size):
            return Items(lambda *values: tuple(values), tuple(map(leaf, item)))
        if isinstance(item, slice):
            return Items(slice, tuple(map(leaf, (item.start, item.stop, item.step))))
        return item

    filled = pytree.tree_map(leaf, value, is_leaf=lambda item: isinstance(item, (torch.Size, slice)))
    return _Encoded(filled, tensors, sizes)


def decode(value: Any, filled: dict[str, Any]) -> Any:
    """The value with `filled[kind][index]` in the place of each slot."""

    def leaf(item: Any) -> Any:
        if isinstance(item, Slot):
            return filled[item.kind][item.index]
        if isinstance(item, Items):
            return item.make(*map(leaf, item.values))
        return item

    return pytree.tree_map(leaf, value)
