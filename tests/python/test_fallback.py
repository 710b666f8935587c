"""Models of which a part runs in PyTorch: PyTorch's values, the parts that are expected, and why calls are there."""

from __future__ import annotations

import io
import os
import pickle
import random
import re
import warnings
import zipfile

import pytest
import torch
from archived import needs_archives
from torch import nn
from torch.utils import _pytree as pytree

from torch2trt import Error, TRTModule, inspect, load, torch2trt

CASES = 6 * int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))
SEED = int(os.environ.get("TORCH2TRT_TEST_SEED", "0"))


@torch.library.custom_op("torch2trt_fallback::bend", mutates_args=())
def bend(x: torch.Tensor, factor: int) -> torch.Tensor:
    return torch.special.i1(x) + x * factor


@bend.register_fake
def _(x, factor):
    return torch.empty_like(x)


@torch.library.custom_op("torch2trt_fallback::weigh", mutates_args=())
def weigh(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return torch.special.i1(x) * weight


@weigh.register_fake
def _(x, weight):
    return torch.empty_like(x)


def convert(model, inputs, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch2trt(model, inputs, **{"backend": "cpu", "progress": False, "fallback": True, **options})


def kinds(model_trt):
    return "".join(part.kind[0] for part in model_trt.partitions)


def agrees(model, model_trt, *inputs):
    with torch.no_grad():
        expected, got = model(*inputs), model_trt(*inputs)
    assert pytree.tree_structure(expected) == pytree.tree_structure(got)
    for e, g in zip(pytree.tree_leaves(expected), pytree.tree_leaves(got), strict=True):
        if not isinstance(e, torch.Tensor):
            assert e == g and type(e) is type(g)
            continue
        assert e.dtype == g.dtype and e.shape == g.shape
        if e.dtype.is_floating_point:
            assert (e - g).abs().max() <= 1e-5 * e.abs().max().clamp(min=1e-6) if e.numel() else True
        else:
            assert torch.equal(e, g)


class Layers(nn.Module):
    """Linear layers, and what a test puts between them."""

    def __init__(self, count=2, width=8):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(count))

    def forward(self, x):
        return self.layers[1](self.between(self.layers[0](x).relu()))


class Operator(Layers):
    def between(self, x):
        return torch.matrix_exp(x.softmax(-1).unsqueeze(1) * torch.eye(8))[:, 0] + x


class Sizes(Layers):
    """Sizes cross: a PyTorch part reads them, and an engine reads an axis of twice the batch."""

    def forward(self, x):
        batch = x.shape[0]
        y = bend(torch.cat([self.layers[0](x), x]), 2)
        y = y.view(2, batch, 8).sum(0) * (1 / batch**0.5)
        return self.layers[1](y), y.shape[0] * 2, bend(y.reshape(batch * 4, 2), batch)


class SizesByData(Layers):
    def forward(self, x):
        y = self.layers[0](x)
        rows = bend(y[y[:, 0] > 0], 2)
        return self.layers[1](rows).sum(0), rows.shape[1], y


class Numbers(Layers):
    """A number that is read out of a tensor crosses no border of an engine."""

    def forward(self, x):
        y = self.layers[0](x)
        total = y.abs().sum().item()
        return self.layers[1](bend(y, 2) * total) * total


class Integers(Layers):
    """An integer and a double that are read out of tensors cross."""

    def forward(self, x):
        y = self.layers[0](x)
        best, total = y.argmax().item(), y.double().exp().sum().item()
        return self.layers[1](bend(y, 2) * best + total) * best, best, y * total


class Dtypes(Layers):
    def forward(self, x):
        y = self.layers[0](x)
        wide, small = bend(y.double(), 2), bend(x, 1).to(torch.int16)
        return self.layers[1](wide.float()) + small, wide, y > 0, small


class Complex(Layers):
    def between(self, x):
        return torch.linalg.eigvals(x[:, :, None] * x[:, None, :] + torch.eye(8)).real.sort(-1).values


class Negated(Layers):
    """A weight that is stored negated, read in PyTorch."""

    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.randn(8, dtype=torch.complex64).conj().imag)

    def between(self, x):
        return weigh(x, self.weight)


class Outputs(Layers):
    """Outputs of every kind: of an engine, of PyTorch, an input, a weight, a constant."""

    def forward(self, x):
        y = self.layers[0](x)
        return {
            "engine": y * 2,
            "pytorch": bend(y, 3),
            "input": x,
            "constant": 5,
            "none": None,
            "last": self.layers[1](bend(y, 1)),
        }


