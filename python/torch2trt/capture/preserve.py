"""What enters capture, and how it leaves: a module ready to be captured, and put back as it was.

Capturing runs the user's `forward` with tensors that are not real. Whatever the model stores on itself in
that run (a cached mask, a counter, an in-place statistic) must not survive it. Training flags are changed
here too, and so restored here.

This file must not know about graphs or about torch.export.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from .errors import CaptureError, warn
from .state import Recorded, names_written


class FunctionModule(nn.Module):
    """A plain callable seen as a module, with the modules it closes over as children.

    Without the children their parameters would be anonymous constants of the graph.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        for name, child in _modules_used_by(function).items():
            self.add_module(f"{name}_" if hasattr(self, name) else name, child)
        self.forward = _as_function(function)
        self.training = any(child.training for child in self.children())


def as_module(model: object) -> nn.Module:
    """The module to capture: `model` itself, what torch.compile or DataParallel wraps, or a wrapped callable.

    Raises:
        CaptureError: a TorchScript object or a module that has one in it, or something that cannot be called.
    """
    if isinstance(model, (torch.jit.ScriptModule, torch.jit.ScriptFunction)):
        raise CaptureError(
            f"{type(model).__name__} is TorchScript, which holds no Python code to capture",
            help="convert the original nn.Module, before torch.jit.script or torch.jit.trace",
        )
    if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        return as_module(model.module)
    if isinstance(model, torch.export.ExportedProgram):
        return as_module(module_of(model))
    if isinstance(model, type):
        raise CaptureError(
            f"{model.__name__} is a class, not a model",
            help=f"create the model first: torch2trt({model.__name__}(...), inputs)",
        )
    if isinstance(model, nn.Module) and "_modules" not in vars(model):
        raise CaptureError(
            f"{type(model).__name__} is not initialized: its __init__ does not call the one of nn.Module",
            help="call super().__init__() first in its __init__",
        )
    for compiled in ("_orig_mod", "_torchdynamo_orig_callable"):
        if hasattr(model, compiled):
            return as_module(getattr(model, compiled))
    if isinstance(model, nn.Module):
        for path, part in model.named_modules():
            if isinstance(part, torch.jit.ScriptModule):
                raise CaptureError(
                    f"`{path}` is TorchScript, which holds no Python code to capture",
                    help="put the original nn.Module there, before torch.jit.script or torch.jit.trace",
                )
        return model
    if not callable(model):
        raise CaptureError(
            f"{type(model).__name__} is not a model",
            help="pass an nn.Module, or a function of tensors",
        )
    return FunctionModule(model)


def without_guards(program: torch.export.ExportedProgram) -> torch.fx.GraphModule:
    """The module of a program without checks of its inputs' sizes, which engines make.

    Guards of nested arguments name undefined variables (PyTorch 2.15).
    """
    has_guards = "check_guards" in inspect.signature(program.module).parameters
    module: Any = program.module(check_guards=False) if has_guards else program.module()
    return module


def module_of(program: torch.export.ExportedProgram) -> torch.nn.Module:
    """The module of a program. Keyword arguments of the program are keyword-only in its signature."""
    spec = program.call_spec.in_spec
    assert spec is not None
    module = without_guards(program)
    keywords = pytree.tree_unflatten(range(spec.num_leaves), spec)[1]
    signature = inspect.signature(module.forward)
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        parameter.replace(kind=kind) if name in keywords else parameter
        for name, parameter in signature.parameters.items()
    ]
    own: Any = type(module).forward  # a class for this module alone
    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    own.__signature__ = signature.replace(parameters=[first, *sorted(parameters, key=lambda one: one.kind)])
    return module


def check_weights(module: nn.Module) -> None:
    """Refuses parameters that hold no values yet.

    Raises:
        CaptureError: lazy parameters, or parameters on the meta device or made under FakeTensorMode.
    """
    lazy, hollow = [], []
    for name, tensor in _named_weights(module):
        if nn.parameter.is_lazy(tensor):
            lazy.append(name)
        elif tensor.is_meta or type(tensor).__name__ == "FakeTensor":
            hollow.append(name)
    if lazy:
        raise CaptureError(
            f"{len(lazy)} parameters are not initialised yet",
            facts=_some(lazy),
            help="call the model once on the sample inputs, then convert it",
        )
    if hollow:
        raise CaptureError(
            f"{len(hollow)} parameters have no values: they are on the meta device or fake",
            facts=_some(hollow),
            help='load the weights first, for example with model.to_empty(device="cpu") and load_state_dict',
        )


def settle_mode(module: nn.Module, warn: bool = True) -> None:
    """Puts a model that is in training mode into evaluation mode, and warns where it matters (once is enough).

    An engine is for inference, and training behaviour (random dropout, statistics of the batch, writes to
    running averages) has no place in one. So `model.training` means that `.eval()` was forgotten. A model in
    evaluation mode is taken at its word, layer by layer: Monte-Carlo dropout keeps its training layers, with a
    warning. Call this inside `preserved`, which restores every flag.
    """
    sensitive = [name or "(the model)" for name, part in module.named_modules() if part.training and _reads_mode(part)]
    if module.training:
        with suppress(NotImplementedError):  # what torch.export made has one mode
            module.eval()
        if sensitive and warn:
            _warn(
                "the model is in training mode; it is converted in evaluation mode",
                sensitive,
                "call model.eval() first",
            )
    elif sensitive and warn:
        _warn(
            "some layers are in training mode inside a model in evaluation mode; they are converted as they are",
            sensitive,
            "call model.eval() to convert them for inference",
        )


