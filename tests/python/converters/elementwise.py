"""Arithmetic and comparison of two tensors, or of a tensor and a number."""

import torch
from operators import dims

from converters import Case, floats, positive
from torch2trt import *
from torch2trt import trt


def elementwise(ctx, a, b, op):
    a_trt, b_trt = trt_(ctx.network, a, b)
    return ctx.network.add_elementwise(a_trt, b_trt, op).get_output(0)


@tensorrt_converter("torch.add")
@tensorrt_converter("torch.Tensor.__add__")
@tensorrt_converter("torch.Tensor.__radd__")
@tensorrt_converter("torch.Tensor.__iadd__")
def convert_add(ctx):
    a, b = ctx.method_args[:2]
    ctx.method_return._trt = elementwise(ctx, a, b, trt.ElementWiseOperation.SUM)


@tensorrt_converter("torch.sub")
@tensorrt_converter("torch.Tensor.__sub__")
def convert_sub(ctx):
    a, b = ctx.method_args[:2]
    ctx.method_return._trt = elementwise(ctx, a, b, trt.ElementWiseOperation.SUB)


@tensorrt_converter("torch.Tensor.__rsub__")
def convert_rsub(ctx):
    b, a = ctx.method_args[:2]
    ctx.method_return._trt = elementwise(ctx, a, b, trt.ElementWiseOperation.SUB)


@tensorrt_converter("torch.mul")
@tensorrt_converter("torch.Tensor.__mul__")
@tensorrt_converter("torch.Tensor.__rmul__")
@tensorrt_converter("torch.Tensor.mul_")
def convert_mul(ctx):
    a, b = ctx.method_args[:2]
    ctx.method_return._trt = elementwise(ctx, a, b, trt.ElementWiseOperation.PROD)


@tensorrt_converter("torch.Tensor.__div__")  # Python 2
@tensorrt_converter("torch.div")
@tensorrt_converter("torch.Tensor.__truediv__")
def convert_div(ctx):
    a, b = ctx.method_args[:2]
    ctx.method_return._trt = elementwise(ctx, a, b, trt.ElementWiseOperation.DIV)


@tensorrt_converter("torch.Tensor.__rtruediv__")
def convert_rdiv(ctx):
    b, a = ctx.method_args[:2]
    ctx.method_return._trt = elementwise(ctx, a, b, trt.ElementWiseOperation.DIV)


@tensorrt_converter("torch.pow")
@tensorrt_converter("torch.Tensor.__pow__")
def convert_pow(ctx):
    a, b = ctx.method_args[:2]
    ctx.method_return._trt = elementwise(ctx, a, b, trt.ElementWiseOperation.POW)


@tensorrt_converter("torch.Tensor.__mod__")
def convert_mod(ctx):
    a, b = trt_(ctx.network, *ctx.method_args[:2])
    quotient = ctx.network.add_elementwise(a, b, trt.ElementWiseOperation.FLOOR_DIV).get_output(0)
    product = ctx.network.add_elementwise(quotient, b, trt.ElementWiseOperation.PROD).get_output(0)
    ctx.method_return._trt = ctx.network.add_elementwise(a, product, trt.ElementWiseOperation.SUB).get_output(0)


@tensorrt_converter("torch.maximum")
def convert_maximum(ctx):
    ctx.method_return._trt = elementwise(ctx, *ctx.method_args, trt.ElementWiseOperation.MAX)


@tensorrt_converter("torch.minimum")
def convert_minimum(ctx):
    ctx.method_return._trt = elementwise(ctx, *ctx.method_args, trt.ElementWiseOperation.MIN)


@tensorrt_converter("torch.clamp")
@tensorrt_converter("torch.Tensor.clamp")
def convert_clamp(ctx):
    x = ctx.method_args[0]
    low, high = get_arg(ctx, "min", 1, None), get_arg(ctx, "max", 2, None)
    y = x._trt
    for bound, op in ((low, trt.ElementWiseOperation.MAX), (high, trt.ElementWiseOperation.MIN)):
        if bound is not None:
            shape = (1,) * len(y.shape)
            number = bound * torch.ones(shape, dtype=torch_dtype_from_trt(y.dtype)).cpu().numpy()
            y = ctx.network.add_elementwise(y, ctx.network.add_constant(shape, number).get_output(0), op).get_output(0)
    ctx.method_return._trt = y


@tensorrt_converter("torch.gt")
@tensorrt_converter("torch.Tensor.__gt__")
def convert_gt(ctx):
    ctx.method_return._trt = elementwise(ctx, *ctx.method_args, trt.ElementWiseOperation.GREATER)


