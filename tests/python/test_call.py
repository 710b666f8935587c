"""The call as users see it: structures, structure errors, missing libraries, wrong tensors, cancelled builds.

Every error is checked for its code and for the words that let a user act on it.
"""

import _thread
import collections
import copy
import importlib.util
import logging
import pickle
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

import torch2trt as package
from torch2trt import Error, TRTModule, _core, tensorrt_converter, torch2trt
from torch2trt.verify import difference

needs_rtx = pytest.mark.skipif(importlib.util.find_spec("tensorrt_rtx_libs") is None, reason="no TensorRT-RTX")
Point = collections.namedtuple("Point", ["x", "y"])


def convert(module, inputs, **options):
    return torch2trt(module, inputs, backend="cpu", progress=False, **options)


def _equal(got, expected):
    assert got == expected


class Returns(nn.Module):
    """Returns what `build` makes of two tensors."""

    def __init__(self, build):
        super().__init__()
        self.build = build
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return self.build(self.linear(x), x.relu())


@pytest.mark.parametrize(
    "build",
    [
        lambda a, b: a,
        lambda a, b: (a, b),
        lambda a, b: [b, a],
        lambda a, b: {"first": a, "second": b},
        lambda a, b: Point(a, b),
        lambda a, b: {"nested": [a, (b, {"deep": a + b})]},
        lambda a, b: (a, None, 3, "text"),
        lambda a, b: (a, a),
    ],
    ids=["tensor", "tuple", "list", "dict", "namedtuple", "nested", "constants", "twice"],
)
def test_outputs_have_the_models_own_structure(build):
    model = Returns(build).eval()
    model_trt = convert(model, [torch.randn(2, 4)])
    x = torch.randn(2, 4)
    expected, got = model(x), model_trt(x)
    assert pytree.tree_structure(got) == pytree.tree_structure(expected)
    for g, e in zip(pytree.tree_leaves(got), pytree.tree_leaves(expected), strict=True):
        torch.testing.assert_close(g, e) if isinstance(e, torch.Tensor) else _equal(g, e)


def test_an_input_that_is_returned_comes_back():
    class Same(nn.Module):
        def forward(self, x, y):
            return x, y * 2

    x, y = torch.randn(3), torch.randn(3)
    got = convert(Same().eval(), [x, y])(x, y)
    assert torch.equal(got[0], x) and torch.equal(got[1], y * 2)


def test_keyword_inputs_and_names():
    class Model(nn.Module):
        def forward(self, image, scale=None, *, offset):
            return (image if scale is None else image * scale) + offset

    image, offset = torch.randn(2, 3), torch.randn(3)
    model_trt = convert(Model().eval(), [image], kwargs={"offset": offset}, output_names=["sum"])
    assert model_trt.input_names == ["image", "offset"]
    assert model_trt.output_names == ["sum"]
    torch.testing.assert_close(model_trt(image, offset=offset), image + offset)


def code_of(action):
    with pytest.raises(Error) as raised:
        action()
    return raised.value.code, str(raised.value)


def test_every_operator_without_a_converter_is_in_one_report():
    class Model(nn.Module):
        def forward(self, x):
            x = torch.linalg.matrix_exp(x)
            return torch.linalg.eigvals(x).real + torch.linalg.matrix_exp(x)

    code, text = code_of(lambda: convert(Model().eval(), [torch.randn(3, 3)]))
    assert code == "E0101"
    assert "aten.linalg_matrix_exp.default" in text and "x2" in text
    assert "test_call.py:" in text and "help: " in text


def test_operators_are_taken_apart_where_a_model_is_traced_too():
    def model(x):
        doubled = torch.multiply(x, 2.0)
        return torch.greater(doubled, 1.0) if doubled.sum() > 0 else doubled

    x = torch.rand(3, 4)
    with pytest.warns(package.capture.CaptureWarning, match="traced"):
        model_trt = convert(model, [x])
    assert "aten.multiply.Tensor" not in model_trt.report.operators
    assert torch.equal(model_trt(x), model(x))


