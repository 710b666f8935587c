"""Convolution, pooling, resize: by module, by function, and with TensorRT 8's names."""

import torch
import torch.nn.functional as F
from operators import dims

from converters import Case, floats
from torch2trt import *
from torch2trt import trt


def tupled(value, n):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * n


@tensorrt_converter("torch.nn.Conv2d.forward")
def convert_Conv2d(ctx):
    module, x = ctx.method_args
    layer = ctx.network.add_convolution(
        input=x._trt,
        num_output_maps=module.out_channels,
        kernel_shape=module.kernel_size,
        kernel=module.weight.detach().cpu().numpy(),
        bias=None if module.bias is None else module.bias.detach().cpu().numpy(),
    )
    layer.stride = module.stride
    layer.padding = module.padding
    layer.dilation = module.dilation
    if module.groups is not None:
        layer.num_groups = module.groups
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.conv1d")
@tensorrt_converter("torch.nn.functional.conv2d")
@tensorrt_converter("torch.nn.functional.conv3d")
def convert_conv(ctx):
    x = get_arg(ctx, "input", 0, None)
    weight = get_arg(ctx, "weight", 1, None)
    bias = get_arg(ctx, "bias", 2, None)
    n = x.dim() - 2
    kernel = tuple(weight.shape[2:])
    stride, padding, dilation = (
        tupled(get_arg(ctx, name, pos, d), n)
        for name, pos, d in (("stride", 3, 1), ("padding", 4, 0), ("dilation", 5, 1))
    )
    y = x._trt
    if n == 1:
        kernel, stride, padding, dilation = (*kernel, 1), (*stride, 1), (*padding, 0), (*dilation, 1)
        unsqueeze = ctx.network.add_shuffle(y)
        set_layer_precision(ctx, unsqueeze)
        unsqueeze.reshape_dims = (*tuple([0] * x.ndim), 1)
        y = unsqueeze.get_output(0)
    layer = ctx.network.add_convolution_nd(
        input=y,
        num_output_maps=int(weight.shape[0]),
        kernel_shape=kernel,
        kernel=weight.detach().cpu().numpy(),
        bias=trt.Weights(torch_dtype_to_trt(weight.dtype)) if bias is None else bias.detach().cpu().numpy(),
    )
    layer.stride_nd, layer.padding_nd, layer.dilation_nd = stride, padding, dilation
    layer.num_groups = get_arg(ctx, "groups", 6, 1)
    y = layer.get_output(0)
    if n == 1:
        squeeze = ctx.network.add_shuffle(y)
        squeeze.reshape_dims = tuple([0] * x.ndim)
        y = squeeze.get_output(0)
    ctx.method_return._trt = y


@tensorrt_converter("torch.nn.ConvTranspose2d.forward")
def convert_ConvTranspose2d(ctx):
    module, x = ctx.method_args
    layer = ctx.network.add_deconvolution_nd(
        x._trt, module.out_channels, module.kernel_size, module.weight.detach().cpu().numpy()
    )
    if module.bias is not None:
        layer.bias = module.bias.detach().cpu().numpy()
    layer.stride_nd = module.stride
    layer.num_groups = module.groups
    layer.pre_padding = module.padding
    layer.post_padding = tuple(p - o for p, o in zip(module.padding, module.output_padding))
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.max_pool1d")
@tensorrt_converter("torch.nn.functional.max_pool2d")
@tensorrt_converter("torch.nn.functional.max_pool3d")
def convert_max_pool(ctx):
    x = get_arg(ctx, "input", 0, None)
    n = x.dim() - 2
    window = tupled(get_arg(ctx, "kernel_size", 1, None), n)
    stride = tupled(get_arg(ctx, "stride", 2, None) or window, n)
    padding = tupled(get_arg(ctx, "padding", 3, 0), n)
    y = x._trt
    if n == 1:
        window, stride, padding = (*window, 1), (*stride, 1), (*padding, 0)
        y = reshaped(ctx, y, (*tuple([0] * x.ndim), 1))
    layer = ctx.network.add_pooling_nd(input=y, type=trt.PoolingType.MAX, window_size=window)
    layer.stride_nd = stride
    layer.padding_nd = padding
    if get_arg(ctx, "ceil_mode", 5, False):
        layer.padding_mode = trt.PaddingMode.EXPLICIT_ROUND_UP
    y = layer.get_output(0)
    ctx.method_return._trt = reshaped(ctx, y, tuple([0] * x.ndim)) if n == 1 else y


