"""Recording and replaying captured programs: how the tests judge them.

`Recorder` stands where the real builder (`torch2trt._core.ProgramBuilder`) would and records what it receives.
`Replay` runs that, operator by operator, in eager PyTorch. `assert_replays` compares with the model itself.

This file must not know which models or features are tested.
"""

from __future__ import annotations

import collections
import importlib.util
import sys
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

if importlib.util.find_spec("torch2trt") is None:  # not installed: test the source tree
    sys.path.insert(0, str(Path(__file__).parents[2] / "python"))

from torch2trt.capture import Captured


class Recorder:
    """A builder that records what it receives, under ids that are unlike those of the records."""

    def __init__(self) -> None:
        self.symbols, self.inputs, self.weights, self.nodes, self.outputs = {}, {}, {}, [], []
        self.next_id = 1000

    def _id(self) -> int:
        self.next_id += 7
        return self.next_id

    def symbol(self, name, min, max, hint):
        self.symbols[name] = (min, max, hint)

    def input(self, name, dtype, dims):
        self.inputs[value := self._id()] = (name, dtype, dims)
        return value

    def weight(self, name, tensor, kind, dtype=None):
        tensor = tensor if dtype is None else torch.view_as_complex(tensor).to(getattr(torch, dtype))
        self.weights[value := self._id()] = (name, tensor, kind)
        return value

    def node(self, target, args, outputs, module, file, line, function):
        ids = [self._id() for _ in outputs]
        self.nodes.append(Call(target, args, outputs, ids, module, file, line, function))
        return ids

    def output(self, arg):
        self.outputs.append(arg)

    def targets(self) -> collections.Counter:
        return collections.Counter(call.target for call in self.nodes)

    def call(self, target: str) -> Call:
        return next(call for call in self.nodes if call.target == target)


class Call(NamedTuple):
    target: str
    args: list
    outputs: list
    ids: list
    module: str
    file: str
    line: int
    function: str


def record(captured: Captured) -> Recorder:
    captured.walk(recorder := Recorder())
    return recorder


class Replay:
    """Runs a recorded program in eager PyTorch, from nothing but what the builder received."""

    FUNCTIONS: ClassVar = {
        "floordiv": lambda a, b: a // b,
        "ceildiv": lambda a, b: -(-a // b),
        "mod": lambda a, b: a % b,
        "min": min,
        "max": max,
    }

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def __call__(self, tensors: list[torch.Tensor]) -> list[Any]:
        self.values = {value: tensor for value, (_, tensor, _) in self.recorder.weights.items()}
        self.sizes: dict[str, int] = {}
        for (value, (name, dtype, dims)), tensor in zip(self.recorder.inputs.items(), tensors, strict=True):
            self.values[value] = tensor
            self.check(tensor, dtype, dims, name)
        with torch.no_grad():
            for call in self.recorder.nodes:
                self.run(call)
        return [self.read(arg) for arg in self.recorder.outputs]

    def run(self, call: Call) -> None:
        namespace, name, overload = call.target.split(".")
        operator = getattr(getattr(getattr(torch.ops, namespace), name), overload)
        schema = operator._schema.arguments
        assert [name for name, _ in call.args] == [argument.name for argument in schema]
        values = [self.read(value) for _, value in call.args]
        positional = [value for value, argument in zip(values, schema) if not argument.kwarg_only]
        keywords = {argument.name: value for value, argument in zip(values, schema) if argument.kwarg_only}
        result = operator(*positional, **keywords)
        results = result if isinstance(result, (tuple, list)) else [result]
        for value, output, tensor in zip(call.ids, call.outputs, results, strict=True):
            if output is not None:
                self.values[value] = tensor
                self.check(tensor, output[1], output[2], output[0])

    def read(self, arg: Any) -> Any:
        if isinstance(arg, list):
            return [self.read(item) for item in arg]
        if not isinstance(arg, tuple):
            return arg
        tag, value = arg[0], arg[1]
        match tag:
            case "value":
                return self.values[value]
            case "values":
                return [None if item is None else self.values[item] for item in value]
            case "sym":
                return self.size(value)
            case "scalar":
                return value
            case "complex":
                return complex(value, arg[2])
            case "dtype" | "memory_format" | "layout":
                return getattr(torch, value)
            case "device":
                return torch.device(value)
        raise AssertionError(f"unknown tag {tag}")

    def size(self, text: str) -> int:
        return eval(text, {"__builtins__": {}}, {**self.FUNCTIONS, **self.sizes})

    def check(self, tensor: torch.Tensor, dtype: str, dims: list | None, name: str) -> None:
        assert tensor.dtype == getattr(torch, dtype), name
        assert dims is None or len(dims) == tensor.dim(), name
        for dim, size in zip(dims or [], tensor.shape):
            if isinstance(dim, str) and dim in self.recorder.symbols and dim not in self.sizes:
                self.sizes[dim] = size
                low, high, _ = self.recorder.symbols[dim]
                assert low <= size and (high is None or size <= high)
            assert size == (dim if isinstance(dim, int) else self.size(dim)), name


def assert_replays(captured: Captured, module, args, kwargs=None, tolerance: float = 0.0) -> Recorder:
    """The program gives `module`'s answer on these arguments, in its structure, by default to the bit."""
    kwargs = kwargs or {}
    recorder = record(captured)
    inputs = captured.flatten_inputs(args, kwargs)
    values = Replay(recorder)(inputs)
    runtime = [value for value, arg in zip(values, recorder.outputs) if isinstance(arg, tuple)]
    with torch.no_grad():
        expected = module(*args, **kwargs)
    assert_same(captured.unflatten_outputs(runtime, inputs), expected, tolerance)
    return recorder


def assert_same(actual: Any, expected: Any, tolerance: float) -> None:
    found, spec = pytree.tree_flatten(actual)
    wanted, wanted_spec = pytree.tree_flatten(expected)
    assert spec == wanted_spec
    assert type(actual) is type(expected)
    for left, right in zip(found, wanted, strict=True):
        if isinstance(right, torch.Tensor):
            torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance, equal_nan=True)
        else:
            assert left == right and type(left) is type(right)


def fresh(value: Any) -> Any:
    """New random tensors of the same shapes in the same structure."""

    def make(tensor: Any) -> Any:
        if not isinstance(tensor, torch.Tensor):
            return tensor
        return torch.randn_like(tensor) if tensor.is_floating_point() else torch.randint_like(tensor, 0, 2)

    return pytree.tree_map(make, value)


class Function(nn.Module):
    """A module from a lambda, for models of one line."""

    def __init__(self, function, **parts) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.function = function

    def forward(self, *args, **kwargs):
        return self.function(self, *args, **kwargs)


@pytest.fixture(autouse=True)
def one_thread():
    """Bit-equality needs the same reduction order; attention's fused eager path is another algorithm."""
    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(True)
