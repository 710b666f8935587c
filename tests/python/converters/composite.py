"""The user's own classes and functions: composites, a loop, structures, what is hidden and what is not."""

import torch
import torch.nn.functional as F
from operators import dims

from converters import Case, floats
from torch2trt import *
from torch2trt import trt


def scaled_sum(values, *, factor=1.0):
    """A function of this module: a sum of a list of tensors."""
    total = values[0]
    for value in values[1:]:
        total = total + value
    return {"sum": total * factor, "count": len(values)}


class Gate(torch.nn.Module):
    """Calls operators that have converters of their own, which its own converter hides."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)

    def forward(self, x, gain=1.0):
        return torch.sigmoid(self.linear(x)) * x * gain


class Recurrent(torch.nn.Module):
    """`h = tanh(x_t W + h U)` over time."""

    def __init__(self):
        super().__init__()
        self.w, self.u = (torch.nn.Parameter(torch.randn(4, 4) / 4) for _ in range(2))

    def forward(self, x):
        state = torch.zeros_like(x[:, 0])
        states = []
        for step in range(x.shape[1]):
            state = torch.tanh(x[:, step] @ self.w + state @ self.u)
            states.append(state)
        return torch.stack(states, 1), state


class Model(torch.nn.Module):
    """Uses them in a model with operators that torch2trt converts itself."""

    def __init__(self):
        super().__init__()
        self.gates = torch.nn.ModuleList([Gate(), Gate()])
        self.rnn = Recurrent()
        self.names = []

    def forward(self, x):
        for gate in self.gates:
            x = gate(x, gain=0.5) + x
        states, last = self.rnn(x)
        result = scaled_sum([states, x.abs(), F.softplus(x)], factor=0.25)
        return result, last.unsqueeze(1)


@tensorrt_converter("converters.composite.Gate.forward", imports=["converters.composite"])
def convert_gate(ctx):
    module, x = ctx.method_args
    assert ctx.current_module_name() in ("", "gates.0", "gates.1")
    assert ctx.current_module() is module and ctx.get_module_name(module) == ctx.current_module_name()
    assert get_conversion_context() is ctx and ctx.method_str == "converters.composite.Gate.forward"
    gain = get_arg(ctx, "gain", 2, 1.0)
    kernel, bias = (trt_(ctx.network, x, t)[1] for t in (module.linear.weight, module.linear.bias))
    y = ctx.network.add_matrix_multiply(
        x._trt, trt.MatrixOperation.NONE, kernel, trt.MatrixOperation.TRANSPOSE
    ).get_output(0)
    y = ctx.network.add_elementwise(y, bias, trt.ElementWiseOperation.SUM).get_output(0)
    y = ctx.network.add_activation(y, trt.ActivationType.SIGMOID).get_output(0)
    y = ctx.network.add_elementwise(y, x._trt, trt.ElementWiseOperation.PROD).get_output(0)
    y, gain = (
        trt_(ctx.network, ctx.method_return, gain)
        if hasattr(ctx.method_return, "_trt")
        else (y, trt_(ctx.network, x, gain)[1])
    )
    ctx.method_return._trt = ctx.network.add_elementwise(y, gain, trt.ElementWiseOperation.PROD).get_output(0)


@tensorrt_converter("torch.sigmoid")
def convert_sigmoid(ctx):
    raise AssertionError("a parent's converter hides this call")


@tensorrt_converter(Recurrent.forward)
def convert_recurrent(ctx):
    module, x = ctx.method_args
    network, none = ctx.network, trt.MatrixOperation.NONE
    w, u = (network.add_constant(tuple(p.shape), p.detach().numpy()).get_output(0) for p in (module.w, module.u))
    batch, steps, width = x.shape
    state, states = None, []
    for step in range(steps):
        layer = network.add_slice(x._trt, (0, step, 0), (batch, 1, width), (1, 1, 1))
        flat = network.add_shuffle(layer.get_output(0))
        flat.reshape_dims = (batch, width)
        y = network.add_matrix_multiply(flat.get_output(0), none, w, none).get_output(0)
        if state is not None:
            back = network.add_matrix_multiply(state, none, u, none).get_output(0)
            y = network.add_elementwise(y, back, trt.ElementWiseOperation.SUM).get_output(0)
        state = network.add_activation(y, trt.ActivationType.TANH).get_output(0)
        part = network.add_shuffle(state)
        part.reshape_dims = (batch, 1, width)
        states.append(part.get_output(0))
    joined = network.add_concatenation(states)
    joined.axis = 1
    ctx.method_return[0]._trt, ctx.method_return[1]._trt = joined.get_output(0), state


@tensorrt_converter(scaled_sum)
def convert_scaled_sum(ctx):
    values = ctx.method_args[0]
    total = values[0]._trt
    for value in values[1:]:
        total = ctx.network.add_elementwise(total, value._trt, trt.ElementWiseOperation.SUM).get_output(0)
    factor = trt_(ctx.network, values[0], ctx.method_kwargs["factor"])[1]
    assert ctx.method_return["count"] == len(values)
    layer = ctx.network.add_elementwise(total, factor, trt.ElementWiseOperation.PROD)
    layer.name = "the scaled sum"
    ctx.method_return["sum"]._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.softplus", is_real=False)
def convert_softplus_dummy(ctx):
    """Not real: what is inside has been converted already, and stays."""
    assert hasattr(ctx.method_return, "_trt")


@tensorrt_converter("torch.abs", is_real=False)
def convert_abs_differently(ctx):
    """Returns something else."""
    x = ctx.method_args[0]._trt
    square = ctx.network.add_elementwise(x, x, trt.ElementWiseOperation.PROD).get_output(0)
    ctx.method_return._trt = ctx.network.add_unary(square, trt.UnaryOperation.SQRT).get_output(0)


@tensorrt_converter("torch.nn.Dropout.forward")
def convert_dropout(ctx):
    ctx.method_return._trt = ctx.method_args[1]._trt


@tensorrt_converter("torch.no_such_function", enabled=False)
def convert_nothing(ctx):
    raise AssertionError("not enabled")


HERE = "converters.composite."
X, Y = floats((2, 5, 4)), floats((6, 5, 4))

CASES = [
    Case(
        "model",
        (HERE + "Gate.forward", HERE + "Recurrent.forward", HERE + "scaled_sum", "torch.nn.functional.softplus"),
        Model(),
        X,
        dims({0: "n"}),
        Y,
    ),
    Case("module alone", (HERE + "Gate.forward",), Gate(), X, dims({0: "n", 1: "t"}), floats((3, 7, 4))),
    Case("not real", ("torch.abs",), lambda x: torch.abs(x) + 1, X, dims({0: "n"}), Y),
    Case(
        "passed through",
        ("torch.nn.Dropout.forward",),
        torch.nn.Sequential(torch.nn.Dropout(0.3), torch.nn.Linear(4, 2)),
        X,
        dims({0: "n"}),
        Y,
    ),
]