MODELS = {
    "an operator": (Operator, "epe"),
    "sizes": (Sizes, None),
    "sizes by data": (SizesByData, "epe"),
    "numbers": (Numbers, None),
    "integers": (Integers, None),
    "dtypes": (Dtypes, None),
    "complex": (Complex, "epe"),
    "negated": (Negated, "epe"),
    "outputs": (Outputs, None),
}


@pytest.mark.parametrize("batch", [None, 6], ids=["static", "dynamic batch"])
@pytest.mark.parametrize("name", MODELS)
def test_values_are_those_of_pytorch(name, batch):
    torch.manual_seed(0)
    make, expected = MODELS[name]
    model = make().eval()
    model_trt = convert(model, [torch.randn(4, 8)], **({"max_batch_size": batch} if batch else {}))
    for size in (1, 2, 5, 6) if batch else (4, 4):
        agrees(model, model_trt, torch.randn(size, 8))
    assert {"e", "p"} == set(kinds(model_trt)) and (expected is None or kinds(model_trt) == expected)
    assert all(part.difference < 1e-5 for part in model_trt.partitions if part.kind == "engine")


class Scattered(Layers):
    def __init__(self):
        super().__init__(13)

    def forward(self, x):
        for index, layer in enumerate(self.layers):
            x = layer(x).relu()
            x = bend(x * 0.1, 1) if index < 12 else x
        return x


class Adjoining(Layers):
    def between(self, x):
        for _ in range(12):
            x = bend(x * 0.9, 1).tanh()
        return x


def test_scattered_calls_make_as_few_parts_as_can_be():
    for model, expected in ((Scattered(), "ep" * 12 + "e"), (Adjoining(), "epe")):
        model_trt = convert(model.eval(), [torch.randn(4, 8)])
        agrees(model, model_trt, torch.randn(4, 8))
        assert kinds(model_trt) == expected
    assert model_trt.partitions[1].calls > 12  # the cheap calls between the unsupported ones are with them


def test_small_engines_join_pytorch():
    class Small(Layers):
        def between(self, x):
            return bend(torch.exp(-bend(x, 1)), 1)

    model = Small().eval()
    assert kinds(convert(model, [torch.randn(4, 8)])) == "epe"
    assert kinds(convert(model, [torch.randn(4, 8)], min_layers=1)) == "epepe"


def test_modules_that_run_in_pytorch_by_name():
    model = nn.Sequential(nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 8), nn.ReLU()), nn.Linear(8, 8)).eval()
    for pattern, calls in (("1", 2), ("1.*", 2), ("*.0", 1)):
        model_trt = convert(model, [torch.randn(4, 8)], fallback=False, run_in_pytorch=[pattern])
        agrees(model, model_trt, torch.randn(4, 8))
        assert kinds(model_trt) == "epe" and model_trt.partitions[1].calls == calls
        assert f"run_in_pytorch has `{pattern}`" in str(model_trt.report)


def test_the_report_names_calls_lines_and_reasons():
    model_trt = convert(Operator().eval(), [torch.randn(4, 8)])
    text = " ".join(str(model_trt.report).split())
    line = Layers.forward.__code__.co_firstlineno + 1  # torch.export notes lines of forward only
    assert re.search(
        rf"part 1: PyTorch: 1 call, .*aten.matrix_exp.default \(.*test_fallback.py:{line}\): no converter", text
    )
    assert "2 engines and 1 part in PyTorch" in text
    assert max(len(row) for row in str(model_trt.report).splitlines()) <= 120


def test_a_model_that_converts_is_one_engine():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU()).eval()
    model_trt = convert(model, [torch.randn(4, 8)])
    assert model_trt.partitions == [] and model_trt.network is not None
    agrees(model, model_trt, torch.randn(4, 8))


def test_the_error_of_an_unsupported_operator_names_the_argument():
    model = Operator().eval()
    with pytest.raises(Error) as raised:
        convert(model, [torch.randn(4, 8)], fallback=False)
    assert raised.value.code == "E0101" and "fallback=True" in raised.value.help
    agrees(model, convert(model, [torch.randn(4, 8)], fallback=True), torch.randn(4, 8))


def test_what_cannot_be_is_an_error():
    class Alone(nn.Module):
        def forward(self, x):
            return bend(x, 2)

    for options, code in (
        ({}, "E0101"),
        ({"refittable": True}, "E0701"),
    ):
        with pytest.raises(Error) as raised:
            convert(Alone() if not options else Operator().eval(), [torch.randn(4, 8)], **options)
        assert raised.value.code == code and raised.value.help
    with pytest.raises(Error, match="E0606.*parts in PyTorch"):
        convert(Operator().eval(), [torch.randn(4, 8)]).refit(Operator().eval())


