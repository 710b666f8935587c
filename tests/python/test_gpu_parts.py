"""Models that convert only in part, on a GPU: TensorRT runs the engines, PyTorch the rest, on one stream.

`test_fallback.py` and `test_fallback_run.py` test the same on the CPU engine, and more of it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import warnings

import pytest
import test_gpu
import torch
import torchvision
from test_fallback import Adjoining, Layers, Scattered, Sizes, bend, kinds
from test_fallback_models import Flexible, Mixtral, Packed
from torch import nn
from torch.utils import _pytree as pytree

from torch2trt import Error, TRTModule, keep_builder, load, torch2trt

# TensorRT reads this variable when it builds.
EXACT = 1e-4 if os.environ.get("NVIDIA_TF32_OVERRIDE") == "0" else 5e-3

pytestmark = pytest.mark.skipif(bool(test_gpu.SKIP), reason=test_gpu.SKIP or "")


@pytest.fixture(scope="module", autouse=True)
def builder():
    """TensorRT's kernels are loaded once, and PyTorch computes without TF32."""
    with contextlib.ExitStack() as stack:
        for backend in (torch.backends.cudnn, torch.backends.cuda.matmul):
            before, backend.allow_tf32 = backend.allow_tf32, False
            stack.callback(setattr, backend, "allow_tf32", before)
        stack.enter_context(keep_builder())
        yield


def convert(model: nn.Module, inputs: tuple[torch.Tensor, ...], **options) -> TRTModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch2trt(
            model,
            inputs,
            **{"fallback": True, "progress": False, "engine_cache": False, "optimization_level": 1, **options},
        )


def worst(expected, got) -> float:
    """The largest difference of all floating-point outputs, relative to the largest value; the others are equal."""
    assert pytree.tree_structure(expected) == pytree.tree_structure(got)
    found = 0.0
    for e, g in zip(pytree.tree_leaves(expected), pytree.tree_leaves(got), strict=True):
        if not isinstance(e, torch.Tensor):
            assert type(e) is type(g)
            assert e == pytest.approx(g, rel=1e-2)
            continue
        assert (e.dtype, e.shape, e.device) == (g.dtype, g.shape, g.device)
        if not e.dtype.is_floating_point:
            assert torch.equal(e, g)
        elif e.numel():
            found = max(found, ((e - g).abs().max() / e.abs().max().clamp(min=1e-6)).item())
    return found


class Operator(Layers):
    def between(self, x):
        return torch.matrix_exp(torch.diag_embed(x.tanh())).sum(-1)


class Custom(Layers):
    def between(self, x):
        return bend(x, 2) * 0.1


class Dtypes(Layers):
    def forward(self, x):
        y = self.layers[0](x)
        wide, small = bend(y.double(), 2), bend(x, 1).to(torch.int16)
        return self.layers[1](wide.float()) + small, wide, small


class Mean(nn.Module):
    """Python decides by a value."""

    def __init__(self):
        super().__init__()
        self.hot, self.cold = (nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)) for _ in range(2))

    def forward(self, x):
        return self.hot(x) if x.mean() > 0 else self.cold(x)


def rows(batch):
    return (torch.randn(batch, 8, device="cuda"),)


def sentences(batch):
    return (torch.randint(32, (batch, 6), device="cuda"),)


def sequences(batch):
    lengths = torch.cat([torch.tensor([6]), torch.randint(1, 7, (batch - 1,))])  # PyTorch wants them on the CPU
    return torch.randn(batch, 6, 4, device="cuda"), lengths


def images(batch):
    return (torch.rand(batch, 3, 64, 64, device="cuda"),)


def resnet():
    torch.manual_seed(0)
    return torchvision.models.resnet18(num_classes=10)


MODELS = {
    # name: the model, its inputs for a batch, its parts (None: only that there are both kinds), options
    "an operator": (Operator, rows, "epe", {}),
    "a custom operator": (Custom, rows, "epe", {}),
    "12 scattered calls": (Scattered, rows, "ep" * 12 + "e", {}),
    "12 adjoining calls": (Adjoining, rows, "epe", {}),
    "sizes": (Sizes, rows, None, {}),
    "dtypes": (Dtypes, rows, None, {}),
    "a decision": (Mean, rows, None, {}),
    "flex_attention": (Flexible, lambda batch: (torch.randn(batch, 6, 16, device="cuda"),), "epe", {}),
    "packed sequences": (Packed, sequences, "epe", {}),
    "packed sequences, the LSTM in PyTorch": (Packed, sequences, None, {"run_in_pytorch": ["layers"]}),
    "Mixtral": (Mixtral, sentences, None, {}),  # how PyTorch runs experts on a GPU depends on its version
    "resnet18, a stage in PyTorch": (resnet, images, "epe", {"run_in_pytorch": ["layer3"]}),
    "resnet18, batch norms in PyTorch": (resnet, images, None, {"run_in_pytorch": ["layer*.0.bn1"], "min_layers": 1}),
}


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("batch", [None, 6], ids=["static", "dynamic batch"])
@pytest.mark.parametrize("name", MODELS)
def test_values_and_files(name, batch, precision, tmp_path):
    """Values of PyTorch in both precisions, static and dynamic, and again from a file."""
    torch.manual_seed(0)
    make, draw, expected_kinds, options = MODELS[name]
    model, half = make().eval().cuda(), precision == "float16"
    ranges = {"max_batch_size": batch} if batch else {}
    model_trt = convert(model, draw(4), fp16_mode=half, **ranges, **options)
    assert model_trt.report.backend == "tensorrt"
    assert expected_kinds in (None, kinds(model_trt))
    assert {"engine", "pytorch"} == {part.kind for part in model_trt.partitions}
    made = [model_trt]
    if name != "a decision":  # its Python code is in no file
        model_trt.save(tmp_path / "net.trt2")
        made.append(load(tmp_path / "net.trt2"))
    for size in (1, 3, 6) if batch else (4, 4):
        inputs = draw(size)
        with torch.no_grad():
            expected = model(*inputs)
        for each in made:
            assert worst(expected, each(*inputs)) < (2e-2 if half else EXACT)


