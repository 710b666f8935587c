"""Times of layers: `model_trt.profile` and `enable_profiling`, on the CPU engine."""

from __future__ import annotations

import pytest
import torch
import torchvision
from test_fallback import Operator
from torch import nn

from torch2trt import Error, torch2trt


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(256, 512), nn.Linear(512, 4)

    def forward(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return self.second(torch.softmax(self.first(x), -1)) * scale


def converted() -> tuple[nn.Module, list[torch.Tensor]]:
    inputs = [torch.randn(64, 256), torch.randn(64, 4)]
    return torch2trt(Two().eval(), inputs, backend="cpu", progress=False), inputs


def test_every_layer_is_timed_under_its_name():
    made, inputs = converted()
    found = made.profile(inputs, calls=5)
    assert all(layer.seconds >= 0 for layer in found.layers)
    assert 0 < sum(layer.seconds for layer in found.layers) <= found.seconds
    products = {layer.name for layer in found.layers if layer.operator in ("Gemm", "MatMul", "FusedMatMul")}
    assert {name.split(".")[0] for name in products} == {"first", "second"}
    assert "Softmax" in str(found)
    assert "of a call (mean of 5)" in str(found)
    torch.testing.assert_close(made(*inputs), made(*inputs))


def test_layers_of_a_large_model_add_up_to_a_call():
    x = torch.randn(1, 3, 224, 224)
    made = torch2trt(torchvision.models.resnet18(weights=None).eval(), [x], backend="cpu", progress=False, verify=False)

    def is_complete() -> bool:
        found = made.profile([x], calls=5)
        shares = sum(layer.seconds for layer in found.layers) / found.seconds
        assert ("the other" in str(found)) == (shares < 0.95)
        return shares >= 0.95

    # Another process may take a core between two layers.
    assert any(is_complete() for _ in range(5))


def test_calls_print_their_layers_once_it_is_enabled(capsys):
    made, inputs = converted()
    made(*inputs)
    assert not capsys.readouterr().out
    made.enable_profiling()
    made(*inputs)
    assert "of a call (mean of 1)" in capsys.readouterr().out
    made.enable_profiling(False)
    made(*inputs)
    assert not capsys.readouterr().out


def test_wrong_inputs_are_errors_of_a_call():
    made, inputs = converted()
    with pytest.raises(Error) as raised:
        made.profile([torch.randn(63, 256), inputs[1]])
    assert raised.value.code == "E0402"
    with pytest.raises(Error) as raised:
        made.profile(inputs[:1])
    assert raised.value.code == "E0602"


def test_parts_in_pytorch_have_no_list_of_layers():
    x = torch.randn(4, 8)
    made = torch2trt(Operator().eval(), [x], fallback=True, min_layers=1, backend="cpu", progress=False)
    with pytest.raises(Error) as raised:
        made.profile([x])
    assert raised.value.code == "E0701"
