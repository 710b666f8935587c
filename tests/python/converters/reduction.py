"""Reductions, running sums, and the largest elements."""

import numpy as np
import torch
from operators import dims

from converters import Case, floats, positive
from torch2trt import *
from torch2trt import trt


def reduce(ctx, op):
    x = ctx.method_args[0]
    dim = get_arg(ctx, "dim", 1, None)
    if dim is None:
        dim = tuple(range(x.dim()))
    dim = torch_dim_resolve_negative(tuple(dim) if isinstance(dim, list) else dim, x.dim())
    keepdim = get_arg(ctx, "keepdim", 2, False)
    return ctx.network.add_reduce(x._trt, op, torch_dim_to_trt_axes(dim), keepdim).get_output(0)


@tensorrt_converter("torch.sum")
@tensorrt_converter("torch.Tensor.sum")
def convert_sum(ctx):
    ctx.method_return._trt = reduce(ctx, trt.ReduceOperation.SUM)


@tensorrt_converter("torch.mean")
@tensorrt_converter("torch.Tensor.mean")
def convert_mean(ctx):
    ctx.method_return._trt = reduce(ctx, trt.ReduceOperation.AVG)


@tensorrt_converter("torch.prod")
def convert_prod(ctx):
    ctx.method_return._trt = reduce(ctx, trt.ReduceOperation.PROD)


@tensorrt_converter("torch.amax")
def convert_amax(ctx):
    ctx.method_return._trt = reduce(ctx, trt.ReduceOperation.MAX)


@tensorrt_converter("torch.amin")
def convert_amin(ctx):
    ctx.method_return._trt = reduce(ctx, trt.ReduceOperation.MIN)


@tensorrt_converter("torch.max")
@tensorrt_converter("torch.Tensor.max")
def convert_max(ctx):
    x = ctx.method_args[0]
    if isinstance(ctx.method_return, torch.Tensor):
        ctx.method_return._trt = reduce(ctx, trt.ReduceOperation.MAX)
        return
    values, indices = ctx.method_return
    dim = get_arg(ctx, "dim", 1, None) % x.dim()
    layer = ctx.network.add_topk(x._trt, trt.TopKOperation.MAX, 1, 1 << dim)
    for output, result in ((0, values), (1, indices)):  # the indices are int32 here and int64 in PyTorch
        squeeze = ctx.network.add_shuffle(layer.get_output(output))
        squeeze.reshape_dims = tuple(size for k, size in enumerate(x.shape) if k != dim)
        result._trt = squeeze.get_output(0)


@tensorrt_converter("torch.argmin")
def convert_argmin(ctx):
    x = ctx.method_args[0]
    layer = ctx.network.add_topk(x._trt, trt.TopKOperation.MIN, 1, 1 << (get_arg(ctx, "dim", 1, None) % x.dim()))
    ctx.method_return._trt = layer.get_output(1)


@tensorrt_converter("torch.topk")
def convert_topk(ctx):
    x, k = ctx.method_args[:2]
    layer = ctx.network.add_topk(x._trt, trt.TopKOperation.MAX, k, 1 << (get_arg(ctx, "dim", 2, -1) % x.dim()))
    values, indices = ctx.method_return
    values._trt, indices._trt = layer.get_output(0), layer.get_output(1)


@tensorrt_converter("torch.cumsum")
def convert_cumsum(ctx):
    x = ctx.method_args[0]
    axis = ctx.network.add_constant((), np.array(get_arg(ctx, "dim", 1, None) % x.dim(), np.int32)).get_output(0)
    layer = ctx.network.add_cumulative(x._trt, axis, trt.CumulativeOperation.SUM, False, False)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.var")
def convert_var(ctx):
    x = ctx.method_args[0]
    dim, correction = ctx.method_kwargs["dim"], ctx.method_kwargs.get("correction", 1)
    axes, sub, prod = torch_dim_to_trt_axes(dim), trt.ElementWiseOperation.SUB, trt.ElementWiseOperation.PROD
    mean = ctx.network.add_reduce(x._trt, trt.ReduceOperation.AVG, axes, True).get_output(0)
    centred = ctx.network.add_elementwise(x._trt, mean, sub).get_output(0)
    squares = ctx.network.add_elementwise(centred, centred, prod).get_output(0)
    total = ctx.network.add_reduce(squares, trt.ReduceOperation.SUM, axes, False).get_output(0)
    # The number of elements may depend on the input: it is a size, and so a tensor.
    count = make_int_wrapper(x.shape[dim] - correction)
    count = ctx.network.add_cast(count._trt, trt.float32).get_output(0)
    count = broadcast_trt_tensors(ctx.network, [count], len(total.shape))[0]
    ctx.method_return._trt = ctx.network.add_elementwise(total, count, trt.ElementWiseOperation.DIV).get_output(0)


@tensorrt_converter("torch.norm")
def convert_norm(ctx):
    x = ctx.method_args[0]
    y = ctx.network.add_elementwise(x._trt, x._trt, trt.ElementWiseOperation.PROD).get_output(0)
    axes = torch_dim_to_trt_axes(ctx.method_kwargs["dim"], x.dim())
    y = ctx.network.add_reduce(y, trt.ReduceOperation.SUM, axes, bool(ctx.method_kwargs.get("keepdim"))).get_output(0)
    ctx.method_return._trt = ctx.network.add_unary(y, trt.UnaryOperation.SQRT).get_output(0)


X, Y = floats((2, 3, 4)), floats((5, 3, 4))
N = dims({0: "n"})

CASES = [
    Case("sum", ("torch.sum",), lambda x: torch.sum(x, 1), X, N, Y),
    Case("sum of all", ("torch.Tensor.sum",), lambda x: x.sum(), X, N, Y),
    Case("mean", ("torch.mean",), lambda x: torch.mean(x, [0, 2], keepdim=True), X, N, Y),
    Case("mean of a negative axis", ("torch.Tensor.mean",), lambda x: x.mean(-1), X),
    Case("prod", ("torch.prod",), lambda x: torch.prod(x, 2), positive((2, 3, 4))),
    Case("amax", ("torch.amax",), lambda x: torch.amax(x, (1, 2)), X),
    Case("amin", ("torch.amin",), lambda x: torch.amin(x, 0), X, N, Y),
    Case("max of all", ("torch.max",), lambda x: torch.max(x), X, N, Y),
    Case("max with indices", ("torch.max",), lambda x: torch.max(x, 1), X, N, Y),
    Case("max values alone", ("torch.Tensor.max",), lambda x: x.max(dim=2).values, X, N, Y),
    Case("argmin", ("torch.argmin",), lambda x: torch.argmin(x, dim=1, keepdim=True), X, N, Y),
    Case("topk", ("torch.topk",), lambda x: torch.topk(x, 2, dim=1), X, N, Y),
    Case("cumsum", ("torch.cumsum",), lambda x: torch.cumsum(x, 1), X, N, Y),
    Case("var", ("torch.var",), lambda x: torch.var(x, dim=0), floats((4, 3)), N, floats((9, 3))),
    Case("norm", ("torch.norm",), lambda x: torch.norm(x, dim=1, keepdim=True), X, N, Y),
]
