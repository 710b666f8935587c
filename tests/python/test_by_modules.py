"""Models whose Python code decides by values: Python decides at each call, and engines run the modules inside."""

from __future__ import annotations

import copy
import dataclasses
import logging
import pickle
import random

import pytest
import torch
from archived import needs_archives
from test_fallback import CASES, SEED, Operator, agrees, bend, convert
from torch import nn

from torch2trt import Error, inspect, load


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


class Counts(nn.Module):
    """Python code that counts calls in a buffer."""

    def __init__(self):
        super().__init__()
        self.block, self.scale = Block(), nn.Parameter(torch.ones(8))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.count += 1
        x = self.block(x) * self.scale
        return x * 2 if x.mean() > 0 else x


def test_python_code_reads_and_writes_its_own_tensors(tmp_path):
    model = Counts().eval()
    model_trt = convert(model, [torch.randn(4, 8)])
    model_trt.save(tmp_path / "net.trt2")
    model(torch.randn(4, 8))  # writes to the buffer
    for made in (model_trt, load(tmp_path / "net.trt2", module=model)):
        for _ in range(3):
            agrees(model, made, torch.randn(4, 8))
        with torch.no_grad():
            model.scale.mul_(3)  # Python reads it
        agrees(model, made, torch.randn(4, 8))
    with torch.no_grad():
        model.block.first.weight.mul_(3)  # the engine does not
    with pytest.raises(Error) as raised:
        made(torch.randn(4, 8))
    assert raised.value.code == "E0603"


@dataclasses.dataclass
class Found:
    scores: torch.Tensor
    steps: int


class Drawn(nn.Module):
    """A drawn tree of modules: some decide by values, some convert, some have an operator without a converter."""

    def __init__(self, draw, depth=0):
        super().__init__()
        self.decides, self.kinds = depth == 0 or draw.random() < 0.4, []
        self.parts = nn.ModuleList()
        for _ in range(draw.randint(2, 3)):
            kind = draw.choice(["block", "layer", "odd", "again", "inner"][: 5 if depth < 2 else 4])
            made = {
                "block": Block,
                "layer": lambda: nn.Linear(8, 8),
                "odd": Odd,
                "inner": lambda: Drawn(draw, depth + 1),
            }
            self.parts.append(self.parts[0] if kind == "again" and len(self.parts) else made.get(kind, Block)())
        self.shift = nn.Parameter(torch.randn(8))

    def forward(self, x):
        for part in self.parts:
            x = part(x).tanh()
            if self.decides and x.mean() > 0.1:
                x = x + self.shift
        return x + self.shift


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        return bend(self.layer(x), 1)


@needs_archives
@pytest.mark.parametrize("case", range(max(CASES // 3, 2)))
def test_files_are_loaded_into_the_model(case, tmp_path):
    torch.manual_seed(SEED + case)
    model = Drawn(random.Random(SEED + case)).eval()
    is_dynamic = case % 2 == 0
    model_trt = convert(model, [torch.randn(4, 8)], **({"max_batch_size": 6} if is_dynamic else {}))
    model_trt.save(tmp_path / "net.trt2")
    other = Drawn(random.Random(SEED + case))  # as a process that loads a checkpoint has it
    other.load_state_dict(model.state_dict())
    loaded = load(tmp_path / "net.trt2", module=other)
    assert [str(part) for part in loaded.partitions] == [str(part) for part in model_trt.partitions]
    assert loaded.engine.description == model_trt.engine.description
    for _ in range(6):
        x = torch.randn(random.randint(1, 6) if is_dynamic else 4, 8)
        agrees(model, loaded, x)
        torch.testing.assert_close(loaded(x), model_trt(x), rtol=0, atol=0)
    loaded.save(tmp_path / "again.trt2")
    agrees(model, load(tmp_path / "again.trt2", module=other), torch.randn(4, 8))


class Structured(Decides):
    def forward(self, data, *, scale=1.0, mode="none"):
        made = super().forward(data["x"] * scale)
        return Found(made["x"] if mode == "sum" else -made["x"], made["steps"])


def test_a_file_holds_the_structure_of_calls(tmp_path):
    torch.manual_seed(0)
    model = Structured().eval()
    model_trt = convert(model, [{"x": torch.randn(4, 8)}], kwargs={"scale": torch.tensor(2.0), "mode": "sum"})
    model_trt.save(tmp_path / "net.trt2")
    loaded = load(tmp_path / "net.trt2", module=model)
    for _ in range(4):
        x, scale = torch.randn(4, 8), torch.rand(()) * 3
        with torch.no_grad():
            expected, got = (run({"x": x}, scale=scale, mode="sum") for run in (model, loaded))
        assert isinstance(got, Found)
        assert got.steps == expected.steps
        torch.testing.assert_close(got.scores, expected.scores, rtol=1e-5, atol=1e-5)


@needs_archives
def test_what_cannot_be_loaded_names_what_to_do(command, tmp_path):
    torch.manual_seed(0)
    model, path = Decides().eval(), tmp_path / "net.trt2"
    model_trt = convert(model, [torch.randn(4, 8)])
    model_trt.save(path)
    assert inspect(path)["steps"][0]["python"]["class"].endswith(".Decides")

    def failure(run):
        with pytest.raises(Error) as raised:
            run()
        return raised.value.code, f"{raised.value} {raised.value.help}"

    code, text = failure(lambda: load(path))
    assert code == "E0605"
    assert "torch2trt.load(path, module=model)" in text
    changed = copy.deepcopy(model)
    with torch.no_grad():
        changed.cold.first.weight[0, 0] += 1
    code, text = failure(lambda: load(path, module=changed))
    assert code == "E0605"
    assert "`cold.first.weight`" in text
    assert "load_state_dict" in text
    code, text = failure(lambda: load(path, module=Block()))
    assert code == "E0605"
    assert "a `Decides`" in text
    convert(Operator().eval(), [torch.randn(4, 8)]).save(tmp_path / "other.trt2")
    assert failure(lambda: load(tmp_path / "other.trt2", module=model))[0] == "E0701"
    for held in (lambda: copy.deepcopy(model_trt), lambda: pickle.dumps(model_trt), model_trt.state_dict):
        code, text = failure(held)
        assert code == "E0605"
        assert "model_trt.save(path)" in text
    status, printed, complaint = command("info", path)
    assert status == 0, complaint
    assert "engine of `stem`" in printed
    status, printed, complaint = command("run", path)
    assert (status, printed) == (1, "")
    assert "module=model" in complaint
