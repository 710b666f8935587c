"""Conditionals and loops: branches on a condition that the model computes, recurrences, nets over time, nesting."""

import numpy as np
import torch
from operators import dims

from converters import Case, floats
from torch2trt import *
from torch2trt import trt

SUM, PROD = trt.ElementWiseOperation.SUM, trt.ElementWiseOperation.PROD


def number(network, value, dtype=np.int32):
    return network.add_constant((), np.array(value, dtype)).get_output(0)


def full(network, shape, value):
    """A float tensor of one value; its sizes may depend on the inputs."""
    layer = network.add_fill(shape, trt.FillOperation.LINSPACE, trt.float32)
    layer.alpha, layer.beta = value, 0.0
    if len(shape) > 1:
        layer.set_input(1, number(network, value, np.float32))
        layer.set_input(2, network.add_constant((len(shape),), np.zeros(len(shape), np.float32)).get_output(0))
    return layer.get_output(0)


def choose(condition, x):
    """One of two computations, by a condition of one element."""
    yes, no = (x * 2 - 1, x.sum(1) > 0), (torch.log(x), x.sum(1) < 1)
    return tuple(torch.where(condition, a, b) for a, b in zip(yes, no))


@tensorrt_converter(choose)
def convert_choose(ctx):
    condition, x = ctx.method_args
    network = ctx.network
    conditional = network.add_if_conditional()
    conditional.name = "choice"
    layer = conditional.set_condition(condition._trt)
    assert layer.num_outputs == 0 and layer.conditional is conditional and layer.type is trt.LayerType.CONDITION
    inside = conditional.add_input(x._trt).get_output(0)
    two, one = (full(network, (1,), value) for value in (2.0, 1.0))
    two, one = broadcast_trt_tensors(network, [two, one], 2)
    doubled = network.add_elementwise(inside, two, PROD).get_output(0)
    less = network.add_elementwise(doubled, one, trt.ElementWiseOperation.SUB).get_output(0)
    logarithm = network.add_unary(inside, trt.UnaryOperation.LOG).get_output(0)
    total = network.add_reduce(inside, trt.ReduceOperation.SUM, 1 << 1, False).get_output(0)
    zero, one = (full(network, (1,), value) for value in (0.0, 1.0))
    above = network.add_elementwise(total, zero, trt.ElementWiseOperation.GREATER).get_output(0)
    below = network.add_elementwise(total, one, trt.ElementWiseOperation.LESS).get_output(0)
    outputs = [
        conditional.add_output(less, logarithm),
        conditional.add_output(true_subgraph_output=above, false_subgraph_output=below),
    ]
    for made, output in zip(ctx.method_return, outputs):
        made._trt = output.get_output(0)


@tensorrt_converter("torch.cumprod")
def convert_cumprod(ctx):
    x, dim = ctx.method_args
    network = ctx.network
    rest = [size for axis, size in enumerate(x.shape) if axis != dim]
    loop = network.add_loop()
    loop.name = "product"
    loop.add_trip_limit(number(network, x.shape[dim]), trt.TripLimit.COUNT)
    state = loop.add_recurrence(full(network, rest, 1.0))
    row = loop.add_iterator(x._trt, dim).get_output(0)
    after = network.add_elementwise(state.get_output(0), row, PROD)
    after.name = "step"
    state.set_input(1, after.get_output(0))
    assert tuple(after.get_output(0).shape) == tuple(x._trt.shape)[:dim] + tuple(x._trt.shape)[dim + 1 :]
    output = loop.add_loop_output(after.get_output(0), trt.LoopOutput.CONCATENATE, dim)
    output.set_input(1, x.shape[dim]._trt)
    assert tuple(output.get_output(0).shape) == tuple(x._trt.shape)
    ctx.method_return._trt = output.get_output(0)


class Both(torch.nn.Module):
    """A bidirectional LSTM."""

    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.LSTM(4, 3, batch_first=True, bidirectional=True)

    def forward(self, x):
        y, (h, c) = self.rnn(x)
        return torch.relu(y), h + c


