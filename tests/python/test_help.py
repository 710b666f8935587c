"""The help of errors, followed: what a suggestion names exists and solves the problem."""

import inspect
import os
import re
import string

import numpy as np
import pytest
import torch
import torchvision
from archived import needs_archives
from torch import nn
from torch.nn import functional as F

import torch2trt as package
from torch2trt import CONVERTERS, Error, _core, tensorrt_converter, torch2trt
from torch2trt.arguments import _ELSEWHERE, _MAPPED
from torch2trt.converters.advice import registrable

CASES = 50 * int(os.environ.get("TORCH2TRT_TEST_CASES", "1"))


def convert(module, inputs, **options):
    return torch2trt(module, inputs, backend="cpu", progress=False, **options)


def raised_by(action):
    with pytest.raises(Error) as raised:
        action()
    return raised.value


def names_in(help):
    """The names that a help proposes to register, each registered once."""
    names = re.findall(r'@tensorrt_converter\("([^"]+)"\)', help)
    for name in names:
        before = CONVERTERS.get(name)
        tensorrt_converter(name)(lambda ctx: None)
        del CONVERTERS[name]
        if before is not None:
            CONVERTERS[name] = before
    return names


class Pair(nn.Module):
    def forward(self, image, weight, bias=None):
        return image * weight


def test_a_keyword_that_does_not_exist_is_named_with_the_nearest():
    x, w = torch.randn(2, 3), torch.randn(2, 3)
    made = convert(Pair(), [x, w])
    refused = raised_by(lambda: made(img=x, weight=w))
    assert refused.code == "E0602" and "unexpected keyword argument 'img'" in str(refused), refused
    (suggested,) = re.findall("did you mean `(.+)`", refused.help)
    torch.testing.assert_close(made(**{suggested: x, "weight": w}), x * w)
    refused = raised_by(lambda: made(x, w, zzz=1))
    assert "its arguments are image, weight, bias" in refused.help


def test_misspelled_keywords_at_random():
    seed = np.random.SeedSequence().entropy % 2**32
    print("seed", seed)
    random = np.random.default_rng(seed)
    x, w = torch.randn(2, 3), torch.randn(2, 3)
    made = convert(Pair(), [x, w])
    for _ in range(CASES):
        name = str(random.choice(["image", "weight"]))
        at = int(random.integers(len(name)))
        letter = str(random.choice(list(string.ascii_lowercase)))
        wrong = [name[:at] + name[at + 1 :], name[:at] + letter + name[at:], name[:at] + letter + name[at + 1 :]][
            int(random.integers(3))
        ]
        if wrong == name:
            continue
        given = {wrong: x if name == "image" else w, **({"weight": w} if name == "image" else {"image": x})}
        refused = raised_by(lambda: made(**given))
        assert f"'{wrong}'" in str(refused) and refused.help == f"did you mean `{name}`?", refused


KNOWN = [name for name in inspect.signature(torch2trt).parameters if name != "legacy"]


@pytest.mark.parametrize(
    "name", ["device", "dtype", "precision", "batch_size", "device_type", "onnx_opse", "gpu_fallbac", "nothing_like_it"]
)
def test_suggested_arguments_have_an_effect(name):
    refused = raised_by(lambda: convert(nn.ReLU(), [torch.randn(2)], **{name: 1}))
    assert refused.code == "E0701"
    suggested = re.findall(r"did you mean `(\w+)`", refused.help) + re.findall(r"(\w+)=", refused.help)
    assert all(argument in KNOWN and argument not in _MAPPED for argument in suggested), refused.help
    assert ("leave it out" in refused.help) == (name in ("device_type", "onnx_opse", "gpu_fallbac")), refused.help


def test_no_ready_answer_names_an_argument_that_does_not_exist():
    for name, help in _ELSEWHERE.items():
        assert name not in KNOWN and all(argument in KNOWN for argument in re.findall(r"(\w+)=", help))


