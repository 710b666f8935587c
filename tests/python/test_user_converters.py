"""What errors users of `@tensorrt_converter` get, and what they may rely on."""

from __future__ import annotations

import importlib.util
import inspect
import json
import logging
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import torch2trt as package
from torch2trt import (
    CONVERTERS,
    Error,
    IntWrapper,
    add_missing_trt_tensors,
    get_conversion_context,
    tensorrt_converter,
    torch2trt,
    trt,
)

HERE = Path(__file__).name
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def no_converters():
    before = dict(CONVERTERS)
    CONVERTERS.clear()
    yield
    CONVERTERS.clear()
    CONVERTERS.update(before)


class Net(nn.Module):
    """Calls a ReLU, registered below, two modules deep."""

    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Linear(4, 3), nn.ReLU())

    def forward(self, x):
        return self.block(x) + 1


def convert(module=None, x=None, **options):
    inputs = [torch.randn(2, 4)] if x is None else [x]
    return torch2trt(module or Net().eval(), inputs, backend="cpu", progress=False, **options)


def line_of(function):
    return f"{HERE}:{inspect.unwrap(function).__code__.co_firstlineno}"


def failure(converter, module=None, method="torch.nn.ReLU.forward", **options):
    tensorrt_converter(method)(converter)
    with pytest.raises(Error) as caught:
        convert(module, **options)
    error = caught.value
    assert error.code == "E0108"
    assert f"converter `{converter.__name__}` of {method}" in str(error).splitlines()[0]
    assert line_of(converter) in str(error)
    return error


def relu(ctx):
    layer = ctx.network.add_activation(ctx.method_args[1]._trt, trt.ActivationType.RELU)
    ctx.method_return._trt = layer.get_output(0)


# Errors


def test_a_converter_that_forgets_its_output():
    def forgets(ctx):
        ctx.network.add_activation(ctx.method_args[1]._trt, trt.ActivationType.RELU)

    error = failure(forgets)
    assert "did not set `_trt` of the output, float32[2, 3]" in str(error)
    assert "call: block.1" in str(error) and "arguments: ReLU, float32[2, 3]" in str(error)
    assert "get_output(0)" in error.help


def test_a_converter_that_returns_its_output_instead():
    def returns(ctx):
        return ctx.network.add_activation(ctx.method_args[1]._trt, trt.ActivationType.RELU).get_output(0)

    assert "return value is not looked at" in failure(returns).help


def test_a_converter_that_sets_a_layer():
    def sets_a_layer(ctx):
        ctx.method_return._trt = ctx.network.add_identity(ctx.method_args[1]._trt)

    error = failure(sets_a_layer)
    assert "IIdentityLayer" in str(error) and "get_output(0)" in error.help


def test_a_layer_that_does_not_fit_its_inputs():
    def adds_wrongly(ctx):
        one = ctx.network.add_constant((1,), [1.0]).get_output(0)
        total = ctx.network.add_elementwise(ctx.method_args[1]._trt, one, trt.ElementWiseOperation.SUM)
        ctx.method_return._trt = total.get_output(0)

    def reshapes_wrongly(ctx):
        layer = ctx.network.add_shuffle(ctx.method_args[1]._trt)
        layer.reshape_dims = (3, 3)
        ctx.method_return._trt = layer.get_output(0)

    for converter, words, line in (
        (adds_wrongly, "ranks differ", "total = ctx.network.add_elementwise"),
        (reshapes_wrongly, "[2,3] has 6 elements, [3,3] has 9", "layer = ctx.network.add_shuffle"),
    ):
        error = failure(converter)
        assert words in str(error) and f"layer added at: {__file__}" in str(error) and line in str(error)
        assert "network-api.md" in error.help


def test_a_converter_with_wrong_values_is_the_first_suspect():
    @tensorrt_converter("torch.nn.ReLU.forward")
    def does_nothing(ctx):
        ctx.method_return._trt = ctx.network.add_identity(ctx.method_args[1]._trt).get_output(0)

    with pytest.raises(Error, match="E0702") as caught:
        convert(x=torch.randn(64, 4))
    assert "your own converters" in caught.value.help and "torch.nn.ReLU.forward" in caught.value.help


def test_a_converter_that_raises():
    def raises(ctx):
        raise LookupError("nothing fits")

    error = failure(raises)
    assert "raised LookupError: nothing fits" in str(error).splitlines()[0]
    assert isinstance(error.__cause__, LookupError)
    line = inspect.getsourcelines(raises)[1] + 1
    assert f'{HERE}:{line}: raise LookupError("nothing fits")' in str(error)
    assert 'File "' in "".join(__import__("traceback").format_exception(error))


def test_an_interrupt_is_no_error_of_the_converter():
    def interrupted(ctx):
        raise KeyboardInterrupt

    tensorrt_converter("torch.nn.ReLU.forward")(interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert()


def test_a_constant_where_a_tensor_is_needed():
    class Weighted(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4))

        def forward(self, x):
            return torch.mul(x, self.weight)

    def uses_trt_of_a_parameter(ctx):
        a, b = ctx.method_args
        ctx.method_return._trt = ctx.network.add_elementwise(a._trt, b._trt, trt.ElementWiseOperation.PROD).get_output(
            0
        )

    error = failure(uses_trt_of_a_parameter, Weighted(), "torch.mul")
    assert "add_missing_trt_tensors" in error.help


def test_something_that_is_no_tensor_of_the_network():
    for value, words in ((None, "None"), (torch.zeros(2), "a torch.Tensor"), (3, "int")):

        def passes(ctx, value=value):
            ctx.network.add_identity(value)

        assert f"add_identity(): `input` must be a tensor of the network, got {words}" in str(failure(passes))
        CONVERTERS.clear()


def test_a_tensor_that_never_became_part_of_the_network():
    kept = []

    def keeps(ctx):
        x = ctx.method_args[1]._trt
        if kept:
            x = kept[0]
        kept.append(ctx.network.add_unary(x, trt.UnaryOperation.ABS).get_output(0))
        relu(ctx)
        if len(kept) > 1:
            ctx.method_return._trt = kept[1]

    error = failure(keeps, nn.Sequential(nn.ReLU(), nn.ReLU()))
    assert "never became part of this network" in str(error) and "call: 1" in str(error)


