"""Plugins: fields and creators, layers of custom operators, and the CPU engine, which runs the operators in PyTorch.

Random cases have a fixed seed by default (TORCH2TRT_TEST_SEED); TORCH2TRT_TEST_CASES multiplies their number.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from torch2trt import CONVERTERS, Error, inspect, load, tensorrt_converter, torch2trt, trt
from torch2trt.trt.plugins import field_in_network

CASES = 4 * int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
SEED = int(os.environ.get("TORCH2TRT_TEST_SEED", "0"))
Type = trt.PluginFieldType


@torch.library.custom_op("torch2trt_plugins::scale_shift", mutates_args=())
def scale_shift(x: torch.Tensor, factor: float, shift: float) -> torch.Tensor:
    return x * factor + shift


@scale_shift.register_fake
def _(x, factor, shift):
    return torch.empty_like(x)


@torch.library.custom_op("torch2trt_plugins::halves", mutates_args=())
def halves(x: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    low, high = (x * weight).chunk(2, -1)
    return low.clone(), (high > 0).to(torch.int32)


@halves.register_fake
def _(x, weight):
    half = x.new_empty([*x.shape[:-1], x.shape[-1] // 2])
    return half, half.to(torch.int32)


def convert_scale_shift(ctx):
    x, factor, shift = ctx.method_args
    fields = [
        trt.PluginField("factor", np.array([factor], np.float32), Type.FLOAT32),
        trt.PluginField("shift", np.array([shift], np.float32), Type.FLOAT32),
    ]
    creator = trt.get_plugin_registry().get_plugin_creator("ScaleShift", "1", "")
    plugin = creator.create_plugin("scale_shift", trt.PluginFieldCollection(fields))
    ctx.method_return._trt = ctx.network.add_plugin_v2([x._trt], plugin).get_output(0)


def convert_halves(ctx):
    creator = trt.get_plugin_registry().get_creator("Halves", "2", "mine")
    plugin = creator.create_plugin("", [], trt.TensorRTPhase.BUILD)
    weight = trt_of(ctx, ctx.method_args[1])
    layer = ctx.network.add_plugin_v3([ctx.method_args[0]._trt, weight], [], plugin)
    for index, output in enumerate(ctx.method_return):
        output._trt = layer.get_output(index)


def trt_of(ctx, tensor):
    if hasattr(tensor, "_trt"):
        return tensor._trt
    return ctx.network.add_constant(tensor.shape, tensor.detach().numpy()).get_output(0)


@pytest.fixture
def converters():
    before = dict(CONVERTERS)
    tensorrt_converter("torch.ops.torch2trt_plugins.scale_shift")(convert_scale_shift)
    tensorrt_converter("torch.ops.torch2trt_plugins.halves")(convert_halves)
    yield
    CONVERTERS.clear()
    CONVERTERS.update(before)


class Middle(nn.Module):
    """A custom operator between layers that engines run."""

    def __init__(self, factor=2.5, shift=-1.0):
        super().__init__()
        self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 3)
        self.factor, self.shift = factor, shift

    def forward(self, x):
        return self.last(torch.ops.torch2trt_plugins.scale_shift(torch.tanh(self.first(x)), self.factor, self.shift))


def convert(model, inputs, **options):
    return torch2trt(model.eval(), inputs, **{"backend": "cpu", "progress": False, **options})


def check(model, converted, *inputs):
    with torch.no_grad():
        expected, got = model(*inputs), converted(*inputs)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


# Fields


ARRAYS = {
    "FLOAT16": np.float16, "FLOAT32": np.float32, "FLOAT64": np.float64, "INT8": np.int8, "INT16": np.int16,
    "INT32": np.int32, "INT64": np.int64, "CHAR": np.uint8, "UNKNOWN": np.uint8, "BF16": np.uint16, "FP8": np.uint8,
    "INT4": np.uint8, "FP4": np.uint8,
}  # fmt: skip


@pytest.mark.parametrize("kind", ARRAYS)
def test_fields_keep_their_elements(kind):
    draw = np.random.default_rng(SEED)
    for length in (0, 1, 7):
        data = draw.integers(0, 256, length * np.dtype(ARRAYS[kind]).itemsize, np.uint8).view(ARRAYS[kind])
        field = trt.PluginField("name", data, Type[kind])
        made = field_in_network(field)
        assert made["length"] == field.size == length
        assert bytes.fromhex(made["data"]) == data.tobytes()


@pytest.mark.parametrize(
    ("data", "kind", "expected"),
    [
        (1.5, Type.FLOAT32, np.float32([1.5])),
        ([1, 2], Type.INT32, np.int32([1, 2])),
        ("gelu", Type.CHAR, np.frombuffer(b"gelu", np.uint8)),
        (np.array([b"gelu"]), Type.CHAR, np.frombuffer(b"gelu", np.uint8)),
        (torch.tensor([1.0, -2.0], dtype=torch.bfloat16), Type.BF16, np.uint16([0x3F80, 0xC000])),
        (torch.tensor([3], dtype=torch.int64), Type.INT64, np.int64([3])),
        ((3, 4), Type.DIMS, np.int64([2, 3, 4, 0, 0, 0, 0, 0, 0])),
        ([trt.Dims([5]), (6, 7)], Type.DIMS, np.int64([1, 5, *[0] * 7, 2, 6, 7, *[0] * 6])),
    ],
)
def test_fields_accept_numbers_text_tensors_and_shapes(data, kind, expected):
    assert bytes.fromhex(field_in_network(trt.PluginField("name", data, kind))["data"]) == expected.tobytes()


def test_a_field_whose_data_has_another_width_is_rejected():
    field = trt.PluginField("axis", np.array([1]), Type.INT32)
    with pytest.raises(TypeError, match="field `axis` is INT32, and its data has elements of type int64"):
        field_in_network(field)
    with pytest.raises(TypeError, match="is no PluginField"):
        field_in_network(trt.PluginField("axis"))


# Creators


def test_a_creator_is_available_where_its_library_is_not():
    creator = trt.get_plugin_registry().get_plugin_creator("Absent", "3", "space")
    assert (creator.name, creator.plugin_version, creator.plugin_namespace) == ("Absent", "3", "space")
    assert list(creator.field_names) == []
    assert creator.create_plugin("x", trt.PluginFieldCollection()).title == "space::Absent 3"


def test_registered_creators_are_listed():
    registry = trt.get_plugin_registry()
    assert {*map(type, registry.all_creators)} <= {trt.IPluginCreator, trt.IPluginCreatorV3One}
    assert len(registry.plugin_creator_list) <= len(registry.all_creators)
    assert trt.init_libnvinfer_plugins(trt.Logger(), "") in (True, False)


def test_plugins_in_python_are_rejected():
    with pytest.raises(Error, match="E0108") as refused:
        trt.get_plugin_registry().register_creator(object(), "")
    assert "C++" in refused.value.help


# Layers


def test_a_layer_declares_what_the_operator_returns(converters):
    text = str(convert(Middle(), [torch.randn(2, 4)]).network)
    line = next(line for line in text.splitlines() if " = Plugin(" in line)
    assert 'name: "ScaleShift", version: "1", namespace: "", api: V2' in line
    assert '(name: "factor", kind: Float32, length: 1, data: "00002040")' in line
    assert "outputs: [(dtype: float32, dims: [2, 6])]" in line


@pytest.mark.parametrize("case", range(CASES))
def test_random_models_agree_with_pytorch(converters, case):
    draw = random.Random(SEED * 1000 + case)
    rank, count = draw.randint(2, 4), draw.randint(1, 3)

    class Drawn(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(count))
            self.values = [(draw.uniform(-2, 2), draw.uniform(-2, 2)) for _ in range(count)]

        def forward(self, x):
            for layer, values in zip(self.layers, self.values, strict=True):
                x = torch.ops.torch2trt_plugins.scale_shift(layer(x), *values) + x.sin()
            return x, x.mean()

    shape = [draw.randint(2, 5) for _ in range(rank - 1)] + [6]
    options = {"max_batch_size": 9} if draw.random() < 0.5 else {}
    model = Drawn().eval()
    converted = convert(model, [torch.randn(shape)], **options)
    for batch in (1, 4, 9) if options else shape[:1]:
        check(model, converted, torch.randn([batch, *shape[1:]]))


def test_dynamic_sizes_flow_through_a_plugin(converters):
    model = Middle().eval()
    n = torch.export.Dim("n", min=2, max=12)
    converted = convert(model, [torch.randn(3, 4)], dynamic_shapes=({0: n},))
    assert re.search(r'outputs: \[\(dtype: float32, dims: \["\w+", 6\]\)\]', str(converted.network))
    for batch in (2, 5, 12):
        check(model, converted, torch.randn(batch, 4))
    assert [part.kind for part in converted.partitions] == ["engine", "pytorch", "engine"]


def test_several_outputs_and_a_weight(converters):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(8))

        def forward(self, x):
            low, high = torch.ops.torch2trt_plugins.halves(x * 2, self.weight)
            return low + 1, high * 3

    model = Two().eval()
    converted = convert(model, [torch.randn(2, 8)], max_batch_size=5)
    check(model, converted, torch.randn(5, 8))
    line = next(line for line in str(converted.network).splitlines() if " = Plugin(" in line)
    assert 'namespace: "mine", api: V3' in line


def test_a_model_of_one_plugin_runs(converters):
    class Only(nn.Module):
        def forward(self, x):
            return scale_shift(x, 0.5, 3.0)

    check(Only(), convert(Only(), [torch.randn(3)]), torch.randn(3))


def test_plugins_and_operators_without_a_converter(converters):
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            x = torch.ops.torch2trt_plugins.scale_shift(self.first(x), 0.5, 0.1)
            x = torch.linalg.matrix_exp(x.reshape(-1, 2, 2)).reshape(-1, 4)
            return torch.ops.torch2trt_plugins.scale_shift(self.last(x), 1.5, 0.2)

    model = Both().eval()
    converted = convert(model, [torch.randn(2, 4)], fallback=True)
    check(model, converted, torch.randn(2, 4))
    reasons = str(converted.report)
    assert "ScaleShift 1" in reasons.replace("\n", " ")
    assert "no converter" in reasons


@pytest.mark.parametrize("mode", ["fp16_mode", "bf16_mode", "int8_mode"])
def test_precision_is_chosen_for_the_layers_around_a_plugin(converters, mode):
    model, samples = Middle().eval(), [torch.randn(16, 4)]
    converted = convert(model, samples, max_batch_size=16, **{mode: True})
    assert "float32[" in next(line for line in str(converted.network).splitlines() if " = Plugin(" in line)
    assert converted.report.int8_layers if mode == "int8_mode" else converted.report.half_layers
    torch.testing.assert_close(converted(*samples), model(*samples), rtol=5e-2, atol=5e-2)


def test_the_precision_of_a_layer_is_that_of_its_outputs():
    def in_half(ctx):
        layer = ctx.network.add_plugin_v2([ctx.method_args[0]._trt], plugin())
        layer.precision = trt.DataType.HALF
        ctx.method_return._trt = layer.get_output(0)

    text = str(with_converter(in_half, lambda: convert(Middle(), [torch.randn(2, 4)]).network))
    line = next(line for line in text.splitlines() if " = Plugin(" in line)
    assert re.search(r"%\d+: float16\[2,6\] = Plugin", line)
    assert "outputs: [(dtype: float16, dims: [2, 6])]" in line


def test_a_plugin_may_be_serialized():
    def of_bytes(ctx):
        creator = trt.get_plugin_registry().get_plugin_creator("ScaleShift", "1", "")
        made = creator.deserialize_plugin("scale_shift", b"\x00\x7f\xff")
        ctx.method_return._trt = ctx.network.add_plugin_v2([ctx.method_args[0]._trt], made).get_output(0)

    text = str(with_converter(of_bytes, lambda: convert(Middle(), [torch.randn(2, 4)]).network))
    assert 'serialized: "007fff"' in text


# Files


def test_saved_and_loaded(converters, tmp_path):
    model, path = Middle().eval(), tmp_path / "middle.trt2"
    convert(model, [torch.randn(2, 4)], max_batch_size=6).save(path)
    check(model, load(path), torch.randn(6, 4))
    assert [part["kind"] for part in inspect(path)["partitions"]] == ["engine", "pytorch", "engine"]


class Block(nn.Module):
    """A module that one plugin stands for, with its weight."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x, times=2):
        return self.linear(x).sin() * times