@tensorrt_converter("torch.Tensor.__lt__")
def convert_lt(ctx):
    ctx.method_return._trt = elementwise(ctx, *ctx.method_args, trt.ElementWiseOperation.LESS)


@tensorrt_converter("torch.ne")
@tensorrt_converter("torch.Tensor.__ne__")
def convert_ne(ctx):
    equal = elementwise(ctx, *ctx.method_args, trt.ElementWiseOperation.EQUAL)
    ctx.method_return._trt = ctx.network.add_unary(equal, trt.UnaryOperation.NOT).get_output(0)


@tensorrt_converter("torch.where")
def convert_where(ctx):
    condition, a, b = ctx.method_args
    rank = ctx.method_return.dim()
    a_trt, b_trt = add_missing_trt_tensors(ctx.network, [a, b])
    inputs = broadcast_trt_tensors(ctx.network, [condition._trt, a_trt, b_trt], rank)
    ctx.method_return._trt = ctx.network.add_select(*inputs).get_output(0)


@tensorrt_converter("torch.logical_and")
def convert_and(ctx):
    ctx.method_return._trt = elementwise(ctx, *ctx.method_args, trt.ElementWiseOperation.AND)


class Shifted(torch.nn.Module):
    """Adds a parameter and a buffer, which are constants to a converter."""

    def __init__(self):
        super().__init__()
        self.shift = torch.nn.Parameter(torch.randn(1, 3, 1))
        self.register_buffer("slope", torch.randn(4))

    def forward(self, x):
        return torch.mul(torch.add(x, self.shift), self.slope)


def written(x):
    y = x + 0.0
    y += 3
    y.mul_(2.0)
    return y, y - 1


T = "torch.Tensor."
BATCH = dims({0: "n"})
BOTH = dims({0: "n", 1: "c"}, {0: "n", 1: "c"})

CASES = [
    Case("add", ("torch.add",), torch.add, floats((2, 3), (2, 3)), BOTH, floats((5, 4), (5, 4))),
    Case("add a number", (T + "__add__",), lambda x: x + 2, floats((2, 3)), BATCH, floats((6, 3))),
    Case("number on the left", (T + "__radd__",), lambda x: 2 + x, floats((2, 3))),
    Case("broadcast", (T + "__add__",), lambda x, y: x + y, floats((2, 3, 4), (4,))),
    Case("parameters", ("torch.add", "torch.mul"), Shifted(), floats((2, 3, 4)), BATCH, floats((7, 3, 4))),
    Case("in place", (T + "__iadd__", T + "mul_", T + "__sub__"), written, floats((2, 3)), BATCH, floats((4, 3))),
    Case("sub", ("torch.sub",), torch.sub, floats((2, 3), (2, 3))),
    Case("rsub", (T + "__rsub__",), lambda x: 1 - x, floats((2, 3)), BATCH, floats((4, 3))),
    Case("mul", (T + "__mul__",), lambda x, y: x * y, floats((2, 3), (2, 3)), BOTH, floats((1, 2), (1, 2))),
    Case("div", (T + "__truediv__",), lambda x: x / 3, floats((2, 3))),
    Case("rdiv", (T + "__rtruediv__",), lambda x: 3 / x, positive((2, 3))),
    Case("pow", (T + "__pow__",), lambda x: x**2.5, positive((2, 3))),
    Case("mod", (T + "__mod__",), lambda x: x % 1.5, floats((3, 5))),
    Case("maximum", ("torch.maximum",), torch.maximum, floats((2, 3), (2, 3))),
    Case("minimum", ("torch.minimum",), torch.minimum, floats((2, 3), (3,))),
    Case("clamp", ("torch.clamp",), lambda x: torch.clamp(x, -1, 1.5), floats((4, 5)), BATCH, floats((9, 5))),
    Case("clamp from below", (T + "clamp",), lambda x: x.clamp(min=0.5), floats((4, 5))),
    Case("gt", (T + "__gt__",), lambda x: x > 0.25, floats((4, 5))),
    Case("lt", (T + "__lt__",), lambda x, y: x < y, floats((4, 5), (4, 5))),
    Case("ne", ("torch.ne",), lambda x: torch.ne(x.round(), 1), floats((4, 5))),
    Case("where", ("torch.where",), lambda x, y: torch.where(x.isnan(), x, y), floats((4, 5), (5,))),
    Case("and", ("torch.logical_and",), lambda x, y: torch.logical_and(x.isnan(), y.isnan()), floats((4, 5), (5,))),
]