class Normalized(nn.Module):
    """Asks what it divides by, as torchvision's normalize does."""

    def __init__(self):
        super().__init__()
        self.register_buffer("std", torch.tensor([0.5, 2.0, 4.0]))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        x.add_(1)
        if (self.std == 0).any():
            raise ValueError("a standard deviation of zero")
        return x / self.std[:, None, None]


def test_decisions_by_what_no_input_decides_are_taken():
    batch, long = torch.export.Dim("batch", min=1, max=4), torch.export.Dim("long", min=1, max=9)
    model, x = Normalized().eval(), torch.randn(2, 3, 4, 4)
    before = x.clone()
    model_trt = convert(model, [x], dynamic_shapes=({0: batch},))
    assert torch.equal(x, before) and model.calls == 0, "the run on values is nobody's"
    assert model_trt.report.traced_because is None
    for n in (1, 4):
        other = torch.randn(n, 3, 4, 4)
        assert difference(model(other.clone()), model_trt(other)) < 1e-6

    transformer = nn.Transformer(16, 2, 1, 1, 32, batch_first=True).eval()

    def masked(source, target):
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        return transformer(source, target, tgt_mask=mask)

    inputs = [torch.randn(2, 5, 16), torch.randn(2, 7, 16)]
    model_trt = convert(masked, inputs, dynamic_shapes=({0: batch}, {0: batch, 1: long}))
    inputs = [torch.randn(3, 5, 16), torch.randn(3, 4, 16)]
    assert difference(masked(*inputs), model_trt(*inputs)) < 1e-5


@pytest.mark.parametrize(
    "decides",
    [
        lambda x: x * 2 if x.sum() > 0 else x - 1,
        lambda x: x[torch.nonzero(x[:, 0] > 0)[:, 0]] if torch.nonzero(x).shape[0] > 1 else x,
        lambda x: x * 2 if torch.equal(x.abs(), x) else x - 1,
        lambda x: x * len(range(int(x.abs().max()))),
    ],
    ids=["a comparison", "a count", "equal", "a number"],
)
def test_decisions_by_inputs_are_reported(decides):
    x = torch.rand(3, 4) + 1
    with pytest.warns(package.capture.CaptureWarning, match="values"):
        convert(decides, [x])
    with pytest.raises(Error) as raised:
        convert(decides, [x], dynamic_shapes=({0: torch.export.Dim("n", min=1, max=8)},))
    assert raised.value.code == "E0601", raised.value


def test_what_is_taken_apart_keeps_its_place():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Returns(lambda a, b: torch.multiply(a, b))

        def forward(self, x):
            return self.inner(x)

    network = str(convert(Model(), [torch.randn(2, 4)]).network)
    (line,) = (line for line in network.splitlines() if "ElementWise(op: Prod)" in line)
    assert '"inner' in line and "test_call.py" in line, line
    assert {name: converts for name, _, converts in package.coverage(Model(), [torch.randn(2, 4)])}["aten.mul.Tensor"]


@pytest.mark.parametrize("dtype", [torch.float8_e5m2])
def test_inputs_that_no_engine_takes(dtype):
    code, text = code_of(lambda: convert(nn.Identity().eval(), [torch.ones(3).to(dtype)]))
    assert code == "E0104" and str(dtype).removeprefix("torch.") in text and "help: " in text


CAST = [torch.float64, torch.int16, torch.int8, torch.uint8, torch.complex64, torch.complex128]


