"""What can be captured, how a model is left behind, and what is refused: each refusal has help."""

from __future__ import annotations

import functools
import sys
import warnings

import pytest
import torch
from replay import Function, Replay, assert_replays, one_thread, record  # noqa: F401  (a fixture)
from torch import nn

from torch2trt.capture import CaptureError, CaptureWarning, capture, capturing
from torch2trt.capture.preserve import preserved

Dim = torch.export.Dim


def test_functions_and_bound_methods_know_the_weights_they_use():
    linear = nn.Linear(4, 4).eval()
    model = nn.Sequential(linear, nn.ReLU()).eval()

    class Holder:
        def __init__(self) -> None:
            self.model = model

        def __call__(self, x):
            return self.model(x) * 2

    functions = [lambda x: linear(x) + 1, model.forward, Holder(), Holder().__call__]
    functions += [torch.compile(model), functools.partial(lambda net, x: net(x).exp(), model)]
    for function in functions:
        captured = capture(function, (torch.randn(2, 4),))
        assert captured.traced_because is None
        recorder = assert_replays(captured, function, (torch.randn(2, 4),))
        weights = {name.rpartition(".")[2]: (tensor, kind) for name, tensor, kind in recorder.weights.values()}
        assert weights["weight"][0].data_ptr() == linear.weight.data_ptr() and weights["bias"][1] == "parameter"
    assert_replays(capture(torch.tanh, (torch.randn(2),)), torch.tanh, (torch.randn(2),))


def test_samples_may_be_a_tensor_a_list_or_a_dictionary():
    linear, x = nn.Linear(4, 4).eval(), torch.randn(2, 4)
    for sample in (x, [x], (x,), {"input": x}):
        assert capture(linear, sample).input_names == ["input"]


def test_tied_and_strided_weights():
    tied = nn.Linear(4, 4, bias=False)
    strided = nn.Parameter(torch.randn(4, 4).t())
    model = Function(lambda s, x: s.b(s.a(x)) @ s.strided, a=tied, b=nn.Linear(4, 4, bias=False), strided=strided)
    model.b.weight = tied.weight
    # A transposed weight is handed over as a contiguous copy, which takes another path through the matrix product.
    recorder = assert_replays(capture(model.eval(), (torch.randn(2, 4),)), model, (torch.randn(2, 4),), tolerance=1e-6)
    weights = {name: tensor for name, tensor, _ in recorder.weights.values()}
    assert all(tensor.is_contiguous() for tensor in weights.values())
    assert torch.equal(weights["strided"], strided)
    assert {tensor.data_ptr() for name, tensor in weights.items() if name != "strided"} == {tied.weight.data_ptr()}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(dtype):
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)).to(dtype).eval()
    recorder = assert_replays(
        capture(model, (torch.randn(2, 4, dtype=dtype),)), model, (torch.randn(2, 4, dtype=dtype),)
    )
    assert {output[1] for call in recorder.nodes for output in call.outputs} == {str(dtype).removeprefix("torch.")}


def snapshot(module: nn.Module) -> list:
    hooks = lambda part: [len(table) for key, table in part.__dict__.items() if "hooks" in key]  # noqa: E731
    return [
        (
            name,
            part.training,
            hooks(part),
            {key: id(value) for key, value in part.__dict__.items()},
            [id(p) for p in part.parameters()],
        )
        for name, part in module.named_modules()
    ]


def test_the_model_comes_out_as_it_went_in():
    class Caches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.seen, self.drop = nn.Linear(4, 4), {}, nn.Dropout(0.5)

        def forward(self, x):
            self.seen[tuple(x.shape)] = self.mask = x > 0
            return self.drop(self.linear(x))

    model = Caches()
    model.linear.eval()
    before = snapshot(model)
    with pytest.warns(CaptureWarning, match=r"(?s)in training mode; it is converted in evaluation mode.*drop"):
        captured = capture(model, (torch.randn(2, 4),))
    assert snapshot(model) == before and model.training and not model.linear.training and model.seen == {}
    assert "aten.native_dropout.default" not in record(captured).targets()
    bad = Function(lambda s, x: s.linear(x, x), linear=nn.Linear(4, 4))
    before = snapshot(bad)
    with pytest.raises(CaptureError):
        capture(bad, (torch.randn(2, 4),))
    assert snapshot(bad) == before


def test_global_hooks_left_by_a_failure_are_removed():
    from torch.nn.modules.module import _global_buffer_registration_hooks, register_module_buffer_registration_hook

    with pytest.raises(KeyError), preserved(nn.ReLU()):  # noqa: PT012
        register_module_buffer_registration_hook(lambda *_: None)
        raise KeyError
    assert not _global_buffer_registration_hooks