@contextmanager
def preserved(module: nn.Module, values: bool = False, changed: set[str] | None = None) -> Iterator[None]:
    """Leaves the module, on exit, as it was on entry.

    Attributes, hooks (the global ones too), sub-modules and training flags come back as the same objects, and so does
    what is in lists, dictionaries and objects among the attributes. With `values`, buffers and tensors written in place
    get their contents back as well; that copies them, so only runs on real tensors ask for it. The names of attributes
    that were written are added to `changed`.

    Meanwhile `nn.TransformerEncoder` runs by its code, as captures see it. Its kernels for inference would return zeros
    in padded places.
    """
    by_kernels = torch.backends.mha.get_fastpath_enabled()
    # torch 2.6 leaves a hook of its own in the global tables when an export fails.
    hooks = (table for name, table in vars(nn.modules.module).items() if name.startswith("_global_"))
    tables = [(table, table.copy()) for table in hooks if isinstance(table, dict)]
    recorded: Recorded
    names: set[str]
    # torch.export puts back what it knows of before this function could look.
    noticed = (
        None
        if changed is None
        else module.register_forward_hook(lambda *_: changed.update(names_written(recorded, names)))
    )
    recorded = Recorded(module)
    names = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    names |= {name for name, _ in module.named_buffers(remove_duplicate=False)}
    weights = {id(tensor) for _, tensor in _named_weights(module)}
    written = [tensor for tensor in tensors_of(module) if id(tensor) not in weights] + (
        list(module.buffers()) if values else []
    )
    unique = {id(tensor): tensor for tensor in written if not tensor.is_inference()}
    copies = [(tensor, tensor._version, tensor.detach().clone()) for tensor in unique.values()]
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(by_kernels)
        if changed is not None:
            changed |= names_written(recorded, names)
        recorded.restore()
        if noticed is not None:
            noticed.remove()
        for table, saved in tables:
            if not _same(table, saved):
                table.clear()
                table.update(saved)
        with torch.no_grad():
            for buffer, version, copy in copies:
                if buffer._version != version or not _equal(buffer, copy):
                    buffer.copy_(copy)


def tensors_of(module: nn.Module) -> Iterator[torch.Tensor]:
    """Parameters, buffers, and tensors that are plain attributes."""
    yield from (tensor for _, tensor in _named_weights(module))
    for part in module.modules():
        yield from (value for value in part.__dict__.values() if isinstance(value, torch.Tensor))


def _same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    # By identity: comparing tensors with == would compare their elements.
    return left.keys() == right.keys() and all(left[key] is right[key] for key in left)


def _equal(left: torch.Tensor, right: torch.Tensor) -> bool:
    # Kernels that update statistics do not always count the write. They are dense; other layouts cannot be compared.
    if left.layout is not torch.strided:
        return True
    return torch.equal(left, right) or bool(((left == right) | (left.isnan() & right.isnan())).all())


def _named_weights(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _reads_mode(part: nn.Module) -> bool:
    """Whether a module's own code (forward, the methods that it calls, hooks) computes otherwise in training mode."""
    # A dropout of zero is the identity in both modes, and many models carry them.
    if isinstance(part, nn.modules.dropout._DropoutNd) and part.p == 0.0:
        return False
    if isinstance(part, nn.modules.instancenorm._InstanceNorm) and not part.track_running_stats:
        return False
    forward = _names_in(type(part).forward)
    methods = (getattr(type(part), name, None) for name in forward)
    hooks = [*part._forward_pre_hooks.values(), *part._forward_hooks.values()]
    called = (hook if hasattr(hook, "__code__") else type(hook).__call__ for hook in hooks)
    return "training" in forward or any("training" in _names_in(other) for other in (*methods, *called))


def _names_in(function: Any) -> tuple[str, ...]:
    """The attributes and globals that a function's own code reads."""
    code = getattr(function, "__code__", None)
    return code.co_names if code else ()


def _as_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """The callable itself, or a function around it where torch.export would look for code in vain."""
    if hasattr(function, "__code__"):
        return function

    def forward(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    with suppress(TypeError, ValueError):  # builtins such as torch.relu have no signature
        vars(forward)["__signature__"] = inspect.signature(function)
    return forward


def _modules_used_by(function: Callable[..., Any]) -> dict[str, nn.Module]:
    """Modules reachable by name from a function: in its object, closure, globals and bound arguments."""
    if isinstance(function, functools.partial):
        found = _modules_used_by(function.func)
        values = {**{f"arg{i}": v for i, v in enumerate(function.args)}, **function.keywords}
    else:
        owner = getattr(function, "__self__", function)
        found = {"owner": owner} if isinstance(owner, nn.Module) else _modules_in(getattr(owner, "__dict__", {}))
        try:
            scope = inspect.getclosurevars(inspect.unwrap(function))
        except (TypeError, ValueError):  # no Python code to look into
            return found
        values = {**scope.globals, **scope.nonlocals}
    return {**found, **_modules_in(values)}


def _modules_in(values: Mapping[str, object]) -> dict[str, nn.Module]:
    return {name: value for name, value in values.items() if isinstance(value, nn.Module)}


def _warn(message: str, layers: list[str], help: str) -> None:
    warn("\n".join([message, *(f"  {line}" for line in _some(layers)), f"help: {help}"]))


def _some(names: list[str], limit: int = 5) -> list[str]:
    extra = [f"and {len(names) - limit} more"] if len(names) > limit else []
    return names[:limit] + extra
