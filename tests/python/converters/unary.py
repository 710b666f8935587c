"""Functions of one tensor: many names for one converter."""

import torch
from operators import dims

from converters import Case, floats, positive
from torch2trt import *
from torch2trt import trt

UNARY = {
    "exp": trt.UnaryOperation.EXP,
    "log": trt.UnaryOperation.LOG,
    "sqrt": trt.UnaryOperation.SQRT,
    "reciprocal": trt.UnaryOperation.RECIP,
    "abs": trt.UnaryOperation.ABS,
    "neg": trt.UnaryOperation.NEG,
    "sin": trt.UnaryOperation.SIN,
    "cos": trt.UnaryOperation.COS,
    "tan": trt.UnaryOperation.TAN,
    "sinh": trt.UnaryOperation.SINH,
    "cosh": trt.UnaryOperation.COSH,
    "asin": trt.UnaryOperation.ASIN,
    "acos": trt.UnaryOperation.ACOS,
    "atan": trt.UnaryOperation.ATAN,
    "ceil": trt.UnaryOperation.CEIL,
    "floor": trt.UnaryOperation.FLOOR,
    "erf": trt.UnaryOperation.ERF,
    "sign": trt.UnaryOperation.SIGN,
}


def register(name, op):
    @tensorrt_converter(f"torch.{name}")
    @tensorrt_converter(f"torch.Tensor.{name}")
    def convert_unary(ctx):
        input_trt = add_missing_trt_tensors(ctx.network, [get_arg(ctx, "input", pos=0, default=None)])[0]
        ctx.method_return._trt = ctx.network.add_unary(input_trt, op).get_output(0)


for name, op in UNARY.items():
    register(name, op)


@tensorrt_converter("torch.rsqrt")
def convert_rsqrt(ctx):
    root = ctx.network.add_unary(ctx.method_args[0]._trt, trt.UnaryOperation.SQRT).get_output(0)
    ctx.method_return._trt = ctx.network.add_unary(root, trt.UnaryOperation.RECIP).get_output(0)


@tensorrt_converter("torch.log1p")
def convert_log1p(ctx):
    x, one = trt_(ctx.network, ctx.method_args[0], 1.0)
    total = ctx.network.add_elementwise(x, one, trt.ElementWiseOperation.SUM).get_output(0)
    ctx.method_return._trt = ctx.network.add_unary(total, trt.UnaryOperation.LOG).get_output(0)


@tensorrt_converter("torch.square")
def convert_square(ctx):
    layer = ctx.network.add_scale(ctx.method_args[0]._trt, trt.ScaleMode.UNIFORM, None, None, torch.tensor([2.0]))
    ctx.method_return._trt = layer.get_output(0)


@tensorrt_converter("torch.Tensor.half")
def convert_half(ctx):
    ctx.method_return._trt = ctx.network.add_cast(ctx.method_args[0]._trt, trt.float16).get_output(0)


@tensorrt_converter("torch.Tensor.float")
def convert_float(ctx):
    layer = ctx.network.add_identity(ctx.method_args[0]._trt)
    layer.set_output_type(0, trt.float32)
    ctx.method_return._trt = layer.get_output(0)


def inputs(name):
    if name in ("log", "sqrt", "reciprocal"):
        return positive((2, 3, 4)), positive((5, 3, 4))
    if name in ("asin", "acos", "tan"):
        return tuple(lambda shape=shape: (torch.rand(shape) * 1.8 - 0.9,) for shape in ((2, 3, 4), (5, 3, 4)))
    return floats((2, 3, 4)), floats((5, 3, 4))


def method(name):
    return lambda x: getattr(x, name)()


CASES = [
    *(
        Case(
            name,
            (f"torch.{name}",),
            lambda x, f=getattr(torch, name): f(x),
            inputs(name)[0],
            dims({0: "n"}),
            inputs(name)[1],
        )
        for name in UNARY
    ),
    *(Case(f"Tensor.{name}", (f"torch.Tensor.{name}",), method(name), inputs(name)[0]) for name in UNARY),
    Case("rsqrt", ("torch.rsqrt",), torch.rsqrt, positive((2, 3))),
    Case("log1p", ("torch.log1p",), torch.log1p, positive((2, 3)), dims({0: "n"}), positive((7, 3))),
    Case("square", ("torch.square",), torch.square, floats((2, 3, 4, 5))),
    Case(
        "there and back",
        ("torch.Tensor.half", "torch.Tensor.float"),
        lambda x: x.half().float(),
        floats((2, 3)),
        tolerance=1e-3,
    ),
]