def test_a_tensor_of_an_earlier_call_that_did():
    made = []

    def reuses(ctx):
        if not made:
            relu(ctx)
            made.append(ctx.method_return._trt)
        ctx.method_return._trt = made[0]

    tensorrt_converter("torch.nn.ReLU.forward")(reuses)
    model, x = nn.Sequential(nn.ReLU(), nn.ReLU()), torch.randn(3, 4)
    assert torch.equal(convert(model, x)(x), model(x))


def test_a_layer_that_does_not_fit():
    def multiplies(ctx):
        x = ctx.method_args[1]._trt
        ctx.method_return._trt = ctx.network.add_matrix_multiply(x, False, x, False).get_output(0)

    error = failure(multiplies)
    assert "MatrixMultiply layer: the contracted sizes differ (3 and 2)" in str(error)


def test_an_output_of_another_shape_or_type():
    def sums(ctx):
        x = ctx.method_args[1]._trt
        ctx.method_return._trt = ctx.network.add_reduce(x, trt.ReduceOperation.SUM, 1, True).get_output(0)

    assert "made float32[1,3] of the output, in PyTorch it is float32[2, 3]" in str(failure(sums))
    CONVERTERS.clear()

    def compares(ctx):
        x = ctx.method_args[1]._trt
        ctx.method_return._trt = ctx.network.add_elementwise(x, x, trt.ElementWiseOperation.EQUAL).get_output(0)

    assert "made bool[2,3] of the output" in str(failure(compares))


def test_a_size_taken_out_of_its_wrapper():
    def freezes(ctx):
        x = ctx.method_args[0]
        layer = ctx.network.add_shuffle(x._trt)
        layer.reshape_dims = (int(x.shape[0]), 4, 1)
        ctx.method_return._trt = layer.get_output(0)

    class Unsqueezed(nn.Module):
        def forward(self, x):
            return x.unsqueeze(-1)

    shapes = {"x": {0: torch.export.Dim("n", min=1, max=8)}}
    error = failure(freezes, Unsqueezed(), "torch.Tensor.unsqueeze", dynamic_shapes=shapes)
    assert "IntWrapper" in error.help


def test_values_are_not_known():
    def reads(ctx):
        np.asarray(ctx.method_args[1].detach().cpu().numpy())

    assert "values of this tensor are not known while converting" in str(failure(reads))


def test_layers_and_attributes_that_are_not_there():
    def plugs(ctx):
        ctx.network.add_rnn_v2()

    error = failure(plugs)
    assert "network.add_rnn_v2 is not supported: TensorRT dropped it in version 10" in str(error)
    CONVERTERS.clear()

    def misspells(ctx):
        layer = ctx.network.add_softmax(ctx.method_args[1]._trt)
        layer.axis = 1

    assert "ISoftMaxLayer has no attribute `axis`, did you mean `axes`?" in str(failure(misspells))


def test_inputs_and_outputs_belong_to_the_model():
    def marks(ctx):
        ctx.network.mark_output(ctx.method_args[1]._trt)

    assert "cannot mark outputs" in str(failure(marks))


def test_the_network_is_lent_for_one_call():
    kept = []

    def keeps(ctx):
        kept.append(ctx)
        relu(ctx)

    tensorrt_converter("torch.nn.ReLU.forward")(keeps)
    convert()
    with pytest.raises(Error, match="no converter is running"):
        get_conversion_context()
    with pytest.raises(Error, match="had returned") as caught:
        kept[0].network._finish([kept[0].network.add_identity(kept[0].method_args[1]._trt).get_output(0)])
    assert caught.value.code == "E0108"


# Registration


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torch.nn.Rellu.forward", "torch.nn has no `Rellu`"),
        ("torch.nn.ReLU.forwards", "torch.nn.ReLU has no `forwards`"),
        ("no_such_package.f", "there is no module `no_such_package`"),
        ("torch.Tensor.shape", "not a function"),
    ],
)
def test_names_that_do_not_exist(name, words):
    with pytest.raises(Error, match="E0701") as caught:
        tensorrt_converter(name)(relu)
    assert words in str(caught.value) and not CONVERTERS


def test_names_that_do_not_exist_and_need_not():
    assert tensorrt_converter("torch.nn.Rellu.forward", enabled=False)(relu) is relu
    assert not CONVERTERS


def test_a_function_that_has_no_name():
    with pytest.raises(Error, match="cannot be found by name"):
        tensorrt_converter(lambda x: x)(relu)


def test_function_objects_get_their_names():
    for function, name in (
        (torch.relu, "torch.relu"),
        (F.gelu, "torch.nn.functional.gelu"),
        (torch.Tensor.view, "torch.Tensor.view"),
        (nn.ReLU.forward, "torch.nn.modules.activation.ReLU.forward"),
        (line_of, f"{__name__}.line_of"),
    ):
        tensorrt_converter(function)(relu)
        assert CONVERTERS[name].method_impl is function


def test_the_last_registration_wins(caplog):
    def first(ctx):
        raise AssertionError("replaced")

    tensorrt_converter("torch.nn.ReLU.forward")(first)
    with caplog.at_level(logging.INFO, "torch2trt"):
        tensorrt_converter("torch.nn.ReLU.forward")(relu)
    assert line_of(first) in caplog.text and line_of(relu) in caplog.text
    entry = CONVERTERS["torch.nn.ReLU.forward"]
    assert entry["converter"] is relu and entry["is_real"] and entry["method_str"] == "torch.nn.ReLU.forward"
    convert()


def test_imports_are_imported_first(tmp_path, monkeypatch):
    (tmp_path / "ops_of_mine.py").write_text("def twice(x):\n    return x + x\n")
    monkeypatch.syspath_prepend(tmp_path)

    def convert_twice(ctx):
        x = ctx.method_args[0]._trt
        ctx.method_return._trt = ctx.network.add_elementwise(x, x, trt.ElementWiseOperation.SUM).get_output(0)

    tensorrt_converter("ops_of_mine.twice", imports=["ops_of_mine"])(convert_twice)
    import ops_of_mine

    model_trt = convert(lambda x: ops_of_mine.twice(x) * 2)
    assert "ops_of_mine.twice" in str(model_trt.network)
    x = torch.randn(2, 4)
    assert torch.equal(model_trt(x), x * 4)