@pytest.mark.parametrize("dtype", CAST)
def test_inputs_that_are_cast_for_the_engine(dtype, tmp_path):
    class Sums(nn.Module):
        def forward(self, x, y):
            return {"sum": x + y, "product": x * y, "same": x.clone(), "whole": (x + 1).sum(0)}

    def draw():
        if dtype.is_floating_point or dtype.is_complex:
            return [torch.randn(3, 4, dtype=dtype) for _ in range(2)]
        limits = torch.iinfo(dtype)
        return [torch.randint(limits.min, limits.max + 1, (3, 4), dtype=dtype) for _ in range(2)]

    made = convert(Sums().eval(), draw())
    made.save(tmp_path / "model.engine")
    filled = package.TRTModule()
    filled.load_state_dict(made.state_dict())
    for model_trt in (made, package.load(tmp_path / "model.engine"), filled, pickle.loads(pickle.dumps(made))):
        x, y = draw()
        got, expected = model_trt(x, y), Sums()(x, y)
        for name, wanted in expected.items():
            torch.testing.assert_close(got[name], wanted, rtol=1e-5, atol=1e-5)  # the dtype is compared, too
        out = [torch.empty_like(wanted) for wanted in expected.values()]
        written = model_trt.run([x, y], out=out)
        assert all(given is returned for given, returned in zip(out, written, strict=True))
        for given, wanted in zip(out, expected.values(), strict=True):
            torch.testing.assert_close(given, wanted, rtol=1e-5, atol=1e-5)


def test_calls_that_do_not_fit():
    model_trt = convert(nn.Linear(4, 2).eval(), [torch.randn(2, 4)])
    code, text = code_of(lambda: model_trt(torch.randn(3, 4)))
    assert code == "E0402" and "axis 0: got 3" in text
    code, text = code_of(lambda: model_trt(torch.randn(2, 4).double()))
    assert code == "E0403" and "float64" in text and "float32" in text
    code, _ = code_of(lambda: model_trt())
    assert code == "E0602"
    code, text = code_of(lambda: model_trt("image.png"))
    assert code == "E0602" and "str" in text


def test_outputs_that_the_caller_gives():
    class Two(nn.Module):
        def forward(self, x):
            return x @ x.softmax(0), (x - x.amax(0)).argsort(0)

    def kinds(x):
        yield "of the engine's kind", torch.empty(4, 4), torch.empty(4, 4, dtype=torch.int64)
        yield "strided", torch.empty(4, 4).t(), torch.empty(8, 4, dtype=torch.int64)[::2]
        yield "of other types", torch.empty(4, 4, dtype=torch.float64), torch.empty(4, 4, dtype=torch.int32)
        yield "over the input", x, torch.empty(4, 4, dtype=torch.int64)
        memory = torch.empty(40)
        yield "over each other", memory[:16].view(4, 4), memory[8:].view(torch.int64).view(4, 4)

    x = torch.randn(4, 4)
    model_trt = convert(Two().eval(), [x])
    for kind, *out in kinds(x):
        expected, versions = Two()(x), [given._version for given in out]
        got = model_trt.run([x], out=out)
        assert all(given is returned for given, returned in zip(out, got, strict=True)), kind
        assert all(given._version > version for given, version in zip(out, versions, strict=True)), kind
        assert torch.equal(got[1].long(), expected[1]), kind
        if kind != "over each other":  # what was written first is gone
            torch.testing.assert_close(got[0].float(), expected[0], rtol=1e-5, atol=1e-6)
    code, text = code_of(lambda: model_trt.run([x], out=[torch.empty(4, 4), torch.empty(4, 5, dtype=torch.int64)]))
    assert code == "E0406" and "[4, 5]" in text and "help: " in text
    code, text = code_of(lambda: model_trt.run([x], out=[torch.empty(4, 4)]))
    assert code == "E0701" and "1 tensors" in text