def test_calls_that_do_not_fit_are_errors():
    model_trt = convert(Operator().eval(), [torch.randn(4, 8)], max_batch_size=6)
    x = torch.randn(7, 8)
    for given, code in ((x, "E0402"), (x[:2, :4], "E0402"), (x[:2].double(), "E0403"), (x[:2].to("meta"), "E0602")):
        with pytest.raises(Error) as raised:
            model_trt(given)
        assert raised.value.code in (code, "E0404"), raised.value
    out = [torch.empty(2, 8)]
    assert model_trt.run([x[:2]], out)[0] is out[0]
    assert torch.equal(out[0], model_trt(x[:2]))
    with pytest.raises(Error) as raised:
        model_trt.run([x[:2]], [torch.empty(3, 8)])
    assert raised.value.code == "E0406"


def test_weights_are_shared_and_writes_to_them_are_noticed():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)).eval()
    model_trt = convert(model, [torch.randn(4, 8)], run_in_pytorch=["1"])
    held = [weight.data_ptr() for step in model_trt.engine.steps for weight in step.weights]
    assert model[1].weight.data_ptr() in held and len(held) == 2
    with torch.no_grad():
        model[1].weight.mul_(2)
    with pytest.raises(Error) as raised:
        model_trt(torch.randn(4, 8))
    assert raised.value.code == "E0603"


class Tied(Layers):
    """A weight that is computed from another one, and read in two engines and in PyTorch between them."""

    def forward(self, x):
        weight, bias = (self.layers[0].weight * 2).t().split([7, 1], 1)
        y = bend(x @ weight, 2) @ weight.t() + bias.t()
        return self.layers[1](y), bias


def test_what_depends_on_weights_alone_does_not_cross():
    model = Tied().eval()
    x = torch.randn(4, 8)
    model_trt = convert(model, [x])
    agrees(model, model_trt, x)
    assert kinds(model_trt) == "epe"
    assert [part.bytes for part in model_trt.partitions] == [4 * 8 * 4, 4 * 7 * 4, 4 * 7 * 4]


@pytest.mark.parametrize("mode", ["fp16_mode", "bf16_mode"])
def test_engines_compute_in_half_precision(mode):
    torch.manual_seed(1)
    model = Scattered().eval()
    model_trt = convert(model, [torch.randn(4, 8)], **{mode: True})
    x = torch.randn(4, 8)
    with torch.no_grad():
        expected = model(x)
    assert (expected - model_trt(x)).abs().max() < 0.05 * expected.abs().max() and model_trt.report.half_layers