# Interception


def test_everything_is_put_back():
    before = (nn.ReLU.forward, torch.relu, F.relu, torch.Tensor.view, "__add__" in vars(torch.Tensor))
    for name in (
        "torch.nn.ReLU.forward",
        "torch.relu",
        "torch.nn.functional.relu",
        "torch.Tensor.view",
        "torch.Tensor.__add__",
    ):
        tensorrt_converter(name)(lambda ctx: 1 / 0)
    with pytest.raises(Error, match="ZeroDivisionError"):
        convert()
    assert before == (nn.ReLU.forward, torch.relu, F.relu, torch.Tensor.view, "__add__" in vars(torch.Tensor))


def test_a_function_of_torchvision_that_torchvision_calls():
    import torchvision

    called = []

    @tensorrt_converter("torchvision.ops.box_area")
    def box_area(ctx):
        called.append(ctx.method_args[0].shape)
        x = ctx.method_args[0]._trt
        part = lambda at: ctx.network.add_slice(x, (0, at), (3, 2), (1, 1)).get_output(0)  # noqa: E731
        sides = ctx.network.add_elementwise(part(2), part(0), trt.ElementWiseOperation.SUB).get_output(0)
        ctx.method_return._trt = ctx.network.add_reduce(sides, trt.ReduceOperation.PROD, 2, False).get_output(0)

    class Overlaps(nn.Module):
        def forward(self, x):
            return torchvision.ops.box_iou(x, x + 1)

    x = torch.rand(3, 4).cumsum(1)
    torch.testing.assert_close(convert(Overlaps(), x)(x), torchvision.ops.box_iou(x, x + 1))
    assert len(called) == 2


def test_calls_outside_the_model_are_left_alone():
    seen = []

    def counts(ctx):
        seen.append(ctx.current_module_name())
        relu(ctx)

    tensorrt_converter("torch.nn.ReLU.forward")(counts)
    model_trt = convert()
    nn.ReLU()(torch.randn(2))
    model_trt(torch.randn(2, 4))
    assert seen == ["block.1"]


def test_a_method_that_returns_no_tensor_is_just_called():
    def never(ctx):
        raise AssertionError("sizes are no tensors")

    tensorrt_converter("torch.Tensor.size")(never)
    x = torch.randn(3, 4)
    assert convert(lambda x: x.view(x.size(0), 2, 2), x)(x).shape == (3, 2, 2)


def test_a_call_that_nothing_of_the_model_goes_into_is_just_made():
    def never(ctx):
        raise AssertionError("a constant")

    tensorrt_converter("torch.tensor")(never)
    tensorrt_converter("torch.arange")(never)
    x = torch.randn(3, 4)
    assert torch.equal(convert(lambda x: x * torch.tensor(2.0) + torch.arange(4), x)(x), x * 2 + torch.arange(4))


def test_a_script_with_stars():
    names: dict = {}
    script = """
        from torch2trt.torch2trt import *

        @tensorrt_converter('torch.nn.functional.elu')
        def convert_elu(ctx):
            input = get_arg(ctx, 'input', pos=0, default=None)
            input_trt = add_missing_trt_tensors(ctx.network, [input])[0]
            layer = ctx.network.add_activation(input_trt, trt.ActivationType.ELU)
            layer.alpha = get_arg(ctx, 'alpha', pos=1, default=1.0)
            assert trt_version() >= '8.0' and np.float32 and torch.float32 and not ctx.torch2trt_kwargs['int8_mode']
            set_layer_precision(ctx, layer)
            ctx.method_return._trt = layer.get_output(0)
    """
    exec(compile(inspect.cleandoc(script), "script.py", "exec"), names)
    x = torch.randn(3, 4)
    torch.testing.assert_close(convert(lambda x: F.elu(x, 0.3), x)(x), F.elu(x, 0.3))


def test_models_that_cannot_be_exported_are_traced_with_converters():
    class Decides(nn.Module):
        def forward(self, x):
            y = F.relu(x, inplace=False)
            y.mul_(2.0)
            return y if y.sum() >= 0 else -y

    def twice(ctx):
        x = ctx.method_args[0]
        pair = add_missing_trt_tensors(ctx.network, [x, ctx.method_args[1]])
        x_trt, factor = package.broadcast_trt_tensors(ctx.network, pair, x.dim())
        ctx.method_return._trt = ctx.network.add_elementwise(x_trt, factor, trt.ElementWiseOperation.PROD).get_output(0)

    tensorrt_converter("torch.Tensor.mul_")(twice)
    with pytest.warns(UserWarning, match="traced"):
        model_trt = convert(Decides())
    x = torch.randn(2, 4)
    assert torch.equal(model_trt(x), Decides()(x))
    assert "torch.Tensor.mul_" in str(model_trt.network)


def test_views_that_a_converter_takes_are_traced():
    class Decides(nn.Module):
        def forward(self, x):
            y = x.select(0, 1)
            return y if y.sum() < 1e6 else -y

    def row(ctx):
        x, axis, index = (*ctx.method_args, None)[:3]
        index = ctx.network.add_constant((), np.array(index, np.int32)).get_output(0)
        ctx.method_return._trt = ctx.network.add_gather(x._trt, index, axis).get_output(0)

    tensorrt_converter("torch.Tensor.select")(row)
    x = torch.randn(2, 4)
    with pytest.warns(UserWarning, match="traced"):
        model_trt = convert(Decides(), x)
    assert torch.equal(model_trt(x), Decides()(x))


def test_a_second_conversion_starts_anew():
    linear = nn.Linear(4, 3)

    def product(ctx):
        module, x = ctx.method_args
        x_trt, weight, bias = add_missing_trt_tensors(ctx.network, [x, module.weight, module.bias])
        y = ctx.network.add_matrix_multiply(
            x_trt, trt.MatrixOperation.NONE, weight, trt.MatrixOperation.TRANSPOSE
        ).get_output(0)
        y, bias = package.broadcast_trt_tensors(ctx.network, [y, bias], 2)
        ctx.method_return._trt = ctx.network.add_elementwise(y, bias, trt.ElementWiseOperation.SUM).get_output(0)

    tensorrt_converter("torch.nn.Linear.forward")(product)
    for _ in range(2):
        x = torch.randn(5, 4)
        torch.testing.assert_close(convert(linear, x)(x), linear(x))
        assert not hasattr(linear.weight, "_trt")


