"""Activations: modules' forwards, functions, and one registered by the function itself."""

import math

import torch
import torch.nn.functional as F
from operators import dims
from torch.nn.functional import gelu as gelu_taken_before

from converters import Case, floats
from torch2trt import *
from torch2trt import trt


@tensorrt_converter("torch.nn.ReLU.forward")
def convert_ReLU(ctx):
    input = ctx.method_args[1]
    output = ctx.method_return
    layer = ctx.network.add_activation(input=input._trt, type=trt.ActivationType.RELU)
    output._trt = layer.get_output(0)


@tensorrt_converter("torch.relu")
@tensorrt_converter(F.relu)
def convert_relu(ctx):
    ctx.method_return._trt = ctx.network.add_activation(ctx.method_args[0]._trt, trt.ActivationType.RELU).get_output(0)


@tensorrt_converter("torch.nn.functional.leaky_relu")
def convert_leaky_relu(ctx):
    layer = ctx.network.add_activation(get_arg(ctx, "input", 0, None)._trt, trt.ActivationType.LEAKY_RELU)
    layer.alpha = get_arg(ctx, "negative_slope", 1, 0.01)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.elu")
def convert_elu(ctx):
    layer = ctx.network.add_activation(ctx.method_args[0]._trt, trt.ActivationType.ELU)
    layer.alpha = get_arg(ctx, "alpha", 1, 1.0)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.selu")
def convert_selu(ctx):
    layer = ctx.network.add_activation(ctx.method_args[0]._trt, trt.ActivationType.SELU)
    layer.alpha = 1.6732632423543772
    layer.beta = 1.0507009873554805
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.softsign")
def convert_softsign(ctx):
    layer = ctx.network.add_activation(ctx.method_args[0]._trt, trt.ActivationType.SOFTSIGN)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.softplus")
def convert_softplus(ctx):
    layer = ctx.network.add_activation(ctx.method_args[0]._trt, trt.ActivationType.SOFTPLUS)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.sigmoid")
@tensorrt_converter("torch.Tensor.sigmoid")
def convert_sigmoid(ctx):
    layer = ctx.network.add_activation(ctx.method_args[0]._trt, trt.ActivationType.SIGMOID)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.tanh")
def convert_tanh(ctx):
    layer = ctx.network.add_activation(ctx.method_args[0]._trt, trt.ActivationType.TANH)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.silu")
def convert_silu(ctx):
    x = ctx.method_args[0]._trt
    gate = ctx.network.add_activation(x, trt.ActivationType.SIGMOID).get_output(0)
    ctx.method_return._trt = ctx.network.add_elementwise(x, gate, trt.ElementWiseOperation.PROD).get_output(0)


@tensorrt_converter("torch.nn.functional.gelu")
def convert_gelu(ctx):
    x, half, one, root = add_missing_trt_tensors(ctx.network, [ctx.method_args[0], 0.5, 1.0, 1 / math.sqrt(2)])
    x, half, one, root = broadcast_trt_tensors(ctx.network, [x, half, one, root], ctx.method_return.dim())
    prod, total = trt.ElementWiseOperation.PROD, trt.ElementWiseOperation.SUM
    y = ctx.network.add_elementwise(x, root, prod).get_output(0)
    y = ctx.network.add_unary(y, trt.UnaryOperation.ERF).get_output(0)
    y = ctx.network.add_elementwise(y, one, total).get_output(0)
    y = ctx.network.add_elementwise(y, half, prod).get_output(0)
    ctx.method_return._trt = ctx.network.add_elementwise(x, y, prod).get_output(0)


@tensorrt_converter("torch.nn.functional.relu6")
def convert_relu6(ctx):
    layer = ctx.network.add_activation(ctx.method_args[0]._trt, trt.ActivationType.CLIP)
    layer.alpha, layer.beta = 0, 6
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.hardtanh")
def convert_hardtanh(ctx):
    layer = ctx.network.add_activation(ctx.method_args[0]._trt, trt.ActivationType.CLIP)
    layer.alpha, layer.beta = get_arg(ctx, "min_val", 1, -1.0), get_arg(ctx, "max_val", 2, 1.0)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.Hardsigmoid.forward")
def convert_hardsigmoid(ctx):
    layer = ctx.network.add_activation(ctx.method_args[1]._trt, trt.ActivationType.HARD_SIGMOID)
    layer.alpha, layer.beta = 1 / 6, 0.5
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.PReLU.forward")
def convert_prelu(ctx):
    module, x = ctx.method_args
    shape = [1] * x.dim()
    shape[1] = module.weight.numel()
    slopes = ctx.network.add_constant(shape, module.weight.detach().cpu().numpy()).get_output(0)
    ctx.method_return._trt = ctx.network.add_parametric_relu(x._trt, slopes).get_output(0)


