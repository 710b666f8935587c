"""Captures and threads: one capture at a time, invisible to other threads, and undone whatever happens.

`torch.export` is not thread-safe. It replaces `torch.nn.Module.__call__` and `__getattr__` for the whole process while
it traces, sets flags that every thread reads, and keeps stacks of modes that an exception at the wrong moment leaves
behind. `exclusive()` holds a lock for the process, confines these replacements to the capturing thread, and restores
what it finds changed afterwards. `Patches` does the same for replacements of this package.

What stays visible to other threads while a capture runs, because PyTorch has one flag for the process: the flags of
the oneDNN, NNPACK and cuDNN backends are off (the results of a forward pass are those of the other kernels), the fast
path of `nn.TransformerEncoder` is off, and warnings filters and the levels of two of PyTorch's loggers are changed. A
`torch.compile`, `torch.export` or `torch.fx` trace of the user's in another thread is not covered by the lock.

This file must not know what is captured.
"""

from __future__ import annotations

import functools
import os
import threading
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import get_ident
from typing import TYPE_CHECKING, Any

import torch
from torch._ops import _get_dispatch_mode_pre_dispatch, unset_mode_pre_dispatch
from torch.fx import _symbolic_trace as fx
from torch.fx import traceback as fx_traceback
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from . import subscripts

if TYPE_CHECKING:  # names of the module in which the code of `_is_compiling` and `_is_exporting` runs
    from torch.compiler import _is_compiling_flag, _is_exporting_flag, _torch2trt_captures

_LOCK = threading.RLock()
_DEPTH = 0
_OWNER: int | None = None


def _after_fork() -> None:
    """A lock that another thread held at the fork has no owner in the child."""
    global _LOCK, _DEPTH, _OWNER
    _LOCK, _DEPTH, _OWNER = threading.RLock(), 0, None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def captures_here() -> bool:
    """Whether the calling thread is the one that captures a model."""
    return get_ident() == _OWNER


def only_here(original: Callable[..., Any], made: Callable[..., Any]) -> Callable[..., Any]:
    """`made` for the calling thread, `original` for every other."""
    owner = get_ident()

    @functools.wraps(original)
    def routed(*args: Any, **kwargs: Any) -> Any:
        return (made if get_ident() == owner else original)(*args, **kwargs)

    return routed


