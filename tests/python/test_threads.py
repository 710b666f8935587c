"""Conversions and threads: several at once, alongside forward passes, and interrupted at any moment."""

from __future__ import annotations

import ctypes
import os
import random
import threading
import time

import pytest
import torch
from torch import nn

import torch2trt as package
from torch2trt import tensorrt_converter, torch2trt
from torch2trt.converters import CONVERTERS

CASES = int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))


class Stateful(nn.Module):
    """Keeps what it computes, in attributes, lists and through a plain object and a closure."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.helper, self.stages = type("Helper", (), {})(), [self.linear]
        self.helper.owner, self.scaled = self, lambda x: self.norm(x) * 2
        self.seen: dict = {}

    def forward(self, x):
        self.last = self.stages[0](x)
        self.seen[tuple(x.shape)] = self.last
        return self.scaled(self.last) + self.helper.owner.linear(x)


class Decides(nn.Module):
    """Is traced, since torch.export refuses it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        y = self.linear(x)
        return y.relu() if float(y.sum()) > 1e9 else y.tanh()


def models() -> list[nn.Module]:
    plain = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
    return [model.eval() for model in (plain, Stateful(), Decides(), nn.LSTM(4, 4, batch_first=True))]


def process_state() -> list:
    """What a capture replaces for the process, and the stacks of modes of this thread."""
    tables = vars(nn.modules.module).items()
    return [
        dict(vars(nn.Module)),
        dict(vars(nn.ReLU)),
        dict(vars(torch.fx.experimental.symbolic_shapes.ShapeEnv)),
        dict(vars(torch.fx._symbolic_trace._Patcher)),
        [dict(table) for name, table in tables if name.startswith("_global_") and isinstance(table, dict)],
        (torch.compiler.is_compiling.__code__, torch.compiler.is_compiling(), torch.is_grad_enabled()),
        (torch._C._get_mkldnn_enabled(), torch._C._get_cudnn_enabled(), torch.backends.mha.get_fastpath_enabled()),
        (torch._C._len_torch_function_stack(), len(torch.utils._python_dispatch._get_current_dispatch_mode_stack())),
        (str(torch._C._dispatch_tls_local_include_set()), str(torch._C._dispatch_tls_local_exclude_set())),
    ]


def attributes(model: nn.Module) -> list[dict]:
    inner = lambda table: {k: dict(v) if isinstance(v, dict) else v for k, v in table.items()}  # noqa: E731
    return [inner(part.__dict__) for part in model.modules()]


def run(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        y = model(x)
    return y[0] if isinstance(y, tuple) else y


@pytest.mark.filterwarnings("ignore")
def test_conversions_at_once_during_forward_passes():
    x = torch.randn(2, 3, 4)
    used = [model for model in models() if not isinstance(model, Stateful)] + [Stateful().eval()]
    samples = [x[:, 0] if isinstance(model, Stateful) else x for model in used]
    expected = [run(model, sample) for model, sample in zip(used, samples)]
    before, wrong, done = process_state(), [], threading.Event()

    def repeat(work, *args):
        try:
            work(*args)
        except Exception as error:  # reported below, with the thread's own traceback
            wrong.append(repr(error))

    def call(model, sample, wanted):
        while not done.is_set():
            got = run(model, sample)
            assert type(got) is torch.Tensor and torch.allclose(got, wanted, atol=1e-5)
            assert not torch.compiler.is_compiling()

    def convert(model, sample, wanted):
        made = torch2trt(model, [sample], backend="cpu", progress=False)
        assert torch.allclose(run(made, sample), wanted, atol=1e-4)

    @tensorrt_converter("torch.nn.ReLU.forward")
    def relu(ctx):
        module, given = ctx.method_args
        assert ctx.get_module_name(module) == "1"
        ctx.method_return._trt = ctx.network.add_activation(given._trt, package.trt.ActivationType.RELU).get_output(0)

    try:
        cases = list(zip(used, samples, expected))
        callers = [threading.Thread(target=repeat, args=(call, *case)) for case in cases]
        converters = [threading.Thread(target=repeat, args=(convert, *case)) for case in cases * (1 + CASES)]
        for thread in callers + converters:
            thread.start()
        for thread in converters:
            thread.join()
        done.set()
        for thread in callers:
            thread.join()
    finally:
        CONVERTERS.pop("torch.nn.ReLU.forward")
    assert not wrong, wrong[:3]
    assert process_state() == before


@pytest.mark.filterwarnings("ignore")
def test_training_goes_on_in_training_mode():
    model, modes, done = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).train(), set(), threading.Event()

    def watch():
        while not done.is_set():
            modes.add(tuple(part.training for part in model.modules()))

    thread = threading.Thread(target=watch)
    thread.start()
    torch2trt(model, [torch.randn(2, 4)], backend="cpu", progress=False)
    done.set()
    thread.join()
    assert modes == {(True, True, True)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment_leaves_nothing_behind():
    seed = random.randrange(2**32)
    draw, x, main = random.Random(seed), torch.randn(2, 4), threading.get_ident()
    print("seed", seed)
    kinds = [models()[0], models()[2]]
    for model in kinds:
        torch2trt(model, [x], backend="cpu", progress=False, verify=False)
    start = time.perf_counter()
    torch2trt(kinds[1], [x], backend="cpu", progress=False)
    usual, before = time.perf_counter() - start, process_state()
    for _ in range(6 * CASES):
        model = draw.choice(kinds)
        own, delay, done = attributes(model), draw.random() * usual, threading.Event()

        def strike(delay=delay, done=done):
            if not done.wait(delay):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(main), ctypes.py_object(KeyboardInterrupt))

        thread = threading.Thread(target=strike)
        try:
            thread.start()
            torch2trt(model, [x], backend="cpu", progress=False)
            done.set()
            thread.join()
            time.sleep(0)
        except KeyboardInterrupt:
            thread.join()
        assert process_state() == before
        assert attributes(model) == own
    for model in kinds:
        assert torch.allclose(run(torch2trt(model, [x], backend="cpu", progress=False), x), run(model, x), atol=1e-5)
