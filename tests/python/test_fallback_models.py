"""Models that convert only in part: on the CPU engine, and with plans of TensorRT-RTX, which lacks some layers."""

from __future__ import annotations

import importlib.util
import os

import pytest
import torch
import torchvision
from archived import CAN_EXPORT
from test_fallback import Adjoining, Operator, agrees, bend, convert, kinds
from torch import nn

from torch2trt import Error, load
from torch2trt.capture.vmap import EXPORTS_VMAP

CASES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None
RTX = {"backend": "tensorrt", "target": "sm_89"}
only_rtx = pytest.mark.skipif(not HAS_RTX, reason="TensorRT-RTX is not installed")


class Mixtral(nn.Module):
    def __init__(self):
        super().__init__()
        transformers = pytest.importorskip("transformers")
        config = transformers.MixtralConfig(
            vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=1, num_local_experts=4, num_experts_per_tok=2, max_position_embeddings=64,
        )  # fmt: skip
        self.model, self.last = transformers.MixtralModel(config), nn.Linear(16, 16)

    def forward(self, tokens):
        return self.last(bend(self.model(input_ids=tokens, use_cache=False).last_hidden_state, 1))


class Flexible(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, x):
        from torch.nn.attention.flex_attention import flex_attention

        q, k, v = (part.unflatten(-1, (2, 8)).transpose(1, 2) for part in self.first(x).chunk(3, -1))
        y = flex_attention(q, k, v, score_mod=lambda score, b, h, i, j: score - (i - j).abs() * 0.1)
        return self.last(bend(y.transpose(1, 2).flatten(2), 1))


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.layers, self.last = nn.Linear(4, 8), nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 8)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(self.first(x), lengths, batch_first=True, enforce_sorted=False)
        y, _ = nn.utils.rnn.pad_packed_sequence(self.layers(packed)[0], batch_first=True)
        return self.last(torch.matrix_exp(torch.diag_embed(y.tanh())).sum(-1))


def tokens(batch=2, length=6):
    return [torch.randint(32, (batch, length))]


def sequences(batch=3, length=6):
    return [
        torch.randn(batch, length, 4),
        torch.cat([torch.tensor([length]), torch.randint(1, length + 1, (batch - 1,))]),
    ]


MODELS = {
    "Mixtral": (Mixtral, tokens, {"min_shapes": [(1, 2)], "max_shapes": [(4, 9)]}, [(1, 2), (3, 5), (4, 9)]),
    "flex_attention": (
        Flexible,
        lambda batch=2, length=6: [torch.randn(batch, length, 16)],
        {"max_batch_size": 4},
        [(1, 6), (2, 6), (4, 6)],
    ),
    "packed sequences": (Packed, sequences, {"max_batch_size": 5}, [(2, 6), (5, 6)]),
}


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize(("name", "is_dynamic"), [(name, d) for name in MODELS for d in (False, True)])
def test_models_with_a_part_in_pytorch(name, is_dynamic, precision):
    if name == "flex_attention":
        pytest.importorskip("torch.nn.attention.flex_attention")
    torch.manual_seed(0)
    make, draw, ranges, shapes = MODELS[name]
    model = make().eval()
    half = precision == "float16"
    if name == "flex_attention" and not EXPORTS_VMAP:
        with pytest.raises(Error, match="torch>=2.9") as raised:
            convert(model, draw(), fp16_mode=half, **(ranges if is_dynamic else {}))
        assert raised.value.code == "E0601"
        return
    model_trt = convert(model, draw(), fp16_mode=half, **(ranges if is_dynamic else {}))
    assert kinds(model_trt) == "epe"
    for shape in shapes if is_dynamic else [()]:
        x = draw(*shape)
        if not half:
            agrees(model, model_trt, *x)
            continue
        with torch.no_grad():
            expected = model(*x)
        assert (model_trt(*x) - expected).abs().max() < 0.02 * expected.abs().max()


# What the target lacks


class Found(nn.Module):
    """A size that depends on data, between layers."""

    def __init__(self, times=1):
        super().__init__()
        self.layers, self.times = nn.ModuleList(nn.Linear(8, 8) for _ in range(3)), times

    def forward(self, x):
        y = self.layers[0](x).relu()
        rows = y[y[:, 0] > 0.1]
        for _ in range(self.times - 1):
            rows = self.layers[1](rows)
            rows = rows[rows[:, 1] > 0]
        best = self.layers[2](rows)
        return best, best.sum(0) + x.mean(0), rows.shape[0] * 2


class Boxes(nn.Module):
    """A detector's head: boxes without those that overlap, at most 5, and their features; a size from them alone."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x):
        y = self.first(x)
        corners = y[:, :2] * 10
        kept = torchvision.ops.nms(torch.cat([corners, corners + y[:, 2:4].abs() + 1], 1), y[:, 4], 0.3)[:5]
        labels = torch.arange(4).expand(kept.shape[0], 4).reshape(-1)
        found = self.last(y[kept]).relu() + labels.view(-1, 4)
        return found, labels


class Sorted(nn.Module):
    """More sorted elements than TensorRT's TopK layer has."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(8, 4000), nn.Linear(4000, 4)

    def forward(self, x):
        return self.last(self.first(x).sort(-1).values)