@tensorrt_converter("torch.nn.LSTM.forward")
def convert_lstm(ctx):
    module, x = ctx.method_args
    network, transpose = ctx.network, trt.MatrixOperation.TRANSPOSE
    batch, steps, _ = x.shape
    size, outputs, states = module.hidden_size, [], ([], [])
    for suffix in ("", "_reverse"):
        weights = [getattr(module, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        w, u, b, d = add_missing_trt_tensors(network, weights)
        loop = network.add_loop()
        loop.add_trip_limit(steps._trt, trt.TripLimit.COUNT)
        iterator = loop.add_iterator(x._trt, axis=1, reverse=bool(suffix))
        h, c = (loop.add_recurrence(full(network, (batch, size), 0.0)) for _ in range(2))
        none = trt.MatrixOperation.NONE
        gates = network.add_matrix_multiply(iterator.get_output(0), none, w, transpose).get_output(0)
        back = network.add_matrix_multiply(h.get_output(0), none, u, transpose).get_output(0)
        for term in (back, *broadcast_trt_tensors(network, [b, d], 2)):
            gates = network.add_elementwise(gates, term, SUM).get_output(0)
        kinds = [trt.ActivationType.SIGMOID] * 2 + [trt.ActivationType.TANH, trt.ActivationType.SIGMOID]
        parts = [
            network.add_activation(
                network.add_slice(gates, (0, k * size), (batch, size), (1, 1)).get_output(0), kind
            ).get_output(0)
            for k, kind in enumerate(kinds)
        ]
        kept = network.add_elementwise(parts[1], c.get_output(0), PROD).get_output(0)
        new = network.add_elementwise(parts[0], parts[2], PROD).get_output(0)
        c.set_input(1, network.add_elementwise(kept, new, SUM).get_output(0))
        shown = network.add_activation(c.get_input(1), trt.ActivationType.TANH).get_output(0)
        h.set_input(1, network.add_elementwise(parts[3], shown, PROD).get_output(0))
        kind = trt.LoopOutput.REVERSE if suffix else trt.LoopOutput.CONCATENATE
        every = loop.add_loop_output(h.get_input(1), kind, 1)
        every.set_input(1, steps._trt)
        outputs.append(every.get_output(0))
        for recurrence, found in zip((h, c), states):
            last = loop.add_loop_output(recurrence.get_output(0), trt.LoopOutput.LAST_VALUE)
            row = network.add_shuffle(last.get_output(0))
            row.reshape_dims = (1, batch, size)
            found.append(row.get_output(0))
    results = [(ctx.method_return[0], outputs, 2), *((t, s, 0) for t, s in zip(ctx.method_return[1], states))]
    for made, tensors, axis in results:
        layer = network.add_concatenation(tensors)
        layer.axis = axis
        made._trt = layer.get_output(0)


def snake(x):
    """A recurrence along the rows of each sample, that the next row takes up where the row before ended."""
    state, rows = torch.zeros_like(x[:, 0, 0]), []
    for i in range(x.shape[1]):
        row = []
        for j in range(x.shape[2]):
            state = torch.tanh(state + x[:, i, j])
            row.append(state)
        rows.append(torch.stack(row, 1))
    return torch.stack(rows, 1), state


@tensorrt_converter(snake)
def convert_snake(ctx):
    x = ctx.method_args[0]
    network = ctx.network
    batch, rows, columns = x.shape
    outer = network.add_loop()
    outer.add_trip_limit(number(network, rows, np.int64), trt.TripLimit.COUNT)
    recurrence = outer.add_recurrence(full(network, (batch,), 0.0))
    row = outer.add_iterator(x._trt, 1).get_output(0)
    inner = network.add_loop()
    inner.add_trip_limit(number(network, columns), trt.TripLimit.COUNT)
    state = inner.add_recurrence(recurrence.get_output(0))
    value = network.add_elementwise(state.get_output(0), inner.add_iterator(row, 1).get_output(0), SUM).get_output(0)
    state.set_input(1, network.add_activation(value, trt.ActivationType.TANH).get_output(0))
    last = inner.add_loop_output(state.get_output(0), trt.LoopOutput.LAST_VALUE)
    recurrence.set_input(1, last.get_output(0))
    along = inner.add_loop_output(state.get_input(1), trt.LoopOutput.CONCATENATE, 1)
    along.set_input(1, number(network, columns))
    down = outer.add_loop_output(along.get_output(0), trt.LoopOutput.CONCATENATE, 1)
    down.set_input(1, number(network, rows))
    end = outer.add_loop_output(recurrence.get_output(0), trt.LoopOutput.LAST_VALUE)
    for made, output in zip(ctx.method_return, (down, end)):
        made._trt = output.get_output(0)


def steered(x):
    """Adds a column where it is positive on the whole, else halves; also the values before each of the first steps."""
    state, seen = torch.ones_like(x[:, 0]), []
    for k in range(x.shape[1]):
        seen.append(state)
        state = torch.where(x[:, k].sum() > 0, state + x[:, k], state / 2)
    return state, torch.stack(seen[:3], 1)


@tensorrt_converter(steered)
def convert_steered(ctx):
    x = ctx.method_args[0]
    network = ctx.network
    loop = network.add_loop()
    loop.add_trip_limit(number(network, x.shape[1]), trt.TripLimit.COUNT)
    state = loop.add_recurrence(full(network, (x.shape[0],), 1.0))
    column = loop.add_iterator(x._trt, 1).get_output(0)
    total = network.add_reduce(column, trt.ReduceOperation.SUM, 1, False).get_output(0)
    zero = number(network, 0.0, np.float32)
    conditional = network.add_if_conditional()
    conditional.set_condition(network.add_elementwise(total, zero, trt.ElementWiseOperation.GREATER).get_output(0))
    more = network.add_elementwise(state.get_output(0), column, SUM).get_output(0)
    half = network.add_elementwise(state.get_output(0), full(network, (1,), 0.5), PROD).get_output(0)
    state.set_input(1, conditional.add_output(more, half).get_output(0))
    first = loop.add_loop_output(state.get_output(0), trt.LoopOutput.CONCATENATE, 1)
    first.set_input(1, number(network, 3))
    last = loop.add_loop_output(state.get_output(0), trt.LoopOutput.LAST_VALUE)
    for made, output in zip(ctx.method_return, (last, first)):
        made._trt = output.get_output(0)


def windows(x):
    """Sums of windows that grow while they move on, largest last, last first."""
    return torch.stack([x[:, k : 2 * k + 1].sum(1) for k in range(3)][::-1])


@tensorrt_converter(windows)
def convert_windows(ctx):
    """A counter is a recurrence like any other; what follows from it decides sizes inside the body."""
    x = ctx.method_args[0]
    network = ctx.network
    loop = network.add_loop()
    loop.add_trip_limit(number(network, 3), trt.TripLimit.COUNT)
    counter = loop.add_recurrence(network.add_constant((1,), np.array([0], np.int64)).get_output(0))
    one = network.add_constant((1,), np.array([1], np.int64)).get_output(0)
    counter.set_input(1, network.add_elementwise(counter.get_output(0), one, SUM).get_output(0))
    zero = network.add_constant((1,), np.array([0], np.int64)).get_output(0)
    layer = network.add_slice(x._trt, (0, 0), (0, 0), (1, 1))
    for index, parts in ((1, [zero, counter.get_output(0)]), (2, [x.shape[0]._trt, counter.get_input(1)])):
        joined = network.add_concatenation(parts)
        joined.axis = 0
        layer.set_input(index, joined.get_output(0))
    total = network.add_reduce(layer.get_output(0), trt.ReduceOperation.SUM, 2, False).get_output(0)
    output = loop.add_loop_output(total, trt.LoopOutput.REVERSE)
    output.set_input(1, number(network, 3))
    ctx.method_return._trt = output.get_output(0)


def both_ways(x):
    """Takes either branch, whatever x is."""
    condition = x.sum() > 6
    return choose(condition, x), choose(~condition, x)


HERE = "converters.control."
N = dims({0: "n"})
X, Y = floats((2, 5, 4)), floats((6, 5, 4))
ROWS, MORE = floats((2, 5)), floats((6, 5))


def positive_rows(count):
    return lambda: (torch.rand(count, 4) * 3 + 0.1,)


CASES = [
    Case("if", (HERE + "choose",), both_ways, positive_rows(2), N, positive_rows(3)),
    Case("running product", ("torch.cumprod",), lambda x: torch.cumprod(x, 1) + 1, X, N, Y),
    Case("running product of the last axis", ("torch.cumprod",), lambda x: torch.cumprod(x, 2), X, N, Y),
    Case("lstm", ("torch.nn.LSTM.forward",), Both(), X, N, Y),
    Case("loop in a loop", (HERE + "snake",), lambda x: snake(x), X, N, Y),
    Case("if in a loop", (HERE + "steered",), lambda x: steered(x), ROWS, N, MORE),
    Case("counter", (HERE + "windows",), lambda x: windows(x), ROWS, N, MORE),
]
