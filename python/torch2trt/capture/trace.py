"""The second way to a graph: run the model once and write down the operators it calls.

For models that torch.export refuses, because what they do next depends on what they have computed: detection
models above all. The trace follows the sample input, so its shapes and its decisions are fixed; the caller
warns the user.

The run is made functional as it is traced, with the same rules torch.export uses, and so arrives at the same
operators. Parameters and buffers enter as arguments of the traced function: they stay recognisable as the
model's weights whatever the model does with them.

This file must not know about builders or records.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from threading import get_ident
from typing import Any

import torch
import torch.fx.traceback as fx_traceback
from torch._ops import OpOverload
from torch._subclasses.functional_tensor import FunctionalTensorMode, dispatch_functionalize
from torch.func import functionalize
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.nn.utils.stateless import _reparametrize_module
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from .containers import register_containers
from .decompose import ROUNDS, Rules, rules, unknown
from .errors import CaptureError
from .export import AtenGraph
from .intercept import Interceptor
from .origin import is_user_code
from .program import Kind, Progress
from .repairs import repaired
from .subscripts import Subscripts
from .tree import RUNTIME, InputTree, OutputTree


def trace(
    module: torch.nn.Module,
    inputs: InputTree,
    progress: Progress,
    interceptor: Interceptor,
    known: Collection[str] | None = None,
) -> AtenGraph:
    """Captures one run of `module` on the sample inputs, which are copied first.

    Operators that are not `known` are decomposed in further runs; None knows all.
    """
    progress("trace", 0, 1)
    weights = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    run, traced = _traced(module, inputs, weights, interceptor, {})
    if known is not None and (missing := unknown(traced, known)):

        def again(table: Rules) -> Traced:
            return _traced(module, inputs, weights, interceptor, table)

        run, traced = _decomposed(again, known, missing) or (run, traced)
    progress("trace", 1, 1)
    placeholders = [node.name for node in traced.graph.nodes if node.op == "placeholder"]
    parameters = dict(module.named_parameters())
    found: dict[str, tuple[str, torch.Tensor, Kind]] = {
        node: (name, tensor, "parameter" if name in parameters else "buffer")
        for node, (name, tensor) in zip(placeholders, weights.items())
    }
    found.update(_constants(traced))
    read = [
        (node, text, kind)
        for node, text, kind in _take_read(traced, run)
        if _follows([node], set(placeholders[len(weights) :]))
    ]
    outputs = _outputs(traced, run.constants)
    if len(placeholders) > len(weights) and not _follows(outputs, set(placeholders[len(weights) :])):
        raise CaptureError(
            "nothing that the model returns follows from its inputs, as far as the tracer of PyTorch can see",
            help="it computes in a way that cannot be seen (NumPy, TorchScript, another library): write that part with "
            "tensor operations",
        )
    return AtenGraph(
        module=traced,
        weights=found,
        inputs=placeholders[len(weights) :],
        outputs=outputs,
        tree=OutputTree(run.spec, run.constants, inputs.names),
        fixed=list(dict.fromkeys(text for _, text, decides in read if not decides)),
        decided=list(dict.fromkeys(text for _, text, decides in read if decides)),
    )


def _take_read(traced: torch.fx.GraphModule, run: _Run) -> list[tuple[torch.fx.Node, str, bool]]:
    """The tensors that numbers were read out of, which the run returned last; they are no outputs any more. The last
    entry is whether it was a decision.
    """
    output = next(node for node in reversed(traced.graph.nodes) if node.op == "output")
    values = list(output.args[0])
    count = len(values) - len(run.read)
    output.args = (values[:count],)
    return [
        (node, _described(_operator(node), function, number, place), number in _BOOLS)
        for node, (_, function, number, place) in zip(values[count:], run.read)
        if isinstance(node, torch.fx.Node)
    ]


def _described(operator: str, function: str, number: str, place: str) -> str:
    if number in _BOOLS:
        return f"{operator if function in ('bool', 'item') else function} is {number} at {place}"
    return f"{function}() of {operator} = {number} at {place}"


def _operator(node: torch.fx.Node) -> str:
    """What made a tensor: an operator, or an input."""
    while node.target in (torch.ops.aten.detach.default, torch.ops.aten.alias.default):
        node = node.args[0]
    if node.op == "placeholder":
        return "an input"
    return str(node.target).removeprefix("aten.").partition(".")[0]


def _decomposed(again: Callable[[Rules], Traced], known: Collection[str], missing: set[OpOverload]) -> Traced | None:
    """A run without the missing operators that decompose into known ones; None where none can. The others stay, as
    `decompose.decomposed` has it.
    """
    found = rules(missing)
    if made := _sound(again, known, missing, found):
        return made
    sound = {operator: rule for operator, rule in found.items() if _sound(again, known, missing, {operator: rule})}
    return _sound(again, known, missing, sound)


def _sound(
    again: Callable[[Rules], Traced], known: Collection[str], missing: set[OpOverload], table: Rules
) -> Traced | None:
    """A run with these rules, and with those for what comes out of them; None where that fails or leaves others than
    the missing operators.
    """
    if not table:
        return None
    for _ in range(ROUNDS):
        try:
            made = again(dict(table))
        except Exception:  # a rule that fails here; the operator is named where it is missed
            return None
        others = unknown(made[1], known) - missing
        if not others:
            return made
        found = rules(others - table.keys())
        if len(found) < len(others):
            return None
        table = {**table, **found}
    return None


def _traced(
    module: torch.nn.Module, inputs: InputTree, weights: dict[str, torch.Tensor], interceptor: Interceptor, table: Rules
) -> Traced:
    run = _Run(module, inputs, list(weights))

    def traced(function: Callable[..., Any], pre_dispatch: bool) -> torch.fx.GraphModule:
        samples = [sample.detach().clone() for sample in inputs.samples]
        options = {"tracing_mode": "real", "pre_dispatch": pre_dispatch, **_lenient()}
        return make_fx(function, decomposition_table=table, **options)(list(weights.values()), samples)

    with (
        torch.inference_mode(False),
        torch.no_grad(),
        fx_traceback.preserve_node_meta(),
        interceptor.active(),
        repaired(),
        Subscripts(),
    ):
        try:
            functional = dispatch_functionalize(run, FunctionalTensorMode(pre_dispatch=True, export=True))
            return run, traced(functional, pre_dispatch=True)
        except Exception as error:
            first = error
        # Above autograd, a model that differentiates cannot be traced; below it, its derivatives are operators.
        for functional in (functionalize(run, remove="mutations"), dispatch_functionalize(run, FunctionalTensorMode())):
            with suppress(Exception):
                return run, traced(functional, pre_dispatch=False)
        raise first


def _follows(outputs: list[Any], inputs: set[str]) -> bool:
    """Whether any output is computed from any of the placeholders."""
    pending = [value for value in outputs if isinstance(value, torch.fx.Node)]
    seen = set(pending)
    while pending:
        node = pending.pop()
        if node.name in inputs:
            return True
        pending.extend(new := [before for before in node.all_input_nodes if before not in seen])
        seen.update(new)
    return False


class _Run:
    """The model as a function from weights and input tensors to output tensors."""

    def __init__(self, module: torch.nn.Module, inputs: InputTree, names: list[str]) -> None:
        self.module, self.inputs, self.names = module, inputs, names
        self.spec: pytree.TreeSpec | None = None
        self.constants: list[Any] = []
        self.read: list[tuple[torch.Tensor, str, str, str]] = []
        """Each tensor that a number was read out of: how, which, and at which line."""

    def __call__(self, weights: list[torch.Tensor], tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        args, kwargs = self.inputs.rebuild(tensors)
        replaced = dict(zip(self.names, weights))
        self.read = []
        with _reparametrize_module(self.module, replaced, tie_weights=True), _Provenance(self.module, self.read):
            result = self.module(*args, **kwargs)
        register_containers(result, "output")
        leaves, self.spec = pytree.tree_flatten(result)
        self.constants = [RUNTIME if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        return [*(leaf for leaf in leaves if isinstance(leaf, torch.Tensor)), *(tensor for tensor, *_ in self.read)]


Traced = tuple[_Run, torch.fx.GraphModule]


class _Provenance(TorchFunctionMode):
    """Puts the module path and the source line of each call where the tracer copies node metadata from."""

    def __init__(self, module: torch.nn.Module, read: list[tuple[torch.Tensor, str, str, str]]) -> None:
        super().__init__()
        self.read = read
        self.paths = {id(part): name for name, part in module.named_modules()}
        self.stack: list[str] = []
        self.thread = get_ident()  # the hooks see the modules of every thread

    def __enter__(self) -> _Provenance:
        self.hooks = [
            register_module_forward_pre_hook(self._enter_module),
            register_module_forward_hook(self._leave_module, always_call=True),
        ]
        return super().__enter__()

    def _enter_module(self, part: torch.nn.Module, _args: Any) -> None:
        if get_ident() == self.thread:
            self.stack.append(self.paths.get(id(part), ""))

    def _leave_module(self, *_: Any) -> None:
        if get_ident() == self.thread:
            self.stack.pop()

    def __exit__(self, *error: object) -> None:
        for hook in self.hooks:
            hook.remove()
        super().__exit__(*error)

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        meta = fx_traceback.get_current_meta()
        meta["stack_trace"] = _calling_line()
        path = self.stack[-1] if self.stack else ""
        meta["nn_module_stack"] = {path: (path, "")}
        result = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", "")
        name = _READS.get(name) or (_DECIDES.get(name) if type(result) is bool else None)
        if name:
            found = " ".join(repr(result).split())
            place = (
                ":".join(map(str, _FRAME.findall(meta["stack_trace"])[0])) if meta["stack_trace"] else "an unknown line"
            )
            for tensor in [arg for arg in args if isinstance(arg, torch.Tensor)]:
                self.read.append((tensor.detach(), name, found if len(found) <= 60 else found[:59] + "…", place))
        return result


_READS = {
    "item": "item",
    "tolist": "tolist",
    "numpy": "numpy",
    "__array__": "numpy",
    "__int__": "int",
    "__index__": "int",
    "__float__": "float",
    "__complex__": "complex",
}
"""The methods of a tensor that make Python numbers of its values. A bool is a decision."""

_BOOLS = ("True", "False")
_DECIDES = {
    "__bool__": "bool",
    "__contains__": "in",
    "allclose": "allclose",
    "equal": "equal",
    "is_nonzero": "bool",
}
"""The functions of tensors by whose values a model decides."""

_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


def _calling_line() -> str:
    """The innermost frame in the model's code, in the form of a Python traceback; "" where all of it is torch's."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code is not _Run.__call__.__code__:  # further out is whoever converts the model
        if is_user_code(frame.f_code.co_filename):
            return f'File "{frame.f_code.co_filename}", line {frame.f_lineno}, in {frame.f_code.co_name}'
        frame = frame.f_back
    return ""


def _lenient() -> dict[str, bool]:
    """Options that let the model read values out of tensors, as far as this version of make_fx has them."""
    wanted = {"_allow_non_fake_inputs": True, "_error_on_data_dependent_ops": False}
    known = inspect.signature(make_fx).parameters
    return {name: value for name, value in wanted.items() if name in known}


def _constants(traced: torch.fx.GraphModule) -> Iterator[tuple[str, tuple[str, torch.Tensor, Kind]]]:
    for node in traced.graph.nodes:
        if node.op == "get_attr" and isinstance(value := getattr(traced, node.target), torch.Tensor):
            node.meta.setdefault("val", value)
            yield node.name, (node.target, value, "constant")


def _outputs(traced: torch.fx.GraphModule, constants: list[Any]) -> list[Any]:
    values = next(node for node in reversed(traced.graph.nodes) if node.op == "output").args[0]
    remaining = iter(values)
    return [next(remaining) if constant is RUNTIME else constant for constant in constants]