def test_detectors_with_their_heads_in_pytorch():
    torch.manual_seed(0)
    build = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_320_fpn
    model = build(weights=None, weights_backbone=None, num_classes=5).eval().cuda()
    images = [torch.rand(3, 160, 192, device="cuda")]
    model_trt = convert(model, (images,), run_in_pytorch=["roi_heads"], verify=False)
    assert {"e", "p"} == set(kinds(model_trt))
    with torch.no_grad():
        (expected,), (got,) = model(images), model_trt(images)
    assert expected["boxes"].shape == got["boxes"].shape
    assert (expected["boxes"] - got["boxes"]).abs().max() < 0.5  # pixels: TF32


class Between(Layers):
    """An operator without a converter after each layer but the last."""

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = layer(x).relu()
            x = torch.special.spherical_bessel_j0(x) + x
        return self.layers[-1](x)


class ByData(Layers):
    """A size that depends on data: no CUDA graph can hold the call."""

    def forward(self, x):
        y = self.layers[0](x)
        return self.layers[1](torch.special.spherical_bessel_j0(y[y[:, 0] > 0]).sum(0)) + y


@torch.library.custom_op("torch2trt_gpu_parts::reads", mutates_args=())
def reads(x: torch.Tensor) -> torch.Tensor:
    """Reads a value on the host, which its schema does not show."""
    return x * float(x.abs().max() > -1)


@reads.register_fake
def _(x):
    return torch.empty_like(x)


class Reads(Layers):
    def between(self, x):
        return reads(x)


@pytest.mark.parametrize("sizes", [(4,), (1, 3, 6)], ids=["static", "dynamic batch"])
@pytest.mark.parametrize(
    ("make", "is_whole"),
    [(Between, True), (lambda: Between(4), True), (ByData, False), (Reads, False)],
    ids=["one part", "three parts", "a size by data", "a read on the host"],
)
def test_whole_calls_in_cuda_graphs(make, is_whole, sizes):
    torch.manual_seed(0)
    model = make().eval().cuda()
    ranges = {"max_batch_size": 6} if len(sizes) > 1 else {}
    model_trt = convert(model, rows(4), min_layers=1, use_cuda_graph=True, **ranges)
    for size in sizes * 3:
        first, second = rows(size), rows(size)
        with torch.no_grad():
            expected = model(*first)
        made = model_trt(*first)
        assert model_trt(*second).data_ptr() != made.data_ptr()
        assert worst(expected, made) < EXACT  # the second call did not write to it
    whole = model_trt.engine.whole
    assert (whole.obstacle is None) == is_whole
    assert len(whole._recorded) == (len({4, *sizes}) if is_whole else 0)  # verification calls it with 4
    assert ("whole call" in str(model_trt.report.cuda_graph)) == is_whole


def test_streams_take_turns_in_a_graph():
    model = Between().eval().cuda()
    model_trt = convert(model, rows(4), min_layers=1, use_cuda_graph=True)
    model_trt(*rows(4))
    torch.cuda.synchronize()
    streams = [torch.cuda.Stream() for _ in range(2)]
    pairs = []
    for stream in itertools.islice(itertools.cycle(streams), 40):
        with torch.cuda.stream(stream), torch.no_grad():
            inputs = rows(4)
            pairs.append((model(*inputs), model_trt(*inputs)))
    torch.cuda.synchronize()
    assert max(worst(*pair) for pair in pairs) < EXACT


def test_captures_of_the_caller():
    model = Between().eval().cuda()
    for use_cuda_graph in (False, True):
        model_trt = convert(model, rows(4), min_layers=1, use_cuda_graph=use_cuda_graph)
        (x,) = rows(4)
        model_trt(x)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            made = model_trt(x)
        x.copy_(torch.randn_like(x))
        graph.replay()
        with torch.no_grad():
            assert worst(model(x), made) < EXACT


def test_errors_of_calls():
    model_trt = convert(Operator().eval().cuda(), rows(4), max_batch_size=6)
    (x,) = rows(4)
    for given, code in ((rows(7)[0], "E0402"), (x[:, :4], "E0402"), (x.double(), "E0403"), (x.cpu(), "E0404")):
        with pytest.raises(Error) as raised:
            model_trt(given)
        assert raised.value.code == code