def convert_block(ctx):
    weight = trt.PluginField("weight", ctx.method_args[0].linear.weight, Type.FLOAT32)
    made = trt.get_plugin_registry().get_plugin_creator("Block", "1").create_plugin("block", [weight])
    ctx.method_return._trt = ctx.network.add_plugin_v2([ctx.method_args[1]._trt], made).get_output(0)


def test_a_module_that_becomes_a_plugin_runs_and_is_saved(converters, tmp_path):
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.block, self.last = Block(), nn.Linear(4, 2)

        def forward(self, x):
            return self.last(self.block(x, times=3) + x.shape[0])

    tensorrt_converter(f"{__name__}.Block.forward")(convert_block)
    model, path = Around().eval(), tmp_path / "around.trt2"
    converted = convert(model, [torch.randn(2, 4)], max_batch_size=7)
    check(model, converted, torch.randn(7, 4))
    converted.save(path)
    check(model, load(path), torch.randn(3, 4))


def test_a_process_without_the_operator_gets_its_name(converters, tmp_path):
    path = tmp_path / "middle.trt2"
    convert(Middle(), [torch.randn(2, 4)]).save(path)
    lines = ["import torch2trt", "try:", f"    torch2trt.load({str(path)!r})"]
    lines += ["except torch2trt.Error as refused:", "    print(refused)"]
    script = [sys.executable, "-c", "\n".join(lines)]
    found = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    for words in ("error[E0604]", "torch2trt_plugins::scale_shift", "import the module"):
        assert words in found