def test_names_to_register_exist_for_every_operator():
    has_converter = {overload for _, overload, _, _ in _core.operators()}
    overloads = []
    for name in torch._C._dispatch_get_all_op_names():
        namespace, _, operator = name.partition("::")
        if namespace in ("aten", "torchvision"):
            operator = operator if "." in operator else f"{operator}.default"
            overloads.append(f"{namespace}.{operator}")
    missing = sorted({overload for overload in overloads if overload not in has_converter})
    assert len(missing) > 500 and torchvision.__version__
    packets = sorted({overload.rpartition(".")[0] for overload in missing})
    named = {packet: registrable(f"{packet}.default") for packet in packets}
    found = {packet: name for packet, name in named.items() if name}
    assert len(found) > 300
    for name in set(found.values()):
        assert names_in(f'@tensorrt_converter("{name}")') == [name]
    assert named.get("aten.ps_roi_align") is None
    if "torchvision.ps_roi_align" in named:
        assert named["torchvision.ps_roi_align"] == "torchvision.ops.ps_roi_align"


def test_an_operator_without_a_name_has_help_without_one():
    assert registrable("aten._no_such_operator.default") is None
    assert registrable("nowhere.foo.default") is None


def test_a_converter_is_registered_for_a_custom_operator_by_the_name_in_the_help():
    with torch.library._scoped_library("torch2trt_help", "FRAGMENT") as library:
        library.define("twice(Tensor x) -> Tensor")
        library.impl("twice", lambda x: x * 2, "CompositeExplicitAutograd")
        library.impl("twice", torch.empty_like, "Meta")
        model, x = Function(lambda x: torch.ops.torch2trt_help.twice(x) + 1), torch.randn(3)
        refused = raised_by(lambda: convert(model, [x]))
        assert refused.code == "E0101"
        (name,) = names_in(refused.help)
        assert name == "torch.ops.torch2trt_help.twice"

        @tensorrt_converter(name)
        def twice(ctx):
            x = ctx.method_args[0]._trt
            ctx.method_return._trt = ctx.network.add_elementwise(x, x, package.trt.ElementWiseOperation.SUM).get_output(
                0
            )

        try:
            made, y = convert(model, [x]), torch.randn(3)
            torch.testing.assert_close(made(y), y * 2 + 1)
            overload = convert(Function(lambda x: torch.ops.torch2trt_help.twice.default(x) + 1), [x])
            torch.testing.assert_close(overload(y), y * 2 + 1)
        finally:
            del CONVERTERS[name]


def test_a_converter_of_a_custom_operator_converts_calls_of_its_definition():
    definition = torch.library.custom_op(
        "torch2trt_help::thrice", lambda x: x * 3, mutates_args=(), schema="(Tensor x) -> Tensor"
    )
    definition.register_fake(torch.empty_like)
    model, x = Function(lambda x: definition(x) + 1), torch.randn(3)
    (name,) = names_in(raised_by(lambda: convert(model, [x])).help)

    @tensorrt_converter(name)
    def thrice(ctx):
        x = ctx.method_args[0]._trt
        three = ctx.network.add_constant((1,), [3.0]).get_output(0)
        ctx.method_return._trt = ctx.network.add_elementwise(
            x, three, package.trt.ElementWiseOperation.PROD
        ).get_output(0)

    try:
        made, y = convert(model, [x]), torch.randn(3)
        torch.testing.assert_close(made(y), y * 3 + 1)
        torch.testing.assert_close(definition(y), y * 3)
    finally:
        del CONVERTERS[name]


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


class Dropping(nn.Module):
    def __init__(self, names_mode):
        super().__init__()
        self.names_mode = names_mode

    def forward(self, x):
        return F.dropout(x, 0.5, self.training) if self.names_mode else F.dropout(x, 0.5)


