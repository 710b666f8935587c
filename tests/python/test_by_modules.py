"""Models whose Python code decides by values: Python decides at each call, and engines run the modules inside."""

from __future__ import annotations

import logging

import pytest
import torch
from test_fallback import agrees, bend, convert
from torch import nn

from torch2trt import Error


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x, scale=1.0):
        return self.second(self.first(x).relu()) * scale + x


class Decides(nn.Module):
    """A branch, a loop that data end, a part that is not called, shared parts, numbers among the outputs."""

    def __init__(self):
        super().__init__()
        self.stem, self.hot, self.cold = Block(), Block(), Block()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.blocks.append(self.blocks[0])

    def forward(self, x):
        x = self.stem(x)
        x = self.hot(x) if x.mean() > 0 else self.cold(x, scale=2.0)
        steps = 0
        for block in self.blocks:
            if x.abs().max() > 5:
                break
            x, steps = block(x), steps + 1
        return {"x": x, "batch": x.shape[0], "steps": steps, "mean": x.mean().item(), "name": "decides"}


@pytest.mark.parametrize("batch", [None, 6], ids=["static", "dynamic batch"])
def test_every_way_through_the_model(batch):
    torch.manual_seed(0)
    model = Decides().eval()
    model_trt = convert(model, [torch.randn(4, 8)], **({"max_batch_size": batch} if batch else {}))
    seen = set()
    for k in range(12):
        x = torch.randn((1 + k % 6) if batch else 4, 8) * (1 + k % 3) + k % 2
        with torch.no_grad():
            expected = model(x)
        got = model_trt(x)
        assert {name: type(value) for name, value in got.items()} == {
            name: type(value) for name, value in expected.items()
        }
        assert (got["x"] - expected["x"]).abs().max() < 1e-5 * expected["x"].abs().max()
        assert (got["batch"], got["steps"], got["name"]) == (expected["batch"], expected["steps"], "decides")
        assert got["mean"] == pytest.approx(expected["mean"], abs=1e-5)
        seen.add((expected["steps"], bool(model.stem(x).mean() > 0)))
    assert len(seen) > 2
    engines = [part.module for part in model_trt.partitions if part.kind == "engine"]
    assert {"stem", "blocks.0", "blocks.1"} <= set(engines) and "blocks.2" not in engines  # it is blocks.0
    text = " ".join(str(model_trt.report).split())
    assert "engine of `stem`" in text and "Decides.forward" in text and "test_by_modules.py" in text
    assert all(
        isinstance(part, nn.Linear) for part in model.modules() if not list(part.children())
    )  # the model is as it was


def test_modules_inside_of_modules_that_decide():
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Block()

        def forward(self, x):
            return self.block(x) if x.sum() > 0 else x

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.inner, self.odd = Block(), Inner(), Odd()

        def forward(self, x):
            return self.odd(self.inner(self.head(x)))

    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x):
            return bend(self.layer(x), 1)

    model = Outer().eval()
    model_trt = convert(model, [torch.ones(4, 8)])
    for _ in range(6):
        agrees(model, model_trt, torch.randn(4, 8))
    assert {"head", "inner", "odd"} <= {part.module for part in model_trt.partitions}


def test_calls_that_do_not_fit_an_engine_run_the_original(caplog):
    class Cuts(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Block()

        def forward(self, x):
            return self.block(x[: int((x[:, 0] > 0).sum()) + 1]).sum(0)

    model = Cuts().eval()
    model_trt = convert(model, [torch.ones(4, 8)])
    with caplog.at_level(logging.WARNING, "torch2trt"):
        for rows in range(4):
            x = torch.randn(4, 8)
            x[:, 0] = torch.tensor([1.0] * rows + [-1.0] * (4 - rows))
            agrees(model, model_trt, x)


def test_a_model_without_modules_is_refused():
    class Alone(nn.Module):
        def forward(self, x):
            return x * 2 if x.sum() > 0 else x

    with pytest.raises(Error) as raised:
        convert(Alone(), [torch.randn(4)])
    assert (
        raised.value.code == "E0601" and "torch.cond" in raised.value.help and "test_by_modules.py" in str(raised.value)
    )