# Errors


def with_converter(converter, run):
    before = dict(CONVERTERS)
    tensorrt_converter("torch.ops.torch2trt_plugins.scale_shift")(converter)
    try:
        return run()
    finally:
        CONVERTERS.clear()
        CONVERTERS.update(before)


def failure(converter, **options):
    with pytest.raises(Error) as refused:
        with_converter(converter, lambda: convert(Middle(), [torch.randn(2, 4)], **options))
    return refused.value


def plugin():
    return trt.get_plugin_registry().get_plugin_creator("ScaleShift", "1").create_plugin("", [])


def test_declared_outputs_are_compared_with_pytorch():
    def wrong(ctx):
        outputs = [(torch.float32, (2, 7))]
        layer = ctx.network.add_plugin_v2([ctx.method_args[0]._trt], plugin(), outputs=outputs)
        ctx.method_return._trt = layer.get_output(0)

    refused = failure(wrong)
    assert refused.code == "E0108"
    assert "made float32[2,7] of the output, in PyTorch it is float32[2, 6]" in str(refused)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda n, x: n.add_plugin_v2([x], object()), "`plugin` must be an IPluginV2, got object"),
        (lambda n, x: n.add_plugin_v3([x], [], plugin()), "must be an IPluginV3"),
        (lambda n, x: n.add_plugin_v2([], plugin()), "`inputs` is empty"),
        (lambda n, x: n.add_plugin_v2([x], plugin(), outputs=[3]), "an output of a plugin is a tensor, or a pair"),
        (lambda n, x: n.add_plugin_v2([x], plugin(), outputs=[]), "there is no output 0"),
    ],
)
def test_wrong_arguments_are_reported(call, words):
    def wrong(ctx):
        ctx.method_return._trt = call(ctx.network, ctx.method_args[0]._trt).get_output(0)

    refused = failure(wrong)
    assert refused.code == "E0108"
    assert words in str(refused)