class Patches:
    """Attributes that are replaced, and put back in reverse order."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def set(self, owner: Any, attribute: str, value: Any) -> None:
        """Sets an attribute. How to put it back is noted first: an interrupt may come between the two."""
        if owner is torch.Tensor and getattr(owner, attribute) is subscripts.SUBSCRIPT:
            self._set_subscript(value)
            return
        own = vars(owner)
        if attribute in own:
            self._undo.append(functools.partial(setattr, owner, attribute, own[attribute]))
        else:
            self._undo.append(functools.partial(_delete, owner, attribute))
        setattr(owner, attribute, value)

    def _set_subscript(self, value: subscripts.Subscript) -> None:
        self._undo.append(functools.partial(subscripts.restore, value))
        subscripts.replace(value)
        if in_export := subscripts.before_export():
            self.set(*in_export)

    def set_code(self, function: types.FunctionType, code: types.CodeType) -> None:
        """Sets the code of a function, which reaches whoever imported the function by its name, in every thread."""
        self._undo.append(functools.partial(setattr, function, "__code__", function.__code__))
        function.__code__ = code

    def undo(self) -> None:
        """Puts everything back. An interrupted call can be repeated: putting back twice does no harm."""
        while self._undo:
            self._undo[-1]()
            self._undo.pop()

    @contextmanager
    def undone(self) -> Iterator[Patches]:
        """Undoes on exit, whatever happens: one interrupt reaches one of the two calls only."""
        try:
            try:
                yield self
            finally:
                self.undo()
        finally:
            self.undo()


def _delete(owner: Any, attribute: str) -> None:
    with suppress(AttributeError):
        delattr(owner, attribute)


@contextmanager
def exclusive() -> Iterator[None]:
    """Runs alone among the captures of the process; calls in one thread may nest."""
    global _DEPTH, _OWNER
    with _LOCK:
        if _DEPTH:
            yield
            return
        state, patches, done = _State(), Patches(), False
        try:
            try:
                _DEPTH, _OWNER = 1, get_ident()
                _confine(patches)
                yield
                done = True
            except Exception:
                raise
            except BaseException as interrupt:
                # Generators of interrupted `with` statements would run their exits later, when the traceback goes.
                traceback.clear_frames(interrupt.__traceback__)
                raise
            finally:
                _settle(patches, state, done)
        finally:
            _settle(patches, state, done)


def _settle(patches: Patches, state: _State, done: bool) -> None:
    global _DEPTH, _OWNER
    state.restore(hooks=not done)
    patches.undo()
    _DEPTH, _OWNER = 0, None


def _confine(patches: Patches) -> None:
    """Confines to this thread what PyTorch replaces for the process while it traces. All of it is private: where a
    version of PyTorch lacks a name, the replacement is left as it is.
    """
    patcher = getattr(fx, "_Patcher", None)
    if method := getattr(patcher, "patch_method", None):

        @functools.wraps(method)
        def patch_method(self: Any, cls: type, name: str, new_fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            if cls is torch.nn.Module:
                new_fn = only_here(getattr(cls, name), new_fn)
            return method(self, cls, name, new_fn, *args, **kwargs)

        patches.set(patcher, "patch_method", only_here(method, patch_method))
    owner = get_ident()
    for name, made in (("is_compiling", _is_compiling), ("is_exporting", _is_exporting)):
        function = getattr(torch.compiler, name, None)
        # By its code, since many modules have imported the function itself.
        if hasattr(torch.compiler, f"_{name}_flag") and isinstance(function, types.FunctionType):
            patches.set(torch.compiler, "_torch2trt_captures", lambda: get_ident() == owner)
            patches.set_code(function, made.__code__)


def _is_compiling() -> bool:
    return _torch2trt_captures() and _is_compiling_flag


def _is_exporting() -> bool:
    return _torch2trt_captures() and _is_exporting_flag


class _State:
    """What a trace changes in PyTorch and restores itself, unless it is interrupted at the wrong moment."""

    _FLAGS = ("_is_compiling_flag", "_is_exporting_flag")

    def __init__(self) -> None:
        self.module = {name: vars(torch.nn.Module)[name] for name in ("__call__", "__getattr__")}
        self.hooks = [
            (table, table.copy())
            for name, table in vars(torch.nn.modules.module).items()
            if name.startswith("_global_") and isinstance(table, dict)
        ]
        self.patcher = getattr(fx, "CURRENT_PATCHER", None)
        self.traces = fx._get_is_fx_tracing() if hasattr(fx, "_get_is_fx_tracing") else None
        self.flags = {name: getattr(torch.compiler, name) for name in self._FLAGS if hasattr(torch.compiler, name)}
        self.settings = [(setter, getter()) for getter, setter in _SETTINGS]
        self.context = getattr(torch._guards._TLS, "tracing_context", None)
        self.meta = {name: getattr(fx_traceback, name) for name in ("should_preserve_node_meta", "current_meta")}
        self.functions = torch._C._len_torch_function_stack()
        self.dispatch = len(_get_current_dispatch_mode_stack())
        self.infra = {key: torch._C._get_dispatch_mode(key) for key in _INFRA}
        self.pre_dispatch = {key: _get_dispatch_mode_pre_dispatch(key) for key in _INFRA[:2]}
        self.keys = [(set_key, key, is_set(key)) for is_set, set_key in _TLS for key in _KEYS]

    def restore(self, hooks: bool) -> None:
        """Restores what is not as it was; `hooks` too, which other threads may register, only after a failure."""
        current = getattr(fx, "CURRENT_PATCHER", None)
        if current is not self.patcher:
            if current is not None:
                current.revert_all_patches()
            fx.CURRENT_PATCHER = self.patcher
        for name, value in self.module.items():
            if vars(torch.nn.Module)[name] is not value:
                setattr(torch.nn.Module, name, value)
        for table, saved in self.hooks if hooks else ():
            if table != saved:
                table.clear()
                table.update(saved)
        if self.traces is not None:
            fx._set_is_fx_tracing(self.traces)
        for name, value in self.flags.items():
            setattr(torch.compiler, name, value)
        for setter, value in self.settings:
            setter(value)
        for name, value in self.meta.items():
            setattr(fx_traceback, name, value)
        torch._guards._TLS.tracing_context = self.context
        self._restore_modes()

    def _restore_modes(self) -> None:
        """The stacks of modes of this thread: what was pushed comes off."""
        while torch._C._len_torch_function_stack() > self.functions:
            torch._C._pop_torch_function_stack()
        for key, mode in self.pre_dispatch.items():
            if _get_dispatch_mode_pre_dispatch(key) is not mode:
                unset_mode_pre_dispatch(key)
        for key, mode in self.infra.items():
            if torch._C._get_dispatch_mode(key) is not mode:
                torch._C._unset_dispatch_mode(key)
        while len(_get_current_dispatch_mode_stack()) > self.dispatch:
            torch._C._pop_torch_dispatch_stack()
        for set_key, key, value in self.keys:
            set_key(key, value)


_INFRA = [getattr(torch._C._TorchDispatchModeKey, name) for name in ("PROXY", "FUNCTIONAL", "FAKE")]

_KEYS = [
    getattr(torch._C.DispatchKey, name)
    for name in ("PreDispatch", "Python", "PythonTLSSnapshot", "PythonDispatcher", "Functionalize", "ADInplaceOrView")
]
"""The keys of the dispatcher that tracing includes or excludes."""

_TLS = (
    (torch._C._dispatch_tls_is_dispatch_key_included, torch._C._dispatch_tls_set_dispatch_key_included),
    (torch._C._dispatch_tls_is_dispatch_key_excluded, torch._C._dispatch_tls_set_dispatch_key_excluded),
)

_SETTINGS = (
    (torch._C._get_mkldnn_enabled, torch._C._set_mkldnn_enabled),
    (torch._C._get_nnpack_enabled, torch._C._set_nnpack_enabled),
    (torch._C._get_cudnn_enabled, torch._C._set_cudnn_enabled),
    (torch.backends.mha.get_fastpath_enabled, torch.backends.mha.set_fastpath_enabled),
    (torch.is_grad_enabled, torch._C._set_grad_enabled),
)
"""Pairs of functions that read and write a setting."""