def test_every_way_of_calling_is_the_same_again():
    class Scaled(nn.Module):
        def forward(self, x, y, scale=2.0, *, negate=False):
            return (x - y) * scale * (-1 if negate else 1)

    x, y = torch.randn(2, 3), torch.randn(2, 3)
    model_trt = convert(Scaled().eval(), [x], kwargs={"y": y, "scale": 3.0, "negate": True})
    calls = [
        lambda a, b, scale, negate: ((a, b, scale), {"negate": negate}),
        lambda a, b, scale, negate: ((a,), {"negate": negate, "y": b, "scale": scale}),
        lambda a, b, scale, negate: ((), {"scale": scale, "y": b, "negate": negate, "x": a}),
    ]
    for copy_ in (model_trt, pickle.loads(pickle.dumps(model_trt))):
        for call in calls * 2:  # the second time, the order of the arguments is remembered
            a, b = torch.randn(2, 3), torch.randn(2, 3)
            args, kwargs = call(a, b, 3.0, True)
            torch.testing.assert_close(copy_(*args, **kwargs), (b - a) * 3)
            for wrong, name in [((a, b, 3, True), "scale"), ((a, b, 3.0, False), "negate"), ((a, 1.0, 3.0, True), "y")]:
                args, kwargs = call(*wrong)
                code, text = code_of(lambda args=args, kwargs=kwargs: copy_(*args, **kwargs))
                assert code == "E0602" and f"`{name}`" in text


def test_changed_weights_are_noticed():
    model = nn.Linear(64, 64).eval()
    x = torch.randn(2, 64)
    model_trt = convert(model, [x])
    model_trt(x)
    with torch.no_grad():
        model.weight.add_(1)
    code, text = code_of(lambda: model_trt(x))
    assert code == "E0603" and "deepcopy" in text


def test_the_model_may_go_away():
    model = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 8)).eval()
    x = torch.randn(2, 64)
    expected = model(x)
    model_trt = convert(model, [x])
    del model
    torch.testing.assert_close(model_trt(x), expected)


def test_threads_may_call_one_module():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10)).eval()
    model_trt = convert(model, [torch.randn(1, 3, 8, 8)])
    wrong = []

    def work():
        for _ in range(50):
            x = torch.randn(1, 3, 8, 8)
            with torch.no_grad():
                if not torch.allclose(model_trt(x), model(x), atol=1e-5):
                    wrong.append(x)

    threads = [threading.Thread(target=work) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not wrong


def test_options_are_checked():
    model, x = nn.ReLU().eval(), torch.randn(3)
    code, text = code_of(lambda: torch2trt(model, [x], backend="gpu"))
    assert code == "E0701" and '"tensorrt"' in text
    code, text = code_of(lambda: torch2trt(model, [x], backend="cpu", threads=0))
    assert code == "E0701" and "`threads` is 0" in text


def test_missing_libraries_name_every_place(tmp_path):
    code, text = code_of(
        lambda: torch2trt(nn.ReLU().eval(), [torch.randn(3)], backend="tensorrt", tensorrt=str(tmp_path))
    )
    assert code == "E0301" and str(tmp_path) in text and "help: " in text
    # ONNX Runtime is loaded once a process, so this one is asked in a process of its own.
    script = """
        import torch
        from torch2trt import torch2trt, Error
        try:
            torch2trt(torch.nn.ReLU().eval(), [torch.randn(3)], backend="cpu", onnxruntime="/nowhere/libonnxruntime.so")
        except Error as error:
            print(error.code, error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("E0501") and "/nowhere" in done.stdout and "help: " in done.stdout


def test_a_process_with_engines_ends_cleanly():
    script = """
        import threading, torch
        from torch2trt import torch2trt
        x = torch.randn(8, 64)
        m = torch2trt(torch.nn.Linear(64, 64).eval(), [x], backend="cpu", progress=False)
        threading.Thread(target=lambda: [m(x) for _ in range(10000)], daemon=True).start()
        m(x)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_same_program_gives_the_same_network():
    model, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.GELU()).eval(), torch.randn(1, 3, 8, 8)
    texts = {str(convert(model, [x], verify=False).network) for _ in range(2)}
    assert len(texts) == 1 and "Convolution" in texts.pop()