@only_rtx
@pytest.mark.parametrize("batch", [None, 6], ids=["static", "dynamic batch"])
@pytest.mark.parametrize(
    ("make", "expected", "reason"),
    [
        (Found, "epe", "no sizes that depend on data"),
        (lambda: Found(2), "epepe", "no sizes that depend on data"),
        (Boxes, "epe", "no sizes that depend on data"),
        (Sorted, "epe", "at most 3840 largest elements"),
    ],
    ids=["found", "found twice", "boxes", "sorted"],
)
def test_what_the_target_lacks_runs_in_pytorch(make, expected, reason, batch, tmp_path):
    torch.manual_seed(0)
    model, shapes = make().eval(), {"max_batch_size": batch} if batch else {}
    with pytest.raises(Error) as raised:
        convert(model, [torch.randn(4, 8)], fallback=False, **RTX, **shapes)
    assert raised.value.code == "E0302"
    assert reason in str(raised.value)
    assert raised.value.nodes
    model_trt = convert(model, [torch.randn(4, 8)], **RTX, **shapes)
    assert kinds(model_trt) == expected
    text = " ".join(str(model_trt.report).split())
    assert reason in text
    assert "verified: on the CPU engine" in text
    assert "TensorRT plans for sm_89" in text
    if CAN_EXPORT:
        model_trt.save(tmp_path / "net.trt2")  # a plan for each engine, and the parts in PyTorch
    else:
        with pytest.raises(Error, match="use PyTorch 2.9") as raised:
            model_trt.save(tmp_path / "net.trt2")
        assert raised.value.code == "E0605"
    with pytest.raises(Error) as raised:
        model_trt(torch.randn(4, 8))
    assert raised.value.code == "E0604"
    if CAN_EXPORT and not torch.cuda.is_available():
        with pytest.raises(Error) as raised:
            load(tmp_path / "net.trt2")
        assert raised.value.code == "E0604"
        assert "GPU" in str(raised.value)


class Lengths(nn.Module):
    """A length that is computed, and layers of that many steps, as in text-to-speech."""

    def __init__(self, largest=None):
        super().__init__()
        self.first, self.last, self.largest = nn.Linear(8, 8), nn.Linear(8, 4), largest

    def forward(self, x):
        y = self.first(x).relu()
        n = (y.sum(-1) * 3).ceil().long().max().item()
        torch._check(n >= 0)
        if self.largest is not None:
            torch._check(n <= self.largest)
        frames = y.mean(0) * torch.arange(n)[:, None]
        return self.last(frames).relu().sum(0) + x.mean()


@only_rtx
@pytest.mark.parametrize("batch", [None, 6], ids=["static", "dynamic batch"])
@pytest.mark.parametrize(("largest", "expected"), [(None, "ep"), (200, "epe")], ids=["no largest", "largest"])
def test_a_length_that_is_computed_has_an_engine_where_it_has_a_largest_value(largest, expected, batch):
    torch.manual_seed(0)
    shapes = {"max_batch_size": batch} if batch else {}
    model = Lengths(largest).eval()
    if largest is None:
        with pytest.raises(Error) as raised:
            convert(model, [torch.randn(4, 8)], fallback=False, **RTX, **shapes)
        assert raised.value.code == "E0302"
        assert "fallback=True" in raised.value.help
    model_trt = convert(model, [torch.randn(4, 8)], **RTX, **shapes)
    assert kinds(model_trt) == expected
    reasons = {reason for part in model_trt.partitions for reason in part.reasons}
    assert any("torch._check(n <= 1000)" in reason for reason in reasons) == (largest is None)
    here = convert(model, [torch.randn(4, 8)], **shapes)  # the CPU engine needs no largest size
    for size in (1, 4, 6) if batch else (4,):
        for _ in range(3):
            agrees(model, here, torch.randn(size, 8))


@only_rtx
def test_a_plan_for_another_machine_has_the_parts_of_an_engine():
    for model in (Operator().eval(), Adjoining().eval()):
        x = [torch.randn(4, 8)]
        here, ahead = convert(model, x), convert(model, x, **RTX)
        assert kinds(here) == kinds(ahead) == "epe"
        assert ahead.engine is None
        assert [part.calls for part in here.partitions] == [part.calls for part in ahead.partitions]
    with pytest.raises(Error) as raised:
        ahead.save_plan("net.plan")
    assert raised.value.code == "E0701"
    assert "model_trt.save" in raised.value.help


DETECTORS = {
    "fasterrcnn_mobilenet_v3_large_320_fpn": {"min_size": 96, "max_size": 96},
    "retinanet_resnet50_fpn": {"min_size": 96, "max_size": 96, "topk_candidates": 20},
    "ssdlite320_mobilenet_v3_large": {"topk_candidates": 20},
}


@only_rtx
@pytest.mark.skipif(CASES == 1, reason="slow: TORCH2TRT_TEST_CASES")
@pytest.mark.parametrize("name", DETECTORS)
def test_detection_models_with_plans_for_rtx(name):
    torch.manual_seed(0)
    make = getattr(torchvision.models.detection, name)
    model = make(weights=None, weights_backbone=None, num_classes=5, **DETECTORS[name]).eval()
    # Random weights give scores that are nearly the same, whose order rounding decides: compared elsewhere.
    model_trt = convert(model, [[torch.rand(3, 96, 96)]], verify=False, **RTX)
    engines = [part for part in model_trt.partitions if part.kind == "engine"]
    reasons = {reason for part in model_trt.partitions for reason in part.reasons}
    assert engines
    assert any("no sizes that depend on data" in reason for reason in reasons)
    calls = sum(part.calls for part in model_trt.partitions)
    assert sum(part.calls for part in engines) > 0.95 * calls
    assert len(model_trt.plan.steps) == len(model_trt.partitions)