def test_functional_dropout_has_help_of_its_own():
    x = torch.randn(2, 3)
    refused = raised_by(lambda: convert(Dropping(False).eval(), [x]))
    assert "F.dropout(x, p, self.training)" in str(refused), refused
    torch.testing.assert_close(convert(Dropping(True).eval(), [x])(x), x)


def exported(path, dynamic_shapes):
    program = torch.export.export(Pair().eval(), (torch.randn(4, 3), torch.randn(4, 3)), dynamic_shapes=dynamic_shapes)
    torch.export.save(program.run_decompositions({}), path)
    return path


@needs_archives
def test_a_range_beyond_the_export_is_exported_as_in_the_help(command, tmp_path):
    batch = torch.export.Dim("batch", min=1, max=8)
    path = exported(tmp_path / "m.pt2", {"image": {0: batch}, "weight": {0: batch}})
    shape = ("--backend", "cpu", "-o", tmp_path / "m.trt2", "--max-shape", "image=64x3")
    status, _, complaint = command("build", path, *shape)
    assert status == 1 and "E0307" in complaint, complaint
    (suggested,) = re.findall(r"dynamic_shapes=(\{.*\}\})", complaint)
    assert "max=64" in suggested and '"image"' in suggested and '"x"' not in suggested
    path = exported(tmp_path / "again.pt2", eval(suggested, {"torch": torch}))
    status, _, complaint = command("build", path, *shape)
    assert status == 0, complaint
    x, w = torch.randn(64, 3), torch.randn(64, 3)
    torch.testing.assert_close(package.load(tmp_path / "m.trt2")(x, w), x * w)


def test_the_command_line_names_its_own_options(command, tmp_path):
    made = convert(Pair(), [torch.randn(2, 3), torch.randn(2, 3)], max_batch_size=4)
    made.save(tmp_path / "m.trt2")
    status, _, complaint = command("run", tmp_path / "m.trt2", "--shape", "image=9x3", "--shape", "weight=9x3")
    assert status == 1 and "larger --max-shape" in complaint and "max_shapes" not in complaint, complaint
    assert "larger max_shapes" in raised_by(lambda: made(torch.randn(9, 3), torch.randn(9, 3))).help


def test_an_onnx_model_is_not_an_engine_file(command, tmp_path):
    made = convert(Pair(), [torch.randn(2, 3), torch.randn(2, 3)])
    made.network.save_onnx(tmp_path / "net.onnx")
    for verb in ("run", "bench"):
        status, _, complaint = command(verb, tmp_path / "net.onnx")
        assert status == 1 and "E0605" in complaint and "an ONNX model" in complaint and "GPU" not in complaint, (
            complaint
        )
    refused = raised_by(lambda: package.load_plan(tmp_path / "net.onnx"))
    assert refused.code == "E0605" and "ONNX" in str(refused)


@needs_archives
def test_the_name_of_a_file_decides_its_format(command, tmp_path):
    path = exported(tmp_path / "m.pt2", None)
    status, stdout, complaint = command("build", path, "-o", tmp_path / "net.onnx")
    assert status == 0 and "ONNX model" in stdout, complaint
    assert raised_by(lambda: package.load_plan(tmp_path / "net.onnx")).code == "E0605"
    status, _, complaint = command("build", path, "-o", tmp_path / "a.ONNX", "--onnx", tmp_path / "b.onnx")
    assert status == 1 and "E0701" in complaint and "--output" in complaint and not (tmp_path / "b.onnx").exists()
    before = path.read_bytes()
    for option in ("-o", "--onnx"):
        status, _, complaint = command("build", path, option, path)
        assert status == 1 and "E0701" in complaint and path.read_bytes() == before
    made = convert(Pair(), [torch.randn(2, 3), torch.randn(2, 3)])
    refused = raised_by(lambda: made.save(tmp_path / "c.onnx"))
    assert refused.code == "E0701" and "save_onnx" in refused.help and not (tmp_path / "c.onnx").exists()
