"""Operators with several outputs, of which the model uses one: the others are not there, and must not be missed."""

import importlib.util

import pytest
import torch
from torch import nn

from torch2trt import _core, torch2trt

HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None
DATA_DEPENDENT = {"where", "unique"}
"""TensorRT-RTX has no outputs whose sizes depend on data."""


class Part(nn.Module):
    """One output of a function, or of a recurrent layer."""

    def __init__(self, function, index):
        super().__init__()
        self.function, self.index = function, index

    def forward(self, x):
        outputs = self.function(x)
        flat = [part for output in outputs for part in (output if isinstance(output, tuple) else (output,))]
        return flat[self.index]


FUNCTIONS = {
    "chunk": (2, lambda x: x.chunk(2, 1)),
    "split": (3, lambda x: x.split([1, 2, 1], 1)),
    "tensor_split": (3, lambda x: torch.tensor_split(x, (1, 3), 1)),
    "unbind": (4, lambda x: x.unbind(1)),
    "meshgrid": (2, lambda x: torch.meshgrid(x[0], x[1], indexing="ij")),
    "cummax": (2, lambda x: x.cummax(1)),
    "max_pool2d": (2, lambda x: nn.functional.max_pool2d(x[None], 2, return_indices=True)),
    "where": (2, lambda x: torch.where(x > 0)),
    "unique": (3, lambda x: torch.unique(x.round(), return_inverse=True, return_counts=True)),
    "topk": (2, lambda x: x.topk(2, 1)),
    "sort": (2, lambda x: x.sort(1)),
    "max": (2, lambda x: x.max(1)),
    "median": (2, lambda x: x.median(1)),
    "var_mean": (2, lambda x: torch.var_mean(x, 1)),
    "aminmax": (2, lambda x: torch.aminmax(x, dim=1)),
    "lstm": (3, nn.LSTM(4, 3)),
    "gru": (2, nn.GRU(4, 3)),
}


@pytest.mark.parametrize(("name", "index"), [(name, k) for name, (count, _) in FUNCTIONS.items() for k in range(count)])
def test_one_output_of_several(name, index):
    model = Part(FUNCTIONS[name][1], index).eval()
    model_trt = torch2trt(model, [torch.randn(4, 4)], backend="cpu", target="sm_89", progress=False)
    x = torch.randn(4, 4)
    with torch.no_grad():
        torch.testing.assert_close(model_trt(x), model(x), rtol=1e-5, atol=1e-6)
    if HAS_RTX and name not in DATA_DEPENDENT:
        assert model_trt.network.build(_core.ProgressBar(False)).size > 1000