def test_weights_lent_by_a_converter_are_watched():
    linear = nn.Linear(64, 64)

    def product(ctx):
        module, x = ctx.method_args
        weight = ctx.network.add_constant((64, 64), module.weight.detach().cpu().numpy()).get_output(0)
        ctx.method_return._trt = ctx.network.add_matrix_multiply(x._trt, False, weight, True).get_output(0)

    tensorrt_converter("torch.nn.Linear.forward")(product)
    model_trt = convert(linear, torch.randn(2, 64), verify=False)
    with torch.no_grad():
        linear.weight.add_(1)
    with pytest.raises(Error, match="E0603"):
        model_trt(torch.randn(2, 64))


def test_values_that_follow_from_weights_are_known():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 4))
            self.register_buffer("scale", torch.rand(3, 1))

        def forward(self, x):
            return F.linear(x, self.weight * self.scale, torch.ones(3))

    def linear(ctx):
        x, weight, bias = ctx.method_args
        weight, bias = weight.detach().cpu().numpy(), bias.numpy()
        layer = ctx.network.add_fully_connected(reshaped(ctx, x._trt, (0, 4, 1, 1)), 3, weight, bias)
        ctx.method_return._trt = reshaped(ctx, layer.get_output(0), (0, 3))

    tensorrt_converter("torch.nn.functional.linear")(linear)
    x = torch.randn(2, 4)
    model = Scaled()
    torch.testing.assert_close(convert(model, x)(x), model(x).detach())


def reshaped(ctx, tensor, shape):
    layer = ctx.network.add_shuffle(tensor)
    layer.reshape_dims = shape
    return layer.get_output(0)


# The network API


def inside(body, module=None, x=None, method="torch.nn.ReLU.forward"):
    """Runs `body(ctx, x._trt)` inside a converter and gives what it returns."""
    result = []

    def converter(ctx):
        result.append(body(ctx, ctx.method_args[1]._trt))
        relu(ctx)

    tensorrt_converter(method)(converter)
    convert(module or nn.ReLU(), torch.randn(2, 3, 8, 8) if x is None else x)
    return result[0]


def test_axes_of_a_slice_must_be_known():
    @tensorrt_converter("torch.nn.Identity.forward")
    def part(ctx):
        x = ctx.method_args[1]._trt
        layer = ctx.network.add_slice(x, (0,), (1,), (1,))
        data = ctx.network.add_cast(x, trt.int32).get_output(0)
        layer.set_input(wrong, data)
        layer.axes = (0,)
        ctx.method_return._trt = layer.get_output(0)

    for wrong, words in (  # noqa: B007  a converter reads it
        (5, "the axes must be a constant"),
        (1, "where axes are given, start must be sizes, not data"),
    ):
        with pytest.raises(Error, match="E0108") as caught:
            convert(nn.Sequential(nn.Identity()).eval(), torch.ones(1))
        assert words in str(caught.value)


def test_attributes_may_be_set_in_any_order():
    def body(ctx, x):
        layer = ctx.network.add_convolution_nd(x, 4, (3, 3), torch.randn(4, 3, 3, 3))
        y = layer.get_output(0)
        shapes = [tuple(y.shape)]
        layer.stride_nd = (2, 2)
        shapes.append(tuple(y.shape))
        layer.padding_nd = (1, 1)
        shapes.append(tuple(y.shape))
        assert layer.pre_padding == (1, 1) == layer.post_padding and layer.stride == (2, 2)
        assert layer.kernel.shape == (4, 3, 3, 3) and layer.bias is None
        later = ctx.network.add_activation(y, trt.ActivationType.RELU)
        layer.num_output_maps = 2
        layer.kernel = np.zeros((2, 3, 3, 3), np.float32)
        shapes.append(tuple(later.get_output(0).shape))
        return shapes

    assert inside(body) == [(2, 4, 6, 6), (2, 4, 3, 3), (2, 4, 4, 4), (2, 2, 4, 4)]


def test_tensors_and_layers_describe_themselves():
    def body(ctx, x):
        assert x.shape == (2, 3, 8, 8) and x.dtype == trt.float32 and isinstance(x.shape, trt.Dims)
        layer = ctx.network.add_shape(x)
        assert layer.type is trt.LayerType.SHAPE and layer.num_inputs == 1 and layer.num_outputs == 1
        assert layer.get_input(0) is x and layer.get_input(1) is None
        assert layer.get_output(0).dtype is trt.int64 and layer.get_output(0).is_shape_tensor
        layer.name = "sizes"
        assert layer.name == "sizes" and "sizes" in layer.get_output(0).name
        layer.get_output(0).name = "s"
        assert layer.get_output(0).name == "s"
        with pytest.raises(IndexError, match="1 outputs, there is no output 1"):
            layer.get_output(1)
        layer.set_output_type(0, trt.int32)
        assert layer.get_output(0).dtype == trt.DataType.INT32 and layer.output_type_is_set(0)
        assert len(ctx.network) == ctx.network.num_layers == 1 and ctx.network[0] is layer
        assert ctx.network._network is ctx.network
        return True

    assert inside(body)


def test_precision_is_casts():
    def half(ctx):
        layer = ctx.network.add_unary(ctx.method_args[0]._trt, trt.UnaryOperation.EXP)
        layer.precision = trt.float16
        assert layer.get_output(0).dtype is trt.float32
        ctx.method_return._trt = layer.get_output(0)

    tensorrt_converter("torch.exp")(half)
    model_trt = convert(torch.exp, torch.linspace(-1, 1, 8).reshape(2, 4))
    text = str(model_trt.network)
    assert text.index("Cast(to: float16)") < text.index("Unary") < text.index("Cast(to: float32)")


