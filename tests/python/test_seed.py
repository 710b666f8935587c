"""The code of NVIDIA's README, block by block, as it stands there.

Where there is no CUDA device, `.cuda()` leaves tensors on the CPU. Where TensorRT's Python package is not installed,
`torch2trt.install_trt_alias()` is called first, as in docs/custom-converters.md. torchvision's pretrained weights are
not downloaded: random ones take their place.
"""

from __future__ import annotations

import contextlib
import io

import pytest
import torch

import torch2trt
from torch2trt import CONVERTERS

USAGE = """
from torch2trt import torch2trt
from torchvision.models.alexnet import alexnet

# create some regular pytorch model...
model = alexnet(pretrained=True).eval().cuda()

# create example data
x = torch.ones((1, 3, 224, 224)).cuda()

# convert to TensorRT feeding sample data as input
model_trt = torch2trt(model, [x])
"""

TEST = """
y = model(x)
y_trt = model_trt(x)

print(torch.max(torch.abs(y - y_trt)))
"""

CONVERTER = """
import tensorrt as trt
from torch2trt import tensorrt_converter

@tensorrt_converter('torch.nn.ReLU.forward')
def convert_ReLU(ctx):
    input = ctx.method_args[1]
    output = ctx.method_return
    layer = ctx.network.add_activation(input=input._trt, type=trt.ActivationType.RELU)
    output._trt = layer.get_output(0)
"""


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch):
    """A machine for the README's code, with whatever of it is missing here."""
    import sys

    import torchvision

    before = dict(CONVERTERS)
    CONVERTERS.clear()
    had = "tensorrt" in sys.modules
    torch2trt.install_trt_alias()
    if not torch.cuda.is_available():
        monkeypatch.setattr(torch.nn.Module, "cuda", lambda self, device=None: self)
        monkeypatch.setattr(torch.Tensor, "cuda", lambda self, *args, **kwargs: self)
    random = torchvision.models.alexnet(weights=None).state_dict()
    weights = torchvision.models.AlexNet_Weights
    monkeypatch.setattr(weights, "get_state_dict", lambda self, *args, **kwargs: random)
    yield
    CONVERTERS.clear()
    CONVERTERS.update(before)
    if not had:
        sys.modules.pop("tensorrt", None)


def run(*blocks: str) -> tuple[dict, str]:
    """Runs blocks one after another; gives their names and what they printed."""
    names: dict = {"torch": torch}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks:
            exec(compile(block, "README.md", "exec"), names)
    return names, printed.getvalue()


def small(names: dict) -> bool:
    """Whether both models agree on fresh input."""
    x = torch.randn(1, 3, 224, 224).to(names["x"].device)
    with torch.no_grad():
        expected, got = names["model"](x), names["model_trt"](x)
    return bool((expected - got).abs().max() <= 1e-4 * expected.abs().max())


def test_usage() -> None:
    names, printed = run(USAGE, TEST)
    assert printed.startswith("tensor(") and float(names["y"].abs().max()) > 0
    assert float((names["y"] - names["y_trt"]).abs().max()) < 1e-5
    assert small(names)


def test_usage_with_a_converter() -> None:
    names, _ = run(CONVERTER, USAGE, TEST)
    assert small(names)
    text = str(names["model_trt"].network)
    assert text.count('"torch.nn.ReLU.forward"') == 7
    assert "aten.relu" not in text
