"""torch.compile(backend="torch2trt"): PyTorch's values, graph breaks, shapes, weights that change, and training."""

from __future__ import annotations

import logging

import pytest
import torch
import torchvision
from skips import needs_installation
from torch import nn

from torch2trt import Error, dynamo
from torch2trt.dynamo import MOST_ENGINES, _Compiled, backend
from torch2trt.errors import error


@pytest.fixture(autouse=True)
def fresh_dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Compiled(list):
    """The graphs that a compiled model consists of."""

    def __call__(self, graph, examples, **given):
        made = backend(graph, examples, **given)
        self.append(next(cell.cell_contents for cell in made.__closure__ if isinstance(cell.cell_contents, _Compiled)))
        return made


def compiled(model, **options):
    graphs = Compiled()
    return torch.compile(model, backend=graphs, **options), graphs


def agrees(model, made, *inputs):
    with torch.no_grad():
        expected, got = model(*inputs), made(*inputs)
    assert (expected - got).abs().max() <= 1e-5 * expected.abs().max()


def engines(graphs):
    return [sum(engine is not None for engine in graph.engines.values()) for graph in graphs]


def test_a_model_is_one_engine():
    model = torchvision.models.squeezenet1_1().eval()
    made, graphs = compiled(model)
    for _ in range(2):
        agrees(model, made, torch.randn(1, 3, 64, 64))
    assert engines(graphs) == [1]
    (engine,) = graphs[0].engines.values()
    own = {weight.data_ptr() for weight in model.parameters()}
    assert engine.engine.borrowed and set(engine.engine.borrowed) <= own  # no weight is copied


@needs_installation
def test_the_name_is_registered():
    assert "torch2trt" in torch._dynamo.list_backends()
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval()
    agrees(model, torch.compile(model, backend="torch2trt", options={"threads": 1}), torch.randn(3, 4))


def test_graph_breaks_and_unsupported_operators():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))

        def forward(self, x):
            x = self.layers[0](x)
            torch._dynamo.graph_break()
            x = self.layers[1](x)
            x = torch.matrix_exp(torch.diag_embed(x.tanh())).sum(-1)
            return self.layers[2](x) if x.sum() > -1e9 else x

    model = Model().eval()
    made, graphs = compiled(model)
    for _ in range(2):
        agrees(model, made, torch.randn(4, 8))
    assert len(graphs) == 3 and all(engines(graphs))
    assert any(engine.partitions for graph in graphs for engine in graph.engines.values())


@pytest.mark.parametrize("dynamic", [None, False, True])
def test_other_shapes(dynamic):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(2)).eval()
    made, graphs = compiled(model, dynamic=dynamic)
    for size in (8, 9, 8, 12, 9):
        agrees(model, made, torch.randn(2, 3, size, 7))
    # Dynamo compiles the first shape alone, by default, and a range after that.
    assert sum(engines(graphs)) == {None: 2, False: 3, True: 1}[dynamic]
    for size in range(20, 20 + MOST_ENGINES + 2) if dynamic else ():
        agrees(model, made, torch.randn(2, 3, size, 7))
    assert all(count <= MOST_ENGINES for count in engines(graphs))


class Sized(nn.Module):
    """Sizes as numbers, in shapes and among the outputs."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x, y):
        z = self.layer(torch.cat([x, y])) * x.shape[0]
        return z.view(2, -1, 8).sum(0) / y.shape[0] + x


@pytest.mark.parametrize(
    "sizes", [range(2, 12), [4, 30, 2, 17, 9, 25, 31, 3, 12, 20], [3, 5, 8, 9, 40, 45, 33, 10, 60, 7]]
)
def test_one_engine_for_a_range(sizes):
    model = Sized().eval()
    made, graphs = compiled(model, dynamic=True)
    for size in sizes:
        agrees(model, made, torch.randn(size, 8), torch.randn(size, 8))
    assert [len(graph.engines) for graph in graphs] == [1] and engines(graphs) == [1]  # a larger range takes its place
    agrees(model, made, torch.randn(1, 8), torch.randn(1, 8))  # Dynamo has a graph of its own for it


def test_a_range_that_is_marked():
    model = nn.Linear(8, 8).eval()
    made, graphs = compiled(model)
    for size in (3, 24, 32, 2):
        x = torch.randn(size, 8)
        torch._dynamo.mark_dynamic(x, 0, min=2, max=32)
        agrees(model, made, x)
    [(_, ranges)] = graphs[0].engines
    assert len(graphs) == 1 and ranges == ((2, 32),)


def test_sizes_that_grow_need_few_engines(monkeypatch):
    made_for = []
    convert = dynamo.torch2trt
    monkeypatch.setattr(
        dynamo, "torch2trt", lambda *args, **kwargs: made_for.append(kwargs) or convert(*args, **kwargs)
    )
    model = nn.Linear(8, 8).eval()
    made, _ = compiled(model, dynamic=True)
    for size in (2, 5, 9, 16, 17, 33, 50, 64, 65, 128):
        agrees(model, made, torch.randn(size, 8))
    assert [kwargs["max_shapes"] for kwargs in made_for] == [[(16, 8)], [(64, 8)], [(256, 8)]]


def test_a_graph_that_takes_no_range_has_an_engine_for_each_shape(caplog, monkeypatch):
    def refuse(*args, **kwargs):
        if "min_shapes" in kwargs:
            raise error("E0307", "the model does not allow every size", "none")
        return convert(*args, **kwargs)

    convert = dynamo.torch2trt
    monkeypatch.setattr(dynamo, "torch2trt", refuse)
    model = nn.Linear(8, 8).eval()
    made, graphs = compiled(model, dynamic=True)
    with caplog.at_level(logging.WARNING, "torch2trt"):
        for size in (4, 6, 4):
            agrees(model, made, torch.randn(size, 8))
    assert engines(graphs) == [2]
    assert "one engine for each shape" in caplog.text


def test_weights_that_change():
    model = nn.Linear(4, 4).eval()
    made, _graphs = compiled(model)
    x = torch.randn(3, 4)
    agrees(model, made, x)
    with torch.no_grad():
        model.weight.mul_(2)
    agrees(model, made, x)
    model.weight = nn.Parameter(torch.randn(4, 4))
    agrees(model, made, x)


def test_training_runs_in_pytorch(caplog):
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    made, graphs = compiled(model)
    x = torch.randn(8, 4)
    with caplog.at_level(logging.WARNING, "torch2trt"):
        made(x).sum().backward()
    assert model[0].weight.grad is not None and "torch.no_grad" in caplog.text and engines(graphs) == [0]
    before = model[1].running_mean.clone()
    with torch.no_grad():
        made(x)  # writes to its statistics, which an engine cannot
    assert not torch.equal(before, model[1].running_mean)


@needs_installation
def test_options():
    model, x = nn.Linear(4, 4).eval(), torch.randn(2, 4)
    with torch.no_grad():
        for options in ({"max_batch_size": 4}, {"colour": 1}):
            with pytest.raises(Exception) as raised:  # noqa: PT011  TorchDynamo wraps it
                torch.compile(model, backend="torch2trt", options=options)(x)
            found = getattr(raised.value, "inner_exception", raised.value)
            assert isinstance(found, Error) and found.code == "E0701"
        half = torch.compile(model, backend="torch2trt", options={"fp16_mode": True})(x)
        assert 0 < (half - model(x)).abs().max() < 1e-2
