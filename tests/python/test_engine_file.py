"""Engine files and state dicts: what is saved loads in a process that never saw the model, and nothing bad loads.

On a machine without a GPU these are CPU engines, and plans that were built ahead of time.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import enum
import functools
import json
import struct
import subprocess
import sys

import pytest
import torch

import torch2trt as package
from torch2trt import Error, TRTModule, _core, torch2trt, tree_file
from torch2trt.capture.tree import RUNTIME, InputTree, OutputTree

Pair = collections.namedtuple("Pair", "left right")


class Model(torch.nn.Module):
    """Inputs nested and by keyword; outputs nested, with constants in them."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(6, 4)

    def forward(self, parts: dict, scale: float = 2.0, *, bias: torch.Tensor | None = None) -> dict:
        y = self.linear(torch.cat([parts["a"], parts["b"][0]], 1)) * scale
        y = y if bias is None else y + bias
        return {"y": y, "rest": [y.argmax(1), 5, None, (y.sum(),)]}


def call() -> tuple[tuple, dict]:
    return ({"a": torch.randn(3, 2), "b": [torch.randn(3, 4)]},), {"bias": torch.randn(4)}


def same(got: dict, expected: dict) -> None:
    torch.testing.assert_close(got["y"], expected["y"])
    assert torch.equal(got["rest"][0], expected["rest"][0])
    assert got["rest"][1:3] == [5, None]
    torch.testing.assert_close(got["rest"][3][0], expected["rest"][3][0])


@pytest.fixture(scope="module")
def converted() -> tuple[torch.nn.Module, TRTModule]:
    model = Model().eval()
    args, kwargs = call()
    return model, torch2trt(model, args, kwargs=kwargs, backend="cpu", progress=False)


