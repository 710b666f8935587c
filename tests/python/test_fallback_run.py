"""How parts run one after the other: tensors cross without a copy, and no longer live than a part reads them.

On a machine with a GPU and TensorRT the same tests run there.
"""

from __future__ import annotations

import dataclasses
import gc
import random
import weakref

import pytest
import torch
from archived import needs_archives
from test_fallback import CASES, SEED, Layers, bend, convert, kinds
from torch import nn

from torch2trt import Error, load
from torch2trt.capture.size import Size
from torch2trt.partition.engine import PartitionedEngine, Step, bound

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Chain(Layers):
    """Layers, operators without a converter, sizes and views in a drawn order; older values are read again."""

    def __init__(self, draw):
        super().__init__()
        kinds = ["linear", "bend", "old", "tall", "view", "sized"]
        self.steps = ["linear", "bend", *(draw.choice(kinds) for _ in range(draw.randint(3, 9))), "bend", "linear"]

    def forward(self, x):
        values, start = [self.layers[0](x)], x
        for k, step in enumerate(self.steps):
            last = values[-1]
            made = {
                "linear": lambda last=last, k=k: self.layers[k % 2](last).tanh(),
                "bend": lambda last=last: bend(last, 1).tanh(),
                "old": lambda last=last, k=k: last + values[(k * 5) % len(values)],
                "tall": lambda last=last: torch.cat([last, start]).view(2, -1, 8).sum(0),
                "view": lambda last=last: last.reshape(-1, 4).flip(1).reshape(-1, 8),
                "sized": lambda last=last: bend(last.reshape(last.shape[0] * 2, 4), last.shape[0]).view(-1, 8).tanh(),
            }[step]()
            values.append(made)
        return values[-1], values[len(values) // 2]


class Recorded:
    """An engine, or a part in PyTorch, that notes the addresses of what it reads and returns."""

    def __init__(self, run, log):
        self._run, self._log = run, log

    def run(self, tensors, stream, out):
        made = self._run(tensors, stream, out)
        self._note(tensors, made)
        return made

    def __call__(self, *values):
        made = self._run(*values)
        self._note([value for value in values if isinstance(value, torch.Tensor)], made)
        return made

    def _note(self, read, made):
        self._log.append([[tensor.data_ptr() for tensor in side] for side in (read, made)])


def recorded(engine):
    """The addresses that each part reads and returns, in a list that grows with each call."""
    log = []
    engine.steps = [
        dataclasses.replace(step, engine=Recorded(step.engine.run, log))
        if step.engine
        else dataclasses.replace(step, in_pytorch=Recorded(bound(step.in_pytorch), log))
        for step in engine.steps
    ]
    engine.__dict__.pop("_prepared", None)
    return log


@pytest.mark.parametrize(
    "is_loaded", [pytest.param(False, id="converted"), pytest.param(True, id="loaded", marks=needs_archives)]
)
def test_tensors_cross_without_a_copy(is_loaded, tmp_path):
    draw = random.Random(SEED)
    for _ in range(max(CASES // 4, 1)):
        torch.manual_seed(draw.randrange(10**6))
        model, batch = Chain(draw).eval().to(DEVICE), draw.choice([None, 6])
        shapes = {"max_batch_size": batch} if batch else {}
        model_trt = convert(model, [torch.randn(4, 8, device=DEVICE)], backend="auto", **shapes)
        assert kinds(model_trt).count("p") > 1
        if is_loaded:
            model_trt.save(tmp_path / "net.trt2")
            model_trt = load(tmp_path / "net.trt2")
        steps, log = model_trt.engine.steps, recorded(model_trt.engine)
        x = torch.randn(draw.randint(1, 6) if batch else 4, 8, device=DEVICE)
        with torch.no_grad():
            expected, got = model(x), model_trt(x)
        for one, other in zip(expected, got, strict=True):
            torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)
        values = [x.data_ptr()]
        for step, (read, made) in zip(steps, log, strict=True):
            assert read == [values[index] for index in step.reads]
            values += made
        results = [values[result] for result in model_trt.engine.results]
        assert [tensor.data_ptr() for tensor in got] == results


class OnMeta:
    """An engine on another device than the CPU: that of tensors without data."""

    device = "meta"

    def run(self, tensors, stream, out):
        assert [tensor.device.type for tensor in tensors] == ["meta", "meta"]
        return [tensors[0] * 2]


def test_inputs_in_host_memory_stay_there_for_parts_in_pytorch():
    def in_pytorch(x, lengths, y):
        assert (x.device.type, lengths.device.type, y.device.type) == ("meta", "cpu", "meta")
        return [y + lengths.sum().item()]  # a value of a tensor that was not copied

    dtypes = ["float32", "int64"]
    steps = [
        Step(OnMeta(), None, [0, 1], [], dtypes, ["float32"], [], []),
        Step(None, in_pytorch, [0, 1, 2], [], [], [], [], []),
    ]
    inputs = [("x", "float32", ["2", "3"]), ("lengths", "int64", ["2"])]
    ranges = [[(2, 2), (3, 3)], [(2, 2)]]
    engine = PartitionedEngine(inputs, [("y", "float32", [])], steps, [3], ranges, torch.device("meta"), host=[1])
    x, lengths = torch.empty(2, 3, device="meta"), torch.tensor([1, 3])
    (made,) = engine.run([x, lengths])
    assert made.shape == (2, 3)
    for given, place in (([x, lengths.to("meta")], "takes it on cpu"), ([torch.empty(2, 3), lengths], "on meta")):
        with pytest.raises(Error, match=place) as raised:
            engine.run(given)
        assert raised.value.code == "E0404"
    engine.replay_whole_calls()
    assert engine.whole.obstacle == "an input is in host memory"


def test_tensors_are_released_after_the_last_part_that_reads_them():
    torch.manual_seed(0)
    alive: list[int] = []
    held: list[weakref.ref] = []

    class Long(Layers):
        def forward(self, x):
            for _ in range(4):
                x = self.layers[1](bend(self.layers[0](x).tanh(), 1)).tanh()
            return x

    model_trt = convert(Long().eval(), [torch.randn(4, 8)])
    engine = model_trt.engine
    log = recorded(engine)

    def noted(step):
        inner = step.in_pytorch

        def run(*values):
            alive.append(sum(one() is not None for one in held))
            made = inner(*values)
            held.extend(weakref.ref(tensor) for tensor in made)
            return made

        return dataclasses.replace(step, in_pytorch=run)

    engine.steps = [step if step.engine else noted(step) for step in engine.steps]
    engine.__dict__.pop("_prepared", None)
    gc.disable()
    try:
        model_trt(torch.randn(4, 8))
    finally:
        gc.enable()
    assert len(log) == 9
    assert alive == [0, 0, 0, 0]  # what an earlier part in PyTorch returned is gone


def test_a_size_reads_the_shapes_that_it_names():
    size = Size("s1_0 * 2 + max(s3_1, 1)").check()
    assert sorted(size.reads) == [("s1_0", 1, 0), ("s3_1", 3, 1)]
    assert size.value([None, torch.empty(3, 2), None, torch.empty(1, 7)]) == 13
    assert Size("12").value([]) == 12


def test_gradients_stay_as_they_are():
    """A call needs none, and leaves the mode of the caller."""
    model_trt = convert(
        nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8)).eval(), [torch.randn(4, 8)], run_in_pytorch=["1"]
    )
    for mode in (torch.no_grad, torch.enable_grad, torch.inference_mode):
        with mode():
            before = torch.is_grad_enabled()
            assert not model_trt(torch.randn(4, 8, requires_grad=True)).requires_grad
            assert torch.is_grad_enabled() == before