@tensorrt_converter("torch.nn.functional.softmax")
@tensorrt_converter("torch.Tensor.softmax")
def convert_softmax(ctx):
    x = ctx.method_args[0]
    dim = get_arg(ctx, "dim", 1, None)
    layer = ctx.network.add_softmax(input=x._trt)
    layer.axes = torch_dim_to_trt_axes(torch_dim_resolve_negative(dim, x.dim()))
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.log_softmax")
def convert_log_softmax(ctx):
    x = ctx.method_args[0]
    layer = ctx.network.add_softmax(input=x._trt)
    layer.axes = 1 << (get_arg(ctx, "dim", 1, None) % x.dim())
    ctx.method_return._trt = ctx.network.add_unary(layer.get_output(0), trt.UnaryOperation.LOG).get_output(0)


@tensorrt_converter("torch.nn.functional.glu")
def convert_glu(ctx):
    x = ctx.method_args[0]
    dim = get_arg(ctx, "dim", 1, -1) % x.dim()
    shape = list(x.shape)
    shape[dim] = shape[dim] // 2
    start = [0] * x.dim()
    left = ctx.network.add_slice(x._trt, start, shape, [1] * x.dim()).get_output(0)
    start[dim] = shape[dim]
    right = ctx.network.add_slice(x._trt, start, shape, [1] * x.dim()).get_output(0)
    gate = ctx.network.add_activation(right, trt.ActivationType.SIGMOID).get_output(0)
    ctx.method_return._trt = ctx.network.add_elementwise(left, gate, trt.ElementWiseOperation.PROD).get_output(0)


class Taken(torch.nn.Module):
    """Calls a function through a reference that was taken before it was replaced."""

    def __init__(self):
        super().__init__()
        self.function = F.silu

    def forward(self, x):
        return self.function(gelu_taken_before(x))


NF = "torch.nn.functional."
N = dims({0: "n"})
X, Y = floats((2, 4, 3)), floats((5, 4, 3))

CASES = [
    Case("ReLU module", ("torch.nn.ReLU.forward",), torch.nn.ReLU(), X, N, Y),
    Case(
        "ReLU in place",
        ("torch.nn.ReLU.forward",),
        torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(inplace=True)),
        X,
        N,
        Y,
    ),
    Case("relu inside F.relu", (NF + "relu",), lambda x: F.relu(x), X, N, Y),
    Case("torch.relu", ("torch.relu",), lambda x: torch.relu(x), X),
    Case("leaky_relu", (NF + "leaky_relu",), lambda x: F.leaky_relu(x, 0.2), X, N, Y),
    Case("leaky_relu by keyword", (NF + "leaky_relu",), lambda x: F.leaky_relu(input=x, negative_slope=0.3), X),
    Case("elu", (NF + "elu",), lambda x: F.elu(x, alpha=0.7), X),
    Case("selu", (NF + "selu",), F.selu, X),
    Case("softsign", (NF + "softsign",), lambda x: F.softsign(x), X),
    Case("softplus", (NF + "softplus",), lambda x: F.softplus(x), X),
    Case("sigmoid", ("torch.sigmoid",), lambda x: torch.sigmoid(x), X, N, Y),
    Case("sigmoid in nn.Sigmoid", ("torch.sigmoid",), torch.nn.Sigmoid(), X),
    Case("tanh", ("torch.tanh",), lambda x: torch.tanh(x), X),
    Case("silu", (NF + "silu",), lambda x: F.silu(x), X, N, Y),
    Case("gelu", (NF + "gelu",), torch.nn.GELU(), X, N, Y),
    Case("by reference", (NF + "gelu", NF + "silu"), Taken(), X, N, Y),
    Case("relu6", (NF + "relu6",), lambda x: F.relu6(x), X),
    Case("hardtanh", (NF + "hardtanh",), lambda x: F.hardtanh(x, -0.5), X),
    Case("hardsigmoid", ("torch.nn.Hardsigmoid.forward",), torch.nn.Hardsigmoid(), X),
    Case("prelu", ("torch.nn.PReLU.forward",), torch.nn.PReLU(4, init=0.3), X, N, Y),
    Case("softmax", (NF + "softmax",), lambda x: F.softmax(x, dim=-1), X, N, Y),
    Case("softmax of 2-D", ("torch.Tensor.softmax",), lambda x: x.softmax(1), floats((3, 7))),
    Case("log_softmax", (NF + "log_softmax",), lambda x: F.log_softmax(x, dim=1), X),
    Case("glu", (NF + "glu",), lambda x: F.glu(x, 1), X, N, Y),
    Case(
        "glu over a dynamic axis",
        (NF + "glu",),
        lambda x: F.glu(x, 0),
        floats((4, 3)),
        (({0: 2 * torch.export.Dim("half", min=1, max=64)},),),
        floats((10, 3)),
    ),
]
