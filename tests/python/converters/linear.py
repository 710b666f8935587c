"""Matrix products: TensorRT 8's fully connected layer, matrix multiplication, einsum, attention."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from operators import dims

from converters import Case, floats
from torch2trt import *
from torch2trt import trt


@tensorrt_converter("torch.nn.Linear.forward")
def convert_Linear(ctx):
    module, x = ctx.method_args
    layer = ctx.network.add_shuffle(x._trt)
    layer.reshape_dims = (*tuple([0] * x.ndim), 1, 1)
    bias = trt.Weights(torch_dtype_to_trt(module.weight.dtype))
    if module.bias is not None:
        bias = module.bias.detach().cpu().numpy()
    layer = ctx.network.add_fully_connected(
        input=layer.get_output(0),
        num_outputs=module.out_features,
        kernel=module.weight.detach().cpu().numpy(),
        bias=bias,
    )
    layer = ctx.network.add_shuffle(layer.get_output(0))
    layer.reshape_dims = tuple([0] * ctx.method_return.ndim)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.linear")
def convert_linear(ctx):
    x, weight, bias = ctx.method_args[0], get_arg(ctx, "weight", 1, None), get_arg(ctx, "bias", 2, None)
    weight = weight.detach().cpu().numpy()
    bias = np.zeros(weight.shape[0], weight.dtype) if bias is None else bias.detach().cpu().numpy()
    weight = weight[(None,) * (x.ndim - 2)]
    bias = bias.reshape([1] * (x.ndim - 1) + [-1])
    kernel = ctx.network.add_constant(tuple(weight.shape), weight).get_output(0)
    shift = ctx.network.add_constant(tuple(bias.shape), bias).get_output(0)
    none, transpose = trt.MatrixOperation.NONE, trt.MatrixOperation.TRANSPOSE
    y = ctx.network.add_matrix_multiply(x._trt, none, kernel, transpose).get_output(0)
    ctx.method_return._trt = ctx.network.add_elementwise(y, shift, trt.ElementWiseOperation.SUM).get_output(0)


@tensorrt_converter("torch.matmul")
@tensorrt_converter("torch.bmm")
@tensorrt_converter("torch.Tensor.__matmul__")
def convert_matmul(ctx):
    x, y = add_missing_trt_tensors(ctx.network, ctx.method_args)
    layer = ctx.network.add_matrix_multiply(x, trt.MatrixOperation.NONE, y, trt.MatrixOperation.NONE)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.mv")
def convert_mv(ctx):
    matrix, vector = ctx.method_args
    layer = ctx.network.add_matrix_multiply(matrix._trt, False, vector._trt, False)
    layer.op1 = trt.MatrixOperation.VECTOR
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.einsum")
def convert_einsum(ctx):
    equation, *tensors = ctx.method_args
    ctx.method_return._trt = ctx.network.add_einsum([t._trt for t in tensors], equation).get_output(0)


@tensorrt_converter("torch.nn.functional.scaled_dot_product_attention")
def convert_attention(ctx):
    q, k, v = ctx.method_args[:3]
    scores = ctx.network.add_matrix_multiply(q._trt, trt.MatrixOperation.NONE, k._trt, trt.MatrixOperation.TRANSPOSE)
    factor = trt_(ctx.network, q, 1 / math.sqrt(q.shape[-1]))[1]
    scaled = ctx.network.add_elementwise(scores.get_output(0), factor, trt.ElementWiseOperation.PROD).get_output(0)
    softmax = ctx.network.add_softmax(scaled)
    softmax.axes = 1 << (q.ndim - 1)
    layer = ctx.network.add_matrix_multiply(
        softmax.get_output(0), trt.MatrixOperation.NONE, v._trt, trt.MatrixOperation.NONE
    )
    ctx.method_return._trt = layer.get_output(0)


class Projected(torch.nn.Module):
    """A product with a parameter, which has no counterpart in the network until a converter makes one."""

    def __init__(self):
        super().__init__()
        self.matrix = torch.nn.Parameter(torch.randn(4, 3))

    def forward(self, x):
        return x @ self.matrix


HEADS = dims({0: "n", 2: "t"}, {0: "n", 2: "s"}, {0: "n", 2: "s"})

CASES = [
    Case("Linear", ("torch.nn.Linear.forward",), torch.nn.Linear(4, 3), floats((2, 4)), dims({0: "n"}), floats((7, 4))),
    Case(
        "Linear of rank 3",
        ("torch.nn.Linear.forward",),
        torch.nn.Linear(4, 3, bias=False),
        floats((2, 5, 4)),
        dims({0: "n", 1: "t"}),
        floats((3, 7, 4)),
    ),
    Case("linear", ("torch.nn.functional.linear",), lambda x: F.linear(x, torch.ones(3, 4)), floats((2, 5, 4))),
    Case(
        "matmul",
        ("torch.matmul",),
        torch.matmul,
        floats((2, 3, 4), (2, 4, 5)),
        dims({0: "n", 1: "t"}, {0: "n"}),
        floats((6, 7, 4), (6, 4, 5)),
    ),
    Case(
        "matmul with a parameter",
        ("torch.Tensor.__matmul__",),
        Projected(),
        floats((2, 4)),
        dims({0: "n"}),
        floats((5, 4)),
    ),
    Case("bmm", ("torch.bmm",), torch.bmm, floats((2, 3, 4), (2, 4, 5))),
    Case("mv", ("torch.mv",), torch.mv, floats((3, 4), (4,))),
    Case("einsum", ("torch.einsum",), lambda x, y: torch.einsum("bij, bjk -> bik", x, y), floats((2, 3, 4), (2, 4, 5))),
    Case(
        "attention",
        ("torch.nn.functional.scaled_dot_product_attention",),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v),
        floats((2, 2, 5, 8), (2, 2, 7, 8), (2, 2, 7, 8)),
        HEADS,
        floats((3, 2, 4, 8), (3, 2, 9, 8), (3, 2, 9, 8)),
    ),
]
