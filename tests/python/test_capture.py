"""Captured programs, judged by replay: run operator by operator in PyTorch, they give the model's own answer, bit
for bit, on inputs they have not seen.
"""

from __future__ import annotations

import inspect
import typing
import warnings
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from models import build
from replay import Function, assert_replays, fresh, one_thread, record  # noqa: F401  (a fixture)
from torch import nn

from torch2trt.capture import Captured, CaptureWarning, capture

Dim = torch.export.Dim


# Whole models


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "mobilenet_v2",
        "squeezenet1_1",
        "googlenet",
        "convnext_tiny",
        "vit_b_16",
        "fcn_resnet50",
        "bert",
        "gpt2",
    ],
)
def test_a_model_replays_bit_for_bit(name):
    module, args, kwargs = build(name)
    captured = capture(module, args, kwargs)
    recorder = assert_replays(captured, module, fresh(args), kwargs)
    assert captured.traced_because is None
    owned = {tensor.data_ptr() for tensor in [*module.parameters(), *module.buffers()]}
    others = [(tensor.numel(), kind) for _, tensor, kind in recorder.weights.values() if tensor.data_ptr() not in owned]
    # Numbers that the model's code makes tensors of are nobody's.
    assert set(others) <= {(1, "constant")}
    assert not any("num_batches_tracked" in name for name, _, _ in recorder.weights.values())


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_large", "bert"])
def test_a_dynamic_batch_replays_at_other_sizes(name):
    module, args, kwargs = build(name)
    args = tuple(torch.cat([a, a]) for a in args)
    kwargs = {key: torch.cat([value, value]) for key, value in kwargs.items()}
    batch = Dim("batch", min=1, max=16)
    shapes = {key: {0: batch} for key in ("x" if name != "bert" else "input_ids", *kwargs)}
    captured = capture(module, args, kwargs, dynamic_shapes=shapes)
    (bounds,) = record(captured).symbols.values()
    assert bounds == (1, 16, len(args[0]))
    for size in (1, 5, 16):
        resized = [fresh(torch.cat([value] * 16)[:size]) for value in (*args, *kwargs.values())]
        assert_replays(captured, module, resized[:1], dict(zip(kwargs, resized[1:])))


