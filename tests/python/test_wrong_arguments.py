"""Wrong arguments of every kind, in every argument: an error with a code and help, and no other exception."""

import collections
import inspect
import os
import random

import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode

import torch2trt as package
from torch2trt import Error, TRTModule, torch2trt
from torch2trt.accepted import ACCEPTED
from torch2trt.arguments import _MAPPED

SEED = int(os.environ.get("TORCH2TRT_TEST_SEED", "0"))
CASES = 40 * int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))


class Hostile:
    """An object of which every special method fails."""

    def __repr__(self):
        raise ValueError("no text")

    def __eq__(self, other):
        raise ValueError("not comparable")

    def __bool__(self):
        raise ValueError("neither")

    def __index__(self):
        raise ValueError("no number")

    def __fspath__(self):
        raise ValueError("no path")

    __hash__ = None


CYCLIC = []
CYCLIC.append(CYCLIC)
VALUES = {
    "None": None, "5": 5, "-1": -1, "0": 0, "huge": 10**30, "'x'": "x", "''": "", "b'x'": b"x", "object": object(),
    "[]": [],
    "[None]": [None], "{}": {}, "{'a': 1}": {"a": 1}, "{5: 1}": {5: 1}, "nan": float("nan"), "1.5": 1.5, "True": True,
    "False": False, "tensor": torch.ones(2), "int": int, "NUL": "a\0b", "surrogate": "\ud800", "cyclic": CYCLIC,
    "hostile": Hostile(),
}  # fmt: skip
FLAG = {"None", "0", "True", "False"}
NAMES = {"None", "[]"}
TAKEN = {
    **{name: FLAG for name, check in ACCEPTED.items() if check is ACCEPTED["verify"]},
    "input_names": NAMES,
    "output_names": NAMES,
    "keep_fp32": NAMES,
    "keep_unquantized": NAMES,
    "tactic_sources": NAMES,
    "run_in_pytorch": NAMES,
    "plugins": NAMES,
    "min_layers": {"None", "5"},
    "log_level": {"0", "5"},
    "max_workspace_size": {"None", "5", "0"},
    "max_batch_size": {"None", "5"},
    "kwargs": {"None", "{}"},
    "backend": {"None"},
    "target": {"None", "'x'", "''"},  # which GPUs there are is checked where it matters: on TensorRT
    "optimization_level": {"None", "5", "0"},
    "avg_timing_iterations": {"None", "5"},
    "build_threads": {"None", "5"},
    "threads": {"None", "5"},
    "tensorrt": {"None", "'x'", "b'x'"},
    "onnxruntime": {"None"},
    "use_cuda_graph": {"None", "True", "False"},
    "timing_cache": {"None", "'x'", "b'x'", "True", "False"},
    "engine_cache": {"None", "'x'", "b'x'", "True", "False"},
    "int8_calib_algorithm": {"None"},
    "min_shapes": {"None"},
    "opt_shapes": {"None"},
    "max_shapes": {"None"},
    "dynamic_shapes": {"None", "{}", "[]", "[None]", "''", "False"},
    "module": {"hostile"},
    "inputs": {"tensor", "{'a': 1}"},  # a number is a constant of the model
    "int8_calib_dataset": {"None", "[]", "[None]", "cyclic"},
    "calibration": {"None", "[]", "[None]", "cyclic"},
    "precision": {"None"},
    "tolerance": {"None"},
    "metric": {"None"},
}
"""The values that an argument takes; every other one is an error."""

TOLERANCES = {"5", "huge", "1.5"}
"""The values that `tolerance` takes together with a mode."""
NAMED_BY_TENSOR = ("module", "inputs", "dynamic_shapes", "max_shapes", "max_batch_size", "kwargs", "onnxruntime")
"""Arguments whose errors name a tensor and its axis, or a file, instead of the argument."""
ARGUMENTS = [name for name in inspect.signature(torch2trt).parameters if name not in ("legacy",)]


def convert(module, inputs, **options):
    return torch2trt(module, inputs, **{"backend": "cpu", "progress": False, **options})


def refused(action, *codes):
    with pytest.raises(Error) as raised:
        action()
    assert raised.value.code.startswith("E0") and raised.value.help, raised.value
    assert not codes or raised.value.code in codes, raised.value
    str(raised.value).splitlines()[0].encode()  # messages can be printed
    return raised.value


class Two(nn.Module):
    def forward(self, a, b=None):
        return a * 2 if b is None else a + b