def test_a_model_that_does_not_depend_on_its_mode_is_captured_without_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", CaptureWarning)
        capture(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Dropout(0.0)), (torch.randn(2, 4),))


def test_a_training_layer_in_an_evaluation_model_is_kept_with_a_warning():
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).eval()
    model[1].train()
    with pytest.warns(CaptureWarning, match="some layers are in training mode"):
        recorder = record(capture(model, (torch.randn(2, 4),)))
    assert recorder.targets()["aten.native_dropout.default"] == 1


def test_writes_to_the_model_and_its_inputs_are_reported():
    def forward(self, x):
        self.count.add_(1)
        x.mul_(2)
        return x + self.count

    model, x = Function(forward), torch.randn(3)
    model.register_buffer("count", torch.zeros(3))
    with pytest.warns(CaptureWarning, match=r"the model writes to .*count"):
        captured = capture(model.eval(), (x,))
    y = torch.randn(3)
    (value,) = Replay(record(captured))(captured.flatten_inputs((y,)))
    assert torch.equal(value, y * 2 + 1) and torch.equal(model.count, torch.zeros(3))


def test_assertions_leave_no_trace():
    def forward(_, x):
        torch._assert_async((x > -1e9).all())
        assert x.shape[0] < 100
        torch._check(x.shape[1] > 0)
        return x.to(torch.float64)

    recorder = record(
        capture(Function(forward).eval(), (torch.randn(2, 3),), dynamic_shapes=(({0: Dim("n", max=64)},),))
    )
    assert recorder.targets() == {"aten.to.dtype": 1}


def test_progress_reports_each_stage_to_its_end():
    seen = []
    capture(nn.ReLU().eval(), (torch.randn(2),), progress=lambda *step: seen.append(step))
    assert list(dict.fromkeys(stage for stage, _, _ in seen)) == ["export", "decompose", "walk"]
    last = {stage: (done, total) for stage, done, total in seen}
    assert all(done == total > 0 for done, total in last.values())


# Refusals: each has the problem, the place and help


def refusal(module, args, **options) -> str:
    with pytest.raises(CaptureError) as caught:
        capture(module, args, **options)
    assert "help: " in str(caught.value)
    return str(caught.value)


def test_torchscript_is_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.trace(nn.ReLU(), torch.randn(2))
    assert "TorchScript" in refusal(scripted, (torch.randn(2),))


def test_weights_without_values_are_refused():
    with torch.device("meta"):
        hollow = nn.Linear(4, 4)
    assert "2 parameters have no values" in refusal(hollow, (torch.randn(2, 4),))
    assert "not initialised" in refusal(nn.LazyLinear(4), (torch.randn(2, 4),))