def reshaped(ctx, tensor, shape):
    layer = ctx.network.add_shuffle(tensor)
    layer.reshape_dims = shape
    return layer.get_output(0)


@tensorrt_converter("torch.nn.functional.avg_pool2d")
def convert_avg_pool(ctx):
    x = ctx.method_args[0]
    window = tupled(get_arg(ctx, "kernel_size", 1, None), 2)
    layer = ctx.network.add_pooling(input=x._trt, type=trt.PoolingType.AVERAGE, window_size=window)
    layer.stride = tupled(get_arg(ctx, "stride", 2, None) or window, 2)
    layer.padding = tupled(get_arg(ctx, "padding", 3, 0), 2)
    layer.average_count_excludes_padding = not get_arg(ctx, "count_include_pad", 5, True)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.adaptive_avg_pool2d")
def convert_adaptive_avg_pool2d(ctx):
    x, size = ctx.method_args
    size = tupled(size, 2)
    stride = [x.shape[k - 2] // size[k] for k in range(2)]
    layer = ctx.network.add_pooling_nd(x._trt, trt.PoolingType.AVERAGE, stride)
    layer.stride_nd = stride
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.interpolate")
def convert_interpolate(ctx):
    x = get_arg(ctx, "input", 0, None)
    size, scale = get_arg(ctx, "size", 1, None), get_arg(ctx, "scale_factor", 2, None)
    mode, align = get_arg(ctx, "mode", 3, "nearest"), get_arg(ctx, "align_corners", 4, None)
    n = x.dim() - 2
    layer = ctx.network.add_resize(input=x._trt)
    if size is not None:
        shape = make_size_wrapper([x.size(0), x.size(1), *tupled(size, n)])
        layer.set_input(1, shape._trt)
    else:
        layer.scales = [1, 1, *tupled(scale, n)]
    if mode == "bilinear":
        layer.resize_mode = trt.ResizeMode.LINEAR
        layer.coordinate_transformation = trt.ResizeCoordinateTransformation.HALF_PIXEL
    elif mode == "bicubic":
        layer.resize_mode = trt.InterpolationMode.CUBIC
        layer.coordinate_transformation = trt.ResizeCoordinateTransformation.HALF_PIXEL
    if align:
        layer.coordinate_transformation = trt.ResizeCoordinateTransformation.ALIGN_CORNERS
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.grid_sample")
def convert_grid_sample(ctx):
    x, grid = ctx.method_args[:2]
    layer = ctx.network.add_grid_sample(x._trt, grid._trt)
    layer.align_corners = bool(get_arg(ctx, "align_corners", 4, False))
    layer.sample_mode = (
        trt.SampleMode.CLAMP if get_arg(ctx, "padding_mode", 3, "zeros") == "border" else trt.SampleMode.FILL
    )
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.functional.pad")
def convert_pad(ctx):
    x = ctx.method_args[0]
    pad = get_arg(ctx, "pad", 1, None)
    layer = ctx.network.add_padding(x._trt, (pad[2], pad[0]), (pad[3], pad[1]))
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.pixel_shuffle")
def convert_pixel_shuffle(ctx):
    x, r = ctx.method_args
    n, c, h, w = x.shape
    layer = ctx.network.add_shuffle(x._trt)
    layer.reshape_dims = (n, c // (r * r), r, r, h, w)
    layer.second_transpose = trt.Permutation([0, 1, 4, 2, 5, 3])
    join = ctx.network.add_shuffle(layer.get_output(0))
    join.reshape_dims = (n, c // (r * r), h * r, w * r)
    ctx.method_return._trt = join.get_output(0)


def conv(*args, **kwargs):
    return torch.nn.Conv2d(*args, **kwargs)


NF = "torch.nn.functional."
IMAGE, WIDE = floats((2, 4, 12, 10)), floats((3, 4, 9, 14))
SIZES = dims({0: "n", 2: "h", 3: "w"}, least=6)

CASES = [
    Case("Conv2d", ("torch.nn.Conv2d.forward",), conv(4, 6, 3, 2, 1), IMAGE, SIZES, WIDE),
    Case(
        "Conv2d groups dilated",
        ("torch.nn.Conv2d.forward",),
        conv(4, 8, 3, groups=4, dilation=2, bias=False),
        IMAGE,
        SIZES,
        WIDE,
    ),
    Case(
        "conv1d",
        (NF + "conv1d",),
        torch.nn.Conv1d(4, 6, 3, 2, 1),
        floats((2, 4, 11)),
        dims({0: "n", 2: "l"}, least=4),
        floats((5, 4, 20)),
    ),
    Case("conv2d rectangular", (NF + "conv2d",), lambda x: F.conv2d(x, torch.ones(5, 4, 1, 3), padding=(0, 1)), IMAGE),
    Case("conv3d", (NF + "conv3d",), torch.nn.Conv3d(2, 3, 3, padding=1), floats((1, 2, 5, 6, 7))),
    Case(
        "ConvTranspose2d",
        ("torch.nn.ConvTranspose2d.forward",),
        torch.nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2),
        IMAGE,
        SIZES,
        WIDE,
    ),
    Case("max_pool2d", (NF + "max_pool2d",), torch.nn.MaxPool2d(3, 2, 1), IMAGE, SIZES, WIDE),
    Case("max_pool2d ceil", (NF + "max_pool2d",), lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), IMAGE),
    Case("max_pool1d", (NF + "max_pool1d",), lambda x: F.max_pool1d(x, 3, 2, 1), floats((2, 4, 11))),
    Case("max_pool3d", (NF + "max_pool3d",), lambda x: F.max_pool3d(x, 2), floats((1, 2, 4, 6, 8))),
    Case(
        "avg_pool2d",
        (NF + "avg_pool2d",),
        lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        IMAGE,
        SIZES,
        WIDE,
    ),
    Case("avg_pool2d counts padding", (NF + "avg_pool2d",), lambda x: F.avg_pool2d(x, 3, 2, 1), IMAGE),
    Case(
        "adaptive_avg_pool2d",
        (NF + "adaptive_avg_pool2d",),
        torch.nn.AdaptiveAvgPool2d((3, 2)),
        IMAGE,
        dims({0: "n"}),
        floats((6, 4, 12, 10)),
    ),
    Case("nearest by scale", (NF + "interpolate",), lambda x: F.interpolate(x, scale_factor=2), IMAGE, SIZES, WIDE),
    Case(
        "bilinear to a size",
        (NF + "interpolate",),
        lambda x: F.interpolate(x, (7, 9), mode="bilinear"),
        IMAGE,
        SIZES,
        WIDE,
    ),
    Case(
        "bilinear to another's size",
        (NF + "interpolate",),
        lambda x, y: F.interpolate(x, size=y.shape[2:], mode="bilinear", align_corners=True),
        floats((2, 3, 5, 6), (2, 1, 8, 9)),
        dims({2: "h", 3: "w"}, {2: "p", 3: "q"}, least=2),
        floats((2, 3, 4, 9), (2, 1, 13, 6)),
    ),
    Case("bicubic", (NF + "interpolate",), lambda x: F.interpolate(x, scale_factor=2.0, mode="bicubic"), IMAGE),
    Case(
        "grid_sample",
        (NF + "grid_sample",),
        lambda x, g: F.grid_sample(x, g.tanh(), align_corners=False),
        floats((2, 3, 5, 6), (2, 4, 7, 2)),
        tolerance=1e-4,
    ),
    Case("pad", (NF + "pad",), lambda x: F.pad(x, (1, 2, 3, 0)), IMAGE, SIZES, WIDE),
    Case("pixel_shuffle", ("torch.pixel_shuffle",), lambda x: torch.pixel_shuffle(x, 2), IMAGE, SIZES, WIDE),
]