def test_dynamic_height_and_width_replay_through_size_arithmetic():
    def forward(_, x):
        height, width = x.shape[2:]
        up = F.interpolate(x, size=(height * 2, width // 2 + 1))
        half = F.interpolate(x, scale_factor=1.5, mode="bilinear")
        return up, half, x.flatten(2), torch.arange(max(height, width) - min(height, width)), x * height, height

    model = Function(forward).eval()
    height, width = Dim("height", min=4, max=99), Dim("width", min=6, max=200)
    captured = capture(model, (torch.randn(2, 3, 8, 12),), dynamic_shapes=(({2: height, 3: width},),))
    for h, w in [(4, 6), (13, 31), (99, 200)]:
        recorder = assert_replays(captured, model, (torch.randn(2, 3, h, w),))
    assert len(recorder.symbols) == 2


def test_sizes_found_in_data_get_a_symbol_without_a_hint():
    model = Function(lambda _, x: (x[x > 0], x.nonzero())).eval()
    captured = capture(model, (torch.randn(4, 5),))
    recorder = assert_replays(captured, model, (torch.randn(4, 5),))
    assert {hint for _, _, hint in recorder.symbols.values()} == {-1}
    assert all(low == 0 and high == 20 for low, high, _ in recorder.symbols.values())


# Tracing


class Decides(nn.Module):
    """Chooses by value, which torch.export refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.second = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.offset = torch.randn(4, 1, 1)

    def forward(self, x):
        y = self.first(x)
        y += self.offset
        if y.sum() > -1e9:
            y = self.second(y)
        y[:, 0] = 1.0
        return {"y": y, "rows": [int(y.shape[0]), y.view(len(y), -1)]}


def test_a_refused_model_is_traced_with_a_warning_and_replays():
    model = Decides().eval()
    model.second[0].running_mean.uniform_(-1, 1)
    with pytest.warns(
        CaptureWarning,
        match=r"(?s)fixed to those of the sample.*reason: GuardOnDataDependent.* \(test_capture.py:\d+ in forward\)",
    ):
        captured = capture(model, (torch.randn(2, 3, 8, 8),))
    assert "GuardOnDataDependent" in captured.traced_because
    recorder = assert_replays(captured, model, (torch.randn(2, 3, 8, 8),))
    owned = {name for name, _, kind in recorder.weights.values() if kind != "constant"}
    assert owned == {name for name in model.state_dict() if not name.endswith("num_batches_tracked")}
    weights = {name: tensor for name, tensor, _ in recorder.weights.values()}
    assert weights["first.weight"].data_ptr() == model.first.weight.data_ptr()
    assert model.offset.data_ptr() in {tensor.data_ptr() for tensor in weights.values()}
    assert not any(target.split(".")[1].endswith("_") for target in recorder.targets()), "in-place operators are left"


def test_a_traced_node_knows_its_module_and_line():
    model = Decides().eval()
    with pytest.warns(CaptureWarning):
        recorder = record(capture(model, (torch.randn(2, 3, 8, 8),)))
    relu, conv = recorder.call("aten.relu.default"), recorder.call("aten.conv2d.default")
    assert (relu.module, conv.module) == ("second.1", "first")
    source = Path(__file__).read_text().splitlines()
    assert (conv.file, conv.function) == (__file__, "forward")
    assert "self.first(x)" in source[conv.line - 1]
    assert "self.second(y)" in source[relu.line - 1]


def test_rules_that_lead_nowhere_leave_the_others_in_a_trace():
    class Mixed(nn.Module):
        def forward(self, x):
            y = torch.multiply(x, x)
            if y.sum() > -1:
                y = torch.subtract(y, x)
            return y, torch.dist(y, x)

    inputs = (torch.randn(3, 5),)
    known = {"aten.mul.Tensor", "aten.sub.Tensor", "aten.sum.default", "aten.gt.Scalar"}
    with pytest.warns(CaptureWarning):
        captured = capture(Mixed(), inputs, known=known)
    targets = set(assert_replays(captured, Mixed(), inputs).targets())
    assert {"aten.mul.Tensor", "aten.sub.Tensor", "aten.dist.default"} <= targets
    assert not targets & {"aten.multiply.Tensor", "aten.subtract.Tensor"}
    # Where what comes out of a rule has a rule too, both are used.
    with pytest.warns(CaptureWarning):
        captured = capture(Mixed(), inputs, known={*known, "aten.linalg_vector_norm.default"})
    targets = set(assert_replays(captured, Mixed(), inputs, tolerance=1e-6).targets())
    assert {"aten.mul.Tensor", "aten.sub.Tensor", "aten.linalg_vector_norm.default"} <= targets
    assert "aten.dist.default" not in targets


def test_a_traced_layer_of_torch_has_no_line(monkeypatch):
    """Further out on the stack are this package and whoever calls it, neither of them the model."""

    def refuse(*args, **kwargs):
        raise ValueError("refused")

    monkeypatch.setattr(torch.export, "export", refuse)
    with pytest.warns(CaptureWarning):
        recorder = record(capture(nn.Linear(4, 4).eval(), (torch.randn(2, 4),)))
    assert recorder.call("aten.linear.default").file == ""


def test_files_of_torch_and_of_this_package_are_not_the_models():
    import torchvision

    from torch2trt import _convert
    from torch2trt.capture.origin import is_user_code

    assert not any(
        is_user_code(module.__file__) for module in (torch, nn.functional, _convert, inspect.getmodule(capture))
    )
    assert is_user_code(__file__) and is_user_code(torchvision.__file__)
    assert is_user_code(str(Path(_convert.__file__).parent) + "_examples.py")


def test_a_detection_model_is_captured():
    import torchvision

    model = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None
    ).eval()
    image = torch.rand(3, 200, 240)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        captured = capture(model, ([image],))
    assert captured.input_names == ["images.0"]
    assert captured.output_names == ["output.0.boxes", "output.0.labels", "output.0.scores"]
    recorder = assert_replays(captured, model, ([image],))
    assert recorder.targets()["torchvision.nms.default"] > 0
    assert recorder.targets()["torchvision.roi_align.default"] > 0


def test_tracing_leaves_buffers_and_inputs_as_they_were():
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, x):
            self.calls += 1
            self.last = x
            if x.mean() < 1e9:
                x.add_(1)
            return x * self.calls

    model, x = Counts().eval(), torch.randn(3)
    calls, before = model.calls, x.clone()
    with pytest.warns(CaptureWarning):
        capture(model, (x,))
    assert model.calls is calls and model.calls.item() == 0
    assert torch.equal(x, before)
    assert not hasattr(model, "last")


# Arguments


def test_every_argument_is_given_in_schema_order_with_its_default():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.GELU()).eval()
    recorder = record(capture(model, (torch.randn(1, 3, 9, 9),)))
    conv = dict(recorder.call("aten.conv2d.default").args)
    assert list(conv) == ["input", "weight", "bias", "stride", "padding", "dilation", "groups"]
    assert (conv["stride"], conv["padding"], conv["dilation"], conv["groups"]) == ([1, 1], [0, 0], [1, 1], 1)
    pool = dict(recorder.call("aten.max_pool2d.default").args)
    assert pool["dilation"] == [1, 1] and pool["ceil_mode"] is False
    assert dict(recorder.call("aten.gelu.default").args)["approximate"] == "none"


def test_arguments_take_the_form_of_their_schema_type():
    def forward(_, x, n):
        y = torch.add(x, 2, alpha=3) + x.to(torch.float16).clone(memory_format=torch.contiguous_format)
        z = torch.full((2,), float("inf"), dtype=torch.float64, device="cpu")
        w = torch.cat([x, x], dim=-1)[:, [0, 1]].sum(dim=1, dtype=torch.float32)
        return y, z, w, x.index_select(0, n), torch.view_as_real(x * (1 + 2j)), x.norm(p=2, dim=1)

    model = Function(forward).eval()
    args = (torch.randn(3, 4), torch.tensor([0, 2]))
    recorder = assert_replays(capture(model, args), model, (torch.randn(3, 4), torch.tensor([1, 1])))
    add = dict(recorder.call("aten.add.Tensor").args)
    assert add["other"] == ("scalar", 2) and add["alpha"] == ("scalar", 3)
    full = dict(recorder.call("aten.full.default").args)
    assert full["fill_value"] == ("scalar", float("inf"))
    assert (full["dtype"], full["device"], full["layout"]) == (("dtype", "float64"), ("device", "cpu"), None)
    assert dict(recorder.call("aten.index.Tensor").args)["indices"][0] == "values"
    assert dict(recorder.call("aten.mul.Tensor").args)["other"] == ("complex", 1.0, 2.0)
    (_, tensors), (_, dim) = recorder.call("aten.cat.default").args
    assert tensors[0] == "values" and len(tensors[1]) == 2 and dim == -1


def test_multi_output_nodes_list_their_outputs_whether_used_or_not():
    def forward(_, x):
        _, second, _ = x.split([1, 2, 1], dim=1)
        values, _ = x.topk(2)
        return second, values, x.unbind(0)[-1], torch.cat(x.chunk(2))

    model = Function(forward).eval()
    recorder = assert_replays(capture(model, (torch.randn(4, 4),)), model, (torch.randn(4, 4),))
    split = recorder.call("aten.split_with_sizes.default")
    assert [output and output[0].partition(".")[2] for output in split.outputs] == ["0", "1", "2"]
    assert split.outputs[1][1:] == ("float32", [4, 2])
    assert [output[1:] for output in recorder.call("aten.topk.default").outputs] == [
        ("float32", [4, 2]),
        ("int64", [4, 2]),
    ]
    assert not any("getitem" in target for target in recorder.targets())


def test_a_custom_operator_is_a_node():
    @torch.library.custom_op("capture_test::scaled", mutates_args=())
    def scaled(x: torch.Tensor, factors: typing.Sequence[float], label: str = "two") -> torch.Tensor:
        return x * sum(factors)

    scaled.register_fake(lambda x, factors, label="two": torch.empty_like(x))
    model = Function(lambda _, x: scaled(x, [1.5, 2.0]).relu()).eval()
    recorder = assert_replays(capture(model, (torch.randn(3),)), model, (torch.randn(3),))
    call = recorder.call("capture_test.scaled.default")
    assert call.args[1:] == [("factors", [1.5, 2.0]), ("label", "two")]


def test_nodes_know_their_module_path_and_source_line():
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return torch.tanh(x)  # the line of tanh

    recorder = record(capture(nn.Sequential(Block(), Block()).eval(), (torch.randn(2, 4),)))
    linears = [call.module for call in recorder.nodes if call.target == "aten.linear.default"]
    assert linears == ["0.layers.0", "0.layers.1", "1.layers.0", "1.layers.1"]
    tanh = recorder.call("aten.tanh.default")
    assert (tanh.file, tanh.function, tanh.module) == (__file__, "forward", "0")
    assert "the line of tanh" in Path(__file__).read_text().splitlines()[tanh.line - 1]


def test_autocast_blocks_become_casts():
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.linear(x)
        return y.float() + 1

    model = Function(forward, linear=nn.Linear(4, 4)).eval()
    recorder = assert_replays(capture(model, (torch.randn(2, 4),)), model, (torch.randn(2, 4),))
    assert recorder.call("aten.linear.default").outputs[0][1] == "bfloat16"


def test_blocks_that_switch_gradients_are_walked_in_place():
    from torch2trt.capture.export import read_program
    from torch2trt.capture.tree import InputTree
    from torch2trt.capture.walk import walk

    def forward(self, x):
        with torch.no_grad():
            a, b = self.linear(x), x * 2
            with torch.enable_grad():
                a = a.sin()
        return a + b

    model, x = Function(forward, linear=nn.Linear(4, 4)).eval(), torch.randn(2, 4)
    program = torch.export.export(model, (x,), strict=False)
    assert any("set_grad_enabled" in str(node.target) for node in program.graph.nodes)
    inputs = InputTree(inspect.signature(model.forward), (x,), {})
    graph = read_program(program, inputs)
    walked = walk(graph, inputs.names, inputs.samples, lambda *_: None)
    assert_replays(Captured(walked, inputs, graph.tree), model, (torch.randn(2, 4),))
