"""Slices, joins, reshapes and indices, with sizes that the inputs decide."""

import numpy as np
import torch
from operators import dims

from converters import Case, floats
from torch2trt import *
from torch2trt import trt


@tensorrt_converter("torch.Tensor.view")
@tensorrt_converter("torch.Tensor.reshape")
def convert_view(ctx):
    x = ctx.method_args[0]
    try:
        iter(ctx.method_args[1])
        size = make_size_wrapper(ctx.method_args[1])
    except TypeError:
        size = make_size_wrapper(ctx.method_args[1:])
    layer = ctx.network.add_shuffle(x._trt)
    layer.set_input(1, size._trt)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.flatten")
def convert_flatten(ctx):
    x = ctx.method_args[0]
    start = torch_dim_resolve_negative(get_arg(ctx, "start_dim", 1, 0), x.ndim)[0]
    shape = ctx.network.add_shape(x._trt).get_output(0)
    parts = [ctx.network.add_slice(shape, [i], [1], [1]).get_output(0) for i in range(start)]
    parts.append(ctx.network.add_constant([1], np.array([-1], dtype=trt_int_dtype())).get_output(0))
    layer = ctx.network.add_shuffle(x._trt)
    layer.set_input(1, ctx.network.add_concatenation(parts).get_output(0))
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.Tensor.permute")
def convert_permute(ctx):
    x, first = ctx.method_args[:2]
    layer = ctx.network.add_shuffle(x._trt)
    layer.second_transpose = tuple(ctx.method_args[1:]) if isinstance(first, int) else tuple(first)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.transpose")
@tensorrt_converter("torch.Tensor.transpose")
def convert_transpose(ctx):
    x = ctx.method_args[0]
    order = list(range(x.ndim))
    a, b = torch_dim_resolve_negative(tuple(ctx.method_args[1:]), x.ndim)
    order[a], order[b] = b, a
    layer = ctx.network.add_shuffle(x._trt)
    layer.first_transpose = order
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.Tensor.unsqueeze")
@tensorrt_converter("torch.unsqueeze")
def convert_unsqueeze(ctx):
    x = ctx.method_args[0]
    dim = get_arg(ctx, "dim", 1, None) % (x.ndim + 1)
    layer = ctx.network.add_shuffle(x._trt)
    layer.reshape_dims = (*x.shape[:dim], 1, *x.shape[dim:])
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.Tensor.squeeze")
def convert_squeeze(ctx):
    x = ctx.method_args[0]
    dim = get_arg(ctx, "dim", 1, None) % x.ndim
    axes = ctx.network.add_constant((1,), np.array([dim], np.int32)).get_output(0)
    ctx.method_return._trt = ctx.network.add_squeeze(x._trt, axes).get_output(0)


@tensorrt_converter("torch.Tensor.expand")
def convert_expand(ctx):
    x, shape = ctx.method_args[0], ctx.method_return.shape
    stride = tuple(int(i == o) for i, o in zip(x.shape, shape))
    layer = ctx.network.add_slice(x._trt, (0,) * len(shape), shape, stride)
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.cat")
def convert_cat(ctx):
    tensors = get_arg(ctx, "tensors", 0, None)
    layer = ctx.network.add_concatenation(inputs=[t._trt for t in tensors])
    layer.axis = get_arg(ctx, "dim", 1, 0) % tensors[0].ndim
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.stack")
def convert_stack(ctx):
    tensors, dim = get_arg(ctx, "tensors", 0, None), get_arg(ctx, "dim", 1, 0) % ctx.method_return.dim()
    parts = []
    for tensor in tensors:
        layer = ctx.network.add_shuffle(trt_(ctx.network, tensor))
        layer.reshape_dims = (*tensor.shape[:dim], 1, *tensor.shape[dim:])
        parts.append(layer.get_output(0))
    layer = ctx.network.add_concatenation(parts)
    layer.axis = dim
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.split")
@tensorrt_converter("torch.chunk")
@tensorrt_converter("torch.Tensor.chunk")
def convert_split_or_chunk(ctx):
    x, dim = ctx.method_args[0], get_arg(ctx, "dim", 2, 0)
    start = [0] * x.dim()
    for output in ctx.method_return:
        shape = list(output.shape)
        output._trt = ctx.network.add_slice(x._trt, start=start, shape=shape, stride=[1] * x.dim()).get_output(0)
        start[dim] = start[dim] + shape[dim]


