"""The other layers: quantization, sequences, data-dependent counts, assertions, and layers that are seldom used."""

import numpy as np
import torch
import torchvision
from operators import dims

from converters import Case, floats
from torch2trt import *
from torch2trt import trt


@tensorrt_converter("torch.fake_quantize_per_tensor_affine")
def convert_fake_quantize(ctx):
    x, scale, zero = ctx.method_args[:3]
    assert zero == 0
    scale = ctx.network.add_constant((), np.array(scale, np.float32)).get_output(0)
    quantized = ctx.network.add_quantize(x._trt, scale, trt.int8).get_output(0)
    ctx.method_return._trt = ctx.network.add_dequantize(quantized, scale, trt.float32).get_output(0)


def reverse_first(x, lengths):
    """Each row reversed up to its length."""
    index = torch.arange(x.shape[1])[None]
    back = torch.where(index < lengths[:, None], lengths[:, None] - 1 - index, index)
    return torch.gather(x, 1, back)


@tensorrt_converter(reverse_first)
def convert_reverse_first(ctx):
    x, lengths = ctx.method_args
    lengths = ctx.network.add_cast(lengths._trt, trt.int32).get_output(0)
    layer = ctx.network.add_reverse_sequence(x._trt, lengths)
    layer.batch_axis, layer.sequence_axis = 0, 1
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nonzero")
def convert_nonzero(ctx):
    layer = ctx.network.add_non_zero(ctx.method_args[0]._trt)
    turned = ctx.network.add_shuffle(layer.get_output(0))
    turned.first_transpose = (1, 0)
    ctx.method_return._trt = turned.get_output(0)


@tensorrt_converter("torchvision.ops.nms", imports=["torchvision"])
def convert_nms(ctx):
    boxes, scores, threshold = ctx.method_args
    network, n = ctx.network, boxes.shape[0]

    def reshaped(tensor, shape):
        layer = network.add_shuffle(tensor)
        layer.reshape_dims = shape
        return layer.get_output(0)

    limit = network.add_constant((), np.array(1000, np.int32)).get_output(0)
    layer = network.add_nms(reshaped(boxes._trt, (1, n, 4)), reshaped(scores._trt, (1, n, 1)), limit)
    layer.bounding_box_format = trt.BoundingBoxFormat.CORNER_PAIRS
    layer.topk_box_limit = 1000
    layer.set_input(3, network.add_constant((), np.array(threshold, np.float32)).get_output(0))
    column = network.add_constant((), np.array(2, np.int32)).get_output(0)
    ctx.method_return._trt = network.add_gather(layer.get_output(0), column, 1).get_output(0)


@tensorrt_converter("torch.unsqueeze")
def convert_unsqueeze(ctx):
    x, dim = ctx.method_args
    axes = ctx.network.add_constant((1,), np.array([dim], np.int64)).get_output(0)
    ctx.method_return._trt = ctx.network.add_unsqueeze(x._trt, axes).get_output(0)


@tensorrt_converter("torch.sqrt")
def convert_checked_sqrt(ctx):
    x = ctx.method_args[0]
    limit = ctx.network.add_constant((1,), np.array([100], np.int64)).get_output(0)
    fits = ctx.network.add_elementwise(x.shape[0]._trt, limit, trt.ElementWiseOperation.LESS).get_output(0)
    layer = ctx.network.add_assertion(fits, "more than 99 rows")
    assert layer.num_outputs == 0 and layer.message == "more than 99 rows"
    ctx.method_return._trt = ctx.network.add_unary(x._trt, trt.UnaryOperation.SQRT).get_output(0)


@tensorrt_converter("torch.linspace")
@tensorrt_converter("torch.zeros_like")
def convert_ramp(ctx):
    x = ctx.method_args[0]
    layer = ctx.network.add_fill((), trt.FillOperation.LINSPACE, trt.float32)
    layer.shape, layer.alpha, layer.beta = (x.shape[0],), 0.0, 0.0
    assert layer.operation is trt.FillOperation.LINSPACE and not layer.is_alpha_beta_int64()
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.avg_pool2d")
def convert_by_convolution(ctx):
    """A kernel given as a tensor, not as weights."""
    x, size = ctx.method_args[:2]
    channels = int(x.shape[1])
    kernel = np.full((channels, 1, size, size), 1 / size**2, np.float32)
    layer = ctx.network.add_convolution_nd(x._trt, channels, (size, size), trt.Weights(trt.float32))
    layer.set_input(1, ctx.network.add_constant(kernel.shape, kernel).get_output(0))
    layer.num_groups, layer.stride_nd, layer.padding_mode = channels, (size, size), trt.PaddingMode.CAFFE_ROUND_DOWN
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.take_along_dim")
def convert_take(ctx):
    x, index = ctx.method_args[:2]
    layer = ctx.network.add_gather_v2(x._trt, index._trt, trt.GatherMode.ELEMENT)
    layer.axis, layer.num_elementwise_dims = 1, 0
    ctx.method_return._trt = layer.get_output(0)


def boxes():
    corner = torch.rand(12, 2) * 10
    return torch.cat([corner, corner + 1 + torch.rand(12, 2) * 5], 1), torch.randperm(12) / 12 + 0.01


X, Y = floats((2, 6)), floats((5, 6))
N = dims({0: "n"})

CASES = [
    Case(
        "fake quantize",
        ("torch.fake_quantize_per_tensor_affine",),
        lambda x: torch.fake_quantize_per_tensor_affine(x, 0.05, 0, -128, 127),
        X,
    ),
    Case(
        "reversed sequences",
        ("converters.rest.reverse_first",),
        lambda x, n: reverse_first(x, n),
        lambda: (torch.randn(3, 6), torch.randint(1, 7, (3,))),
        dims({0: "n"}, {0: "n"}),
        lambda: (torch.randn(5, 6), torch.randint(1, 7, (5,))),
    ),
    Case("nonzero", ("torch.nonzero",), lambda x: torch.nonzero(x.relu()), X, rtx=False),
    Case("nms", ("torchvision.ops.nms",), lambda b, s: torchvision.ops.nms(b, s, 0.3), boxes, rtx=False),
    Case("unsqueeze by a tensor", ("torch.unsqueeze",), lambda x: torch.unsqueeze(x, 1), X, N, Y),
    Case("assertion", ("torch.sqrt",), lambda x: torch.sqrt(x.abs()), X, N, Y),
    Case("fill", ("torch.zeros_like",), lambda x: torch.zeros_like(x) + x, floats((4,)), N, floats((7,))),
    Case(
        "convolution with a tensor for a kernel",
        ("torch.nn.functional.avg_pool2d",),
        lambda x: torch.nn.functional.avg_pool2d(x, 2),
        floats((2, 3, 6, 8)),
        dims({0: "n", 2: "h"}, least=4),
        floats((3, 3, 10, 8)),
    ),
    Case(
        "take_along_dim",
        ("torch.take_along_dim",),
        lambda x, i: torch.take_along_dim(x, i, 1),
        lambda: (torch.randn(2, 6), torch.randint(0, 6, (2, 3))),
    ),
]