def test_libraries_are_checked_before_anything_is_converted():
    for given in ("libmine.so", [3], 5):
        refused = failure(convert_scale_shift, plugins=given)
        assert refused.code == "E0701"
        assert "plugins" in str(refused)


@pytest.fixture
def tensorrt():
    try:
        convert(nn.ReLU(), [torch.randn(2)], backend="tensorrt", target="sm_89")
    except Error as missing:
        pytest.skip(str(missing).splitlines()[0])


def test_a_library_that_is_missing_is_named(converters, tensorrt):
    registry, library = trt.get_plugin_registry(), "/nowhere/libmine.so"
    with pytest.raises(Error, match=f"E0306.*{library}") as refused:
        registry.load_library(library)
    assert "plugin library" in refused.value.help
    assert registry.libraries == []
    with pytest.raises(Error, match=f"E0306.*{library}"):
        convert(Middle(), [torch.randn(2, 4)], backend="tensorrt", target="sm_89", plugins=[library])


def test_a_plugin_that_tensorrt_cannot_have_is_named_with_its_layer(converters, tensorrt):
    with pytest.raises(Error) as refused:
        convert(Middle(), [torch.randn(2, 4)], backend="tensorrt", target="sm_89")
    is_rtx = refused.value.code == "E0302"
    words = "it has no layers of plugins" if is_rtx else "no plugin creator is registered for `ScaleShift 1`"
    assert words in str(refused.value)
    assert "test_plugins.py" in str(refused.value)
    assert ("backend=" if is_rtx else "plugins=[") in refused.value.help