def slice_to_trt(dim_size, dim_slice):
    start = make_int_wrapper(0 if dim_slice.start is None else dim_slice.start)
    stop = make_int_wrapper(dim_size if dim_slice.stop is None else dim_slice.stop)
    stride = make_int_wrapper(1 if dim_slice.step is None else dim_slice.step)
    if start < 0:
        start = dim_size + start
    if stop < 0:
        stop = dim_size + stop
    return start, (stop - start - 1) // stride + 1, stride


@tensorrt_converter("torch.Tensor.__getitem__")
def convert_getitem(ctx):
    x, slices = ctx.method_args
    slices = list(slices) if isinstance(slices, tuple) else [slices]
    taken = sum(isinstance(s, (slice, int)) for s in slices)
    if Ellipsis in [s for s in slices if s is Ellipsis]:
        k = next(k for k, s in enumerate(slices) if s is Ellipsis)
        slices[k : k + 1] = [slice(None)] * (x.ndim - taken)
    else:
        slices += [slice(None)] * (x.ndim - taken)
    starts, sizes, strides, final, axis = [], [], [], [], 0
    for s in slices:
        if s is None:
            final.append(1)
            continue
        size = x.size(axis)
        if isinstance(s, slice):
            start, count, stride = slice_to_trt(size, s)
            final.append(count)
        else:
            start, count, stride = (s if s >= 0 else size + s), 1, 1
        starts.append(start)
        sizes.append(count)
        strides.append(stride)
        axis += 1
    starts, sizes, strides = map(make_size_wrapper, (starts, sizes, strides))
    layer = ctx.network.add_slice(x._trt, starts, sizes, strides)
    layer.set_input(1, starts._trt)
    layer.set_input(2, sizes._trt)
    layer.set_input(3, strides._trt)
    y = layer.get_output(0)
    if len(final) != len(starts) or any(not isinstance(s, slice) for s in slices):
        layer = ctx.network.add_shuffle(y)
        layer.set_input(1, make_size_wrapper(final)._trt) if final else setattr(layer, "reshape_dims", ())
        y = layer.get_output(0)
    ctx.method_return._trt = y


@tensorrt_converter("torch.narrow")
def convert_narrow(ctx):
    x, dim, start, length = ctx.method_args
    starts, shape = [0] * x.dim(), list(x.shape)
    starts[dim], shape[dim] = start, length
    ctx.method_return._trt = ctx.network.add_slice(x._trt, starts, shape, [1] * x.dim()).get_output(0)


@tensorrt_converter("torch.Tensor.narrow")
def convert_narrow_along_axes(ctx):
    x, dim, start, length = ctx.method_args
    layer = ctx.network.add_slice(x._trt, [start], [length], [1])
    layer.set_input(5, ctx.network.add_constant((1,), np.array([dim], np.int32)).get_output(0))
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.roll")
def convert_roll(ctx):
    x, shift, dim = ctx.method_args
    start = [0] * x.ndim
    start[dim] = x.shape[dim] - shift
    layer = ctx.network.add_slice(x._trt, start, tuple(x.shape), [1] * x.ndim)
    layer.set_input(2, ctx.network.add_shape(x._trt).get_output(0))
    layer.mode = trt.SliceMode.WRAP
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.flip")
def convert_flip(ctx):
    x, axes = ctx.method_args
    start = [size - 1 if k in axes else 0 for k, size in enumerate(x.shape)]
    stride = [-1 if k in axes else 1 for k in range(x.ndim)]
    ctx.method_return._trt = ctx.network.add_slice(x._trt, start, x.shape, stride).get_output(0)