def test_onnx_export_is_what_onnx_runtime_runs(tmp_path):
    import onnx
    import onnxruntime

    model, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval(), torch.randn(1, 3, 8, 8)
    path = str(tmp_path / "model.onnx")
    convert(model, [x], input_names=["image"]).network.save_onnx(path)
    onnx.checker.check_model(path, full_check=True)
    got = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"image": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(got[0]), model(x).detach(), rtol=1e-5, atol=1e-5)


@needs_rtx
def test_a_plan_ahead_of_time(tmp_path):
    model, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval(), torch.randn(1, 3, 8, 8)
    ahead = torch2trt(model, [x], backend="tensorrt", target="sm_89", progress=False)
    rows = dict(ahead.report.plan)
    assert "TensorRT layers" in rows and "RTX" in rows["TensorRT"]
    path = tmp_path / "model.plan"
    ahead.save_plan(str(path))
    assert path.stat().st_size == ahead.plan.size > 1000
    code, text = code_of(lambda: ahead(x))
    assert code == "E0604" and "sm_89" in text


@needs_rtx
def test_targets_are_checked():
    code, text = code_of(lambda: torch2trt(nn.ReLU().eval(), [torch.randn(3, 4)], backend="tensorrt", target="sm_12"))
    assert code == "E0305" and "sm_89" in text


@needs_rtx
def test_ctrl_c_cancels_a_build():
    layers = [layer for _ in range(60) for layer in (nn.Conv2d(64, 64, 3, padding=1), nn.GELU())]
    network = convert(nn.Sequential(*layers).eval(), [torch.randn(1, 64, 32, 32)], verify=False, target="sm_89").network
    messages = []

    class Interrupts(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())
            if "network tensors" in messages[-1]:  # the builder's first message about the network
                _thread.interrupt_main()

    logger, interrupts = logging.getLogger("torch2trt.tensorrt"), Interrupts()
    logger.addHandler(interrupts)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    _core.set_log_level(logging.DEBUG)
    try:
        with pytest.raises(KeyboardInterrupt):
            network.build(_core.ProgressBar(False))
    finally:
        _core.set_log_level(logging.ERROR)
        logger.setLevel(level)
        logger.removeHandler(interrupts)
    assert any("network tensors" in line for line in messages)
    assert not any("completed" in line for line in messages), messages
    # The next build is not affected.
    assert network.build(_core.ProgressBar(False)).size > 1000


def test_every_code_is_documented():
    text = Path(__file__, "../../../docs/errors.md").resolve().read_text(encoding="utf-8")
    assert all(code in text for code, _ in _core.error_codes())
    assert package.__version__


@needs_rtx
def test_messages_of_tensorrt_are_logged_for_debugging(caplog):
    for level, wanted in ((logging.DEBUG, True), (logging.INFO, False)):
        caplog.clear()
        model_trt = torch2trt(
            nn.Linear(4, 2).eval(),
            [torch.randn(1, 4)],
            target="sm_89",
            backend="tensorrt",
            log_level=level,
            progress=False,
        )
        messages = [record for record in caplog.records if record.name == "torch2trt.tensorrt"]
        assert bool(messages) == wanted
    assert {"TensorRT layers", "plan", "memory"} <= {name for name, _ in model_trt.report.plan}


def test_a_model_in_training_mode_is_converted_and_compared_in_evaluation_mode():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Dropout(0.5))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.warns(package.capture.CaptureWarning, match="training mode") as warned:
        model_trt = torch2trt(model, [torch.randn(2, 3, 8, 8)], backend="cpu")
    assert [Path(warning.filename).name for warning in warned] == ["test_call.py"], "the warning is at the user's line"
    assert model.training and all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    x = torch.randn(2, 3, 8, 8)
    assert difference(model.eval()(x), model_trt(x)) < 1e-5