def test_enums_of_an_installed_package_are_taken():
    """A package's own enumerations, as pybind11 makes them: other classes, other numbers, the same names."""

    class ActivationType:
        def __init__(self, name):
            self.name = name

    class SliceMode(ActivationType):
        pass

    class Unrelated(ActivationType):
        pass

    def body(ctx, x):
        layer = ctx.network.add_activation(x, ActivationType("TANH"))
        assert layer.type is trt.ActivationType.TANH
        sliced = ctx.network.add_slice(x, (0, 0, 0, 0), (2, 3, 9, 8), (1, 1, 1, 1))
        sliced.mode = SliceMode("CLAMP")
        assert sliced.mode is trt.SampleMode.CLAMP and sliced.get_output(0).shape == (2, 3, 9, 8)
        for wrong in (Unrelated("TANH"), ActivationType("NO_SUCH"), 3):
            with pytest.raises(TypeError, match="is not a ActivationType"):
                ctx.network.add_activation(x, wrong)
        return True

    assert inside(body)


def test_weights_of_every_kind():
    arrays = [
        np.arange(6, dtype=np.float64),
        np.arange(6, dtype=np.float32)[::-1],
        torch.arange(6.0),
        trt.Weights(np.arange(6, dtype=np.float32)),
        list(map(float, range(6))),
    ]

    def body(ctx, x):
        for array in arrays:
            layer = ctx.network.add_constant((2, 3), array)
            assert layer.get_output(0).dtype is trt.float32 and layer.shape == (2, 3) and layer.weights.shape == (6,)
        assert ctx.network.add_constant((2,), np.array([1, 2])).get_output(0).dtype is trt.int64
        assert ctx.network.add_constant((2,), np.array([1, 2], np.int32)).get_output(0).dtype is trt.int32
        with pytest.raises(ValueError, match="cannot hold 6 weights"):
            _ = ctx.network.add_constant((2, 4), arrays[0]).get_output(0).shape
        with pytest.raises(TypeError, match="not supported by tensorrt"):
            ctx.network.add_constant((2,), np.array([1j, 2]))
        return True

    assert inside(body)


def test_what_old_versions_converted_silently():
    """Float types with each other, and int32 constants with int64 sizes."""

    def body(ctx, x):
        half = ctx.network.add_cast(x, trt.float16).get_output(0)
        assert ctx.network.add_elementwise(x, half, trt.ElementWiseOperation.SUM).get_output(0).dtype is trt.float32
        sizes = ctx.network.add_shape(x).get_output(0)
        two = ctx.network.add_constant((1,), np.array([2], np.int32)).get_output(0)
        assert ctx.network.add_elementwise(sizes, two, trt.ElementWiseOperation.PROD).get_output(0).dtype is trt.int64
        with pytest.raises(Error, match="both operands must have one dtype"):
            _ = ctx.network.add_elementwise(x, sizes, trt.ElementWiseOperation.SUM).get_output(0).shape
        return True

    assert inside(body)