def test_drawn_programs():
    draw = random.Random(SEED)
    for _ in range(CASES):
        torch.manual_seed(draw.randrange(10**6))
        steps = [
            draw.choice(["linear", "bend", "add", "relu", "cat", "sum", "view"]) for _ in range(draw.randint(4, 14))
        ]

        class Drawn(Layers):
            def forward(self, x):
                values = [self.layers[0](x)]
                for k, step in enumerate(steps):
                    value = values[(k * 7) % len(values)]
                    other = values[-1]
                    made = {
                        "linear": lambda: self.layers[k % 2](value),
                        "bend": lambda: bend(value.tanh(), 1),
                        "add": lambda: value + other,
                        "relu": lambda: other.relu(),
                        "cat": lambda: torch.cat([value, other])[: x.shape[0]],
                        "sum": lambda: value * other.sum(0, keepdim=True).tanh(),
                        "view": lambda: other.reshape(x.shape[0] * 2, 4).reshape(-1, 8),
                    }[step]()
                    values.append(made)
                return values[-1], values[len(values) // 2]

        model = Drawn().eval()
        batch = draw.choice([None, 5])
        model_trt = convert(model, [torch.randn(4, 8)], **({"max_batch_size": batch} if batch else {}))
        agrees(model, model_trt, torch.randn(draw.randint(1, 5) if batch else 4, 8))


@pytest.mark.parametrize("batch", [None, 6], ids=["static", "dynamic batch"])
def test_numbers_among_the_outputs(batch):
    class Numbered(Layers):
        def forward(self, x):
            y = self.layers[0](x)
            z = bend(y, 2)
            return y.argmax().item(), self.layers[1](z), (z.abs() > 1).sum().item(), z.shape[0] * 2

    model = Numbered().eval()
    model_trt = convert(model, [torch.randn(4, 8)], **({"max_batch_size": batch} if batch else {}))
    for size in (2, 6) if batch else (4,):
        agrees(model, model_trt, torch.randn(size, 8))


@needs_archives
@pytest.mark.parametrize("batch", [None, 6], ids=["static", "dynamic batch"])
@pytest.mark.parametrize("name", MODELS)
def test_files(name, batch, tmp_path):
    torch.manual_seed(0)
    model = MODELS[name][0]().eval()
    model_trt = convert(model, [torch.randn(4, 8)], **({"max_batch_size": batch} if batch else {}))
    model_trt.save(tmp_path / "net.trt2")
    loaded = load(tmp_path / "net.trt2")
    again = pickle.loads(pickle.dumps(loaded))
    for size in (1, 2, 5, 6) if batch else (4, 4):
        x = torch.randn(size, 8)
        agrees(model_trt, loaded, x)
        agrees(model, again, x)
    assert kinds(loaded) == kinds(model_trt) == kinds(again)
    assert (
        loaded.input_names == ["x"] and "part 1" in str(loaded.report) and inspect(tmp_path / "net.trt2")["partitions"]
    )
    with pytest.raises(Error) as raised:
        loaded(torch.randn(7, 8))
    assert raised.value.code == "E0402"


def test_what_cannot_be_saved_is_an_error(tmp_path):
    class Decides(Layers):
        def forward(self, x):
            return self.layers[0](x) if x.sum() > 0 else self.layers[1](x)

    model_trt = convert(Decides().eval(), [torch.randn(4, 8)])
    with pytest.raises(Error) as raised:
        torch.save(model_trt, tmp_path / "net.pt")  # a pickle, which would need the class of the model
    (tmp_path / "net.pt").unlink(missing_ok=True)
    assert raised.value.code == "E0605" and raised.value.help and not list(tmp_path.iterdir())
    with pytest.raises(Error) as raised:
        convert(Operator().eval(), [torch.randn(4, 8)]).save(tmp_path / "missing" / "net.trt2")
    assert raised.value.code == "E0605"


class Evil:
    def __reduce__(self):
        return (open, ("evil", "w"))


@needs_archives
def test_forged_files_run_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    convert(Sizes().eval(), [torch.randn(4, 8)], max_batch_size=6).save("net.trt2")
    with zipfile.ZipFile("net.trt2") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    program = next(name for name in held if name.endswith(".pt2"))
    with zipfile.ZipFile(io.BytesIO(held[program])) as archive:
        inner = {name: archive.read(name) for name in archive.namelist()}
    evil = pickle.dumps(Evil())
    model = next(name for name in inner if name.endswith("model.json"))
    top = model.partition("/")[0]
    assert b'"expr_str"' in inner[model]
    text = re.sub(
        rb'"expr_str": "[^"]*"', b'"expr_str": "__import__(chr(111)+chr(115)).mkdir(chr(101))"', inner[model], count=1
    )
    forged = [
        {**inner, model: text},
        {**inner, f"{top}/data/sample_inputs/model.pt": evil},
        {**inner, f"{top}/data/weights/model.pt": evil},
        {**inner, f"{top}/data/constants/custom_obj_0": evil},
        {
            **inner,
            f"{top}/data/weights/model_weights_config.json": b'{"config": {"w": {"path_name": "weight_0", '
            b'"use_pickle": true}}}',
        },
    ]
    files = [{**held, program: zipped(one)} for one in forged]
    files += [{**held, "constants.pt": evil}, {**held, "torch2trt.json": b"{}"}, {**held, "torch2trt.json": b"["}]
    files += [{name: data for name, data in held.items() if name != program}, {**held, program: b"PK"}]
    before = sorted(tmp_path.iterdir())
    for index, one in enumerate(files):
        with pytest.raises(Error) as raised:
            TRTModule().load_state_dict({"engine": torch.frombuffer(bytearray(zipped(one)), dtype=torch.uint8)})
        assert raised.value.code == "E0605" and raised.value.help, index
    data = bytearray(zipped(held))
    draw = random.Random(SEED)
    for _ in range(30):
        damaged = data.copy()
        for _ in range(draw.randint(1, 20)):
            damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        try:
            TRTModule().load_state_dict(
                {
                    "engine": torch.frombuffer(
                        damaged[: draw.choice([len(data), draw.randrange(len(data))])], dtype=torch.uint8
                    )
                }
            )
        except Error as refused:
            assert refused.code in ("E0605", "E0604", "E0301")
    assert sorted(tmp_path.iterdir()) == before


def zipped(files):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return held.getvalue()