def test_padded_places_of_a_transformer_follow_its_code():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2).eval()
    x, padding = torch.randn(2, 6, 16), torch.zeros(2, 6, dtype=torch.bool)
    padding[0, 3:] = padding[1, 5:] = True
    model_trt = convert(lambda x, padding: model(x, src_key_padding_mask=padding), [x, padding])
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        expected = model(x, src_key_padding_mask=padding)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    got = model_trt(x, padding)
    assert difference(expected, got) < 1e-5
    assert difference(model(x, src_key_padding_mask=padding)[~padding], got[~padding]) < 1e-5
    convert(model, [x])
    assert torch.backends.mha.get_fastpath_enabled()


@needs_rtx
def test_a_builder_may_be_kept_between_conversions():
    model, x = torch.nn.Linear(3, 2).eval(), torch.randn(2, 3)
    with package.keep_builder(target="sm_89"):
        plans = [torch2trt(model, [x], target="sm_89", progress=False) for _ in range(2)]
    assert all(plan.plan is not None for plan in plans)
    with pytest.raises(Error, match="E0301"), package.keep_builder(tensorrt="/nowhere", target="sm_89"):
        pass


def test_copies_and_pickles_are_converted_models():
    model, x = torch.nn.Linear(3, 2), torch.randn(4, 3)
    model_trt = torch2trt(model.eval(), [x], backend="cpu", max_batch_size=4, threads=1)
    assert "1 thread" in model_trt.engine.description
    for other in (copy.deepcopy(model_trt), pickle.loads(pickle.dumps(model_trt))):
        assert torch.equal(other(x[:2]), model_trt(x[:2])) and other.engine.description == model_trt.engine.description
    assert isinstance(copy.copy(TRTModule()), TRTModule)


def test_an_empty_module_runs_nothing():
    empty = TRTModule()
    assert (empty.input_names, empty.output_names) == ([], [])
    for call in (empty, lambda x: empty.run([x]), lambda x: empty.profile([x]), lambda x: empty.save_plan("x.plan")):
        with pytest.raises(Error, match="E0604.*empty"):
            call(torch.ones(2))


def test_new_weights_without_a_gpu():
    first, second, x = torch.nn.Linear(600, 700).eval(), torch.nn.Linear(600, 700).eval(), torch.randn(2, 600)
    model_trt = torch2trt(first, [x], backend="cpu", refittable=True)
    model_trt.refit(second)
    assert difference(second(x), model_trt(x)) < 1e-5
    with torch.no_grad():
        first.weight.add_(1)  # no longer borrowed
    model_trt(x)
    with torch.no_grad():
        second.weight.add_(1)
    with pytest.raises(Error, match="E0603"):
        model_trt(x)
    model_trt.refit(second)
    assert difference(second(x), model_trt(x)) < 1e-5
    with pytest.raises(Error, match="E0606"):
        model_trt.refit(torch.nn.Linear(600, 701).eval())
    with pytest.raises(Error, match="E0606.*\n.*refittable=True"):
        torch2trt(first, [x], backend="cpu").refit(second)


