"""Operators without a converter on weights alone are evaluated at conversion; refits evaluate them again."""

import importlib.util
import os
import random
import time

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from torch2trt import _core, torch2trt

HAS_RTX = importlib.util.find_spec("tensorrt_rtx_libs") is not None
CASES = 6 * int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))


def symmetric(w):
    return w @ w.T + torch.eye(len(w))


OPERATORS = {
    "matrix_exp": torch.linalg.matrix_exp,
    "qr": lambda w: torch.linalg.qr(w)[0],
    "svd": lambda w: torch.linalg.svd(w)[0] * torch.linalg.svd(w)[1],
    "pinv": torch.linalg.pinv,
    "eigh": lambda w: torch.linalg.eigh(symmetric(w))[1],
    "eigvals": lambda w: w * torch.linalg.eigvals(w).abs().sum(),
    "householder_product": lambda w: torch.linalg.householder_product(w, w[0]),
    "norm of order 2": lambda w: w / torch.linalg.matrix_norm(w, 2),
    "matrix_rank": lambda w: w * torch.linalg.matrix_rank(w),
}


class Computed(nn.Module):
    """A parametrization by a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, w):
        return self.function(w)


def computed(function, size=6):
    layer = nn.Linear(size, size)
    nn.init.normal_(layer.weight, std=0.5)
    parametrize.register_parametrization(layer, "weight", Computed(function))
    return nn.Sequential(nn.Linear(4, size), nn.Tanh(), layer, nn.Tanh()).eval()


def check(model, size, dynamic):
    arguments = {"max_batch_size": 3} if dynamic else {}
    model_trt = torch2trt(model, [torch.randn(2, size)], backend="cpu", target="sm_89", progress=False, **arguments)
    for batch in (1, 3) if dynamic else (2,):
        x = torch.randn(batch, size)
        torch.testing.assert_close(model_trt(x), model(x), rtol=1e-4, atol=1e-5)
    return model_trt


PARAMETRIZATIONS = {
    "matrix_exp": lambda: parametrizations.orthogonal(nn.Linear(6, 6), orthogonal_map="matrix_exp"),
    "cayley": lambda: parametrizations.orthogonal(nn.Linear(6, 6), orthogonal_map="cayley"),
    "householder": lambda: parametrizations.orthogonal(nn.Linear(6, 4), orthogonal_map="householder"),
    "weight_norm": lambda: parametrizations.weight_norm(nn.Linear(6, 4)),
    "spectral_norm": lambda: parametrizations.spectral_norm(nn.Linear(6, 4)),
}


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("name", PARAMETRIZATIONS)
def test_parametrizations(name, dynamic):
    model_trt = check(PARAMETRIZATIONS[name]().eval(), 6, dynamic)
    if HAS_RTX and name == "matrix_exp":
        assert model_trt.network.build(_core.ProgressBar(False)).size > 1000


def test_drawn_operators():
    seed = int(time.time())
    print(f"seed {seed}")
    draw = random.Random(seed)
    torch.manual_seed(seed)
    for _ in range(CASES):
        name, dynamic, size = draw.choice(list(OPERATORS)), draw.random() < 0.5, draw.randint(2, 8)
        print(name, dynamic, size)
        check(computed(OPERATORS[name], size), 4, dynamic)


class Decides(nn.Module):
    """torch.export refuses it, so that one run is traced."""

    def __init__(self):
        super().__init__()
        self.layer = computed(torch.linalg.matrix_exp)

    def forward(self, x):
        return self.layer(x) if float(x.abs().sum()) >= 0 else x


def test_a_traced_model():
    with pytest.warns(match="was traced"):
        check(Decides().eval(), 4, False)


def test_a_refit_evaluates_again():
    first, second = computed(torch.linalg.matrix_exp), computed(torch.linalg.matrix_exp)
    x = torch.randn(2, 4)
    model_trt = torch2trt(first, [x], backend="cpu", progress=False, refittable=True)
    model_trt.refit(second)
    torch.testing.assert_close(model_trt(x), second(x), rtol=1e-4, atol=1e-5)


def test_known_operators_keep_the_weights_of_the_model():
    from torch2trt.capture import capture

    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval()
    known = {overload for _, overload, _, _ in _core.operators()}
    program = capture(model, [torch.randn(2, 4)], known=known).program
    found = {(weight.name, weight.kind) for weight in program.weights}
    assert found == {("0.weight", "parameter"), ("0.bias", "parameter")}
