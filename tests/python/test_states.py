"""State in Python attributes: put back after a conversion, and reported with its line."""

import warnings
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from torch2trt import torch2trt
from torch2trt.capture import CaptureWarning


class Stored(nn.Module):
    """Writes to its attributes in one of several ways."""

    def __init__(self, how):
        super().__init__()
        self.how, self.n, self.h, self.held = how, 0, [], SimpleNamespace(k=1, d={"a": [1]})
        self.gru, self.state = nn.GRU(4, 4), None

    def forward(self, x):
        if self.how == "counter":
            self.n += 1
            return x * self.n
        if self.how == "list":
            self.h.append(x)
            return x * len(self.h)
        if self.how == "nested":
            self.held.k += 1
            self.held.d["a"].append(2)
            return x * self.held.k + len(self.held.d["a"])
        o, self.state = self.gru(x, self.state)
        return o


@pytest.mark.parametrize(
    ("how", "name"), [("counter", "n"), ("list", "h"), ("nested", "held.k"), ("hidden state", "state")]
)
def test_state_is_put_back_and_reported(how, name):
    model, x = Stored(how).eval(), torch.randn(3, 4)
    with pytest.warns(
        CaptureWarning, match=rf"(?s)state in Python attributes.*  {name} at .*test_states.py:\d+"
    ) as warned:
        model_trt = torch2trt(model, [x], backend="cpu", progress=False)
    assert sum("Python attributes" in str(warning.message) for warning in warned) == 1
    assert (model.n, model.h, model.held, model.state) == (0, [], SimpleNamespace(k=1, d={"a": [1]}), None)
    with torch.no_grad():
        assert torch.allclose(model_trt(x), Stored.forward(model, x), atol=1e-5)


def test_a_hook_that_appends_is_reported():
    seen, model = [], nn.Sequential(nn.Linear(4, 4))
    model.seen = seen
    model[0].register_forward_hook(lambda _module, _args, out: seen.append(out))
    with pytest.warns(CaptureWarning, match=r"  seen at .*test_states.py:\d+"):
        torch2trt(model.eval(), [torch.randn(2, 4)], backend="cpu", progress=False)
    assert seen == []


def test_a_cache_is_not_reported():
    class Model(nn.Module):
        shape = anchors = None

        def forward(self, x):
            if self.shape != x.shape:
                self.shape, self.anchors = x.shape, torch.arange(x.shape[1]) * 2.0
            return x + self.anchors

    model = Model().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error", CaptureWarning)
        torch2trt(model, [torch.randn(2, 4)], backend="cpu", progress=False)
    assert model.shape is None and model.anchors is None
