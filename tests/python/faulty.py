"""Models and faults to plant into their engines: a wrong weight, a converter that swaps axes, an overflow of float16.

`CASES` has each fault with the module and the operator that it is planted into.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from torch2trt import CONVERTERS, tensorrt_converter, trt
from torch2trt.capture.program import Program

SIZE = 16


class Residual(nn.Module):
    """Two convolutions with folded batch norms, and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        for norm in (self.bn1, self.bn2):
            nn.init.uniform_(norm.running_var, 0.5, 2.0)
            nn.init.normal_(norm.running_mean, std=0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + x)


class Cnn(nn.Module):
    """A classifier of images that returns its features, too."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(Residual(8), nn.MaxPool2d(2), Residual(8))
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.blocks(F.silu(self.stem(x)))
        return self.head(features.mean((2, 3))), features


class Attention(nn.Module):
    """Self-attention, written out."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(size, size) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # noqa: E731
        q, k, v = split(self.q(x)), split(self.k(x)), split(self.v(x))
        scores = F.softmax(torch.matmul(q, k.transpose(-1, -2)) * 0.1, dim=-1)
        return self.o(torch.matmul(scores, v).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """A layer of a transformer."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.attention, self.up, self.down = Attention(size, 2), nn.Linear(size, 2 * size), nn.Linear(2 * size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    """Layers, and a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.head = nn.Sequential(*(Layer(SIZE) for _ in range(3))), nn.Linear(SIZE, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(x))


class Rnn(nn.Module):
    """An LSTM, and a GRU of two layers that reads it backwards."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(SIZE, SIZE, batch_first=True)
        self.gru = nn.GRU(SIZE, SIZE, num_layers=2, batch_first=True)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = torch.flip(self.lstm(x)[0], [1])
        z, state = self.gru(y)
        return torch.tanh(z), state


class Writes(nn.Module):
    """Writes into tensors in place, between two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(SIZE, SIZE), nn.Linear(SIZE, SIZE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        y[:, 0] = 1.0
        y.mul_(2.0).clamp_(-3.0, 3.0)
        z = torch.zeros_like(y)
        z[:, 1:] = self.second(y)[:, 1:]
        z.add_(y)
        return z


class Products(nn.Module):
    """Operators whose results grow with their inputs, and that are scaled down again."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.before, self.middle, self.after = (nn.Linear(SIZE, SIZE) for _ in range(3))
        with torch.no_grad():
            self.middle.weight.mul_(200)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.before(x)
        match self.kind:
            case "product":
                y = torch.mul(y, y.flip(-1))
            case "linear":
                y = self.middle(y).abs()
            case "matmul":
                y = torch.matmul(y, y.transpose(-1, -2))
            case "sum":
                y = y + y.abs().sum(-1, keepdim=True)
            case "conv":
                y = F.conv1d(y[:, None], self.middle.weight[:, None, :3], padding=1).mean(1)
        return self.after(torch.tanh(y * 1e-3 * 1e-3))


def without_a_norm() -> nn.Module:
    """A transformer whose second attention gets large inputs."""
    model = Transformer()
    model.layers[1].norm1 = nn.Identity()
    return model


Plant = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Case:
    """A fault.

    Attributes:
        make: the model.
        shape: of the sample inputs.
        plant: what makes the engine wrong.
        module, operator: the call that is wrong.
        scale: how much larger the inputs are on which it is wrong.
        options: of the conversion.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    plant: Plant
    module: str
    operator: str
    scale: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)


def weight(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Plant:
    """Another value of a weight in every program that is converted."""

    @contextmanager
    def planted() -> Any:
        emit = Program.emit

        def changed(program: Program, builder: Any) -> None:
            assert name in [item.name for item in program.weights]
            weights = [
                item._replace(tensor=change(item.tensor.clone()).contiguous()) if item.name == name else item
                for item in program.weights
            ]
            emit(replace(program, weights=weights), builder)

        Program.emit = changed
        try:
            yield
        finally:
            Program.emit = emit

    return planted


def converter(method: str, function: Callable[[Any], None]) -> Plant:
    """A user's converter of a method."""

    @contextmanager
    def planted() -> Any:
        before = dict(CONVERTERS)
        tensorrt_converter(method)(function)
        try:
            yield
        finally:
            CONVERTERS.clear()
            CONVERTERS.update(before)

    return planted


@contextmanager
def overflow() -> Any:
    """Nothing: the inputs are too large for float16."""
    yield


def one_element(tensor: torch.Tensor) -> torch.Tensor:
    tensor.view(-1)[3] += 5.0
    return tensor


def first_axis_softmax(ctx: Any) -> None:
    layer = ctx.network.add_softmax(ctx.method_args[0]._trt)
    layer.axes = 1 << 2  # the axis before the last
    ctx.method_return._trt = layer.get_output(0)


def forgotten_transpose(ctx: Any) -> None:
    """Of the last two axes, which are of one size here."""
    x, first, second = ctx.method_args
    layer = ctx.network.add_shuffle(x._trt)
    if (first, second) != (-1, -2):
        order = list(range(x.dim()))
        order[first], order[second] = order[second], order[first]
        layer.second_transpose = tuple(order)
    ctx.method_return._trt = layer.get_output(0)


def swapped_product(ctx: Any) -> None:
    left, right = (argument._trt for argument in ctx.method_args[:2])
    none, transposed = trt.MatrixOperation.NONE, trt.MatrixOperation.TRANSPOSE
    layer = ctx.network.add_matrix_multiply(left, none, right, transposed)
    ctx.method_return._trt = layer.get_output(0)


def other_flip(ctx: Any) -> None:
    ctx.method_return._trt = ctx.network.add_identity(ctx.method_args[0]._trt).get_output(0)


def relu_for_silu(ctx: Any) -> None:
    layer = ctx.network.add_activation(ctx.method_args[0]._trt, trt.ActivationType.RELU)
    ctx.method_return._trt = layer.get_output(0)


IMAGES, TOKENS, STEPS = (2, 3, 16, 16), (2, 8, SIZE), (2, 6, SIZE)
HALF, BATCH = {"fp16_mode": True}, {"max_batch_size": 4}

CASES = {
    "cnn: first convolution": Case(Cnn, IMAGES, weight("stem.weight", one_element), "stem", "aten.conv2d.default"),
    "cnn: convolution under a batch norm": Case(
        Cnn, IMAGES, weight("blocks.0.conv2.weight", lambda w: w.flip(0)), "blocks.0.conv2", "aten.conv2d.default"
    ),
    "cnn: batch norm": Case(
        Cnn, IMAGES, weight("blocks.2.bn1.running_var", lambda w: w * 9), "blocks.2.bn1", "aten.batch_norm.default"
    ),
    "cnn: one of two outputs": Case(Cnn, IMAGES, weight("head.bias", one_element), "head", "aten.linear.default"),
    "cnn: dynamic batch": Case(
        Cnn, IMAGES, weight("blocks.2.conv1.weight", one_element), "blocks.2.conv1", "aten.conv2d.default", 1.0, BATCH
    ),
    "cnn: another activation": Case(
        Cnn, IMAGES, converter("torch.nn.functional.silu", relu_for_silu), "", "torch.nn.functional.silu"
    ),
    "transformer: queries": Case(
        Transformer,
        TOKENS,
        weight("layers.1.attention.q.weight", lambda w: w.T),
        "layers.1.attention.q",
        "aten.linear.default",
    ),
    "transformer: norm": Case(
        Transformer, TOKENS, weight("layers.2.norm2.weight", one_element), "layers.2.norm2", "aten.layer_norm.default"
    ),
    "transformer: in float16": Case(
        Transformer, TOKENS, weight("layers.0.up.weight", one_element), "layers.0.up", "aten.linear.default", 1.0, HALF
    ),
    "transformer: softmax of another axis": Case(
        Transformer,
        TOKENS,
        converter("torch.nn.functional.softmax", first_axis_softmax),
        "layers.0.attention",
        "torch.nn.functional.softmax",
    ),
    "transformer: swapped axes": Case(
        Transformer,
        TOKENS,
        converter("torch.Tensor.transpose", forgotten_transpose),
        "layers.0.attention",
        "torch.Tensor.transpose",
    ),
    "transformer: swapped operand, dynamic batch": Case(
        Transformer,
        TOKENS,
        converter("torch.matmul", swapped_product),
        "layers.0.attention",
        "torch.matmul",
        1.0,
        BATCH,
    ),
    "rnn: recurrent weights": Case(
        Rnn, STEPS, weight("lstm.weight_hh_l0", lambda w: w.flip(0)), "lstm", "aten.lstm.input"
    ),
    "rnn: bias of the second layer": Case(
        Rnn, STEPS, weight("gru.bias_ih_l1", one_element), "gru", "aten.gru.input", 1.0, BATCH
    ),
    "rnn: a flip that does nothing": Case(Rnn, STEPS, converter("torch.flip", other_flip), "", "torch.flip"),
    "writes in place: before": Case(
        Writes, (4, SIZE), weight("first.weight", lambda w: w.flip(0)), "first", "aten.linear.default"
    ),
    "writes in place: between": Case(
        Writes, (4, SIZE), weight("second.bias", one_element), "second", "aten.linear.default", 1.0, BATCH
    ),
    "overflow: product": Case(lambda: Products("product"), (4, SIZE), overflow, "", "aten.mul.Tensor", 1e3, HALF),
    "overflow: linear": Case(
        lambda: Products("linear"), (4, SIZE), overflow, "middle", "aten.linear.default", 2e3, HALF
    ),
    "overflow: matrix multiplication": Case(
        lambda: Products("matmul"), (SIZE, SIZE), overflow, "", "aten.matmul.default", 300, HALF
    ),
    "overflow: sum": Case(lambda: Products("sum"), (4, SIZE), overflow, "", "aten.sum.dim_IntList", 1e4, HALF),
    "overflow: convolution, dynamic batch": Case(
        lambda: Products("conv"), (4, SIZE), overflow, "", "aten.conv1d.default", 5e3, {**HALF, "max_batch_size": 8}
    ),
    "overflow: deep in a transformer": Case(
        without_a_norm, TOKENS, overflow, "layers.1.attention", "aten.matmul.default", 300, HALF
    ),
}