def test_a_sparse_weight_is_refused():
    model = Function(lambda s, x: torch.mm(s.weight, x), weight=nn.Parameter(torch.eye(4).to_sparse()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "parameter `weight`" in refusal(model.eval(), (torch.randn(4, 4),))


def test_control_flow_with_subgraphs_is_named():
    def forward(_, x):
        return torch.cond(x.sum() > 0, lambda x: x + 1, lambda x: x - 1, (x,))

    text = refusal(Function(forward).eval(), (torch.randn(3),))
    assert "higher_order.cond" in text and f"{__file__}:" in text


def test_what_a_model_prints_comes_through(capsys):
    def forward(_, x):
        print("one\ntwo", file=sys.stderr)
        if torch.compiler.is_compiling():
            raise ValueError("not under torch.export")
        return x * 2

    with pytest.warns(CaptureWarning, match="not under torch.export"):
        capture(Function(forward).eval(), (torch.randn(3),))
    stderr = capsys.readouterr().err
    assert stderr == "one\ntwo\n" * stderr.count("one")


def test_a_model_that_fails_by_itself_is_another_error():
    text = refusal(nn.Linear(4, 4).eval(), (torch.randn(2, 5),))
    assert "the model itself fails on the sample inputs: RuntimeError: " in text and "mat1 and mat2" in text


def test_sample_inputs_that_do_not_fit_are_refused():
    with pytest.raises(CaptureError, match="do not fit forward"):
        capture(nn.ReLU().eval(), (torch.randn(2), torch.randn(2)))


def test_a_dynamic_shape_the_model_cannot_have_is_an_error_not_a_static_program():
    model = Function(lambda _, x: x.view(4, 3)).eval()
    text = refusal(model, (torch.randn(4, 3),), dynamic_shapes=(({0: Dim("batch", max=8)},),))
    assert "cannot be captured with these dynamic shapes" in text and "batch" in text


OLD = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 11)


@pytest.mark.skipif(OLD, reason="this PyTorch exports no size that is computed through floats")
def test_a_size_by_a_value_that_has_no_form_is_named():
    def size(_, x, n):
        return x * 2, torch.arange(torch.sym_int(n.max().item() * 0.5))

    text = refusal(Function(size).eval(), (torch.randn(3), torch.tensor([4])))
    assert "aten.arange.default depends on a size that cannot be expressed" in text and "u0" in text
    assert "help: compute the size with integers, as in n.item() // 2" in text
    half = Function(lambda _, x, n: (x * 2, torch.arange(n.max().item() // 2))).eval()
    assert capture(half, (torch.randn(3), torch.tensor([4]))).traced_because is None


def test_values_read_from_data_are_sizes_and_outputs():
    def size(_, x, n):
        return x * 2, torch.arange(n.max().item())

    assert capture(Function(size).eval(), (torch.randn(3), torch.tensor([4]))).traced_because is None
    captured = capture(Function(lambda _, x: x.sum().item()).eval(), (torch.randn(3),))
    assert captured.unflatten_outputs([torch.tensor(1.5)]) == 1.5


def test_a_symbolic_float_is_named_with_its_expression():
    model = Function(lambda _, x: x.new_zeros(torch.sym_int((x.shape[0] * x.shape[1]) ** 0.5)) + x.sum()).eval()
    axes = {0: Dim("batch", max=8), 1: Dim("length", max=8)}
    text = refusal(model, (torch.randn(4, 3),), dynamic_shapes=((axes,),))
    assert "aten.new_zeros.default depends on a size that cannot be expressed" in text and "FloatPow" in text


def test_an_unknown_output_class_is_named():
    class Opaque:
        __slots__ = ("tensor",)

        def __init__(self, tensor) -> None:
            self.tensor = tensor

    assert "Opaque" in refusal(Function(lambda _, x: Opaque(x)).eval(), (torch.randn(3),))


def hooked():
    return nn.Sequential(nn.utils.spectral_norm(nn.Linear(3, 3)))


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (hooked, (2, 3)),
        (lambda: nn.Sequential(nn.InstanceNorm1d(3, track_running_stats=True)), (2, 3, 4)),
        (lambda: nn.Sequential(nn.BatchNorm1d(3)), (2, 3)),
        (lambda: nn.Sequential(nn.Dropout(0.5)), (2, 3)),
    ],
    ids=["spectral_norm", "instance_norm", "batch_norm", "dropout"],
)
def test_modules_in_training_mode_are_named(make, shape):
    model, x = make(), torch.randn(shape)
    with pytest.warns(CaptureWarning, match=r"in training mode; it is converted in evaluation mode\n  0\n") as caught:
        capture(model, (x,))
    assert len(caught) == 1, [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    "model",
    [nn.Sequential(nn.InstanceNorm1d(3)), nn.Sequential(nn.Dropout(0.0), nn.Linear(4, 3)), nn.RNN(4, 3), nn.LSTM(4, 3)],
)
def test_no_warning_where_the_mode_changes_nothing(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        capture(model.eval() if isinstance(model, nn.RNNBase) else model, (torch.randn(2, 3, 4),))


def test_models_without_state_are_not_run_to_look_for_it(monkeypatch):
    """torch.export replaces weights, settings of layers and tables of RNNs: none of them is state of the model."""

    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")
            self.norm, self.rnn, self.pool = nn.BatchNorm2d(4), nn.LSTM(16, 5, 2), nn.AdaptiveAvgPool2d((4, 4))
            self.sizes, self.options = (4, 4), {"scale": 2.0, "axes": [1, 2]}

        def forward(self, x):
            x = self.pool(self.norm(self.conv(x))) * self.options["scale"]
            return self.rnn(x.flatten(2))[0]

    def run(module, inputs):
        raise AssertionError("the model was run")

    monkeypatch.setattr(capturing, "_warn_states", run)
    capture(Plain().eval(), (torch.randn(2, 3, 8, 8),))
    capture(Plain().eval(), (torch.randn(2, 3, 8, 8),), dynamic_shapes=({0: torch.export.Dim("batch", max=4)},))

    class Counts(Plain):
        def forward(self, x):
            self.options["scale"] = self.options["scale"] + 1.0
            return super().forward(x)

    with pytest.raises(AssertionError, match="was run"):
        capture(Counts().eval(), (torch.randn(2, 3, 8, 8),))
