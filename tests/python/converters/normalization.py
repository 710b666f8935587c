"""Normalizations, with TensorRT's own layer, as scales, and written out."""

import numpy as np
import torch
import torch.nn.functional as F
from operators import dims

from converters import Case, floats
from torch2trt import *
from torch2trt import trt


@tensorrt_converter("torch.nn.functional.batch_norm")
def convert_batch_norm(ctx):
    x, mean, var, weight, bias = (
        get_arg(ctx, n, k, None) for k, n in enumerate(("input", "running_mean", "running_var", "weight", "bias"))
    )
    eps = get_arg(ctx, "eps", 7, 1e-5)
    scale = weight.detach().cpu().numpy() / np.sqrt(var.detach().cpu().numpy() + eps)
    shift = bias.detach().cpu().numpy() - mean.detach().cpu().numpy() * scale
    layer = ctx.network.add_scale_nd(x._trt, trt.ScaleMode.CHANNEL, shift, scale, np.ones_like(scale), 1)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.layer_norm")
def convert_layer_norm(ctx):
    x, shape = ctx.method_args[:2]
    weight, bias, eps = (
        get_arg(ctx, n, k, d) for k, n, d in ((2, "weight", None), (3, "bias", None), (4, "eps", 1e-5))
    )
    dim = torch_dim_resolve_negative(tuple(-i - 1 for i in range(len(shape))), x.ndim)
    constant_shape = (1,) * (x.ndim - len(shape)) + tuple(shape)
    scale = np.ones(shape, np.float32) if weight is None else weight.detach().cpu().numpy()
    shift = np.zeros(shape, np.float32) if bias is None else bias.detach().cpu().numpy()
    scale, shift = (ctx.network.add_constant(constant_shape, array).get_output(0) for array in (scale, shift))
    layer = ctx.network.add_normalization(x._trt, scale, shift, torch_dim_to_trt_axes(dim))
    layer.epsilon = eps
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.group_norm")
def convert_group_norm(ctx):
    x, groups = ctx.method_args[:2]
    weight, bias, eps = (
        get_arg(ctx, n, k, d) for k, n, d in ((2, "weight", None), (3, "bias", None), (4, "eps", 1e-5))
    )
    x_trt, eps_trt = add_missing_trt_tensors(ctx.network, [x, eps])
    shape = list(x.shape)
    split = [*shape[:1], groups, shape[1] // groups, *shape[2:]]
    layer = ctx.network.add_shuffle(x_trt)
    layer.reshape_dims = split
    a = layer.get_output(0)
    axes = torch_dim_to_trt_axes(tuple(range(2, len(split))))
    mean = ctx.network.add_reduce(a, trt.ReduceOperation.AVG, axes, True).get_output(0)
    centred = ctx.network.add_elementwise(a, mean, trt.ElementWiseOperation.SUB).get_output(0)
    squares = ctx.network.add_elementwise(centred, centred, trt.ElementWiseOperation.PROD).get_output(0)
    var = ctx.network.add_reduce(squares, trt.ReduceOperation.AVG, axes, True).get_output(0)
    var, eps_trt = broadcast_trt_tensors(ctx.network, [var, eps_trt], len(split))
    var = ctx.network.add_elementwise(var, eps_trt, trt.ElementWiseOperation.SUM).get_output(0)
    deviation = ctx.network.add_unary(var, trt.UnaryOperation.SQRT).get_output(0)
    layer = ctx.network.add_shuffle(
        ctx.network.add_elementwise(centred, deviation, trt.ElementWiseOperation.DIV).get_output(0)
    )
    layer.reshape_dims = shape
    scale, shift = weight.detach().cpu().numpy(), bias.detach().cpu().numpy()
    layer = ctx.network.add_scale_nd(layer.get_output(0), trt.ScaleMode.CHANNEL, shift, scale, np.ones_like(scale), 1)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.instance_norm")
def convert_instance_norm(ctx):
    x, eps = ctx.method_args[0]._trt, np.array([get_arg(ctx, "eps", 7, 1e-5)], dtype=np.float32)
    one, axes = np.ones_like(eps), torch_dim_to_trt_axes((2, 3))
    mean = ctx.network.add_reduce(x, trt.ReduceOperation.AVG, axes, True).get_output(0)
    delta = ctx.network.add_elementwise(x, mean, trt.ElementWiseOperation.SUB).get_output(0)
    var = ctx.network.add_scale(delta, trt.ScaleMode.UNIFORM, np.zeros_like(eps), one, 2 * one).get_output(0)
    var = ctx.network.add_reduce(var, trt.ReduceOperation.AVG, axes, True).get_output(0)
    deviation = ctx.network.add_scale(var, trt.ScaleMode.UNIFORM, eps, one, 0.5 * one).get_output(0)
    ctx.method_return._trt = ctx.network.add_elementwise(delta, deviation, trt.ElementWiseOperation.DIV).get_output(0)


@tensorrt_converter("torch.nn.functional.normalize")
def convert_normalize(ctx):
    x, dim = ctx.method_args[0], get_arg(ctx, "dim", 2, 1)
    tensors = add_missing_trt_tensors(ctx.network, [x, get_arg(ctx, "eps", 3, 1e-12), 2.0, 0.5])
    x_trt, eps, p, inverse = broadcast_trt_tensors(ctx.network, tensors, x.ndim)
    norm = ctx.network.add_unary(x_trt, trt.UnaryOperation.ABS).get_output(0)
    norm = ctx.network.add_elementwise(norm, p, trt.ElementWiseOperation.POW).get_output(0)
    norm = ctx.network.add_reduce(norm, trt.ReduceOperation.SUM, torch_dim_to_trt_axes(dim), keep_dims=True).get_output(
        0
    )
    norm = ctx.network.add_elementwise(norm, inverse, trt.ElementWiseOperation.POW).get_output(0)
    norm = ctx.network.add_elementwise(norm, eps, trt.ElementWiseOperation.MAX).get_output(0)
    ctx.method_return._trt = ctx.network.add_elementwise(x_trt, norm, trt.ElementWiseOperation.DIV).get_output(0)


@tensorrt_converter("torch.nn.LocalResponseNorm.forward")
def convert_lrn(ctx):
    module, x = ctx.method_args
    layer = ctx.network.add_lrn(x._trt, module.size, module.alpha, module.beta, module.k)
    ctx.method_return._trt = layer.get_output(0)


def filled(module):
    """The module with random parameters and statistics."""
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.is_floating_point():
            torch.nn.init.uniform_(tensor, 0.5, 1.5) if "var" in name else torch.nn.init.normal_(tensor)
    return module.eval()


NF = "torch.nn.functional."
IMAGE, OTHER = floats((2, 4, 6, 5)), floats((3, 4, 7, 9))
SIZES = dims({0: "n", 2: "h", 3: "w"}, least=2)

CASES = [
    Case("batch_norm 2d", (NF + "batch_norm",), filled(torch.nn.BatchNorm2d(4)), IMAGE, SIZES, OTHER),
    Case(
        "batch_norm 1d",
        (NF + "batch_norm",),
        filled(torch.nn.BatchNorm1d(4)),
        floats((3, 4)),
        dims({0: "n"}),
        floats((8, 4)),
    ),
    Case(
        "layer_norm", (NF + "layer_norm",), filled(torch.nn.LayerNorm(5)), IMAGE, dims({0: "n"}), floats((5, 4, 6, 5))
    ),
    Case("layer_norm of two axes", (NF + "layer_norm",), torch.nn.LayerNorm((6, 5), elementwise_affine=False), IMAGE),
    Case("group_norm", (NF + "group_norm",), filled(torch.nn.GroupNorm(2, 4)), IMAGE, SIZES, OTHER, tolerance=1e-4),
    Case("instance_norm", (NF + "instance_norm",), lambda x: F.instance_norm(x), IMAGE, SIZES, OTHER, tolerance=1e-4),
    Case("normalize", (NF + "normalize",), lambda x: F.normalize(x, dim=1), IMAGE, SIZES, OTHER),
    Case(
        "local response", ("torch.nn.LocalResponseNorm.forward",), torch.nn.LocalResponseNorm(3, 0.5, 0.7, 1.5), IMAGE
    ),
]