X = torch.randn(2, 3)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """Some wrong values are names of files."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_wrong_values_of_every_argument(name):
    for label, value in VALUES.items():
        if label in TAKEN[name]:
            continue
        given = {"module": Two().eval(), "inputs": [X], name: value}
        message = str(refused(lambda: convert(**given)))
        assert name in message or name in NAMED_BY_TENSOR, message


def test_values_that_arguments_take_are_brought_into_one_form():
    for name in ACCEPTED.keys() & TAKEN.keys():
        for label in TAKEN[name]:
            first = ACCEPTED[name](name, VALUES[label])
            assert ACCEPTED[name](name, first) == first or first is None


def test_calibration_data_that_is_none():
    for label in ("[]", "[None]"):
        refused(lambda: convert(nn.Linear(3, 3).eval(), [X], int8_mode=True, int8_calib_dataset=VALUES[label]), "E0602")


def test_arguments_without_effect_take_anything():
    for name in _MAPPED.keys() - ACCEPTED.keys():
        for value in VALUES.values():
            package.arguments.take_legacy({name: value}, [])


def test_drawn_combinations():
    print("seed", SEED)
    draw = random.Random(SEED)
    for _ in range(CASES):
        chosen = draw.sample([name for name in ARGUMENTS if name not in ("module", "inputs")], 3)
        given = {name: draw.choice(list(VALUES)) for name in chosen}
        if all(label in TAKEN[name] for name, label in given.items()) or given.get("tolerance") in TOLERANCES:
            continue
        refused(lambda: convert(Two().eval(), [X], **{name: VALUES[label] for name, label in given.items()}))


@pytest.mark.parametrize(
    "names", [[""], ["a\0b"], ["\ud800"], [None], [5], "image", b"image", {"a": 1}, ["a", "a"]], ids=ascii
)
def test_names(names):
    for argument in ("input_names", "output_names"):
        error = refused(
            lambda: torch2trt(Two().eval(), [X, X], backend="cpu", progress=False, **{argument: names}), "E0701"
        )
        assert argument in str(error) or "named `a`" in str(error) or "has 2 names" in str(error)


@pytest.mark.parametrize("size", [True, -1, "8", 1.5, None, 2**70])
def test_sizes(size):
    for argument in ("min_shapes", "max_shapes", "opt_shapes"):
        refused(lambda: convert(Two().eval(), [X], **{argument: [(size, 3)]}), "E0307")
    refused(lambda: convert(Two().eval(), [X], min_shapes=[(4, 3)], max_shapes=[(2, 3)]), "E0307")


def special_tensors():
    from torch.masked import masked_tensor

    nested = [X[0], X[1]]
    with FakeTensorMode():
        fake = torch.empty(2, 3)
    return {
        "meta": torch.empty(2, 3, device="meta"),
        "coo": X.to_sparse(),
        "csr": X.to_sparse_csr(),
        "mkldnn": X.to_mkldnn() if torch.backends.mkldnn.is_available() else X.to_sparse_csc(),
        "nested": torch.nested.nested_tensor(nested),
        "jagged": torch.nested.nested_tensor(nested, layout=torch.jagged),
        "quantized": torch.quantize_per_tensor(X, 0.1, 0, torch.qint8),
        "masked": masked_tensor(X, X > 0),
        "uint16": torch.zeros(2, 3, dtype=torch.uint16),
        "fake": fake,
    }


@pytest.fixture(scope="module")
def made():
    return convert(Two().eval(), [X, X])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", special_tensors())
def test_tensors_that_no_engine_takes(kind, made):
    tensor = special_tensors()[kind]
    for inputs, kwargs, name in (([tensor], None, "a"), ([X, tensor], None, "b"), ([X], {"b": tensor}, "b")):
        error = refused(lambda: convert(Two().eval(), inputs, kwargs=kwargs), "E0602", "E0601", "E0104")
        assert f"`{name}`" in str(error) or kind == "uint16", error
    for call in ((tensor, X), (X, tensor)):
        error = refused(lambda: made(*call), "E0602", "E0402", "E0403", "E0404")
        refused(lambda: made.run(list(call)), "E0602", "E0402", "E0403", "E0404")
    if kind != "masked":  # written to like any tensor
        refused(lambda: made.run([X, X], [tensor]), "E0602", "E0402", "E0403", "E0404", "E0406")


def test_tensors_inside_of_transforms(made):
    for transform in (torch.func.vmap, torch.func.grad, torch.func.jacrev):
        refused(lambda: transform(lambda t: convert(Two().eval(), [t])(t).sum())(X), "E0602")
        assert "transform of torch.func" in str(refused(lambda: transform(lambda t: made(t, t).sum())(X), "E0602"))


class Marked(torch.Tensor):
    pass


@pytest.mark.parametrize(
    "sample",
    [nn.Parameter(X.clone()), X.clone().requires_grad_(), X.clone().requires_grad_() * 2, X.as_subclass(Marked)],
    ids=["parameter", "leaf", "computed", "subclass"],
)
def test_tensors_that_are_taken_as_they_are(sample):
    made = convert(Two().eval(), [sample])
    x = torch.randn(2, 3)
    torch.testing.assert_close(made(x), x * 2)
    torch.testing.assert_close(
        made(sample).detach().as_subclass(torch.Tensor), (sample * 2).detach().as_subclass(torch.Tensor)
    )


def test_calls(made):
    for value in VALUES.values():
        refused(lambda: made(value, X))
        refused(lambda: made(X, value))
        refused(lambda: made.run([value, X]))
        refused(lambda: made.run(value))
        refused(lambda: made.run([X, X], [value]))
        if value is not None:
            refused(lambda: made.run([X, X], value))
    for arguments in (
        (),
        (X,),
        (X, X, X),
        (X, torch.ones(3, 3)),
        (X, torch.ones(2, 3, 1)),
        (X, X.double()),
        (X, X.int()),
    ):
        refused(lambda: made(*arguments), "E0402", "E0403", "E0602")
        refused(lambda: made.run(list(arguments)), "E0401", "E0402", "E0403")


def test_files(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    writers = (made.save, made.save_plan, made.network.save_onnx)
    readers = (package.load, package.load_plan, package.inspect)
    for label, value in VALUES.items():
        for function in readers:
            refused(lambda: function(value), "E0605", "E0701")
        if label not in ("'x'", "b'x'"):
            for function in writers:
                refused(lambda: function(value), "E0701")
    assert not os.listdir()


def test_paths_of_every_kind(made, tmp_path):
    class Given:
        def __init__(self, path):
            self.path = path

        def __fspath__(self):
            return self.path

    folder = str(tmp_path)
    for k, path in enumerate(
        [
            f"{folder}/a",
            os.fsencode(f"{folder}/b"),
            tmp_path / "c",
            Given(os.fsencode(f"{folder}/d")),
            os.fsencode(folder) + b"/\xff",
        ]
    ):
        made.save(path)
        assert package.inspect(path)["model"] and os.path.exists(os.fsdecode(path))
        torch.testing.assert_close(package.load(path)(X, X), X + X)
        made.network.save_onnx(path)
        assert refused(lambda: package.load_plan(path)).code == "E0605", k


def test_options_of_loading(made, tmp_path):
    made.save(tmp_path / "a")
    for option in ("use_cuda_graph", "trusted", "threads", "tensorrt", "onnxruntime"):
        for label, value in VALUES.items():
            if label not in TAKEN.get(option, FLAG):
                refused(lambda: package.load(tmp_path / "a", **{option: value}))
    for label in VALUES.keys() - {"None", "0", "5", "-1", "huge"}:
        refused(lambda: package.load(tmp_path / "a", device=VALUES[label]), "E0701")


def test_state_dicts(made):
    state = made.state_dict()
    for value in VALUES.values():
        refused(lambda: TRTModule().load_state_dict({**state, "engine": value}), "E0604", "E0605")
    other = TRTModule()
    other.load_state_dict({**state, "engine": state["engine"].numpy().tobytes()})
    torch.testing.assert_close(other(X, X), X + X)
    for value in VALUES.values():
        if value is not None:
            refused(lambda: TRTModule(value))


def test_refitting():
    made = convert(Two().eval(), [X], refittable=True)
    for label, value in VALUES.items():
        refused(lambda: made.refit(value, [X]))
        if label != "None":
            refused(lambda: made.refit(Two().eval(), value))
        if label not in FLAG:
            assert "`verify`" in str(refused(lambda: made.refit(Two().eval(), [X], verify=value), "E0701"))
            assert "fp16_mode" in str(refused(lambda: made.refit(Two().eval(), [X], fp16_mode=value), "E0701"))
        if label not in {"None", "{}"}:
            refused(lambda: made.refit(Two().eval(), [X], kwargs=value))
        assert "fp17_mode" in str(refused(lambda: made.refit(Two().eval(), [X], fp17_mode=value), "E0701"))
    made.refit(Two().eval(), [X], verify=False, fp16_mode=0, kwargs={})
    torch.testing.assert_close(made(X), X * 2)


def test_coverage():
    for label, value in VALUES.items():
        refused(lambda: package.coverage(value, [X]))
        if label not in {"tensor", "{'a': 1}"}:
            refused(lambda: package.coverage(Two().eval(), value))
        if label not in {"None", "{}"}:
            refused(lambda: package.coverage(Two().eval(), [X], value))
        if label not in TAKEN["dynamic_shapes"]:
            refused(lambda: package.coverage(Two().eval(), [X], dynamic_shapes=value))


def test_registering_a_converter():
    before = dict(package.CONVERTERS)
    name = "torch.nn.Bilinear.forward"
    for label, value in VALUES.items():
        if label != "int":  # a function of Python
            refused(lambda: package.tensorrt_converter(value)(lambda ctx: None), "E0701")
            refused(lambda: package.tensorrt_converter(name)(value), "E0701")
        for option in ("is_real", "enabled"):
            if label not in FLAG:
                assert option in str(refused(lambda: package.tensorrt_converter(name, **{option: value}), "E0701"))
        if label not in NAMES:
            refused(lambda: package.tensorrt_converter(name, imports=value)(lambda ctx: None), "E0701")
    refused(lambda: package.tensorrt_converter(name, imports=["no_such_module"])(lambda ctx: None), "E0701")
    assert before == package.CONVERTERS
    package.tensorrt_converter("no.such.method", enabled=False)(lambda ctx: None)
    package.tensorrt_converter(name, is_real=1, enabled=0, imports=("torch",))(lambda ctx: None)
    assert before == package.CONVERTERS


class Returning(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return self.value


@pytest.mark.parametrize("value", [None, "a", (), [], {}, {"a": None}, ("a", (None, "b"))], ids=str)
def test_models_without_a_tensor_among_the_outputs(value):
    error = refused(lambda: convert(Returning(value).eval(), [X]), "E0601")
    assert "returns no tensor" in str(error) and "Returning.forward" in str(error)


class Uninitialized(nn.Module):
    def __init__(self):
        pass

    def forward(self, x):
        return x


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Linear, "Linear is a class"),
        (Two, "Two is a class"),
        (Uninitialized(), "not initialized"),
        (nn.Linear(3, 3, device="meta"), "meta device"),
        (nn.LazyLinear(3), "not initialised yet"),
        (torch.jit.script(nn.Linear(3, 3)), "TorchScript"),
        (nn.Sequential(torch.jit.script(nn.Linear(3, 3))), "TorchScript"),
        (nn.Module(), "forward"),
        (nn.ModuleList([nn.Linear(3, 3)]), "forward"),
        (TRTModule(), "the model is a converted module"),
        (nn.Sequential(nn.ReLU(), TRTModule()), "`1` is a converted module"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_model(model, words):
    assert words in str(refused(lambda: convert(model, [X]), "E0601", "E0604"))


class Wrapper(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)


def test_models_in_wrappers():
    model = nn.Linear(3, 3).eval()
    with torch.no_grad():
        expected = model(X)
    exported = torch.export.export(model, (X,))
    wrapped = [
        nn.DataParallel(model),
        torch.compile(model),
        Wrapper(model),
        model.forward,
        exported,
        exported.module(),
        torch.fx.symbolic_trace(model),
    ]
    for wrapper in wrapped:
        torch.testing.assert_close(convert(wrapper, [X])(X).detach(), expected)


def test_sample_inputs_of_every_kind():
    for inputs in ([X, X], (X, X), {"a": X, "b": X}, collections.UserDict(a=X, b=X), (part for part in (X, X))):
        torch.testing.assert_close(convert(Two().eval(), inputs)(X, X), X + X)
    for inputs, kwargs in (
        ({5: X}, None),
        ([X], {"a": X}),
        ({"a": X}, {"a": X}),
        ([X], {"zzz": X}),
        ([X, X, X], None),
        ([], None),
    ):
        refused(lambda: convert(Two().eval(), inputs, kwargs=kwargs), "E0601", "E0602")
    refused(lambda: convert(Two().eval(), X.numpy()), "E0602")