@tensorrt_converter("torch.Tensor.repeat")
def convert_repeat(ctx):
    x, counts = ctx.method_args[0], ctx.method_args[1:]
    shape = tuple(size * count for size, count in zip(x.shape, counts))
    layer = ctx.network.add_slice(x._trt, [0] * x.ndim, shape, [1] * x.ndim)
    layer.mode = trt.SampleMode.WRAP
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.index_select")
def convert_index_select(ctx):
    x, dim, index = ctx.method_args
    ctx.method_return._trt = ctx.network.add_gather(x._trt, index._trt, dim).get_output(0)


@tensorrt_converter("torch.gather")
def convert_gather(ctx):
    x, dim, index = ctx.method_args
    layer = ctx.network.add_gather_v2(x._trt, index._trt, trt.GatherMode.ELEMENT)
    layer.axis = dim
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.scatter")
def convert_scatter(ctx):
    x, dim, index, source = ctx.method_args
    layer = ctx.network.add_scatter(x._trt, index._trt, source._trt, trt.ScatterMode.ELEMENT)
    layer.axis = dim
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.nn.Embedding.forward")
def convert_embedding(ctx):
    module, index = ctx.method_args
    table = ctx.network.add_constant(tuple(module.weight.shape), module.weight).get_output(0)
    ctx.method_return._trt = ctx.network.add_gather(table, index._trt, 0).get_output(0)


@tensorrt_converter("torch.arange")
def convert_arange(ctx):
    # Not called: nothing of the model's input goes in, and nothing comes out but a constant.
    raise AssertionError("arange has no tensor arguments")


@tensorrt_converter("torch.nn.functional.one_hot")
def convert_one_hot(ctx):
    index, count = ctx.method_args
    constant = lambda shape, array: ctx.network.add_constant(shape, array).get_output(0)  # noqa: E731
    values, depth = constant((2,), np.array([0, 1], np.int32)), constant((), np.array(count, np.int32))
    ctx.method_return._trt = ctx.network.add_one_hot(index._trt, values, depth, -1).get_output(0)


@tensorrt_converter("torch.full_like")
def convert_full_like(ctx):
    x, value = ctx.method_args
    layer = ctx.network.add_fill(x.shape, trt.FillOperation.LINSPACE)
    layer.set_input(0, x.shape._trt)
    start = ctx.network.add_constant((), np.array(value, np.float32)).get_output(0)
    step = ctx.network.add_constant((x.ndim,), np.zeros(x.ndim, np.float32)).get_output(0)
    layer.set_input(1, start)
    layer.set_input(2, step)
    ctx.method_return._trt = layer.get_output(0)


def indices(*shape, high):
    return lambda: (torch.randn(2, 3, 4), torch.randint(0, high, shape))


T = "torch.Tensor."
X, Y = floats((2, 3, 4)), floats((5, 3, 7))
SIZES = dims({0: "n", 2: "w"}, least=3)
INDEX = dims({0: "n"}, {0: "k"})