class KeysAndValues(torch.nn.Module):
    """Two of the three parts of a linear layer, each read where it is in the layer's weights."""

    def __init__(self):
        super().__init__()
        self.qkv = torch.nn.Linear(256, 768)

    def forward(self, x):
        _, key, value = (part.view(2, 4, 4, 64).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        return key @ value.transpose(-1, -2)


def test_writes_to_weights_of_which_a_part_is_read():
    model, x = KeysAndValues().eval(), torch.randn(2, 4, 256)
    model_trt = torch2trt(model, [x], backend="cpu")
    assert model.qkv.weight.data_ptr() not in model_trt.engine.borrowed
    assert difference(model(x), model_trt(x)) < 1e-5
    with torch.no_grad():
        model.qkv.weight[256:].mul_(2)
    with pytest.raises(Error, match="E0603"):
        model_trt(x)


def test_a_sparse_buffer_that_nothing_uses_is_no_hindrance():
    model = torch.nn.Linear(3, 2).eval()
    model.register_buffer("graph", torch.eye(3).to_sparse())
    x = torch.randn(4, 3)
    assert difference(model(x), torch2trt(model, [x], backend="cpu")(x)) < 1e-5


def test_sparse_inputs_are_refused():
    with pytest.raises(Error, match="E0602.*layout torch.sparse_coo"):
        torch2trt(torch.nn.Linear(3, 3).eval(), [torch.eye(3).to_sparse()], backend="cpu")


def test_files_that_cannot_be_read_or_written_are_errors(tmp_path):
    with pytest.raises(Error, match="E0605"):
        package.load_plan(tmp_path / "none.plan")


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: torch.linalg.svd(x)[1], "torch.linalg.svd"),
        (lambda x: torch.special.zeta(x, x), "torch.special.zeta"),
        (lambda x: torch.lgamma(x).mode(0)[0], "torch.mode"),
    ],
)
def test_the_name_to_register_a_converter_for_exists(function, name):
    with pytest.raises(Error, match="E0101") as raised:
        torch2trt(function, [torch.rand(3, 3)], backend="cpu")
    assert f'@tensorrt_converter("{name}")' in raised.value.help
    tensorrt_converter(name, enabled=True)(lambda ctx: None)
    del package.CONVERTERS[name]


def test_one_shape_asked_for_twice():
    model, x = torch.nn.Linear(3, 2).eval(), torch.randn(2, 3)
    with pytest.raises(Error, match="E0307.*max_batch_size is 8, and max_shapes has 4"):
        torch2trt(model, [x], backend="cpu", max_shapes=[(4, 3)], max_batch_size=8)
    # An axis that is not the batch is another matter.
    sizes = torch2trt(
        lambda x, w: x @ w, [x, torch.randn(3, 4)], backend="cpu", max_shapes=[(2, 5), (5, 4)], max_batch_size=8
    )
    assert sizes(torch.randn(8, 5), torch.randn(5, 4)).shape == (8, 4)


def test_a_sample_of_one_along_axes_that_depend_on_each_other():
    n = torch.export.Dim("n", min=1, max=8)
    with pytest.raises(Error, match="E0601") as raised:
        torch2trt(nn.Softmax(-1), [torch.randn(1, 2)], backend="cpu", dynamic_shapes={"input": {0: n, 1: 2 * n}})
    assert "at least 2 along dynamic axes" in raised.value.help


def test_a_part_that_is_torchscript_is_named():
    model = nn.Sequential(nn.ReLU(), torch.jit.script(nn.Linear(4, 4)))
    code, text = code_of(lambda: convert(model.eval(), [torch.randn(2, 4)]))
    assert code == "E0601" and "`1` is TorchScript" in text and "help: put the original" in text


def test_what_the_tracer_cannot_see_is_not_taken_for_a_constant():
    class Hidden(nn.Module):
        def forward(self, x):
            return torch.from_numpy(x.detach().numpy() * 2)

    code, text = code_of(lambda: convert(Hidden().eval(), [torch.randn(2, 4)]))
    assert code == "E0601" and "help: " in text


def test_a_call_with_many_outputs_is_linear():
    """The time of a call for each output does not grow with their number."""

    class Unbound(nn.Module):
        def forward(self, x):
            return x.unbind(0)

    def seconds(count):
        x = torch.randn(count, 2)
        made = convert(Unbound(), [x], verify=False)
        assert all(torch.equal(got, row) for got, row in zip(made(x), x, strict=True))
        taken = []
        for _ in range(5):
            start = time.thread_time()
            made(x)
            taken.append(time.thread_time() - start)
        return min(taken)

    few, many = seconds(200), seconds(1000)
    assert many < 5 * 2 * few + 0.003, (few, many)