def test_a_file_loads_in_a_process_that_never_saw_the_model(converted, tmp_path):
    model, made = converted
    args, kwargs = call()
    made.save(tmp_path / "model.engine")
    torch.save(made.state_dict(), tmp_path / "model.pth")
    torch.save((args, kwargs, model(*args, **kwargs)), tmp_path / "call.pt")
    code = """
import sys, torch, torch2trt
folder = sys.argv[1]
args, kwargs, expected = torch.load(folder + "/call.pt")
filled = torch2trt.TRTModule()
filled.load_state_dict(torch.load(folder + "/model.pth"))
for made in (torch2trt.load(folder + "/model.engine"), filled):
    got = made(*args, **kwargs)
    torch.testing.assert_close(got["y"], expected["y"])
    assert torch.equal(got["rest"][0], expected["rest"][0]) and got["rest"][1:3] == [5, None]
    assert made.input_names == ["parts.a", "parts.b.0", "bias"], made.input_names
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_what_is_loaded_refuses_what_the_model_was_not_captured_with(converted, tmp_path):
    _, made = converted
    made.save(tmp_path / "model.engine")
    loaded = package.load(tmp_path / "model.engine")
    args, kwargs = call()
    for wrong, code in (
        ((*args, 3.0), "E0602"),
        (({"a": args[0]["a"]},), "E0602"),
        (({"a": args[0]["a"], "b": [torch.randn(3, 5)]},), "E0402"),
    ):
        with pytest.raises(Error) as raised:
            loaded(*wrong, **kwargs)
        assert raised.value.code == code, raised.value


def test_the_file_owns_its_weights(tmp_path):
    model = torch.nn.Linear(5, 3).eval()
    x = torch.randn(2, 5)
    made = torch2trt(model, [x], backend="cpu", progress=False)
    made.save(tmp_path / "model.engine")
    expected = model(x).detach()
    loaded = package.load(tmp_path / "model.engine")
    with torch.no_grad():
        model.weight.zero_()
    (tmp_path / "model.engine").unlink()
    torch.testing.assert_close(loaded(x), expected)


def test_saved_again_it_is_the_same(converted, tmp_path):
    _, made = converted
    made.save(tmp_path / "a")
    made.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    package.load(tmp_path / "a").save(tmp_path / "c")
    first, again = package.inspect(tmp_path / "a"), package.inspect(tmp_path / "c")
    assert again == first


def test_dynamic_sizes_survive(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()).eval()
    made = torch2trt(model, [torch.randn(2, 4)], max_batch_size=8, backend="cpu", progress=False)
    made.save(tmp_path / "model.engine")
    loaded = package.load(tmp_path / "model.engine")
    for batch in (1, 5, 8):
        x = torch.randn(batch, 4)
        torch.testing.assert_close(loaded(x), model(x))
    with pytest.raises(Error, match="E0402"):
        loaded(torch.randn(9, 4))


def test_inspect_describes_a_plan_without_loading_it(tmp_path):
    model = torch.nn.Conv2d(3, 4, 3).eval()
    try:
        made = torch2trt(model, [torch.randn(1, 3, 8, 8)], target="sm_89", optimization_level=1, progress=False)
    except Error as problem:
        pytest.skip(str(problem).splitlines()[0])
    made.save(tmp_path / "model.engine")
    manifest = package.inspect(tmp_path / "model.engine")
    assert manifest["built"]["gpu"] == "sm_89" and manifest["built"]["tensorrt"].startswith("TensorRT")
    assert manifest["interface"]["inputs"] == [{"name": made.input_names[0], "dtype": "float32", "dims": [1, 3, 8, 8]}]
    assert manifest["options"]["optimization_level"] == 1
    made.save_plan(tmp_path / "model.plan")
    plan = (tmp_path / "model.plan").read_bytes()
    assert plan in (tmp_path / "model.engine").read_bytes()
    for load in (package.load, package.load_plan):
        path = tmp_path / ("model.engine" if load is package.load else "model.plan")
        with pytest.raises(Error, match="E0701.*`device` is cpu"):
            load(path, device="cpu")
        if not torch.cuda.is_available():
            with pytest.raises(Error, match="E0604"):
                load(path)


def test_damage_is_an_error_with_its_code(converted, tmp_path):
    _, made = converted
    made.save(tmp_path / "good")
    good = (tmp_path / "good").read_bytes()
    middle = len(good) // 2
    for bad in (b"", good[:-1], good[:40], good + b"x", good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]):
        (tmp_path / "bad").write_bytes(bad)
        with pytest.raises(Error) as raised:
            package.load(tmp_path / "bad")
        assert raised.value.code == "E0605" and raised.value.help, raised.value
    with pytest.raises(Error, match="E0605"):
        package.load(tmp_path / "missing")


def test_state_dicts_nest_and_report_what_is_missing(converted):
    model, made = converted
    outer = torch.nn.ModuleDict({"head": copy_of(made), "tail": torch.nn.Linear(2, 2)})
    fresh = torch.nn.ModuleDict({"head": TRTModule(), "tail": torch.nn.Linear(2, 2)})
    fresh.load_state_dict(outer.state_dict())
    args, kwargs = call()
    same(fresh["head"](*args, **kwargs), model(*args, **kwargs))
    with pytest.raises(RuntimeError, match="head.engine"):
        fresh.load_state_dict(outer["tail"].state_dict())


def copy_of(made: TRTModule) -> TRTModule:
    filled = TRTModule()
    filled.load_state_dict(made.state_dict())
    return filled


def test_bytes_of_state_may_be_a_bytearray_as_in_the_original(converted):
    model, made = converted
    state = made.state_dict()
    state["engine"] = bytearray(state["engine"].numpy().tobytes())
    filled = TRTModule()
    filled.load_state_dict(state)
    args, kwargs = call()
    same(filled(*args, **kwargs), model(*args, **kwargs))


def test_an_empty_module_is_an_error():
    for use in (lambda: TRTModule()(torch.zeros(1)), lambda: TRTModule().state_dict(), lambda: TRTModule().save("x")):
        with pytest.raises(Error, match="E0604.*empty"):
            use()


@dataclasses.dataclass
class Result:
    first: torch.Tensor
    pair: Pair


@dataclasses.dataclass
class Picky:
    first: torch.Tensor

    def __post_init__(self):
        assert isinstance(self.first, torch.Tensor)


torch.export.register_dataclass(Picky)


class Colour(enum.Enum):
    RED = 1


class Box:
    def __init__(self, content):
        self.content = content


torch.utils._pytree.register_pytree_node(
    Box,
    lambda box: ([box.content], ("box",)),
    lambda parts, _: Box(*parts),
    serialized_type_name="test_engine_file.Box",
)


@dataclasses.dataclass
class Elsewhere:
    first: torch.Tensor
    rest: list


def _forward(
    x,
    k=1,
    *rest,
    mode="fast",
    eps=float("inf"),
    big=2**80,
    dtype=torch.float16,
    device=torch.device("cpu"),
    c=1j,
    **more,
):
    pass


def test_trees_come_back_from_json():
    import inspect

    torch.export.register_dataclass(Result)
    x = torch.zeros(1)
    inputs = InputTree(inspect.signature(_forward), (x, 3, Pair(x, 2.5)), {"eps": float("-inf"), "extra": [x, "t"]})
    outputs = OutputTree(torch.utils._pytree.tree_structure(Result(0, Pair(0, 0))), [RUNTIME, RUNTIME, 7])
    data = json.loads(json.dumps(tree_file.to_json(inputs, outputs)))
    read, made = tree_file.from_json(data)
    y, z, w = torch.ones(1), torch.ones(2), torch.ones(3)
    args, kwargs = (y, 3, Pair(z, 2.5)), {"eps": float("-inf"), "extra": [w, "t"]}
    assert read.names == inputs.names == ["x", "rest.0.left", "extra.0"]
    assert [id(t) for t in read.flatten(args, kwargs)] == [id(y), id(z), id(w)]
    for wrong in ({**kwargs, "eps": 1.0}, {**kwargs, "mode": "slow"}, {**kwargs, "dtype": torch.float32}):
        with pytest.raises(Error, match="E0602"):
            read.flatten(args, wrong)
    read.flatten(args, {**kwargs, "mode": "fast", "big": 2**80, "dtype": torch.float16, "c": 1j})
    result = made.unflatten([y, z])
    assert isinstance(result, Result) and result.first is y and result.pair == Pair(z, 7)


def test_a_return_class_that_is_not_there_becomes_a_dictionary(caplog):
    torch.export.register_dataclass(Elsewhere)
    outputs = OutputTree(torch.utils._pytree.tree_structure(Elsewhere(0, [0])), [RUNTIME, RUNTIME])
    inputs, _ = tree_file.plain(["x"], ["y"])
    text = json.dumps(tree_file.to_json(inputs, outputs))
    _, made = tree_file.from_json(json.loads(text))
    assert made.unflatten([1, 2]) == Elsewhere(1, [2])
    _, made = tree_file.from_json(json.loads(text.replace("Elsewhere", "Nowhere")))
    assert made.unflatten([1, 2]) == dict(zip(outputs.names, [1, 2]))
    assert "is not there" in caplog.text


def test_a_named_tuple_that_is_not_there_is_made_anew():
    outputs = OutputTree(torch.utils._pytree.tree_structure(Pair(0, [0])), [RUNTIME, RUNTIME])
    inputs, _ = tree_file.plain(["x"], ["y"])
    text = json.dumps(tree_file.to_json(inputs, outputs))
    assert type(tree_file.from_json(json.loads(text))[1].unflatten([1, 2])) is Pair
    made = tree_file.from_json(json.loads(text.replace(__name__, "no.such.module")))[1].unflatten([1, 2])
    assert (type(made).__name__, made.left, made.right) == ("Pair", 1, [2])


def registered(kind, context):
    leaf = {"type": None, "context": None, "children_spec": []}
    return {"registered": [json.dumps([1, {"type": kind, "context": context, "children_spec": [leaf]}]), [None]]}


def default_of(module, name):
    return registered(
        "collections.defaultdict",
        {"default_factory_module": module, "default_factory_name": name, "dict_context": ["a"]},
    )


def member_of(path, name):
    return registered("builtins.dict", json.dumps([{"__enum__": True, "fqn": path, "name": name}]))


DEEP = functools.reduce(lambda inner, _: {"list": [inner]}, range(9000), None)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.clear(),
        lambda d: d.update(inputs=None),
        lambda d: d["inputs"].update(specs=[["x", {"registered": ["[1, 5]", []]}]]),
        lambda d: d["inputs"].update(specs=[["x", {"import": "os"}]]),
        lambda d: d["inputs"]["parameters"][0].update(kind="__class__"),
        lambda d: d["inputs"]["leaves"][0].update(constant={"dtype": "__loader__"}),
        lambda d: d["inputs"]["leaves"][0].update(constant={"eval": "1"}),
        lambda d: d["inputs"]["leaves"][0].update(constant={"int": "1", "float": "2"}),
        lambda d: d["inputs"]["leaves"][0].update(constant={"device": "nonsense"}),
        lambda d: d["inputs"]["leaves"].pop(),
        lambda d: d["inputs"].update(specs=[["y", None]]),
        lambda d: d["inputs"].update(specs=[["input_0", DEEP]]),
        lambda d: d["inputs"].update(specs=[["input_0", registered("collections.defaultdict", {})]]),
        lambda d: d["inputs"].update(specs=[["input_0", default_of("builtins", "print")]]),
        lambda d: d["inputs"].update(specs=[["input_0", default_of("no.such", "Class")]]),
        lambda d: d["inputs"].update(specs=[["input_0", member_of("no.such:Class", "A")]]),
        lambda d: d["inputs"].update(specs=[["input_0", member_of("builtins:int", "A")]]),
        lambda d: d["inputs"].update(specs=[["input_0", {"dataclass": [__name__, "Picky", [], ["first"], []]}]]),
        lambda d: d["outputs"]["leaves"].pop(),
    ],
)
def test_trees_that_are_no_trees_are_refused(change):
    data = json.loads(json.dumps(tree_file.to_json(*tree_file.plain(["x"], ["y", "z"]))))
    change(data)
    with pytest.raises(Error, match="E0605"):
        tree_file.from_json(data)


@pytest.mark.parametrize(
    "value",
    [
        collections.defaultdict(list, a=0),
        collections.defaultdict(Pair, a=0),
        collections.OrderedDict(b=0, a=0),
        collections.deque([0], maxlen=3),
        {Colour.RED: 0, "a": 0},
        Picky(torch.zeros(1)),
        Box([0, 0]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_classes_that_pytree_knows_here_come_back(value):
    spec = torch.utils._pytree.tree_structure(value)
    inputs, _ = tree_file.plain(["x"], ["y"])
    text = json.dumps(tree_file.to_json(inputs, OutputTree(spec, [RUNTIME] * spec.num_leaves)))
    assert tree_file.from_json(json.loads(text))[1].spec == spec


def test_caches_of_transformers_come_back():
    from transformers import DynamicCache

    from torch2trt.capture.containers import register_transformers_cache

    register_transformers_cache()
    cache, x = DynamicCache(), torch.randn(1, 2, 3, 4)
    cache.update(x, x, 0)
    spec = torch.utils._pytree.tree_structure(cache)
    inputs, _ = tree_file.plain(["x"], ["y"])
    text = json.dumps(tree_file.to_json(inputs, OutputTree(spec, [RUNTIME] * spec.num_leaves)))
    assert tree_file.from_json(json.loads(text))[1].spec == spec


@pytest.mark.parametrize(
    "spec",
    [
        default_of("bystander", "Class"),
        member_of("bystander:Class", "A"),
        {"namedtuple": ["lazy", "bystander.Class", ["a"], [None]]},
        {"dataclass": ["lazy", "bystander.Class", ["a"], [], [None]]},
    ],
)
def test_reading_imports_nothing(spec, tmp_path, monkeypatch):
    (tmp_path / "bystander.py").write_text("class Class: pass")
    (tmp_path / "lazy.py").write_text("def __getattr__(name):\n    import bystander\n    return bystander")
    monkeypatch.syspath_prepend(tmp_path)
    import lazy  # noqa: F401

    data = json.loads(json.dumps(tree_file.to_json(*tree_file.plain(["x"], ["y"]))))
    data["outputs"]["spec"] = spec
    tree_file.from_json(data)
    assert "bystander" not in sys.modules


def test_reading_a_dtype_imports_nothing(monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "__getattr__", asked.append)  # which imports torch._inductor when that is asked for
    data = json.loads(json.dumps(tree_file.to_json(*tree_file.plain(["x"], ["y"]))))
    data["inputs"]["leaves"][0]["constant"] = {"dtype": "no_such_dtype"}
    with pytest.raises(Error, match="E0605"):
        tree_file.from_json(data)
    assert not asked


def test_plans_of_other_programs_are_called_in_their_order():
    inputs, outputs = tree_file.plain(["ids", "mask"], ["a", "b"])
    assert inputs.names == ["ids", "mask"] and outputs.names == ["a", "b"]
    x, y = torch.zeros(1), torch.ones(1)
    assert inputs.flatten((x, y), {}) == [x, y]
    assert outputs.unflatten([x, y]) == (x, y)
    assert tree_file.plain(["x"], ["y"])[1].unflatten([x]) is x


def test_the_reason_of_the_backend_is_reported():
    from torch2trt.backend import choose
    from torch2trt.file import load_options

    assert choose("cpu", None, {}, [], None) == ("cpu", "asked for")
    assert choose("auto", "sm_89", {}, [], None)[0] == "tensorrt"
    if not torch.cuda.is_available():
        assert choose("auto", None, load_options(), [torch.zeros(1)], None) == ("cpu", "no CUDA device is there")
    with pytest.raises(Error) as raised:
        _core.find_tensorrt({"tensorrt": "/nowhere/libnvinfer.so.10"})
    assert raised.value.code == "E0301" and "/nowhere/libnvinfer.so.10" in str(raised.value)


def test_options_of_loading_are_checked(converted, tmp_path):
    _, made = converted
    made.save(tmp_path / "a")
    with pytest.raises(Error, match="E0701.*use_cuda_graph"):
        package.load(tmp_path / "a", use_cuda_graph="sometimes")
    with pytest.raises(TypeError):
        package.load(tmp_path / "a", no_such_option=1)
    for threads in (0, -1):
        with pytest.raises(Error, match=f"E0701.*`threads` is {threads}"):
            package.load(tmp_path / "a", threads=threads)


def test_devices_are_gpus(converted, tmp_path, monkeypatch):
    from torch2trt.file import load_options

    model, made = converted
    made.save(tmp_path / "a")
    args, kwargs = call()
    for device in ("cpu", torch.device("cpu")):  # where the CPU engine runs
        same(package.load(tmp_path / "a", device=device)(*args, **kwargs), model(*args, **kwargs))
        with pytest.raises(Error, match="E0701.*`device` is cpu") as raised:
            package.load_plan(tmp_path / "a", device=device)
        assert "cuda:0" in raised.value.help
        with pytest.raises(Error, match="E0701.*`device` is cpu"), package.keep_builder(device=device):
            pass
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    given = [load_options(device=device)["device"] for device in (None, "cuda", 0, "cuda:1", torch.device("cuda", 2))]
    assert given == [3, 3, 0, 1, 2]


def test_how_a_file_was_loaded_is_kept(tmp_path, monkeypatch):
    model, x = torch.nn.Linear(5, 3).eval(), torch.randn(2, 5)
    made = torch2trt(model, [x], backend="cpu", progress=False, refittable=True)
    made.save(tmp_path / "a")
    loaded = package.load(tmp_path / "a", threads=3)
    loaded.refit(torch.nn.Linear(5, 3).eval(), [x])
    assert "3 threads" in loaded.engine.description
    loaded.load_state_dict(made.state_dict())
    assert "3 threads" in loaded.engine.description
    assert "3 threads" in copy.deepcopy(loaded).engine.description
    assert torch.equal(loaded(x), made(x))
    # A plan needs a GPU; what is asked of the engine is the same.
    parts, asked = package.file.engine_from(str(tmp_path / "a"), None, None), []
    for name in ("loading", "module"):
        monkeypatch.setattr(
            sys.modules[f"torch2trt.{name}"], "engine_from", lambda *given: asked.append(given[3]) or parts
        )
    plan = package.load_plan(
        tmp_path / "a", device=0, trusted=True, tensorrt="/here/libnvinfer.so", use_cuda_graph=False
    )
    copy.deepcopy(plan)
    plan.load_state_dict(plan.state_dict())
    for options in asked:
        assert (options["tensorrt"], options["use_cuda_graph"]) == ("/here/libnvinfer.so", False)
    assert [options["trusted"] for options in asked] == [True, True, False], "a state dict is another file"


def _forged(data: bytes, change) -> bytes:
    """An engine file with a changed ONNX model, its lengths and checksums right."""
    xxhash = pytest.importorskip("xxhash")
    count = struct.unpack_from("<I", data, 12)[0]
    entries = [list(struct.unpack_from("<IIQQQ", data, 32 + 32 * k)) for k in range(count)]
    sections = [data[entry[2] : entry[2] + entry[3]] for entry in entries]
    sections = [change(section) if entry[0] == 3 else section for entry, section in zip(entries, sections)]
    body, table, at = b"", b"", 32 + 32 * count
    for entry, section in zip(entries, sections):
        padding = -(at + len(body)) % 64
        body += bytes(padding)
        table += struct.pack("<IIQQQ", entry[0], 0, at + len(body), len(section), xxhash.xxh3_64_intdigest(section))
        body += section
    head = data[:8] + struct.pack("<IIQ", 1, count, at + len(body))
    return head + struct.pack("<Q", xxhash.xxh3_64_intdigest(head + table)) + table + body


@pytest.mark.parametrize("place", ["initializer", "attribute", "body", "sparse", "function"])
def test_a_forged_file_reads_no_other_file(place, tmp_path, monkeypatch):
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    made = torch2trt(torch.nn.Linear(5, 3).eval(), [torch.randn(2, 5)], backend="cpu", progress=False)
    monkeypatch.chdir(tmp_path)
    torch.full((2, 3), 7.0).numpy().tofile(tmp_path / "secret")
    outside = onnx.TensorProto(name="stolen", data_type=1, dims=[2, 3], data_location=1)
    outside.external_data.add(key="location", value="secret")

    def change(data: bytes) -> bytes:
        model = onnx.ModelProto.FromString(data)
        graph = model.graph
        made = graph.output[0].name
        next(node for node in graph.node if made in node.output).output[0] = "before"
        taken = "stolen"
        if place == "initializer":
            graph.initializer.append(outside)
        elif place == "attribute":
            graph.node.append(helper.make_node("Constant", [], ["stolen"], value=outside))
        elif place == "body":
            result = helper.make_tensor_value_info("stolen", 1, [2, 3])
            body = helper.make_graph([], "body", [], [result], [outside])
            graph.initializer.append(helper.make_tensor("yes", 9, [], [True]))
            graph.node.append(helper.make_node("If", ["yes"], ["taken"], then_branch=body, else_branch=body))
            taken = "taken"
        elif place == "sparse":
            graph.sparse_initializer.add(values=outside, dims=[2, 3])
        else:
            body = helper.make_node("Constant", [], ["stolen"], value=outside)
            model.functions.append(
                helper.make_function("own", "Steal", [], ["stolen"], [body], [helper.make_opsetid("", 20)])
            )
            model.opset_import.append(helper.make_opsetid("own", 1))
            graph.node.append(helper.make_node("Steal", [], ["stolen"], domain="own"))
        graph.node.append(helper.make_node("Add", ["before", taken], [made]))
        return model.SerializeToString()

    made.save("plain.engine")
    data = (tmp_path / "plain.engine").read_bytes()
    assert _forged(data, lambda same: same) == data
    (tmp_path / "forged.engine").write_bytes(_forged(data, change))
    with pytest.raises(Error, match="not self-contained") as raised:
        package.load("forged.engine")
    assert raised.value.code == "E0605"