CASES = [
    Case("view", (T + "view",), lambda x: x.view(x.shape[0], -1), X, dims({0: "n"}), floats((9, 3, 4))),
    Case("view of a product", (T + "view",), lambda x: x.view(x.shape[0] * x.shape[1], x.size(2)), X, SIZES, Y),
    Case("view of a tuple", (T + "view",), lambda x: x.view((3, -1)), X),
    Case("reshape", (T + "reshape",), lambda x: x.reshape([x.shape[2], 3, x.shape[0]]), X, SIZES, Y),
    Case("flatten", ("torch.flatten",), lambda x: torch.flatten(x, 1), X, SIZES, Y),
    Case("permute", (T + "permute",), lambda x: x.permute(2, 0, 1), X, SIZES, Y),
    Case("transpose", ("torch.transpose",), lambda x: torch.transpose(x, 1, -1), X, SIZES, Y),
    Case("unsqueeze", ("torch.unsqueeze",), lambda x: torch.unsqueeze(x, -1), X, SIZES, Y),
    Case("squeeze", (T + "squeeze",), lambda x: x.squeeze(1), floats((2, 1, 4)), SIZES, floats((5, 1, 6))),
    Case("expand", (T + "expand",), lambda x: x.expand(-1, 3, -1), floats((2, 1, 4)), SIZES, floats((5, 1, 6))),
    Case(
        "cat",
        ("torch.cat",),
        lambda x, y: torch.cat([x, y], dim=-1),
        floats((2, 3), (2, 4)),
        dims({0: "n"}, {0: "n"}),
        floats((5, 3), (5, 4)),
    ),
    Case("stack", ("torch.stack",), lambda x: torch.stack([x, x.cos()], -2), X, SIZES, Y),
    Case("chunk", ("torch.chunk",), lambda x: torch.chunk(x, 2, 2), X),
    Case("split", ("torch.split",), lambda x: torch.split(x, 2, 1), X, dims({0: "n"}), floats((6, 3, 4))),
    Case("getitem", (T + "__getitem__",), lambda x: x[:, 1:, ::2], X, SIZES, Y),
    Case("getitem of ints", (T + "__getitem__",), lambda x: x[..., -1], X, SIZES, Y),
    Case("getitem of None", (T + "__getitem__",), lambda x: x[:, None, 1], X, SIZES, Y),
    Case("getitem from the end", (T + "__getitem__",), lambda x: x[:, :, -2:], X, SIZES, Y),
    Case(
        "getitem of a size",
        (T + "__getitem__",),
        lambda x: x[:, :, 1 : x.shape[2] - 1],
        floats((2, 3, 6)),
        dims({2: "w"}, least=5),
        floats((2, 3, 10)),
    ),
    Case("narrow", ("torch.narrow",), lambda x: torch.narrow(x, 1, 1, 2), X, SIZES, Y),
    Case("narrow along axes", (T + "narrow",), lambda x: x.narrow(-2, 1, 2), X, SIZES, Y),
    Case("roll", ("torch.roll",), lambda x: torch.roll(x, 1, 2), X, SIZES, Y),
    Case("flip", ("torch.flip",), lambda x: torch.flip(x, (0, 2)), X, SIZES, Y),
    Case("repeat", (T + "repeat",), lambda x: x.repeat(1, 2, 3), X, SIZES, Y),
    Case(
        "index_select",
        ("torch.index_select",),
        lambda x, i: torch.index_select(x, 1, i),
        indices(5, high=3),
        INDEX,
        lambda: (torch.randn(4, 3, 4), torch.randint(0, 3, (7,))),
    ),
    Case("gather", ("torch.gather",), lambda x, i: torch.gather(x, 1, i), indices(2, 5, 4, high=3)),
    Case(
        "scatter",
        ("torch.scatter",),
        lambda x, i: torch.scatter(x, 1, i, x * 2),
        lambda: (torch.randn(2, 3), torch.rand(2, 3).argsort(1)),
    ),
    Case(
        "embedding",
        ("torch.nn.Embedding.forward",),
        torch.nn.Embedding(10, 6),
        lambda: (torch.randint(0, 10, (2, 5)),),
        dims({0: "n", 1: "t"}),
        lambda: (torch.randint(0, 10, (4, 3)),),
    ),
    Case(
        "one_hot",
        ("torch.nn.functional.one_hot",),
        lambda i: torch.nn.functional.one_hot(i, 7),
        lambda: (torch.randint(0, 7, (2, 5)),),
    ),
    Case("full_like", ("torch.full_like",), lambda x: torch.full_like(x, 2.5) + x, X, SIZES, Y),
]