def test_sizes_are_ints_that_remember():
    seen = {}

    def body(ctx):
        x = ctx.method_args[0]
        n, c = x.shape
        assert isinstance(n, IntWrapper) and n == 2 and x.size(0) == 2 and x.size(-1) == 4 and x.numel() == 8
        assert x._trt.shape == (-1, 4)
        seen["text"] = [str(size.size) for size in (n * 3 + 1, 7 - n, (n + 5) // 2, n % 4, 10 // n)]
        assert [n * 3 + 1, 7 - n, (n + 5) // 2, n % 4, 10 // n] == [7, 5, 3, 2, 5]
        assert (n * 2)._trt.shape == (1,) and (n * 2)._trt.dtype is trt.int64
        assert x.shape._trt.shape == (2,)
        with package.use_shape_wrapping(False):
            assert type(x.shape) is torch.Size and x.shape == (2, 4)
        assert torch.ones_like(x).shape == (2, 4) and x.dtype is torch.float32 and x.device.type == "cpu"
        layer = ctx.network.add_shuffle(x._trt)
        layer.reshape_dims = (n * 2, c // 2)
        assert layer.get_output(0).shape == (-1, 2)
        ctx.method_return._trt = layer.get_output(0)

    tensorrt_converter("torch.Tensor.view")(body)
    model_trt = convert(
        lambda x: x.view(x.shape[0] * 2, 2),
        torch.randn(2, 4),
        dynamic_shapes=({0: torch.export.Dim("n", min=2, max=9)},),
    )
    symbol = seen["text"][0].split("*")[-1].split(" ")[0]
    assert seen["text"][1] == f"-{symbol} + 7" or symbol in seen["text"][1]
    x = torch.randn(7, 4)
    assert torch.equal(model_trt(x), x.view(14, 2))


def test_padding_modes_of_convolutions():
    def body(ctx, x):
        shapes = {}
        for mode in trt.PaddingMode:
            layer = ctx.network.add_convolution_nd(x, 1, (3, 3), torch.ones(1, 3, 3, 3))
            layer.stride_nd, layer.padding_mode = (3, 3), mode
            pool = ctx.network.add_pooling_nd(x, trt.PoolingType.MAX, (3, 3))
            pool.stride_nd, pool.padding_mode = (3, 3), mode
            shapes[mode.name] = tuple(layer.get_output(0).shape[2:])
            assert tuple(pool.get_output(0).shape[2:]) == shapes[mode.name], mode
        return shapes

    shapes = inside(body)
    assert shapes["EXPLICIT_ROUND_DOWN"] == (2, 2)
    assert shapes["EXPLICIT_ROUND_UP"] == shapes["SAME_UPPER"] == shapes["SAME_LOWER"] == (3, 3)


# Conditionals, loops and other composites


class Halved(nn.Module):
    """A ReLU of floats [n, 4] in a model whose first size may vary."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(x / 2)


def refused(body, **options):
    """The error of a converter that returns `body(network, x)`, without its first lines, and its help."""

    def composes(ctx):
        made = body(ctx.network, ctx.method_args[1]._trt)
        ctx.method_return._trt = made if isinstance(made, trt.ITensor) else made.get_output(0)

    try:
        error = failure(composes, Halved(), **options)
    finally:
        CONVERTERS.clear()
    return f"{str(error).splitlines()[0]} help: {error.help}"


def test_a_window_that_depends_on_the_inputs_is_refused():
    def body(network, x):
        image = network.add_shuffle(x)
        image.reshape_dims = (1, 1, -1, 4)
        layer = network.add_convolution_nd(image.get_output(0), 1, (1, 1), torch.ones(1, 1, 1, 1))
        layer.set_input(1, image.get_output(0))
        return layer

    assert "the window must be known" in refused(body, max_batch_size=8)


def number(network, value, dtype=np.int32):
    return network.add_constant(np.shape(value), np.array(value, dtype)).get_output(0)


def positive(network, x):
    """Whether a tensor [n, 4] is positive on the whole."""
    total = network.add_reduce(x, trt.ReduceOperation.SUM, 3, False).get_output(0)
    zero = number(network, 0, np.float32)
    return network.add_elementwise(total, zero, trt.ElementWiseOperation.GREATER).get_output(0)


def other(network, x):
    return network.add_unary(x, trt.UnaryOperation.NEG).get_output(0)


def test_conditionals_that_are_wrong():
    def without_a_condition(network, x):
        return network.add_if_conditional().add_output(x, other(network, x))

    assert "failed: the conditional has no condition help: give it one" in refused(without_a_condition)

    def on(condition, yes=lambda n, x: x, no=other):
        def body(network, x):
            conditional = network.add_if_conditional()
            conditional.name = "gate"
            conditional.set_condition(condition(network, x))
            return conditional.add_output(yes(network, x), no(network, x))

        return refused(body)

    words = "condition of conditional `gate` must be a bool tensor without axes, got "
    assert words + "float32[2,4]" in on(lambda n, x: x)
    assert words + "bool[1]" in on(lambda n, x: number(n, [True], bool))

    def cut(network, x):
        return network.add_slice(x, (0, 0), (2, 3), (1, 1)).get_output(0)

    def summed(network, x):
        return network.add_reduce(x, trt.ReduceOperation.SUM, 1, False).get_output(0)

    def halved(network, x):
        return network.add_cast(x, trt.float16).get_output(0)

    for no, got in ((cut, "float32[2,3]"), (summed, "float32[4]"), (halved, "float16[2,4]")):
        text = on(positive, no=no)
        assert f"branches of conditional `gate` differ: float32[2,4] where true, {got} where false" in text
        assert "must have one type and shape" in text
    with pytest.raises(Error, match="TypeError: add_output.*`false_subgraph_output` must be a tensor .*, got float"):
        inside(lambda ctx, x: ctx.network.add_if_conditional().add_output(x, 1.0))


def looped(network, x, *, limit=3, step=other, kind=trt.LoopOutput.LAST_VALUE, length=None, tensor=None):
    """A loop around `step`; `tensor` gives what leaves it for the state and the next one."""
    loop = network.add_loop()
    loop.name = "steps"
    if limit is not None:
        loop.add_trip_limit(limit if isinstance(limit, trt.ITensor) else number(network, limit), trt.TripLimit.COUNT)
    state = loop.add_recurrence(x)
    after = step(network, state.get_output(0))
    if after is not None:
        state.set_input(1, after)
    output = loop.add_loop_output(tensor(loop, state, after) if tensor else state.get_output(0), kind)
    if length is not None:
        output.set_input(1, number(network, length))
    return output


def test_loops_whose_trip_count_is_not_known():
    def until(network, x):
        loop = network.add_loop()
        loop.add_trip_limit(positive(network, x), trt.TripLimit.WHILE)

    text = refused(until)
    assert "failed: the loop ends by a condition (TripLimit.WHILE)" in text
    assert "write a Python loop over a known number of steps, or move the loop out of the model" in text

    def by_size(network, x):
        sizes = network.add_shape(x).get_output(0)
        return looped(network, x, limit=network.add_slice(sizes, (0,), (1,), (1,)).get_output(0))

    text = refused(by_size, dynamic_shapes={"x": {0: torch.export.Dim("n", min=1, max=8)}})
    assert "failed: loop `steps`: the trip count must be one known integer, got int64[1] with the value n" in text
    assert "write a Python loop over a known number of steps; or move the loop out of the model" in text

    def by_data(network, x):
        count = network.add_cast(network.add_reduce(x, trt.ReduceOperation.MAX, 3, False).get_output(0), trt.int32)
        return looped(network, x, limit=count.get_output(0))

    assert "the trip count must be one known integer, got int32[] help:" in refused(by_data)
    assert "loop `steps` has no trip limit help: count its" in refused(lambda n, x: looped(n, x, limit=None))
    assert "loop `steps`: the trip count is -1" in refused(lambda n, x: looped(n, x, limit=-1))

    def twice(network, x):
        looped(network, x).loop.add_trip_limit(number(network, 2), trt.TripLimit.COUNT)

    assert "loop `steps` has a trip limit help: a loop has at most one COUNT" in refused(twice)


def test_recurrences_and_iterators_that_are_wrong():
    def wrong(**options):
        return refused(lambda network, x: looped(network, x, **options))

    assert "of loop `steps` has no next value" in wrong(step=lambda n, x: None)

    def halved(network, x):
        return network.add_cast(x, trt.float16).get_output(0)

    def wider(network, x):
        return network.add_concatenation([x, x]).get_output(0)

    for step, got in ((halved, "float16[2,4]"), (wider, "float32[4,4]")):
        assert f"is float32[2,4], its next value {got} help: a recurrence keeps its type" in wrong(step=step)

    def inner(network, x):
        output = looped(network, x)
        output.loop._recurrences[0].set_input(1, output.get_output(0))
        return output

    assert "loop `steps`: an output of the loop is used inside it" in refused(inner)

    def started_inside(network, x):
        output = looped(network, x)
        again = output.loop.add_recurrence(output.get_input(0))
        again.set_input(1, again.get_output(0))
        return output

    assert "the initial value of a recurrence must come from outside the loop" in refused(started_inside)

    def left_open(network, x):
        looped(network, x)
        return network.add_loop().add_recurrence(x)

    assert "of the loop is used outside the loop help: only loop.add_loop_output" in refused(left_open)

    def beyond(network, x):
        output = looped(network, x, limit=5)
        rows = output.loop.add_iterator(x, 1).get_output(0)
        output.loop.add_loop_output(rows, trt.LoopOutput.CONCATENATE).set_input(1, number(network, 5))
        return output

    assert "reads element 4 along axis 1 of float32[2,4] help: the trip count must not be larger" in refused(beyond)


def test_outputs_of_loops_that_are_wrong():
    kinds = trt.LoopOutput

    def wrong(**options):
        return refused(lambda network, x: looped(network, x, **options))

    assert "asks for the last value of" in wrong(tensor=lambda loop, state, after: after)
    assert "the length of `loop_output" in wrong(kind=kinds.CONCATENATE)
    for kind, length in ((kinds.CONCATENATE, 4), (kinds.REVERSE, 2), (kinds.CONCATENATE, 0)):
        assert f"` is {length}, the loop has 3 iterations help: give the trip count" in wrong(kind=kind, length=length)
    with pytest.raises(Error, match="raised IndexError: .* is the LAST_VALUE of a recurrence, which takes no length"):
        inside(lambda ctx, x: looped(ctx.network, x, length=3))
    with pytest.raises(Error, match="raised TypeError: .* is not a LoopOutput"):
        inside(lambda ctx, x: ctx.network.add_loop().add_loop_output(x, trt.TripLimit.COUNT))


def test_layers_that_use_their_own_output():
    def body(network, x):
        layer = network.add_unary(x, trt.UnaryOperation.NEG)
        layer.set_input(0, layer.get_output(0))
        return layer

    assert "IUnaryLayer `unary 0` uses its own output" in refused(body)


def test_shapes_of_loops_follow_their_attributes():
    def body(ctx, x):
        network, shapes = ctx.network, []
        loop = network.add_loop()
        iterator = loop.add_iterator(x, 2)
        inner = network.add_reduce(iterator.get_output(0), trt.ReduceOperation.SUM, 1, True)
        count = number(network, 3)
        output = loop.add_loop_output(inner.get_output(0), trt.LoopOutput.CONCATENATE)
        limit, _ = loop.add_trip_limit(count, trt.TripLimit.COUNT), output.set_input(1, count)
        shapes.append(tuple(output.get_output(0).shape))
        output.axis = -1
        shapes.append(tuple(output.get_output(0).shape))
        inner.keep_dims = False
        shapes.append(tuple(output.get_output(0).shape))
        iterator.axis = 1
        shapes.append(tuple(output.get_output(0).shape))
        two_steps = number(network, 2)
        limit.set_input(0, two_steps), output.set_input(1, two_steps)
        shapes.append(tuple(output.get_output(0).shape))
        assert (limit.kind, output.kind) == (trt.TripLimit.COUNT, trt.LoopOutput.CONCATENATE)
        assert limit.num_outputs == 0 and output.get_input(0) is inner.get_output(0) and iterator.loop is loop
        assert all(isinstance(layer, trt.ILayer) and "Unrolled" not in repr(layer) for layer in network)
        return shapes

    assert inside(body) == [(3, 1, 3, 8), (1, 3, 8, 3), (3, 8, 3), (8, 8, 3), (8, 8, 2)]


def test_loops_show_their_iterations_and_may_have_none():
    class Stored(nn.Module):
        def forward(self, x):
            return torch.clone(x) + 1

    x = torch.randn(2, 4)
    for steps, expected in ((0, x + 1), (3, 1 - x)):

        def repeats(ctx, steps=steps):
            x = ctx.method_args[0]._trt
            ctx.method_return._trt = looped(ctx.network, x, limit=steps).get_output(0)

        tensorrt_converter("torch.clone")(repeats)
        model_trt = convert(Stored(), x, verify=False)
        assert torch.equal(model_trt(x), expected)
        assert ("iteration 2" in str(model_trt.network)) == (steps == 3)
        CONVERTERS.clear()


def test_attention_that_is_wrong():
    def body(ctx, x):
        network, norm, kinds = ctx.network, trt.AttentionNormalizationOp, trt.CausalMaskKind
        attention = network.add_attention(x, x, x, norm.SOFTMAX, True)
        assert attention.causal and attention.causal_kind is kinds.UPPER_LEFT and attention.num_ranks == 1
        assert attention.get_output(0).shape == (2, 4, 6, 8)
        attention.mask = network.add_constant((1, 1, 6, 6), np.ones((1, 1, 6, 6), bool)).get_output(0)
        with pytest.raises(Error, match="E0107.*has a mask and is causal"):
            _ = attention.get_output(0).shape
        attention.causal = False
        assert attention.causal_kind is kinds.NONE and attention.get_output(0).shape == (2, 4, 6, 8)
        attention.norm_op = norm.NONE
        with pytest.raises(Error, match="cannot hide keys"):
            _ = attention.get_output(0).shape
        attention.mask = network.add_constant((6, 6), np.ones((6, 6), np.float32)).get_output(0)
        with pytest.raises(Error, match=r"mask has four axes.*float32\[6,6\]"):
            _ = attention.get_output(0).shape
        attention.mask = None
        assert attention.mask is None and attention.get_output(0).shape == (2, 4, 6, 8)
        three = network.add_slice(x, (0, 0, 0, 0), (2, 3, 6, 8), (1, 1, 1, 1)).get_output(0)
        with pytest.raises(Error, match="4 heads of the query for 3 of key and value"):
            _ = network.add_attention_v2(x, three, three, norm.SOFTMAX, kinds.NONE).get_output(0).shape
        flat = network.add_reduce(x, trt.ReduceOperation.SUM, 1, False).get_output(0)
        with pytest.raises(Error, match=r"key is float32\[4,6,8\]"):
            _ = network.add_attention(x, flat, x, norm.SOFTMAX, False).get_output(0).shape
        attention.query_form, attention.num_ranks, attention.query_lengths = trt.AttentionIOForm.PADDED_BHND, 1, None
        for name, value, why in (
            ("query_form", trt.AttentionIOForm.PACKED_NHD, "sequences are padded here"),
            ("key_value_lengths", number(network, [6, 6]), "sequences are padded here"),
            ("num_ranks", 2, "one GPU"),
            ("normalization_quantize_to_type", trt.int8, "add_quantize"),
        ):
            with pytest.raises(Error, match=f"E0108.*IAttention.{name} = .* is not supported: .*{why}"):
                setattr(attention, name, value)
        with pytest.raises(TypeError, match="is not a CausalMaskKind"):
            network.add_attention_v2(x, x, x, norm.SOFTMAX, True)
        return True

    assert inside(body, x=torch.randn(2, 4, 6, 8))


def test_caches_and_experts_that_are_wrong():
    def body(ctx, x):
        network, linear = ctx.network, trt.KVCacheMode.LINEAR

        def zeros(*shape, kind=np.float32):
            return network.add_constant(shape, np.zeros(shape, kind)).get_output(0)

        ids = zeros(2, kind=np.int32)
        cache = network.add_kv_cache_update(x, zeros(2, 4, 3, 8), ids, linear)
        assert cache.get_output(0).shape == x.shape and cache.update_form is trt.AttentionIOForm.PADDED_BHND
        for words, given in (
            (r"float tensors \[batch, heads, tokens, size\], got .* and float32\[4,3,8\]", (x, zeros(4, 3, 8), ids)),
            (r"write indices are integers \[batch\], got float32\[2\]", (x, zeros(2, 4, 3, 8), zeros(2))),
        ):
            with pytest.raises(Error, match=f"E0107.*{words}"):
                _ = network.add_kv_cache_update(*given, linear).get_output(0).shape
        with pytest.raises(Error, match="E0108.*update_form.*padded"):
            cache.update_form = trt.AttentionIOForm.PACKED_NHD

        moe = network.add_moe(zeros(2, 3, 6), zeros(2, 3, 1, kind=np.int64), zeros(2, 3, 1))
        with pytest.raises(Error, match="E0107.*no weights\n.*set_gated_weights"):
            _ = moe.get_output(0).shape
        moe.set_gated_weights(zeros(5, 6, 8), zeros(5, 6, 8), zeros(5, 8, 6), trt.MoEActType.SILU)
        assert moe.get_output(0).shape == (2, 3, 6)
        wrong = network.add_moe(zeros(2, 3, 6), zeros(2, 3, 1), zeros(2, 3, 1))
        wrong.set_gated_weights(zeros(5, 6, 8), zeros(5, 6, 8), zeros(5, 8, 6), trt.MoEActType.NONE)
        with pytest.raises(Error, match="E0107.*selected experts .* are integers of three axes"):
            _ = wrong.get_output(0).shape
        for refused in (
            lambda: moe.set_swiglu_params(7.0, 1.7, 1.0),
            lambda: moe.set_quantization_static(zeros(1), trt.fp8),
            lambda: setattr(moe, "swiglu_param_limit", 7.0),
        ):
            with pytest.raises(Error, match="E0108"):
                refused()
        return True

    assert inside(body, x=torch.randn(2, 4, 6, 8))


def test_rotary_embeddings_that_are_wrong():
    def body(ctx, x):
        network = ctx.network

        def made(*shape, count=0, ids=None):
            cache = network.add_constant(shape, np.zeros(shape, np.float32)).get_output(0)
            layer = network.add_rotary_embedding(x, cache, cache, interleaved=False, rotary_embedding_dim=count)
            if ids is not None:
                layer.set_input(3, network.add_constant(ids, np.zeros(ids, np.int64)).get_output(0))
            return layer.get_output(0).shape

        assert made(2, 6, 4) == made(2, 6, 2, count=4) == made(9, 4, ids=(2, 6)) == (2, 4, 6, 8)
        for words, given in (
            (r"\[batch, tokens, 4\] here, got float32\[2,6,8\]", {"shape": (2, 6, 8)}),
            (r"\[batch, tokens, 4\] here, got float32\[9,4\]", {"shape": (9, 4)}),
            (r"\[positions, 4\] here, got float32\[2,6,4\]", {"shape": (2, 6, 4), "ids": (2, 6)}),
            (r"position ids are \[batch, tokens\], got int64\[6\]", {"shape": (9, 4), "ids": (6,)}),
            ("an even number of the last 8 elements, not 3", {"shape": (2, 6, 4), "count": 3}),
            ("an even number of the last 8 elements, not 10", {"shape": (2, 6, 5), "count": 10}),
        ):
            with pytest.raises(Error, match=words):
                made(*given.pop("shape"), **given)
        return True

    assert inside(body, x=torch.randn(2, 4, 6, 8))


# The documents


def test_every_layer_of_the_api_can_be_described():
    """The names, signatures and attributes that docs/network-api.md is generated from."""
    methods = [name for name in dir(trt.INetworkDefinition) if name.startswith("add_") and name != "add_input"]
    assert len(methods) >= 45
    for name in methods:
        assert inspect.getdoc(getattr(trt.INetworkDefinition, name)), name
    for name, layer in trt.LAYERS.items():
        assert inspect.getdoc(layer), name
    spec = importlib.util.spec_from_file_location("network_api", ROOT / "xtask" / "network_api.py")
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    assert generator.PATH.read_text() == generator.document(), "run python xtask/network_api.py"


def test_coverage_lists_calls_under_their_methods():
    tensorrt_converter("torch.nn.ReLU.forward")(relu)
    rows = package.coverage(nn.Sequential(nn.ReLU(), nn.Linear(4, 3), nn.ReLU()), [torch.randn(2, 4)])
    assert rows == [("torch.nn.ReLU.forward", 2, True), ("aten.linear.default", 1, True)]


def test_the_alias_of_tensorrt(monkeypatch):
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    if package.install_trt_alias():
        import tensorrt

        assert tensorrt.ActivationType.RELU is trt.ActivationType.RELU
    monkeypatch.setitem(sys.modules, "tensorrt", types.ModuleType("tensorrt"))
    assert not package.install_trt_alias()
    with pytest.raises(AttributeError, match="torch2trt.. builds and runs engines"):
        trt.Builder  # noqa: B018


def test_enumerations_have_every_value_of_every_version():
    # What networks of converters have no use for: layers that TensorRT dropped, several devices, layouts of inputs.
    unused = {
        "LayerType": {"RNN_V2", "DIST_COLLECTIVE"},
        "ReduceOperation": {"NONE"},
        "TensorFormat": {"DLA_LINEAR", "DLA_HWC4", "CDHW32", "DHWC", "DHWC8", "HWC16"},
    }
    facts = sorted((ROOT / "crates/nvinfer/facts").glob("*.json"))
    assert facts
    for path in facts:
        enumerations = json.loads(path.read_text())["enums"]
        for kind in trt.enums.ALL:
            names = enumerations.get(kind.__name__, {})
            known = {*kind.__members__, *unused.get(kind.__name__, ())}
            missing = {name[1:].upper() for name in names} - known
            assert not missing, (path.name, kind.__name__, missing)
